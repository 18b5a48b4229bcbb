"""Browsers: page times that can be counted by hand, connections opened, and who answers a FIN when."""

from __future__ import annotations

from typing import Any

import pytest

from tcpsim.host.browser import HANGS_UP, NEVER, QUITS, SOUND, WITH_NEXT, Browsers, Habit
from tcpsim.host.census import Census
from tcpsim.host.limits import HostLimits, Limits, Restart
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.measure.census_table import over_time, peaks, used
from tcpsim.path import Fixed
from tests.host.worlds import MINUTE, ordered, record

MS = 1_000


def browse(
    users: Browsers, visits: int = 1, settle_us: int = 5 * MINUTE, limits: Limits | None = None, **world: Any
) -> Census:
    """A visit every second, on a server that knows how many requests it answers on a connection."""
    pair = ordered(parameters={"server.requests": users.requests}, **world)
    arrivals = Arrivals(1, connections=visits, poisson=False)
    return simulate(Plan(((1.0, pair),), arrivals, settle_us, limits=limits or Limits(), users=users))


def held(census: Census, side: str, t_us: int) -> dict[str, int]:
    """Sockets of a side by state at a time."""
    rows = over_time(census, t_us).to("polars").filter(side=side, t_s=t_us / 1_000_000)
    found: dict[str, int] = {}
    for row in rows.filter(rows["count"] > 0).to_dicts():
        found[row["state"]] = found.get(row["state"], 0) + row["count"]
    return found


@pytest.mark.parametrize(
    ("parallel", "requests", "connections", "took_ms"),
    [
        (1, 100, 1, 1_200),  # a handshake, and eleven requests in turn
        (2, 100, 2, 800),  # two round trips for the page; the first carries 6 of the images, the second 4
        (4, 100, 4, 600),  # ten images in 1 + 4 + 4 + 1, as the other three come up a round trip later
        (1, 1, 11, 2_200),  # KeepAlive Off: two round trips for each
        (4, 1, 11, 800),  # and in rounds of four
        (1, 4, 3, 1_400),  # MaxKeepAliveRequests 4: eleven take three connections
    ],
)
def test_a_page_takes_as_many_round_trips_as_one_counts(
    parallel: int, requests: int, connections: int, took_ms: int
) -> None:
    census = browse(Browsers(images=10, parallel=parallel, requests=requests))
    assert list(census.experience.took_us) == [took_ms * MS]
    assert census.experience.outcomes == ["complete"]
    assert census.connections == connections


def test_a_second_page_takes_the_connections_that_are_there() -> None:
    """Within KeepAliveTimeout; beyond it they are found closed, and opened anew."""
    soon = browse(Browsers(pages=2, reads=Fixed(10_000_000)))
    late = browse(Browsers(pages=2, reads=Fixed(60_000_000)))
    assert (soon.connections, list(soon.experience.took_us)) == (4, [600 * MS, 400 * MS])
    assert (late.connections, list(late.experience.took_us)) == (8, [600 * MS, 600 * MS])
    assert not soon.experience.stumbles
    assert not late.experience.stumbles


@pytest.mark.parametrize(
    ("habit", "after_20_s", "after_70_s", "in_the_end"),
    [
        # the server closes each after 15 s; a second page is wanted at 60 s, and read until 120 s
        (SOUND, {"TIME-WAIT": 4}, {"ESTABLISHED": 4, "TIME-WAIT": 4}, {}),
        (WITH_NEXT, {"FIN-WAIT-2": 4}, {"ESTABLISHED": 4, "TIME-WAIT": 4}, {"FIN-WAIT-2": 4}),
        (NEVER, {"FIN-WAIT-2": 4}, {"ESTABLISHED": 4, "FIN-WAIT-2": 4}, {"FIN-WAIT-2": 8}),
        (QUITS, {"FIN-WAIT-2": 4}, {"ESTABLISHED": 4, "FIN-WAIT-2": 4}, {}),
        (HANGS_UP, {"FIN-WAIT-2": 4}, {"ESTABLISHED": 4, "FIN-WAIT-2": 4}, {"FIN-WAIT-2": 8}),
    ],
    ids=lambda value: value.name if isinstance(value, Habit) else None,
)
def test_what_a_habit_leaves_on_a_server_without_a_timer(
    habit: Habit, after_20_s: dict[str, int], after_70_s: dict[str, int], in_the_end: dict[str, int]
) -> None:
    users = Browsers(pages=2, reads=Fixed(60_000_000), habits=((1.0, habit),))
    knobs = {"server.fin_wait_2_us": "none"}
    census = browse(users, settle_us=10 * MINUTE, stack_server="4.4bsd", knobs=knobs)
    for t_us, expected in ((21_000_000, after_20_s), (70_000_000, after_70_s), (10 * MINUTE, in_the_end)):
        assert held(census, "server", t_us) == expected


