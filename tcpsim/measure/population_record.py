"""What a population comes to, found in one of three ways: simulated, drawn from a chain, or expected exactly.

Owns: the choice among the three, and one record for all of them: sockets over time, high-water marks, how
each stands at the horizon, who was refused. Refuses to know: how each way works (host, sampled_census,
expected_census), words and pictures (api, draw).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from tcpsim.errors import InputError
from tcpsim.explore.branch import Steps
from tcpsim.explore.chain import LIMIT, Chain
from tcpsim.explore.explorable import obstacle
from tcpsim.explore.tolerance import explore_for, unexplored
from tcpsim.host.census import Census
from tcpsim.host.full_box import PLACE
from tcpsim.host.limits import HostLimits, Limits, own_limits, with_backlog
from tcpsim.host.population import Plan, simulate
from tcpsim.measure import census_table
from tcpsim.measure.expected_census import expected
from tcpsim.measure.leaks import leaked_connections, leaks
from tcpsim.measure.results import Table
from tcpsim.measure.sampled_census import REFUSING, SampledCensus, may_meet, sampled
from tcpsim.pair import SIDES, Pair
from tcpsim.path.path import tracker

Method = Literal["auto", "exact", "sample", "simulate"]
METHODS: Final = ("auto", "exact", "sample", "simulate")
ASKED: Final = "asked for"
FEW: Final = 10_000  # connections; so many are run one by one where the method is chosen here
_LEAST_STATES: Final = 200
_MOST_TOLERANCE, _LEAST_TOLERANCE = 1e-5, 1e-9
Losses = Mapping[str, float]  # by class of loss
Progress = Callable[[int, int], None]


class Record(NamedTuple):
    """A population. Of an exact one counts are expected numbers, with the 99 % band of each time.

    `over_time` has the columns t_s, side, state, holder, count, bytes (and low, high); `now` are the same
    at the horizon, by side, state and holder; `peaks` the largest counts. `refused`, `first_met_us` and
    `crashed` are by side and resource. `flows` are those that a middlebox remembers, by state; `dropped` is
    how many segments it dropped when full. `error`: the probability of coming to a state that was not
    explored.
    """

    method: str
    why: str
    connections: float
    over_time: Table
    now: Mapping[Any, tuple[float, float]]
    peaks: Table
    leaks: Table
    leaked: float
    limits: Limits
    flows: tuple[Mapping[str, Any], ...]
    refused: Mapping[str, int]
    dropped: int
    first_met_us: Mapping[str, int]
    crashed: str | None
    states: int | None
    error: float | None


class Setup(NamedTuple):
    """A population to be found: the plan, and the same connection with its loss left open, and its rates."""

    plan: Plan
    open_pair: Pair
    losses: Losses
    every_us: int


def found(setup: Setup, method: Method, progress: Progress | None = None) -> tuple[Record, Census | None]:
    """The record; and the census of changes, where the population was simulated.

    Raises:
        InputError: a method that cannot be used for this population.
    """
    why_not = _obstacle(setup)
    if method == "auto":
        expected_count = setup.plan.arrivals.expected()
        if why_not is None and expected_count > FEW:
            record = _drawn_if_possible(setup)
            if isinstance(record, Record):
                return record, None
            why = record
        else:
            why = why_not or f"about {expected_count:,.0f} connections are few enough to run each"
        return _simulated(setup, why, progress)
    if method == "simulate":
        return _simulated(setup, ASKED, progress)
    if why_not is not None:
        raise InputError("method", f"{method}, with {why_not}", "simulate or auto")
    record = _expected(setup) if method == "exact" else _drawn(setup, LIMIT, ASKED)
    if isinstance(record, str):
        raise InputError("method", f"{method}, where {record}", "simulate or auto")
    return record, None


def _obstacle(setup: Setup) -> str | None:
    """What connections share, or draw from a continuum, so that they have to be run; None: nothing."""
    if len(setup.plan.kinds) > 1 or setup.plan.users is not None:
        return "several kinds of connections, or users who open them"
    drawn = obstacle(setup.open_pair)
    if drawn is not None:
        return drawn
    if setup.open_pair.relays:
        return "machines between, whose hosts only a simulation counts"
    if tracker(setup.open_pair.path) is not None:
        return "a middlebox, whose flows are counted"
    own = _own(setup.plan)
    for side in SIDES:
        for resource, limit in setup.plan.limits.of(side)._asdict().items():
            if limit is not None and resource == "ports":
                return "a limit on client.ports: a port that is used again meets what the server still has"
            refuses = side == "client" and resource in REFUSING
            if limit is not None and not refuses and limit != getattr(own.of(side), resource):
                return f"a limit on {side}.{resource}, which makes connections wait or ends them"
    return None


def _own(plan: Plan) -> Limits:
    """What the kernels of the two sides limit by themselves."""
    pair = plan.kinds[0][1]
    return Limits(own_limits(pair.server.system.end.stack))


def _limits(plan: Plan) -> Limits:
    """The limits of the plan, and the accept queue that its server has."""
    return with_backlog(plan.limits, plan.kinds[0][1])


def _simulated(setup: Setup, why: str, progress: Progress | None) -> tuple[Record, Census]:
    plan = setup.plan
    census = simulate(plan, progress)
    at_horizon = census_table.over_time(census, census.horizon_us).rows()
    met: dict[str, int] = {}
    for side in census.limits.sides:
        for resource, limit in census.limits.of(side)._asdict().items():
            met_us = None if limit is None else census_table.first_met(census, side, resource, limit)
            if met_us is not None:
                met[f"{side} {resource}"] = met_us
    flows = census.limits.flows
    full_us = None if flows is None else census_table.first_met(census, "middlebox", "flows", flows)
    if full_us is not None:
        met[PLACE] = full_us
    crash = census.crashed
    if crash is not None:
        met[f"{crash.side} {crash.resource}"] = crash.t_us
    record = Record(
        method="simulate",
        why=why,
        connections=census.connections,
        over_time=_with_flows(census, setup.every_us),
        now={kind_of(row): (row["count"], row["bytes"]) for row in at_horizon if row["t_s"]},
        peaks=census_table.peaks(census),
        leaks=leaks(census),
        leaked=leaked_connections(census),
        limits=census.limits,
        flows=tuple(census_table.flow_peaks(census)),
        refused=dict(sorted(census.refused.items())),
        dropped=census.dropped,
        first_met_us=met,
        crashed=None if crash is None else f"{crash.side} {crash.resource}",
        states=None,
        error=None,
    )
    return record, census


def _with_flows(census: Census, every_us: int) -> Table:
    """Sockets over time and, behind them, the flows of a middlebox."""
    sockets = census_table.over_time(census, every_us)
    flows = census_table.flows_over_time(census, every_us)
    return Table.of_rows([*sockets.rows(), *flows.rows()]) if len(flows) else sockets


def _drawn_if_possible(setup: Setup) -> Record | str:
    """Drawn, or why it is better simulated: a state costs about what running a connection costs."""
    count = setup.plan.arrivals.expected()
    limit = int(min(LIMIT, max(count / 2, FEW)))
    return _drawn(setup, limit, f"{count:,.0f} connections share nothing, and a chain has their futures")


def _drawn(setup: Setup, limit: int, why: str) -> Record | str:
    """Drawn from the chain; or a limit that might have been met, in words."""
    plan, arrivals = setup.plan, setup.plan.arrivals
    chain, losses, error = _explored(setup, limit)
    if error > 10 * _tolerance(setup) and limit < LIMIT:
        return f"more than {limit:,} states would have to be explored"
    census = sampled(
        chain, {name: [rate] for name, rate in losses.items()}, arrivals, plan.settle_us, plan.seed,
        setup.every_us, plan.limits,
    )  # fmt: skip
    limits = _limits(plan)
    met = may_meet(census, limits)
    if met is not None:
        return f"the limit on {met} may be met"
    kinds = census_table.kinds(census.views)
    counts = {kind: census.totals(census_table.counted(census.views, kind)) for kind in kinds}
    sizes = {kind: census.totals(census_table.weighed(census.views, kind)) for kind in kinds}
    return Record(
        method="sample",
        why=why,
        connections=census.connections,
        over_time=census_table.table(census.at_us, counts, sizes),
        now=_at_horizon(census, kinds),
        peaks=_peaks(census.at_us, counts),
        leaks=leaks(census),
        leaked=leaked_connections(census),
        limits=limits,
        flows=(),
        refused=dict(sorted(census.refused.items())),
        dropped=0,
        first_met_us=census.first_met_us,
        crashed=None,
        states=census.states,
        error=error,
    )


def _tolerance(setup: Setup) -> float:
    """Of ten such populations one is expected to have a connection that comes to what is not explored."""
    return float(np.clip(0.1 / max(setup.plan.arrivals.expected(), 1), _LEAST_TOLERANCE, _MOST_TOLERANCE))


def _explored(
    setup: Setup, limit: int, tolerance: float | None = None
) -> tuple[Chain, dict[str, float], float]:
    """The chain, the rates of all its classes of loss, and how likely it is to leave it."""
    given = {name: [rate] for name, rate in setup.losses.items()}
    losses = {each.name: [each.p] for each in Steps(setup.open_pair).classes} | given
    chain = explore_for(
        setup.open_pair, losses, _tolerance(setup) if tolerance is None else tolerance, limit,
        at_least=_LEAST_STATES,
    )  # fmt: skip
    mine = {each.name: losses[each.name][0] for each in chain.classes}
    error = float(unexplored(chain, {name: [rate] for name, rate in mine.items()}).max(initial=0.0))
    return chain, mine, error


def _at_horizon(
    census: SampledCensus, kinds: Sequence[census_table.Kind]
) -> dict[census_table.Kind, tuple[float, float]]:
    """What is held at the horizon, which need not be a time of the grid."""
    found: dict[census_table.Kind, tuple[float, float]] = {}
    for kind in kinds:
        number = census_table.counted(census.views, kind)
        size = census_table.weighed(census.views, kind)
        totals = [
            sum(worth[each.now] * times for each, times in census.left.items()) for worth in (number, size)
        ]
        found[kind] = (totals[0], totals[1])
    return found


def _peaks(at_us: Any, counts: Mapping[census_table.Kind, Any]) -> Table:
    rows = [
        (*kind, series[place := int(np.argmax(series))].item(), float(at_us[place] / 1_000_000))
        for kind, series in counts.items()
    ]
    return Table.of_rows(
        [dict(zip(census_table.PEAKS, row, strict=True)) for row in rows], census_table.PEAKS
    )


def _expected(setup: Setup) -> Record | str:
    plan = setup.plan
    if plan.limits.client is not None and any(
        getattr(plan.limits.client, each) is not None for each in HostLimits._fields
    ):
        return "a limit on the clients' host refuses some of them"
    limits = _limits(plan)
    chain, losses, error = _explored(setup, LIMIT, 1e-9)
    told = expected(
        chain, {name: [rate] for name, rate in losses.items()}, plan.arrivals, plan.settle_us, setup.every_us,
        limits,
    )  # fmt: skip
    if told.may_meet is not None:
        return f"the limit on {told.may_meet} may be met"
    return Record(
        method="exact",
        why=ASKED,
        connections=plan.arrivals.expected(),
        over_time=census_table.table(told.at_us, told.mean, told.bytes, told.low, told.high),
        now=told.now,
        peaks=_peaks(told.at_us, told.mean),
        leaks=told.leaks,
        leaked=told.leaked,
        limits=limits,
        flows=(),
        refused={},
        dropped=0,
        first_met_us={},
        crashed=None,
        states=chain.states,
        error=error,
    )


def kind_of(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Side, state and holder of a row."""
    return row["side"], row["state"], row["holder"]
