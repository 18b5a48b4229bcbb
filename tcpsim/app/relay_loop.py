"""The event loop of a relay: bytes read on one leg go out on the other, as far as buffers allow.

Owns: the order of its calls, what it remembers, and what follows from an end-of-file, an error and a limit.
Refuses to know: what the calls return (sockets), how the legs came about (relay_steps), and which relay has
which rules (relays).

Direction 0 is from the client to the server, direction 1 the other; leg 0 is the client's, leg 1 the
server's. So what is read on leg d has direction d, and goes out on leg 1 - d. A direction is over once its
end-of-file was read and everything before it was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import ClassVar, Literal, NamedTuple, TypeVar

from tcpsim import sockets
from tcpsim.app.program import Action, Assembler, Running, Step, number
from tcpsim.app.relay_steps import LEGS, close_legs, fd_of, reset_legs
from tcpsim.app.steps import Acted
from tcpsim.sockets import POLLIN, POLLOUT, POLLRDHUP, Reply
from tcpsim.units import format_duration

_HEARD = frozenset(("POLLIN", "POLLRDHUP", "POLLHUP", "POLLERR"))
_BOTH = (0, 1)
Two = tuple[bool, bool]
_One = TypeVar("_One")


@dataclass(frozen=True, slots=True)
class Rules:
    """What tells one relay from another, once it has both connections.

    `half_close`: what an end-of-file on one leg is to the other: "passed" on by shutdown(SHUT_WR), or "kept".
    `ends`: when it closes both legs: after "both" directions are over, or after the "first". `drain_us`: how
    long after the first end-of-file it waits for the second. `idle_us`: how long without a byte, of
    `idle_counts`. `on_error`: what the end of one leg by a RST or a timeout is to the other: a "reset", a
    "close", or no more than the end of one "direction". `buffer`: bytes that it holds for each direction.
    `watches`: it hears of an error also on a leg that it is not reading from (epoll; a blocked reader does
    not).
    """

    half_close: Literal["passed", "kept"]
    ends: Literal["both", "first"]
    drain_us: int | None
    idle_us: int | None
    idle_counts: Literal["either", "client", "server"]
    on_error: Literal["reset", "close", "direction"]
    buffer: int
    watches: bool


class _At(IntEnum):
    """Which call has been made."""

    NOTHING = 0
    NONBLOCKING = 1  # of leg 0; the other was so before it was connected
    POLL = 2
    RECV = 3
    SEND = 4
    SHUTDOWN = 5


class Loop(NamedTuple):
    """What the loop remembers: of each direction, bytes held and whether its end was read; of each leg,
    whether our end was sent, whether it takes no more for now, whether poll() has told all that it can; legs
    to be read.
    """

    held: tuple[int, int] = (0, 0)
    eof: Two = (False, False)
    shut: Two = (False, False)
    full: Two = (False, False)
    deaf: Two = (False, False)
    ready: tuple[int, ...] = ()
    way: int = 0  # the direction of the call that was made
    idle_at_us: int | None = None
    drain_at_us: int | None = None

    def key(self) -> tuple[tuple[object, ...], tuple[int, ...]]:
        times = self.idle_at_us, self.drain_at_us
        return (*self[:7], *[each is None for each in times]), tuple([t for t in times if t is not None])


def _with(pair: tuple[_One, _One], place: int, value: _One) -> tuple[_One, _One]:
    return (value, pair[1]) if place == 0 else (pair[0], value)


@dataclass(frozen=True, slots=True)
class _Copy:
    rules: Rules
    targets: tuple[int, ...] = ()
    does: ClassVar[tuple[str, ...]] = ("sends", "closes")

    def emit(self, asm: Assembler) -> None:
        for sock in LEGS:
            asm.slot(sock)
        here, targets, jumps = asm.reserve(), [], []
        branches: tuple[Step, ...] = (close_legs(), reset_legs())
        for branch in branches:
            targets.append(asm.here)
            branch.emit(asm)
            jumps.append(asm.reserve())
        asm.ops[here] = replace(self, targets=tuple(targets))
        for jump in jumps:
            asm.jump(jump, asm.here)

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        loop = r.memory
        if reply is None:
            idle_at = None if self.rules.idle_us is None else now_us + self.rules.idle_us
            r = r.remembering(Loop(idle_at_us=idle_at))
            return r.phase_to(_At.NONBLOCKING), sockets.SetNonblocking(fd_of(r, LEGS[0]))
        assert isinstance(loop, Loop)
        failed = None
        if r.phase == _At.POLL:
            if reply.value == ():
                return self._over(r)
            said = dict(reply.value) if isinstance(reply.value, tuple) else {}
            heard = [set(said.get(fd_of(r, LEGS[leg]), "").split("|")) for leg in _BOTH]
            loop, failed = self._polled(loop, heard)
        elif r.phase == _At.RECV:
            loop, failed = self._read(loop, reply, now_us)
        elif r.phase == _At.SEND:
            loop, failed = self._sent(loop, reply, now_us)
        # shutdown() of a leg that is dead is no news
        if failed is not None:
            if self.rules.on_error != "direction":
                return self._over(r, reset=self.rules.on_error == "reset")
            loop = self._ended(loop, failed, now_us)._replace(held=_with(loop.held, failed, 0))
        return self._next(r.remembering(loop), loop, now_us)

    def _polled(self, loop: Loop, heard: Sequence[set[str]]) -> tuple[Loop, int | None]:
        """What poll() said; a leg with an error that will not be read any more has failed."""
        failed = None
        for leg in _BOTH:
            if "POLLOUT" in heard[leg]:
                loop = loop._replace(full=_with(loop.full, leg, False))
            if heard[leg].isdisjoint(_HEARD):
                continue
            if self._reads(loop, leg):
                loop = loop._replace(ready=(*loop.ready, leg))
            elif "POLLERR" in heard[leg]:
                failed = leg
            else:
                loop = loop._replace(deaf=_with(loop.deaf, leg, True))
        return loop, failed

    def _read(self, loop: Loop, reply: Reply, now_us: int) -> tuple[Loop, int | None]:
        """What recv() gave."""
        way = loop.way
        if reply.errno == "EAGAIN":
            return loop, None
        if reply.errno is not None:
            return loop, way
        count = number(reply)
        if not count:
            return self._ended(loop, way, now_us), None
        return self._active(loop._replace(held=_with(loop.held, way, loop.held[way] + count)), now_us), None

    def _sent(self, loop: Loop, reply: Reply, now_us: int) -> tuple[Loop, int | None]:
        """What send() took."""
        way = loop.way
        if reply.errno not in (None, "EAGAIN"):
            return loop, way
        count = 0 if reply.errno else number(reply)
        left = loop.held[way] - count
        loop = loop._replace(held=_with(loop.held, way, left), full=_with(loop.full, 1 - way, left > 0))
        return (self._active(loop, now_us) if count else loop), None

    def _ended(self, loop: Loop, way: int, now_us: int) -> Loop:
        """A direction has no more to read."""
        drain_at = loop.drain_at_us
        if self.rules.drain_us is not None and drain_at is None:
            drain_at = now_us + self.rules.drain_us
        return loop._replace(eof=_with(loop.eof, way, True), drain_at_us=drain_at)

    def _active(self, loop: Loop, now_us: int) -> Loop:
        """Bytes were moved: the idle time begins anew, if this direction counts."""
        counts = self.rules.idle_counts
        if self.rules.idle_us is None or counts not in ("either", ("client", "server")[loop.way]):
            return loop
        return loop._replace(idle_at_us=now_us + self.rules.idle_us)

    def _reads(self, loop: Loop, leg: int) -> bool:
        """Whether it wants to read from a leg: there may be more, and there is room for it."""
        return not loop.eof[leg] and loop.held[leg] < self.rules.buffer

    def _over(self, r: Running, reset: bool = False) -> tuple[Running, None]:
        return r.remembering(None).at(self.targets[reset]), None

    def _next(self, r: Running, loop: Loop, now_us: int) -> Acted:
        """The next call: hand on what is held, then what has ended, then read, then wait."""
        for way in _BOTH:
            if loop.held[way] and not loop.full[1 - way]:
                call = sockets.Send(fd_of(r, LEGS[1 - way]), loop.held[way])
                return _made(r, loop._replace(way=way), _At.SEND, call)
        over = [loop.eof[way] and not loop.held[way] for way in _BOTH]
        if all(over) or (any(over) and self.rules.ends == "first"):
            return self._over(r)
        for way in _BOTH:
            if over[way] and self.rules.half_close == "passed" and not loop.shut[1 - way]:
                loop = loop._replace(shut=_with(loop.shut, 1 - way, True))
                return _made(r, loop, _At.SHUTDOWN, sockets.Shutdown(fd_of(r, LEGS[1 - way]), "WR"))
        if loop.ready:
            way, *rest = loop.ready
            call_ = sockets.Recv(fd_of(r, LEGS[way]), self.rules.buffer - loop.held[way])
            return _made(r, loop._replace(way=way, ready=tuple(rest)), _At.RECV, call_)
        return self._wait(r, loop, now_us)

    def _wait(self, r: Running, loop: Loop, now_us: int) -> Acted:
        """poll() for whatever can be done next, until the earliest limit."""
        asked = []
        for leg in _BOTH:
            events = (POLLIN | POLLRDHUP) * self._reads(loop, leg) | POLLOUT * loop.full[leg]
            nothing_new = loop.deaf[leg] or (loop.eof[leg] and loop.shut[leg])
            if events or (self.rules.watches and not nothing_new):
                asked.append((fd_of(r, LEGS[leg]), events))
        limits = [us for us in (loop.idle_at_us, loop.drain_at_us) if us is not None]
        left_us = max(0, min(limits) - now_us) if limits else None
        call = sockets.Poll(tuple([fd for fd, _ in asked]), left_us, tuple([each for _, each in asked]))
        return _made(r, loop, _At.POLL, call)

    def describe(self) -> str:
        rules = self.rules
        said = [f"half-close {rules.half_close}", f"end after {rules.ends}"]
        said += [
            f"{what} {format_duration(us)}"
            for what, us in (("drain", rules.drain_us), ("idle", rules.idle_us))
            if us is not None
        ]
        return f"copy both ways ({', '.join(said)})"


def _made(r: Running, loop: Loop, at: _At, call: Action) -> Acted:
    return r.remembering(loop).phase_to(at), call


def copy_both_ways(rules: Rules) -> Step:
    """Copy between the two legs, and close both at the end."""
    return _Copy(rules)
