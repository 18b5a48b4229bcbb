"""One instant of a pair: everything that is due, in a fixed order.

Owns: the order of events within one instant, who is informed of what, and what happens to a host as a whole
(power, reboot). Refuses to know: TCP (tcp), calls (sockets), programs (app), random events (the chooser
decides them), and anything that several pairs share (host). There is no RFC for this.

A pair changes in two ways only. `advance` does everything that is due at `next_time`, and `call` lets the
outside act. So the driver of a pair needs no clock of its own, and a pair is a function of its initial value
and the chooser's answers.

In one instant, segments arrive first, then timers fire, then programs run, from the client to the server.
This repeats until nothing more is due. So an ACK that arrives when its timer is due is in time.
"""

from __future__ import annotations

from tcpsim import path as lines
from tcpsim import sockets
from tcpsim.app.program import Ask, Done, Draw, KillOthers, Reboot, Spawn, Until, Vanish, run
from tcpsim.errors import InputError
from tcpsim.pair.action import Action, Befall, Inject, Oversleep, PutOff, Resume
from tcpsim.pair.event import Answered, Arrived, Called, Duplicated, Happened, Log, Lost, Returned, Sent, told
from tcpsim.pair.pair import FIRST_PID, Hop, Machine, Pair, Side, machine_wakes_us, names
from tcpsim.path import Choice, Chooser, Fate
from tcpsim.path import Side as End
from tcpsim.sockets import Call, Caller, Reply, kernel
from tcpsim.sockets.processes import Returned as Outcome
from tcpsim.sockets.processes import new_system, oversleep, pid_of, with_end
from tcpsim.tcp.endpoint import new_end
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.timer_slack import put_off

_MOST_ROUNDS = 10_000  # in one instant; a longer exchange without any delay is a mistake in the set-up
_REBOOTED = 1 << 30  # how far a restart moves the secrets of the ISN clock, and that of timestamps in ms


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
    instant.act(instant.works[pair.names.index(side)], action)
    return instant.settle()


class _Work:
    """A machine while an instant happens to it, and the legs that it has: (path, which end of it)."""

    __slots__ = (
        "back_us", "before", "left", "port", "programs", "right", "side", "system", "touched", "up",
        "wake_us",
    )  # fmt: skip

    def __init__(self, side: Side, machine: Machine, left: int, right: int, port: int = 0) -> None:
        self.side = side
        self.before = machine
        self.left = left  # the number of the path on that side; an end machine has one path for both
        self.right = right
        self.port = port  # where a machine between accepts
        self.touched = False  # anything may have happened to it
        self.wake_us: int | None = None  # as `due` or `machine` found it last

    def leg(self, local_port: int) -> tuple[int, End]:
        """The path of what uses this port, and which end of it the machine is: a port is an address."""
        if self.left == self.right:
            return self.left, "client" if self.side == "client" else "server"
        return (self.left, "server") if local_port == self.port else (self.right, "client")

    def touch(self) -> None:
        """Take the machine to pieces, once something is to happen to it."""
        if not self.touched:
            self.touched = True
            self.system, programs, self.up, self.back_us = self.before
            self.programs = dict(programs)

    def due(self, now_us: int) -> bool:
        """Whether anything may happen to it in this round, or has in this instant."""
        if not self.touched:
            self.wake_us = machine_wakes_us(self.before)
            if self.wake_us is None or self.wake_us > now_us:
                return False
            self.touch()
        return True

    def machine(self) -> Machine:
        """The machine as it is now, which says when it wakes; the same object if nothing happened to it."""
        before = self.before
        if not self.touched:
            return before
        system, programs, up, back_us = before
        now = tuple(self.programs.items())
        if now != programs:
            machine = Machine(self.system, now, self.up, self.back_us)
        elif self.system is not system or self.up is not up or self.back_us != back_us:
            machine = Machine(self.system, programs, self.up, self.back_us)
        else:
            machine = before
        self.wake_us = machine_wakes_us(machine)
        return machine


