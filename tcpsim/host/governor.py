"""Connections on hosts that run out of things: who is refused, who waits, who is called, who is taken back.

Owns: the shared counts, the accept queue, and the process of a connection that others can act on: its hosts,
and an owner that has opened it (a browser, a pool). Refuses to know: what an act does to a pair (limits,
users), what an owner wants (browser, pool), and what a connection is (lives).

A connection still looks ahead to its next visible moment and sleeps until then. If the host acts on it
before that, it goes back to where it stood, walks silently up to now, and takes the act there.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator
from typing import Final, Protocol

import simpy

from tcpsim.host.census import Census, Left
from tcpsim.host.limits import Door, HostLimits, Limits, Reclaim, Serve
from tcpsim.host.lives import Act, Lives, Luck, Moment
from tcpsim.host.view import Usage, View, Work, usage
from tcpsim.pair import SIDES, Side
from tcpsim.tcp.state import Holder

_RECLAIMED: Final = {"orphans": Holder.ORPHAN, "minis": Holder.MINI}


class Owner(Protocol):
    """Who has opened a connection and decides what becomes of it."""

    def heed(self, one: Connection) -> None:
        """The connection looks different from now on; called in that very instant."""


class Connection:
    """One connection under limits, or one that somebody gives orders to."""

    __slots__ = (
        "arrived", "born_us", "called", "luck", "moment", "orders", "owner", "process", "queued", "shut"
    )  # fmt: skip

    def __init__(self, born_us: int, luck: Luck, moment: Moment, owner: Owner | None) -> None:
        self.owner = owner
        self.orders: deque[Act] = deque()
        self.born_us = born_us
        self.luck = luck
        self.moment = moment
        self.arrived = False  # its handshake is over
        self.queued = False  # it waits in the accept queue for a worker and a descriptor
        self.called = False  # it has been given both
        self.shut = False  # its listener believes that the accept queue is full
        self.process: simpy.Process


class Governor:
    """The hosts of one run, as far as they can run out of something."""

    def __init__(self, limits: Limits, env: simpy.Environment, lives: Lives, census: Census) -> None:
        self.env = env
        self.lives = lives
        self.census = census
        self.limits: dict[Side, HostLimits] = {side: limits.of(side) for side in SIDES}
        self.used: Counter[tuple[Side, str]] = Counter()
        self.admitted = 0  # connections so far
        self.reserved = 0  # workers and descriptors promised to connections that have been called
        self.queue: deque[Connection] = deque()
        self.shut = False  # the accept queue is full
        self.arriving: dict[Connection, None] = {}  # in their handshake, by age; only if there is a backlog
        self.waiting: list[tuple[Connection, Moment]] = []  # for a worker or a descriptor, at the horizon
        self.kept: Counter[str] = Counter()  # of the server's: what nobody will give back
        self._changes: dict[tuple[int, int], list[tuple[str, Side, int]]] = {}

    def admit(self, luck: Luck, owner: Owner | None = None) -> Connection | None:
        """A client wants to connect: a connection is born, or its client's host refuses (None)."""
        for resource in ("descriptors", "ports"):
            if self._full("client", resource):
                self.census.refused[f"client {resource}"] += 1
                return None
        one = Connection(int(self.env.now), luck, self.lives.begin(luck), owner)
        one.process = self.env.process(self._live(one))
        self.admitted += 1
        return one

    def order(self, one: Connection, act: Act) -> None:
        """The owner of a connection acts on it, in this instant."""
        one.orders.append(act)
        self._wake(one)

    def _live(self, one: Connection) -> Generator[simpy.Event, None, None]:
        """One connection."""
        env, lives, horizon_us = self.env, self.lives, self.census.horizon_us
        while True:
            mark = one.luck.mark()
            ahead = lives.walk(one.moment, one.luck, horizon_us - one.born_us)
            changes = ahead.view != one.moment.view
            if not changes and not one.queued and one.owner is None:
                break
            try:
                due_us = one.born_us + ahead.now_us if changes else horizon_us
                yield env.timeout(due_us - env.now)
                if not changes:
                    break
            except simpy.Interrupt:
                one.luck.rewind(mark)
                ahead = self._obey(one) or one.moment
            acted: Moment | None = ahead
            while acted is not None:
                acted = self._change(one, acted)
        self.arriving.pop(one, None)
        if ahead.view:
            final = lives.outlook(ahead, self._until_us(one))
            if one.queued or (final is not None and lives.views[final].work is Work.WANTED):
                self.waiting.append((one, ahead))
            else:
                self._leave(ahead.view, final)

    def finish(self) -> None:
        """Who waits at the horizon is served in turn, as far as others give back what they hold."""
        places = {one: place for place, one in enumerate(self.queue)}
        self.waiting.sort(key=lambda each: (places.get(each[0], len(places)), each[0].born_us))
        for one, moment in self.waiting:
            serve = None if self._full_for_ever() else Serve()
            final = self.lives.outlook(moment, self._until_us(one), serve)
            self._leave(moment.view, final)

    def _full_for_ever(self) -> bool:
        """Whether what nobody gives back is all that the server has."""
        server = self.limits["server"]
        limits = (("workers", server.workers), ("descriptors", server.descriptors))
        return any(limit is not None and self.kept[resource] >= limit for resource, limit in limits)

    def _leave(self, now: int, final: int | None) -> None:
        """A connection that holds something at the horizon, and what it never gives back of the server's."""
        self.census.left[Left(now, final)] += 1
        kept = usage(self.lives.views[now if final is None else final], "server")
        self.kept.update(workers=kept.workers, descriptors=kept.descriptors)

    def _until_us(self, one: Connection) -> int:
        return self.census.horizon_us + self.census.patience_us - one.born_us

    def _change(self, one: Connection, ahead: Moment) -> Moment | None:
        """A connection has come to `ahead`; what that makes of it in the same instant, if anything."""
        before, after = one.moment.view, ahead.view
        one.moment = ahead
        if before != after:
            self.census.change(int(self.env.now), before, after)
            excess = self._book(before, after)
            if excess is not None:
                return self.lives.act(ahead, excess, self._age_us(one), one.luck)
        work = self.lives.views[after].work
        if work is Work.WANTED and not one.queued and not one.called:
            one.queued = True
            self.queue.append(one)
        elif one.queued and work is not Work.WANTED:
            one.queued = False
            self.queue.remove(one)
        if self.limits["server"].backlog is not None and not one.arrived:
            one.arrived = work is not Work.IDLE
            if after and not one.arrived:
                self.arriving[one] = None
            else:
                self.arriving.pop(one, None)
        self._serve()
        if one.owner is not None:
            one.owner.heed(one)
        return self._obey(one)

    def _book(self, before: int, after: int) -> Reclaim | None:
        """Charge the difference between two views to the hosts; the answer to one socket too many."""
        changes = self._changes.get((before, after))
        if changes is None:
            views = self.lives.views
            changes = self._changes[before, after] = _differences(views[before], views[after])
        for resource, side, change in changes:
            self.used[side, resource] += change
        for resource, side, change in changes:
            limit = getattr(self.limits[side], resource, None)
            if (
                resource in _RECLAIMED
                and change > 0
                and limit is not None
                and self.used[side, resource] > limit
            ):
                self.census.refused[f"{side} {resource}"] += 1
                return Reclaim(side, _RECLAIMED[resource])
        return None

    def _serve(self) -> None:
        """Call whoever waits longest, as long as there are a worker and a descriptor to give."""
        while self.queue and not self._full("server", "workers") and not self._full("server", "descriptors"):
            one = self.queue.popleft()
            one.queued, one.called = False, True
            self.reserved += 1
            self._wake(one)
        backlog = self.limits["server"].backlog
        shut = backlog is not None and len(self.queue) > backlog  # as Linux sk_acceptq_is_full
        if shut != self.shut:
            self.shut = shut
            for one in self.arriving:
                self._wake(one)

    def _wake(self, one: Connection) -> None:
        if one.process is not self.env.active_process and one.process.is_alive:
            one.process.interrupt()

    def _obey(self, one: Connection) -> Moment | None:
        """What the host or the owner wants of a connection now, done."""
        if one.called:
            one.called = False
            self.reserved -= 1
            moment = self._now(one)
            if self.lives.views[moment.view].work is not Work.WANTED:
                return moment  # its client has gone in the same instant
            return self.lives.act(moment, Serve(), self._age_us(one), one.luck)
        if one.shut != self.shut and one in self.arriving:
            one.shut = self.shut
            return self.lives.act(self._now(one), Door(one.shut), self._age_us(one), one.luck)
        if one.orders:
            return self.lives.act(self._now(one), one.orders.popleft(), self._age_us(one), one.luck)
        return None

    def _now(self, one: Connection) -> Moment:
        return self.lives.walk(one.moment, one.luck, self._age_us(one))

    def _age_us(self, one: Connection) -> int:
        return int(self.env.now) - one.born_us

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
