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
from typing import NamedTuple

import simpy

from tcpsim.app import Program, accept
from tcpsim.app.program import start
from tcpsim.errors import InputError
from tcpsim.host.census import Census, Left
from tcpsim.host.lives import Lives, Luck, Moment
from tcpsim.host.view import GATE, Usage, Work, usage
from tcpsim.pair import SIDES, Pair, Resume, Side


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
            self._book(before, after)
        wanted = self.lives.views[after].work is Work.WANTED
        if wanted and not one.queued and not one.called:
            one.queued = True
            self.queue.append(one)
        elif one.queued and not wanted:
            one.queued = False
            self.queue.remove(one)
        self._serve()
        return self._resume(one) if one.called else None

    def _book(self, before: int, after: int) -> None:
        """Charge the difference between two views to the hosts."""
        changes = self._changes.get((before, after))
        if changes is None:
            views = self.lives.views
            changes = self._changes[before, after] = [
                (resource, side, new - old)
                for side in SIDES
                for resource, old, new in zip(
                    Usage._fields, usage(views[before], side), usage(views[after], side), strict=True
                )
                if new != old
            ]
        for resource, side, change in changes:
            self.used[side, resource] += change

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
        return self.lives.act(moment, "server", Resume(), now_us, one.luck)

    def _full(self, side: Side, resource: str) -> bool:
        limit: int | None = getattr(self.limits[side], resource)
        if limit is None:
            return False
        return self.used[side, resource] + (self.reserved if side == "server" else 0) >= limit
