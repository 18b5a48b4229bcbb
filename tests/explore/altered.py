"""Pairs that differ from a pair in one value, and whether anybody can tell them apart.

Owns: every value inside a pair, the other values that it could have, and a search for a course of events that
shows the difference. Refuses to know: keys.

A pair consists of immutable values, so a pair with another value inside is a new pair: nothing is assigned.
It need not be reachable. A rule that reads a value reads it in such a pair too, which is what this is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from itertools import combinations
from typing import Any, NamedTuple

from tcpsim.app.program import Program
from tcpsim.pair import Pair
from tcpsim.pair.pair import wakes_us
from tcpsim.path import SIDES
from tcpsim.path.path import Path
from tcpsim.tcp.deadlines import DEADLINES
from tcpsim.tcp.endpoint import Endpoint
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.tcb import Tcb
from tests.explore.bisimulation import course

STEPS = 150  # of a course of events
_END = ("iss", "ts_offset", "sockets", "listeners", "next_id", "cached_rtt8")
# What follows from the rest, or is the same for all pairs of one origin
_FIXED = {("Pair", "now_us"), ("Pair", "next_us"), ("System", "nofile"), ("Running", "error")}
_ERRORS = ("ECONNRESET", "EHOSTUNREACH")


class Altered(NamedTuple):
    """One replacement: the name of what is replaced, where it is, the other value, and how it is made."""

    name: str
    where: str
    value: Any
    make: Callable[[], Any]


class _Asked(NamedTuple):
    """What is asked for: one place, or values in fields of these names; nothing given: everything."""

    where: str = ""
    fields: frozenset[str] = frozenset()

    def lies_in(self, where: str) -> bool:
        return self.where.startswith(where)

    def wants(self, field: str, value: Any) -> bool:
        return not self.fields or field in self.fields or isinstance(value, tuple | Mapping | Tcb | Endpoint)


def altered(pair: Pair, where: str = "", fields: Iterable[str] = ()) -> Iterator[Altered]:
    """What may be replaced in a pair: everything, or what is asked for."""
    asked = _Asked(where, frozenset(fields))
    for name, at, value, make in _inside(pair, "", "pair", asked):

        def made(make: Callable[[], Pair] = make) -> Pair:
            other = make()
            return other._replace(next_us=wakes_us(other))

        if not fields or name.rstrip("[]-").rpartition(".")[2] in asked.fields:
            yield Altered(name, at, value, made)


def _inside(value: Any, name: str, where: str, asked: _Asked) -> Iterator[Altered]:
    """Every replacement within a value, and of the value itself."""
    if asked.where and not asked.lies_in(where):
        return
    if isinstance(value, Stack | Program):
        return
    if isinstance(value, Path):
        yield from _fields(value, ("flights",), _tuple_with, where, asked)
        return
    if isinstance(value, Tcb):
        yield from _fields(value, Tcb.__slots__, _tcb_with, where, asked)
        for one, other in combinations(DEADLINES, 2):
            if getattr(value, one) != getattr(value, other):
                yield Altered("Tcb.deadlines", where, f"{one} and {other}", _Swap(value, one, other))
    elif isinstance(value, Endpoint):
        yield from _fields(value, _END, _end_with, where, asked)
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        kind = type(value).__name__
        yield from _fields(
            value, [f for f in value._fields if (kind, f) not in _FIXED], _tuple_with, where, asked
        )
    elif isinstance(value, Mapping):
        for key, item in value.items():
            for each in _inside(item, f"{name}[]", f"{where}[{key}]", asked):
                yield each._replace(make=lambda key=key, each=each: {**value, key: each.make()})
            left = {its: kept for its, kept in value.items() if its != key}
            yield Altered(f"{name}-", where, f"without {key}", lambda left=left: left)
    elif isinstance(value, tuple):
        for at, item in enumerate(value):
            if isinstance(item, str | Enum):
                continue
            for each in _inside(item, f"{name}[]", f"{where}[{at}]", asked):
                yield each._replace(
                    make=lambda at=at, each=each: (*value[:at], each.make(), *value[at + 1 :])
                )
        for at in range(len(value)):
            yield Altered(f"{name}-", where, f"without {at}", lambda at=at: (*value[:at], *value[at + 1 :]))
    else:
        for other in _others(value, name):
            yield Altered(name, where, other, lambda other=other: other)


class _Swap(NamedTuple):
    """Two fields of a TCB with each other's values."""

    t: Tcb
    one: str
    other: str

    def __call__(self) -> Tcb:
        return _tcb_with(
            self.t, {self.one: getattr(self.t, self.other), self.other: getattr(self.t, self.one)}
        )


def _fields(
    value: Any, names: Iterable[str], put: Callable[[Any, dict[str, Any]], Any], where: str, asked: _Asked
) -> Iterator[Altered]:
    kind = type(value).__name__
    for field in names:
        if not asked.wants(field, getattr(value, field)):
            continue
        for each in _inside(getattr(value, field), f"{kind}.{field}", f"{where}.{field}", asked):
            yield each._replace(make=lambda field=field, each=each: put(value, {field: each.make()}))


def _tuple_with(value: Any, changes: dict[str, Any]) -> Any:
    return value._replace(**changes)


def _tcb_with(t: Tcb, changes: dict[str, Any]) -> Tcb:
    return Tcb(**{**{name: getattr(t, name) for name in Tcb.__slots__}, **changes})


def _end_with(end: Endpoint, changes: dict[str, Any]) -> Endpoint:
    return Endpoint(end.stack, **{**{name: getattr(end, name) for name in _END}, **changes})


def _others(value: Any, name: str) -> list[Any]:
    """Other values that could be there."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, Enum):
        return [None, *[each for each in type(value) if each is not value]]
    if isinstance(value, int):
        near = [value + by for by in (1, -1, 3, 10, -10, 1_448, 3_000, -1_000)]
        far = [value + by for by in (50_000, 700_000, -200_000, 50_000_000, -40_000_000)]
        found = [*near, *far, value // 2, value * 2, 0, 1, 2, 3, 500, None]
        return [each for each in dict.fromkeys(found) if each != value and (each is None or each >= -1)]
    if value is None:
        if name.endswith("error"):
            return list(_ERRORS)
        scalars: list[Any] = [1, 100, 3_000_000, 90_000_000, False, True]
        return scalars if name.endswith("_us") else [*scalars, (1_000_001, 1_000_002)]
    if value in SIDES:
        return [side for side in SIDES if side != value]
    if isinstance(value, str):
        return [None, *[each for each in _ERRORS if each != value]]
    return []


def told_apart(one: Pair, other: Pair, seeds: int) -> int | None:
    """The seed of a course of events that differs; None: none of so many does."""
    for seed in range(seeds):
        if course(one, seed, STEPS) != course(other, seed, STEPS):
            return seed
    return None
