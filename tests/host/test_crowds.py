"""Hosts that run out: each population meets its limit when it says, or never; and what changes that."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tcpsim.errors import InputError
from tcpsim.host.census import Census
from tcpsim.host.crowds import CLUSTER_BYTES, Crowd, crowd, crowds
from tcpsim.host.population import simulate
from tcpsim.measure.exhaustion import Exhaustion, exhaustion
from tcpsim.measure.table import first_met, peaks
from tcpsim.scenario import changes
from tcpsim.units import parse_duration

KEPT = "persistent-connections"


def census_of(name: str, *fixes: str, per_second: float | None = None, lasts: str | None = None) -> Census:
    lasts_us = None if lasts is None else parse_duration(lasts)
    return simulate(crowd(name).plan(changes(fixes), per_second, lasts_us))


def judged(name: str, *fixes: str, per_second: float | None = None, lasts: str | None = None) -> Exhaustion:
    return exhaustion(census_of(name, *fixes, per_second=per_second, lasts=lasts), crowd(name).limit)


@pytest.mark.parametrize("chosen", crowds(), ids=lambda chosen: chosen.name)
def test_it_runs_out_as_it_says(chosen: Crowd) -> None:
    found = exhaustion(simulate(chosen.plan()), chosen.limit)
    if chosen.limit.met is None:
        assert found.met_us is None
        assert found.peak < chosen.limit.amount
    else:
        earliest, latest = map(parse_duration, chosen.limit.met)
        assert found.met_us is not None
        assert earliest <= found.met_us <= latest


@pytest.mark.parametrize("chosen", crowds(), ids=lambda chosen: chosen.name)
def test_it_is_documented(chosen: Crowd) -> None:
    assert len(chosen.story) > 80
    assert chosen.title
    assert chosen.watch


def test_a_larger_pool_makes_the_crash_later_not_never() -> None:
    """Half a buggy client a second, 512 bytes each: twice the pool, twice as long (and the others' share)."""
    census = census_of("mbufs-without-a-timer")
    assert exhaustion(census, crowd("mbufs-without-a-timer").limit).leaking
    met = [first_met(census, "server", "bytes", size * CLUSTER_BYTES) for size in (256, 512, 1024, 4096)]
    assert None not in met
    grown = [after - before for before, after in pairwise(met)]  # type: ignore[operator]
    second = 1_000_000
    assert grown == pytest.approx([size * 2 / 0.5 * second for size in (256, 512, 3072)], rel=0.1)


def test_with_a_timer_it_is_rate_times_timeout_against_the_pool() -> None:
    below, above = judged("mbufs-with-a-timer"), judged("mbufs-with-a-timer", per_second=2.0)
    assert (below.met_us, below.leaking, below.growing) == (None, False, False)
    assert above.met_us is not None
    assert not above.leaking
    assert above.peak == pytest.approx(2 * below.peak, rel=0.1)


def test_without_lingering_close_the_same_timer_is_enough() -> None:
    leaks = judged("mbufs-and-lingering-close", lasts="1h")
    assert leaks.leaking
    assert judged("mbufs-and-lingering-close", "no-lingering-close", lasts="1h").met_us is None
    assert judged("mbufs-and-lingering-close", "second-arm-point", lasts="1h").met_us is None


def test_what_saves_the_worker_and_what_does_not() -> None:
    plain = judged("openstack-chain")
    assert plain.refused > 1_000
    for fix in ("client-closes", "client-checks-sockets", "pool-idle=10s"):
        assert judged("openstack-chain", fix).refused == 0
    for fix in ("fin-timeout=1s", "keepalive=60s"):
        assert judged("openstack-chain", fix).refused == plain.refused
        assert judged("openstack-chain", fix).leaking


def test_the_worker_is_full_of_close_wait() -> None:
    rows = {
        (row["side"], row["state"]): row["count"] for row in peaks(census_of("openstack-chain")).to_dicts()
    }
    assert rows["client", "CLOSE-WAIT"] >= 1_018


def test_a_busy_server_needs_persistence() -> None:
    afresh, persistent = judged("pages-without-persistence"), judged("pages-without-persistence", KEPT)
    assert not afresh.leaking
    assert afresh.peak >= 11 * 59 * 512
    assert (persistent.met_us, persistent.leaking) == (None, False)
    assert persistent.peak < afresh.peak / 50


def test_ports_are_enough_for_as_many_as_leave_time_wait() -> None:
    """P ports and 60 s of TIME-WAIT: P / 60 connections a second, and no more."""
    assert judged("ports-by-time-wait", per_second=47.0).refused == 0
    made = 180 * 50 - judged("ports-by-time-wait").refused
    assert made == pytest.approx(180 / 60 * 2_823, rel=0.02)


def test_a_run_that_is_too_short_says_so() -> None:
    short = judged("mbufs-with-a-timer", lasts="5min")
    assert (short.met_us, short.growing) == (None, True)


def test_an_unknown_crowd_names_its_neighbours() -> None:
    expected = r"^crowd: found 'openstack' \(did you mean openstack-chain\?\), allowed: mbufs"
    with pytest.raises(InputError, match=expected):
        crowd("openstack")
