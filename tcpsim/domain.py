"""The domain of a field: the values that it accepts, declared in the type of the field.

Owns: the kinds of domains, reading a value from a file, a command line or a program, writing it back, and the
error for a wrong value. Refuses to know: the list of fields (the type of a profile has it), and what a value
does.

The annotation of a field is its domain. ``bool`` and ``Literal["drop", "reset"]`` list their values, a number
has a range (``Annotated[int, Whole(1, 255)]``), ``| None`` adds "none", and ``tuple[..., ...]`` is a list.
`domains` reads a type. A field without a domain is a mistake of the programmer.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, Protocol, Union, get_args, get_origin, get_type_hints

from tcpsim.errors import InputError, nearest
from tcpsim.units import format_duration, parse_duration

_NONE = ("none", "never")
_TRUE, _FALSE = ("true", "1"), ("false", "0")
_SEPARATOR = re.compile(r"[\s,]+")
_MOST_DIGITS = 18  # of a number; Python refuses to read some thousands of them
LONGEST_US = 36_500 * 86_400_000_000  # a hundred years; sums of such times still fit 64 bits


class Domain(Protocol):
    """The values that a field may have."""

    @property
    def allowed(self) -> str:
        """The domain in words, for an error and for the page of profiles."""

    def read(self, value: Any, where: str) -> Any:
        """A value in the field's own type, from that type or from text. Raises: InputError."""

    def spell(self, value: Any) -> str:
        """A value as text that `read` turns back into it."""

    def others(self, value: Any) -> list[Any]:
        """Legal neighbours of a value; what a test of mutations puts in its place."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A switch."""

    allowed: str = "true or false"

    def read(self, value: Any, where: str) -> bool:
        word = str(value).lower() if isinstance(value, bool | int | str) else ""
        if word not in (*_TRUE, *_FALSE):
            raise InputError(where, repr(value), self.allowed)
        return word in _TRUE

    def spell(self, value: Any) -> str:
        return str(value).lower()

    def others(self, value: Any) -> list[Any]:
        return [not value]


