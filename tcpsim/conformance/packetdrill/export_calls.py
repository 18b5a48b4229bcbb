"""System calls in the syntax of a script.

Owns: the words of each call with its arguments and result, and which calls the language has none for.
Refuses to know: times, and what any call does.
"""

from __future__ import annotations

from tcpsim import sockets
from tcpsim.sockets import Call, Reply
from tcpsim.sockets.calls import poll_names

_LEVELS = {"SO": "SOL_SOCKET", "TCP": "SOL_TCP"}


def call_in_words(call: Call, reply: Reply) -> str | None:
    """A call and what it returned; None if the language has no such call.

    >>> call_in_words(sockets.Recv(4, 1000), Reply(100)), call_in_words(sockets.Close(4), Reply(0))
    ('recv(4, ..., 1000, 0) = 100', 'close(4) = 0')
    >>> call_in_words(sockets.Connect(3, 80), Reply(None, "ECONNREFUSED"))
    'connect(3, ..., ...) = -1 ECONNREFUSED (error)'
    """
    words = _words(call, reply)
    return None if words is None else f"{words} = {_result(call, reply)}"


def _words(call: Call, reply: Reply) -> str | None:
    match call:
        case sockets.Socket():
            return "socket(..., SOCK_STREAM, IPPROTO_TCP)"
        case sockets.Bind(fd):
            return f"bind({fd}, ..., ...)"
        case sockets.Listen(fd, backlog):
            return f"listen({fd}, {backlog})"
        case sockets.Connect(fd):
            return f"connect({fd}, ..., ...)"
        case sockets.Accept(fd):
            return f"accept({fd}, ..., ...)"
        case sockets.Send(fd, n) | sockets.SendAll(fd, n):
            return f"send({fd}, ..., {n}, 0)"
        case sockets.Recv(fd, n, peek, dontwait):
            flags = ["MSG_PEEK"] * peek + ["MSG_DONTWAIT"] * dontwait
            return f"recv({fd}, ..., {n}, {'|'.join(flags) or 0})"
        case sockets.Shutdown(fd, how):
            return f"shutdown({fd}, SHUT_{how})"
        case sockets.Close(fd):
            return f"close({fd})"
        case sockets.SetSockOpt(fd, name, value):
            return f"setsockopt({fd}, {_level(name)}, {name}, {_value(value)})"
        case sockets.GetSockOpt(fd, name):
            return f"getsockopt({fd}, {_level(name)}, {name}, [{reply.value}], [4])"
        case sockets.Ioctl(fd, request):
            return f"ioctl({fd}, {request}, [{reply.value}])"
        case sockets.Poll():
            return _poll(call, reply)
        case sockets.SetNonblocking(fd, on):
            return f"fcntl({fd}, F_SETFL, O_RDWR{'|O_NONBLOCK' if on else ''})"
        case _:
            return None  # dup, fork and what ends a process


def _level(name: str) -> str:
    return _LEVELS[name.partition("_")[0]]


def _value(value: int | tuple[int, int]) -> str:
    if isinstance(value, tuple):
        return f"{{onoff={value[0]}, linger={value[1]}}}, 8"
    return f"[{value}], 4"


def _poll(call: sockets.Poll, reply: Reply) -> str:
    ready = dict(reply.value) if isinstance(reply.value, tuple) else {}
    asked = ", ".join(
        f"{{fd={fd}, events={poll_names(events) or 0}, revents={ready.get(fd, 0)}}}"
        for fd, events in zip(call.fds, call.asked(), strict=True)
    )
    timeout_ms = -1 if call.timeout_us is None else call.timeout_us // 1000
    return f"poll([{asked}], {len(call.fds)}, {timeout_ms})"


def _result(call: Call, reply: Reply) -> str:
    if reply.errno is not None:
        return f"-1 {reply.errno} (error)"
    if isinstance(call, sockets.Poll):
        return str(len(reply.value) if isinstance(reply.value, tuple) else 0)
    if isinstance(call, sockets.GetSockOpt | sockets.Ioctl):
        return "0"
    return str(reply.value)
