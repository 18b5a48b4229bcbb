"""Pairs that differ from a pair in one value, and whether anybody can tell them apart.

Owns: every value inside a pair, the other values that it could have, and a search for a course of events that
shows the difference. Refuses to know: keys.

A pair consists of immutable values, so a pair with another value inside is a new pair: nothing is assigned.
It need not be reachable. A rule that reads a value reads it in such a pair too, which is what this is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields as fields_of
from dataclasses import is_dataclass, replace
from enum import Enum
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple, get_args

from tcpsim.app import send
from tcpsim.app.program import Program, Running
from tcpsim.pair import Pair
from tcpsim.pair.pair import wakes_us
from tcpsim.path import SIDES
from tcpsim.sockets import Call
from tcpsim.sockets.processes import Blocked
from tcpsim.tcp.deadlines import DEADLINES
from tcpsim.tcp.endpoint import Endpoint
from tcpsim.tcp.seqnum import MASK
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.tcb import Tcb
from tests.explore.bisimulation import course

STEPS = 150  # of a course of events
_END = ("iss", "ts_offset", "sockets", "listeners", "next_id", "cached_rtt8")
# What follows from the rest, or is the same for all pairs of one origin
_FIXED = {("Pair", "now_us"), ("Pair", "next_us"), ("System", "nofile"), ("Running", "error")}
_LATER_US = (1, 500, 1_000, 4_000, 32_000, 256_000, 2_048_000, 3_000_000, 16_384_000, 131_072_000)
_TIMES = {
    *DEADLINES, "handshake_sent_us", "last_sent_us", "last_data_us", "last_oow_ack_us", "last_ack_us",
    "retrans_since_us", "probes_since_us", "rack_us", "sent_us", "ts_recent_at_us", "wake_us", "until_us",
    "deadline_us", "idle_at_us", "drain_at_us", "back_us", "due_us", "now_us", "next_us", "seen_us",
}  # fmt: skip
_STAMPS = {"ts_recent", "ts_val", "ts_ecr"}
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
        inner = isinstance(value, tuple | Mapping | Tcb | Endpoint) or is_dataclass(value)
        return not self.fields or field in self.fields or inner


def altered(pair: Pair, where: str = "", fields: Iterable[str] = ()) -> Iterator[Altered]:
    """What may be replaced in a pair: everything, or what is asked for."""
    asked = _Asked(where, frozenset(fields))
    if where in ("", "pair.clock") and (not fields or "clock" in asked.fields):
        for by_us in _LATER_US:
            yield Altered("Pair.clock", "pair.clock", by_us, partial(_later, pair, by_us))
    for name, at, value, make in _inside(pair, "", "pair", asked):

        def made(make: Callable[[], Pair] = make) -> Pair:
            other = make()
            return other._replace(next_us=wakes_us(other))

        if not fields or name.rstrip("[]-").rpartition(".")[2] in asked.fields:
            yield Altered(name, at, value, made)


def _inside(value: Any, name: str, where: str, asked: _Asked) -> Iterator[Altered]:
    """Every replacement within a value, and of the value itself."""
    if (asked.where and not asked.lies_in(where)) or isinstance(value, Stack):
        return
    if isinstance(value, Program):
        yield Altered(name, where, "one more step", lambda: Program((*value.steps, send(1)), value.on_error))
    elif is_dataclass(value):
        fields = [each.name for each in fields_of(value) if each.init]
        yield from _fields(value, fields, replace, where, asked)
    elif isinstance(value, Tcb):
        yield from _fields(value, Tcb.__slots__, _tcb_with, where, asked)
        yield from _swapped(value, DEADLINES, _tcb_with, "Tcb.deadlines", where)
    elif isinstance(value, Endpoint):
        yield from _fields(value, _END, _end_with, where, asked)
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        yield from _record(value, name, where, asked)
    elif isinstance(value, Mapping):
        yield from _table(value, name, where, asked)
    elif isinstance(value, tuple):
        yield from _items(value, name, where, asked)
    else:
        for other in _others(value, name):
            yield Altered(name, where, other, lambda other=other: other)


def _record(value: Any, name: str, where: str, asked: _Asked) -> Iterator[Altered]:
    """A named tuple; a call may also be another one with the same arguments."""
    kind = type(value).__name__
    fields = [field for field in value._fields if (kind, field) not in _FIXED]
    yield from _fields(value, fields, _tuple_with, where, asked)
    if isinstance(value, Running):
        yield from _swapped(value, ("wake_us", "until_us"), _tuple_with, "Running.asleep", where)
    if isinstance(value, get_args(Call)):
        for other in get_args(Call):
            if other is not type(value) and len(other._fields) == len(value):
                yield Altered(name, where, other.__name__, partial(other._make, value))


def _table(value: Mapping[Any, Any], name: str, where: str, asked: _Asked) -> Iterator[Altered]:
    """A table: its items, one item less, two items with each other's keys."""
    for key, item in value.items():
        for each in _inside(item, f"{name}[]", f"{where}[{key}]", asked):
            yield each._replace(make=lambda key=key, each=each: {**value, key: each.make()})
        left = {its: kept for its, kept in value.items() if its != key}
        yield Altered(f"{name}-", where, f"without {key}", lambda left=left: left)
    for one, other in combinations(value, 2):
        keys = {one: other, other: one}
        renamed = {keys.get(its, its): item for its, item in value.items()}
        yield Altered(f"{name}-", where, f"{one} and {other}", lambda renamed=renamed: renamed)


