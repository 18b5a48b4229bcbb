"""Two dumps of a leak of known rate: rate and time to the limit lie in their intervals as often as said."""

from __future__ import annotations

import random

import pytest

from tcpsim.diagnosis.growth import CONFIDENCE, grown, poisson_interval, reaches, time_to
from tcpsim.diagnosis.host import Host
from tcpsim.dumps import read
from tcpsim.host.population import Arrivals
from tcpsim.measure.interval import clopper_pearson

_LINE = 'CLOSE-WAIT 1 0 192.0.2.10:8080 198.51.{}.{}:{} users:(("app",pid=7,fd={}))\n'
_LISTEN = 'LISTEN 0 128 0.0.0.0:8080 0.0.0.0:* users:(("app",pid=7,fd=3))\n'
CASES = 100


def dump(births: list[int], at_us: int) -> Host:
    """What `ss -tanop` shows of all connections that began by then."""
    lines = [
        _LINE.format(n >> 8 & 255, n & 255, 1024 + n % 60_000, 10 + n)
        for n, t_us in enumerate(births)
        if t_us <= at_us
    ]
    return Host(read(_LISTEN + "".join(lines)))


@pytest.mark.parametrize(("per_second", "limit"), [(0.5, 1024), (20.0, 4096)])
def test_rates_and_times_lie_in_their_intervals(per_second: float, limit: int) -> None:
    """The first dump at a minute, the second at two; then the limit is met when it is."""
    rates = times = 0
    for seed in range(CASES):
        births = list(Arrivals(per_second, connections=limit).times_us(seed))
        first, second = dump(births, 60_000_000), dump(births, 120_000_000)
        (group,) = grown(first, second, 60_000_000)
        rates += group.interval[0] <= per_second <= group.interval[1]
        (reach,) = [
            each for each in reaches(first, second, 60_000_000, {"nofile": limit}) if each.limit == "nofile"
        ]
        real_us = births[limit - 3 - 1 - 1] - 120_000_000  # the connection that takes the last descriptor
        assert reach.latest_us is not None
        times += reach.earliest_us <= real_us <= reach.latest_us
    low, high = clopper_pearson(round(CASES * CONFIDENCE), CASES, 0.999)
    assert low * CASES <= rates
    assert low * CASES <= times
    assert min(rates, times) < CASES, f"an interval that always holds is too wide (not more than {high})"


def test_what_comes_and_goes_is_bounded() -> None:
    luck = random.Random(3)
    lives = [
        (t_us, t_us + round(luck.expovariate(1 / 30) * 1e6))
        for t_us in Arrivals(5, for_us=400_000_000).times_us(1)
    ]

    def at(t_us: int) -> Host:
        lines = [
            _LINE.format(n >> 8 & 255, n & 255, 1024 + n % 60_000, 10 + n)
            for n, (born, gone) in enumerate(lives)
            if born <= t_us < gone
        ]
        return Host(read(_LISTEN + "".join(lines)))

    (group,) = grown(at(300_000_000), at(330_000_000), 30_000_000)
    assert group.bounded is True
    assert group.interval[0] < 0 < group.interval[1]
    assert group.plateau == pytest.approx(150, rel=0.3)  # five a second, thirty seconds each


def test_the_interval_of_a_count() -> None:
    """Garwood's table."""
    for count, low, high in ((0, 0.0, 3.689), (1, 0.025, 5.572), (10, 4.795, 18.390), (100, 81.36, 121.63)):
        found = poisson_interval(count)
        assert found[0] == pytest.approx(low, abs=0.01)
        assert found[1] == pytest.approx(high, abs=0.01)
    assert poisson_interval(100_000) == pytest.approx((99_381, 100_622), abs=10)


def test_times_where_nothing_grows() -> None:
    assert time_to(100, 5, 5, 60) is None
    assert time_to(0, 5, 0, 60) == (0.0, 0.0, 0.0)
    early, usual, late = time_to(100, 50, 10, 60) or (0, 0, 0)
    assert early < usual == 150 < (late or 1e9)
