"""What a page shows of a walk is what a run shows that loses the same segments, event for event."""

from __future__ import annotations

from random import Random

import pytest

from tcpsim.catalogue import Scenario, build, scenario, scenarios
from tcpsim.explore.explorable import obstacle
from tests.web import walker

EXPLORABLE = [each.name for each in scenarios() if obstacle(build(each)) is None]


def check(chosen: Scenario, walks: int, losses: int | None, limit: int) -> None:
    data = walker.data_of(chosen, losses, limit)
    random = Random(chosen.name)
    seen: dict[str, tuple[walker.Told, list[str]]] = {}
    for _ in range(walks):
        walked = walker.walk(data, random)
        key = repr((walked.own, walked.chosen, walked.until_us))
        if key not in seen:
            seen[key] = walker.run_of(chosen, walked)
        told, held = seen[key]
        assert walker.named(walked.told).items == told.items, (walked.own, walked.chosen)
        assert walked.told.flights == told.flights, (walked.own, walked.chosen)
        assert walked.held == held, (walked.own, walked.chosen)


@pytest.mark.parametrize("name", EXPLORABLE)
def test_walks_equal_runs(name: str) -> None:
    check(scenario(name), 8, None, 500)


@pytest.mark.parametrize("name", ["closewait-ignored-eof", "one-rst-stack", "last-rst-lost"])
def test_long_walks_equal_runs(name: str) -> None:
    check(scenario(name), 40, 4, 0)


def test_walks_behind_a_box_behind_a_relay_equal_runs() -> None:
    check(walker.box_behind_a_relay(), 40, 2, 0)


@pytest.mark.verify
@pytest.mark.parametrize("name", EXPLORABLE)
def test_a_thousand_walks_equal_runs(name: str) -> None:
    check(scenario(name), 1000, None, 4_000)
