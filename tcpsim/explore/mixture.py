"""Connections of several kinds, and of a kind for each value of a drawn time.

Owns: the mixture of occupancies (exact), and the quadrature of a continuous distribution in strata of equal
probability, with a measure of its error. Refuses to know: what makes the kinds different (scenario).

A population in which one in ten never closes is the mixture of two chains. A chain cannot have a think time
that is uniform between 0 and 500 ms; n chains with fixed ones can, each at the middle of an nth part of the
probability. How far that is off is not known, but seen: by the same with twice as many strata.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tcpsim.errors import InputError
from tcpsim.explore.curves import Look, Occupancy, Value
from tcpsim.explore.transient import Passages
from tcpsim.path import Distribution

_SUM_SLACK = 1e-9  # weights are written as decimals


def mixture(parts: Sequence[tuple[float, Occupancy]]) -> Occupancy:
    """The occupancy of a connection that is of each kind with the probability given.

    Raises:
        InputError: weights that are negative or do not add up to 1; kinds that were computed up to different
            times, at a different number of loss rates, or for stacks whose sockets cost differently.
    """
    weights = [weight for weight, _ in parts]
    if not parts or min(weights) < 0 or abs(sum(weights) - 1) > _SUM_SLACK:
        raise InputError("mixture", weights, "weights that add up to 1")
    kinds = [seen for _, seen in parts]
    same = {(seen.until_us, len(seen.error), seen.memory) for seen in kinds}
    if len(same) > 1:
        raise InputError("mixture", "kinds of different range", "the same time, loss rates and socket costs")
    numbers: dict[Look, int] = {}
    for seen in kinds:
        for look in seen.looks:
            numbers.setdefault(look, len(numbers))
    begin = np.zeros((len(numbers), len(kinds[0].error)), dtype=kinds[0].begin.dtype) + kinds[0].error * 0
    end = begin.copy()
    pieces = []
    for weight, seen in parts:
        number = np.array([numbers[look] for look in seen.looks], dtype=np.int64)
        begin[number] = begin[number] + seen.begin * weight
        end[number] = end[number] + seen.changes.end * weight
        found = seen.changes
        pieces.append((found.at_us, number[found.source], number[found.target], found.mass * weight))
    at_us, source, target, mass = (np.concatenate(column) for column in zip(*pieces, strict=True))
    order = np.argsort(at_us, kind="stable")
    error = sum((seen.error * weight for weight, seen in parts), kinds[0].error * 0)
    changes = Passages(at_us[order], source[order], target[order], mass[order], end, error)
    return kinds[0]._replace(looks=tuple(numbers), begin=begin, changes=changes, error=error)


class Drawn(NamedTuple):
    """A mixture over a drawn time, and the same with half as many strata."""

    seen: Occupancy
    coarse: Occupancy

    def error_us(self, value: Value) -> float:
        """How far the two are apart in the time for which `value` is held, at any loss rate."""
        until_us = self.seen.until_us
        fine, coarse = (each.curve(value).integral_us(until_us) for each in (self.seen, self.coarse))
        return float(abs(fine - coarse).max())

    def error(self, value: Value) -> float:
        """How far the two curves are ever apart, at any age and loss rate: about 1 / strata where steep."""
        fine, coarse = self.seen.curve(value), self.coarse.curve(value)
        at_us = np.union1d(fine.times_us, coarse.times_us)
        return float(abs(fine.at(at_us) - coarse.at(at_us)).max())


def drawn(kind: Callable[[int], Occupancy], time: Distribution, strata: int) -> Drawn:
    """The occupancy of connections whose kind has a time in microseconds that is drawn: `kind(time_us)`.

    Raises:
        InputError: `strata` is not an even number of at least 2.
    """
    if strata < 2 or strata % 2:
        raise InputError("strata", strata, "an even number of at least 2")
    fine, coarse = (
        mixture([(1 / number, kind(time.quantile_us((part + 0.5) / number))) for part in range(number)])
        for number in (strata, strata // 2)
    )
    return Drawn(fine, coarse)
