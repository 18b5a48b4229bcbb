"""Steps that make system calls.

Owns: the calls of a step and their order, when a step is done or has failed, and the description of a step.
Refuses to know: what the calls return and why (sockets), waiting and branching (receive_steps, wait_steps,
control_flow).

    client = [connect(), send(100), receive(1000), wait("50ms"), close()]

Every step works on one socket. A program with several sockets names them: ``connect(sock="second")``. If a
call fails, or if the peer closes before `receive` is complete, the program continues with its `on_error`
steps (see `tcpsim.app.program.Program`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from tcpsim import sockets
from tcpsim.app.program import NO_FD, Action, Assembler, Running, Step, fail, number
from tcpsim.errors import InputError
from tcpsim.sockets import Reply
from tcpsim.sockets.options import OPTIONS, timed_us
from tcpsim.units import parse_duration

BACKLOG: Final = 511  # what httpd (ListenBackLog) and nginx ask for unless told otherwise

Acted = tuple[Running, Action | None]
Value = int | tuple[int, int]  # of a socket option; SO_LINGER takes (on, seconds)
Options = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class OnSocket:
    """What steps on a socket share: they are one operation, on the socket of one name."""

    sock: str

    def __post_init__(self) -> None:
        if not isinstance(self.sock, str):
            raise InputError("sock", repr(self.sock), 'a name for the socket, such as "second"')

    def emit(self, asm: Assembler) -> None:
        asm.add(self, self.sock)  # type: ignore[arg-type]  # each subclass has act and describe

    @property
    def which(self) -> str:
        return "" if self.sock in ("conn", "listener") else f" ({self.sock})"


@dataclass(frozen=True, slots=True)
class _Open(OnSocket):
    """socket(), setsockopt() for each option, bind(), and then `_last`."""

    port: int | None
    options: Options
    errs: ClassVar[bool] = True

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        if reply is None:
            return r.phase_to(1), sockets.Socket()
        if reply.errno is not None:
            return fail(r, reply.errno)
        phase = r.phase - len(self.options)
        if r.phase == 1:
            r = r.holding(slot, number(reply))
        fd = r.fds[slot]
        if phase <= 0:
            name, value = self.options[r.phase - 1]
            return r.phase_to(r.phase + 1), sockets.SetSockOpt(fd, name, value)
        if phase == 1:
            return r.phase_to(r.phase + 1), sockets.Bind(fd, self._local_port(r))
        if phase == 2:
            return r.phase_to(r.phase + 1), self._last(r, fd)
        return r.at(r.pc + 1), None

    def _local_port(self, r: Running) -> int:
        raise NotImplementedError

    def _last(self, r: Running, fd: int) -> sockets.Call:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Connect(_Open):
    local_port: int | None
    does: ClassVar[tuple[str, ...]] = ("opens", "tunes")  # the last with its options

    @property
    def calls(self) -> int:
        return 3 + len(self.options)

    def _local_port(self, r: Running) -> int:
        return r.client_port if self.local_port is None else self.local_port

    def _last(self, r: Running, fd: int) -> sockets.Call:
        return sockets.Connect(fd, r.server_port if self.port is None else self.port)

    def describe(self) -> str:
        port = "" if self.local_port is None else f" from port {self.local_port}"
        options = ", ".join(f"{name}={value}" for name, value in self.options)
        port += "" if self.port is None else f" to port {self.port}"
        return f"connect{port}{' with ' if options else ''}{options}{self.which}"


@dataclass(frozen=True, slots=True)
class _Listen(_Open):
    backlog: int

    def _local_port(self, r: Running) -> int:
        return r.server_port if self.port is None else self.port

    def _last(self, r: Running, fd: int) -> sockets.Call:
        return sockets.Listen(fd, self.backlog)

    def describe(self) -> str:
        backlog = "" if self.backlog == BACKLOG else f" with a backlog of {self.backlog}"
        port = "" if self.port is None else f" on port {self.port}"
        return f"listen{port}{backlog}{self.which}"


@dataclass(frozen=True, slots=True)
class _Accept(OnSocket):
    listener: str
    errs: ClassVar[bool] = True

    def emit(self, asm: Assembler) -> None:
        asm.add(replace(self), self.sock)
        asm.slot(self.listener)

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        if reply is None:
            return r.phase_to(1), sockets.Accept(r.fds[r.program.sockets.index(self.listener)])
        if reply.errno is not None:
            return fail(r, reply.errno)
        return r.holding(slot, number(reply)).at(r.pc + 1), None

    def describe(self) -> str:
        return f"accept{self.which}"


@dataclass(frozen=True, slots=True)
class _OneCall(OnSocket):
    """A step that is one call, done when it returns."""

    errs: ClassVar[bool] = True

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        if reply is None:
            return r.phase_to(1), self._call(r.fds[slot])
        if reply.errno is not None:
            return fail(r, reply.errno)
        return r.at(r.pc + 1), None

    def _call(self, fd: int) -> sockets.Call:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Send(_OneCall):
    n: int
    does: ClassVar[tuple[str, ...]] = ("sends",)
    calls: ClassVar[int] = 1

    @property
    def octets(self) -> int:
        return self.n

    def _call(self, fd: int) -> sockets.Call:
        return sockets.SendAll(fd, self.n)

    def describe(self) -> str:
        return f"send {self.n} bytes{self.which}"


@dataclass(frozen=True, slots=True)
class _Shutdown(_OneCall):
    how: str
    does: ClassVar[tuple[str, ...]] = ("closes",)
    calls: ClassVar[int] = 1

    def _call(self, fd: int) -> sockets.Call:
        return sockets.Shutdown(fd, self.how)

    def describe(self) -> str:
        return f"shut down {self.how}{self.which}"


@dataclass(frozen=True, slots=True)
class _SetOption(_OneCall):
    name: str
    value: Value
    calls: ClassVar[int] = 1

    @property
    def options(self) -> Options:
        return ((self.name, self.value),)

    @property
    def does(self) -> tuple[str, ...]:
        return () if timed_us(self.name, self.value) is None else ("tunes",)

    def _call(self, fd: int) -> sockets.Call:
        return sockets.SetSockOpt(fd, self.name, self.value)

    def describe(self) -> str:
        return f"set {self.name} to {self.value}{self.which}"


@dataclass(frozen=True, slots=True)
class _Close(OnSocket):
    abort: bool
    does: ClassVar[tuple[str, ...]] = ("closes",)
    calls: ClassVar[int] = 2

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        fd = r.fds[slot]
        if fd == NO_FD:  # closed already, or never opened: nothing to do
            return r.at(r.pc + 1), None
        if self.abort and r.phase == 0:
            return r.phase_to(1), sockets.SetSockOpt(fd, "SO_LINGER", (1, 0))
        return r.holding(slot, NO_FD).phase_to(2), sockets.Close(fd)

    def describe(self) -> str:
        return f"{'abort' if self.abort else 'close'}{self.which}"


def connect(
    sock: str = "conn", port: int | None = None, local_port: int | None = None, options: Options = ()
) -> Step:
    """Open a connection; ports are those of the pair unless given. Done once the handshake is over.

    A `local_port` of 0 is one that the host chooses.
    """
    _check_port("connect.port", port, 1)
    _check_port("connect.local_port", local_port, 0)
    _check_options(options)
    return _Connect(sock, port, options, local_port)


def listen(
    sock: str = "listener", port: int | None = None, backlog: int = BACKLOG, options: Options = ()
) -> Step:
    """Listen on the pair's server port, or on `port`; a negative backlog asks for the system's largest."""
    _check_port("listen.port", port, 1)
    if not isinstance(backlog, int) or isinstance(backlog, bool):
        raise InputError("listen.backlog", repr(backlog), "an integer")
    _check_options(options)
    return _Listen(sock, port, options, backlog)


def accept(sock: str = "conn", listener: str = "listener") -> Step:
    """Take a connection from the accept queue, once there is one."""
    return _Accept(sock, listener)


def send(n: int, sock: str = "conn") -> Step:
    """Send `n` bytes; done when the send buffer has taken them all, not when they have arrived."""
    return _Send(sock, at_least(1, n, "send"))


def shutdown(how: str = "WR", sock: str = "conn") -> Step:
    """shutdown(): "WR" (a half-close: our FIN), "RD" or "RDWR". The descriptor stays open."""
    if how not in ("RD", "WR", "RDWR"):
        raise InputError("shutdown", repr(how), '"RD", "WR" or "RDWR"')
    return _Shutdown(sock, how)


def close(sock: str = "conn") -> Step:
    """close(); nothing if it is closed already."""
    return _Close(sock, False)


def abort(sock: str = "conn") -> Step:
    """close() with SO_LINGER on and zero seconds: a RST instead of a FIN."""
    return _Close(sock, True)


def set_option(name: str, value: Value, sock: str = "conn") -> Step:
    """setsockopt(), in the API's units."""
    _check_options([(name, value)])
    return _SetOption(sock, name, value)


