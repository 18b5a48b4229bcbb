"""A program under orders: one request for each, and what an order to the dead comes to."""

from __future__ import annotations

import pytest

from tcpsim.app import behaviour
from tcpsim.app.driven import Order, awaits_order
from tcpsim.pair import FIRST_PID, Arrived, Event, Kill, Pair, Resume, advance, call, census, new_pair
from tcpsim.path import Quiet, make_path
from tcpsim.tcp.stack import stack
from tcpsim.tcp.state import State

LINUX = stack("linux")
S = 1_000_000


def connected(server: str = "httpd", **arguments: object) -> Pair:
    """A connection that waits for its first order."""
    programs = behaviour.make("client", "obeys"), behaviour.make("server", server, **arguments)
    return settled(new_pair(*programs, LINUX, LINUX, make_path(10_000)))


def settled(pair: Pair) -> Pair:
    """Until the client waits for an order, or is over."""
    while not awaits_order(running := dict(pair.client.programs)[FIRST_PID]) and not running.finished:
        pair = advance(pair, Quiet())
    return pair


def told(pair: Pair, order: Order) -> Pair:
    return settled(call(pair, "client", Resume(order=order), pair.now_us, Quiet()))


def until(pair: Pair, t_us: int) -> Pair:
    while pair.next_us is not None and pair.next_us <= t_us:
        pair = advance(pair, Quiet())
    return pair


def test_each_order_is_a_round_trip() -> None:
    pair = connected()
    times = [pair.now_us]
    for _ in range(3):
        pair = told(pair, Order.ASK)
        times.append(pair.now_us)
    assert times == [20_000, 40_000, 60_000, 80_000]


def test_it_waits_for_ever_and_sees_nothing() -> None:
    """The server closes after KeepAliveTimeout; without an order the client does not look."""
    pair = until(told(connected(timeout="15s"), Order.ASK), 600 * S)
    assert [held.state for held in census(pair, "client")] == [State.CLOSE_WAIT]
    assert awaits_order(dict(pair.client.programs)[FIRST_PID])
    pair = told(pair, Order.CLOSE)
    assert [(held.state, held.fd) for held in census(pair, "client")] == [(State.LAST_ACK, False)]


def test_a_request_on_a_dead_connection_fails() -> None:
    pair = until(told(connected(timeout="15s"), Order.ASK), 20 * S)
    after = told(pair, Order.ASK)
    assert dict(after.client.programs)[FIRST_PID].error == "EOF"
    assert [held.fd for held in census(after, "client")] == [False]


@pytest.mark.parametrize("requests", [1, 3])
def test_the_last_response_that_httpd_gives_is_its_end(requests: int) -> None:
    pair = connected(requests=requests)
    for _ in range(requests - 1):
        pair = told(pair, Order.ASK)
    pair = told(pair, Order.ASK_LAST)
    assert dict(pair.client.programs)[FIRST_PID].error is None
    pair = until(pair, pair.now_us + S)
    assert not census(pair, "client")
    assert [held.state for held in census(pair, "server")] == [State.TIME_WAIT]


def test_lingering_close_gives_up_on_a_silent_client_after_two_seconds() -> None:
    pair = until(told(connected(requests=1), Order.ASK), 1_900_000)
    assert [(held.state, held.fd) for held in census(pair, "server")] == [(State.FIN_WAIT_2, True)]
    assert [held.fd for held in census(until(pair, 3 * S), "server")] == [False]


def test_a_killed_client_is_over() -> None:
    pair = told(connected(), Order.ASK)
    pair = until(call(pair, "client", Kill(FIRST_PID), pair.now_us, Quiet()), pair.now_us + S)
    assert [held.state for held in census(pair, "client")] == [State.TIME_WAIT]


@pytest.mark.parametrize(("interval", "probes"), [("10s", 5), ("75s", 1)])
def test_keepalive_wakes_the_network_as_often_as_its_interval_allows(interval: str, probes: int) -> None:
    """After a probe Linux looks again when TCP_KEEPINTVL is over, answered or not (tcp_keepalive_timer)."""
    client = behaviour.make("client", "keepalive-obeys", idle="10s", interval=interval)
    server = behaviour.make("server", "httpd", timeout="1h")
    pair = told(settled(new_pair(client, server, LINUX, LINUX, make_path(10_000))), Order.ASK)
    events: list[Event] = []
    while pair.next_us is not None and pair.next_us <= 60 * S:
        pair = advance(pair, Quiet(), events.append)
    answers = [
        each for each in events if isinstance(each, Arrived) and each.side == "client" and each.t_us > S
    ]
    assert len(answers) == probes
