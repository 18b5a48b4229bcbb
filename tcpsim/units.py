"""Quantities as people write them ("10ms", "1%", "50/s"), converted into microseconds and numbers.

Owns: the spelling of durations (and its inverse), probabilities and rates, and the error for a misspelt one.
Refuses to know: what a quantity is for. The caller names the field or option (`where`), so that the error
names it too. Inside tcpsim, a time is an integer of microseconds whose name ends in `_us`.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

from tcpsim.errors import InputError

_UNITS_US = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "min": 60_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(us|ms|s|min|m|h|d)", re.ASCII)
_DURATION_ALLOWED = 'a number with a unit, such as "50ms", "1.5s", "2h" (units: us ms s min h d)'
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_PROBABILITY_ALLOWED = 'a number from 0 to 1, such as "0.01" or "1%"'
_RATE_ALLOWED = 'a number above 0 of events per second, such as "50" or "50/s" (per: s min h d)'


def parse_duration(text: str | int, where: str = "duration") -> int:
    """Microseconds of a duration with a unit; an int is taken as microseconds already.

    >>> parse_duration("50ms"), parse_duration("1.5s"), parse_duration("2h"), parse_duration("0s")
    (50000, 1500000, 7200000000, 0)

    Raises:
        InputError: no unit, a negative number, or less than a microsecond.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        if text < 0:
            raise InputError(where, text, _DURATION_ALLOWED)
        return text
    match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise InputError(where, repr(text), _DURATION_ALLOWED)
    duration_us = Decimal(match[1]) * _UNITS_US[match[2]]
    if duration_us != int(duration_us):
        raise InputError(where, repr(text), "a whole number of microseconds")
    return int(duration_us)


def format_duration(duration_us: int) -> str:
    """The shortest spelling in one unit that `parse_duration` reads back exactly; seconds below 2 minutes.

    >>> [format_duration(us) for us in (0, 250, 50_000, 1_500_000, 60_000_000, 120_000_000, 7_200_000_000)]
    ['0s', '250us', '50ms', '1.5s', '60s', '2min', '2h']
    """
    for unit in ("d", "h", "min", "s", "ms"):
        if unit == "min" and duration_us < 120_000_000:  # the field says 60 s: MSL, tcp_fin_timeout
            continue
        if duration_us and duration_us % _UNITS_US[unit] == 0:
            return f"{duration_us // _UNITS_US[unit]}{unit}"
        if unit == "s" and duration_us >= 1_000_000 and duration_us % 1_000 == 0:
            return f"{Decimal(duration_us) / 1_000_000}s"
    return f"{duration_us}us" if duration_us else "0s"


def parse_probability(text: str | float, where: str = "probability") -> float:
    """A number from 0 to 1, or per cent.

    >>> parse_probability("0.01"), parse_probability("30%"), parse_probability(1)
    (0.01, 0.3, 1.0)
    """
    if isinstance(text, str):
        number, percent = text.strip(), text.strip().endswith("%")
        number = number.removesuffix("%").rstrip()
        if _NUMBER.fullmatch(number) is None:
            raise InputError(where, repr(text), _PROBABILITY_ALLOWED)
        value = float(number) / (100 if percent else 1)
    else:
        value = float(text)
    if not 0.0 <= value <= 1.0:  # also true of nan
        raise InputError(where, repr(text), _PROBABILITY_ALLOWED)
    return value


def parse_rate(text: str | float, where: str = "rate") -> float:
    """Events per second, above zero.

    >>> parse_rate("50"), parse_rate("50/s"), parse_rate("30/min")
    (50.0, 50.0, 0.5)
    """
    if isinstance(text, str):
        number, slash, unit = (part.strip() for part in text.partition("/"))
        if _NUMBER.fullmatch(number) is None or (slash and unit not in _UNITS_US):
            raise InputError(where, repr(text), _RATE_ALLOWED)
        rate = float(number) * (_UNITS_US["s"] / _UNITS_US[unit] if slash else 1)
    else:
        rate = float(text)
    if not (rate > 0.0 and math.isfinite(rate)):
        raise InputError(where, repr(text), _RATE_ALLOWED)
    return rate
