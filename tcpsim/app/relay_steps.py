"""The steps of a program between: it accepts from the left, connects to the right, and copies both ways.

Owns: the two sockets' names, listening at one's own port, and connect() without blocking, with a limit and an
eye on the client. Refuses to know: the copying itself (relay_loop), what the calls return (sockets), and how
real relays differ (relays).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, NamedTuple

from tcpsim import sockets
from tcpsim.app.program import NO_FD, Assembler, Running, Step, number
from tcpsim.app.steps import BACKLOG, Acted, Options, _Listen
from tcpsim.sockets import POLLIN, POLLOUT, POLLRDHUP, Reply
from tcpsim.units import format_duration

DOWN: Final = "client leg"  # the socket towards the client
UP: Final = "server leg"
LEGS: Final = (DOWN, UP)
_GONE = frozenset(("POLLRDHUP", "POLLHUP", "POLLERR"))


def fd_of(r: Running, sock: str) -> int:
    """The descriptor of one of the program's sockets."""
    return r.fds[r.program.sockets.index(sock)]


@dataclass(frozen=True, slots=True)
class _ListenBetween(_Listen):
    def _local_port(self, r: Running) -> int:
        return r.client_port  # a relay's own; `server_port` is where it connects to


@dataclass(frozen=True, slots=True)
class _AwaitByte:
    """Until the client has sent something, has closed, or its connection is dead."""

    def emit(self, asm: Assembler) -> None:
        asm.add(self, DOWN)

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        if reply is None:
            return r.phase_to(1), sockets.Poll((r.fds[slot],), None, POLLIN | POLLRDHUP)
        return r.at(r.pc + 1), None

    def describe(self) -> str:
        return "wait for the client's first byte"


@dataclass(frozen=True, slots=True)
class _ConnectUp:
    """socket(), its options, connect() without blocking, and poll() for the outcome."""

    options: Options
    within_us: int | None
    watches: bool  # gives up when the client does
    done: tuple[Step, ...]
    failed: tuple[Step, ...]
    pooled: bool  # a connection that is there already will do
    targets: tuple[int, ...] = ()
    does: ClassVar[tuple[str, ...]] = ("opens", "tunes")

    @property
    def calls(self) -> int:
        return 3 + len(self.options)

    def emit(self, asm: Assembler) -> None:
        asm.slot(DOWN)
        here, targets, jumps = asm.add(self, UP), [], []
        for branch in (self.done, self.failed):
            targets.append(asm.here)
            asm.lay(branch)
            jumps.append(asm.reserve())
        asm.ops[here] = replace(self, targets=tuple(targets))
        for jump in jumps:
            asm.jump(jump, asm.here)

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        calls = self.calls
        if reply is None:
            if self.pooled and r.fds[slot] != NO_FD:
                return r.at(self.targets[0]), None
            return r.phase_to(1), sockets.Socket()
        if r.phase == 1:
            if reply.errno is not None:
                return r.at(self.targets[1]), None
            r = r.holding(slot, number(reply))
        fd = r.fds[slot]
        if r.phase < calls - 2:
            name, value = self.options[r.phase - 1]
            return r.phase_to(r.phase + 1), sockets.SetSockOpt(fd, name, value)
        if r.phase == calls - 2:
            return r.phase_to(calls - 1), sockets.SetNonblocking(fd)
        if r.phase == calls - 1:
            return r.phase_to(calls), sockets.Connect(fd, r.server_port)
        if r.phase == calls:
            if reply.errno != "EINPROGRESS":
                return r.at(self.targets[reply.errno is not None]), None
            fds, events = ((fd, fd_of(r, DOWN)), (POLLOUT, POLLRDHUP)) if self.watches else ((fd,), POLLOUT)
            return r.phase_to(calls + 1), sockets.Poll(fds, self.within_us, events)
        if r.phase == calls + 1:
            said = dict(reply.value) if isinstance(reply.value, tuple) else {}
            if not said or not _GONE.isdisjoint(said.get(fd_of(r, DOWN), "").split("|")):
                return r.at(self.targets[1]), None
            return r.phase_to(calls + 2), sockets.GetSockOpt(fd, "SO_ERROR")
        if r.phase == calls + 2 and self.pooled and reply.value == 0:
            return r.phase_to(calls + 3), sockets.SetNonblocking(fd, False)
        return r.at(self.targets[r.phase == calls + 2 and reply.value != 0]), None

    def describe(self) -> str:
        within = "" if self.within_us is None else f" within {format_duration(self.within_us)}"
        failed = ", ".join(step.describe() for step in self.failed)
        return f"connect to the server{within}; else {{{failed}}}"


