"""Reads values from TOML: tables with known keys, and values with the path of their field.

Owns: the errors of a wrong type, of an unknown and of a missing key. Refuses to know: which keys there are
(scenario_file) and what a rule, a fix or a duration means (their own parsers).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from tcpsim.catalogue.fixes import changes
from tcpsim.errors import InputError, Mistakes, unknown
from tcpsim.path import parse_rule
from tcpsim.path.rule_syntax import leg_of
from tcpsim.units import parse_duration, parse_probability, parse_rate

T = TypeVar("T")
Reader = Callable[[Any, str], T]
_REQUIRED = object()


class Table:
    """A table of the file; each key is taken once, and what is left over is a mistake.

    A mistake does not end the reading: `take` notes it and gives the default, or None where there is none,
    and `done` tells all of them. So what depends on a value that may be wrong looks whether it is None.
    """

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise InputError(where, repr(value), "a table")
        self.where = where
        self.left = dict(value)
        self.known: list[str] = []
        self.mistakes: list[InputError] = []

    def path(self, key: str) -> str:
        return f"{self.where}{'' if self.where.endswith(': ') else '.'}{key}"

    def take(self, key: str, read: Reader[T], default: Any = _REQUIRED) -> T:
        """The value of a key, read; without a default it has to be there."""
        self.known.append(key)
        if key in self.left:
            found = self.tried(lambda: read(self.left.pop(key), self.path(key)))
            if found is not None:
                return found
        elif default is _REQUIRED:
            self.mistakes.append(InputError(self.path(key), "nothing", "it is required"))
        return None if default is _REQUIRED else default  # type: ignore[return-value]

    def tried(self, read: Callable[[], T]) -> T | None:
        """What `read` gives; None after a mistake, which is noted."""
        try:
            return read()
        except InputError as error:
            self.mistakes.append(error)
            return None

    def done(self) -> None:
        """Everything is taken that there may be. Raises all mistakes, those of keys that are unknown last."""
        self.mistakes += [unknown(self.path(key), key, self.known) for key in self.left]
        if self.mistakes:
            raise self.mistakes[0] if len(self.mistakes) == 1 else Mistakes(self.mistakes)


def at_field(where: str, read: Callable[[], T]) -> T:
    """What another room's parser says, its complaint about this field of the file."""
    try:
        return read()
    except InputError as error:
        raise InputError(where, error.found, error.allowed) from None


def scalar(value: Any, where: str, allowed: str) -> None:
    if not isinstance(value, str | int | float | bool) or (isinstance(value, int | float) and not value >= 0):
        raise InputError(where, repr(value), allowed)


def text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InputError(where, repr(value), "text")
    return value


def prose(value: Any, where: str) -> str:
    """Text that may have been written in several lines."""
    return " ".join(text(value, where).split())


def boolean(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise InputError(where, repr(value), "true or false")
    return value


def time(value: Any, where: str) -> str:
    """A duration in words; a bare number has no unit."""
    parse_duration(value if isinstance(value, str) else repr(value), where)
    return str(value)


def probability(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(where, repr(value), 'a number from 0 to 1, such as 0.01 or "1%"')
    return parse_probability(value, where)


def rate(value: Any, where: str) -> str | float:
    """A number per second, or in words."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(where, repr(value), 'a number per second, or text such as "30/min"')
    parse_rate(value, where)
    return value


def rule(value: Any, where: str) -> str:
    _, words = leg_of(text(value, where))
    parse_rule(str(words), where)
    return str(value)


def a_fix(value: Any, where: str) -> str:
    changes([text(value, where)], where)
    return str(value)


def whole(least: int) -> Reader[int]:
    """A number that is no less than that."""

    def read(value: Any, where: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(where, repr(value), f"an integer >= {least}")
        return value

    return read


def or_none(read: Reader[T]) -> Reader[T | None]:
    """What `read` reads, or "none"."""

    def read_it(value: Any, where: str) -> T | None:
        try:
            return None if value == "none" else read(value, where)
        except InputError as error:
            raise InputError(where, error.found, f'{error.allowed}, or "none"') from None

    return read_it


def count_or_errno(value: Any, where: str) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InputError(where, repr(value), "a number of bytes, or the name of an errno")
    return value


def span(value: Any, where: str) -> tuple[str, str]:
    found = list_of(time)(value, where)
    if len(found) != 2:
        raise InputError(where, repr(value), "two times: the earliest, and the latest")
    return found[0], found[1]


def one_of(*allowed: str) -> Reader[Any]:
    def read(value: Any, where: str) -> Any:
        if value not in allowed:
            raise unknown(where, str(value), list(allowed))
        return value

    return read


def list_of(read: Reader[T]) -> Reader[tuple[T, ...]]:
    def read_all(value: Any, where: str) -> tuple[T, ...]:
        if isinstance(value, dict):
            name = where.split()[-1].rpartition(".")[2]
            raise InputError(where, "one table", f"a list of tables: write [[{name}]]")
        if not isinstance(value, list):
            raise InputError(where, repr(value), "a list")
        items = Table({}, where)
        found = [
            items.tried(lambda at=index, one=each: read(one, f"{where}[{at}]"))  # type: ignore[misc]
            for index, each in enumerate(value)
        ]
        items.done()
        return tuple(found)  # type: ignore[arg-type]

    return read_all


def shares_of(read: Reader[tuple[float, T]]) -> Reader[tuple[tuple[float, T], ...]]:
    """A list of values, each with its share of the whole."""

    def read_all(value: Any, where: str) -> tuple[tuple[float, T], ...]:
        found = list_of(read)(value, where)
        shares = [share for share, _ in found]
        if abs(sum(shares) - 1) > 1e-9:
            raise InputError(where, f"shares {', '.join(map(str, shares))}", "shares that add up to 1")
        return found

    return read_all
