"""Steps that branch, repeat and fork, and steps that end a process or affect the whole host.

Owns: finite choices, loops and child processes. Refuses to know: who decides a choice, and what a host loses
when it reboots (pair).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tcpsim import sockets
from tcpsim.app.program import (
    END,
    Action,
    Ask,
    Assembler,
    KillOthers,
    Reboot,
    Running,
    Spawn,
    Step,
    Vanish,
    fail,
    number,
    told,
)
from tcpsim.errors import InputError
from tcpsim.sockets import Reply
from tcpsim.units import format_duration, parse_duration

Acted = tuple[Running, Action | None]


@dataclass(frozen=True, slots=True)
class Single:
    """A step that is one operation and needs no socket."""

    def emit(self, asm: Assembler) -> None:
        asm.add(self)  # type: ignore[arg-type]  # each subclass has act and describe


@dataclass(frozen=True, slots=True)
class _Happens(Single):
    """The end of a process, or what befalls its machine."""

    what: str
    action: sockets.Exit | Vanish | Reboot

    @property
    def final(self) -> bool:
        return not isinstance(self.action, Reboot)

    @property
    def does(self) -> tuple[str, ...]:
        return ("closes",) if isinstance(self.action, sockets.Exit) else ()

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        return r.sleep(1, None), self.action

    def describe(self) -> str:
        return self.what


@dataclass(frozen=True, slots=True)
class _KillOthers(Single):
    does: ClassVar[tuple[str, ...]] = ("kills",)

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        if reply is None:
            return r.phase_to(1), KillOthers()
        return r.at(r.pc + 1), None

    def describe(self) -> str:
        return "kill the other processes"


@dataclass(frozen=True, slots=True)
class _Choose:
    ask: Ask
    branches: tuple[tuple[Step, ...], ...]

    def emit(self, asm: Assembler) -> None:
        here = asm.reserve()
        targets, jumps = [], []
        for branch in self.branches:
            targets.append(asm.here)
            asm.lay(branch)
            jumps.append(asm.reserve())
        asm.ops[here] = _Branch(self.ask, tuple(targets))
        for jump in jumps:
            asm.jump(jump, asm.here)

    def describe(self) -> str:
        said = []
        for weight, branch in zip(self.ask.weights, self.branches, strict=True):
            said.append(f"{weight:.4g}: {told(branch) or 'nothing'}")
        return f"choose {{{'; '.join(said)}}}"


@dataclass(frozen=True, slots=True)
class _Branch:
    ask: Ask
    targets: tuple[int, ...]

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        if reply is None:
            return r.phase_to(1), self.ask
        return r.at(self.targets[number(reply)]), None

    def describe(self) -> str:
        return f"choose {self.ask.what}"


@dataclass(frozen=True, slots=True)
class _Repeat:
    steps: tuple[Step, ...]

    def emit(self, asm: Assembler) -> None:
        start = asm.here
        asm.loops.append([])
        asm.lay(self.steps)
        asm.jump(asm.reserve(), start)
        for place in asm.loops.pop():
            asm.jump(place, asm.here)

    def describe(self) -> str:
        return f"again and again {{{told(self.steps)}}}"


@dataclass(frozen=True, slots=True)
class _Leave:
    def emit(self, asm: Assembler) -> None:
        if not asm.loops:
            raise InputError("leave", "no loop around it", "leave() only inside repeat([...])")
        asm.loops[-1].append(asm.reserve())

    def describe(self) -> str:
        return "leave the loop"


@dataclass(frozen=True, slots=True)
class _Fork:
    child: tuple[Step, ...]

    def emit(self, asm: Assembler) -> None:
        here, jump = asm.reserve(), asm.reserve()
        asm.ops[here] = _Child(asm.here)
        loops, asm.loops = asm.loops, []  # a child cannot leave a loop of its parent
        asm.lay(self.child)
        asm.add(END)
        asm.loops = loops
        asm.jump(jump, asm.here)

    def describe(self) -> str:
        return f"fork a child {{{told(self.child)}}}"


@dataclass(frozen=True, slots=True)
class _Child:
    pc: int
    errs: ClassVar[bool] = True

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        if reply is None:
            return r.phase_to(1), Spawn(r.at(self.pc))
        if reply.errno is not None:
            return fail(r, reply.errno)
        return r.at(r.pc + 1), None

    def describe(self) -> str:
        return "fork"


def kill_others() -> Step:
    """Kill every other process of the machine: their kernel closes their descriptors. Then go on."""
    return _KillOthers()


def crash() -> Step:
    """The process ends, as by exit() or a signal: the kernel closes its descriptors."""
    return _Happens("the process ends", sockets.Exit())


def vanish() -> Step:
    """The machine loses power or its line is cut, without a word to anyone."""
    return _Happens("the machine vanishes", Vanish())


def reboot(down: str | int = 0) -> Step:
    """The machine forgets everything, and after `down` answers segments of old connections with RST.

    The steps behind it are those of a new process, which begins when the machine is back, without any socket.
    """
    down_us = parse_duration(down, "reboot.down")
    return _Happens(f"the machine reboots ({format_duration(down_us)} down)", Reboot(down_us))


def choose(branches: Sequence[tuple[float, Sequence[Step]]], what: str = "behaviour") -> Step:
    """One of several courses, by probability: ``choose([(0.9, [close()]), (0.1, [ignore()])])``.

    The first one is the usual one: it is taken where nothing is left to chance. All rejoin behind this step.
    """
    weights = tuple(float(weight) for weight, _ in branches)
    if not weights or any(not 0.0 <= weight <= 1.0 for weight in weights) or abs(sum(weights) - 1) > 1e-9:
        raise InputError(f"choose.{what}", weights, "probabilities from 0 to 1 that add up to 1")
    outcomes = ("pass", *(f"branch {index}" for index in range(2, len(weights) + 1)))
    return _Choose(Ask(what, outcomes, weights), tuple(tuple(steps) for _, steps in branches))


def repeat(steps: Sequence[Step]) -> Step:
    """The steps again and again, until one of them is leave(). For three times, write ``steps * 3``."""
    return _Repeat(tuple(steps))


def leave() -> Step:
    """Go on behind the innermost repeat()."""
    return _Leave()


def fork(child: Sequence[Step]) -> Step:
    """A child process that inherits the descriptors and runs `child`; the parent goes on at once."""
    return _Fork(tuple(child))