def test_a_buggy_client_holds_its_own_end_for_ever() -> None:
    census = browse(Browsers(habits=((1.0, NEVER),)), visits=5)
    assert held(census, "client", census.horizon_us) == {"CLOSE-WAIT": 20}
    assert held(browse(Browsers(habits=((1.0, SOUND),)), visits=5), "client", 5 * MINUTE) == {}


def test_an_idle_connection_ties_up_a_worker_and_a_dead_one_does_not() -> None:
    """Prefork: a worker is a connection's until KeepAliveTimeout and two seconds of lingering are over."""
    census = browse(Browsers(habits=((1.0, NEVER),)), limits=Limits(HostLimits(workers=50)))
    t_us, busy = used(census, "server", "workers")
    assert busy.max() == 4
    over_us = t_us[busy.nonzero()[0][-1] + 1]
    assert 17_400 * MS < over_us < 17_700 * MS
    assert held(census, "server", 20_000_000) == {"FIN-WAIT-2": 4}


def test_too_few_workers_make_pages_wait_for_the_timeout_of_others() -> None:
    """Four workers are one browser's; the next one's page comes when KeepAliveTimeout frees them."""
    tight = browse(Browsers(), visits=2, limits=Limits(HostLimits(workers=4)))
    first, second = tight.experience.took_us
    assert first == 600 * MS
    assert 14_000 * MS < second < 25_000 * MS
    wide = browse(Browsers(), visits=2, limits=Limits(HostLimits(workers=8)))
    assert set(wide.experience.took_us) == {600 * MS}


def test_a_browser_asks_again_when_a_connection_fails() -> None:
    """The server closes at the instant of the next page: nobody could have known."""
    census = browse(Browsers(images=0, pages=2, reads=Fixed(14_950_000)))
    assert census.experience.stumbles == {("EOF", True): 1}
    assert census.experience.outcomes == ["complete", "complete"]


def test_without_the_page_nobody_asks_for_its_images() -> None:
    census = browse(Browsers(), settle_us=30 * MINUTE, loss_to_client=1.0)
    assert census.experience.outcomes == ["incomplete"]
    assert census.connections == 1


def test_a_browser_that_abandons_connections_can_be_killed_as_a_whole() -> None:
    """A terminal server: all browsers on one host, whose processes an operator ends."""
    plan = Plan(
        ((1.0, ordered()),),
        Arrivals(1, connections=3, poisson=False),
        5 * MINUTE,
        limits=Limits(client=HostLimits(descriptors=100)),
        restarts=(Restart("client", MINUTE),),
        users=Browsers(habits=((1.0, NEVER),), pages=2),
    )
    census = simulate(plan)
    assert held(census, "client", 59_000_000) == {"CLOSE-WAIT": 24}
    assert held(census, "client", census.horizon_us) == {}


def test_lost_segments_make_some_pages_slow() -> None:
    clean, lossy = (browse(Browsers(), visits=20, loss=loss) for loss in (0.0, 0.03))
    assert set(clean.experience.took_us) == {600 * MS}
    assert max(lossy.experience.took_us) > 1_000 * MS
    assert set(lossy.experience.outcomes) == {"complete"}


def test_the_same_seed_is_the_same_run_and_memory_changes_nothing() -> None:
    users = Browsers(habits=((0.5, SOUND), (0.5, QUITS)), pages=2)
    pair = ordered(loss=0.05)
    arrivals = Arrivals(1, connections=4)
    runs = [
        simulate(Plan(((1.0, pair),), arrivals, MINUTE, seed=seed, users=users, room=room))
        for seed, room in ((1, 50_000), (1, 0), (2, 50_000))
    ]
    same, other = (
        (record(one), list(one.experience.took_us)) == (record(runs[0]), list(runs[0].experience.took_us))
        for one in runs[1:]
    )
    assert same
    assert not other


def test_peaks_count_every_connection_of_a_browser() -> None:
    census = browse(Browsers(parallel=6), visits=3, settle_us=MINUTE)
    top = {(row["side"], row["state"]): row["count"] for row in peaks(census).rows()}
    assert top["client", "ESTABLISHED"] == 18
