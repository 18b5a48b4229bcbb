"""Many connections: laws against elementary sums, growth against closed forms and against simulation."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest

from tcpsim.catalogue import build, scenario
from tcpsim.errors import InputError
from tcpsim.explore.chain import explore
from tcpsim.explore.count_distribution import independent, poisson, poisson_bands
from tcpsim.explore.curves import Look, occupancy
from tcpsim.explore.growth import (
    Arrivals as Coming,
)
from tcpsim.explore.growth import (
    Given,
    Stream,
    Varying,
    descriptors,
    evenly,
    growth,
    likely_met,
    time_to,
)
from tcpsim.explore.over_time import over_time as held_over_time
from tcpsim.host.population import Arrivals
from tcpsim.measure.census_table import over_time
from tcpsim.pair import Pair, Side
from tcpsim.tcp.state import Holder, State
from tests.explore.worlds import WEEK_US, both_close, leaver
from tests.host.worlds import run as populate

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US


def _poisson(mean: float, count: int) -> float:
    return math.exp(-mean + count * math.log(mean) - math.lgamma(count + 1))


@pytest.mark.parametrize("mean", [0.001, 3.0, 400.0])
def test_poisson_law(mean: float) -> None:
    law = poisson({1: mean})
    assert law.probability.sum() == pytest.approx(1, abs=1e-13)
    for count in range(law.low, law.low + len(law.probability)):
        assert law.probability[count - law.low] == pytest.approx(_poisson(mean, count), abs=1e-13)


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99, 0.999])
def test_a_band_leaves_out_no_more_than_it_says_on_each_side(confidence: float) -> None:
    low, high = poisson({1: 40.0}).between(confidence)
    tail = (1 - confidence) / 2
    at_most = [math.fsum(_poisson(40.0, count) for count in range(last + 1)) for last in range(100)]
    assert at_most[low - 1] < tail <= at_most[low]
    assert at_most[high - 1] < 1 - tail <= at_most[high]


@pytest.mark.parametrize("confidence", [0.5, 0.99, 0.999999])
def test_the_bands_of_many_laws_are_those_of_each(confidence: float) -> None:
    means = np.array([0.0, 1e-12, 0.3, 7.25, 7.25, 1e3, 0.02, 123_456.7, 3e6])
    known = [poisson({1: mean}).between(confidence) if mean else (0, 0) for mean in means.tolist()]
    assert poisson_bands(means, confidence).tolist() == [list(each) for each in known]


@pytest.mark.parametrize(
    "coming",
    [
        Stream(50),
        Stream(50, 1_234_567),
        Varying(((0, 300_001, 10), (300_001, 9_000_000, 70))),
        evenly(5, 8_000_000),
    ],
)
def test_a_table_of_times_is_that_of_the_whole_curves(coming: Coming) -> None:
    """A table reads its curves at a few ages; `growth` alone has the curves as they are."""
    seen = occupancy(explore(both_close(0.1)), [0.01, 0.2], 60_000_000)
    at_us = np.array([0, 30_000, 345_678, 2_000_000, 60_000_000])
    found = held_over_time(seen, at_us.tolist(), coming)
    for place, (side, state) in enumerate(found.sockets):
        known = growth(seen, coming, partial(_in_state, side, state), at_us)
        assert found.mean[place] == pytest.approx(known.mean, rel=1e-9, abs=1e-12)
        assert (found.low[place] == known.low).all() if found.low is not None else False
        assert (found.high[place] == known.high).all() if found.high is not None else False


def _in_state(side: Side, state: State, look: Look) -> int:
    return look.sockets(side, state, None, None)


def test_connections_that_count_for_several() -> None:
    law = poisson({2: 3.0, 6: 1.0})
    assert (law.low, law.unit) == (0, 2)
    eight = sum(_poisson(3.0, twos) * _poisson(1.0, sixes) for twos, sixes in ((4, 0), (1, 1)))
    assert law.probability[4] == pytest.approx(eight, abs=1e-14)
    assert law.at_least(7) == pytest.approx(law.at_least(8), abs=0)


def test_given_connections_are_a_product_of_polynomials() -> None:
    law = independent(np.array([30, 50]), np.array([1, 2]), np.array([[0.2, 0.1], [0.5, 0.0]]))
    product = np.ones(1)
    for factor, power in (([0.7, 0.2, 0.1], 30), ([0.5, 0.5], 50)):
        for _ in range(power):
            product = np.convolve(product, factor)
    assert np.abs(law.probability[: len(product)] - product).max() < 1e-14


def test_several_connections_are_binomial() -> None:
    law = independent(np.array([5_000]), np.array([1]), np.array([[0.3]]))
    for count in (1_300, 1_500, 1_612):
        log = math.lgamma(5_001) - math.lgamma(count + 1) - math.lgamma(5_001 - count)
        binomial = math.exp(log + count * math.log(0.3) + (5_000 - count) * math.log(0.7))
        assert law.probability[count - law.low] == pytest.approx(binomial, abs=1e-12)


def test_a_law_of_certain_things() -> None:
    assert poisson({}).between(0.99) == (0, 0)
    assert independent(np.array([7]), np.array([1]), np.array([[1.0]])).between(0.99) == (7, 7)


def test_littles_law_holds() -> None:
    """Once arrivals have lasted longer than any minute of FIN-WAIT-2 its mean is rate times time held."""
    seen = occupancy(explore(leaver(0.1, 3)), [0.0, 0.1], DAY_US)
    held = seen.of("server", State.FIN_WAIT_2)
    mean = Stream(50.0).mean(held, np.array([3_600 * SECOND_US]))[0]
    assert mean == pytest.approx(held.integral_us(DAY_US) * 50e-6, rel=1e-12)
    after = Stream(50.0, for_us=60 * SECOND_US).mean(held, np.array([3_600 * SECOND_US]))[0]
    assert after == pytest.approx([0, 0], abs=1e-12)


def test_even_arrivals_are_counted_one_by_one() -> None:
    seen = occupancy(explore(leaver(0.1, 3)), [0.1], DAY_US)
    held = seen.of("server", State.FIN_WAIT_2)
    arrivals = evenly(4.0, 10 * SECOND_US)
    assert arrivals.at_us.tolist() == [250_000 * number for number in range(40)]
    for t_us in (0, 350_000, 9 * SECOND_US, 65 * SECOND_US):
        one_by_one = sum(float(held.at(t_us - at)[0]) for at in arrivals.at_us.tolist())
        assert arrivals.mean(held, np.array([t_us]))[0, 0] == pytest.approx(one_by_one, abs=1e-12)
        law = arrivals.law({1: held}, t_us, 0)
        values = law.low + np.arange(len(law.probability))
        assert float(values @ law.probability) == pytest.approx(one_by_one, abs=1e-12)


def test_a_given_number_at_once_is_binomial() -> None:
    seen = occupancy(explore(leaver(0.1, 3)), [0.3], DAY_US)
    p = float(seen.of("client", State.CLOSE_WAIT).at(DAY_US)[0])
    arrivals = Given(np.zeros(20, dtype=np.int64))
    law = arrivals.law({1: seen.of("client", State.CLOSE_WAIT)}, DAY_US, 0)
    for count in range(21):
        binomial = math.comb(20, count) * p**count * (1 - p) ** (20 - count)
        assert law.probability[count - law.low] == pytest.approx(binomial, abs=1e-14)


def test_the_time_to_a_limit_is_an_erlang_time() -> None:
    """A leak that all connections have from birth on: the nth arrival, whose law is a sum of exponentials."""
    seen = occupancy(explore(leaver(0.1, 3)), [0.1], DAY_US)
    arrivals, limit = Stream(1.0), 100
    (median_us,) = time_to(seen, arrivals, lambda look: 1, limit)
    assert median_us is not None
    erlang = 1 - sum(_poisson(median_us * 1e-6, count) for count in range(limit))
    assert erlang == pytest.approx(0.5, abs=1e-7)


def test_leaks_alone_fill_a_host_later_than_all_sockets_do() -> None:
    seen = occupancy(explore(leaver(0.1, 3)), [0.3], WEEK_US)
    arrivals = Stream(0.1)
    leaks = descriptors("client", for_ever=True)
    (median_us,) = time_to(seen, arrivals, leaks, 1_000)
    assert median_us is not None
    held, kept = (
        arrivals.mean(seen.curve(descriptors("client", ever)), np.array([WEEK_US])) for ever in (False, True)
    )
    passing = seen.of("client", fd=True).integral_us(WEEK_US) - seen.curve(leaks).integral_us(WEEK_US)
    assert (held - kept)[0] == pytest.approx(0.1e-6 * passing, rel=1e-9)
    assert passing[0] > 50_000_000  # of the minute until the RST is lost
    assert likely_met(seen, arrivals, leaks, 1_000, median_us)[0] >= 0.5
    assert likely_met(seen, arrivals, leaks, 1_000, median_us - 1)[0] < 0.5
    assert likely_met(seen, arrivals, descriptors("client"), 1_000, median_us)[0] > 0.5
    assert time_to(seen, arrivals, leaks, 10_000_000) == [None]


def _outside(pair: Pair, loss: float, rate: float, times_s: tuple[int, ...], even: bool = False) -> list[Any]:
    """What a simulated minute of arrivals counts outside the exact bands: 0.1 % for all (Bonferroni)."""
    for_us = 60 * SECOND_US
    at_us = np.array(times_s, dtype=np.int64) * SECOND_US
    seen = occupancy(explore(pair), [loss], int(at_us[-1]))
    arrivals = evenly(rate, for_us) if even else Stream(rate, for_us)
    settle_us = int(at_us[-1]) - for_us
    census = populate(pair, Arrivals(rate, for_us=for_us, poisson=not even), settle_us=settle_us, seed=5)
    rows = over_time(census, SECOND_US).rows()
    counted = {(int(row["t_s"]), row["side"], row["state"], row["holder"]): row["count"] for row in rows}
    kinds = sorted({(kind.side, kind.state, kind.holder) for kind in seen.kinds})
    confidence = 1 - 0.001 / (len(kinds) * len(times_s))
    outside = []
    for kind in kinds:
        found = growth(seen, arrivals, partial(_sockets, kind), at_us, confidence)
        for at, low, high in zip(times_s, found.low[:, 0].tolist(), found.high[:, 0].tolist(), strict=True):
            count = counted.get((at, kind[0], str(kind[1]), str(kind[2])), 0)
            if not low <= count <= high:
                outside.append((at, kind, low, count, high))
    return outside


def _sockets(kind: tuple[Side, State, Holder], look: Look) -> int:
    return look.sockets(*kind, None)


TIMES_S = (1, 5, 20, 60, 63, 80, 119)


@pytest.mark.parametrize("even", [False, True], ids=["Poisson", "even"])
def test_a_simulated_host_is_inside_the_band(even: bool) -> None:
    assert not _outside(both_close(0.1), 0.1, 20.0, TIMES_S, even)


def test_another_loss_is_found_out() -> None:
    """The band of 10 % does not hold what 40 % does: the test above can fail."""
    assert _outside(both_close(0.4), 0.1, 20.0, TIMES_S)


@pytest.mark.verify
@pytest.mark.parametrize("loss", [0.02, 0.1, 0.3])
@pytest.mark.parametrize(
    ("name", "client"),
    [
        ("one-rst-stack", "never-closes"),
        ("normal-close", "sometimes-forgets"),
        ("normal-close", "closes-on-eof"),
    ],
)
def test_scenarios_are_inside_their_bands_second_by_second(name: str, client: str, loss: float) -> None:
    """Linux on both sides, losses from the close on, for three minutes."""
    late: dict[str, Any] = {"parameters": {"server.delay": "1s"}, "loss_from": "500ms"}
    pair = build(scenario(name), client=client, loss=loss, **late)
    assert not _outside(pair, loss, 200.0, tuple(range(1, 181)))


@pytest.mark.parametrize("rate", [-1.0, math.nan, math.inf])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    seen = occupancy(explore(leaver(0.1, 1)), [0.3], DAY_US)
    at = {"value": descriptors("client")}
    asks = (
        partial(growth, at_us=np.array([DAY_US]), **at),
        partial(likely_met, limit=3, t_us=DAY_US, **at),
        partial(time_to, limit=3, **at),
    )
    for ask in asks:
        with pytest.raises(InputError, match="per_second"):
            ask(seen, Stream(rate))


def test_times_beyond_what_was_computed_are_refused() -> None:
    seen = occupancy(explore(leaver(0.1, 3)), [0.3], DAY_US)
    with pytest.raises(InputError, match="times from 0"):
        growth(seen, Stream(1.0), descriptors("client"), np.array([DAY_US + 1]))
