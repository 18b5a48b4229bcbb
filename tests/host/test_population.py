"""Arrivals, the census of a population, memory, and Little's law."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from statistics import fmean

import pytest

from tcpsim.errors import InputError
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.host.socket_accounting import usage
from tcpsim.measure.census_table import over_time, peaks, used
from tcpsim.pair import Pair
from tcpsim.path import Uniform
from tcpsim.tcp.stack import stack
from tcpsim.tcp.state import State
from tests.host.worlds import MINUTE, record, run, web

SOUND = web("closes-on-eof")


def test_fixed_arrivals_come_like_clockwork() -> None:
    assert list(Arrivals(10, connections=4, poisson=False).times_us(1)) == [0, 100_000, 200_000, 300_000]
    assert list(Arrivals(3, for_us=1_000_000, poisson=False).times_us(1)) == [0, 333_333, 666_667]


def test_poisson_arrivals_have_their_rate_and_its_spread() -> None:
    times = list(Arrivals(50, connections=20_000).times_us(7))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = fmean(gaps)
    assert mean == pytest.approx(20_000, rel=0.03)
    assert fmean((gap - mean) ** 2 for gap in gaps) == pytest.approx(
        mean**2, rel=0.06
    )  # as for an exponential


def test_more_arrivals_change_no_earlier_one() -> None:
    assert list(Arrivals(50, connections=5).times_us(1)) == list(Arrivals(50, connections=9).times_us(1))[:5]
    assert list(Arrivals(50, connections=5).times_us(1)) != list(Arrivals(50, connections=5).times_us(2))


def test_time_wait_obeys_littles_law() -> None:
    """N = rate x time: 20 connections a second, each 60 s in TIME-WAIT on the side that closed first."""
    census = run(SOUND, Arrivals(20, for_us=5 * MINUTE, poisson=False))
    table = over_time(census, every_us=10_000_000).to("polars")
    held = table.filter((table["side"] == "server") & (table["state"] == "TIME-WAIT") & (table["t_s"] > 120))
    assert set(held["count"]) == {1_200}
    random = over_time(run(SOUND, Arrivals(20, for_us=30 * MINUTE)), every_us=1_000_000).to("polars")
    held = random.filter(
        (random["side"] == "server") & (random["state"] == "TIME-WAIT") & (random["t_s"] > 120)
    )
    assert fmean(held["count"]) == pytest.approx(1_200, rel=0.02)


def test_the_table_is_the_record_at_its_times() -> None:
    census = run(web(loss=0.1), Arrivals(10, connections=100), settle_us=MINUTE)
    table = over_time(census, every_us=7_000_000).to("polars")
    for t_s in (0, 7, 14, 35, 63):
        now: list[int] = []
        for t_us, before, after in zip(census.t_us, census.before, census.after, strict=True):
            if t_us <= t_s * 1_000_000:
                if before:
                    now.remove(before)
                now.append(after)
        held = [one for view in now for one in census.views[view].server]
        row = table.filter((table["t_s"] == t_s) & (table["side"] == "server"))
        assert row["count"].sum() == len(held)
        assert row["bytes"].sum() == sum(one.bytes for one in held)


def test_peaks_and_usage_are_exact() -> None:
    slow = web("closes-on-eof", "keep-alive-timeout")
    census = run(slow, Arrivals(1, connections=10, poisson=False), settle_us=2 * MINUTE)
    top = {(row["side"], row["state"]): row for row in peaks(census).rows()}
    assert top["server", "TIME-WAIT"]["count"] == 10
    assert top["client", "ESTABLISHED"]["count"] == 10
    t_us, count = used(census, "server", "descriptors")
    assert count.max() == 10
    assert count[-1] == 0
    assert 24_000_000 < t_us[count.nonzero()[0][-1] + 1] < 25_000_000  # TIME-WAIT holds no descriptor


def test_bytes_are_those_of_the_stacks_memory_model() -> None:
    memory = stack("linux").memory
    census = run(web("never-closes"), Arrivals(10, connections=5), settle_us=MINUTE * 5)
    last = [row for row in over_time(census, every_us=census.horizon_us).rows() if row["t_s"] > 0]
    held = {(row["side"], row["state"]): row for row in last if row["count"]}
    assert held.keys() == {("client", "CLOSE-WAIT")}
    assert held["client", "CLOSE-WAIT"]["bytes"] == 5 * memory.owned


def test_kinds_are_drawn_by_weight_and_seed() -> None:
    kinds = ((0.75, web("closes-on-eof")), (0.25, web("never-closes")))
    census = simulate(Plan(kinds, Arrivals(50, connections=2_000), settle_us=5 * MINUTE, seed=3))
    leaked = sum(census.left.values())
    assert leaked == pytest.approx(500, abs=4 * (2_000 * 0.25 * 0.75) ** 0.5)
    again = simulate(Plan(kinds, Arrivals(50, connections=2_000), settle_us=5 * MINUTE, seed=3))
    assert record(again) == record(census)
    other = simulate(Plan(kinds, Arrivals(50, connections=2_000), settle_us=5 * MINUTE, seed=4))
    assert record(other) != record(census)


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    arrivals = Arrivals(20, connections=100)
    short, long = (run(web(loss=0.2), arrivals, settle_us=minutes * MINUTE) for minutes in (1, 9))
    cut = [change for change in record(long)[0] if change[0] <= short.horizon_us]  # type: ignore[attr-defined]
    assert cut == record(short)[0]


@pytest.mark.parametrize(
    "pair",
    [
        web("never-closes", loss=0.01),
        web("never-closes", jitter=Uniform(0, 5_000)),  # no two lives are the same
        web("keepalive-never-closes", server_stack=stack("rfc9293"), loss=0.01),  # and none ever ends
    ],
)
def test_a_leaked_socket_costs_little_memory(pair: Pair) -> None:
    """At most 2 KiB per leaked connection."""

    def kept(connections: int) -> int:
        tracemalloc.start()
        census = run(pair, Arrivals(200, connections=connections), settle_us=2 * MINUTE, room=500)
        gc.collect()  # SimPy's environment, its processes and its queue refer to each other
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert sum(census.left.values()) == connections
        return size

    kept(50)  # what is made once: imports, caches
    assert (kept(600) - kept(200)) / 400 < 2_048


def test_a_parked_connection_has_no_process() -> None:
    """A day of nothing after the last change costs no event."""
    pair = web("never-closes")
    minute, day = (
        run(pair, Arrivals(50, connections=200), settle_us=us) for us in (3 * MINUTE, 1_440 * MINUTE)
    )
    assert day.computed + day.recalled == minute.computed + minute.recalled


def test_nobody_comes() -> None:
    census = run(SOUND, Arrivals(0.001, for_us=1_000_000))
    assert census.connections == 0
    assert len(over_time(census, every_us=100_000)) == 0
    assert len(peaks(census)) == 0
    assert used(census, "server", "descriptors")[1].tolist() == [0]


def test_progress_reaches_the_horizon() -> None:
    told: list[tuple[int, int]] = []
    plan = Plan(((1.0, SOUND),), Arrivals(10, connections=20), settle_us=MINUTE)
    quiet = simulate(plan)
    census = simulate(plan, progress=lambda now_us, horizon_us: told.append((now_us, horizon_us)))
    assert record(census) == record(quiet)
    assert told[-1] == (census.horizon_us, census.horizon_us)
    assert [now_us for now_us, _ in told] == sorted(now_us for now_us, _ in told)


def test_a_vanished_machine_holds_nothing() -> None:
    census = run(web("vanishes", "never-closes"), Arrivals(10, connections=5), settle_us=MINUTE)
    (left,) = census.left
    assert census.views[left.now].client == ()
    assert [one.state for one in census.views[left.now].server] == [State.ESTABLISHED]
    assert usage(census.views[left.now], "server").descriptors == 1


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Plan(((1.0, SOUND),), Arrivals(0, connections=1)), "rate: found 0, allowed: a number"),
        (
            lambda: Plan(((1.0, SOUND),), Arrivals(10_001, connections=1)),
            "rate: found 10001, allowed: .*up to 10,000",
        ),
        (lambda: Plan(((1.0, SOUND),), Arrivals(5)), "arrivals: found no end, allowed: a count"),
        (lambda: Plan(((0.5, SOUND),), Arrivals(5, connections=1)), "kinds: found .*add up to 1"),
        (lambda: Arrivals("5", connections=1), "rate: found '5', allowed: a number"),  # type: ignore[arg-type]
        (lambda: Arrivals(5, connections=-1), "arrivals.connections: found -1, allowed: an integer >= 0"),
        (lambda: Plan((), Arrivals(5, connections=1)), "kinds: found .*add up to 1"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(make: Callable[[], object], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        make()
