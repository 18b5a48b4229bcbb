"""Steps that wait: for a time, for an order, for the peer to close, between repetitions, or for ever.

Owns: time in a program. A wait starts when its step starts. Refuses to know: who moves the clock, and who
draws a random time (pair, chooser).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from tcpsim import sockets
from tcpsim.app.control_flow import Acted, Single
from tcpsim.app.program import ASLEEP, Assembler, Draw, Running, Step, Until, number, told
from tcpsim.errors import InputError
from tcpsim.sockets import POLLIN, POLLRDHUP, Reply
from tcpsim.units import format_duration, parse_duration

_GONE = frozenset(
    ("POLLRDHUP", "POLLHUP", "POLLERR")
)  # what poll says of a connection whose other end has left


@runtime_checkable
class Distribution(Protocol):
    """A duration to be drawn, as a hashable value; only the chooser looks inside."""

    def describe(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _Wait(Single):
    duration_us: int

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        if r.phase == 0 and self.duration_us:
            return r.sleep(1, now_us + self.duration_us), Until(now_us + self.duration_us)
        return r.at(r.pc + 1), None

    def describe(self) -> str:
        return f"wait {format_duration(self.duration_us)}"


@dataclass(frozen=True, slots=True)
class _WaitDrawn(Single):
    distribution: Distribution

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        if r.phase == 0:
            return r.phase_to(1), Draw(self.distribution)
        if reply is not None:
            wake_us = now_us + number(reply)
            return r.sleep(2, wake_us), Until(wake_us)
        return r.at(r.pc + 1), None

    def describe(self) -> str:
        return f"wait {self.distribution.describe()}"


@dataclass(frozen=True, slots=True)
class _WaitUntil(Single):
    t_us: int

    @property
    def clock_us(self) -> int:
        return self.t_us

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        if now_us < self.t_us:
            return r.sleep(1, self.t_us), Until(self.t_us)
        return r.at(r.pc + 1), None

    def describe(self) -> str:
        return f"wait until {format_duration(self.t_us)}"


@dataclass(frozen=True, slots=True)
class _Ignore(Single):
    final: ClassVar[bool] = True
    resumable: ClassVar[bool] = True  # whoever resumes it finds it deaf

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        return r.sleep(1, None), ASLEEP

    def describe(self) -> str:
        return "ignore the socket for ever"


@dataclass(frozen=True, slots=True)
class _Pause(Single):
    resumable: ClassVar[bool] = True
    what: str

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        if r.phase == 0:
            return r.sleep(1, None), ASLEEP
        return r.at(r.pc + 1), None

    def describe(self) -> str:
        return f"wait until {self.what}"


@dataclass(frozen=True, slots=True)
class _PollForEof(Single):
    sock: str
    every_us: int

    def emit(self, asm: Assembler) -> None:
        asm.add(self, self.sock)

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        if r.phase == 1:
            return r.phase_to(2), sockets.Poll((r.fds[slot],), 0, POLLIN | POLLRDHUP)
        if reply is not None and isinstance(reply.value, tuple):
            found = "|".join(names for _, names in reply.value).split("|")
            if not _GONE.isdisjoint(found):
                return r.at(r.pc + 1), None
        wake_us = now_us + self.every_us
        return r.sleep(1, wake_us), Until(wake_us)

    def describe(self) -> str:
        return f"every {format_duration(self.every_us)} see whether the peer has closed"


@dataclass(frozen=True, slots=True)
class _UntilItFails:
    steps: tuple[Step, ...]
    every: Step

    def emit(self, asm: Assembler) -> None:
        start = asm.here
        asm.loops.append([])
        asm.lay(self.steps)
        end = asm.here
        asm.lay([self.every])
        asm.jump(asm.reserve(), start)
        asm.handlers.append((start, end, asm.here))
        for place in asm.loops.pop():
            asm.jump(place, asm.here)

    def describe(self) -> str:
        pause = self.every.describe().removeprefix("wait ")
        return f"every {pause} until it fails {{{told(self.steps)}}}"


def wait(duration: str | int | Distribution) -> Step:
    """Sleep: "50ms", microseconds, or a distribution that is drawn from each time."""
    if isinstance(duration, str | int):
        return _Wait(parse_duration(duration, "wait"))
    return _WaitDrawn(duration)


def wait_if_any(duration: str | int | Distribution) -> list[Step]:
    """The step wait(), or none where there is nothing to wait for: ``[*wait_if_any(think), send(1)]``."""
    step = wait(duration)
    return [] if step == _Wait(0) else [step]


def wait_until(at: str | int) -> Step:
    """Sleep until `at` on the clock of the connection, which starts at 0; at once if that has passed."""
    return _WaitUntil(parse_duration(at, "wait_until"))


def ignore() -> Step:
    """Make no further call, for ever: the descriptor stays open and nobody looks at it."""
    return _Ignore()


def pause(what: str = "resumed") -> Step:
    """Sleep until the outside resumes the program: a worker is free, a pool hands the connection out."""
    return _Pause(what)


def poll_for_eof(every: str | int, sock: str = "conn") -> Step:
    """Look at the socket now and then; go on once the peer has closed or the connection is dead."""
    every_us = parse_duration(every, "poll_for_eof.every")
    if not every_us:
        raise InputError("poll_for_eof.every", every, "a time above zero")
    return _PollForEof(sock, every_us)


def until_it_fails(steps: Sequence[Step], every: str | int) -> Step:
    """The steps, a pause, and so on, until a call fails or the peer closes before all is received.

    Then the program goes on behind this step: a heartbeat, and what to do when it is refused.
    """
    pause = wait(every)
    if pause == wait(0):
        raise InputError("until_it_fails.every", every, "a time above zero")
    return _UntilItFails(tuple(steps), pause)