class _Until(NamedTuple):
    """When patience with the client ends, and with the kept connection."""

    client_us: int | None
    server_us: int | None

    def key(self) -> tuple[tuple[object, ...], tuple[int, ...]]:
        return (self.client_us is None, self.server_us is None), tuple([us for us in self if us is not None])


@dataclass(frozen=True, slots=True)
class _AwaitRequest:
    """poll() on both legs: whatever comes from the server now is the end of that connection."""

    client_idle_us: int | None
    server_idle_us: int | None
    over: tuple[Step, ...]
    targets: tuple[int, ...] = ()
    does: ClassVar[tuple[str, ...]] = ("closes",)

    def emit(self, asm: Assembler) -> None:
        asm.slot(DOWN)
        here, jump = asm.add(self, UP), asm.reserve()
        asm.ops[here] = replace(self, targets=(asm.here,))
        asm.lay(self.over)
        asm.jump(jump, asm.here)

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        until = r.memory
        if reply is None:
            until = _Until(*[us and now_us + us for us in (self.client_idle_us, self.server_idle_us)])
            return self._wait(r.remembering(until), until, now_us)
        assert isinstance(until, _Until)
        if r.phase == 1:
            heard = dict(reply.value) if isinstance(reply.value, tuple) else {}
            if fd_of(r, DOWN) in heard:
                return r.at(r.pc + 1), None
            late = not heard and until.server_us is not None and until.server_us <= now_us
            if (late or r.fds[slot] in heard) and r.fds[slot] != NO_FD:
                return r.phase_to(2).holding(slot, NO_FD), sockets.Close(r.fds[slot])
            return r.at(self.targets[0]), None
        return self._wait(r, until, now_us)

    def _wait(self, r: Running, until: _Until, now_us: int) -> Acted:
        fds = tuple([fd for fd in (fd_of(r, DOWN), fd_of(r, UP)) if fd != NO_FD])
        limits = [until.client_us, until.server_us if len(fds) > 1 else None]
        ends = [us for us in limits if us is not None]
        left_us = max(0, min(ends) - now_us) if ends else None
        return r.phase_to(1), sockets.Poll(fds, left_us, POLLIN | POLLRDHUP)

    def describe(self) -> str:
        return "wait for a request"


@dataclass(frozen=True, slots=True)
class _CloseLegs:
    """Close what is open, the server's leg first, or reset it."""

    reset: bool
    does: ClassVar[tuple[str, ...]] = ("closes",)

    def emit(self, asm: Assembler) -> None:
        for sock in LEGS:
            asm.slot(sock)
        asm.add(self)

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        for sock in reversed(LEGS):
            place = r.program.sockets.index(sock)
            fd = r.fds[place]
            if fd == NO_FD:
                continue
            if self.reset and r.phase != 1:
                return r.phase_to(1), sockets.SetSockOpt(fd, "SO_LINGER", (1, 0))
            return r.holding(place, NO_FD).phase_to(2), sockets.Close(fd)
        return r.at(r.pc + 1), None

    def describe(self) -> str:
        return "reset both legs" if self.reset else "close both legs"


def listen_between(backlog: int = BACKLOG) -> Step:
    """Listen at the port that the machine in front connects to."""
    return _ListenBetween("listener", None, (), backlog)


def await_byte() -> Step:
    """Wait until the client has sent something, or has gone."""
    return _AwaitByte()


def connect_up(
    done: Sequence[Step],
    failed: Sequence[Step],
    *,
    options: Options = (),
    within_us: int | None = None,
    watches: bool = False,
    pooled: bool = False,
) -> Step:
    """Connect to the machine behind, from a port that the host chooses; then `done`, or `failed`.

    The socket does not block; with `pooled` it does from then on, and is kept from one call to the next.
    """
    return _ConnectUp(options, within_us, watches, tuple(done), tuple(failed), pooled)


def await_request(client_idle_us: int | None, server_idle_us: int | None, over: Sequence[Step]) -> Step:
    """Wait for the client's next request, with an eye on the kept connection; `over`: it waited too long."""
    return _AwaitRequest(client_idle_us, server_idle_us, tuple(over))


def close_legs() -> Step:
    """close() both sockets."""
    return _CloseLegs(False)


def reset_legs() -> Step:
    """close() both sockets with SO_LINGER {1, 0}: a RST instead of a FIN."""
    return _CloseLegs(True)
