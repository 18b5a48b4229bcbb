"""An exploration that stops when enough is known: what it says is within what it says it may be off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from tcpsim.catalogue import build, scenario
from tcpsim.errors import InputError
from tcpsim.explore import tolerance as module
from tcpsim.explore.chain import Chain, explore
from tcpsim.explore.curves import occupancy
from tcpsim.explore.leaks import Answer, Kind, answer
from tcpsim.explore.tolerance import TOLERANCE, explore_for, unexplored
from tcpsim.pair import Pair
from tests.explore.worlds import WEEK_US, both_close, leaver

RATES = [0.0, 1e-4, 0.01, 0.05]
WIDE = [0.0, 1e-6, 0.01, 0.1, 0.3, 0.5, 1.0]


@pytest.fixture
def every_state_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small chains are cut, too."""
    monkeypatch.setattr(module, "SMALL", 0)


def _whole_connection() -> Pair:
    """Two Linux ends with fewer retries than by default, so that all of it can be explored, too."""
    knobs = {"server.tcp_orphan_retries": 4, "server.tcp_retries2": 6, "client.tcp_retries2": 6}
    return build(scenario("closewait-ignored-eof"), loss=0.5, knobs=knobs)


def _differences(part: Answer, whole: Answer) -> list[float]:
    """By how much each end is off beyond what is said not to be explored, at the worst rate."""
    ends = {(end.client, end.server, end.kind) for end in (*part.ends, *whole.ends)}
    return [
        float((abs(part.probability(*end) - whole.probability(*end)) - part.error).max())
        for end in ends
        if end[2] is not Kind.CUT
    ]


def test_a_whole_connection_needs_a_part_of_its_states() -> None:
    part = answer(_whole_connection(), RATES, WEEK_US)
    whole = answer(_whole_connection(), RATES, WEEK_US, tolerance=0)
    assert not whole.error.any()
    assert 0 < part.error.max() <= TOLERANCE
    assert part.chain.states < whole.chain.states / 3
    assert max(_differences(part, whole)) < 1e-14


@pytest.mark.usefixtures("every_state_counts")
@pytest.mark.parametrize("tolerance", [1e-1, 1e-4, 1e-9])
@pytest.mark.parametrize("pair", [leaver(0.5, 8), leaver(0.5, 5, keepalive=True), both_close(0.5)])
@pytest.mark.parametrize("losses", [[0.3], RATES, WIDE])
def test_no_rate_is_further_off_than_was_asked(pair: Pair, losses: list[float], tolerance: float) -> None:
    part = answer(pair, losses, WEEK_US, tolerance=tolerance)
    whole = answer(pair, losses, WEEK_US, tolerance=0)
    assert part.error.max() <= tolerance
    assert part.chain.states <= whole.chain.states
    assert max(_differences(part, whole)) < 1e-14
    ended = np.sum([end.probability for end in part.ends], axis=0)
    assert ended == pytest.approx(np.ones(len(losses)), abs=1e-12)


@pytest.mark.usefixtures("every_state_counts")
def test_the_smaller_the_tolerance_the_more_states() -> None:
    pair = both_close(0.5)
    states = [explore_for(pair, [0.1], 10.0**-power).states for power in range(1, 6)]
    assert states == sorted(states)
    assert states[0] < states[-1] < explore(pair).states
    assert explore_for(pair, [0.1], 0).states == explore(pair).states


@pytest.mark.usefixtures("every_state_counts")
def test_the_rates_asked_decide_what_is_explored() -> None:
    """Rare losses need little; so do certain ones; a mixture needs what each of them needs."""
    pair = both_close(0.5)
    rare, often, certain, mixed = (
        explore_for(pair, losses) for losses in ([1e-4], [0.4], [1.0], [1e-4, 0.4, 1.0])
    )
    assert rare.states < often.states / 2
    assert certain.states < often.states / 2
    assert often.states <= mixed.states
    assert unexplored(rare, [1e-4])[0] <= TOLERANCE < unexplored(rare, [0.4])[0]


@pytest.mark.usefixtures("every_state_counts")
def test_one_way_may_lose_more_than_the_other() -> None:
    losses: Mapping[str, Sequence[float]] = {"to client": [0.0, 0.3], "to server": [0.3, 1e-3]}
    part = answer(both_close(0.5), losses, WEEK_US, tolerance=1e-6)
    whole = answer(both_close(0.5), losses, WEEK_US, tolerance=0)
    assert part.error.max() <= 1e-6
    assert part.chain.states < whole.chain.states
    assert max(_differences(part, whole)) < 1e-14


@pytest.mark.usefixtures("every_state_counts")
def test_curves_over_age_are_off_by_no_more() -> None:
    pair = both_close(0.5)
    part, whole = (occupancy(explore_for(pair, WIDE, off), WIDE, WEEK_US) for off in (1e-6, 0))
    assert part.error.max() <= 1e-6
    at_us = np.geomspace(1e4, WEEK_US, 50).astype(np.int64)
    for kind in whole.kinds:
        off = abs(part.expected(kind).at(at_us) - whole.expected(kind).at(at_us)).max(axis=0)
        assert (off <= part.error + 1e-12).all()


def test_what_is_small_is_explored_whatever_the_tolerance() -> None:
    assert not explore_for(leaver(0.5, 8), [0.1], 0.5).cut


def test_the_limit_is_a_ceiling() -> None:
    found = answer(_whole_connection(), [0.3], WEEK_US, limit=3_000)
    assert 3_000 <= found.chain.states < 3_100
    assert found.error[0] > TOLERANCE


def test_progress_is_told() -> None:
    told: list[tuple[int, float | None]] = []
    chain: Chain = explore_for(
        _whole_connection(), [0.01], progress=lambda states, left: told.append((states, left))
    )
    states, left = zip(*told, strict=True)
    assert list(states) == sorted(states)
    assert states[-1] == chain.states
    assert all(each is not None and each >= 0 for each in left)
    assert left[0] > left[-1]


def test_without_losses_there_is_nothing_to_weigh() -> None:
    chain = explore_for(build(scenario("normal-close")), [0.0])
    assert not chain.cut


@pytest.mark.parametrize("tolerance", [-1e-9, 1.0, float("nan")])
def test_a_tolerance_is_a_probability(tolerance: float) -> None:
    with pytest.raises(InputError, match="tolerance"):
        explore_for(leaver(0.5, 1), [0.1], tolerance)
