"""A day that repeats: how many times as fast connections come at each time of it.

Owns: the steps of a day, and the clock on which such arrivals are even: time goes on there as fast as they
come. A Poisson process of one rate on that clock is one of a changing rate on the wall's. Refuses to know:
the rate itself (population).
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, pairwise
from math import inf
from typing import Final, NamedTuple

from tcpsim.errors import InputError, checked

DAY_US: Final = 86_400_000_000


@checked
class Daily(NamedTuple):
    """`steps` are times of the day, in order, each with its factor, which holds until the next.

    The last holds on past midnight, until the first.

    >>> night_and_day = Daily(((8 * DAY_US // 24, 1.5), (20 * DAY_US // 24, 0.5)))
    >>> night_and_day.even_us(DAY_US) == DAY_US
    True
    """

    steps: tuple[tuple[int, float], ...]

    def check(self) -> None:
        """Raises InputError for times that are none of a day, or out of order, and for factors below 0."""
        times = [at_us for at_us, _ in self.steps]
        if not times or times != sorted(set(times)) or not 0 <= times[0] <= times[-1] < DAY_US:
            raise InputError("daily", times, "times of a day in order, from 0 to below 24 h")
        factors = [factor for _, factor in self.steps]
        if not all(0 <= factor < inf for factor in factors) or not any(factors):
            raise InputError("daily", factors, "factors from 0 on, not all of them 0")

    def table(self) -> tuple[list[int], list[float]]:
        """Times of one day at which the factor changes, its ends with them; and the even clock then."""
        steps = list(self.steps)
        if steps[0][0]:
            steps.insert(0, (0, steps[-1][1]))
        times = [at_us for at_us, _ in steps] + [DAY_US]
        spans = [
            (end - begin) * factor for (begin, end), (_, factor) in zip(pairwise(times), steps, strict=True)
        ]
        return times, list(accumulate(spans, initial=0.0))

    def time_us(self, even_us: float) -> int:
        """The time on the wall when the even clock shows this."""
        times, even = self.table()
        days, rest = divmod(even_us, even[-1])
        place = min(bisect_right(even, rest) - 1, len(times) - 2)
        while even[place + 1] == even[place]:  # nothing comes in a step of factor 0
            place += 1
        factor = (even[place + 1] - even[place]) / (times[place + 1] - times[place])
        return int(days) * DAY_US + times[place] + int((rest - even[place]) / factor)

    def even_us(self, at_us: int) -> float:
        """What the even clock shows at a time on the wall."""
        times, even = self.table()
        days, rest = divmod(at_us, DAY_US)
        place = min(bisect_right(times, rest) - 1, len(times) - 2)
        factor = (even[place + 1] - even[place]) / (times[place + 1] - times[place])
        return days * even[-1] + even[place] + (rest - times[place]) * factor

    def pieces(self, until_us: int) -> list[tuple[int, int, float]]:
        """(from, to, factor) of every step up to a time."""
        times, _ = self.table()
        factors = [factor for _, factor in self.steps]
        if self.steps[0][0]:
            factors.insert(0, factors[-1])
        found = []
        for day_us in range(0, until_us, DAY_US):
            for begin, end, factor in zip(times, times[1:], factors, strict=False):
                if day_us + begin < until_us:
                    found.append((day_us + begin, min(day_us + end, until_us), factor))
        return found
