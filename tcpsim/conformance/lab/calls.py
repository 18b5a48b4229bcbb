"""The system calls of the simulator's programs, made on real sockets and recorded as rows of a trace.

Owns: one real call for each call of `tcpsim.sockets`, its reply in the simulator's terms, and the text of
both in `app` rows. Refuses to know: who makes the call and why (process), and the names of sockets (trace).
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import struct
from collections.abc import Callable
from typing import Any

from tcpsim import sockets
from tcpsim.errors import InputError
from tcpsim.sockets import Call, Reply, poll_names

_IOCTLS = {"SIOCINQ": 0x541B, "SIOCOUTQ": 0x5411}
_SHUT = {"RD": socket.SHUT_RD, "WR": socket.SHUT_WR, "RDWR": socket.SHUT_RDWR}
_TIMEOUTS = ("SO_RCVTIMEO", "SO_SNDTIMEO")  # struct timeval; the simulator counts microseconds
_MICROSECONDS = 1_000_000
Told = tuple[str, Any]  # the name of a call in a trace, and its argument


class Sockets:
    """The real sockets of one process by descriptor, and where the hosts of the recording are."""

    def __init__(self, address: str, peer: str) -> None:
        self.address = address
        self.peer = peer
        self.open: dict[int, socket.socket] = {}

    def make(self, call: Call) -> Reply:
        """Make the call; blocks as long as the kernel does."""
        maker = _MAKERS.get(type(call))
        if maker is None:
            raise InputError("lab", f"the call {call}", "calls that a process can make here")
        try:
            return Reply(maker(self, call))
        except OSError as error:
            return Reply(None, errno.errorcode.get(error.errno or 0, "EIO"))

    def keep(self, made: socket.socket) -> int:
        """Take a new socket in; its descriptor. Calls block, whatever the interpreter's default."""
        made.setblocking(True)
        self.open[made.fileno()] = made
        return made.fileno()

    def drop(self, fd: int) -> None:
        """close(), and its error if any, which `socket.close` would swallow."""
        os.close(self.open.pop(fd).detach())


def told(call: Call, peer: str) -> Told:
    """A call in the words of a trace."""
    match call:
        case sockets.Bind():
            return "bind", call.port
        case sockets.Connect():
            return "connect", f"{peer}:{call.port}"
        case sockets.Listen():
            return "listen", call.backlog
        case sockets.Send() | sockets.SendAll() | sockets.Recv():
            return type(call).__name__.lower(), call.n
        case sockets.Shutdown():
            return "shutdown", call.how
        case sockets.SetSockOpt():
            value = call.value
            words = f"{{{value[0]},{value[1]}}}" if isinstance(value, tuple) else str(value)
            return "setsockopt", f"{call.name}={words}"
        case sockets.GetSockOpt():
            return "getsockopt", call.name
        case sockets.Ioctl():
            return "ioctl", call.request
        case sockets.SetNonblocking():
            return "setblocking", str(not call.on)
        case sockets.Poll():
            patience = -1 if call.timeout_us is None else call.timeout_us / 1_000
            return (
                "poll",
                f"{patience:g} {' '.join(poll_names(each) or '0' for each in dict.fromkeys(call.asked()))}",
            )
    return type(call).__name__.lower(), None


def answered(call: Call, reply: Reply) -> dict[str, Any]:
    """A reply in the words of a trace: `ret` or `err`."""
    if reply.errno is not None:
        return {"err": reply.errno}
    if isinstance(reply.value, tuple):
        return {"ret": reply.value[0][1] if reply.value else 0}
    says_value = isinstance(call, sockets.Send | sockets.Recv | sockets.GetSockOpt | sockets.Ioctl)
    return {"ret": reply.value if says_value else 0}


def _socket(here: Sockets, call: sockets.Socket) -> int:
    return here.keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM))


def _bind(here: Sockets, call: sockets.Bind) -> int:
    here.open[call.fd].bind((here.address, call.port))
    return 0


def _connect(here: Sockets, call: sockets.Connect) -> int:
    here.open[call.fd].connect((here.peer, call.port))
    return 0


def _listen(here: Sockets, call: sockets.Listen) -> int:
    here.open[call.fd].listen(call.backlog)
    return 0


def _accept(here: Sockets, call: sockets.Accept) -> int:
    accepted, _ = here.open[call.fd].accept()
    return here.keep(accepted)


def _send(here: Sockets, call: sockets.Send) -> int:
    return here.open[call.fd].send(bytes(call.n))


def _send_all(here: Sockets, call: sockets.SendAll) -> int:
    here.open[call.fd].sendall(bytes(call.n))
    return 0


def _recv(here: Sockets, call: sockets.Recv) -> int:
    flags = socket.MSG_PEEK * call.peek | socket.MSG_DONTWAIT * call.dontwait
    return len(here.open[call.fd].recv(call.n, flags))


def _shutdown(here: Sockets, call: sockets.Shutdown) -> int:
    here.open[call.fd].shutdown(_SHUT[call.how])
    return 0


def _close(here: Sockets, call: sockets.Close) -> int:
    here.drop(call.fd)
    return 0


def _set_option(here: Sockets, call: sockets.SetSockOpt) -> int:
    level, number = _option(call.name)
    value: int | bytes
    if isinstance(call.value, tuple):
        value = struct.pack("ii", *call.value)
    elif call.name in _TIMEOUTS:
        value = struct.pack("ll", *divmod(call.value, _MICROSECONDS))
    else:
        value = call.value
    here.open[call.fd].setsockopt(level, number, value)
    return 0


def _get_option(here: Sockets, call: sockets.GetSockOpt) -> int | str:
    level, number = _option(call.name)
    value = here.open[call.fd].getsockopt(level, number)
    return errno.errorcode[value] if call.name == "SO_ERROR" and value else value


def _option(name: str) -> tuple[int, int]:
    level = socket.SOL_SOCKET if name.startswith("SO_") else socket.IPPROTO_TCP
    return level, getattr(socket, name)


def _ioctl(here: Sockets, call: sockets.Ioctl) -> int:
    value: int = struct.unpack("i", fcntl.ioctl(call.fd, _IOCTLS[call.request], bytes(4)))[0]
    return value


def _poll(here: Sockets, call: sockets.Poll) -> tuple[tuple[int, str], ...]:
    asked = select.poll()
    for fd, events in zip(call.fds, call.asked(), strict=True):
        asked.register(fd, events)
    timeout_ms = None if call.timeout_us is None else call.timeout_us / 1_000
    return tuple((fd, poll_names(bits)) for fd, bits in asked.poll(timeout_ms))


def _set_nonblocking(here: Sockets, call: sockets.SetNonblocking) -> int:
    here.open[call.fd].setblocking(not call.on)
    return 0


def _dup(here: Sockets, call: sockets.Dup) -> int:
    return here.keep(here.open[call.fd].dup())


_MAKERS: dict[type[Call], Callable[..., Any]] = {
    sockets.Socket: _socket,
    sockets.Bind: _bind,
    sockets.Connect: _connect,
    sockets.Listen: _listen,
    sockets.Accept: _accept,
    sockets.Send: _send,
    sockets.SendAll: _send_all,
    sockets.Recv: _recv,
    sockets.Shutdown: _shutdown,
    sockets.Close: _close,
    sockets.SetSockOpt: _set_option,
    sockets.GetSockOpt: _get_option,
    sockets.Ioctl: _ioctl,
    sockets.Poll: _poll,
    sockets.SetNonblocking: _set_nonblocking,
    sockets.Dup: _dup,
}
