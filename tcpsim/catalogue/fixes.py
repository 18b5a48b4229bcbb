"""Parses fixes: "fin-timeout=30s", "server.keepalive=10min", and several of them together.

Owns: the syntax of fixes, and the errors for wrong ones. Refuses to know: what each fix
changes (fix_list), and whether it helps (a scenario says so, and the tests run it).

A fix of a stack changes both stacks. With a side in front, it changes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tcpsim.catalogue.fix_list import FIXES, Changes, Fix
from tcpsim.errors import InputError, unknown
from tcpsim.path import SIDES

_BY_NAME = {each.name: each for each in FIXES}


def fixes() -> tuple[Fix, ...]:
    """All of them, those of programs first."""
    return FIXES


def changes(wanted: Iterable[str], where: str = "fix") -> dict[str, Any]:
    """What several fixes, written as "name" or "name=value", change together: overrides for `build`.

    >>> changes(["client-checks-sockets=2s", "fin-timeout=30s"])["knobs"]
    {'fin_wait_2_us': 30000000}

    Raises:
        InputError: no such fix, a value it does not take, or two fixes that change the same thing.
    """
    together: dict[str, Any] = {}
    for words in wanted:
        for key, value in _one(words, where).items():
            if isinstance(value, Mapping):
                inner = together.setdefault(key, {})
                for name, setting in value.items():
                    if inner.setdefault(name, setting) != setting:
                        raise InputError(where, f"{words!r} and another fix for {name}", "one of them")
            elif together.setdefault(key, value) != value:
                raise InputError(where, f"{words!r} and another fix of the {key}", "one of them")
    return together


def fix(words: str, where: str = "fix") -> Fix:
    """The fix that "name" or "name=value" is about; "server.name" is the fix of one side's stack."""
    return _found(words, where)[1]


def _found(words: str, where: str) -> tuple[str, Fix]:
    """The side in front, or "", and the fix."""
    before, dot, behind = words.partition("=")[0].partition(".")
    side, name = (before, behind) if dot else ("", before)
    found = _BY_NAME.get(name)
    if found is None:
        raise unknown(where, name, list(_BY_NAME))
    if side and side not in (*SIDES, "relay"):
        raise unknown(where, side, [*SIDES, "relay"])
    if side and found.side != "either":
        raise InputError(where, repr(words), f"{name} without a side in front: it acts on {found.applies_to}")
    return side, found


def _one(words: str, where: str) -> Changes:
    side, found = _found(words, where)
    _, equals, value = words.partition("=")
    at = f"{where}.{found.name}"
    if found.kind is None:
        if equals:
            raise InputError(at, repr(value), "no value")
        return _on_side(side, found.changes(None))
    return _on_side(side, found.changes(found.kind.read(value if equals else found.default, at)))


def _on_side(side: str, changed: Changes) -> Changes:
    """Knobs of both stacks, and settings by side, as those of one."""
    if not side:
        return changed
    return {
        key: {f"{side}.{name}": each for name, each in value.items()}
        if key == "knobs"
        else {side: next(iter(value.values()))}
        for key, value in changed.items()
    }
