"""Exact probabilities against counts of the simulation: the same TCP, two ways to its numbers.

A family of comparisons is held at 0.1 % in all (Bonferroni, of which Holm's first step is the same: none may
be rejected). A mutated model must be rejected by the same counts, or the test would prove nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tcpsim.explore.leaks import Answer, Kind, answer, in_words
from tcpsim.host.population import Arrivals
from tcpsim.measure.interval import clopper_pearson
from tcpsim.measure.leaks import leaks
from tcpsim.pair import Pair
from tcpsim.path import Seeded
from tcpsim.scenario import Verdict, build, run, scenario
from tests.explore.worlds import WEEK_US, leaver, opens_and_closes
from tests.host.worlds import run as populate

MINUTE_US = 60_000_000
FAMILY = 0.001
RATES = (0.05, 0.2, 0.4)
WORDS = {Kind.CLEAN: Verdict.CLEAN, Kind.PERMANENT: Verdict.PERMANENT, Kind.METASTABLE: Verdict.RUNNING}

SCENARIOS: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("closewait-ignored-eof", {}, 3_000),
    ("one-rst-stack", {}, 3_000),
    ("keepalive-rescues", {}, 3_000),
    ("retried-syn-lost-reference", {}, 3_000),
    ("w1", {"stack_client": "rfc9293", "stack_server": "freebsd"}, 3_000),
    ("fin-wait-2-on-netbsd", {}, 3_000),
)


def _rejected(
    found: Answer, counts: Counter[tuple[Verdict, str, str]], trials: int, family: int
) -> list[str]:
    """The ends whose counts do not fit; what was not explored may be anywhere."""
    expected: Counter[tuple[Verdict, str, str]] = Counter()
    for end in found.ends:
        if end.kind is not Kind.CUT:
            expected[WORDS[end.kind], end.client, end.server] += float(end.probability[0])
    slack = float(found.error[0]) + 1e-12
    wrong = []
    for end_words in expected.keys() | counts.keys():
        low, high = clopper_pearson(counts[end_words], trials, 1 - FAMILY / family)
        if not low - slack <= expected[end_words] <= high + slack:
            wrong.append(f"{end_words}: {expected[end_words]}, counted {counts[end_words]} of {trials}")
    return wrong


def _counts(pair: Pair, trials: int) -> Counter[tuple[Verdict, str, str]]:
    ended = (run(pair, Seeded(3, index), WEEK_US) for index in range(trials))
    return Counter((each.verdict, *in_words((each.client, each.server))) for each in ended)


@pytest.mark.parametrize("p", RATES)
def test_simulated_connections_end_as_often_as_computed(p: float) -> None:
    pair = opens_and_closes(p)
    found = answer(pair, [p], WEEK_US)
    assert not found.error.any()
    assert not _rejected(found, _counts(pair, 1_000), 1_000, len(RATES) * len(found.ends))


@pytest.mark.parametrize("p", RATES)
def test_a_scenario_as_a_user_has_it(p: float) -> None:
    pair = build(scenario("one-rst-stack"), loss=p)
    found = answer(pair, [p], WEEK_US, limit=3_000)
    assert not _rejected(found, _counts(pair, 250), 250, len(RATES) * len(found.ends))


def test_a_wrong_model_is_found_out() -> None:
    counts = _counts(leaver(0.3, 1), 1_000)
    right, one_retry_more = (answer(leaver(0.3, retries), [0.3], WEEK_US) for retries in (1, 2))
    assert not _rejected(right, counts, 1_000, 3)
    assert _rejected(one_retry_more, counts, 1_000, 3)


@pytest.mark.verify
@pytest.mark.parametrize("p", RATES)
@pytest.mark.parametrize("retries", [1, 2, 8])
def test_a_hundred_thousand_connections(p: float, retries: int) -> None:
    """Through the host: its tree of lives, its census, its definition of a leak."""
    trials = 100_000
    census = populate(
        leaver(p, retries), Arrivals(1_000, connections=trials), settle_us=60 * MINUTE_US, seed=11
    )
    held = {(row["side"], row["state"]): row["count"] for row in leaks(census).to_dicts()}
    found = answer(leaver(p, retries), [p], WEEK_US)
    for state in ("CLOSE-WAIT", "ESTABLISHED"):
        low, high = clopper_pearson(held.get(("client", state), 0), trials, 1 - FAMILY / 18)
        assert low <= found.probability(state, "gone")[0] <= high


@pytest.mark.verify
@pytest.mark.parametrize("p", RATES)
@pytest.mark.parametrize(("name", "changes", "trials"), SCENARIOS, ids=lambda value: str(value))
def test_scenarios_at_length(name: str, changes: dict[str, Any], trials: int, p: float) -> None:
    pair = build(scenario(name), loss=p, **changes)
    found = answer(pair, [p], WEEK_US, limit=40_000)
    family = len(SCENARIOS) * len(RATES) * len(found.ends)
    assert not _rejected(found, _counts(pair, trials), trials, family)
