"""Client hosts with a number of ports: what the next connection on a port meets."""

from __future__ import annotations

from math import exp, lgamma, log

import numpy as np
import pytest

from tcpsim.app import make
from tcpsim.catalogue import build, scenario
from tcpsim.errors import InputError
from tcpsim.host.census import Census
from tcpsim.host.limits import HostLimits, Limits, Restart
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.measure.census_table import at_times, first_met, held, over_time, used
from tcpsim.pair import Pair, new_pair
from tcpsim.path import make_path
from tcpsim.tcp.stack import stack
from tcpsim.tcp.state import State
from tests.host.worlds import LINUX, MINUTE, record, web

SECOND = 1_000_000
SERVES = "serves-one-by-one"


def crowded(
    pair: Pair, per_second: float, for_us: int, ports: int, clients: int = 1, **plan: object
) -> Census:
    arrivals = Arrivals(per_second, for_us=for_us, poisson=False)
    limits = Limits(client=HostLimits(ports=ports), clients=clients)
    return simulate(Plan(((1.0, pair),), arrivals, limits=limits, **plan))  # type: ignore[arg-type]


def at_end(census: Census, side: str) -> dict[str, int]:
    rows = over_time(census, census.horizon_us).rows()
    return {row["state"]: row["count"] for row in rows if row["t_s"] and row["count"] and row["side"] == side}


def test_time_wait_at_the_server_never_exceeds_the_ports() -> None:
    """The server closes first. 20 a second for 30 s leave 600 TIME-WAIT, if each client is a host."""
    pair = web("closes-on-eof")
    census = crowded(pair, 20, 30 * SECOND, ports=50)
    assert held(census, "server", State.TIME_WAIT)[1].max() <= 50
    assert at_end(census, "server")["TIME-WAIT"] >= 45
    assert not census.refused
    three = crowded(pair, 20, 30 * SECOND, ports=50, clients=3)
    assert 135 <= held(three, "server", State.TIME_WAIT)[1].max() <= 150
    alone = simulate(Plan(((1.0, pair),), Arrivals(20, for_us=30 * SECOND, poisson=False)))
    assert held(alone, "server", State.TIME_WAIT)[1].max() >= 595


def test_ports_are_used_in_turn_until_the_first_is_needed_again() -> None:
    """A hundredth of Windows' 16,384 ports at 200 a second: after 81.9 s each is in TIME-WAIT."""
    windows = web("closes-first", "closes-on-eof", client_stack=stack("windows"))
    census = crowded(windows, 2, 90 * SECOND, ports=164)
    assert first_met(census, "client", "ports", 164) == pytest.approx(81.9 * SECOND, rel=0.01)
    assert census.refused["client ports"] == 16, "those of the last eight seconds"


def left_at_the_server(client: str, server: str, gap_us: int, ports: int = 1) -> Census:
    programs = make("client", client), make("server", server)
    pair = new_pair(*programs, LINUX, LINUX, make_path(10_000))
    return crowded(pair, SECOND / gap_us, gap_us + 1, ports, settle_us=MINUTE)


def test_a_syn_that_meets_close_wait_is_challenged_and_clears_it() -> None:
    """As port-reuse-into-close-wait tells it of one pair: challenge ACK, RST, and another SYN."""
    census = left_at_the_server("closes-first", "never-closes", 3 * MINUTE)
    assert at_end(census, "server") == {"CLOSE-WAIT": 1, "CLOSED": 1}, "the first is dead, and still has a fd"
    alone = web("closes-first", "never-closes")
    arrivals = Arrivals(1 / 180, connections=2, poisson=False)
    apart = simulate(Plan(((1.0, alone),), arrivals, settle_us=MINUTE))
    assert at_end(apart, "server") == {"CLOSE-WAIT": 2}


def test_a_port_whose_connection_the_client_still_has_is_not_free() -> None:
    census = left_at_the_server("never-closes", "never-closes", 3 * MINUTE)
    assert census.refused == {"client ports": 1}
    assert at_end(census, "server") == {"ESTABLISHED": 1}


def test_a_dead_socket_has_no_port_although_a_program_holds_it() -> None:
    """The server resets because of unread data. The client's program keeps the dead socket."""
    census = left_at_the_server("never-closes", "leaves-unread", 3 * MINUTE)
    assert not census.refused
    assert at_end(census, "client") == {"CLOSED": 2}
    assert used(census, "client", "ports")[1].max() == 1


def test_a_program_of_several_connections_has_the_same_ports_again() -> None:
    """Three connections each, on six ports; the server closes first and has no more TIME-WAIT than that."""
    pair = build(
        scenario("normal-close"), client="fetches-page-afresh", parameters={"images": 2}, server=SERVES
    )
    census = crowded(pair, 0.5, 30 * SECOND, ports=6)
    assert held(census, "server", State.TIME_WAIT)[1].max() == 6


def test_a_server_that_waits_in_a_call_has_a_child_for_the_next_connection() -> None:
    """The server waits for a client that is gone, without an end; the next client is served all the same."""
    census = left_at_the_server("vanishes", "answers-until-eof", 3 * MINUTE)
    assert at_end(census, "server") == {"ESTABLISHED": 1}
    nobody = left_at_the_server("gives-up", "does-not-accept", 3 * MINUTE)
    assert not nobody.refused
    assert at_end(nobody, "server"), "what nobody accepts stays in the queue"


