"""The simulation of many connections: a SimPy environment in which each one arrives, ends and is counted.

Owns: arrivals, the seed of each connection, and one process for each live connection. Refuses to know: TCP (a
connection is a walk through a `Tree` of `shared_history`), what happens when a resource is used up (limits,
admission), and what the counts mean (measure).

The process of a connection sleeps until its hosts can see a change, records it, and continues. Events that no
host can see (a segment in flight, an acknowledgment) happen inside the walk and cost no event. A connection
that looks the same until the horizon has no process: a leaked socket is a count.

The server is one host. Each client is a host of its own, unless `limits` makes them share one. Connection i
uses the random stream (seed, i), and arrivals use their own. So no result depends on the order of execution.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Iterator
from itertools import count
from math import inf
from typing import Final, NamedTuple

import simpy

from tcpsim.app.driven import takes_orders
from tcpsim.errors import InputError, checked
from tcpsim.host.admission import Governor
from tcpsim.host.census import Census, Left
from tcpsim.host.connection_owner import Users
from tcpsim.host.daily import Daily
from tcpsim.host.full_box import shared_box, with_flows
from tcpsim.host.limits import Limits, Restart, gated, with_backlog
from tcpsim.host.shared_history import Lives, Luck
from tcpsim.pair import Pair
from tcpsim.path import Exponential, Seeded

_MOST_PER_SECOND: Final = (
    10_000  # with whole microseconds between arrivals, a rate is true to 0.5 % up to here
)
Progress = Callable[[int, int], None]  # simulated time so far, and the horizon


@checked
class Arrivals(NamedTuple):
    """When connections begin: so many `connections`, or as many as come within `for_us`, or what is less.

    `daily`: how many times as fast they come at each time of the day. `given`: their times, in order; then
    the rate says nothing.
    """

    per_second: float
    connections: int | None = None
    for_us: int | None = None
    poisson: bool = True
    daily: Daily | None = None
    given: tuple[int, ...] | None = None

    def check(self) -> None:
        """Raises InputError for a rate that is not positive, or arrivals without an end."""
        rate = self.per_second
        number = isinstance(rate, int | float) and not isinstance(rate, bool)
        if not number or not 0 < rate <= _MOST_PER_SECOND:
            allowed = f"a number of connections per second above 0, up to {_MOST_PER_SECOND:,}"
            raise InputError("rate", repr(rate), allowed)
        if self.connections is None and self.for_us is None:
            raise InputError("arrivals", "no end", "a count of connections, or a time to go on for")
        for name, value in (("connections", self.connections), ("for_us", self.for_us)):
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
                raise InputError(f"arrivals.{name}", repr(value), "an integer >= 0")
        if self.given is not None and (self.given != tuple(sorted(self.given)) or self.given[:1] < (0,)):
            raise InputError("arrivals.given", "times before 0 or out of order", "times from 0 on, in order")

    def times_us(self, seed: int) -> Iterator[int]:
        """The times, in order; fixed ones start at 0, one period apart.

        >>> list(Arrivals(4, for_us=1_000_000, poisson=False).times_us(seed=1))
        [0, 250000, 500000, 750000]
        """
        for number, t_us in enumerate(self._times_us(seed)):
            if number == self.connections or (self.for_us is not None and t_us >= self.for_us):
                return
            yield t_us

    def _times_us(self, seed: int) -> Iterator[int]:
        if self.given is not None:
            yield from self.given
            return
        gap = Exponential(round(1_000_000 / self.per_second))
        luck = Seeded(seed, purpose=b"arrivals")
        even_us = 0  # as if the day were all alike
        for number in count():
            even_us = (
                even_us + luck.draw(gap) if self.poisson else round(number * 1_000_000 / self.per_second)
            )
            yield even_us if self.daily is None else self.daily.time_us(even_us)

    def expected(self) -> float:
        """How many connections are expected to come."""
        most = inf if self.connections is None else self.connections
        if self.given is not None:
            return min(most, sum(self.for_us is None or t_us < self.for_us for t_us in self.given))
        if self.for_us is None:
            return most
        even_us = self.for_us if self.daily is None else self.daily.even_us(self.for_us)
        return min(most, self.per_second * even_us / 1_000_000)


@checked
class Plan(NamedTuple):
    """What to run: kinds of connections with their weights, when they begin, and for how long to watch.

    The horizon is `settle_us` after the last arrival, or after `arrivals.for_us`. `room` is how many
    moments the tree of lives may remember; it changes speed and memory, never a result. With `users` it is
    they who arrive, and open connections as they need them.
    """

    kinds: tuple[tuple[float, Pair], ...]
    arrivals: Arrivals
    settle_us: int = 0
    seed: int = 1
    limits: Limits = Limits()
    room: int = 50_000
    users: Users | None = None
    restarts: tuple[Restart, ...] = ()

    def check(self) -> None:
        """Raises InputError for weights that do not add up, and for users or restarts that cannot be."""
        weights = [weight for weight, _ in self.kinds]
        if not weights or min(weights) < 0 or abs(sum(weights) - 1) > 1e-9:
            raise InputError("kinds", weights, "weights from 0 to 1 that add up to 1")
        if self.settle_us < 0:
            raise InputError("settle_us", self.settle_us, "a number of microseconds >= 0")
        clients = [pair.client.programs[0][1].program for _, pair in self.kinds]
        if self.users is not None and not all(map(takes_orders, clients)):
            raise InputError("users", "a client that takes no orders", "the behaviour obeys")
        ports = None if self.limits.client is None else self.limits.client.ports
        if ports is not None and any(each.side == "server" for each in self.restarts):
            raise InputError("restarts", "of the server", "no limit on client.ports beside it")
        if self.limits.client is None and any(each.side == "client" for each in self.restarts):
            raise InputError("restarts", "of the client", "clients that share a host: a limit on it")


def simulate(plan: Plan, progress: Progress | None = None) -> Census:
    """Run a population to its horizon.

    Raises:
        InputError: a limit on a server's accept() for a program that accepts nothing.
    """
    return _Run(plan).run(progress)


def shares_nothing(plan: Plan) -> bool:
    """Whether no connection of a plan can make a difference to another: no limits, and no owner."""
    nobody = plan.users is None and not plan.restarts
    return nobody and _limits(plan) == Limits()


def _limits(plan: Plan) -> Limits:
    """Those that were asked for, with those that the server and the box have anyway."""
    pair = plan.kinds[0][1]
    return with_flows(with_backlog(plan.limits, pair), pair)


class _Run:
    """The moving parts of one `simulate`."""

    def __init__(self, plan: Plan) -> None:
        self.seed = plan.seed
        self.births_us = array("q", plan.arrivals.times_us(plan.seed))
        last_us = self.births_us[-1] if self.births_us else 0
        end_us = last_us if plan.arrivals.for_us is None else plan.arrivals.for_us
        limits = _limits(plan)
        kinds = [(weight, shared_box(gated(pair, limits))) for weight, pair in plan.kinds]
        self.env = simpy.Environment()
        self.lives = Lives(kinds, len(self.births_us), plan.room)
        self.census = Census(self.lives.views, end_us + plan.settle_us)
        self.governor: Governor | None = None
        self.census.limits = limits
        if not shares_nothing(plan):
            run = self.env, self.lives, self.census
            self.governor = Governor(limits, *run, plan.kinds[0][1], plan.restarts)
        self.users = plan.users

    def run(self, progress: Progress | None) -> Census:
        """Everything, from the first arrival to the horizon."""
        if progress is not None:
            self.env.process(self._report(progress))
        self.env.process(self._arrive())
        self.env.run(self.census.horizon_us + 1)
        self.census.connections = len(self.births_us)
        if self.governor is not None:
            self.governor.finish()
            if self.users is not None:
                self.census.connections = self.governor.admitted
        self.census.computed, self.census.recalled = self.lives.computed, self.lives.recalled
        return self.census

    def _arrive(self) -> Generator[simpy.Event, None, None]:
        come = None
        if self.governor is not None and self.users is not None:
            come = self.users.start(self.governor, self.seed)
        for index, t_us in enumerate(self.births_us):
            yield self.env.timeout(t_us - int(self.env.now))
            if come is not None:
                come(index)
                continue
            luck = Luck(self.seed, index)
            if self.governor is None:
                self.env.process(self._live(luck))
            else:
                self.governor.admit(luck)

    def _live(self, luck: Luck) -> Generator[simpy.Event, None, None]:
        """One connection, on hosts that never run out of anything."""
        lives, census, timeout = self.lives, self.census, self.env.timeout
        born_us = int(self.env.now)
        until_us = census.horizon_us - born_us
        seen = lives.begin(luck)
        while (moment := lives.walk(seen, luck, until_us)).view != seen.view:
            yield timeout(moment.now_us - seen.now_us)
            census.change(born_us + moment.now_us, seen.view, moment.view)
            seen = moment
        if moment.view:
            census.left[Left(moment.view, lives.outlook(moment, until_us + census.patience_us))] += 1

    def _report(self, progress: Progress) -> Generator[simpy.Event, None, None]:
        horizon_us = self.census.horizon_us
        for percent in range(101):
            at_us = horizon_us * percent // 100
            yield self.env.timeout(at_us - int(self.env.now))
            progress(at_us, horizon_us)
