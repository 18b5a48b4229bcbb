"""A script's system call as one of the endpoint's, and what of the answer has to be checked.

Owns: the arguments of every call, and which of them come back changed. Refuses to know: descriptors'
numbers (the caller maps them), time, and the comparison of results (replay).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tcpsim import sockets
from tcpsim.conform.packetdrill.constants import NUMBERS, OPTION_NAMES, errno_name, number
from tcpsim.conform.packetdrill.dialect import Dialect
from tcpsim.conform.packetdrill.script import (
    Apply,
    Call,
    Either,
    Ellipsis_,
    Expression,
    Items,
    Name,
    Place,
    ScriptError,
    Struct,
    Text,
    Unsupported,
)
from tcpsim.sockets import Reply

PORT = 8080  # of "..." in bind() and connect()
_ALLOWED_FLAGS = NUMBERS["MSG_DONTWAIT"] | NUMBERS["MSG_NOSIGNAL"]


class Asked(NamedTuple):
    """What to do for one call of the script."""

    call: sockets.Call
    nonblocking: bool = False  # for this call only
    opens: bool = False  # the result is a descriptor
    then_nonblocking: bool = False  # the new descriptor is
    result: Callable[[Reply], int] = lambda reply: reply.value if isinstance(reply.value, int) else 0
    differs: Callable[[Reply], str | None] = lambda reply: None  # what came back through an argument


class GetFlags(NamedTuple):
    """fcntl(F_GETFL): answered by the replayer, which knows the dialect's numbers."""

    fd: int


class TcpInfo(NamedTuple):
    """getsockopt(TCP_INFO): the fields that have to have these values."""

    fields: tuple[tuple[str, int], ...]


class Arguments:
    """The arguments of one call, each with its place; `fd` maps the script's descriptors."""

    def __init__(self, call: Call, place: Place, fd: Callable[[int], int], dialect: Dialect) -> None:
        self.call = call
        self.place = place
        self.live_fd = fd
        self.dialect = dialect

    def count(self, least: int, most: int | None = None) -> None:
        """Raise unless there are so many."""
        found = len(self.call.arguments)
        if not least <= found <= (most or least):
            expected = f"{least}" if most in (None, least) else f"{least} to {most}"
            raise ScriptError(
                self.place,
                f"runtime error in {self.call.name} call: Bad number of arguments: "
                f"expected {expected}, got {found}",
            )

    def __getitem__(self, index: int) -> Expression:
        return self.call.arguments[index]

    def at(self, index: int) -> Place:
        return self.call.places[index]

    def number(self, index: int) -> int:
        return number(self[index], self.at(index))

    def fd(self) -> int:
        """The first argument, as the endpoint's descriptor."""
        return self.live_fd(self.number(0))

    def unsupported(self, index: int, what: str) -> Unsupported:
        return Unsupported(self.at(index), f"{self.call.name}(): {what}")


def asked(call: Call, place: Place, fd: Callable[[int], int], dialect: Dialect) -> Asked | GetFlags | TcpInfo:
    """What a call of the script asks for.

    Raises:
        ScriptError: wrong arguments.
        Unsupported: the endpoint has no such call, or not this use of it.
    """
    rule = _RULES.get(call.name)
    if rule is None:
        raise Unsupported(place, f"system call {call.name}()")
    return rule(Arguments(call, place, fd, dialect))


def _socket(a: Arguments) -> Asked:
    a.count(3)
    kind = a.number(1)
    flags = kind & (NUMBERS["SOCK_NONBLOCK"] | NUMBERS["SOCK_CLOEXEC"])
    if kind - flags != NUMBERS["SOCK_STREAM"]:
        raise a.unsupported(1, "a type other than SOCK_STREAM")
    if a.number(2) not in (0, NUMBERS["IPPROTO_TCP"]):
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


def _message_flags(a: Arguments, index: int) -> bool:
    """Whether a call with MSG_* flags must not block."""
    flags = a.number(index) if len(a.call.arguments) > index else 0
    if flags & ~_ALLOWED_FLAGS:
        raise a.unsupported(index, "flags other than MSG_DONTWAIT and MSG_NOSIGNAL")
    return bool(flags & NUMBERS["MSG_DONTWAIT"])


def _transfer(make: Callable[[int, int], sockets.Call], most: int) -> Callable[[Arguments], Asked]:
    """read, write, recv, send, recvfrom, sendto: a length, and maybe flags."""

    def rule(a: Arguments) -> Asked:
        a.count(3 if most == 3 else 4, most)
        return Asked(make(a.fd(), a.number(2)), nonblocking=_message_flags(a, 3))

    return rule


def _vector(make: Callable[[int, int], sockets.Call]) -> Callable[[Arguments], Asked]:
    """readv, writev: the sum of the lengths."""

    def rule(a: Arguments) -> Asked:
        a.count(3)
        return Asked(make(a.fd(), _total(a[1], a.at(1))))

    return rule


