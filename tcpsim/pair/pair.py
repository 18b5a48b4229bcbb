"""The closed system: two machines and the path between them.

Owns: when anything happens next, in which order things of one instant happen, who hears what, and what
befalls a machine as a whole (power, reboot). Refuses to know: TCP (tcp), calls (sockets), programs
(app), chance (the chooser's), and anything that several pairs share (host). No RFC.

A pair changes in two ways only. `advance` does everything that is due at `next_time`; `call` lets the
outside act. So whoever drives a pair needs no clock of its own, and a pair is a function of its first
value and the chooser's answers. A pair without a next time stays as it is for ever.

In one instant segments arrive first, then timers fire, then programs run, client before server; and so
on in rounds until nothing more is due. Hence an ACK that arrives when its timer is due is in time.
"""

from __future__ import annotations

from typing import NamedTuple

from tcpsim import path as lines
from tcpsim import sockets
from tcpsim.app.program import Ask, Done, Draw, Program, Reboot, Running, Spawn, Until, Vanish, run, start
from tcpsim.errors import InputError
from tcpsim.pair.event import Arrived, Called, Duplicated, Happened, Log, Lost, Returned, Sent, told
from tcpsim.path import SIDES, Choice, Chooser, Path, Side
from tcpsim.sockets import Call, Reply, kernel
from tcpsim.sockets.system import Returned as Outcome
from tcpsim.sockets.system import System, held, new_system
from tcpsim.tcp.end import new_end
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import Holder, State

FIRST_PID = 1
_MOST_ROUNDS = 10_000  # in one instant; a longer exchange without any delay is a mistake in the set-up
_REBOOTED = 1 << 30  # how far a restart moves the secrets of the ISN and timestamp clocks


class Machine(NamedTuple):
    """One host: its kernel, the programs on it by pid, whether it has power, when that comes back."""

    system: System
    programs: tuple[tuple[int, Running], ...]
    up: bool = True
    back_us: int | None = None


class Pair(NamedTuple):
    """Both machines and the path at `now_us`. `next_us` follows from the rest (see `next_time`)."""

    now_us: int
    client: Machine
    server: Machine
    path: Path
    next_us: int | None


class Held(NamedTuple):
    """One socket of a host's table: what it is, who pays for it, bytes unread and unacknowledged."""

    state: State
    holder: Holder
    readable: int
    unacked: int
    fd: bool  # a descriptor refers to it


class Resume(NamedTuple):
    """For `call`: wake a program that stands at a pause()."""

    pid: int = FIRST_PID


class Make(NamedTuple):
    """For `call`: process `pid`, whose program is not inside a call, makes this one."""

    pid: int
    call: Call


Action = sockets.Kill | Vanish | Reboot | Resume | Make


def new_pair(
    client: Program,
    server: Program,
    client_stack: Stack,
    server_stack: Stack,
    path: Path,
    *,
    client_port: int = 40_000,
    server_port: int = 5_000,
    client_iss: int = 1_000_000,
    server_iss: int = 5_000_000,
) -> Pair:
    """Two machines at time 0, each about to begin its one program as process 1."""
    machines = []
    for program, stack, iss in ((client, client_stack, client_iss), (server, server_stack, server_iss)):
        running = start(program, client_port, server_port)
        machines.append(Machine(new_system(new_end(stack, iss=iss)), ((FIRST_PID, running),)))
    return Pair(0, machines[0], machines[1], path, 0)


def next_time(pair: Pair) -> int | None:
    """When something is due next; None: never again, unless the outside acts."""
    return pair.next_us


def advance(pair: Pair, chooser: Chooser, log: Log | None = None) -> Pair:
    """Everything that is due at `next_time(pair)`: deliveries, then timers, then programs, until quiet.

    Raises:
        ValueError: nothing is due.
        InputError: programs or segments go round and round without time passing.
    """
    if pair.next_us is None:
        raise ValueError("advance: the pair has no next event")
    instant = _Instant(pair, pair.next_us, chooser, log)
    instant.settle()
    return instant.pair()


def call(
    pair: Pair, side: Side, action: Action, now_us: int, chooser: Chooser, log: Log | None = None
) -> Pair:
    """The outside acts on one machine at `now_us`: Kill, Vanish, Reboot, Resume or Make.

    Raises:
        ValueError: `now_us` is before the pair's time, or something is due before it.
    """
    if now_us < pair.now_us or (pair.next_us is not None and pair.next_us < now_us):
        raise ValueError(f"call at {now_us}: the pair is at {pair.now_us}, its next event at {pair.next_us}")
    instant = _Instant(pair, now_us, chooser, log)
    instant.act(side, action)
    instant.settle()
    return instant.pair()


