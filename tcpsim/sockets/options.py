"""Socket options: the names and units of the API, and the fields of the endpoint.

Owns: one table of names, value checks, the one-shot SO_ERROR. Refuses to know: what an option does to
a connection, and how a stack rounds or doubles a value (end).

Sources: socket(7), tcp(7); Linux net/ipv4/tcp.c do_tcp_setsockopt() for the ranges.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tcpsim.sockets.calls import Caller, GetSockOpt, Reply, SetNonblocking, SetSockOpt
from tcpsim.sockets.processes import (
    OpenFile,
    Returned,
    System,
    after,
    failed,
    options_of,
    tcb_of,
    with_end,
    with_file,
)
from tcpsim.tcp import endpoint as tcp

_OK = Reply(0)
_SECOND_US, _MILLISECOND_US = 1_000_000, 1_000


class _Option(NamedTuple):
    """A field of SocketOptions, the unit of the API in the field's unit, and the least and greatest value."""

    field: str
    unit: int = 1
    least: int = 0
    greatest: int = 2**31 - 1


_SWITCHES = {
    "SO_KEEPALIVE": "keepalive",
    "SO_REUSEADDR": "reuseaddr",
    "TCP_NODELAY": "nodelay",
    "TCP_QUICKACK": "quickack",
    "TCP_NOOPT": "noopt",
}
_NUMBERS = {
    "TCP_KEEPIDLE": _Option("keep_idle_us", _SECOND_US, 1, 32_767),
    "TCP_KEEPINTVL": _Option("keep_intvl_us", _SECOND_US, 1, 32_767),
    "TCP_KEEPINIT": _Option("keep_init_us", _SECOND_US, 1, 32_767),
    "TCP_DEFER_ACCEPT": _Option("defer_accept_us", _SECOND_US),
    "TCP_KEEPCNT": _Option("keep_cnt", 1, 1, 127),
    "TCP_USER_TIMEOUT": _Option("user_timeout_us", _MILLISECOND_US),
    "TCP_LINGER2": _Option("linger2_us", _SECOND_US, -(2**31)),
    "TCP_MAXSEG": _Option("maxseg", 1, 88, 32_767),
    "SO_RCVBUF": _Option("rcvbuf"),
    "SO_SNDBUF": _Option("sndbuf"),
}
_OF_STACK = {"linger2_us": "fin_wait_2_us", "keep_init_us": "syn_give_up_us"}
_TIMEOUTS: dict[str, Callable[[OpenFile, int], OpenFile]] = {
    "SO_RCVTIMEO": lambda file, us: file._replace(rcvtimeo_us=us),
    "SO_SNDTIMEO": lambda file, us: file._replace(sndtimeo_us=us),
}


OPTIONS = ("SO_LINGER", *_SWITCHES, *_TIMEOUTS, *_NUMBERS)


def timed_us(name: str, value: object) -> int | None:
    """The time that an option sets a timer of a connection to; 0: it only lets one run; None: neither."""
    if name == "SO_KEEPALIVE":
        return 0
    option = _NUMBERS.get(name)
    if option is None or not option.field.endswith("_us") or not isinstance(value, int):
        return None
    return max(value, 0) * option.unit


def set_option(system: System, caller: Caller, call: SetSockOpt, file_id: int, now: int) -> Returned:
    """setsockopt(): 0, EINVAL for a value out of range, ENOPROTOOPT for a name that is unknown."""
    name, value = call.name, call.value
    file = system.files[file_id]
    if name == "SO_LINGER":
        if not system.end.stack.so_linger:
            return failed(system, "ENOPROTOOPT")
        if not isinstance(value, tuple) or value[1] < 0:
            return failed(system, "EINVAL")
        return _change(system, file_id, now, linger=(bool(value[0]), value[1] * _SECOND_US))
    if isinstance(value, tuple):
        return failed(system, "EINVAL")
    if name in _SWITCHES:
        return _change(system, file_id, now, **{_SWITCHES[name]: bool(value)})
    if name in _TIMEOUTS:
        if value < 0:
            return failed(system, "EDOM")
        return Returned(with_file(system, file_id, _TIMEOUTS[name](file, value)), _OK)
    option = _NUMBERS.get(name)
    if option is None:
        return failed(system, "ENOPROTOOPT")
    if not option.least <= value <= option.greatest:
        return failed(system, "EINVAL")
    return _change(system, file_id, now, **{option.field: value * option.unit})


def _change(system: System, file_id: int, now: int, **changes: Any) -> Returned:
    file = system.files[file_id]
    if file.sid is None:
        changed = file._replace(options=file.options._replace(**changes))
        return Returned(with_file(system, file_id, changed), _OK)
    return after(system, tcp.set_options(system.end, file.sid, now, **changes), _OK)


def get_option(system: System, caller: Caller, call: GetSockOpt, file_id: int, now: int) -> Returned:
    """getsockopt(): the value in the unit of the API; SO_ERROR is an errno name or 0, and cleared."""
    file = system.files[file_id]
    if call.name == "SO_ERROR":
        if file.sid is None or tcb_of(system, file) is None:
            return Returned(system, _OK)
        end, errno = tcp.take_error(system.end, file.sid)
        return Returned(with_end(system, end), Reply(errno or 0))
    if call.name in ("SO_RCVTIMEO", "SO_SNDTIMEO"):
        return Returned(system, Reply(file.rcvtimeo_us if call.name == "SO_RCVTIMEO" else file.sndtimeo_us))
    options = options_of(system, file)
    if call.name == "SO_LINGER":
        if not system.end.stack.so_linger:
            return failed(system, "ENOPROTOOPT")
        on, linger_us = options.linger or (False, 0)
        return Returned(system, Reply(f"{{onoff={int(on)}, linger={linger_us // _SECOND_US}}}"))
    if call.name in _SWITCHES:
        return Returned(system, Reply(int(bool(getattr(options, _SWITCHES[call.name])))))
    option = _NUMBERS.get(call.name)
    if option is None:
        return failed(system, "ENOPROTOOPT")
    value = getattr(options, option.field)
    if value is None:
        value = _default(system, file, option.field)
    elif option.field in ("rcvbuf", "sndbuf") and system.end.stack.sockbuf_doubled:
        value *= 2
    return Returned(system, Reply(value // option.unit))


def _default(system: System, file: OpenFile, field: str) -> int:
    """What holds where the program has set nothing."""
    stack, tcb = system.end.stack, tcb_of(system, file)
    if field == "maxseg":
        return stack.default_mss if tcb is None else tcb.told_mss(stack)
    if field == "rcvbuf":
        return stack.rcv_space if tcb is None else tcb.rcv_space
    if field == "sndbuf":
        return stack.snd_space if tcb is None else tcb.snd_space
    return getattr(stack, _OF_STACK.get(field, field)) or 0


def set_nonblocking(system: System, caller: Caller, call: SetNonblocking, file_id: int, now: int) -> Returned:
    """fcntl(F_SETFL): every descriptor of the open file sees it."""
    file = system.files[file_id]
    return Returned(with_file(system, file_id, file._replace(nonblocking=call.on)), _OK)
