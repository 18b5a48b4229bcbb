"""Simulated, drawn from the chain, expected exactly: three ways to one population.

Where nothing is left to chance (no loss, arrivals at even distances) the first two are equal.
Otherwise every count at several times is compared with its exact law, and all comparisons together may reject
a true model with a chance of 0.1 % (Holm 1979). A model with half as many losses again must be
rejected, or the test would prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tcpsim
from tcpsim.api.open_loss import opened
from tcpsim.catalogue import build, scenario, scenarios
from tcpsim.explore.chain import Chain
from tcpsim.explore.curves import Occupancy, occupancy
from tcpsim.explore.explorable import obstacle
from tcpsim.explore.growth import Stream
from tcpsim.explore.tolerance import explore_for, unexplored
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.measure import census_table
from tcpsim.measure.interval import clopper_pearson, holm
from tcpsim.measure.population_record import Record
from tcpsim.measure.sampled_census import SampledCensus, sampled
from tcpsim.pair import Side
from tcpsim.tcp.state import Holder, State
from tests.explore.worlds import FULL_QUEUE
from tests.host.test_closed_forms import leaver

LEVEL = 0.001
LOSS = 0.03
LOSSES = (LOSS, 0.003, 0.0003)  # of many segments the chain is large where losses are frequent
MINUTE_US = 60_000_000
QUICK = (
    "w1",
    "one-rst-stack",
    "keepalive-timeout-buggy-client",
    "closewait-ignored-eof",
    "unread-data-reset",
)
ALONE = [each.name for each in scenarios() if obstacle(build(each)) is None]

Kind = tuple[Side, State, Holder]


def _rows(record: Record) -> list[dict[str, Any]]:
    return [row for row in record.over_time.rows() if row["count"] or row["bytes"]]


def _even(name: str, method: Any, **more: Any) -> Record:
    told = {"rate": 7, "for_": "31s", "settle": "10min", "every": "13s", "fixed": True, "loss": 0} | more
    return tcpsim.population(name, method=method, **told).record


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(n, marks=pytest.mark.verify) for n in ALONE if n not in QUICK)]
)
def test_without_chance_a_draw_is_a_run(name: str) -> None:
    client = {"client": "never-closes"} if name == "w1" else {}  # its own one forgets at random
    ran = _even(name, "simulate", **client)
    asked = scenario(name)
    if asked.relays or ran.first_met_us:  # an accept queue is full, or the table of a middlebox
        shares = "whose flows are counted" if asked.middlebox != "none" else "may be met"
        with pytest.raises(tcpsim.InputError, match="machines between" if asked.relays else shares):
            _even(name, "sample", **client)
        return
    drawn, exact = (_even(name, method, **client) for method in ("sample", "exact"))
    assert _rows(ran) == _rows(drawn)
    assert drawn.connections == ran.connections == round(exact.connections)
    assert drawn.leaks.rows() == ran.leaks.rows()
    assert drawn.leaked == ran.leaked == pytest.approx(exact.leaked)
    assert {kind: both for kind, both in ran.now.items() if any(both)} == {
        kind: both for kind, both in drawn.now.items() if any(both)
    }
    told = [{**row, "count": 0, "bytes": 0, "low": 0, "high": 0} for row in exact.over_time.rows()]
    assert {census_key(row) for row in _rows(ran)} <= {census_key(row) for row in told}
    for row in exact.over_time.rows():
        mine = [each for each in _rows(ran) if census_key(each) == census_key(row)]
        assert row["count"] == pytest.approx(mine[0]["count"] if mine else 0), row
        assert row["low"] <= round(row["count"]) <= row["high"]


def census_key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["t_s"], row["side"], row["state"], row["holder"]


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("w1", {"client.descriptors": 90}),
        ("w1", {"client.descriptors": 1_000_000}),
    ],
)
def test_who_is_refused_is_refused_in_the_order_of_arrivals(name: str, limits: dict[str, int]) -> None:
    ran, drawn = (
        _even(name, method, limits=limits, for_="4min", rate=1, client="never-closes")
        for method in ("simulate", "sample")
    )
    assert _rows(ran) == _rows(drawn)
    assert drawn.refused == ran.refused
    assert drawn.first_met_us == ran.first_met_us
    assert drawn.leaks.rows() == ran.leaks.rows()
    if min(limits.values()) < 1_000:
        assert sum(drawn.refused.values()) > 0


class Model:
    """A scenario at a loss rate: its chain, and what one connection holds at each age."""

    def __init__(self, name: str, loss: float) -> None:
        pair, losses = opened(scenario(name), {"loss": loss})
        self.losses = {way: [rate] for way, rate in losses.items()}
        self.chain: Chain = explore_for(pair, self.losses, 1e-7, limit=30_000)
        self.pair = build(scenario(name), loss=loss)
        self.error = float(unexplored(self.chain, self.losses).max())

    def seen(self, until_us: int) -> Occupancy:
        return occupancy(self.chain, self.losses, until_us)


def _kinds(seen: Occupancy) -> list[Kind]:
    return sorted({(each.side, each.state, each.holder) for each in seen.kinds})


def _p_values(
    seen: Occupancy, rate: float, for_us: int, at_us: list[int], counts: dict[tuple[int, Kind], int]
) -> Iterator[float]:
    """How likely a count as far off as this is by its exact law, two-sided."""
    stream = Stream(rate, for_us)
    for kind in _kinds(seen):
        sizes = seen.sizes(lambda look, kind=kind: look.sockets(*kind, None))
        for t_us in at_us:
            law, count = stream.law(sizes, t_us, 0), counts.get((t_us, kind), 0)
            above = law.at_least(count)
            below = 1 - law.at_least(count + 1)
            yield min(1.0, 2 * min(above, below) + 1e-12)


def _ran(model: Model, rate: float, for_us: int, at_us: list[int], seed: int) -> dict[tuple[int, Kind], int]:
    plan = Plan(((1.0, model.pair),), Arrivals(rate, for_us=for_us), at_us[-1] - for_us, seed)
    return _counts(census_table.over_time(simulate(plan), at_us[0]).rows(), at_us)


def _drawn(
    model: Model, rate: float, for_us: int, at_us: list[int], seed: int
) -> dict[tuple[int, Kind], int]:
    census = _sampled(model, rate, for_us, at_us, seed)
    kinds = census_table.kinds(census.views)
    counts = {kind: census.totals(census_table.counted(census.views, kind)) for kind in kinds}
    return _counts(census_table.table(census.at_us, counts, counts).rows(), at_us)


def _sampled(model: Model, rate: float, for_us: int, at_us: list[int], seed: int) -> SampledCensus:
    return sampled(
        model.chain, model.losses, Arrivals(rate, for_us=for_us), at_us[-1] - for_us, seed, at_us[0]
    )


def _counts(rows: list[dict[str, Any]], at_us: list[int]) -> dict[tuple[int, Kind], int]:
    states = {str(each): each for each in State}
    holders = {str(each): each for each in Holder}
    return {
        (round(row["t_s"] * 1_000_000), (row["side"], states[row["state"]], holders[row["holder"]])): row[
            "count"
        ]
        for row in rows
        if round(row["t_s"] * 1_000_000) in at_us
    }


def _rejected(p_values: list[float]) -> list[float]:
    return [p_values[at] for at in holm(p_values, LEVEL)]


def _compare(name: str, runs: int, draws: int) -> None:
    model = next(model for loss in LOSSES if (model := Model(name, loss)).error < 1e-4)
    for_us = 5 * MINUTE_US
    at_us = [MINUTE_US * each for each in (1, 4, 7, 10)]
    seen = model.seen(at_us[-1])
    p_values: list[float] = []
    for counted, number in ((_ran, runs), (_drawn, draws)):
        rate = number / 300
        counts = counted(model, rate, for_us, at_us, 5)
        p_values += _p_values(seen, rate, for_us, at_us, counts)
    assert len(p_values) > 20
    assert not _rejected(p_values)


@pytest.mark.parametrize("name", QUICK)
def test_runs_and_draws_have_the_exact_law(name: str) -> None:
    _compare(name, 1_500, 100_000)


@pytest.mark.verify
@pytest.mark.parametrize("name", [name for name in ALONE if name not in FULL_QUEUE])
def test_every_scenario_has_the_exact_law(name: str) -> None:
    _compare(name, 6_000, 300_000)


def test_a_draw_at_another_loss_is_rejected() -> None:
    truth, other = Model("w1", LOSS), Model("w1", LOSS * 1.5)
    at_us = [MINUTE_US, 4 * MINUTE_US, 7 * MINUTE_US]
    counts = _drawn(other, 1_000, 5 * MINUTE_US, at_us, 5)
    assert _rejected(list(_p_values(truth.seen(at_us[-1]), 1_000, 5 * MINUTE_US, at_us, counts)))


@pytest.mark.parametrize(("p", "retries"), [(0.05, 2), (0.3, 2), (0.3, 8), (0.6, 3)])
def test_a_draw_has_the_closed_form(p: float, retries: int) -> None:
    many = 1_000_000
    rates = {"to client": [p], "to server": [p]}
    chain = explore_for(leaver(p, retries), rates, 1e-9)
    census = sampled(chain, rates, Arrivals(10_000, connections=many), 60 * MINUTE_US, 11, MINUTE_US)
    h = p ** (retries + 1)
    g = (1 - (1 - p) ** 2) ** (retries + 1)
    for state, share in ((State.CLOSE_WAIT, p * (1 - g) + g - h), (State.ESTABLISHED, h)):
        hits = sum(
            count
            for left, count in census.left.items()
            if left.finally_ is not None
            and any(one.state is state for one in census.views[left.finally_].client)
        )
        low, high = clopper_pearson(hits, many, confidence=0.999)
        assert low <= share <= high, (state, share, low, high)


def test_the_grid_changes_no_life() -> None:
    coarse, fine = (_every(every) for every in ("100s", "1s"))
    assert coarse.left == fine.left
    for kind in census_table.kinds(coarse.views):
        worth = census_table.counted(coarse.views, kind)
        assert (coarse.totals(worth) == fine.totals(worth)[::100]).all()
        assert coarse.at_most(worth) >= fine.at_most(worth) >= fine.totals(worth).max()


def _every(every: str) -> SampledCensus:
    model = Model("w1", 0.1)
    step_us = 1_000_000 * int(every.removesuffix("s"))
    return sampled(model.chain, model.losses, Arrivals(300, for_us=600_000_000), 0, 3, step_us)


def test_the_method_is_chosen_and_told() -> None:
    few = tcpsim.population("w1", rate=5, for_="1min")
    assert (few.method, "few enough" in few.record.why) == ("simulate", True)
    many = tcpsim.population("w1", rate=500, for_="1min")
    assert many.method == "sample"
    assert "method sample: 30,000 connections share nothing" in many.text()
    shared = tcpsim.population("w1", rate=500, for_="1min", limits={"server.backlog": 5})
    assert (shared.method, "server.backlog" in shared.record.why) == ("simulate", True)
    met = tcpsim.population(
        "w1",
        rate=2_000,
        for_="6s",
        stack_server={"linux": "linux"}["linux"],
        knobs={"server.tcp_max_orphans": 3},
    )
    assert (met.method, "orphans may be met" in met.record.why) == ("simulate", True)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"jitter": "uniform(1ms,2ms)"}, "method: found sample, with jitter"),
        ({"limits": {"server.workers": 3}}, "method: found sample, with a limit on server.workers"),
        ({"knobs": {"server.tcp_max_orphans": 1}}, "orphans may be met"),
    ],
)
def test_what_cannot_be_drawn_is_said(more: dict[str, Any], complaint: str) -> None:
    with pytest.raises(tcpsim.InputError, match=complaint):
        tcpsim.population("w1", rate=100, for_="1min", method="sample", **more)


def test_births_have_their_law() -> None:
    """A day of two rates: what comes in each part of it."""
    many = tcpsim.population(
        "normal-close",
        rate=20,
        for_="2d",
        daily="6h=0.5,18h=1.5",
        every="6h",
        method="sample",
        client="never-closes",
    )
    held = [row["count"] for row in many.table() if (row["side"], row["state"]) == ("client", "CLOSE-WAIT")]
    come = np.diff(held)
    expected = [20 * 3600 * 6 * factor for factor in (1.5, 0.5, 0.5, 1.5, 1.5, 0.5, 0.5, 1.5)]
    assert np.abs((come - expected) / np.sqrt(expected)).max() < 4
    exact = tcpsim.population(
        "normal-close",
        rate=20,
        for_="2d",
        daily="6h=0.5,18h=1.5",
        every="6h",
        method="exact",
        client="never-closes",
    )
    told = [row["count"] for row in exact.table() if (row["side"], row["state"]) == ("client", "CLOSE-WAIT")]
    assert np.diff(told) == pytest.approx(expected, rel=1e-4)
