"""A system call of a script as a call of the endpoint, and the parts of its result that are checked.

Owns: the table of calls, and the arguments of those that open, close and wait. Refuses to know:
descriptors' numbers (the caller maps them), time, and the comparison of results (syscalls).
"""

from __future__ import annotations

from collections.abc import Callable

from tcpsim import sockets
from tcpsim.conformance.packetdrill.arguments import (
    PORT,
    Arguments,
    Asked,
    GetFlags,
    Refused,
    Rule,
    What,
    out_differs,
)
from tcpsim.conformance.packetdrill.constants import NUMBERS, PROTOCOL_TYPES, number
from tcpsim.conformance.packetdrill.dialect import Dialect
from tcpsim.conformance.packetdrill.script import (
    Apply,
    Call,
    Either,
    Ellipsis_,
    Items,
    Name,
    Place,
    ScriptError,
    Struct,
    Unsupported,
)
from tcpsim.conformance.packetdrill.sockopts import getsockopt, setsockopt
from tcpsim.conformance.packetdrill.transfers import message, transfer, vector
from tcpsim.sockets import Reply


def asked(call: Call, place: Place, fd: Callable[[int], int], dialect: Dialect) -> What:
    """What a call of the script asks for.

    Raises:
        ScriptError: wrong arguments.
        Unsupported: the endpoint has no such call, or not this use of it.
    """
    rule = _RULES.get(call.name)
    if rule is None:
        raise Unsupported(place, f"system call {call.name}()")
    return rule(Arguments(call, place, fd, dialect))


def _socket(a: Arguments) -> Asked | Refused:
    a.count(3)
    kind = a.number(1)
    flags = kind & (NUMBERS["SOCK_NONBLOCK"] | NUMBERS["SOCK_CLOEXEC"])
    protocol = a.number(2)
    if PROTOCOL_TYPES.get(protocol, kind - flags) != kind - flags:
        return Refused("EPROTONOSUPPORT")  # socket(2): not within this type
    if kind - flags != NUMBERS["SOCK_STREAM"]:
        raise a.unsupported(1, "a type other than SOCK_STREAM")
    if protocol not in (0, NUMBERS["IPPROTO_TCP"]):
        raise a.unsupported(2, "a protocol other than TCP")
    return Asked(sockets.Socket(), opens=True, then_nonblocking=bool(flags & NUMBERS["SOCK_NONBLOCK"]))


def _port(a: Arguments) -> int:
    """The port of a socket address; ``...`` is the one that bind() and connect() have by default."""
    address = a[1]
    if isinstance(address, Ellipsis_):
        return PORT
    if isinstance(address, Struct):
        port = address.get("sin_port") or address.get("sin6_port")
        if isinstance(port, Apply) and port.name == "htons" and len(port.arguments) == 1:
            return number(port.arguments[0], a.at(1))
        if port is not None:
            return number(port, a.at(1))
    raise ScriptError(a.at(1), "bad argument: expected ... or {sa_family=..., sin_port=htons(N), ...}")


def _accept(a: Arguments) -> Asked:
    a.count(3, 4)
    if len(a.call.arguments) == 4 and a.number(3) & ~(NUMBERS["SOCK_NONBLOCK"] | NUMBERS["SOCK_CLOEXEC"]):
        raise a.unsupported(3, "flags other than SOCK_NONBLOCK and SOCK_CLOEXEC")
    then = len(a.call.arguments) == 4 and bool(a.number(3) & NUMBERS["SOCK_NONBLOCK"])
    return Asked(sockets.Accept(a.fd()), opens=True, then_nonblocking=then)


def _shutdown(a: Arguments) -> Asked:
    a.count(2)
    how = {0: "RD", 1: "WR", 2: "RDWR"}.get(a.number(1), str(a.number(1)))
    return Asked(sockets.Shutdown(a.fd(), how))


