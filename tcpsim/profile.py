"""Profiles as data: values with sources and the owner's names, read from files, and changes of knobs.

Owns: the one reader of profiles (of stacks and of middleboxes), and of whoever turns a knob of one: a
command line, a scenario, a fix, a sysctl of a script. Refuses to know: which fields a profile has and what
each may be (its type, domain), and what a value does.

A profile may name another one as its base and then states only what differs; a value inherited keeps its
source. A knob has up to three names: its owner's (``tcp_fin_timeout``), the field's (``fin_wait_2_us``), and
the field's without the unit (``fin_wait_2``).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from tcpsim.domain import Domain, Duration, Flag, OrNone, domains
from tcpsim.errors import InputError, Mistakes, unknown

_UNIT = "_us"
_BEARABLE = 12  # digits of a sysctl


class _Named(Protocol):
    """A dataclass with a name."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str: ...


Profile = TypeVar("Profile", bound=_Named)


class Knob(NamedTuple):
    """Where a profile's value comes from: its field, the owner's own name and unit for it, its source."""

    field: str
    own_name: str
    unit: str
    source: str
    verified: bool

    @classmethod
    def of(cls, field: str, entry: Mapping[str, Any]) -> Knob:
        """As a profile's file has it."""
        own_name, unit = entry.get("knob", ""), entry.get("unit", "")
        return cls(field, own_name, unit, entry["source"], entry.get("verified", True))


