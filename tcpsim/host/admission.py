"""Admission to a host with limits: which connections are refused, wait, or lose what they have.

Owns: the accept queue, and the process of a connection on which others can act: its hosts, which may crash,
an operator who restarts a program, and an owner (a browser or a pool). Refuses to know: the counts
(resource_usage), what a host without memory does (memory), what an act does to a pair (limits,
connection_owner), what an owner wants (browser, pool), and what a connection is (shared_history).

A connection finds its next visible event in advance, and sleeps until then. If the host acts on it earlier,
it continues from its old state up to now, and the act happens there.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator, Sequence

import simpy

from tcpsim.host.census import Census, Left, Restarted
from tcpsim.host.client_ports import ClientPorts
from tcpsim.host.connection import Connection, Owner
from tcpsim.host.full_box import FullBox
from tcpsim.host.full_relay import FullRelays
from tcpsim.host.limits import Door, Limits, Reclaim, Restart, Serve, Stop
from tcpsim.host.memory import Memory, heavy
from tcpsim.host.port_reuse import again
from tcpsim.host.resource_usage import RECLAIMED, Books
from tcpsim.host.shared_history import Act, Lives, Luck, Moment
from tcpsim.host.socket_accounting import usage
from tcpsim.pair import Pair, Side
from tcpsim.tcp.state import Holder, State


class Governor:
    """The hosts of one run, as far as they can run out of something."""

    def __init__(
        self,
        limits: Limits,
        env: simpy.Environment,
        lives: Lives,
        census: Census,
        pair: Pair,  # one of its connections before its birth
        restarts: Sequence[Restart],
    ) -> None:
        self.env = env
        self.lives = lives
        self.census = census
        self.books = Books(limits, lives.views)
        self.admitted = 0  # connections so far
        self.reserved: Counter[Side] = Counter()  # workers and descriptors promised to connections called
        self.queues: dict[Side, deque[Connection]] = {
            side: deque() for side in limits.sides if side != "client"
        }
        self.memory = Memory(self.books, census, lives.views, pair)
        self.box = FullBox(self.books, lives, census)
        self.between = FullRelays(self.books, lives, census, pair)
        self.shut = ""  # the resource for want of which the server takes no connection
        self.server = server = limits.server
        self.gate = limits.gate
        self.doors = server.backlog is not None or server.bytes is not None
        self.arriving: dict[Connection, None] = {}  # in their handshake, by age; only if a door may shut
        client = limits.client
        self.ports = None
        if client is not None and client.ports is not None:
            self.ports = ClientPorts(limits.clients, client.ports, pair.client.programs[0][1].program)
        self.recalls = bool(restarts) or self.memory.takes_back or self.ports is not None
        self.alive: dict[Connection, None] = {}  # by age: whose view may still change, or all
        self.waiting: list[tuple[Connection, Moment]] = []  # for a worker or a descriptor, at the horizon
        self.kept: Counter[tuple[Side, str]] = Counter()  # what nobody will give back
        for each in restarts:
            env.process(self._restart(each))

    def admit(self, luck: Luck, owner: Owner | None = None) -> Connection | None:
        """A client wants to connect: a connection is born, or its client's host refuses (None)."""
        if self._full("client", "descriptors"):
            self.census.refused["client descriptors"] += 1
            return None
        port = None if self.ports is None else self.ports.take()
        if self.ports is not None and port is None:
            self.census.refused["client ports"] += 1
            return None
        self.admitted += 1
        birth = self.lives.begin(luck)
        if port is not None and port.connection is not None:
            return self._use_again(port.connection, again(birth.pair), owner)
        one = Connection(int(self.env.now), luck, birth, owner)
        if port is not None:
            one.port, port.connection = port, one
        one.process = self.env.process(self._live(one))
        self.alive[one] = None
        for act in self.memory.at_birth():
            self.order(one, act)
        return one

    def _use_again(self, one: Connection, act: Act, owner: Owner | None) -> Connection:
        """A connection on ports of which the server, or a box between, still has something."""
        self._told_off(one, one.moment)
        one.begins_anew(owner)
        for each in (act, *self.memory.at_birth()):
            self.order(one, each)
        return one

    def order(self, one: Connection, act: Act) -> None:
        """Somebody acts on a connection in this instant: its owner, an operator, a kernel that panics."""
        one.orders.append(act)
        self._wake(one)

    def _restart(self, each: Restart) -> Generator[simpy.Event, None, None]:
        """The program of one side is killed and started again; new connections find the new one."""
        at_us = each.at_us
        while at_us <= self.census.horizon_us:
            yield self.env.timeout(at_us - self.env.now)
            self.census.restarts.append(Restarted(at_us, Counter()))
            self._all(Stop(each.side))
            if each.every_us is None:
                return
            at_us += each.every_us

    def _all(self, act: Act) -> None:
        for one in self.alive:
            self.order(one, act)

    def _live(self, one: Connection) -> Generator[simpy.Event, None, None]:
        """One connection."""
        env, lives, horizon_us = self.env, self.lives, self.census.horizon_us
        while True:
            mark = one.luck.mark()
            ahead = lives.walk(one.moment, one.luck, horizon_us - one.born_us)
            changes = ahead.view != one.moment.view
            called = one.queued or one.owner is not None or (self.recalls and ahead.view)
            if not changes and not called:
                break
            try:
                due_us = one.born_us + ahead.now_us if changes else horizon_us
                yield env.timeout(due_us - env.now)
                if not changes:
                    break
                mark, ahead = self.between.before(one, mark, ahead)
                ahead = self.between.after(one, self.box.through(one, mark, ahead))
            except simpy.Interrupt:
                one.luck.rewind(mark)
                ahead = self._obey(one) or one.moment
            acted: Moment | None = ahead
            while acted is not None:
                acted = self._change(one, acted)
        self.arriving.pop(one, None)
        self.alive.pop(one, None)
        if one.port is not None and self.ports is not None and not ahead.view:
            one.port.connection = None
            self.ports.changed(one.port, False)
        self._told_off(one, ahead)
        if ahead.view:
            ahead = self.box.as_it_is(one, ahead)
            final = lives.outlook(ahead, self._until_us(one))
            if one.queued or (final is not None and lives.views[final].waits_at):
                self.waiting.append((one, ahead))
            else:
                self._leave(ahead.view, final)

    def _told_off(self, one: Connection, moment: Moment) -> None:
        """Count a connection that the server has turned away for good, when it is over."""
        if one.turned and not one.arrived and not self._opening(moment):
            self.census.refused[f"server {one.turned}"] += 1

    def finish(self) -> None:
        """Who waits at the horizon is served in turn, as far as others give back what they hold."""
        places = {one: place for queue in self.queues.values() for place, one in enumerate(queue)}
        self.waiting.sort(key=lambda each: (places.get(each[0], len(places)), each[0].born_us))
        for one, moment in self.waiting:
            serve = {side: Serve(side) for side in self.queues if not self._full_for_ever(side)}
            final = self.lives.outlook(moment, self._until_us(one), serve)
            self._leave(moment.view, final)

    def _full_for_ever(self, side: Side) -> bool:
        """Whether what nobody gives back is all that a host has."""
        limits = self.books.limits[side]
        each = (("workers", limits.workers), ("descriptors", limits.descriptors))
        return any(limit is not None and self.kept[side, resource] >= limit for resource, limit in each)

    def _leave(self, now: int, final: int | None) -> None:
        """A connection that holds something at the horizon, and what it never gives back."""
        self.census.left[Left(now, final)] += 1
        for side in self.queues:
            kept = usage(self.lives.views[now if final is None else final], side)
            self.kept[side, "workers"] += kept.workers
            self.kept[side, "descriptors"] += kept.descriptors

    def _opening(self, moment: Moment) -> bool:
        return any(each.state is State.SYN_SENT for each in self.lives.views[moment.view].client)

    def _until_us(self, one: Connection) -> int:
        return self.census.horizon_us + self.census.patience_us - one.born_us

    def _change(self, one: Connection, ahead: Moment) -> Moment | None:
        """A connection has come to `ahead`; what that makes of it in the same instant, if anything."""
        before, after = one.moment.view, ahead.view
        one.moment = ahead
        if before != after:
            self.census.change(int(self.env.now), before, after)
            if one.port is not None and self.ports is not None:
                self.ports.changed(one.port, usage(self.lives.views[after], "client").ports > 0)
            excess = self._charge(before, after)
            if excess is not None:
                return self._act(one, ahead, excess)
        waits_at = self.lives.views[after].waits_at
        if one.queued and waits_at != one.queued:
            self.queues[one.queued].remove(one)
            one.queued = ""
        if waits_at and not one.queued and not one.called:
            one.queued = waits_at
            self.queues[waits_at].append(one)
        if self.doors and not one.arrived:
            server = self.lives.views[after].server
            one.arrived = any(each.state is not State.SYN_RECEIVED for each in server)
            if after and not one.arrived:
                self.arriving[one] = None
            else:
                self.arriving.pop(one, None)
        self._serve()
        if one.owner is not None:
            one.owner.heed(one)
        return self._obey(one)

    def _charge(self, before: int, after: int) -> Reclaim | None:
        """Charge the difference between two views to the hosts; the answer to one socket too many."""
        for side, resource in self.books.charge(before, after):
            short = resource if self.books.over(side, resource) else ""
            if resource == "orphans" and self.books.over(side, "pages"):
                short = short or ("pages" if heavy(self.lives.views[after], side) else "")
            if short:
                self.census.refused[f"{side} {short}"] += 1
                return Reclaim(side, RECLAIMED[resource])
        for one, act in self.memory.charged(int(self.env.now), self.alive):
            self.order(one, act)
        return None

    def _serve(self) -> None:
        """Call whoever waits longest, as long as there are a worker and a descriptor to give.

        A relay takes one connection after the other: what the first one opens is not there for the second.
        """
        for side, queue in self.queues.items():
            while queue and not (self._full(side, "workers") or self._full(side, "descriptors")):
                if side != "server" and self.reserved[side]:
                    break
                one = queue.popleft()
                one.queued, one.called = "", side
                self.reserved[side] += 1
                self._wake(one)
        shut = self._lacking() if self.doors else ""
        if shut != self.shut:
            self.shut = shut
            for one in self.arriving:
                self._wake(one)

    def _lacking(self) -> str:
        """What a server lacks for another connection; "" if nothing."""
        server = self.server
        waiting = len(self.queues["server"]) if self.gate else self.books.used["server", "backlog"]
        if server.backlog is not None and waiting > server.backlog:  # as Linux sk_acceptq_is_full
            return "backlog"
        return "bytes" if self.memory.refuses else ""

    def _is_shut_to(self, one: Connection) -> bool:
        """Memory is wanted for a socket; a connection whose socket is there already needs no more."""
        held = self.lives.views[one.moment.view].server if self.shut == "bytes" else ()
        return bool(self.shut) and all(each.holder is Holder.REQUEST for each in held)

    def _wake(self, one: Connection) -> None:
        if one.process is not self.env.active_process and one.process.is_alive:
            one.process.interrupt()

    def _obey(self, one: Connection) -> Moment | None:
        """What the host or the owner wants of a connection now, done."""
        if one.orders:  # before it is served: whoever is killed in this instant takes nobody from the queue
            act, moment = one.orders.popleft(), self._now(one)
            after = self._act(one, moment, act)
            if isinstance(act, Stop):
                views = self.lives.views
                self.census.restarts[-1].tell(views[moment.view], views[after.view], act.side)
            return after
        if one.called:
            side, one.called = one.called, ""
            self.reserved[side] -= 1
            moment = self._now(one)
            if self.lives.views[moment.view].waits_at != side:
                return moment  # its client has gone in the same instant
            return self._act(one, moment, Serve(side))
        if one in self.arriving and one.shut != (shut := self._is_shut_to(one)):
            one.shut, one.turned = shut, self.shut or one.turned
            return self._act(one, self._now(one), Door(one.shut))
        return None

    def _act(self, one: Connection, moment: Moment, act: Act) -> Moment:
        """What an act makes of a connection, on hosts and a box that may have nothing left."""
        age_us = self._age_us(one)
        told = self.between.act(one, moment, act, age_us)
        return self.between.after(one, self.box.act(one, told, act, age_us))

    def _now(self, one: Connection) -> Moment:
        return self.lives.walk(one.moment, one.luck, self._age_us(one))

    def _age_us(self, one: Connection) -> int:
        return int(self.env.now) - one.born_us

    def _full(self, side: Side, resource: str) -> bool:
        return self.books.full(side, resource, self.reserved[side])