def _items(value: tuple[Any, ...], name: str, where: str, asked: _Asked) -> Iterator[Altered]:
    """A row: its items, one item less; two calls that wait with each other's deadline."""
    for at, item in enumerate(value):
        if isinstance(item, str | Enum):
            continue
        for each in _inside(item, f"{name}[]", f"{where}[{at}]", asked):
            yield each._replace(make=lambda at=at, each=each: _put(value, {at: each.make()}))
    for at in range(len(value)):
        yield Altered(f"{name}-", where, f"without {at}", lambda at=at: (*value[:at], *value[at + 1 :]))
    waiting = [at for at, each in enumerate(value) if isinstance(each, Blocked)]
    for one, other in combinations(waiting, 2):
        mine, its = value[one].deadline_us, value[other].deadline_us
        changed = {one: value[one]._replace(deadline_us=its), other: value[other]._replace(deadline_us=mine)}
        yield Altered("Blocked.deadline_us", where, f"{one} and {other}", partial(_put, value, changed))


def _put(value: tuple[Any, ...], items: dict[int, Any]) -> tuple[Any, ...]:
    return tuple([items.get(at, each) for at, each in enumerate(value)])


def _swapped(
    value: Any, names: Iterable[str], put: Callable[[Any, dict[str, Any]], Any], name: str, where: str
) -> Iterator[Altered]:
    """Two fields with each other's values."""
    for one, other in combinations(names, 2):
        mine, its = getattr(value, one), getattr(value, other)
        if mine != its:
            yield Altered(name, where, f"{one} and {other}", partial(put, value, {one: its, other: mine}))


def _later(value: Any, by_us: int) -> Any:
    """The same later: all times, and all timestamps that were taken from a clock.

    The secret of the timestamp clock stays, and the ISN clock is set back: it says what it would have said.
    """
    if is_dataclass(value) and not isinstance(value, type):
        names = [each.name for each in fields_of(value) if each.init]
        return replace(value, **{name: _field_later(name, getattr(value, name), by_us) for name in names})
    if isinstance(value, Tcb):
        return Tcb(**{name: _field_later(name, getattr(value, name), by_us) for name in Tcb.__slots__})
    if isinstance(value, Endpoint):
        sockets = {number: _later(t, by_us) for number, t in value.sockets.items()}
        return _end_with(value, {"sockets": sockets, "iss": value.iss - by_us // 4 & MASK})
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return value._make(
            [_field_later(name, each, by_us) for name, each in zip(value._fields, value, strict=True)]
        )
    if isinstance(value, Mapping):
        return {key: _later(each, by_us) for key, each in value.items()}
    return tuple([_later(each, by_us) for each in value]) if isinstance(value, tuple) else value


def _field_later(name: str, value: Any, by_us: int) -> Any:
    if name in _TIMES:
        return value if value is None else value + by_us
    if name in _STAMPS:
        return value if value is None else value + by_us // 1000 & MASK
    return _later(value, by_us)


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
    if "ts_offset" in changes:  # all sockets have the one of their endpoint
        sockets = {number: _tcb_with(t, {**changes}) for number, t in end.sockets.items()}
        changes = {**changes, "sockets": sockets}
    return Endpoint(end.stack, **{**{name: getattr(end, name) for name in _END}, **changes})


def _others(value: Any, name: str) -> list[Any]:
    """Other values that could be there."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, float):
        return [each for each in (0.0, 0.5, 1.0) if each != value]
    if isinstance(value, Enum):
        return [None, *[each for each in type(value) if each is not value]]
    if isinstance(value, int):
        near = [value + by for by in (1, -1, 3, 10, -10, 1_448, -1_448, 3_000, -3_000, -1_000)]
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
