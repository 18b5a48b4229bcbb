"""Many connections: the sockets of a host over time with exact bands, and the time to a limit.

Owns: arrivals, their combination with the curves of one connection, and the time to a limit. Refuses to know:
how one connection behaves (curves), and everything that connections share. They are independent, as on a host
without limits.

If connections start as a Poisson process with rate r from time 0 on, the number that hold something at time t
is a Poisson variable. Its mean is r times the integral of the curve over the ages from 0 to t. For
connections that start at given times, the number has a Poisson-binomial distribution. Times and ages are
never confused: a connection that started at b has the age t - b at t.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

import numpy as np

from tcpsim.errors import InputError, checked
from tcpsim.explore.count_distribution import Array, Ints, Law, independent, poisson, poisson_bands
from tcpsim.explore.curves import Look, Occupancy, Value
from tcpsim.explore.step_functions import Steps
from tcpsim.pair import Side

_SECOND_US = 1_000_000


@checked
class Stream(NamedTuple):
    """A Poisson process of connections, from time 0 for `for_us`; None: without end."""

    per_second: float
    for_us: int | None = None

    def check(self) -> None:
        if not 0 <= self.per_second < inf:
            raise InputError("per_second", self.per_second, "a number from 0 on")

    def ages_us(self, at_us: Ints) -> Ints | None:
        """The ages up to which `mean` and `bands` integrate a curve at these times; None: they read all."""
        return at_us if self.for_us is None else np.concatenate((at_us, at_us - self.for_us))

    def mean(self, curve: Steps, at_us: Ints) -> Array:
        """The expected total at each time (axes: time, loss rate), if `curve` is what one has at each age."""
        inside = curve.integral_us(at_us)
        if self.for_us is not None:
            inside = inside - curve.integral_us(at_us - self.for_us)
        return np.asarray(inside * (self.per_second / _SECOND_US), dtype=float)

    def law(self, sizes: Mapping[int, Steps], t_us: int, loss: int) -> Law:
        """The law of the total at a time, if `sizes[k]` is how likely one counts for k at each age."""
        at_us = np.array([t_us], dtype=np.int64)
        return poisson({size: float(self.mean(curve, at_us)[0, loss]) for size, curve in sizes.items()})

    def bands(self, sizes: Mapping[int, Steps], at_us: Ints, confidence: float) -> Ints:
        """The band of the law at each time (axes: time, loss rate, its two ends)."""
        return _poisson_bands({size: self.mean(curve, at_us) for size, curve in sizes.items()}, confidence)


class Varying(NamedTuple):
    """A Poisson process whose rate changes: (from, to, connections per second) of each piece of it."""

    pieces: tuple[tuple[int, int, float], ...]

    def ages_us(self, at_us: Ints) -> Ints | None:
        """The same for a changing rate."""
        edges_us = np.array([edge_us for piece in self.pieces for edge_us in piece[:2]], dtype=np.int64)
        return np.unique(at_us[:, None] - edges_us)

    def mean(self, curve: Steps, at_us: Ints) -> Array:
        """The same for a changing rate."""
        found = np.zeros((len(at_us), curve.values.shape[1]))
        for begin_us, end_us, per_second in self.pieces:
            inside = curve.integral_us(at_us - begin_us) - curve.integral_us(at_us - end_us)
            found += inside * (per_second / _SECOND_US)
        return found

    def law(self, sizes: Mapping[int, Steps], t_us: int, loss: int) -> Law:
        """The same for a changing rate."""
        at_us = np.array([t_us], dtype=np.int64)
        return poisson({size: float(self.mean(curve, at_us)[0, loss]) for size, curve in sizes.items()})

    def bands(self, sizes: Mapping[int, Steps], at_us: Ints, confidence: float) -> Ints:
        """The same for a changing rate."""
        return _poisson_bands({size: self.mean(curve, at_us) for size, curve in sizes.items()}, confidence)


class Given(NamedTuple):
    """Connections that begin at given times, in order: `at_us`."""

    at_us: Ints

    def ages_us(self, _at_us: Ints) -> Ints | None:
        """The same for given connections: there is an age for each of them."""
        return None

    def mean(self, curve: Steps, at_us: Ints) -> Array:
        """The same for given connections."""
        ages = [self._ages(curve.times_us, t_us) for t_us in at_us.tolist()]
        return np.asarray(np.array(ages) @ curve.values, dtype=float)

    def law(self, sizes: Mapping[int, Steps], t_us: int, loss: int) -> Law:
        """The same for given connections."""
        empty = np.zeros(1, dtype=np.int64)
        times_us = np.unique(np.concatenate([empty, *[curve.times_us for curve in sizes.values()]]))
        counts = self._ages(times_us, t_us)
        some = np.flatnonzero(counts)
        likely = [curve.at(times_us[some])[:, loss].astype(float) for curve in sizes.values()]
        probability = np.array(likely).reshape(len(sizes), len(some)).T
        return independent(counts[some], np.array(list(sizes), dtype=np.int64), probability)

    def bands(self, sizes: Mapping[int, Steps], at_us: Ints, confidence: float) -> Ints:
        """The same for given connections."""
        losses = range(next(iter(sizes.values())).values.shape[1] if sizes else 0)
        found = [
            [self.law(sizes, t_us, loss).between(confidence) for loss in losses] for t_us in at_us.tolist()
        ]
        return np.array(found, dtype=np.int64)

    def _ages(self, times_us: Ints, t_us: int) -> Ints:
        """How many connections are, at `t_us`, of an age from each of the times up to the next."""
        older = np.searchsorted(self.at_us, t_us - times_us, side="right")
        return np.asarray(older - np.append(older[1:], 0), dtype=np.int64)


Arrivals = Stream | Varying | Given


def _poisson_bands(means: Mapping[int, Array], confidence: float) -> Ints:
    """The bands of many laws; means that are equal to twelve digits have one."""
    sizes = tuple(means)
    each = np.stack([means[size] for size in sizes], axis=-1)
    digits = 10.0 ** (11 - np.floor(np.log10(np.maximum(each, 1e-30))))
    told, which = np.unique(
        (np.round(each * digits) / digits).reshape(-1, len(sizes)), axis=0, return_inverse=True
    )
    if len(sizes) == 1:
        return (sizes[0] * poisson_bands(told[:, 0], confidence))[which].reshape(*each.shape[:-1], 2)
    bands = [
        poisson(dict(zip(sizes, row, strict=True))).between(confidence) if any(row) else (0, 0)
        for row in told.tolist()
    ]
    return np.array(bands, dtype=np.int64)[which].reshape(*each.shape[:-1], 2)


def evenly(per_second: float, for_us: int) -> Given:
    """Connections at even distances, the first at time 0, the last before `for_us`."""
    number = -int(-for_us * per_second // _SECOND_US)
    return Given(np.round(np.arange(number) * (_SECOND_US / per_second)).astype(np.int64))


class Growth(NamedTuple):
    """What a host has over time, of one sort (axes of `mean`, `low` and `high`: time, loss rate).

    `low` and `high` bound what is there at each one time with the probability asked for.
    """

    at_us: Ints
    mean: Array
    low: Ints
    high: Ints


def growth(
    seen: Occupancy, arrivals: Arrivals, value: Value, at_us: Ints, confidence: float = 0.99
) -> Growth:
    """The total of `value` over all connections at the times `at_us`, with the exact band of its law.

    Raises:
        InputError: a time outside 0 to `seen.until_us`, a confidence outside 0 to 1, or a rate below 0.
    """
    if len(at_us) and not 0 <= at_us.min() <= at_us.max() <= seen.until_us:
        raise InputError("at", f"{at_us.min()} to {at_us.max()} us", f"times from 0 to {seen.until_us} us")
    if not 0 < confidence < 1:
        raise InputError("confidence", confidence, "a number between 0 and 1")
    sizes = seen.sizes(value)
    mean = arrivals.mean(seen.curve(value), at_us)
    band = arrivals.bands(sizes, at_us, confidence) if sizes else np.zeros((*mean.shape, 2), dtype=np.int64)
    band = band.reshape(*mean.shape, 2)
    return Growth(at_us, mean, band[..., 0], band[..., 1])


def descriptors(side: Side, for_ever: bool = False) -> Value:
    """The descriptors that a side uses; `for_ever`: only those that nothing will ever free."""

    def value(look: Look) -> int:
        return look.sockets(side, None, None, True) if look.stays or not for_ever else 0

    return value


def likely_met(seen: Occupancy, arrivals: Arrivals, value: Value, limit: int, t_us: int) -> Array:
    """P(the total of `value` is at least `limit` at `t_us`), for each loss rate.

    For what stays for ever (`descriptors(side, for_ever=True)`) the total only grows: this is exactly the
    probability that the limit was met by then. For what comes and goes it is a lower bound of that: the limit
    may have been met earlier, and no longer be.

    Raises:
        InputError: a rate below 0.
    """
    sizes = seen.sizes(value)
    found = [arrivals.law(sizes, t_us, loss).at_least(limit) for loss in range(len(seen.error))]
    return np.array(found, dtype=float)


def time_to(
    seen: Occupancy, arrivals: Arrivals, value: Value, limit: int, share: float = 0.5
) -> list[int | None]:
    """For each loss rate the time by which `limit` is met with probability `share`; None: not by `until_us`.

    The quantile of the time to the limit, where the total only grows (see `likely_met`); to the microsecond.

    Raises:
        InputError: a rate below 0.
    """
    sizes = seen.sizes(value)

    def met(t_us: int, loss: int) -> bool:
        return arrivals.law(sizes, t_us, loss).at_least(limit) >= share

    found: list[int | None] = []
    for loss in range(len(seen.error)):
        low, high = 0, seen.until_us
        if not met(high, loss):
            found.append(None)
            continue
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if met(middle, loss) else (middle + 1, high)
        found.append(low)
    return found