def test_a_vanished_client_comes_back_on_the_port_of_an_established_connection() -> None:
    """The server's half of the old connection is challenged: its client's RST ends it."""
    census = left_at_the_server("vanishes", "never-closes", 3 * MINUTE)
    assert at_end(census, "server") == {"ESTABLISHED": 1, "CLOSED": 1}
    _, there = held(census, "server", State.ESTABLISHED)
    assert there.max() == 1


def test_the_second_server_process_serves_while_the_first_one_holds_on() -> None:
    """Nobody resets a FIN-WAIT-2 with an owner but the SYN that meets it."""
    census = left_at_the_server("closes-and-vanishes", "half-closes", 3 * MINUTE)
    assert sum(at_end(census, "server").values()) <= 1


@pytest.mark.parametrize("room", [0, 50_000])
def test_what_is_remembered_of_lives_changes_no_result(room: int) -> None:
    pair = build(scenario("normal-close"), loss=0.05)
    arrivals = Arrivals(5, for_us=MINUTE)
    plan = Plan(((1.0, pair),), arrivals, limits=Limits(client=HostLimits(ports=20)), room=room, seed=4)
    assert record(simulate(plan)) == record(simulate(plan._replace(room=1_000)))


def test_workers_and_ports_together() -> None:
    """One process accepts; the next connection on a port gets a worker when one is free."""
    pair = web("closes-on-eof", "responds-then-closes")
    limits = Limits(HostLimits(workers=2), HostLimits(ports=5))
    census = simulate(
        Plan(
            ((1.0, pair),),
            Arrivals(5, for_us=20 * SECOND, poisson=False),
            limits=limits,
            settle_us=5 * SECOND,
        )
    )
    assert used(census, "server", "workers")[1].max() <= 2
    assert at_end(census, "server") == {"TIME-WAIT": 5}


@pytest.mark.parametrize(
    ("limits", "complaint"),
    [
        (lambda: Limits(clients=2), "clients: found 2, allowed: beside a limit on client.ports"),
        (lambda: Limits(clients=0), "clients: found 0, allowed: an integer >= 1"),
        (lambda: Limits(client=HostLimits(ports=5, descriptors=5), clients=2), "clients: found 2, allowed: "),
    ],
)
def test_hosts_without_ports_make_no_sense(limits: object, complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        limits()  # type: ignore[operator]
    assert str(caught.value).startswith(complaint)


def test_a_server_that_restarts_and_ports_that_are_used_again_are_one_too_many() -> None:
    limits = Limits(client=HostLimits(ports=5))
    with pytest.raises(InputError, match=r"^restarts: found of the server"):
        Plan(((1.0, web()),), Arrivals(1, connections=1), limits=limits, restarts=(Restart("server", 1),))


def test_time_wait_at_the_server_with_ports_used_again_is_as_computed() -> None:
    """Ports in turn, Poisson arrivals: of the last arrivals min(P, those within T) are in TIME-WAIT.

    A port is in TIME-WAIT at the server from d after its latest arrival until T later, or until the SYN
    of the next one is there. So the mean is E[min(N(T + d), P)] - rate x (d - s), s being the time that a
    SYN takes. The P ports are as many as come within T, where the minimum matters most.
    """
    pair, rate, ports, life_us = web("closes-on-eof"), 0.5, 30, 60 * SECOND
    one = simulate(Plan(((1.0, pair),), Arrivals(1, connections=1), settle_us=2 * MINUTE))
    t_us, there = held(one, "server", State.TIME_WAIT)
    begin_us = int(t_us[there == 1][0]) - int(one.t_us[0])
    assert int(t_us[-1]) - int(t_us[there == 1][0]) == life_us
    mean = _mean_of_least(rate * (life_us + begin_us) / SECOND, ports) - rate * (begin_us - 10_000) / SECOND
    found = []
    for seed in range(8):
        arrivals = Arrivals(rate, for_us=22 * MINUTE)
        plan = Plan(((1.0, pair),), arrivals, limits=Limits(client=HostLimits(ports=ports)), seed=seed)
        t_us, there = held(simulate(plan), "server", State.TIME_WAIT)
        at_us = np.arange(2 * MINUTE, 22 * MINUTE, SECOND)
        found.append(at_times(t_us, there, at_us).mean())
    error = np.std(found, ddof=1) / 8**0.5
    assert abs(np.mean(found) - mean) < 3.5 * error, "t(7), 99 %"
    assert abs(mean - ports) > 3.5 * error, "the bound alone would not do"
    assert abs(mean - rate * life_us / SECOND) > 3.5 * error


def _mean_of_least(expected: float, most: int) -> float:
    """E[min(N, most)] of a Poisson number."""
    chances = [exp(-expected + k * log(expected) - lgamma(k + 1)) for k in range(most)]
    return sum(k * p for k, p in enumerate(chances)) + most * (1 - sum(chances))
