"""The distribution of a count whose probability was estimated from simulated connections.

Owns: the beta-binomial distribution, sums of counts, and mixtures. Refuses to know: what is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import ceil, lgamma, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tcpsim.explore.count_distribution import Law

_DEVIATIONS: Final = 9  # on both sides: what lies beyond is as good as impossible
_HALVES: Final = 2
_LOG = NDArray[np.float64]


@cache
def _log_gammas(most: int) -> _LOG:
    """log Gamma(k / 2) for k from 1 to `most`; index 0 is never used."""
    return np.array([0.0, *(lgamma(k / _HALVES) for k in range(1, most + 1))])


def _log_gamma(values: NDArray[np.int64]) -> _LOG:
    """log Gamma of halves: `values` is twice the argument."""
    table = _log_gammas(1 << int(values.max()).bit_length())
    return np.asarray(table[values])


def beta_binomial(n: int, hits: int, misses: int) -> Law:
    """The number of successes in `n` trials after so many hits and misses in others (Jeffreys' prior).

    >>> law = beta_binomial(10, 0, 0)
    >>> law.low, [round(each, 4) for each in law.probability[:2].tolist()]
    (0, [0.1762, 0.0927])
    """
    a, b = hits + 0.5, misses + 0.5
    share = a / (a + b)
    spread = sqrt(n * share * (1 - share) * (a + b + n) / (a + b + 1))
    low = max(0, int(n * share - _DEVIATIONS * (spread + 1)))
    high = min(n, ceil(n * share + _DEVIATIONS * (spread + 1)))
    k = np.arange(low, high + 1)
    logs = _log_gamma(2 * k + 2 * hits + 1) + _log_gamma(2 * (n - k) + 2 * misses + 1)
    logs -= _log_gamma(2 * k + 2) + _log_gamma(2 * (n - k) + 2)
    values = np.exp(logs - logs.max())
    return Law(low, 1, values / values.sum())


def total(laws: Sequence[Law]) -> Law:
    """Of independent counts."""
    found = laws[0]
    for law in laws[1:]:
        found = Law(found.low + law.low, 1, np.convolve(found.probability, law.probability))
    return found


def mixed(laws: Sequence[Law]) -> Law:
    """One of these, nobody knows which."""
    low = min(law.low for law in laws)
    found = np.zeros(max(law.low + len(law.probability) for law in laws) - low)
    for law in laws:
        found[law.low - low : law.low - low + len(law.probability)] += law.probability / len(laws)
    return Law(low, 1, found)
