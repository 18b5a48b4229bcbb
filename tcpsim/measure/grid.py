"""The points of a sweep: all combinations of some axes, axes that change together, or single points.

Owns: how an axis is written, and the order of the points (the last axis of the grid changes fastest). Refuses
to know: what an axis means. A value keeps its text, unless it is a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from tcpsim.errors import InputError
from tcpsim.units import format_duration, parse_duration

_MOST_POINTS = 1_000_000
_ALLOWED = "values with commas between, or FIRST:LAST:COUNT such as 0:0.3:20 or 10s:60s:6"
Point = dict[str, Any]


def axis(name: str, values: str | float | Sequence[Any]) -> list[Any]:
    """The values of an axis: a list, words with commas between, or FIRST:LAST:COUNT of numbers or times.

    >>> axis("loss", "0:0.3:4"), axis("fin_wait_2", "30s,60s"), axis("delay", "10ms:30ms:3")
    ([0.0, 0.1, 0.2, 0.3], ['30s', '60s'], ['10ms', '20ms', '30ms'])
    >>> axis("client", ["never-closes"]), axis("loss", "1%,0.05")
    (['never-closes'], [0.01, 0.05])

    Raises:
        InputError: no value at all, one twice, or a range that is none.
    """
    if isinstance(values, str):
        parts = values.split(":")
        found = (
            _range(name, values, parts) if len(parts) == 3 else [_value(each) for each in values.split(",")]
        )
    elif isinstance(values, Sequence):
        found = list(values)
    else:
        found = [values]
    if not found or "" in found:
        raise InputError(f"axis {name}", repr(values), _ALLOWED)
    twice = [each for at, each in enumerate(found) if each in found[:at]]
    if twice:
        raise InputError(f"axis {name}", f"{twice[0]!r} twice", "each value once")
    return found


def _range(name: str, values: str, parts: list[str]) -> list[Any]:
    if not (parts[2].isascii() and parts[2].isdigit() and int(parts[2]) >= 2):
        raise InputError(f"axis {name}", repr(values), f"{_ALLOWED}; a COUNT of at least 2")
    last = int(parts[2]) - 1
    numbers = [_value(part) for part in parts[:2]]
    if all(isinstance(each, float) for each in numbers):
        return [
            float(f"{(numbers[0] * (last - at) + numbers[1] * at) / last:.12g}") for at in range(last + 1)
        ]
    first_us, last_us = (parse_duration(part, f"axis {name}") for part in parts[:2])
    return [format_duration(first_us + (last_us - first_us) * at // last) for at in range(last + 1)]


def _value(word: str) -> Any:
    """A number, where the word is one (or per cent); the word itself otherwise."""
    text = word.strip()
    try:
        return float(f"{float(text.removesuffix('%')) / 100:.12g}") if text.endswith("%") else float(text)
    except ValueError:
        return text


def points(
    grid: Mapping[str, Any] | None = None,
    together: Mapping[str, Any] | None = None,
    listed: Sequence[Mapping[str, Any]] = (),
) -> list[Point]:
    """Every combination of the axes of `grid` and the rows of axes that go `together`; or `listed` points.

    >>> points({"loss": "0,0.1", "client": "a,b"})[1]
    {'loss': 0.0, 'client': 'b'}
    >>> points(together={"fin_wait_2": "30s,60s", "delay": "10ms,20ms"})[1]
    {'fin_wait_2': '60s', 'delay': '20ms'}

    Raises:
        InputError: no points, too many, axes of different lengths that go together, or an axis given twice.
    """
    grid = {name: axis(name, values) for name, values in (grid or {}).items()}
    together = {name: axis(name, values) for name, values in (together or {}).items()}
    if listed and (grid or together):
        raise InputError("points", "a grid beside them", "either points one by one, or axes")
    both = sorted({*grid} & {*together})
    if both:
        raise InputError("zip", f"axis {both[0]}, which is in the grid, too", "each axis once")
    lengths = {name: len(values) for name, values in together.items()}
    if len(set(lengths.values())) > 1:
        raise InputError("zip", f"axes of lengths {lengths}", "axes of one length: they go together")
    rows = [dict(zip(together, row, strict=True)) for row in zip(*together.values(), strict=True)] or [{}]
    count = len(listed)
    if not listed:
        count = len(rows)
        for values in grid.values():
            count *= len(values)
    if count > _MOST_POINTS or not (grid or together or listed):
        found = f"{count:,} points" if grid or together or listed else "no axis"
        raise InputError("grid", found, f"from 1 to {_MOST_POINTS:,} points")
    if listed:
        return [dict(each) for each in listed]
    combined = product(*grid.values())
    return [dict(zip(grid, values, strict=True)) | row for values in combined for row in rows]
