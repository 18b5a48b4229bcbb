"""Connections that share nothing end as they do in a run, and loss rates share what is computed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tcpsim.catalogue import build, scenario
from tcpsim.host.limits import Limits
from tcpsim.host.population import Arrivals, Plan, shares_nothing, simulate
from tcpsim.host.shared_history import Lives
from tcpsim.host.socket_accounting import View
from tcpsim.measure import ends as room
from tcpsim.measure.ends import ends

HOUR = 3_600_000_000
RATES = ((0.0, 0.0), (0.02, 0.02), (0.3, 0.3), (0.3, 0.1), (0.0, 0.2), (1.0, 0.5))
SETTINGS: dict[str, dict[str, Any]] = {
    "forgets": {"client": "sometimes-forgets", "server": "responds-then-closes"},
    "keepalive": {"client": "keepalive-never-closes", "server": "responds-then-closes"},
    "later": {"client": "never-closes", "loss_from": "500ms"},
    "drawn": {"client": "closes-on-eof", "jitter": "uniform(0ms,5ms)"},
    "box": {"client": "never-closes", "middlebox": "openwrt"},
    "accepts late": {"client": "never-closes", "server": "does-not-accept"},
}


def _pairs(setting: str) -> list[Any]:
    told = SETTINGS[setting]
    return [
        build(scenario("normal-close"), **told, loss_to_client=one, loss_to_server=other)
        for one, other in RATES
    ]


def _ends(views: list[View], left: Counter[Any]) -> Counter[tuple[View, View | None]]:
    found: Counter[tuple[View, View | None]] = Counter()
    for each, count in left.items():
        found[views[each.now], None if each.finally_ is None else views[each.finally_]] += count
    return found


@pytest.mark.parametrize("setting", SETTINGS)
def test_connections_end_as_in_a_run(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = _pairs(setting)
    arrivals = Arrivals(5, connections=60)
    for most in (30_000, 100):
        monkeypatch.setattr(room, "_ROOM", most)
        found = ends(pairs, arrivals, HOUR, seed=3)
        for pair, mine in zip(pairs, found, strict=True):
            census = simulate(Plan(((1.0, pair),), arrivals, HOUR, seed=3))
            assert _ends(mine.views, mine.left) == _ends(census.views, census.left)


def test_rates_share_what_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    trees: list[Lives] = []

    class Watched(Lives):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            trees.append(self)

    monkeypatch.setattr(room, "Lives", Watched)
    pairs = [build(scenario("normal-close"), loss=loss) for loss in (0.0, 0.28, 0.29, 0.3)]
    ends(pairs, Arrivals(5, connections=200), HOUR)
    alone = [simulate(Plan(((1.0, pair),), Arrivals(5, connections=200), HOUR)).computed for pair in pairs]
    assert len(trees) == 2  # without loss, nothing is asked
    assert sum(each.computed for each in trees) < 0.6 * sum(alone)


def test_a_host_that_may_be_full_is_shared() -> None:
    plan = Plan(((1.0, build(scenario("normal-close"))),), Arrivals(5, connections=5))
    assert shares_nothing(plan)
    assert not shares_nothing(plan._replace(limits=Limits(plan.limits.server._replace(workers=1))))
    late = build(scenario("normal-close"), server="does-not-accept")
    assert not shares_nothing(plan._replace(kinds=((1.0, late),)))