def _message(make: Callable[[int, int], sockets.Call]) -> Callable[[Arguments], Asked]:
    """recvmsg, sendmsg: the sum of the lengths of msg_iov."""

    def rule(a: Arguments) -> Asked:
        a.count(3)
        message = a[1]
        if not isinstance(message, Struct):
            raise ScriptError(a.at(1), "bad argument: expected {msg_name=..., msg_iov=[...], ...}")
        control = message.get("msg_control")
        if control not in (None, Ellipsis_(), Items(())):
            raise a.unsupported(1, "control messages")
        total = _total(message.get("msg_iov") or Items(()), a.at(1))
        return Asked(make(a.fd(), total), nonblocking=_message_flags(a, 2))

    return rule


def _total(vector: Expression, place: Place) -> int:
    if not isinstance(vector, Items):
        raise ScriptError(place, "bad argument: expected [{..., length}, ...]")
    total = 0
    for part in vector.items:
        if not isinstance(part, Struct) or not part.fields:
            raise ScriptError(place, "bad argument: expected {..., length}")
        total += number(part.fields[-1][1], place)
    return total


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
        sockets.Ioctl(a.fd(), request), result=lambda reply: 0, differs=lambda reply: _out(a, 2, reply.value)
    )


def _option_name(a: Arguments) -> str:
    level, option = a[1], a[2]
    if isinstance(option, Name):
        if isinstance(level, Name) and level.name not in NUMBERS:
            raise ScriptError(a.at(1), f"unknown symbol: '{level.name}'")
        return option.name
    name = OPTION_NAMES.get((a.number(1), a.number(2)))
    if name is None:
        raise a.unsupported(2, f"option {a.number(2)}")
    return name


def _setsockopt(a: Arguments) -> Asked:
    a.count(5)
    name, value = _option_name(a), a[3]
    if isinstance(value, Items) and len(value.items) == 1:
        value = value.items[0]
    if isinstance(value, Struct):
        parts = [value.get(field) for field in ("onoff", "linger")]
        if None in parts:
            parts = [value.get(field) for field in ("l_onoff", "l_linger")]
        if name != "SO_LINGER" or len(value.fields) != 2:
            raise a.unsupported(3, f"a structure for {name}")
        on, seconds = (number(part, a.at(3)) if part is not None else 0 for part in parts)
        return Asked(sockets.SetSockOpt(a.fd(), name, (on, seconds)))
    if isinstance(value, Ellipsis_ | Text | Items | Apply):
        raise a.unsupported(3, f"this value for {name}")
    return Asked(sockets.SetSockOpt(a.fd(), name, number(value, a.at(3))))


def _getsockopt(a: Arguments) -> Asked | TcpInfo:
    a.count(5)
    name = _option_name(a)
    if name == "TCP_INFO":
        fields = a[3].fields if isinstance(a[3], Struct) else ()
        return TcpInfo(tuple((field, number(value, a.at(3))) for field, value in fields if field))
    call = sockets.GetSockOpt(a.fd(), name)
    return Asked(call, result=lambda reply: 0, differs=lambda reply: _out(a, 3, reply.value))


def _out(a: Arguments, index: int, live: object) -> str | None:
    """How what came back differs from the script's argument."""
    wanted = a[index]
    if isinstance(wanted, Items) and len(wanted.items) == 1:
        wanted = wanted.items[0]
    if isinstance(wanted, Ellipsis_):
        return None
    expected: object
    if isinstance(wanted, Struct):
        onoff = wanted.get("onoff"), wanted.get("linger")
        expected = f"{{onoff={_shown(onoff[0])}, linger={_shown(onoff[1])}}}"
    elif isinstance(wanted, Name) and wanted.name.startswith("E") and wanted.name not in NUMBERS:
        expected = errno_name(wanted.name, a.at(index))
    else:
        expected = number(wanted, a.at(index))
    if expected == live:
        return None
    return f"Bad {a.call.name} value: expected: {expected} actual: {live}"


def _shown(part: Any) -> str:
    return "..." if part is None else str(part)


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


_RULES: dict[str, Callable[[Arguments], Asked | GetFlags | TcpInfo]] = {
    "socket": _socket,
    "bind": _plain(lambda a: sockets.Bind(a.fd(), _port(a)), 3),
    "listen": _plain(lambda a: sockets.Listen(a.fd(), a.number(1)), 2),
    "connect": _plain(lambda a: sockets.Connect(a.fd(), _port(a)), 3),
    "accept": _accept,
    "accept4": _accept,
    "read": _transfer(sockets.Recv, 3),
    "recv": _transfer(sockets.Recv, 4),
    "recvfrom": _transfer(sockets.Recv, 6),
    "readv": _vector(sockets.Recv),
    "recvmsg": _message(sockets.Recv),
    "write": _transfer(sockets.Send, 3),
    "send": _transfer(sockets.Send, 4),
    "sendto": _transfer(sockets.Send, 6),
    "writev": _vector(sockets.Send),
    "sendmsg": _message(sockets.Send),
    "shutdown": _shutdown,
    "close": _plain(lambda a: sockets.Close(a.fd()), 1),
    "setsockopt": _setsockopt,
    "getsockopt": _getsockopt,
    "fcntl": _fcntl,
    "ioctl": _ioctl,
    "poll": _poll,
}
