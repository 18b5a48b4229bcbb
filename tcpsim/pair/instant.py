"""One instant of a pair: everything that is due, in the one order that there is.

Owns: in which order things of one instant happen, who hears what, and what befalls a machine as a whole
(power, reboot). Refuses to know: TCP (tcp), calls (sockets), programs (app), chance (the chooser's), and
anything that several pairs share (host). No RFC.

A pair changes in two ways only. `advance` does everything that is due at `next_time`; `call` lets the
outside act. So whoever drives a pair needs no clock of its own, and a pair is a function of its first
value and the chooser's answers.

In one instant segments arrive first, then timers fire, then programs run, client before server; and so
on in rounds until nothing more is due. Hence an ACK that arrives when its timer is due is in time.
"""

from __future__ import annotations

from tcpsim import path as lines
from tcpsim import sockets
from tcpsim.app.program import Ask, Done, Draw, KillOthers, Reboot, Spawn, Until, Vanish, run
from tcpsim.errors import InputError
from tcpsim.pair.action import Action, Befall, Inject, Oversleep, PutOff, Resume
from tcpsim.pair.event import Answered, Arrived, Called, Duplicated, Happened, Log, Lost, Returned, Sent, told
from tcpsim.pair.pair import FIRST_PID, Machine, Pair, earliest, machine_wakes_us
from tcpsim.path import SIDES, Choice, Chooser, Fate, Side
from tcpsim.sockets import Call, Caller, Reply, kernel
from tcpsim.sockets.processes import Returned as Outcome
from tcpsim.sockets.processes import new_system, oversleep, pid_of, with_end
from tcpsim.tcp.endpoint import new_end
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.timer_slack import put_off

_MOST_ROUNDS = 10_000  # in one instant; a longer exchange without any delay is a mistake in the set-up
_REBOOTED = 1 << 30  # how far a restart moves the secrets of the ISN and timestamp clocks


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


class _Work:
    """A machine while an instant happens to it."""

    __slots__ = ("back_us", "before", "programs", "side", "system", "touched", "up", "wake_us")

    def __init__(self, side: Side, machine: Machine) -> None:
        self.side = side
        self.before = machine
        self.touched = False  # anything may have happened to it
        self.wake_us: int | None = None  # as `due` or `machine` found it last

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
            busy = []
            for work in both:
                if work.due(now_us):
                    busy.append(work)
                    self.timers(work)
            for work in busy:
                self.programs(work)
            client, server = self.client.machine(), self.server.machine()
            next_us = earliest(lines.next_time(self.path), self.client.wake_us, self.server.wake_us)
            if not self.ready and (next_us is None or next_us > now_us):
                return Pair(now_us, client, server, self.path, next_us)
        raise InputError(
            "pair", f"{_MOST_ROUNDS} rounds at {now_us} us", "programs and paths that let time pass"
        )

    def arrive(self, work: _Work, segment: Segment) -> None:
        """A segment reaches a machine, or what is left of it."""
        work.touch()
        if not work.up:
            if self.log is not None:
                sender = SIDES[work.side == "client"]
                self.log(Lost(self.now_us, sender, segment, "receiver is down"))
            return
        if self.log is not None:
            self.log(Arrived(self.now_us, work.side, segment))
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
        own = [fate for fate in fates if fate.segment is None]
        arrives_us = tuple(fate.due_us for fate in own if fate.due_us is not None)
        self.log(Sent(self.now_us, work.side, segment, arrives_us))
        for fate in fates:
            self.tell_fate(fate, work.side, segment)

    def tell_fate(self, fate: Fate, side: Side, sent: Segment) -> None:
        """Tell the log what became of a segment of `side`, or of what a box sent back to it."""
        assert self.log is not None
        segment, sender = (sent, side) if fate.segment is None else (fate.segment, SIDES[side == "client"])
        if fate.kind == "answered":
            arrives_us = () if fate.due_us is None else (fate.due_us,)
            self.log(Answered(self.now_us, side, segment, fate.why.partition(":")[0], arrives_us))
        elif fate.kind == "duplicated":
            self.log(Duplicated(self.now_us, sender, segment, fate.why))
        if fate.kind == "lost" or (fate.kind == "answered" and fate.due_us is None):
            self.log(Lost(self.now_us, sender, segment, fate.why))

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
