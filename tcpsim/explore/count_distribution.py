"""The exact distribution of a count over many independent connections.

Owns: distributions on whole numbers, and their quantiles. Two are needed. If independent connections arrive
as a Poisson process, their count at any time has a Poisson distribution, or a compound one if a connection
can count for more than 1 (the infinite-server queue M/G/inf; W. Feller, An Introduction to Probability Theory
I, XII.2). A given number of connections, each with its own probability, has a Poisson-binomial distribution.
Refuses to know: what is counted (growth).

Both have a simple characteristic function. It is computed at as many points as there are relevant values, and
inverted by a discrete Fourier transform (Y. Hong, Computational Statistics & Data Analysis 59 (2013) 41-51).
The probability outside these values is less than 1e-17 by Bernstein's inequality. Rounding adds about 1e-16
to a probability for each expected connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd, log, sqrt
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Array = NDArray[np.float64]

_LOG_OUTSIDE: Final = -log(1e-18)
_CHUNK: Final = 1_000_000  # points times groups worked on at once


class Law(NamedTuple):
    """P(count = `low` + i `unit`) = `probability[i]`; any other value is as good as impossible."""

    low: int
    unit: int
    probability: Array

    def at_least(self, count: int) -> float:
        """The probability of `count` or more."""
        place = max(0, -((self.low - count) // self.unit))  # the first value that is not less
        return float(min(1.0, self.probability[place:].sum()))

    def quantile(self, share: float) -> int:
        """The least value that at least this share of outcomes does not exceed."""
        place = int(np.searchsorted(np.cumsum(self.probability), share))
        return self.low + self.unit * min(place, len(self.probability) - 1)

    def between(self, confidence: float) -> tuple[int, int]:
        """The band that leaves out at most (1 - confidence) / 2 on each side."""
        tail = (1 - confidence) / 2
        return self.quantile(tail), self.quantile(1 - tail)


def poisson(means: Mapping[int, float]) -> Law:
    """The law of a Poisson stream of connections: `means[k]` expected ones of those that count for k.

    >>> law = poisson({1: 2.0})
    >>> round(law.at_least(1), 12), law.between(0.95)  # 1 - exp(-2)
    (0.864664716763, (0, 5))
    """
    sizes = [size for size, mean in means.items() if mean > 0]
    unit = gcd(*sizes) or 1
    steps = np.array([size // unit for size in sizes], dtype=float)
    mean = np.array([means[size] for size in sizes], dtype=float)
    centre = float(mean @ steps)
    low, points = _window(centre, float(mean @ steps**2), max(steps, default=1.0))
    angle = 2 * np.pi * np.arange(points // 2 + 1) / points
    turn = angle[:, None] * steps
    # cos x - 1 and sin x - x as they are: the difference of large phases would be all rounding
    real = -2 * np.sin(turn / 2) ** 2 @ mean
    imaginary = (np.sin(turn) - turn) @ mean + angle * (centre - low)
    return _turned_back(real + 1j * imaginary, low, unit, points)


def poisson_bands(means: Array, confidence: float) -> Ints:
    """`Law.between` of many plain Poisson laws at once: a row for each of the means.

    Neighbours in such a law have the ratio mean / count, so it is a sum of logarithms.

    >>> poisson_bands(np.array([2.0, 0.0]), 0.95).tolist()
    [[0, 5], [0, 0]]
    """
    order = np.argsort(means, kind="stable")
    bands = np.zeros((len(means), 2), dtype=np.int64)
    tails = (1 - confidence) / 2, 1 - (1 - confidence) / 2
    done = int(np.searchsorted(means[order], 0.0, side="right"))
    while done < len(order):
        most = max(1, _CHUNK // _window(float(means[order[done]]), float(means[order[done]]), 1.0)[1])
        rows = order[done : done + most]
        low, points = np.array([_window(mean, mean, 1.0) for mean in means[rows].tolist()]).T
        count = low[:, None] + np.arange(1, points.max())
        steps = np.cumsum(np.log(means[rows, None] / count), axis=1)
        steps = np.concatenate((np.zeros((len(rows), 1)), steps), axis=1)
        likely = np.cumsum(np.exp(steps - steps.max(axis=1, keepdims=True)), axis=1)
        for end, tail in enumerate(tails):
            bands[rows, end] = low + (likely < tail * likely[:, -1:]).sum(axis=1)
        done += most
    return bands


def independent(counts: Ints, sizes: Ints, probability: Array) -> Law:
    """The law of given connections: `counts[j]` of them count for `sizes[k]` with `probability[j, k]`.

    >>> law = independent(np.array([10]), np.array([1]), np.array([[0.5]]))
    >>> round(law.at_least(10) * 1024, 9)
    1.0
    """
    unit = int(np.gcd.reduce(sizes)) or 1
    steps = (sizes // unit).astype(float)
    mean = probability @ steps
    spread = probability @ steps**2 - mean**2
    low, points = _window(float(counts @ mean), float(counts @ spread), float(steps.max(initial=1)))
    angle = 2 * np.pi * np.arange(points // 2 + 1) / points
    turned = np.exp(1j * angle[:, None] * steps) - 1
    exponent: NDArray[Any] = -1j * angle * low
    each = max(1, _CHUNK // len(angle))
    for first in range(0, len(counts), each):
        value = 1 + turned @ probability[first : first + each].T
        size = np.log(np.maximum(abs(value), 1e-300))
        exponent = exponent + (size + 1j * np.angle(value)) @ counts[first : first + each]
    return _turned_back(exponent, low, unit, points)


def _window(mean: float, variance: float, largest: float) -> tuple[int, int]:
    """(the least value worth having, how many from there on: a power of 2)."""
    third = largest * _LOG_OUTSIDE / 3
    reach = third + sqrt(third**2 + 2 * variance * _LOG_OUTSIDE)
    low = max(0, int(mean - reach))
    return low, 1 << int(mean + reach - low + 2).bit_length()


def _turned_back(exponent: NDArray[Any], low: int, unit: int, points: int) -> Law:
    found = np.fft.irfft(np.exp(exponent).conj(), points)
    return Law(low * unit, unit, np.maximum(found, 0.0))
