"""A row of a trace's `app` as system calls, and their results in the words of the trace.

Owns: the spelling of calls, arguments and results in a trace. Refuses to know: which descriptor a name
stands for (replay keeps that) and what a call does (sockets).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tcpsim.conformance.traces.schema import Row, Unsupported
from tcpsim.sockets import (
    POLLIN,
    POLLOUT,
    POLLRDHUP,
    Accept,
    Bind,
    Call,
    Close,
    Connect,
    Dup,
    GetSockOpt,
    Listen,
    Poll,
    Recv,
    Reply,
    Send,
    SendAll,
    SetNonblocking,
    SetSockOpt,
    Shutdown,
)

_KEEPALIVE = {"idle": "TCP_KEEPIDLE", "intvl": "TCP_KEEPINTVL", "cnt": "TCP_KEEPCNT"}
_SAYS_NUMBER = (Send, Recv)
_POLL_BITS = {"POLLIN": POLLIN, "POLLOUT": POLLOUT, "POLLRDHUP": POLLRDHUP}
BACKLOG = 16


def calls_of(row: Row, fd: int) -> tuple[Call, ...]:
    """The calls of a row on descriptor `fd`; the last one is the one whose result the row tells.

    Raises:
        Unsupported: a call or an argument that is not known here.
    """
    make = _MAKERS.get(row.call)
    if make is None:
        raise Unsupported(f"app[{row.place}]: call {row.call!r}")
    try:
        return make(row, fd)
    except (TypeError, ValueError):
        raise Unsupported(f"app[{row.place}]: {row.call} with the argument {row.arg!r}") from None


def said(call: Call, reply: Reply) -> str:
    """A reply in the words of a trace.

    >>> said(Poll((3,)), Reply(((3, "POLLIN|POLLHUP"),))), said(Recv(3, 9), Reply(None, "ECONNRESET"))
    ('POLLIN|POLLHUP', 'ECONNRESET')
    """
    if reply.errno is not None:
        return reply.errno
    if isinstance(reply.value, tuple):
        return reply.value[0][1] if reply.value else "0"
    return str(reply.value) if isinstance(call, (*_SAYS_NUMBER, GetSockOpt)) else "0"


def _bind(row: Row, fd: int) -> tuple[Call, ...]:
    found = re.fullmatch(r"(\d+)(?: reuse=([01]))?", str(row.arg))
    if found is None:
        raise ValueError(row.arg)
    reuse = () if found[2] is None else (SetSockOpt(fd, "SO_REUSEADDR", int(found[2])),)
    return (*reuse, Bind(fd, int(found[1])))


def _connect(row: Row, fd: int) -> tuple[Call, ...]:
    return (Connect(fd, int(str(row.arg).rpartition(":")[2])),)


def _set_option(row: Row, fd: int) -> tuple[Call, ...]:
    words = str(row.arg).split()
    if words[0] == "SO_KEEPALIVE":
        pairs = [word.split("=") for word in words[1:]]
        if any(name not in _KEEPALIVE for name, _ in pairs):
            raise ValueError(row.arg)
        on = SetSockOpt(fd, "SO_KEEPALIVE", 1)
        return (on, *(SetSockOpt(fd, _KEEPALIVE[name], int(value)) for name, value in pairs))
    if len(words) > 1:
        raise ValueError(row.arg)
    name, _, value = words[0].partition("=")
    if value.startswith("{"):
        on_off, seconds = value.strip("{}").split(",")
        return (SetSockOpt(fd, name, (int(on_off), int(seconds))),)
    return (SetSockOpt(fd, name, int(value)),)


def _poll(row: Row, fd: int) -> tuple[Call, ...]:
    """The argument is a timeout in ms (-1: none, absent: 0), then what one waits for, "POLLIN|POLLOUT"."""
    words = str(0 if row.arg is None else row.arg).split()
    timeout_us = round(float(words[0]) * 1_000)
    names = words[1].split("|") if len(words) > 1 else []
    if len(words) > 2 or any(name not in _POLL_BITS for name in names):
        raise ValueError(row.arg)
    call = Poll((fd,), None if timeout_us < 0 else timeout_us)
    return (call._replace(events=sum(_POLL_BITS[name] for name in names)) if names else call,)


def _shutdown(row: Row, fd: int) -> tuple[Call, ...]:
    how = str(row.arg).removeprefix("SHUT_")
    if how not in ("RD", "WR", "RDWR"):
        raise ValueError(row.arg)
    return (Shutdown(fd, how),)


_MAKERS: dict[str, Callable[[Row, int], tuple[Any, ...]]] = {
    "bind": _bind,
    "connect": _connect,
    "listen": lambda row, fd: (Listen(fd, BACKLOG if row.arg is None else int(row.arg)),),
    "accept": lambda row, fd: (Accept(fd),),
    "send": lambda row, fd: (Send(fd, int(row.arg)),),
    "sendall": lambda row, fd: (SendAll(fd, int(row.arg)),),
    "recv": lambda row, fd: (Recv(fd, int(row.arg)),),
    "recv_peek": lambda row, fd: (Recv(fd, int(row.arg), peek=True),),
    "shutdown": _shutdown,
    "close": lambda row, fd: (Close(fd),),
    "dup": lambda row, fd: (Dup(fd),),
    "setsockopt": _set_option,
    "getsockopt": lambda row, fd: (GetSockOpt(fd, str(row.arg)),),
    "poll": _poll,
    "setblocking": lambda row, fd: (SetNonblocking(fd, str(row.arg) in ("False", "0", "false")),),
}
