"""Durations as people write them, and as the simulator keeps them: an int of microseconds.

Owns: the spellings (``"50ms"``, ``"1.5s"``, ``"2h"``) and their one inverse. Refuses to know: what
a duration is for; the caller names the field, so that a mistake is reported where it was made.
"""

from __future__ import annotations

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
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(us|ms|s|min|m|h|d)")
_ALLOWED = 'a number with a unit, such as "50ms", "1.5s", "2h" (units: us ms s min h d)'


def parse_duration(text: str | int, where: str = "duration") -> int:
    """Microseconds of a duration with a unit; an int is taken as microseconds already.

    >>> parse_duration("50ms"), parse_duration("1.5s"), parse_duration("2h"), parse_duration("0s")
    (50000, 1500000, 7200000000, 0)

    Raises:
        InputError: no unit, a negative number, or less than a microsecond.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        if text < 0:
            raise InputError(where, text, _ALLOWED)
        return text
    match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise InputError(where, repr(text), _ALLOWED)
    duration_us = Decimal(match[1]) * _UNITS_US[match[2]]
    if duration_us != int(duration_us):
        raise InputError(where, repr(text), "a whole number of microseconds")
    return int(duration_us)


def format_duration(duration_us: int) -> str:
    """The shortest spelling in one unit that `parse_duration` reads back exactly.

    >>> [format_duration(us) for us in (0, 250, 50_000, 1_500_000, 90_000_000, 7_200_000_000)]
    ['0s', '250us', '50ms', '1.5s', '90s', '2h']
    """
    for unit in ("d", "h", "min", "s", "ms"):
        if duration_us and duration_us % _UNITS_US[unit] == 0:
            return f"{duration_us // _UNITS_US[unit]}{unit}"
        if unit == "s" and duration_us >= 1_000_000 and duration_us % 1_000 == 0:
            return f"{Decimal(duration_us) / 1_000_000}s"
    return f"{duration_us}us" if duration_us else "0s"
