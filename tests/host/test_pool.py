"""A client's pool: who gets which connection, who waits, what a stale one costs, what stays bounded."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tcpsim.app.driven import Order
from tcpsim.catalogue import build, scenario
from tcpsim.errors import InputError
from tcpsim.host.browser import SOUND, Browsers
from tcpsim.host.census import Census
from tcpsim.host.connection_owner import Quit, Tell, Users
from tcpsim.host.limits import HostLimits, Limits, Restart
from tcpsim.host.pool import PoolConfig, Requests
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.host.shared_history import Act
from tcpsim.measure.census_table import used
from tcpsim.pair import FIRST_PID, Kill, Pair, advance, call
from tcpsim.path import Quiet
from tests.host.test_browser import held
from tests.host.worlds import MINUTE, ordered

MS, S = 1_000, 1_000_000


def ask(
    requests: Requests,
    per_second: float,
    count: int,
    settle_us: int = 5 * MINUTE,
    limits: Limits | None = None,
    pair: Pair | None = None,
    **keep_alive: Any,
) -> Census:
    """Requests at equal distances, to a server with a KeepAliveTimeout of 15 s unless it is another."""
    chosen = pair or ordered(parameters={f"server.{name}": value for name, value in keep_alive.items()})
    arrivals = Arrivals(per_second, connections=count, poisson=False)
    return simulate(Plan(((1.0, chosen),), arrivals, settle_us, limits=limits or Limits(), users=requests))


def outcomes(census: Census) -> Counter[str]:
    return Counter(census.experience.outcomes)


def test_one_connection_is_enough_for_requests_in_turn() -> None:
    census = ask(Requests(), 1, 20)
    assert census.connections == 1
    assert list(census.experience.took_us) == [200 * MS] + [100 * MS] * 19


def test_as_several_connections_as_requests_at_once_up_to_its_size() -> None:
    """A hundred a second, a tenth of a second each: ten at once, and more while the first come up."""
    wide, tight = ask(Requests(PoolConfig(size=50)), 100, 300), ask(Requests(PoolConfig(size=4)), 100, 300)
    assert 10 <= wide.connections <= 21
    assert max(wide.experience.took_us) == 200 * MS
    assert tight.connections == 4
    assert max(tight.experience.took_us) > 4 * S  # 300 requests, 40 a second
    assert outcomes(tight) == {"answered": 300}


def test_who_waits_too_long_for_a_connection_is_told_so() -> None:
    census = ask(Requests(PoolConfig(size=1, patience_us=S)), 20, 60)
    told = [took for took, what in zip(census.experience.took_us, census.experience.outcomes, strict=True)
            if what == "no connection"]  # fmt: skip
    assert told
    assert set(told) == {S}
    assert outcomes(census) == {"answered": 60 - len(told), "no connection": len(told)}


def test_the_last_one_given_back_is_the_first_to_be_taken() -> None:
    """Four a second, which rarely need more than two: the rest grows old."""
    plan = Plan(((1.0, ordered()),), Arrivals(4, for_us=2 * MINUTE), users=Requests())
    census = simulate(plan)
    at_once = [held(census, "client", second * S) for second in range(40, 120, 10)]
    assert all(1 <= sockets["ESTABLISHED"] <= 4 for sockets in at_once)
    assert any(sockets.get("CLOSE-WAIT", 0) >= 1 for sockets in at_once)


def test_a_stale_connection_that_nobody_looked_at_is_an_error() -> None:
    """Every 20 s, KeepAliveTimeout 15 s: each request finds the connection closed."""
    blind = ask(Requests(PoolConfig(checks=False)), 1 / 20, 10)
    assert outcomes(blind) == {"answered": 5, "EOF": 5}  # an error, and the next one opens anew
    assert blind.experience.stumbles == {("EOF", True): 5}
    again = ask(Requests(PoolConfig(checks=False, tries=2)), 1 / 20, 10)
    assert outcomes(again) == {"answered": 10}
    assert again.experience.stumbles == {("EOF", True): 9}


def test_a_look_before_use_saves_all_but_what_is_on_its_way() -> None:
    """The FIN takes 50 ms: a request within that time before its arrival is lost, looked at or not."""
    assert outcomes(ask(Requests(), 1 / 20, 10)) == {"answered": 10}
    # the server's 15 s end 50 ms before the client's
    racing = ask(Requests(), 1 / 15.12, 3)
    assert outcomes(racing)["EOF"] == 1


def test_a_pool_that_closes_sooner_than_the_server_has_no_trouble() -> None:
    census = ask(Requests(PoolConfig(checks=False, idle_us=10 * S)), 1 / 20, 10)
    assert outcomes(census) == {"answered": 10}
    assert not census.experience.stumbles
    assert held(census, "client", 12 * S) == {"TIME-WAIT": 1}
    assert held(census, "server", 18 * S) == {}


def test_the_idle_time_begins_anew_with_each_use() -> None:
    census = ask(Requests(PoolConfig(idle_us=10 * S)), 1 / 9, 10)
    assert census.connections == 1


def test_a_pool_that_looks_now_and_then_holds_no_close_wait_for_long() -> None:
    census = ask(Requests(PoolConfig(looks_us=5 * S)), 1, 1)
    assert held(census, "client", 16 * S) == {"CLOSE-WAIT": 1}
    assert held(census, "client", 21 * S) == {}


def test_close_wait_in_one_pool_is_bounded_and_in_a_pool_for_each_request_it_is_not() -> None:
    shared, each = (ask(Requests(shared=shared), 1 / 20, 30) for shared in (True, False))
    assert held(shared, "client", shared.horizon_us) == {"CLOSE-WAIT": 1}
    assert held(each, "client", each.horizon_us) == {"CLOSE-WAIT": 30}


def test_a_pool_for_each_request_runs_out_of_descriptors() -> None:
    limits = Limits(client=HostLimits(descriptors=20))
    census = ask(Requests(shared=False), 1, 50, limits=limits)
    assert outcomes(census) == {"answered": 20, "no socket": 30}
    assert used(census, "client", "descriptors")[1].max() == 20


def test_connections_that_are_not_given_back_hang_the_application() -> None:
    """Every caller forgets: after ten there is nothing to hand out, for ever."""
    census = ask(Requests(forgets=1.0), 1, 50)
    assert outcomes(census) == {"answered": 10}
    assert census.experience.waiting == 40
    assert held(census, "client", census.horizon_us) == {"CLOSE-WAIT": 10}
    impatient = ask(Requests(PoolConfig(patience_us=30 * S), forgets=1.0), 1, 50)
    assert outcomes(impatient) == {"answered": 10, "no connection": 40}


def test_a_server_that_is_not_there_is_an_error_for_each() -> None:
    deaf = ordered(loss_to_client=1.0)
    census = ask(Requests(PoolConfig(size=2)), 1, 4, settle_us=30 * MINUTE, pair=deaf)
    assert outcomes(census) == {"ETIMEDOUT": 4}


def test_a_restarted_worker_loses_its_pool_and_builds_another() -> None:
    """Killed with a request out: that one fails, the others have the connections of a new process."""
    pair = ordered()
    plan = Plan(
        ((1.0, pair),),
        Arrivals(1, connections=20, poisson=False),
        5 * MINUTE,
        limits=Limits(client=HostLimits(descriptors=100)),
        restarts=(Restart("client", 10_050_000),),
        users=Requests(),
    )
    census = simulate(plan)
    assert outcomes(census) == {"answered": 19, "killed": 1}
    assert census.connections == 2
    again = simulate(plan._replace(users=Requests(PoolConfig(tries=2))))
    assert outcomes(again) == {"answered": 20}


def test_a_restart_gives_forgotten_connections_back() -> None:
    restarts = (Restart("client", 30 * S, 30 * S),)
    plan = Plan(
        ((1.0, ordered()),),
        Arrivals(1, connections=60, poisson=False),
        limits=Limits(client=HostLimits(descriptors=100)),
        users=Requests(forgets=1.0),
    )
    assert outcomes(simulate(plan)) == {"answered": 10}
    assert outcomes(simulate(plan._replace(restarts=restarts)))["answered"] == 20


@pytest.mark.parametrize("act", [Tell(Order.ASK), Tell(Order.CLOSE), Quit()])
def test_the_dead_take_no_orders(act: Act) -> None:
    pair = ordered()
    for _ in range(3):
        pair = advance(pair, Quiet())
    pair = call(pair, "client", Kill(FIRST_PID), pair.now_us, Quiet())
    assert act(pair, pair.now_us, Quiet()) is pair


def test_a_response_that_says_it_is_the_last_is_believed_before_the_fin_comes() -> None:
    """The FIN is lost and comes again; until then the connection looks alive, and is not used."""
    pair = ordered(parameters={"server.requests": 1}, drops=("server FIN 1",))
    told = ask(Requests(PoolConfig(size=1, requests=1)), 5, 20, pair=pair)
    untold = ask(Requests(PoolConfig(size=1, requests=None)), 5, 20, pair=pair)
    assert outcomes(told) == {"answered": 20}
    assert not told.experience.stumbles
    assert untold.experience.stumbles


@pytest.mark.parametrize(
    ("make", "client", "complaint"),
    [
        (lambda: Requests(PoolConfig(size=0)), "obeys", "pool.size: found 0, allowed: an integer"),
        (
            lambda: Requests(PoolConfig(looks_us=0)),
            "obeys",
            "pool.looks_us: found 0, allowed: a time",
        ),
        (lambda: Browsers(parallel=0), "obeys", "pool.size: found 0, allowed: an integer"),
        (
            lambda: Browsers(images=-1),
            "obeys",
            "browsers: found (-1, 1), allowed: images",
        ),
        (
            lambda: Browsers(habits=((0.5, SOUND),)),
            "obeys",
            "habits: found [0.5], allowed: weights from 0 to 1",
        ),
        (lambda: Requests(forgets=1.5), "obeys", "forgets: found 1.5, allowed: a number from 0 to 1"),
        (
            lambda: Requests(),
            "never-closes",
            "users: found a client that takes no orders, allowed: the behaviour obeys",
        ),
    ],
)
def test_users_that_make_no_sense_are_refused(make: Callable[[], Users], client: str, complaint: str) -> None:
    pair = build(scenario("normal-close"), client=client, server="httpd")
    with pytest.raises(InputError, match=re.escape(complaint)):
        simulate(Plan(((1.0, pair),), Arrivals(1, connections=1), users=make()))
