"""When connections of a population begin, many at a time.

Owns: the same processes as `host.population.Arrivals`, drawn as arrays. Refuses to know: what a connection
does (explore.lives). A seed gives other times here than there, of the same law.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tcpsim.host.daily import DAY_US, Daily
from tcpsim.host.population import Arrivals

Ints = NDArray[np.int64]
_SECOND_US = 1_000_000


def births(arrivals: Arrivals, luck: np.random.Generator, chunk: int) -> Iterator[Ints]:
    """Times in whole microseconds and in order, at most `chunk` of them at once."""
    left = arrivals.connections
    for times_us in _without_end(arrivals, luck, chunk):
        found = times_us if left is None else times_us[:left]
        if arrivals.for_us is not None:
            found = found[: np.searchsorted(found, arrivals.for_us)]
        if len(found):
            yield found
        if len(found) < len(times_us) or not len(times_us):
            return
        if left is not None:
            left -= len(found)


def _without_end(arrivals: Arrivals, luck: np.random.Generator, chunk: int) -> Iterator[Ints]:
    if arrivals.given is not None:
        given = np.array(arrivals.given, dtype=np.int64)
        yield from (given[at : at + chunk] for at in range(0, len(given), chunk))
        return
    gap_us = _SECOND_US / arrivals.per_second
    begin = 0.0
    number = 0
    while True:
        if arrivals.poisson:
            even_us = begin + np.cumsum(luck.standard_exponential(chunk)) * gap_us
            begin = float(even_us[-1])
        else:
            even_us = np.round(np.arange(number, number + chunk) * gap_us)
            number += chunk
        yield (even_us if arrivals.daily is None else _on_the_wall(arrivals.daily, even_us)).astype(np.int64)


def _on_the_wall(daily: Daily, even_us: NDArray[np.float64]) -> NDArray[np.float64]:
    """`Daily.time_us` of many."""
    times, even = daily.table()
    days, rest = np.divmod(even_us, even[-1])
    found: NDArray[np.float64] = days * DAY_US + np.floor(np.interp(rest, even, times))
    return found
