"""The definition of a leak, on populations whose end is known."""

from __future__ import annotations

from tcpsim.app import behaviour, close, connect, poll_for_eof, send, set_option
from tcpsim.app.program import Program
from tcpsim.catalogue import build, scenario
from tcpsim.host.census import Census
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.measure.leaks import leaked_connections, leaks
from tcpsim.pair import new_pair
from tcpsim.path import make_path
from tcpsim.tcp.stack import stack

HOUR = 3_600_000_000


def populate(client: str, settle_us: int, server_stack: str = "linux", connections: int = 7) -> Census:
    pair = new_pair(
        behaviour.make("client", client),
        behaviour.make("server", "responds-then-closes"),
        stack("linux"),
        stack(server_stack),
        make_path(10_000),
    )
    return simulate(Plan(((1.0, pair),), Arrivals(10, connections=connections), settle_us=settle_us))


def found(census: Census) -> set[tuple[str, str, str, int]]:
    return {(row["side"], row["state"], row["fate"], row["count"]) for row in leaks(census).rows()}


def test_a_sound_client_leaks_nothing() -> None:
    census = populate("closes-on-eof", HOUR)
    assert found(census) == set()
    assert leaked_connections(census) == 0


def test_time_wait_is_occupancy() -> None:
    census = populate("closes-on-eof", 10_000_000)
    assert found(census) == {("server", "TIME-WAIT", "occupancy", 7)}
    assert leaked_connections(census) == 0


def test_close_wait_under_a_program_that_ignores_it_is_permanent() -> None:
    census = populate("never-closes", HOUR)
    assert found(census) == {("client", "CLOSE-WAIT", "permanent", 7)}
    assert leaked_connections(census) == leaked_connections(census, "client") == 7
    assert leaked_connections(census, "server") == 0


def test_it_is_permanent_before_the_other_side_has_gone() -> None:
    """After 10 s the server's FIN-WAIT-2 has 50 s to go; no exit of the client's depends on it."""
    assert found(populate("never-closes", 10_000_000)) == {
        ("client", "CLOSE-WAIT", "permanent", 7),
        ("server", "FIN-WAIT-2", "occupancy", 7),
    }


def test_without_a_fin_wait_2_timeout_both_sides_are_permanent() -> None:
    census = populate("never-closes", HOUR, server_stack="rfc9293")
    assert found(census) == {
        ("client", "CLOSE-WAIT", "permanent", 7),
        ("server", "FIN-WAIT-2", "permanent", 7),
    }
    assert leaked_connections(census, "server") == 7


def test_keepalive_that_is_answered_for_ever_is_metastable() -> None:
    census = populate("keepalive-never-closes", 24 * HOUR, server_stack="rfc9293")
    assert {row[2] for row in found(census)} == {"metastable"}
    assert leaked_connections(census) == 7


def test_keepalive_that_meets_a_rst_leaves_a_dead_descriptor() -> None:
    census = populate("keepalive-never-closes", 24 * HOUR)
    assert found(census) == {("client", "CLOSED", "descriptor", 7)}
    assert leaked_connections(census) == 0


def test_polling_a_connection_that_only_one_side_believes_in_is_permanent() -> None:
    """All FINs of the server are lost and it gives up: the client's program polls on, TCP is at rest."""
    pair = build(scenario("all-fins-lost"), client="polls-its-socket")
    census = simulate(Plan(((1.0, pair),), Arrivals(10, connections=7), settle_us=24 * HOUR))
    assert found(census) == {("client", "ESTABLISHED", "permanent", 7)}
    assert census.computed + census.recalled < 7 * 200  # not one event per poll


def test_polling_does_not_hide_what_keepalive_will_find() -> None:
    keeping = Program([connect(), set_option("SO_KEEPALIVE", 1), send(100), poll_for_eof("5s"), close()])
    pair = build(scenario("all-fins-lost"), client=keeping)
    census = simulate(Plan(((1.0, pair),), Arrivals(10, connections=2), settle_us=24 * HOUR))
    assert found(census) == set()
