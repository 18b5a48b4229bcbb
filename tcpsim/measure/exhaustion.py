"""When a limit of a host was met, and what a larger limit would have changed.

Owns: the judgement: the time at which a limit was met, which connections failed, whether the need grows
without bound (from a second run on a host without this limit), and which limit would be met first. Refuses to
know: the list of workloads (catalogue).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tcpsim.catalogue.relay import means
from tcpsim.catalogue.workload import Limit, Workload
from tcpsim.host.census import Census, Left
from tcpsim.host.limits import Restart, usual_limits
from tcpsim.host.population import Plan, simulate
from tcpsim.host.socket_accounting import usage
from tcpsim.measure.census_table import first_met, used

_STEADY = 1.1  # more than this times what the first half of a run used is growth, not chance


class Met(NamedTuple):
    """One limit of the host: what it has of a resource, the most that is asked for, when that is too much."""

    resource: str
    amount: int
    wanted: int
    met_us: int | None


class Exhaustion(NamedTuple):
    """`met_us`: when the limit was met, None if it was not. `peak`: the most that was in use at once.

    `needs`: what would have been enough. `leaking`: connections keep some of it for ever, so that any limit
    is met in the end. `growing`: the second half of the run asked for more than the first, so that nothing is
    said of a longer run. `refused`: connections that were turned away, or lost what they had;
    `waiting`: the most that were in the accept queue at once. `limits`: all that the host has, what is met
    first before the others.
    """

    met_us: int | None
    peak: int
    needs: int
    leaking: bool
    growing: bool
    refused: int
    waiting: int
    limits: tuple[Met, ...]


class Ran(NamedTuple):
    """A run as the host is, one on a host with plenty (the same if nothing ran out), and the judgement."""

    plan: Plan
    census: Census
    plenty: Census
    found: Exhaustion


def run_out(
    chosen: Workload,
    fixed: Mapping[str, Any] | None = None,
    per_second: float | None = None,
    lasts_us: int | None = None,
    seed: int = 1,
    restarts: Sequence[Restart] = (),
) -> Ran:
    """Run a workload, see what its host runs out of, and ask what a larger one would have needed."""
    asked = fixed, per_second, lasts_us, seed, restarts
    plan = chosen.plan(*asked)
    census = simulate(plan)
    met = _when(census, chosen.limit) is not None
    plenty = simulate(chosen.plan(*asked, plenty=True)) if met else census
    return Ran(plan, census, plenty, _judge(chosen, plan, census, plenty))


def _when(census: Census, limit: Limit) -> int | None:
    crash = census.crashed
    return first_met(census, limit.side, limit.resource, limit.amount) if crash is None else crash.t_us


def _judge(chosen: Workload, plan: Plan, census: Census, plenty: Census) -> Exhaustion:
    limit = chosen.limit
    t_us, value = used(plenty, limit.side, limit.resource)
    early = value[t_us <= plenty.horizon_us // 2]
    refused = census.refused[f"{limit.side} {limit.resource}"]
    return Exhaustion(
        met_us=_when(census, limit),
        peak=int(used(census, limit.side, limit.resource)[1].max()),
        needs=int(value.max()),
        leaking=any(_keeps(plenty, left, limit) for left in plenty.left),
        growing=int(value.max()) > _STEADY * int(early.max()),
        refused=refused + (census.crashed.connections if census.crashed else 0),
        waiting=0 if limit.side == "middlebox" else int(used(census, limit.side, "backlog")[1].max()),
        limits=_all_limits(chosen, plan, plenty),
    )


def _all_limits(chosen: Workload, plan: Plan, plenty: Census) -> tuple[Met, ...]:
    """Everything that the host of the story has, as if it could not run out, in the order of being met."""
    side = chosen.limit.side
    if side == "middlebox":
        wanted, met_us = int(used(plenty, side, "flows")[1].max()), _when(plenty, chosen.limit)
        return (Met("flows", chosen.limit.amount, wanted, met_us),)
    machine = plan.kinds[0][1].machine(side)
    given = {
        name.partition(".")[2]: amount
        for name, amount in chosen.limits.items()
        if means(name.partition(".")[0], side)
    }
    has = usual_limits(machine.system.end.stack, side)._replace(**given)
    found = [
        Met(name, amount, int(used(plenty, side, name)[1].max()), first_met(plenty, side, name, amount))
        for name, amount in has._asdict().items()
        if amount is not None
    ]
    return tuple(
        sorted(found, key=lambda each: (each.met_us is None, each.met_us, -each.wanted / each.amount))
    )


def _keeps(census: Census, left: Left, limit: Limit) -> bool:
    """Whether a connection holds some of the resource in the end, or still does when patience is over."""
    seen = census.views[left.now if left.finally_ is None else left.finally_]
    if limit.side == "middlebox":
        return False  # every flow is forgotten in the end
    return bool(getattr(usage(seen, limit.side), limit.resource))
