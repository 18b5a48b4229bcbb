"""The mark says what exploring finds: an obstacle, or none."""

from __future__ import annotations

from typing import Any

import pytest

from tcpsim.catalogue import build, scenario, scenarios
from tcpsim.errors import InputError
from tcpsim.explore.chain import explore
from tcpsim.explore.explorable import obstacle


@pytest.mark.parametrize("name", [each.name for each in scenarios()])
def test_every_scenario_of_the_catalogue_begins_to_be_explored(name: str) -> None:
    pair = build(scenario(name), loss=0.1)
    assert obstacle(pair) is None
    assert explore(pair, limit=5).states >= 5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"jitter": "exp(5ms)"}, "jitter: exp(5ms)"),
        ({"parameters": {"server.delay": "uniform(1s,2s)"}}, "server: wait uniform(1s, 2s)"),
        ({"parameters": {"server.delay": "lognormal(200ms,0.5)"}}, "server: wait lognormal(200ms, 0.5)"),
    ],
)
def test_what_is_drawn_is_an_obstacle(changes: dict[str, Any], words: str) -> None:
    pair = build(scenario("normal-close"), **changes)
    assert obstacle(pair) == words
    with pytest.raises(InputError, match="fixed times"):
        explore(pair, limit=3_000)


def test_a_fixed_time_is_none() -> None:
    assert obstacle(build(scenario("normal-close"), parameters={"server.delay": "2s"})) is None