class _Instant:
    """A pair while one instant happens to it: the only place where its parts are replaced one by one."""

    __slots__ = ("chooser", "log", "now_us", "paths", "ready", "relays", "works")

    def __init__(self, pair: Pair, now_us: int, chooser: Chooser, log: Log | None) -> None:
        self.now_us = now_us
        self.chooser = chooser
        self.log = log
        self.relays = pair.relays
        if not pair.relays:
            self.paths = [pair.path]
            self.works = [_Work("client", pair.client, 0, 0), _Work("server", pair.server, 0, 0)]
        else:
            last = len(pair.relays)
            self.paths = [*pair.paths]
            self.works = [_Work("client", pair.client, 0, 0)]
            for leg, (side, hop) in enumerate(zip(names(last)[1:], pair.relays, strict=False)):
                self.works.append(_Work(side, hop.machine, leg, leg + 1, hop.port))
            self.works.append(_Work("server", pair.server, last, last))
        self.ready: list[tuple[_Work, int, Reply]] = []  # programs whose calls have returned

    def settle(self) -> Pair:
        """Rounds of deliveries, timers and programs until nothing more is due; the pair after that."""
        now_us = self.now_us
        works, paths = self.works, self.paths
        for _ in range(_MOST_ROUNDS):
            for leg, path in enumerate(paths):
                flights = path.flights
                if flights and flights[0][0] <= now_us:
                    paths[leg], arrived = lines.due(path, now_us)
                    for end, segment in arrived:
                        self.arrive(works[leg if end == "client" else leg + 1], segment, leg)
            busy = []
            for work in works:
                if work.due(now_us):
                    busy.append(work)
                    self.timers(work)
            for work in busy:
                self.programs(work)
            machines = []
            next_us: int | None = None
            for work in works:
                machines.append(work.machine())
                wake_us = work.wake_us
                if wake_us is not None and (next_us is None or wake_us < next_us):
                    next_us = wake_us
            for path in paths:
                flights = path.flights
                if flights and (next_us is None or flights[0][0] < next_us):
                    next_us = flights[0][0]
            if not self.ready and (next_us is None or next_us > now_us):
                return self.pair(machines, next_us)
        raise InputError(
            "pair", f"{_MOST_ROUNDS} rounds at {now_us} us", "programs and paths that let time pass"
        )

    def pair(self, machines: list[Machine], next_us: int | None) -> Pair:
        """All parts put together again."""
        paths = self.paths
        if not self.relays:
            return Pair(self.now_us, machines[0], machines[1], paths[0], next_us)
        hops = [
            Hop(machine, path, old.port)
            for machine, path, old in zip(machines[1:-1], paths[1:], self.relays, strict=True)
        ]
        return Pair(self.now_us, machines[0], machines[-1], paths[0], next_us, tuple(hops))

    def other(self, work: _Work, leg: int) -> Side:
        """The machine at the other end of a path."""
        here = self.works[leg]
        return (self.works[leg + 1] if here is work else here).side

    def arrive(self, work: _Work, segment: Segment, leg: int) -> None:
        """A segment reaches a machine, or what is left of it."""
        work.touch()
        if not work.up:
            if self.log is not None:
                self.log(Lost(self.now_us, self.other(work, leg), segment, "receiver is down", leg))
            return
        if self.log is not None:
            self.log(Arrived(self.now_us, work.side, segment, leg))
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
        leg, end = work.leg(segment.src_port)
        self.paths[leg], fates = lines.send(self.paths[leg], end, segment, self.now_us, self.chooser)
        if self.log is None:
            return
        own = [fate for fate in fates if fate.segment is None]
        arrives_us = tuple(fate.due_us for fate in own if fate.due_us is not None)
        self.log(Sent(self.now_us, work.side, segment, arrives_us, leg))
        for fate in fates:
            self.tell_fate(fate, work, segment, leg)

    def tell_fate(self, fate: Fate, work: _Work, sent: Segment, leg: int) -> None:
        """Tell the log what became of a segment of a machine, or of what a box sent back to it."""
        assert self.log is not None
        side = work.side
        segment, sender = (sent, side) if fate.segment is None else (fate.segment, self.other(work, leg))
        if fate.kind == "answered":
            arrives_us = () if fate.due_us is None else (fate.due_us,)
            self.log(Answered(self.now_us, side, segment, fate.why.partition(":")[0], arrives_us, leg))
        elif fate.kind == "duplicated":
            self.log(Duplicated(self.now_us, sender, segment, fate.why, leg))
        if fate.kind == "lost" or (fate.kind == "answered" and fate.due_us is None):
            self.log(Lost(self.now_us, sender, segment, fate.why, leg))

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
                if work.back_us is not None and not (after := running.reborn(work.back_us)).finished:
                    work.programs[FIRST_PID] = after
                return
            elif isinstance(action, KillOthers):
                for other in [each for each in work.programs if each != pid]:
                    self.act(work, sockets.Kill(other))
                reply = Reply(0)
            elif isinstance(action, Spawn):
                child_pid = 1 + max(work.programs)
                reply = self.syscall(work, pid, sockets.Fork(child_pid))
                work.programs[child_pid] = action.child._replace(wake_us=self.now_us)
            else:
                assert not isinstance(action, Until | Done | KillOthers)
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
        work.touch()
        if isinstance(action, Vanish | Reboot):
            old = work.system.end
            fresh = new_end(
                old.stack,
                iss=old.iss + _REBOOTED,
                ts_offset=old.ts_offset + 1_000 * _REBOOTED,
                peers=1 + (work.left != work.right),
            )
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
            leg, end = work.leg(action.segment.dst_port)
            self.paths[leg] = lines.inject(self.paths[leg], end, action.segment, action.due_us)
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
