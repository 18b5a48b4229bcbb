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

from collections.abc import Set
from typing import NamedTuple

from tcpsim import path as lines
from tcpsim import sockets
from tcpsim.app.program import Ask, Done, Draw, Program, Reboot, Running, Spawn, Until, Vanish, run, start
from tcpsim.errors import InputError
from tcpsim.pair.event import Arrived, Called, Duplicated, Happened, Log, Lost, Returned, Sent, told
from tcpsim.path import SIDES, Choice, Chooser, Path, Side
from tcpsim.sockets import Call, Caller, Reply, kernel
from tcpsim.sockets.system import Returned as Outcome
from tcpsim.sockets.system import System, held, new_system, oversleep, pid_of, with_end
from tcpsim.tcp.end import new_end
from tcpsim.tcp.late import put_off
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.stack import Memory, Stack
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

    def bytes(self, memory: Memory) -> int:
        """What it costs its host: the kernel memory of its cost class, and what is queued in it."""
        return memory.of(self.holder) + self.readable + self.unacked


class Resume(NamedTuple):
    """For `call`: wake a program that stands at a pause(), or at an obey() that takes this order."""

    pid: int = FIRST_PID
    order: int = 0


class Make(NamedTuple):
    """For `call`: a process, or a thread of one, that is not inside a call makes this one."""

    caller: Caller
    call: Call


class Inject(NamedTuple):
    """For `call`: a segment that neither end sent reaches the machine at `due_us`."""

    segment: Segment
    due_us: int


class PutOff(NamedTuple):
    """For `call`: what is due first on a socket comes late, at `until_us`, as kernels' timers do."""

    socket: int
    until_us: int


class Oversleep(NamedTuple):
    """For `call`: the end of a waiting call's own patience comes late, at `until_us`."""

    caller: Caller
    until_us: int


class Befall(NamedTuple):
    """For `call`: the machine's kernel has done something by itself, or its host to it: what that gave."""

    outcome: Outcome


Action = sockets.Kill | Vanish | Reboot | Resume | Make | Inject | PutOff | Oversleep | Befall


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
    return _Instant(pair, pair.next_us, chooser, log).settle()


def call(
    pair: Pair, side: Side, action: Action, now_us: int, chooser: Chooser, log: Log | None = None
) -> Pair:
    """The outside acts on one machine at `now_us`: any `Action`.

    Raises:
        ValueError: `now_us` is before the pair's time, or something is due before it; or there is no such
            process, or none that is paused.
    """
    if now_us < pair.now_us or (pair.next_us is not None and pair.next_us < now_us):
        raise ValueError(f"call at {now_us}: the pair is at {pair.now_us}, its next event at {pair.next_us}")
    instant = _Instant(pair, now_us, chooser, log)
    instant.act(instant.client if side == "client" else instant.server, action)
    return instant.settle()


def lose(pair: Pair, gone: Set[int]) -> Pair:
    """The same pair without the segments under way at these places, which will never arrive."""
    now_us, client, server, path, _ = pair
    path = path._replace(flights=tuple([each for at, each in enumerate(path.flights) if at not in gone]))
    return Pair(now_us, client, server, path, _next_us(client, server, path))


def _next_us(client: Machine, server: Machine, path: Path) -> int | None:
    """When anything happens next."""
    next_us = lines.next_time(path)
    for machine in (client, server):
        wake_us = _wake_us(machine)
        if wake_us is not None and (next_us is None or wake_us < next_us):
            next_us = wake_us
    return next_us


def _wake_us(machine: Machine) -> int | None:
    """When a machine acts by itself next."""
    system, programs, up, back_us = machine
    if not up:
        return back_us
    earliest = kernel.next_time(system)
    for _, running in programs:
        wake_us = running.wake_us
        if wake_us is not None and (earliest is None or wake_us < earliest):
            earliest = wake_us
    return earliest


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


