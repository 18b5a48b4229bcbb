"""What a host may run out of, and what happens then.

Owns: limits, the counts that are held against them, and the consequence of each, which is the stack's:

===========  ==================================  ===========================================================
resource     is used by                          when a limit is met
===========  ==================================  ===========================================================
descriptors  sockets that a program holds        client: socket() fails (EMFILE), the connection is not born;
                                                 server: accept() fails (EMFILE), the connection waits in the
                                                 accept queue until a descriptor is free
ports        client sockets in any state but     connect() fails (EADDRNOTAVAIL), the connection is not born
             CLOSED: TIME-WAIT and CLOSE-WAIT
             hold a port too
workers      server programs between accept()    the connection waits in the accept queue
             and the end of their work
orphans      full sockets without a program      RST to the peer, and the socket is gone
minis        TIME-WAIT and orphaned FIN-WAIT-2   the mini-socket is gone without a word
===========  ==================================  ===========================================================

Refuses to know: how TCP comes to need any of these, and what is a leak. Sources: Linux accept(2), ip(7),
net/ipv4/tcp.c (tcp_check_oom, "too many orphaned sockets"), tcp_minisocks.c (TCPTimeWaitOverflow).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator
from typing import Final, NamedTuple

import simpy

from tcpsim.app import Program, accept
from tcpsim.app.program import start
from tcpsim.errors import InputError
from tcpsim.host.census import Census, Left
from tcpsim.host.lives import Lives, Luck, Moment
from tcpsim.host.view import GATE, Usage, View, Work, usage
from tcpsim.pair import SIDES, Pair, Resume, Side, advance, call
from tcpsim.path import Chooser, send
from tcpsim.tcp.end import abort
from tcpsim.tcp.state import Holder

_RECLAIMED: Final = {"orphans": Holder.ORPHAN, "minis": Holder.MINI}


class HostLimits(NamedTuple):
    """What one host has of each resource; None: as much as is asked for."""

    descriptors: int | None = None
    ports: int | None = None
    workers: int | None = None
    orphans: int | None = None
    minis: int | None = None


class Limits(NamedTuple):
    """The limits of the server, and of the one host that all clients share (None: each its own host)."""

    server: HostLimits = HostLimits()
    client: HostLimits | None = None

    @property
    def gate(self) -> bool:
        """Whether the host decides when a server may accept."""
        return self.server.workers is not None or self.server.descriptors is not None


def gated(pair: Pair) -> Pair:
    """The pair before its birth, its server waiting for the host's leave before it accepts.

    Raises:
        InputError: the server's program accepts nothing.
    """
    changed = []
    for pid, running in pair.server.programs:
        steps = list(running.program.steps)
        places = [place for place, step in enumerate(steps) if isinstance(step, type(accept()))]
        if not places:
            raise InputError("limits.server", "a server program without accept()", "one that accepts")
        steps.insert(places[0], GATE)
        program = Program(steps, running.program.on_error, running.program.name)
        changed.append((pid, start(program, running.client_port, running.server_port)))
    return pair._replace(server=pair.server._replace(programs=tuple(changed)))


class Serve(NamedTuple):
    """The act of giving a connection what it waits for: its server's program goes on to accept()."""

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        return call(pair, "server", Resume(), now_us, chooser)


class Reclaim(NamedTuple):
    """The act of a kernel that takes back a socket which no program holds."""

    side: Side
    holder: Holder

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        machine = pair.client if self.side == "client" else pair.server
        end, path = machine.system.end, pair.path
        number = max(n for n, tcb in end.sockets.items() if tcb.holder(end.stack) is self.holder)
        result = abort(end, number, now_us)
        if self.holder is Holder.ORPHAN:
            for segment in result.segments:
                path, _ = send(path, self.side, segment, now_us, chooser)
        machine = machine._replace(system=machine.system._replace(end=result.end))
        after = pair._replace(path=path, next_us=now_us)
        after = after._replace(client=machine) if self.side == "client" else after._replace(server=machine)
        return advance(after, chooser)  # nothing but to see when it is due next


class _Connection:
    """One connection under limits."""

    __slots__ = ("born_us", "called", "luck", "moment", "process", "queued")

    def __init__(self, born_us: int, luck: Luck, moment: Moment) -> None:
        self.born_us = born_us
        self.luck = luck
        self.moment = moment
        self.queued = False  # it waits in an accept queue for a worker and a descriptor
        self.called = False  # it has been given both
        self.process: simpy.Process