def with_option(step: Any, option: tuple[str, Value]) -> Any:
    """connect() or listen() with one more option for its socket, or a setsockopt() of it; else as it is."""
    if isinstance(step, _SetOption) and step.name == option[0]:
        return replace(step, value=option[1])
    return replace(step, options=(*step.options, option)) if isinstance(step, _Open) else step


def keepalive(idle: str | int, interval: str | int, count: int) -> list[Step]:
    """SO_KEEPALIVE, and when it probes: whole seconds, as these options count."""
    seconds = [parse_duration(each, "keepalive") // 1_000_000 for each in (idle, interval)]
    return [
        set_option("SO_KEEPALIVE", 1),
        set_option("TCP_KEEPIDLE", seconds[0]),
        set_option("TCP_KEEPINTVL", seconds[1]),
        set_option("TCP_KEEPCNT", count),
    ]


def _check_port(where: str, port: int | None, least: int) -> None:
    if port is not None and (not isinstance(port, int) or not least <= port <= 65_535):
        raise InputError(where, repr(port), f"a port from {least} to 65535")


def _check_options(options: Iterable[tuple[str, Value]]) -> None:
    for name, value in options:
        if name not in OPTIONS:
            raise InputError("option", repr(name), ", ".join(OPTIONS))
        pair = isinstance(value, tuple) and len(value) == 2 and all(isinstance(each, int) for each in value)
        if not (pair if name == "SO_LINGER" else isinstance(value, int)):
            allowed = "(on, seconds)" if name == "SO_LINGER" else "an integer"
            raise InputError(f"option {name}", repr(value), allowed)


def at_least(least: int, value: int, where: str) -> int:
    """`value`, if it is an integer of at least `least`; else an InputError that names `where`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(where, repr(value), f"an integer >= {least}")
    return value