def census(pair: Pair, side: Side) -> tuple[Held, ...]:
    """The sockets that a host has: every one not CLOSED, and CLOSED ones that hold a descriptor."""
    machine = pair.client if side == "client" else pair.server
    end = machine.system.end
    if not end.sockets:
        return ()
    with_fd = held(machine.system)
    return tuple(
        [
            Held(tcb.state, tcb.holder(end.stack), tcb.readable, tcb.unacked, sid in with_fd)
            for sid, tcb in end.sockets.items()
            if tcb.state is not State.CLOSED or sid in with_fd
        ]
    )


class _Instant:
    """A pair while one instant happens to it: the only place where its parts are replaced one by one."""

    __slots__ = ("before", "chooser", "log", "machines", "now_us", "path", "ready")

    def __init__(self, pair: Pair, now_us: int, chooser: Chooser, log: Log | None) -> None:
        self.before = pair
        self.now_us = now_us
        self.chooser = chooser
        self.log = log
        self.path = pair.path
        self.machines: dict[Side, Machine] = {"client": pair.client, "server": pair.server}
        self.ready: list[tuple[Side, int, Reply]] = []

    def pair(self) -> Pair:
        """The pair when the instant is over."""
        next_us = lines.next_time(self.path)
        for machine in self.machines.values():
            wake_us = _wake_us(machine)
            if wake_us is not None and (next_us is None or wake_us < next_us):
                next_us = wake_us
        return Pair(self.now_us, self.machines["client"], self.machines["server"], self.path, next_us)

    def settle(self) -> None:
        """Rounds of deliveries, timers and programs until nothing more is due."""
        now_us = self.now_us
        for _ in range(_MOST_ROUNDS):
            due_us = lines.next_time(self.path)
            quiet = True
            if due_us is not None and due_us <= now_us:
                quiet = False
                self.path, arrived = lines.due(self.path, now_us)
                for side, segment in arrived:
                    self.arrive(side, segment)
            for side in SIDES:
                machine = self.machines[side]
                if not machine.up:
                    if machine.back_us is not None and machine.back_us <= now_us:
                        self.machines[side] = machine._replace(up=True, back_us=None)
                        self.say(side, "is back")
                    continue
                due_us = kernel.next_time(machine.system)
                if due_us is not None and due_us <= now_us:
                    quiet = False
                    self.take(side, kernel.expire(machine.system, now_us))
            for side in SIDES:
                quiet = self.programs(side) and quiet
            if quiet:
                return
        raise InputError(
            "pair", f"{_MOST_ROUNDS} rounds at {now_us} us", "programs and paths that let time pass"
        )

    def arrive(self, side: Side, segment: Segment) -> None:
        """A segment reaches a machine, or what is left of it."""
        machine = self.machines[side]
        if not machine.up:
            if self.log is not None:
                sender = SIDES[side == "client"]
                self.log(Lost(self.now_us, sender, segment, "receiver is down"))
            return
        if self.log is not None:
            self.log(Arrived(self.now_us, side, segment))
        self.take(side, kernel.deliver(machine.system, segment, self.now_us))

    def take(self, side: Side, returned: Outcome) -> None:
        """What a step of a kernel gave: a new kernel, segments to send, calls that are over."""
        machine = self.machines[side]
        self.machines[side] = Machine(returned.system, machine.programs)
        if self.log is not None:
            for note in returned.notes:
                self.log(told(self.now_us, side, note))
        for segment in returned.segments:
            self.send(side, segment)
        for caller, done, reply in returned.completed:
            pid = caller if isinstance(caller, int) else caller.pid
            self.ready.append((side, pid, reply))
            if self.log is not None:
                self.log(Returned(self.now_us, side, pid, done, reply))

    def send(self, side: Side, segment: Segment) -> None:
        """A machine puts a segment on the wire; this is where its fate is decided."""
        self.path, fates = lines.send(self.path, side, segment, self.now_us, self.chooser)
        if self.log is None:
            return
        arrives_us = tuple(fate.due_us for fate in fates if fate.due_us is not None)
        self.log(Sent(self.now_us, side, segment, arrives_us))
        for fate in fates:
            if fate.kind == "lost":
                self.log(Lost(self.now_us, side, segment, fate.why))
            elif fate.kind == "duplicated":
                self.log(Duplicated(self.now_us, side, segment, fate.why))

    def programs(self, side: Side) -> bool:
        """Run what may run on a machine: calls that returned, sleeps that are over. True if none may."""
        waiting = [(pid, reply) for where, pid, reply in self.ready if where == side]
        if waiting:
            self.ready = [each for each in self.ready if each[0] != side]
        todo: list[tuple[int, Reply | None]] = [*waiting]
        for pid, running in self.machines[side].programs:
            if running.wake_us is not None and running.wake_us <= self.now_us:
                todo.append((pid, None))
        for pid, reply in todo:
            self.run(side, pid, reply)
        return not todo

    def run(self, side: Side, pid: int, reply: Reply | None) -> None:
        """One program, until it waits: in a call, for a time, or for the outside."""
        running = dict(self.machines[side].programs).get(pid)
        if running is None:  # killed, or its machine is down, in this same instant
            return
        while True:
            running, action = run(running, reply, self.now_us)
            kind = action.__class__
            if kind is Until or kind is Done:
                break
            if isinstance(action, Ask):
                reply = Reply(self.choose(side, action))
            elif isinstance(action, Draw):
                reply = Reply(self.chooser.draw(action.distribution))
            elif isinstance(action, Vanish | Reboot):
                self.act(side, action)
                return
            elif isinstance(action, Spawn):
                child_pid = 1 + max(other for other, _ in self.machines[side].programs)
                reply = self.syscall(side, pid, sockets.Fork(child_pid))
                self.put(side, child_pid, action.child._replace(wake_us=self.now_us))
            else:
                assert not isinstance(action, Until | Done)
                reply = self.syscall(side, pid, action)
                if kind is sockets.Exit:
                    self.put(side, pid, None)
                    return
                if reply is None:
                    break
        self.put(side, pid, running)

    def choose(self, side: Side, ask: Ask) -> int:
        """A program's finite choice; the usual course is not worth a word."""
        index = self.chooser.choose(Choice(*ask))
        if index:
            self.say(side, f"chooses {ask.outcomes[index]}")
        return index

    def syscall(self, side: Side, pid: int, made: Call) -> Reply | None:
        """A process makes a call; None if it blocks."""
        if self.log is not None:
            self.log(Called(self.now_us, side, pid, made))
        returned = kernel.syscall(self.machines[side].system, pid, made, self.now_us)
        self.take(side, returned)
        if self.log is not None and returned.reply is not None:
            self.log(Returned(self.now_us, side, pid, made, returned.reply))
        return returned.reply

    def put(self, side: Side, pid: int, running: Running | None) -> None:
        """A process's program is here now; None: the process is no more."""
        machine = self.machines[side]
        if len(machine.programs) == 1 and machine.programs[0][0] == pid and running is not None:
            programs: tuple[tuple[int, Running], ...] = ((pid, running),)
        else:
            others = dict(machine.programs)
            others.pop(pid, None)
            programs = tuple(sorted((others | ({} if running is None else {pid: running})).items()))
        self.machines[side] = machine._replace(programs=programs)

    def act(self, side: Side, action: Action) -> None:
        """Something befalls a machine, from outside or by its own program."""
        machine = self.machines[side]
        if isinstance(action, Vanish | Reboot):
            back_us = self.now_us + action.down_us if isinstance(action, Reboot) else None
            old = machine.system.end
            fresh = new_end(old.stack, iss=old.iss + _REBOOTED, ts_offset=old.ts_offset + _REBOOTED)
            blank = new_system(fresh, machine.system.nofile)
            self.machines[side] = Machine(blank, (), up=False, back_us=back_us)
            self.ready = [each for each in self.ready if each[0] != side]
            self.say(side, "vanishes" if back_us is None else "reboots")
        elif isinstance(action, sockets.Kill):
            self.say(side, f"process {action.pid} is killed")
            self.take(side, kernel.syscall(machine.system, 0, action, self.now_us))
            self.put(side, action.pid, None)
        elif isinstance(action, Resume):
            self.run(side, action.pid, None)
        else:
            self.syscall(side, action.pid, action.call)

    def say(self, side: Side, what: str) -> None:
        """Tell the log of something that is neither a segment nor a call."""
        if self.log is not None:
            self.log(Happened(self.now_us, side, what))


def _wake_us(machine: Machine) -> int | None:
    """When a machine acts by itself next."""
    if not machine.up:
        return machine.back_us
    wake_us = kernel.next_time(machine.system)
    for _, running in machine.programs:
        if running.wake_us is not None and (wake_us is None or running.wake_us < wake_us):
            wake_us = running.wake_us
    return wake_us
