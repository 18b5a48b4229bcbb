"""Distributions of durations as small hashable values, and their spelling.

Owns: the inverse of each distribution function, and the text form ("10ms", "uniform(5ms,20ms)",
"exp(2s)", "lognormal(200ms,0.5)"). Refuses to know: where uniform numbers come from (a chooser), and
what the duration is for: the jitter of a link, the think time of a program, or the time between arrivals.

Each duration is drawn by inversion from one uniform number. So the n-th draw of a connection always uses the
n-th uniform number, whatever the distributions before it were.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import NamedTuple

from tcpsim.errors import InputError, checked
from tcpsim.units import format_duration, parse_duration

_MOST_SIGMA = 3
_CALL = re.compile(r"([a-z]+)\s*\((.*)\)", re.ASCII | re.IGNORECASE)
ALLOWED = (
    "a duration with its unit: 10ms, uniform(5ms,20ms), exp(2s) or lognormal(200ms,0.5) (median and sigma)"
)


def _check_times(where: str, *times_us: int) -> None:
    for t_us in times_us:
        if not isinstance(t_us, int) or isinstance(t_us, bool) or t_us < 0:
            raise InputError(where, repr(t_us), "a number of microseconds >= 0")


@checked
class Fixed(NamedTuple):
    """Always the same."""

    us: int

    def check(self) -> None:
        _check_times("fixed", self.us)

    def quantile_us(self, uniform: float) -> int:
        return self.us

    @property
    def mean_us(self) -> int:
        return self.us

    def describe(self) -> str:
        return format_duration(self.us)


@checked
class Uniform(NamedTuple):
    """Every whole microsecond from `low_us` to `high_us` inclusive is equally likely."""

    low_us: int
    high_us: int

    def check(self) -> None:
        _check_times("uniform", self.low_us, self.high_us)
        if self.low_us > self.high_us:
            raise InputError("uniform", f"{self.low_us} to {self.high_us}", "low <= high")

    def quantile_us(self, uniform: float) -> int:
        return self.low_us + int(uniform * (self.high_us - self.low_us + 1))

    @property
    def mean_us(self) -> int:
        return (self.low_us + self.high_us) // 2

    def describe(self) -> str:
        return f"uniform({format_duration(self.low_us)}, {format_duration(self.high_us)})"


@checked
class Exponential(NamedTuple):
    """Without memory; the times between Poisson arrivals. The time constant is the mean."""

    constant_us: int

    def check(self) -> None:
        _check_times("exp", self.constant_us)

    def quantile_us(self, uniform: float) -> int:
        return round(-math.log1p(-uniform) * self.constant_us)

    @property
    def mean_us(self) -> int:
        return self.constant_us

    def describe(self) -> str:
        return f"exp({format_duration(self.constant_us)})"


@checked
class LogNormal(NamedTuple):
    """exp(normal): skewed, as measured round trips and think times are; `sigma` of the logarithm."""

    median_us: int
    sigma: float

    def check(self) -> None:
        _check_times("lognormal", self.median_us)
        if not (isinstance(self.sigma, int | float) and 0 <= self.sigma <= _MOST_SIGMA):
            raise InputError("lognormal", f"sigma {self.sigma}", f"sigma from 0 to {_MOST_SIGMA}")

    def quantile_us(self, uniform: float) -> int:
        if uniform <= 0.0:  # the normal quantile is minus infinity there
            return 0
        from statistics import NormalDist  # a start of the program need not wait for it

        return round(self.median_us * math.exp(self.sigma * NormalDist().inv_cdf(uniform)))

    @property
    def mean_us(self) -> int:
        return round(self.median_us * math.exp(self.sigma**2 / 2))

    def describe(self) -> str:
        return f"lognormal({format_duration(self.median_us)}, {self.sigma:g})"


Distribution = Fixed | Uniform | Exponential | LogNormal


@lru_cache(maxsize=256)
def parse_distribution(text: str, where: str = "duration") -> Distribution:
    """A distribution from its text form; raises InputError in one line.

    >>> parse_distribution("10ms")
    Fixed(us=10000)
    >>> parse_distribution("uniform(5ms, 20ms)")
    Uniform(low_us=5000, high_us=20000)
    >>> parse_distribution("exp(2s)")
    Exponential(constant_us=2000000)
    """
    call = _CALL.fullmatch(text.strip())
    if call is None:
        try:
            return Fixed(parse_duration(text, where))
        except InputError:
            raise InputError(where, repr(text), ALLOWED) from None
    name, arguments = call[1].lower(), [part.strip() for part in call[2].split(",")]
    match name, arguments:
        case "uniform", [low, high]:
            low_us, high_us = parse_duration(low, where), parse_duration(high, where)
            if low_us > high_us:
                raise InputError(where, repr(text), "uniform(low,high) with low <= high")
            return Uniform(low_us, high_us)
        case "exp", [mean]:
            return Exponential(parse_duration(mean, where))
        case "lognormal", [median, sigma]:
            return LogNormal(parse_duration(median, where), _parse_sigma(sigma, text, where))
    raise InputError(where, repr(text), ALLOWED)


def _parse_sigma(sigma: str, text: str, where: str) -> float:
    # Above 3 the mean is ninety times the median and beyond: a slip, not a delay anyone measured.
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", sigma, re.ASCII) is None or float(sigma) > 3:
        raise InputError(where, repr(text), "lognormal(median,sigma) with sigma a number from 0 to 3")
    return float(sigma)
