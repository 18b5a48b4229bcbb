"""Steps that can go in very many ways are explored in parts, the likeliest first; the answer is the same."""

from __future__ import annotations

from math import comb

import pytest

from tcpsim.catalogue import build, scenario
from tcpsim.explore import branch as branch_module
from tcpsim.explore import per_host_memo as apart_module
from tcpsim.explore.branch import Branch, Part, Steps, in_full
from tcpsim.explore.chain import Chain, explore
from tcpsim.explore.curves import occupancy
from tcpsim.explore.leaks import Answer, answer
from tcpsim.explore.per_host_memo import apart
from tcpsim.explore.properties import check
from tcpsim.explore.shortest_paths import Ways
from tcpsim.explore.standard_properties import PROPERTIES
from tcpsim.pair import Pair
from tcpsim.path import make_path
from tests.explore.worlds import WEEK_US, both_close, leaver, opens_and_closes

RATES = [0.0, 1e-3, 0.1, 0.5, 1.0]


def _in_parts(monkeypatch: pytest.MonkeyPatch, many: int, at_once: int) -> None:
    for module in (branch_module, apart_module):
        monkeypatch.setattr(module, "MANY", many)
    monkeypatch.setattr(branch_module, "_AT_ONCE", at_once)


def _queued() -> Pair:
    """Losses in front of a queue are asked for where segments are sent."""
    return leaver(0.5, 1)._replace(path=make_path(10_000, 0.5, 0.5, rate_bps=1_000_000))


def _ends(found: Answer) -> dict[tuple[str, str, str], list[float]]:
    return {(str(end.kind), end.client, end.server): end.probability.tolist() for end in found.ends}


@pytest.mark.parametrize(("many", "at_once"), [(1, 1), (1, 3)])
@pytest.mark.parametrize(
    "pair",
    [leaver(0.5, 4), opens_and_closes(0.5), both_close(0.5), leaver(0.5, 3, keepalive=True), _queued()],
)
def test_the_answer_is_the_same(pair: Pair, many: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = answer(pair, RATES, WEEK_US, tolerance=0)
    _in_parts(monkeypatch, many, at_once)
    parts = answer(pair, RATES, WEEK_US, tolerance=0)
    assert parts.chain.parts
    assert not whole.chain.parts
    assert parts.chain.states - len(parts.chain.parts) == whole.chain.states
    assert _ends(parts).keys() == _ends(whole).keys()
    for end, probability in _ends(whole).items():
        assert _ends(parts)[end] == pytest.approx(probability, rel=1e-12, abs=0)


def test_curves_do_not_see_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = both_close(0.5)
    whole = occupancy(explore(pair), RATES, WEEK_US)
    _in_parts(monkeypatch, 1, 1)
    parts = occupancy(explore(pair), RATES, WEEK_US)
    for kind in whole.kinds:
        first, second = whole.expected(kind), parts.expected(kind)
        assert first.times_us.tolist() == second.times_us.tolist()
        assert second.values == pytest.approx(first.values, rel=1e-9, abs=1e-15)


def test_ways_and_verdicts_do_not_see_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = leaver(0.5, 3)

    def found() -> list[object]:
        known = answer(pair, [0.1], WEEK_US, tolerance=0)
        ways = Ways(known.chain, 0.1)
        said: list[object] = [
            (end.client, end.server, ways.fewest_losses(end.states).drops) for end in known.ends
        ]
        verdicts = check(pair, PROPERTIES).findings
        return said + [(each.property.name, each.holds, each.way and each.way.drops) for each in verdicts]

    whole = found()
    _in_parts(monkeypatch, 1, 1)
    assert found() == whole


def _burst() -> Steps:
    """The step in which most segments arrive at once, on the way without a loss."""
    steps = Steps(build(scenario("many-segments-lossy"), loss=0.5))
    pair, most = steps.start, steps.start
    while pair.next_us is not None:
        if _due(pair) > _due(most):
            most = pair
        pair = next(in_full(steps.branches(pair))).pair
    steps.start = most
    return steps


def _due(pair: Pair) -> int:
    return sum(flight.due_us == pair.next_us for flight in pair.path.flights)


@pytest.mark.parametrize("alone", [False, True])
def test_a_part_for_each_number_of_losses(alone: bool) -> None:
    steps = _burst()
    arrive = _due(steps.start)
    assert arrive > 20
    stepper = apart(steps) if alone else steps
    assert stepper is not None
    stepper.key(stepper.start)
    parts = list(stepper.branches(stepper.start))
    assert all(isinstance(part, Part) for part in parts)
    assert [sum(part.lost) for part in parts] == list(range(arrive + 1))
    assert [part.weight for part in parts] == [comb(arrive, lost) for lost in range(arrive + 1)]
    for lost in (0, 1, 2):
        branches = list(in_full([parts[lost]]))
        assert len(branches) == comb(arrive, lost)
        assert alone or len({branch.dropped for branch in branches}) == comb(arrive, lost)
        assert sum(branch.weight for branch in branches) == pytest.approx(comb(arrive, lost), rel=1e-12)
        assert all(sum(branch.lost) == lost for branch in branches)
        assert alone or all(len(branch.dropped) == lost for branch in branches)
    some = [next(iter(part.ways())) for part in parts]
    assert all(isinstance(each, Branch) for each in some), "a part of many is not worked out as a whole"


def test_of_many_segments_what_is_likely_is_explored() -> None:
    chain: Chain = explore(build(scenario("many-segments-lossy"), loss=0.5), 3_000, 1e-4)
    assert chain.parts
    assert len(chain.cut) < chain.states
    assert any(chain.rests), "some ways are followed to their end"
