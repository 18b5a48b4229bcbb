"""The kinds of sockets in a dump, and the texts for each kind (kinds.toml).

Owns: the type of a kind. Refuses to know: how the kind of a socket is found (classify), and which settings
help, because a scenario says that.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

from tcpsim.diagnosis.host import Role
from tcpsim.pair import Side

THIS, THAT, KERNEL, NOBODY = "this program", "that program", "this kernel", "nobody"


class Shown(NamedTuple):
    """A scenario that shows the case, and which of its sides this host is.

    The fixes, the command's own or None for the scenario's: those that help this side, and those that do not.
    """

    scenario: str
    here: Side
    options: str = ""
    cures: tuple[str, ...] | None = None
    in_vain: tuple[str, ...] | None = None


class Kind(NamedTuple):
    """One case; kinds.toml says what each field is."""

    name: str
    title: str
    leak: bool
    rank: int
    happened: str
    move: str
    owes: str
    look: str
    shown: Mapping[str, Shown]


@cache
def kinds() -> Mapping[str, Kind]:
    """All of them, by name."""
    text = (resources.files("tcpsim.diagnosis") / "kinds.toml").read_text(encoding="utf-8")
    return {name: _kind(name, entry) for name, entry in tomllib.loads(text).items()}


def shown(kind: str, role: Role) -> Shown:
    """The scenario that shows a case, seen from this side."""
    found = kinds()[kind].shown
    return found[role] if role in found else found[_EITHER]


def _kind(name: str, entry: dict[str, Any]) -> Kind:
    scenarios = {}
    for role, each in entry.pop("shown").items():
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in each.items()
        }
        scenarios[role] = Shown(**values)
    return Kind(name=name, shown=scenarios, **entry)


_EITHER: Final = "any"
