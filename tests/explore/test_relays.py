"""Machines in a line: the chain against the tree, and keys that are no coarser than what can be seen."""

from __future__ import annotations

from collections.abc import Hashable
from fractions import Fraction
from typing import Any

import pytest

from tcpsim.app import Program, accept, close, connect, listen, make, receive_to_eof, wait
from tcpsim.explore.chain import explore
from tcpsim.explore.classes import classes
from tcpsim.explore.leaks import in_words
from tcpsim.explore.properties import check
from tcpsim.explore.solve import solve_exactly
from tcpsim.explore.standard_properties import legs_end_together
from tcpsim.pair import Between, Pair, census, new_pair
from tcpsim.path import Loss, make_path
from tcpsim.tcp.stack import Stack, stack
from tests.explore import bisimulation
from tests.explore.tree import tree
from tests.explore.worlds import WEEK_US, one_rst

LINUX = stack("linux")


def line(
    client: Program,
    server: Program,
    relay: Program,
    profile: Stack,
    *losses: tuple[float, float],
    relays: int = 1,
) -> Pair:
    """Machines in a line; `losses` are those to the server and to the client, of each leg, after 300 ms."""

    def path(to_server: float, to_client: float) -> Any:
        found = [Loss(each, from_us=300_000) if each else 0.0 for each in (to_client, to_server)]
        return make_path(10_000, *found)

    first, *others = [path(*each) for each in losses]
    between = [Between(relay, profile, each) for each in others]
    assert len(between) == relays
    return new_pair(client, server, profile, profile, first, relays=between)


def _leaver(relay: Program, *losses: tuple[float, float]) -> Pair:
    """The server closes, the client closes after it; stacks that resend once and then go silent."""
    client = Program([connect(), receive_to_eof(), close()])
    server = Program([listen(), accept(), wait("400ms"), close()])
    return line(client, server, relay, one_rst(1), *losses)


@pytest.mark.parametrize(
    "pair",
    [
        pytest.param(_leaver(make("relay", "copies"), (0.0, 0.25), (0.0, 0.5)), id="half-close passed"),
        pytest.param(_leaver(make("relay", "closes-both"), (0.25, 0.25), (0.0, 0.25)), id="closes both"),
        pytest.param(
            _leaver(make("relay", "copies", drain="2s"), (0.125, 0.25), (0.25, 0.0)), id="a drain timeout"
        ),
    ],
)
def test_tree_and_chain_agree_exactly(pair: Pair) -> None:
    def describe(now: Pair) -> Hashable:
        return in_words(tuple([census(now, side) for side in ("client", "server", *now.names[1:-1])]))

    by_tree = tree(pair, describe, WEEK_US)
    assert sum(by_tree.values()) == 1
    assert len(by_tree) > 1
    chain = explore(pair)
    parts = classes(chain)
    solution = solve_exactly(chain, parts, {each.name: Fraction(each.p) for each in chain.classes})
    by_chain: dict[Hashable, Fraction] = {}
    for number, share in solution.settled.items():
        words = in_words(chain.view[parts[number].states[0]])
        by_chain[words] = by_chain.get(words, Fraction(0)) + share
    assert by_chain == by_tree


BOTH = (0.1, 0.1)
WORLDS: dict[str, dict[str, Any]] = {
    "waits for both": {},
    "drains": {"arguments": {"drain": "30s"}},
    "idle": {"arguments": {"idle": "10s"}, "server": ("half-closes", {})},
    "keepalive on one leg": {
        "arguments": {"keepalive_client": "60s", "interval": "10s", "count": 3},
        "client": ("vanishes", {"after": "400ms"}),
    },
    "small buffer": {"arguments": {"buffer": 300}},
    "resets": {
        "arguments": {"on_error": "reset", "keepalive_client": "60s", "interval": "10s", "count": 2},
        "client": ("vanishes", {"after": "450ms"}),
        "server": ("closes-first", {"delay": "350ms"}),
    },
}


@pytest.mark.parametrize("world", WORLDS)
def test_whoever_comes_to_a_state_has_the_same_future(world: str) -> None:
    given = WORLDS[world]
    client, its = given.get("client", ("closes-first", {"delay": "400ms"}))
    server, theirs = given.get("server", ("closes-on-eof", {}))
    relay = make("relay", "copies", **given.get("arguments", {}))
    pair = line(make("client", client, **its), make("server", server, **theirs), relay, LINUX, BOTH, BOTH)
    found = bisimulation.check(pair, 500)
    assert found.merges > 5
    assert found.difference is None


def test_two_relays_are_a_longer_line() -> None:
    relay = make("relay", "copies")
    pair = line(
        make("client", "closes-first", delay="400ms"),
        make("server", "closes-on-eof"),
        relay,
        LINUX,
        BOTH,
        BOTH,
        BOTH,
        relays=2,
    )
    assert pair.names == ("client", "relay 1", "relay 2", "server")
    found = bisimulation.check(pair, 200)
    assert found.merges > 5
    assert found.difference is None


def _checked(relay: Program, within_us: int, p: float = 0.25) -> bool:
    found = check(_leaver(relay, (p, p), (p, p)), [legs_end_together(within_us)])
    assert found.whole
    return found.findings[0].holds


@pytest.mark.parametrize(
    ("arguments", "within_us", "holds"),
    [
        ({}, 86_400_000_000, False),  # it waits for ever
        ({"drain": "2s"}, 2_000_000, True),
        ({"drain": "2s"}, 1_900_000, False),
        ({"idle": "3s"}, 3_000_000, True),
        ({"ends": "first"}, 0, True),
    ],
)
def test_legs_end_together_within_the_time_that_the_relay_gives_them(
    arguments: dict[str, Any], within_us: int, holds: bool
) -> None:
    assert _checked(make("relay", "copies", **arguments), within_us) is holds
