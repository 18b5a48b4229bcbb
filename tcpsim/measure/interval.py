"""Confidence intervals of a proportion in independent trials, and tests of one or of many at once.

Owns: Wilson's score interval (for figures: its coverage is close to nominal, and it never leaves 0..1), the
Clopper-Pearson interval (for tests: its coverage is never less than nominal), the corresponding exact test,
and Holm's correction. Refuses to know: what was counted.

Sources: E. B. Wilson, JASA 22 (1927) 209-212; C. J. Clopper and E. S. Pearson, Biometrika 26 (1934)
404-413; S. Holm, Scand. J. Statist. 6 (1979) 65-70; the incomplete beta function as Lentz's continued
fraction, DLMF 8.17.22.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist


def wilson(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion.

    >>> low, high = wilson(5, 10)
    >>> round(low, 4), round(high, 4)
    (0.2366, 0.7634)
    """
    if trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = hits / trials
    weight = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / weight
    half = z / weight * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return (0.0 if hits == 0 else centre - half), (1.0 if hits == trials else centre + half)


def clopper_pearson(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of a proportion: what a binomial test at this confidence would not reject.

    >>> low, high = clopper_pearson(5, 10)
    >>> round(low, 4), round(high, 4)
    (0.1871, 0.8129)
    """
    tail = (1 - confidence) / 2
    low, high = 0.0, 1.0
    if hits > 0:  # P(at least `hits`) = I_share(hits, trials - hits + 1), rising with the share
        low = _root(lambda share: _beta_cdf(share, hits, trials - hits + 1) - tail)
    if hits < trials:  # P(at most `hits`) = 1 - I_share(hits + 1, trials - hits), falling with it
        high = _root(lambda share: _beta_cdf(share, hits + 1, trials - hits) - (1 - tail))
    return low, high


def beta_quantile(p: float, a: float, b: float) -> float:
    """The share below which a Beta(a, b) variable lies with probability `p`.

    >>> round(beta_quantile(0.5, 2, 2), 6), round(beta_quantile(0.025, 5, 6), 4)
    (0.5, 0.1871)
    """
    return _root(lambda share: _beta_cdf(share, a, b) - p)


def binomial_p_value(hits: int, trials: int, low: float, high: float) -> float:
    """How surprising `hits` are where the share is somewhere from `low` to `high`: both tails, exactly.

    >>> round(binomial_p_value(9, 10, 0.5, 0.5), 6)
    0.021484
    >>> binomial_p_value(0, 10, 0.0, 0.0)
    1.0
    """
    as_many = _beta_cdf(min(high, 1.0), hits, trials - hits + 1) if hits else 1.0
    as_few = 1 - _beta_cdf(max(low, 0.0), hits + 1, trials - hits) if hits < trials else 1.0
    return min(1.0, 2 * as_many, 2 * as_few)


def holm(p_values: Sequence[float], level: float) -> tuple[int, ...]:
    """Which of many hypotheses are rejected, so that rejecting any true one is no likelier than `level`.

    >>> holm([0.01, 0.04, 0.03, 0.005], 0.05)
    (3, 0)
    """
    rejected = []
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    for rank, at in enumerate(order):
        if p_values[at] > level / (len(p_values) - rank):
            break
        rejected.append(at)
    return tuple(rejected)


def _root(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast only below the mean
        return 1 - _beta_cdf(1 - x, b, a)
    log_front = a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    tiny = 1e-300
    value = upper = 1.0
    lower = 0.0
    for step in range(10_000):
        m = step // 2
        if step == 0:
            numerator = 1.0
        elif step % 2 == 0:
            numerator = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            numerator = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        lower = 1 / ((1 + numerator * lower) or tiny)
        upper = (1 + numerator / upper) or tiny
        value *= upper * lower
        if abs(1 - upper * lower) < 1e-14:
            break
    return math.exp(log_front) * (value - 1) / a
