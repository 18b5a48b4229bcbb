"""Confidence intervals against published values and against the binomial distribution itself."""

import math

import pytest

from tcpsim.measure.interval import binomial_p_value, clopper_pearson, holm, wilson


def at_least(hits: int, trials: int, share: float) -> float:
    return math.fsum(
        math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(hits, trials + 1)
    )


@pytest.mark.parametrize(("hits", "trials"), [(1, 10), (5, 10), (9, 10), (3, 200), (150, 200), (199, 200)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_clopper_pearson_leaves_exactly_half_the_rest_in_each_tail(
    hits: int, trials: int, confidence: float
) -> None:
    low, high = clopper_pearson(hits, trials, confidence)
    tail = (1 - confidence) / 2
    assert at_least(hits, trials, low) == pytest.approx(tail, rel=1e-6)
    assert 1 - at_least(hits + 1, trials, high) == pytest.approx(tail, rel=1e-6)


def test_nothing_seen_is_not_nothing_possible() -> None:
    assert clopper_pearson(0, 10) == (0.0, pytest.approx(1 - 0.025 ** (1 / 10)))
    assert clopper_pearson(10, 10) == (pytest.approx(0.025 ** (1 / 10)), 1.0)
    low, high = wilson(0, 10)
    assert low == 0.0
    assert high == pytest.approx(0.2775, abs=1e-4)  # R: binom.confint(0, 10, methods="wilson")


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
def test_no_trials_say_nothing(interval: object) -> None:
    assert interval(0, 0) == (0.0, 1.0)  # type: ignore[operator]


@pytest.mark.parametrize(("hits", "trials"), [(300, 100_000), (50_000, 100_000), (1, 1_000_000)])
def test_large_samples_agree_with_each_other(hits: int, trials: int) -> None:
    exact, score = clopper_pearson(hits, trials), wilson(hits, trials)
    assert exact[0] < hits / trials < exact[1]
    assert exact == pytest.approx(score, rel=0.02, abs=6e-6)


@pytest.mark.parametrize(
    ("hits", "trials", "share"), [(0, 20, 0.3), (3, 20, 0.3), (11, 20, 0.3), (20, 20, 0.9)]
)
def test_the_test_belongs_to_the_interval(hits: int, trials: int, share: float) -> None:
    """Rejected at a level exactly where the share lies outside the interval of that confidence."""
    p_value = binomial_p_value(hits, trials, share, share)
    for level in (0.5 * p_value, 1.5 * p_value):
        low, high = clopper_pearson(hits, trials, 1 - level)
        assert (p_value <= level) == (not low <= share <= high)


def test_a_share_that_is_known_roughly_is_rejected_less() -> None:
    assert binomial_p_value(30, 100, 0.2, 0.2) < binomial_p_value(30, 100, 0.2, 0.25)
    assert binomial_p_value(30, 100, 0.2, 0.35) == 1.0


def test_holm_stops_at_the_first_that_stays() -> None:
    """His own rule: 0.05 / 4, / 3, / 2, / 1; what comes behind a failure is not asked."""
    assert holm([0.04, 0.001, 0.02, 0.04], 0.05) == (1,)
    assert holm([0.001, 0.002, 0.003, 0.2], 0.05) == (0, 1, 2)
    assert holm([], 0.05) == ()