@dataclass(frozen=True, slots=True)
class Word:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        *most, last = self.words
        return f"{', '.join(most)} or {last}" if most else last

    def read(self, value: Any, where: str) -> str:
        if not isinstance(value, str) or value not in self.words:
            raise InputError(where, nearest(value, self.words), self.allowed)
        return value

    def spell(self, value: Any) -> str:
        return str(value)

    def others(self, value: Any) -> list[Any]:
        return [word for word in self.words if word != value]


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number."""

    least: int
    most: int

    @property
    def allowed(self) -> str:
        return f"an integer from {self.least} to {self.most}"

    def read(self, value: Any, where: str) -> int:
        number = value
        if isinstance(value, str):
            text = value.strip()
            digits = text.removeprefix("-")
            plain = digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS
            number = int(text) if plain else None
        if not isinstance(number, int) or isinstance(number, bool) or not self.least <= number <= self.most:
            raise InputError(where, _shown(value), self.allowed)
        return int(number)

    def spell(self, value: Any) -> str:
        return str(value)

    def others(self, value: Any) -> list[Any]:
        return [number for number in (value - 1, value + 1) if self.least <= number <= self.most]


@dataclass(frozen=True, slots=True)
class Duration:
    """A time; in a program an int of microseconds, in a file a number with a unit."""

    least_us: int = 0
    most_us: int = LONGEST_US

    @property
    def allowed(self) -> str:
        return f"a time from {format_duration(self.least_us)} to {format_duration(self.most_us)}"

    def read(self, value: Any, where: str) -> int:
        if not isinstance(value, int | str) or (isinstance(value, str) and len(value) > 4 * _MOST_DIGITS):
            raise InputError(where, _shown(value), 'a time with a unit, such as "30s"')
        found = parse_duration(value, where)
        if not self.least_us <= found <= self.most_us:
            raise InputError(where, _shown(value), self.allowed)
        return found

    def spell(self, value: Any) -> str:
        return format_duration(value)

    def others(self, value: Any) -> list[Any]:
        near = (value // 2, 2 * value) if value else (200_000,)
        return [time_us for time_us in near if self.least_us <= time_us <= self.most_us]


@dataclass(frozen=True, slots=True)
class OrNone:
    """A limit that may be missing."""

    inner: Domain

    @property
    def allowed(self) -> str:
        return f"{self.inner.allowed}, or none"

    def read(self, value: Any, where: str) -> Any:
        if value is None or value in _NONE:
            return None
        try:
            return self.inner.read(value, where)
        except InputError as error:
            raise InputError(where, error.found, f"{error.allowed}, or none") from None

    def spell(self, value: Any) -> str:
        return _NONE[0] if value is None else self.inner.spell(value)

    def others(self, value: Any) -> list[Any]:
        return [] if value is None else [None, *self.inner.others(value)]


@dataclass(frozen=True, slots=True)
class Spelled:
    """One of a few values that have names, in any customary spelling: states."""

    values: tuple[Any, ...]
    parse: Callable[[str], Any]

    @property
    def allowed(self) -> str:
        return Word(tuple(map(str, self.values))).allowed

    def read(self, value: Any, where: str) -> Any:
        try:
            found = self.parse(value) if isinstance(value, str) else value
        except ValueError:
            found = None
        if found not in self.values or isinstance(found, bool) or not isinstance(found, type(self.values[0])):
            raise InputError(where, nearest(value, self.values), self.allowed)
        return found

    def spell(self, value: Any) -> str:
        return str(value)

    def others(self, value: Any) -> list[Any]:
        return [other for other in self.values if other != value]


@dataclass(frozen=True, slots=True)
class Several:
    """A list; in text its items are separated by commas or blanks.

    `lengths`: how many there may be, if not any number up to `most`. `distinct`: each at most once.
    `empty`: the word for none of them.
    """

    item: Domain
    most: int = 64
    lengths: tuple[int, ...] = ()
    distinct: bool = False
    empty: str = "none"
    made: Callable[[Iterable[Any]], Any] = tuple

    @property
    def allowed(self) -> str:
        number = " or ".join(map(str, self.lengths)) if self.lengths else f"up to {self.most}"
        once = ", each once" if self.distinct else ""
        return f"{self.empty}, or a list ({number}{once}) of: {self.item.allowed}"

    def read(self, value: Any, where: str) -> Any:
        items = value
        if isinstance(value, str):
            text = value.strip()
            items = [] if text in (self.empty, "") else _SEPARATOR.split(text)
        if not isinstance(items, list | tuple | set | frozenset):
            raise InputError(where, _shown(value), self.allowed)
        if len(items) > self.most or (self.lengths and len(items) not in self.lengths):
            raise InputError(where, f"a list of {len(items)}", self.allowed)
        read = [self.item.read(each, where) for each in items]
        if self.distinct and len(set(read)) != len(read):
            raise InputError(where, f"{_shown(value)}, one of it twice", self.allowed)
        return self.made(read)

    def spell(self, value: Any) -> str:
        ordered = sorted(value) if isinstance(value, frozenset) else value
        return " ".join(map(self.item.spell, ordered)) or self.empty

    def others(self, value: Any) -> list[Any]:
        found = [self.made(list(value)[1:]), self.made(list(value)[::-1])]
        return [each for each in found if each != value and (not self.lengths or len(each) in self.lengths)]


@dataclass(frozen=True, slots=True)
class Record:
    """A value of named numbers, written "name number, name number"."""

    kind: Any  # a NamedTuple

    @property
    def allowed(self) -> str:
        inner = domains(self.kind)
        return "; ".join(f"{name}: {inner[name].allowed}" for name in inner)

    def read(self, value: Any, where: str) -> Any:
        given = value
        if isinstance(value, self.kind):
            given = dict(zip(domains(self.kind), value, strict=True))
        elif isinstance(value, str):
            words = re.split(r"[\s,=]+", value.strip())
            given = dict(zip(words[::2], words[1::2], strict=False)) if len(words) % 2 == 0 else None
        inner = domains(self.kind)
        needed = set(inner) - set(self.kind._field_defaults)
        if not isinstance(given, Mapping) or not needed <= set(given) <= set(inner):
            raise InputError(where, _shown(value), self.allowed)
        return self.kind(**{name: inner[name].read(each, f"{where}.{name}") for name, each in given.items()})

    def spell(self, value: Any) -> str:
        inner = domains(self.kind)
        return ", ".join(f"{name} {inner[name].spell(each)}" for name, each in zip(inner, value, strict=True))

    def others(self, value: Any) -> list[Any]:
        inner = domains(self.kind)
        return [
            value._replace(**{name: other})
            for name, each in zip(inner, value, strict=True)
            for other in inner[name].others(each)[-1:]
        ]


def _shown(value: Any) -> str:
    """A value in an error, which is one line of a bearable length."""
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**_MOST_DIGITS else "a huge number"
    return text if len(text) <= 80 else f"{text[:77]}..."


@cache
def domains(kind: Any) -> dict[str, Domain]:
    """The domain of each field of a dataclass or a NamedTuple, in their order; but for a `name`, any text."""
    hints = get_type_hints(kind, include_extras=True)
    names = [each.name for each in fields(kind)] if is_dataclass(kind) else [*kind._fields]
    return {name: _domain(hints[name], f"{kind.__name__}.{name}") for name in names if name != "name"}


def _domain(hint: Any, where: str) -> Domain:
    """The domain that an annotation declares."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is bool:
        return Flag()
    if origin is Literal:
        return Word(inner)
    if origin is Annotated:
        for extra in inner[1:]:
            if hasattr(extra, "others"):
                found: Domain = extra
                return found
    if origin in (Union, types.UnionType) and types.NoneType in inner and len(inner) == 2:
        return OrNone(_domain(next(each for each in inner if each is not types.NoneType), where))
    if origin is tuple and inner[1:] == (...,):
        return Several(_domain(inner[0], where))
    if isinstance(hint, type) and hasattr(hint, "_fields"):
        return Record(hint)
    raise TypeError(f"{where}: {hint} declares no domain")


def check(value: Any) -> None:
    """That each field of a dataclass holds a value of its own type inside its domain.

    Raises:
        InputError: one does not.
    """
    kind: Any = type(value)
    for name, domain in domains(kind).items():
        found = getattr(value, name)
        where = f"{kind.__name__}.{name}"
        read = domain.read(found, where)
        if read is not found and (read != found or type(read) is not type(found)):
            raise InputError(where, _shown(found), domain.allowed)