class _Work:
    """A machine while an instant happens to it."""

    __slots__ = ("back_us", "before", "programs", "side", "system", "touched", "up")

    def __init__(self, side: Side, machine: Machine) -> None:
        self.side = side
        self.before = machine
        self.system, programs, self.up, self.back_us = machine
        self.programs = dict(programs)
        self.touched = False  # anything has happened to it

    def due(self, now_us: int) -> bool:
        """Whether anything may happen to it in this round; from then on it counts as touched."""
        if not self.touched:
            wake_us = _wake_us(self.before)
            self.touched = wake_us is not None and wake_us <= now_us
        return self.touched

    def machine(self) -> Machine:
        """The machine as it is now; the very same object if nothing happened to it."""
        before = self.before
        if not self.touched:
            return before
        programs = tuple(self.programs.items())
        if programs == before.programs:
            programs = before.programs
            if self.system is before.system and (self.up, self.back_us) == before[2:]:
                return before
        return Machine(self.system, programs, self.up, self.back_us)


class _Instant:
    """A pair while one instant happens to it: the only place where its parts are replaced one by one."""

    __slots__ = ("chooser", "client", "log", "now_us", "path", "ready", "server")

    def __init__(self, pair: Pair, now_us: int, chooser: Chooser, log: Log | None) -> None:
        self.now_us = now_us
        self.chooser = chooser
        self.log = log
        self.path = pair.path
        self.client = _Work("client", pair.client)
        self.server = _Work("server", pair.server)
        self.ready: list[tuple[_Work, int, Reply]] = []  # programs whose calls have returned

    def settle(self) -> Pair:
        """Rounds of deliveries, timers and programs until nothing more is due; the pair after that."""
        now_us = self.now_us
        both = self.client, self.server
        for _ in range(_MOST_ROUNDS):
            due_us = lines.next_time(self.path)
            if due_us is not None and due_us <= now_us:
                self.path, arrived = lines.due(self.path, now_us)
                for side, segment in arrived:
                    self.arrive(self.client if side == "client" else self.server, segment)
            busy = [work for work in both if work.due(now_us)]
            for work in busy:
                self.timers(work)
            for work in busy:
                self.programs(work)
            client, server = self.client.machine(), self.server.machine()
            next_us = _next_us(client, server, self.path)
            if not self.ready and (next_us is None or next_us > now_us):
                return Pair(now_us, client, server, self.path, next_us)
        raise InputError(
            "pair", f"{_MOST_ROUNDS} rounds at {now_us} us", "programs and paths that let time pass"
        )

    def arrive(self, work: _Work, segment: Segment) -> None:
        """A segment reaches a machine, or what is left of it."""
        if not work.up:
            if self.log is not None:
                sender = SIDES[work.side == "client"]
                self.log(Lost(self.now_us, sender, segment, "receiver is down"))
            return
        if self.log is not None:
            self.log(Arrived(self.now_us, work.side, segment))
        work.touched = True
        self.take(work, kernel.deliver(work.system, segment, self.now_us))

    def timers(self, work: _Work) -> None:
        """What a machine's clock makes it do: its power is back, or timers fire."""
        now_us = self.now_us
        if work.up:
            due_us = kernel.next_time(work.system)
            if due_us is not None and due_us <= now_us:
                self.take(work, kernel.expire(work.system, now_us))
        elif work.back_us is not None and work.back_us <= now_us:
            work.up, work.back_us = True, None
            self.say(work, "is back")

    def take(self, work: _Work, outcome: Outcome) -> None:
        """What a step of a kernel gave: a new kernel, segments to send, calls that are over."""
        work.system, _, segments, notes, completed = outcome
        if self.log is not None:
            for note in notes:
                self.log(told(self.now_us, work.side, note))
        for segment in segments:
            self.send(work, segment)
        for caller, done, reply in completed:
            pid = pid_of(caller)
            self.ready.append((work, pid, reply))
            if self.log is not None:
                self.log(Returned(self.now_us, work.side, pid, done, reply))

    def send(self, work: _Work, segment: Segment) -> None:
        """A machine puts a segment on the wire; this is where its fate is decided."""
        self.path, fates = lines.send(self.path, work.side, segment, self.now_us, self.chooser)
        if self.log is None:
            return
        arrives_us = tuple(fate.due_us for fate in fates if fate.due_us is not None)
        self.log(Sent(self.now_us, work.side, segment, arrives_us))
        for fate in fates:
            if fate.kind == "lost":
                self.log(Lost(self.now_us, work.side, segment, fate.why))
            elif fate.kind == "duplicated":
                self.log(Duplicated(self.now_us, work.side, segment, fate.why))

    def programs(self, work: _Work) -> None:
        """Run what may run on a machine: first calls that returned, then sleeps that are over."""
        if self.ready:
            mine = [each for each in self.ready if each[0] is work]
            self.ready = [each for each in self.ready if each[0] is not work]
            for _, pid, reply in mine:
                self.run(work, pid, reply)
        now_us = self.now_us
        for pid, running in tuple(work.programs.items()):
            wake_us = running.wake_us
            if wake_us is not None and wake_us <= now_us:
                self.run(work, pid, None)

    def run(self, work: _Work, pid: int, reply: Reply | None) -> None:
        """One program, until it waits: in a call, for a time, or for the outside."""
        running = work.programs.get(pid)
        if running is None:  # killed, or its machine is down, in this same instant
            return
        while True:
            running, action = run(running, reply, self.now_us)
            kind = action.__class__
            if kind is Until or kind is Done:
                break
            if isinstance(action, Ask):
                reply = Reply(self.choose(work, action))
            elif isinstance(action, Draw):
                reply = Reply(self.chooser.draw(action.distribution))
            elif isinstance(action, Vanish | Reboot):
                self.act(work, action)
                return
            elif isinstance(action, Spawn):
                child_pid = 1 + max(work.programs)
                reply = self.syscall(work, pid, sockets.Fork(child_pid))
                work.programs[child_pid] = action.child._replace(wake_us=self.now_us)
            else:
                assert not isinstance(action, Until | Done)
                reply = self.syscall(work, pid, action)
                if kind is sockets.Exit:
                    del work.programs[pid]
                    return
                if reply is None:
                    break
        work.programs[pid] = running

    def choose(self, work: _Work, ask: Ask) -> int:
        """A program's finite choice; the usual course is not worth a word."""
        index = self.chooser.choose(Choice(*ask))
        if index:
            self.say(work, f"chooses {ask.outcomes[index]}")
        return index

    def syscall(self, work: _Work, caller: Caller, made: Call) -> Reply | None:
        """A process makes a call; None if it blocks."""
        if self.log is not None:
            self.log(Called(self.now_us, work.side, pid_of(caller), made))
        outcome = kernel.syscall(work.system, caller, made, self.now_us)
        self.take(work, outcome)
        if self.log is not None and outcome.reply is not None:
            self.log(Returned(self.now_us, work.side, pid_of(caller), made, outcome.reply))
        return outcome.reply

    def act(self, work: _Work, action: Action) -> None:
        """Something befalls a machine, from outside or by its own program."""
        work.touched = True
        if isinstance(action, Vanish | Reboot):
            old = work.system.end
            fresh = new_end(old.stack, iss=old.iss + _REBOOTED, ts_offset=old.ts_offset + _REBOOTED)
            work.system, work.programs = new_system(fresh, work.system.nofile), {}
            work.up, work.back_us = False, None
            if isinstance(action, Reboot):
                work.back_us = self.now_us + action.down_us
            self.ready = [each for each in self.ready if each[0] is not work]
            self.say(work, "vanishes" if work.back_us is None else "reboots")
        elif isinstance(action, sockets.Kill):
            if action.pid not in work.programs:
                raise ValueError(f"Kill: the {work.side} has no process {action.pid}")
            self.say(work, f"process {action.pid} is killed")
            self.take(work, kernel.syscall(work.system, 0, action, self.now_us))
            work.programs.pop(action.pid, None)
        elif isinstance(action, Resume):
            if action.pid not in work.programs or not work.programs[action.pid].paused:
                raise ValueError(f"Resume: process {action.pid} of the {work.side} does not stand at a pause")
            self.run(work, action.pid, Reply(action.order))
        elif isinstance(action, Inject):
            self.path = lines.inject(self.path, work.side, action.segment, action.due_us)
        elif isinstance(action, Befall):
            self.take(work, action.outcome)
        elif isinstance(action, PutOff):
            work.system = with_end(work.system, put_off(work.system.end, action.socket, action.until_us))
        elif isinstance(action, Oversleep):
            work.system = oversleep(work.system, action.caller, action.until_us)
        else:
            self.syscall(work, action.caller, action.call)

    def say(self, work: _Work, what: str) -> None:
        """Tell the log of something that is neither a segment nor a call."""
        if self.log is not None:
            self.log(Happened(self.now_us, work.side, what))