class Governor:
    """The hosts of one run, as far as they can run out of something."""

    def __init__(self, limits: Limits, env: simpy.Environment, lives: Lives, census: Census) -> None:
        self.env = env
        self.lives = lives
        self.census = census
        self.limits: dict[Side, HostLimits] = {
            "client": limits.client or HostLimits(),
            "server": limits.server,
        }
        self.used: Counter[tuple[Side, str]] = Counter()
        self._changes: dict[tuple[int, int], list[tuple[str, Side, int]]] = {}
        self.reserved = 0  # workers and descriptors promised to connections that have been called
        self.queue: deque[_Connection] = deque()

    def admit(self, luck: Luck) -> None:
        """A client wants to connect: a connection is born, or its client's host refuses."""
        for resource in ("descriptors", "ports"):
            if self._full("client", resource):
                self.census.refused[f"client {resource}"] += 1
                return
        connection = _Connection(int(self.env.now), luck, self.lives.begin(luck))
        connection.process = self.env.process(self._live(connection))

    def _live(self, one: _Connection) -> Generator[simpy.Event, None, None]:
        """One connection. It looks ahead as far as it looks the same, and goes back if it is called."""
        env, lives = self.env, self.lives
        horizon_us = self.census.horizon_us
        while True:
            mark = one.luck.mark()
            ahead: Moment | None = lives.walk(one.moment, one.luck, horizon_us - one.born_us)
            assert ahead is not None
            changes = ahead.view != one.moment.view
            if not changes and not one.queued:
                break
            try:
                due_us = one.born_us + ahead.now_us if changes else horizon_us
                yield env.timeout(due_us - env.now)
                if not changes:
                    break
            except simpy.Interrupt:
                one.luck.rewind(mark)
                ahead = self._resume(one) if one.called else one.moment
            while ahead is not None:
                ahead = self._change(one, ahead)
        if one.moment.view:
            until_us = horizon_us + self.census.patience_us - one.born_us
            self.census.left[Left(one.moment.view, lives.outlook(ahead or one.moment, until_us))] += 1

    def _change(self, one: _Connection, ahead: Moment) -> Moment | None:
        """A connection has come to `ahead`; what that makes of it in the same instant, if anything."""
        before, after = one.moment.view, ahead.view
        one.moment = ahead
        if before != after:
            self.census.change(int(self.env.now), before, after)
            excess = self._book(before, after)
            if excess is not None:
                return self.lives.act(ahead, excess, int(self.env.now) - one.born_us, one.luck)
        wanted = self.lives.views[after].work is Work.WANTED
        if wanted and not one.queued and not one.called:
            one.queued = True
            self.queue.append(one)
        elif one.queued and not wanted:
            one.queued = False
            self.queue.remove(one)
        self._serve()
        return self._resume(one) if one.called else None

    def _book(self, before: int, after: int) -> Reclaim | None:
        """Charge the difference between two views to the hosts; the answer to one socket too many."""
        changes = self._changes.get((before, after))
        if changes is None:
            changes = self._changes[before, after] = _differences(
                self.lives.views[before], self.lives.views[after]
            )
        for resource, side, change in changes:
            self.used[side, resource] += change
        for resource, side, change in changes:
            if change > 0 and resource in _RECLAIMED and self._exceeds(side, resource):
                self.census.refused[f"{side} {resource}"] += 1
                return Reclaim(side, _RECLAIMED[resource])
        return None

    def _serve(self) -> None:
        """Call whoever waits longest, as long as there are a worker and a descriptor to give."""
        while self.queue and not self._full("server", "workers") and not self._full("server", "descriptors"):
            one = self.queue.popleft()
            one.queued, one.called = False, True
            self.reserved += 1
            if one.process is not self.env.active_process:
                one.process.interrupt()

    def _resume(self, one: _Connection) -> Moment:
        """A called connection goes on, unless its client has gone in the same instant."""
        one.called = False
        self.reserved -= 1
        now_us = int(self.env.now) - one.born_us
        moment = self.lives.walk(one.moment, one.luck, now_us)
        if self.lives.views[moment.view].work is not Work.WANTED:
            return moment
        return self.lives.act(moment, Serve(), now_us, one.luck)

    def _exceeds(self, side: Side, resource: str) -> bool:
        limit: int | None = getattr(self.limits[side], resource)
        return limit is not None and self.used[side, resource] > limit

    def _full(self, side: Side, resource: str) -> bool:
        limit: int | None = getattr(self.limits[side], resource)
        if limit is None:
            return False
        return self.used[side, resource] + (self.reserved if side == "server" else 0) >= limit


def _differences(before: View, after: View) -> list[tuple[str, Side, int]]:
    return [
        (resource, side, new - old)
        for side in SIDES
        for resource, old, new in zip(Usage._fields, usage(before, side), usage(after, side), strict=True)
        if new != old
    ]
