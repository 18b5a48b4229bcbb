"""When the connections of a population begin: a rate, a day that repeats, or a file with their times.

Owns: the words for it, and the file. Refuses to know: what an arrival process does (host.population).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from tcpsim.errors import InputError
from tcpsim.host.daily import Daily
from tcpsim.host.population import Arrivals
from tcpsim.units import format_duration, parse_duration, parse_rate

MOST_CONNECTIONS = 100_000_000  # every birth is drawn before the run, eight bytes each
_SECOND_US = 1_000_000

Times = str | PathLike[str] | Sequence[str | int]  # a file, or the times themselves
Day = str | Mapping[str, float]  # "8h=1.5,20h=0.5"


def parse_arrivals(
    rate: str | float | None,
    for_: str | int | None,
    fixed: bool = False,
    daily: Day | None = None,
    arrivals: Times | None = None,
) -> Arrivals:
    """The arrivals that are asked for.

    >>> parse_arrivals("5/s", "10min").expected()
    3000.0
    >>> parse_arrivals("5/s", "2d", daily="8h=1.5,20h=0.5").expected()
    864000.0
    >>> parse_arrivals(None, None, arrivals=["0s", "1s", "90s"]).given
    (0, 1000000, 90000000)

    Raises:
        InputError: a rate and times, neither of them, or more connections than there is room for.
        OSError: a file that cannot be read.
    """
    if arrivals is not None:
        for name, other in (("rate", rate), ("daily", daily), ("fixed", fixed or None)):
            if other is not None:
                raise InputError(name, "arrivals beside it", "one of them: arrivals are the times themselves")
        given = read_times(arrivals)
        for_us = given[-1] + 1 if for_ is None else parse_duration(for_, "for")
        return Arrivals(len(given) * _SECOND_US / for_us, for_us=for_us, given=given)
    for name, value in (("rate", rate), ("for", for_)):
        if value is None:
            raise InputError(name, "nothing", "a value, or arrivals instead")
    assert rate is not None
    assert for_ is not None
    per_second, for_us = parse_rate(rate, "rate"), parse_duration(for_, "for")
    if for_us == 0:
        raise InputError("for", "0s", "a time above zero")
    found = Arrivals(per_second, for_us=for_us, poisson=not fixed, daily=_day(daily))
    if round(found.expected()) > MOST_CONNECTIONS:
        lasting = f"({per_second:g} per second for {format_duration(for_us)})"
        many = f"{found.expected():,.0f} connections expected {lasting}"
        raise InputError("rate and for", many, f"at most {MOST_CONNECTIONS:,}")
    return found


def words(arrivals: Arrivals) -> str:
    """The arrivals in a few words."""
    if arrivals.given is not None:
        return f"{len(arrivals.given):,} given arrivals"
    changing = " on average, changing over the day" if arrivals.daily is not None else ""
    return f"{arrivals.per_second:g} connections/s{changing}"


def read_times(times: Times) -> tuple[int, ...]:
    """Times in order, in microseconds: those of a list, or one a line of a file ("90s", or seconds).

    Raises:
        InputError: a line that is no time, or none at all; the message names the file and the line.
    """
    if isinstance(times, str | PathLike):
        path = Path(times)
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            raise InputError(str(path), "bytes that are no UTF-8", "a text file, one time a line") from None
        told: dict[str, str | int] = {
            f"{path}, line {number}": line.partition("#")[0].strip() for number, line in enumerate(lines, 1)
        }
    else:
        told = {f"arrivals[{number}]": each for number, each in enumerate(times)}
    found = [_time_us(value, where) for where, value in told.items() if value != ""]
    if not found:
        raise InputError("arrivals", "no time", "one time a line, such as 90s or 0.25")
    return tuple(sorted(found))


def _time_us(value: str | int, where: str) -> int:
    if isinstance(value, str):
        try:
            seconds = float(value)
        except ValueError:
            return parse_duration(value, where)
        if not 0 <= seconds < 1e12:
            raise InputError(where, repr(value), "a number of seconds from 0 on, or a time such as 90s")
        return round(seconds * _SECOND_US)
    return parse_duration(value, where)


def _day(daily: Day | None) -> Daily | None:
    """A day from words, whose factors are relative to the rate."""
    if daily is None:
        return None
    if isinstance(daily, str):
        pairs = [word.partition("=")[::2] for word in daily.split(",")]
    else:
        pairs = [(at, str(factor)) for at, factor in daily.items()]
    steps = []
    for at, factor in pairs:
        try:
            steps.append((parse_duration(at.strip(), "daily"), float(factor)))
        except ValueError:
            allowed = "times of the day with factors of the rate, such as 8h=1.5,20h=0.5"
            raise InputError("daily", repr(daily), allowed) from None
    return Daily(tuple(steps))
