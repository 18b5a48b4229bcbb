"""Exact step functions of time: for each loss rate, a value that holds until it changes.

Owns: their value at a time, their integral, and the time at which they first reach a level. Refuses to know:
what they count.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Masses = NDArray[Any]  # float64, or object for fractions; the last axis is the loss rate


class Steps(NamedTuple):
    """`values[i]`, one number for each loss rate, holds from `times_us[i]` until the next time.

    `times_us` is sorted, begins with 0 and has no time twice. Axes of `values`: time, loss rate. Nothing is
    known beyond `until_us`.
    """

    times_us: Ints
    values: Masses
    until_us: int

    def at(self, t_us: int | Ints) -> Masses:
        """The values at a time, or at each of several (then the first axis); 0 before time 0.

        >>> curve = Steps(np.array([0, 10]), np.array([[1.0], [0.5]]), 100)
        >>> curve.at(9).tolist(), curve.at(np.array([-1, 10])).tolist()
        ([1.0], [[0.0], [0.5]])
        """
        place = np.searchsorted(self.times_us, t_us, side="right")
        padded: Masses = np.concatenate((self.values[:1] * 0, self.values))
        found: Masses = padded[place]
        return found

    def integral_us(self, t_us: int | Ints) -> Masses:
        """The integral from 0 to a time, or to each of several; exact, as the function is constant by parts.

        To a time before 0 it is 0.

        >>> Steps(np.array([0, 10]), np.array([[1.0], [0.5]]), 100).integral_us(np.array([10, 20])).tolist()
        [[10.0], [15.0]]
        """
        widths = np.diff(self.times_us)[:, None]
        before = np.concatenate((self.values[:1] * 0, np.cumsum(self.values[:-1] * widths, axis=0)))
        place = np.searchsorted(self.times_us, t_us, side="right") - 1
        past = np.asarray(t_us) - self.times_us[place]
        found: Masses = before[place] + self.values[place] * past[..., None]
        return np.where(np.asarray(t_us)[..., None] > 0, found, found * 0)

    def first_at_least(self, level: float) -> list[int | None]:
        """For each loss rate the first time at which the value is at least `level`; None: never."""
        reached = [np.flatnonzero(column >= level) for column in self.values.T]
        return [int(self.times_us[times[0]]) if len(times) else None for times in reached]


def from_changes(at_us: Ints, change: Masses, begin: Masses, end: Masses, until_us: int) -> Steps:
    """What is `begin` at 0 and changes by `change[i]` at the sorted times `at_us[i]`, until it is `end`.

    Summed from the beginning or from the end, whichever has less to add up: so what is left of a rare state
    has the precision of what is left, not of all that came and went before. A time at which no loss rate sees
    a change is left out.
    """
    some = (change != 0).any(axis=1)
    times_us = np.concatenate((np.zeros(1, dtype=np.int64), at_us[some]))
    change = change[some]
    forth = np.cumsum(np.concatenate((begin[None], change)), axis=0)
    back = np.cumsum(np.concatenate((end[None], -change[::-1])), axis=0)[::-1]
    added = np.cumsum(np.concatenate((abs(begin)[None], abs(change))), axis=0)
    taken = np.cumsum(np.concatenate((abs(end)[None], abs(change)[::-1])), axis=0)[::-1]
    values = np.where(added <= taken, forth, back)
    last = np.flatnonzero(np.diff(times_us, append=times_us[-1] + 1))
    return Steps(times_us[last], values[last], until_us)