def _fcntl(a: Arguments) -> Asked | GetFlags:
    a.count(2, 3)
    command = a.number(1)
    if command == NUMBERS["F_GETFL"]:
        return GetFlags(a.fd())
    if command != NUMBERS["F_SETFL"] or len(a.call.arguments) < 3:
        raise a.unsupported(1, "a command other than F_GETFL and F_SETFL")
    named = a[2].parts if isinstance(a[2], Either) else (a[2],)
    on = any(isinstance(part, Name) and part.name in ("O_NONBLOCK", "O_NDELAY") for part in named)
    numeric = any(isinstance(part, int) and part & a.dialect.o_nonblock for part in named)
    a.number(2)  # an unknown name is an error
    return Asked(sockets.SetNonblocking(a.fd(), on or numeric))


def _ioctl(a: Arguments) -> Asked:
    a.count(3)
    request = a[1].name if isinstance(a[1], Name) else ""
    request = {"FIONREAD": "SIOCINQ", "TIOCOUTQ": "SIOCOUTQ", "FIONWRITE": "SIOCOUTQ"}.get(request, request)
    if request not in ("SIOCINQ", "SIOCOUTQ"):
        raise a.unsupported(1, "a request other than SIOCINQ and SIOCOUTQ")
    return Asked(
        sockets.Ioctl(a.fd(), request),
        result=lambda reply: 0,
        differs=lambda reply: out_differs(a, 2, reply.value),
    )


def _poll(a: Arguments) -> Asked:
    a.count(3)
    if not isinstance(a[0], Items) or not a[0].items:
        raise ScriptError(a.at(0), "bad argument: expected [{fd=..., events=..., revents=...}, ...]")
    fds, events, wanted = [], 0, []
    for part in a[0].items:
        if not isinstance(part, Struct):
            raise ScriptError(a.at(0), "bad argument: expected {fd=..., events=..., revents=...}")
        fds.append(a.live_fd(number(part.get("fd") or 0, a.at(0))))
        bits = number(part.get("events") or 0, a.at(0))
        if events not in (0, bits):
            raise a.unsupported(0, "different events for several descriptors")
        events = bits
        wanted.append(part.get("revents") or Ellipsis_())
    timeout_ms = a.number(2)
    call = sockets.Poll(tuple(fds), None if timeout_ms < 0 else timeout_ms * 1000, events)

    def differs(reply: Reply) -> str | None:
        ready = dict(reply.value) if isinstance(reply.value, tuple) else {}
        for fd, bits in zip(fds, wanted, strict=True):
            if isinstance(bits, Ellipsis_):
                continue
            live = sum(NUMBERS[name] for name in ready.get(fd, "").split("|") if name)
            if number(bits, a.at(0)) != live:
                return f"Bad poll revents: expected: {number(bits, a.at(0)):#x} actual: {live:#x}"
        return None

    return Asked(
        call, result=lambda reply: len(reply.value) if isinstance(reply.value, tuple) else 0, differs=differs
    )


def _plain(make: Callable[[Arguments], sockets.Call], count: int) -> Callable[[Arguments], Asked]:
    def rule(a: Arguments) -> Asked:
        a.count(count)
        return Asked(make(a))

    return rule


_RULES: dict[str, Rule] = {
    "socket": _socket,
    "bind": _plain(lambda a: sockets.Bind(a.fd(), _port(a)), 3),
    "listen": _plain(lambda a: sockets.Listen(a.fd(), a.number(1)), 2),
    "connect": _plain(lambda a: sockets.Connect(a.fd(), _port(a)), 3),
    "accept": _accept,
    "accept4": _accept,
    "read": transfer(sockets.Recv, 3),
    "recv": transfer(sockets.Recv, 4),
    "recvfrom": transfer(sockets.Recv, 6),
    "readv": vector(sockets.Recv),
    "recvmsg": message(sockets.Recv),
    "write": transfer(sockets.Send, 3),
    "send": transfer(sockets.Send, 4),
    "sendto": transfer(sockets.Send, 6),
    "writev": vector(sockets.Send),
    "sendmsg": message(sockets.Send),
    "shutdown": _shutdown,
    "close": _plain(lambda a: sockets.Close(a.fd()), 1),
    "setsockopt": setsockopt,
    "getsockopt": getsockopt,
    "fcntl": _fcntl,
    "ioctl": _ioctl,
    "poll": _poll,
}
