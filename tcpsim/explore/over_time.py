"""The sockets of each side over time, as arrays with named axes, for one connection or for many.

Owns: the arrays by side and state. Refuses to know: the curves and distributions behind them (curves,
growth), tables and pictures (measure, draw).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from tcpsim.explore.branch import sides_of
from tcpsim.explore.count_distribution import Array, Ints
from tcpsim.explore.curves import Look, Occupancy, Value
from tcpsim.explore.growth import Arrivals, growth
from tcpsim.pair import Side
from tcpsim.tcp.state import State

AXES: Final = ("side and state", "time", "loss")


class OverTime(NamedTuple):
    """`mean`, `bytes`, `low` and `high` have the axes `AXES`: `sockets`, `at_us`, the loss rates in order.

    Of one connection `mean` is an expected number, mostly a probability, and `low` and `high` are None. Of
    many it is the expected number on a host, which lies from `low` to `high` with probability `confidence` at
    each one time. `bytes` is the expected kernel memory.
    """

    sockets: tuple[tuple[Side, State], ...]
    at_us: Ints
    mean: Array
    bytes: Array
    low: Ints | None
    high: Ints | None
    confidence: float | None
    error: Array

    def of(self, side: Side, state: State) -> Array:
        """The expected number by time and loss rate."""
        found: Array = self.mean[self.sockets.index((side, state))]
        return found


def over_time(
    seen: Occupancy, times_us: Sequence[int], arrivals: Arrivals | None = None, confidence: float = 0.99
) -> OverTime:
    """What one connection holds at these ages, or a host with these `arrivals` at these times.

    Raises:
        InputError: see `growth`.
    """
    at_us = np.array(times_us, dtype=np.int64)
    sockets = tuple(sorted({(kind.side, kind.state) for kind in seen.kinds}))
    ages_us = at_us if arrivals is None else arrivals.ages_us(at_us)
    if ages_us is not None:
        seen = seen.only_at(ages_us)
    if arrivals is None:
        mean = [seen.of(*each).at(at_us) for each in sockets]
        held = [seen.curve(_bytes(seen, *each)).at(at_us) for each in sockets]
        return OverTime(sockets, at_us, _array(mean), _array(held), None, None, None, seen.error)
    found = [growth(seen, arrivals, _count(*each), at_us, confidence) for each in sockets]
    held = [arrivals.mean(seen.curve(_bytes(seen, *each)), at_us) for each in sockets]
    low, high = (np.array(part, dtype=np.int64) for part in zip(*[each[2:] for each in found], strict=True))
    mean = [each.mean for each in found]
    return OverTime(sockets, at_us, _array(mean), _array(held), low, high, confidence, seen.error)


def _array(parts: list[Array]) -> Array:
    return np.array(parts, dtype=float)


def _count(side: Side, state: State) -> Value:
    return lambda look: look.sockets(side, state, None, None)


def _bytes(seen: Occupancy, side: Side, state: State) -> Value:
    memory = seen.memory[sides_of(len(seen.memory)).index(side)]

    def value(look: Look) -> int:
        return sum(held.bytes(memory) for held in look.of(side) if held.state is state)

    return value
