"""Dialects: what a script for one kind of system assumes, and how its sysctls change knobs.

Owns: the tables in ``dialects/``: sysctls that do not have the name of a knob, sysctls and commands that
change nothing here (each with its reason), and constants that differ; and which system a script is written
for. Refuses to know: what a knob does (the stack's profile).

A sysctl is looked up in the table, and then among the profile's names of its knobs. An unknown sysctl is an
error of the script.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from tcpsim.conformance.packetdrill.script import Place, ScriptError, Unsupported
from tcpsim.errors import InputError
from tcpsim.tcp.stack import Stack, knob_names
from tcpsim.tcp.state import State, parse_state

DEFAULT = "linux"
_COMMENT = re.compile(r"//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)


class Dialect(NamedTuple):
    """One table; see the comments in its file."""

    name: str
    family: tuple[str, ...]  # other stacks whose scripts are written so
    symbols: tuple[str, ...]  # true in #ifdef
    prefixes: tuple[str, ...]  # of sysctl keys whose rest may be a knob's own name
    marks: tuple[re.Pattern[str], ...]
    syn: re.Pattern[str]
    o_nonblock: int
    tcpi_state: Mapping[State, int]
    time_wait_is_closed: bool
    ipv6: Mapping[str, Any]
    defaults: Mapping[str, Any]
    keys: Mapping[str, Mapping[str, Any]]
    commands: tuple[re.Pattern[str], ...]
    legacy: Legacy | None


class Legacy(NamedTuple):
    """A setting of older machines: what a script that was written on one shows of it, and what it turns."""

    name: str
    mark: re.Pattern[str]
    unless: re.Pattern[str]  # the script says itself how the machine is set
    knobs: Mapping[str, Any]


@cache
def _table(name: str) -> Dialect:
    text = (resources.files("tcpsim.conformance.packetdrill") / "dialects" / f"{name}.toml").read_text(
        "utf-8"
    )
    table = tomllib.loads(text)
    return Dialect(
        name=name,
        family=tuple(table["family"]),
        symbols=tuple(table["symbols"]),
        prefixes=tuple(table["prefixes"]),
        marks=tuple(re.compile(mark) for mark in table["marks"]),
        syn=re.compile(table["syn"]),
        o_nonblock=table["o_nonblock"],
        tcpi_state={parse_state(state): number for state, number in table["tcpi_state"].items()},
        time_wait_is_closed=table["time_wait_is_closed"],
        ipv6=table["ipv6"],
        defaults=table["defaults"],
        keys=table["keys"],
        commands=tuple(re.compile(pattern) for pattern in table["commands"]),
        legacy=_legacy(table.get("legacy")),
    )


def _legacy(table: Mapping[str, Any] | None) -> Legacy | None:
    if table is None:
        return None
    mark, unless = re.compile(table["mark"]), re.compile(table["unless"])
    return Legacy(table["name"], mark, unless, table["knobs"])


@cache
def _names() -> tuple[str, ...]:
    folder = resources.files("tcpsim.conformance.packetdrill") / "dialects"
    return tuple(sorted(path.name.removesuffix(".toml") for path in folder.iterdir()))


def dialect_of(stack_name: str) -> Dialect:
    """The dialect that scripts for a profile are written in: its own, its family's, or the RFC's.

    >>> [dialect_of(name).name for name in ("linux-2.2", "netbsd", "windows")]
    ['linux', 'freebsd', 'rfc9293']
    """
    kind = re.split(r"[-+]", stack_name)[0]
    own = (name for name in _names() if name == kind or kind in _table(name).family)
    return _table(next(own, "rfc9293"))


def told_by(text: str) -> tuple[str, str]:
    """Which stack a script was written for, and what tells so.

    The set-up tells; where there is none, the order of the options that the script expects in a SYN.

    >>> told_by("+0 `sysctl -w net.inet.tcp.rfc1323=0`")
    ('freebsd', 'net.inet.')
    """
    bare = _COMMENT.sub(" ", text)
    best: tuple[int, str, str] | None = None
    for name in sorted(_names(), key=lambda name: name != DEFAULT):
        found = [match[0] for mark in _table(name).marks if (match := mark.search(bare))]
        if found and (best is None or len(found) > best[0]):
            best = len(found), name, found[0]
    if best is not None:
        return best[1], best[2]
    for name in _names():
        if _table(name).syn.search(bare):
            return name, "the order of the options in its SYN"
    return DEFAULT, "nothing in it tells"


def legacy_of(dialect: Dialect, text: str) -> Legacy | None:
    """The setting of older machines that a script was written for, if it was."""
    bare, legacy = _COMMENT.sub(" ", text), dialect.legacy
    if legacy is None or legacy.unless.search(bare) or not legacy.mark.search(bare):
        return None
    return legacy


def turned(stack: Stack, dialect: Dialect, key: str, value: str, place: Place) -> Stack:
    """The profile after ``sysctl key=value``.

    Raises:
        ScriptError: there is no such key, or it does not take this value.
        Unsupported: the key is known, the value asks for what the endpoint cannot do.
    """
    key = key.strip().replace("/", ".")
    entry = dialect.keys.get(key)
    if entry is None:
        return _knob(stack, dialect, key, value, place)
    if "as" in entry:
        if value.strip() not in entry["as"]:
            can = ", ".join(entry["as"])
            raise Unsupported(place, f"sysctl {key}={value}: the endpoint can do {can}")
        return _with(stack, entry["as"][value.strip()], key, place)
    if "ignored" in entry:
        return stack
    words, turns = value.split(), entry.get("words", [entry.get("turns")])
    if len(words) != len(turns) or not all(word.isdigit() for word in words):
        raise ScriptError(place, f"sysctl {key}={value}: expected {len(turns)} whole number(s)")
    changes = {
        field: _scaled(int(word), how)
        for word, fields in zip(words, turns, strict=True)
        for field, how in fields.items()
    }
    return _with(stack, changes, key, place)


def _knob(stack: Stack, dialect: Dialect, key: str, value: str, place: Place) -> Stack:
    """A key that the profile itself knows by its owner's name."""
    for prefix in dialect.prefixes:
        own = key.removeprefix(prefix)
        if own != key and own in knob_names(stack.name):
            return _with(stack, {own: value.strip()}, key, place)
    raise ScriptError(place, f"unknown sysctl key {key!r} for the stack {stack.name}")


def _with(stack: Stack, changes: Mapping[str, Any], key: str, place: Place) -> Stack:
    try:
        return stack.with_knobs(dict(changes))
    except InputError as error:
        raise ScriptError(place, f"sysctl {key}: found {error.found}, allowed: {error.allowed}") from error


def _scaled(number: int, how: Mapping[str, int]) -> int:
    """A sysctl's number in the unit of a field.

    `shift_over`: the window scale that covers it.
    """
    if "shift_over" in how:
        return min(max(number.bit_length() - 1 - how["shift_over"], 0), 14)
    return number * how.get("times", 1) // how.get("over", 1)
