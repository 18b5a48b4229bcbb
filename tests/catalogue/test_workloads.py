"""Hosts that run out: each workload meets its limit when it says, or never; and what changes that."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import pytest

from tcpsim.catalogue import changes
from tcpsim.catalogue.workload import CLUSTER_BYTES, NEVER, Workload
from tcpsim.catalogue.workload_file import workload, workloads
from tcpsim.errors import InputError
from tcpsim.host.census import Census
from tcpsim.host.limits import Restart
from tcpsim.host.population import simulate
from tcpsim.measure.census_table import first_met, peaks, used
from tcpsim.measure.exhaustion import Exhaustion, Ran, run_out
from tcpsim.units import parse_duration

KEPT = "persistent-connections"


@cache
def ran(name: str, *fixes: str, per_second: float | None = None, lasts: str | None = None) -> Ran:
    lasts_us = None if lasts is None else parse_duration(lasts)
    return run_out(workload(name), changes(fixes), per_second, lasts_us)


def judged(name: str, *fixes: str, per_second: float | None = None, lasts: str | None = None) -> Exhaustion:
    return ran(name, *fixes, per_second=per_second, lasts=lasts).found


def times(chosen: Workload) -> tuple[str, str]:
    assert isinstance(chosen.after, tuple)
    return chosen.after


@pytest.mark.parametrize("chosen", workloads(), ids=lambda chosen: chosen.name)
def test_it_runs_out_as_it_says(chosen: Workload) -> None:
    if chosen.after == NEVER:
        found = judged(chosen.name)
        assert found.met_us is None
        assert found.peak < chosen.limit.amount
    else:
        earliest, latest = map(parse_duration, times(chosen))
        met_us = first_or_crash(simulate(chosen.plan(lasts_us=latest)), chosen)
        assert met_us is not None
        assert earliest <= met_us <= latest


@pytest.mark.parametrize(
    ("chosen", "fix"),
    [(each, fix) for each in workloads() for fix in (*each.cures, *each.in_vain)],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
def test_what_averts_it_and_what_does_not(chosen: Workload, fix: str) -> None:
    lasts_us = parse_duration(times(chosen)[1]) * 5 // 4
    met_us = first_or_crash(simulate(chosen.plan(changes([fix]), lasts_us=lasts_us)), chosen)
    assert (met_us is None) == (fix in chosen.cures)


def first_or_crash(census: Census, chosen: Workload) -> int | None:
    limit = chosen.limit
    if census.crashed is not None:
        return census.crashed.t_us
    return first_met(census, limit.side, limit.resource, limit.amount)


@pytest.mark.parametrize("chosen", workloads(), ids=lambda chosen: chosen.name)
def test_it_is_documented(chosen: Workload) -> None:
    assert len(chosen.story) > 80
    assert chosen.title
    assert chosen.watch


def test_a_larger_pool_makes_the_crash_later_not_never() -> None:
    """Half a buggy client a second, 512 bytes each: twice the pool, twice as long (and the others' share)."""
    one = ran("mbufs-without-a-timer")
    assert one.found.leaking
    met = [first_met(one.plenty, "server", "bytes", size * CLUSTER_BYTES) for size in (256, 512, 1024, 4096)]
    assert None not in met
    grown = [after - before for before, after in pairwise(met)]  # type: ignore[operator]
    second = 1_000_000
    assert grown == pytest.approx([size * 2 / 0.5 * second for size in (256, 512, 3072)], rel=0.1)


def test_with_a_timer_it_is_rate_times_timeout_against_the_pool() -> None:
    below, above = judged("mbufs-with-a-timer"), judged("mbufs-with-a-timer", per_second=2.0, lasts="40min")
    assert (below.met_us, below.leaking, below.growing) == (None, False, False)
    assert above.met_us is not None
    assert not above.leaking
    assert above.needs == pytest.approx(2 * below.peak, rel=0.1)
    larger = workload("mbufs-with-a-timer").with_limit(above.needs + 1)
    enough = run_out(larger, per_second=2.0, lasts_us=parse_duration("40min"))
    assert (enough.found.met_us, enough.census.crashed) == (None, None)


def test_a_crash_is_when_the_pool_is_used_up() -> None:
    """The acting limit and the count of a host with plenty agree; 128 octets are an mbuf."""
    one = ran("mbufs-without-a-timer")
    crash = one.census.crashed
    assert crash is not None
    assert crash.t_us == first_met(
        one.plenty, "server", "bytes", workload("mbufs-without-a-timer").limit.amount
    )
    assert crash.connections == pytest.approx(512, abs=2)
    assert one.census.refused["server bytes"] == one.census.connections - 948, "all that come later"
    assert used(one.census, "server", "bytes")[1][-1] == 0


def test_the_limits_are_told_in_the_order_of_being_met() -> None:
    first, *others = judged("openstack-chain", lasts="2h").limits
    assert (first.resource, first.amount, first.met_us) == ("descriptors", 1_021, 5_100_000_000)
    assert {each.resource for each in others} == {"ports", "orphans", "minis", "pages"}
    assert all(each.met_us is None for each in others)
    top, *rest = judged("abandoned-downloads").limits
    assert (top.resource, [each.met_us for each in rest]) == ("pages", [None] * 3)


def test_fin_wait_2_ties_up_no_worker_and_lingering_close_does() -> None:
    """Two seconds each at a hundred a second are 200 workers; without them FIN-WAIT-2 is nobody's."""
    lingering = judged("workers-and-lingering-close", lasts="10s")
    assert lingering.needs == 200
    assert lingering.waiting > 200, "and 25 more each second"
    one = ran("workers-and-lingering-close", "no-lingering-close", lasts="10s")
    assert used(one.census, "server", "workers")[1].max() <= 1
    states = {(row["side"], row["state"]): row["count"] for row in peaks(one.census).rows()}
    assert states["server", "FIN-WAIT-2"] == pytest.approx(1_000, abs=10)


def test_a_restart_every_hour_keeps_the_worker_alive() -> None:
    """The usual cure: 720 requests an hour, 1021 descriptors."""
    hour = 3_600_000_000
    found = run_out(workload("openstack-chain"), restarts=[Restart("client", hour, hour)])
    assert (found.found.met_us, found.found.refused, found.found.peak) == (None, 0, 720)
    assert [each.fates["FIN"] for each in found.census.restarts] == [720] * 3
    late = run_out(workload("openstack-chain"), restarts=[Restart("client", 2 * hour)])
    assert late.found.met_us == 5_100_000_000
    assert [count for count in late.census.restarts[0].fates.values() if count] == [1_021]


def test_without_lingering_close_the_same_timer_is_enough() -> None:
    assert judged("mbufs-and-lingering-close", lasts="30min").leaking
    for fix in ("no-lingering-close", "second-arm-point"):
        saved = judged("mbufs-and-lingering-close", fix, lasts="30min")
        assert (saved.met_us, saved.leaking) == (None, False)


def test_what_saves_the_worker_and_what_does_not() -> None:
    plain = judged("openstack-chain")
    assert plain.refused > 1_000
    for fix in ("fin-timeout=1s", "keepalive=60s"):
        assert judged("openstack-chain", fix).refused == plain.refused
        assert judged("openstack-chain", fix).leaking


def test_the_worker_is_full_of_close_wait() -> None:
    rows = {(row["side"], row["state"]): row["count"] for row in peaks(ran("openstack-chain").census).rows()}
    assert rows["client", "CLOSE-WAIT"] >= 1_018


def test_a_busy_server_needs_persistence() -> None:
    afresh, persistent = judged("pages-without-persistence"), judged("pages-without-persistence", KEPT)
    assert not afresh.leaking
    assert afresh.needs >= 11 * 59 * 512
    assert (persistent.met_us, persistent.leaking) == (None, False)
    assert persistent.peak < afresh.needs / 50


def test_ports_are_enough_for_as_many_as_leave_time_wait() -> None:
    """P ports and 60 s of TIME-WAIT: P / 60 connections a second, and no more."""
    assert judged("ports-by-time-wait", per_second=47.0).refused == 0
    made = 180 * 50 - judged("ports-by-time-wait").refused
    assert made == pytest.approx(180 / 60 * 2_823, rel=0.02)


def test_a_run_that_is_too_short_says_so() -> None:
    short = judged("mbufs-with-a-timer", lasts="5min")
    assert (short.met_us, short.growing) == (None, True)


def test_an_unknown_workload_names_its_neighbours() -> None:
    expected = r"^workload: found 'openstack' \(did you mean openstack-chain\?\), allowed: abandoned"
    with pytest.raises(InputError, match=expected):
        workload("openstack")
