"""Steps that read: how much, for how long, and what follows if the peer closes or the time is over.

Owns: partial reads, the timeouts of a reader, and the next step after each outcome. Refuses to know: what the
calls return and why (sockets).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from tcpsim import sockets
from tcpsim.app.program import Assembler, Running, Step, fail, number, told
from tcpsim.app.steps import Acted, OnSocket, at_least
from tcpsim.errors import InputError
from tcpsim.sockets import POLLIN, POLLRDHUP, Reply
from tcpsim.units import format_duration, parse_duration

_READ_SIZE = 65_536  # what a program that wants everything asks for in one call


@dataclass(frozen=True, slots=True)
class _Receive(OnSocket):
    """Until `n` bytes are in. `late_pc` and `eof_pc` are where it goes on otherwise (None: it fails)."""

    n: int
    within_us: int | None
    late: tuple[Step, ...] | None
    eof: tuple[Step, ...] | None
    late_pc: int | None = None
    eof_pc: int | None = None
    errs: ClassVar[bool] = True

    def emit(self, asm: Assembler) -> None:
        here = asm.add(self, self.sock)  # to be replaced when the branches have their places
        branches = (("late_pc", self.late), ("eof_pc", self.eof))
        if self.late is None and self.eof is None:
            return
        jumps = [asm.reserve()]
        places: dict[str, Any] = {}
        for name, steps in branches:
            if steps is not None:
                places[name] = asm.here
                asm.lay(steps)
                jumps.append(asm.reserve())
        asm.ops[here] = replace(self, **places)
        for jump in jumps:
            asm.jump(jump, asm.here)

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        fd = r.fds[slot]
        if reply is None:
            if self.within_us is None:
                return r.phase_to(1), sockets.Recv(fd, self.n)
            r = r.deadline(now_us + self.within_us)
            return r.phase_to(2), sockets.Poll((fd,), self.within_us, POLLIN | POLLRDHUP)
        if reply.errno is not None:
            return fail(r, reply.errno)
        if r.phase == 2:  # the poll
            if reply.value == ():
                return fail(r, "ETIMEDOUT") if self.late_pc is None else (r.at(self.late_pc), None)
            return r.phase_to(1), sockets.Recv(fd, self.n - r.got)
        count = number(reply)
        if count == 0:
            return fail(r, "EOF") if self.eof_pc is None else (r.at(self.eof_pc), None)
        if r.got + count >= self.n:
            return r.at(r.pc + 1), None
        r = r.receiving(r.got + count)
        if r.until_us is None:
            return r.phase_to(1), sockets.Recv(fd, self.n - r.got)
        return r.phase_to(2), sockets.Poll((fd,), max(0, r.until_us - now_us), POLLIN | POLLRDHUP)

    def describe(self) -> str:
        within = "" if self.within_us is None else f" within {format_duration(self.within_us)}"
        branches = ""
        for when, steps in (("else", self.late), ("at EOF", self.eof)):
            if steps is not None:
                branches += f", {when} {{{told(steps)}}}"
        return f"receive {self.n} bytes{within}{self.which}{branches}"


@dataclass(frozen=True, slots=True)
class _ReceiveToEof(OnSocket):
    """Until a read returns zero, or until the patience is over: then it just goes on."""

    between_us: int | None
    within_us: int | None
    errs: ClassVar[bool] = True
    reads_on: ClassVar[bool] = True  # and errs only when the connection is dead, or on a time of the socket's

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        fd = r.fds[slot]
        if reply is None:
            if self.within_us is not None:
                r = r.deadline(now_us + self.within_us)
        elif reply.errno is not None:
            return fail(r, reply.errno)
        elif r.phase == 2:  # the poll
            if reply.value == ():
                return r.at(r.pc + 1), None
            return r.phase_to(1), sockets.Recv(fd, _READ_SIZE)
        elif reply.value == 0:
            return r.at(r.pc + 1), None
        patience = [us for us in (self.between_us, _left(r, now_us)) if us is not None]
        if not patience:
            return r.phase_to(1), sockets.Recv(fd, _READ_SIZE)
        return r.phase_to(2), sockets.Poll((fd,), max(0, min(patience)), POLLIN | POLLRDHUP)

    def describe(self) -> str:
        limits = ""
        if self.between_us is not None:
            limits += f", at most {format_duration(self.between_us)} between reads"
        if self.within_us is not None:
            limits += f", {format_duration(self.within_us)} in all"
        return f"receive to EOF{limits}{self.which}"


@dataclass(frozen=True, slots=True)
class _Peek(OnSocket):
    """One look without taking: recv(MSG_PEEK | MSG_DONTWAIT). `gone_pc`: the peer closed, or it failed."""

    gone: tuple[Step, ...]
    gone_pc: int = -1

    def emit(self, asm: Assembler) -> None:
        here = asm.add(self, self.sock)
        jump = asm.reserve()
        asm.ops[here] = replace(self, gone_pc=asm.here)
        asm.lay(self.gone)
        asm.jump(jump, asm.here)

    @property
    def targets(self) -> tuple[int, ...]:
        return (self.gone_pc,)

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        if reply is None:
            return r.phase_to(1), sockets.Recv(r.fds[slot], 1, peek=True, dontwait=True)
        alive = reply.errno == "EAGAIN" or (reply.errno is None and reply.value != 0)
        return r.at(r.pc + 1 if alive else self.gone_pc), None

    def describe(self) -> str:
        return f"look with MSG_PEEK{self.which}, at EOF {{{told(self.gone)}}}"


def _left(r: Running, now_us: int) -> int | None:
    return None if r.until_us is None else r.until_us - now_us


def receive(
    n: int,
    sock: str = "conn",
    *,
    within: str | int | None = None,
    late: Sequence[Step] | None = None,
    eof: Sequence[Step] | None = None,
) -> Step:
    """Receive until `n` bytes are in.

    `late`: what to do if they are not in `within` that time; `eof`: what to do if the peer closes first.
    Afterwards the program goes on behind this step. Without `late` or `eof` that is an error.
    """
    within_us = None if within is None else parse_duration(within, "receive.within")
    if late is not None and within is None:
        raise InputError("receive.late", "no time limit", "late steps only together with within")
    late, eof = (None if steps is None else tuple(steps) for steps in (late, eof))
    return _Receive(sock, at_least(1, n, "receive"), within_us, late, eof)


def peek(gone: Sequence[Step], sock: str = "conn") -> Step:
    """Look whether the peer has closed, as pools do before they use a connection again (recv MSG_PEEK).

    `gone`: what to do if it has, or the connection is dead; the program goes on behind this step.
    """
    return _Peek(sock, tuple(gone))


def receive_to_eof(
    sock: str = "conn", *, between: str | int | None = None, within: str | int | None = None
) -> Step:
    """Receive and discard until end-of-file, at most `between` from read to read and `within` in all."""
    between_us = None if between is None else parse_duration(between, "receive_to_eof.between")
    within_us = None if within is None else parse_duration(within, "receive_to_eof.within")
    return _ReceiveToEof(sock, between_us, within_us)