class Profiles(Generic[Profile]):
    """All profiles of one type.

    `names` lists them; `table` is what a file says of one, perhaps with a ``base``; `file` is what an error
    calls that place; `what` is what one is called.
    """

    def __init__(
        self,
        kind: Callable[..., Profile],
        what: str,
        names: Callable[[], tuple[str, ...]],
        table: Callable[[str], Mapping[str, Any]],
        file: Callable[[str], str],
    ) -> None:
        self.domains: Mapping[str, Domain] = domains(kind)
        self.names = names
        self._kind = kind
        self._what = what
        self._table = table
        self._file = file
        self._known: dict[str, tuple[Profile, tuple[Knob, ...]]] = {}
        self._short = {
            field.removesuffix(_UNIT): field
            for field in self.domains
            if field.endswith(_UNIT) and field.removesuffix(_UNIT) not in self.domains
        }

    def profile(self, name: str) -> Profile:
        """The profile called `name`.

        Raises:
            InputError: there is none.
        """
        return self._read(name)[0]

    def knobs(self, name: str) -> tuple[Knob, ...]:
        """The sources behind a profile, one `Knob` per field, in the order of the fields."""
        return self._read(name)[1]

    def knob_names(self, name: str) -> dict[str, tuple[Knob, ...]]:
        """The owner's own names of a profile's knobs; one name may turn several fields."""
        own: dict[str, tuple[Knob, ...]] = {}
        for knob in self.knobs(name):
            if knob.own_name:
                own[knob.own_name] = (*own.get(knob.own_name, ()), knob)
        return own

    def turned(
        self, profile: Profile, knobs: Mapping[str, Any], where: str = "knob ", written: bool = False
    ) -> Profile:
        """A profile with knobs turned, by any of their names.

        Values are what a profile's file would hold (``"60s"``, ``"none"``), a sysctl's bare number under its
        own name (in the knob's unit), or the field's own type; `written`: they come from a file, in which a
        time has a unit.

        Raises:
            InputError: an unknown knob, or a value outside its field's domain; `where` begins its place.
        """
        own = self.knob_names(profile.name) if profile.name in self.names() else {}
        changes: dict[str, Any] = {}
        for key, value in knobs.items():
            field = key if key in self.domains else self._short.get(key)
            if key in own:
                for knob in own[key]:
                    changes[knob.field] = self._own(knob, value, f"{where}{key}")
            elif field is not None:
                changes[field] = self.value(field, value, f"{where}{key}", written)
            else:
                raise unknown(f"{where}{key}", key, [*own, *self._short, *self.domains])
        return replace(profile, **changes)

    def own(self, table: Mapping[str, Any], where: str) -> tuple[Profile, tuple[Knob, ...]]:
        """A profile of a user's own, and its sources: `name`, perhaps `base`, and the values that differ.

        An entry is a value, or a table with `value`, `source`, `knob`, `unit` and `verified` as in the files
        of the project. It has the name of a field, or any name that the base's owner has for it.

        Raises:
            InputError: a field that does not exist, is missing, or has a value outside its domain.
        """
        given = dict(table)
        name, base = given.pop("name", None), given.pop("base", None)
        mistakes: list[InputError] = []
        if not isinstance(name, str) or name in (*self.names(), "none"):
            allowed = f"a name that no {self._what} has"
            mistakes.append(InputError(f"{where}.name", repr(name), allowed))
        if base is not None and base not in self.names():
            raise Mistakes([*mistakes, unknown(f"{where}.base", str(base), self.names())])
        owners = {} if base is None else self.knob_names(base)
        knobs = {} if base is None else {knob.field: knob for knob in self.knobs(base)}
        values = {} if base is None else {each: getattr(self.profile(base), each) for each in self.domains}
        for key, said in given.items():
            try:
                for knob, value in self._said(key, said, owners, f"{where}.{key}"):
                    knobs[knob.field], values[knob.field] = knob, value
            except InputError as error:
                knobs[self._short.get(key, key)] = Knob(key, "", "", "", False)  # a mistake, and not missing
                mistakes.append(error)
        missing = [field for field in self.domains if field not in knobs]
        if missing:
            mistakes.append(InputError(where, f"no value for {', '.join(missing)}", "a base, or all of them"))
        if mistakes:
            raise Mistakes(mistakes)
        return self._kind(name=name, **values), tuple(knobs[field] for field in self.domains)

    def _said(
        self, key: str, said: Any, owners: Mapping[str, tuple[Knob, ...]], at: str
    ) -> list[tuple[Knob, Any]]:
        """What one entry of a user's own profile says, of one field or of several that one knob turns."""
        entry = {"source": f"{at.partition(':')[0]}", **(said if isinstance(said, dict) else {"value": said})}
        for word in entry:
            if word not in ("value", "source", "knob", "unit", "verified"):
                raise unknown(f"{at}.{word}", word, ("value", "source", "knob", "unit", "verified"))
        if "value" not in entry:
            raise InputError(at, "no value", "a value")
        if key in owners:
            own = [Knob.of(each.field, {"knob": key, "unit": each.unit, **entry}) for each in owners[key]]
            return [(knob, self._own(knob, entry["value"], at)) for knob in own]
        field = key if key in self.domains else self._short.get(key)
        if field is None:
            raise unknown(at, key, [*owners, *self._short, *self.domains])
        return [(Knob.of(field, entry), self.value(field, entry["value"], at, written=True))]

    def value(self, field: str, value: Any, where: str, written: bool = False) -> Any:
        """A value as the type of its field; `written`: see `turned`."""
        domain = self.domains[field]
        inner = domain.inner if isinstance(domain, OrNone) else domain
        if written and isinstance(inner, Duration) and not isinstance(value, str):
            raise InputError(where, repr(value), 'a time with a unit, such as "30s"')
        return domain.read(value, where)

    def spelled(self, profile: Profile, field: str) -> str:
        """A value of a profile as its file would hold it."""
        return self.domains[field].spell(getattr(profile, field))

    def _own(self, knob: Knob, value: Any, where: str) -> Any:
        """What a sysctl holds: a bare number is in the knob's unit, and a level above 0 is on."""
        domain, text = self.domains[knob.field], str(value)
        bare = isinstance(value, int | str) and not isinstance(value, bool)
        if bare and text.isascii() and text.isdigit() and len(text) <= _BEARABLE:
            if knob.unit:
                value = f"{text}{knob.unit}"
            elif isinstance(domain, Flag):
                value = int(text) > 0
        return domain.read(value, where)

    def _read(self, name: str) -> tuple[Profile, tuple[Knob, ...]]:
        known = self._known.get(name) if isinstance(name, str) else None
        if known is None:
            if name not in self.names():
                raise unknown(self._what, name, self.names())
            place, table = self._file(name), self._resolved(name)
            missing = [field for field in self.domains if field not in table]
            if missing:
                raise InputError(place, f"no value for {', '.join(missing)}", "a value for every field")
            values = {
                field: self.value(field, table[field]["value"], f"{place} {field}", written=True)
                for field in self.domains
            }
            knobs = tuple(Knob.of(field, table[field]) for field in self.domains)
            known = self._known[name] = self._kind(name=name, **values), knobs
        return known

    def _resolved(self, name: str) -> dict[str, Any]:
        """What a profile's file says, laid over its base."""
        place, table = self._file(name), dict(self._table(name))
        base = table.pop("base", None)
        for field, entry in table.items():
            if field not in self.domains:
                raise unknown(f"{place} {field}", field, self.domains)
            if "value" not in entry or not entry.get("source"):
                raise InputError(f"{place} {field}", "no value or no source", "both")
        return {**self._resolved(base), **table} if base else table


def toml(file: Path) -> dict[str, Any]:
    """A file of the package."""
    return tomllib.loads(file.read_text(encoding="utf-8"))
