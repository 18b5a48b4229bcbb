"""Pairs that the tests of this room populate hosts with, and what makes two runs the same."""

from __future__ import annotations

from typing import Any

from tcpsim.app import behaviour
from tcpsim.catalogue import build, scenario
from tcpsim.host.census import Census
from tcpsim.host.population import Plan, simulate
from tcpsim.pair import Pair, new_pair
from tcpsim.path import make_path
from tcpsim.tcp.stack import Stack, stack

MINUTE = 60_000_000
LINUX = stack("linux")


def web(
    client: str = "sometimes-forgets",
    server: str = "responds-then-closes",
    loss: float = 0.0,
    client_stack: Stack = LINUX,
    server_stack: Stack = LINUX,
    jitter: Any = None,
    **arguments: Any,
) -> Pair:
    """A connection of the usual kind: 10 ms each way, a request, a response, the server closes first."""
    programs = (behaviour.make("client", client, **arguments), behaviour.make("server", server))
    return new_pair(*programs, client_stack, server_stack, make_path(10_000, loss, loss, jitter=jitter))


def run(pair: Pair, arrivals: Any, **plan: Any) -> Census:
    """A population of one kind of connection."""
    return simulate(Plan(((1.0, pair),), arrivals, **plan))


def record(census: Census) -> tuple[object, ...]:
    """Everything that a census says, without the order in which its views were first seen."""
    views = census.views
    changes = [
        (t_us, views[before], views[after])
        for t_us, before, after in zip(census.t_us, census.before, census.after, strict=True)
    ]
    left = sorted(
        (views[left.now], None if left.finally_ is None else views[left.finally_], count)
        for left, count in census.left.items()
    )
    return changes, left, sorted(census.refused.items()), census.connections, census.horizon_us


def ordered(server: str = "httpd", response: int = 8_000, **overrides: Any) -> Pair:
    """A connection that takes orders, 50 ms each way: a round trip is a tenth of a second."""
    parameters = {"response": response, **overrides.pop("parameters", {})}
    pair = scenario("normal-close")
    return build(pair, client="obeys", server=server, delay="50ms", parameters=parameters, **overrides)
