"""What a NAT or a stateful firewall is told to do: profiles as data, as stacks are.

Owns: the fields of a profile, the profiles of middleboxes.toml with a source for each value, and turning
knobs. Refuses to know: flows (tracker) and the states of one (conntrack).

Two things tell one box from another: how long it remembers a flow in each of its states, and what it does
with a segment of a flow that it does not know. A NAT is no field of its own. What it adds, another address,
neither end here can see; and one that gives a forgotten flow another port is a box that answers its client
with RST (the server's host does, as it knows no such connection): see docs/middleboxes.md.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import resources
from typing import Any

from tcpsim.errors import InputError
from tcpsim.path.conntrack import Tracked
from tcpsim.tcp.stack import Knob
from tcpsim.units import parse_duration


@dataclass(frozen=True, slots=True)
class Middlebox:
    """A profile. Times are of silence: each segment of a flow starts them anew."""

    name: str
    role: str  # what a ladder calls it
    begins: str  # whose segment may begin a flow: "client" or "both"
    loose: bool  # a segment from the middle of a connection may begin one, not only a SYN
    answers: str  # who gets a RST for a segment of no known flow: "nobody", "client" or "both"
    passes_ignored: bool  # what fits nowhere, but may be right where the tracker is wrong, goes through
    syn_sent_us: int
    syn_recv_us: int
    established_us: int
    fin_wait_us: int
    close_wait_us: int
    last_ack_us: int
    time_wait_us: int
    close_us: int
    unacknowledged_us: int | None  # at most so long while what either side sent is not acknowledged
    max_retrans_us: int | None  # at most so long after this many repetitions of one acknowledgement
    max_retrans: int

    def limit_us(self, state: Tracked) -> int:
        """How long a silent flow is remembered in a state."""
        if state is Tracked.SYN_SENT2:
            return self.syn_sent_us
        found: int = getattr(self, f"{state.value.lower()}_us")
        return found

    def with_knobs(self, knobs: Mapping[str, Any]) -> Middlebox:
        """This box with knobs turned, by field (`close_wait_us`, or short `close_wait`) or its own name.

        Raises:
            InputError: an unknown knob, or a value that it does not take.
        """
        own = {knob.own_name: knob for knob in sources(self.name) if knob.own_name}
        changes = {}
        for name, value in knobs.items():
            knob = own.get(name)
            field = knob.field if knob else name if name in _TYPES else f"{name}_us"
            where = f"knob middlebox.{name}"
            if field not in _TYPES or field == "name":
                raise InputError(where, "no such knob", ", ".join([*own, *FIELDS]))
            bare = isinstance(value, int | str) and not isinstance(value, bool) and str(value).isdigit()
            changes[field] = _read(field, f"{value}{knob.unit}" if knob and bare else value, where)
        return replace(self, **changes)


_TYPES: dict[str, str] = {each.name: str(each.type) for each in fields(Middlebox)}
FIELDS = tuple(_TYPES)[1:]  # all but the name
_WORDS = {
    "role": ("firewall", "NAT"),
    "begins": ("client", "both"),
    "answers": ("nobody", "client", "both"),
}
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def _read(field: str, value: Any, where: str) -> Any:
    """A value as a file or a command line has it, as the type of its field."""
    if field in _WORDS:
        if value not in _WORDS[field]:
            raise InputError(where, repr(value), " or ".join(_WORDS[field]))
        return value
    if _TYPES[field] == "bool":
        if str(value).lower() not in _BOOLEANS:
            raise InputError(where, repr(value), "true or false")
        return _BOOLEANS[str(value).lower()]
    if not field.endswith("_us"):
        if isinstance(value, bool) or not str(value).isascii() or not str(value).isdigit() or int(value) < 1:
            raise InputError(where, repr(value), "an integer >= 1")
        return int(value)
    if value == "none" and "None" in _TYPES[field]:
        return None
    found = parse_duration(value, where)
    if not found:
        raise InputError(where, repr(value), "a time above 0")
    return found


@cache
def _profiles() -> dict[str, Any]:
    text = (resources.files("tcpsim.path") / "middleboxes.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def middleboxes() -> tuple[str, ...]:
    """The names of the profiles there are."""
    return tuple(_profiles())


def _resolved(name: str) -> dict[str, Any]:
    table = dict(_profiles()[name])
    base = table.pop("base", None)
    return {**_resolved(base), **table} if base else table


@cache
def middlebox(name: str, where: str = "middlebox") -> Middlebox:
    """The profile called `name`.

    Raises:
        InputError: there is none.
    """
    if name not in _profiles():
        raise InputError(where, repr(name), f"none, {', '.join(middleboxes())}")
    table, place = _resolved(name), f"middleboxes.toml {name}"
    return Middlebox(name, **{field: _read(field, table[field]["value"], place) for field in FIELDS})


@cache
def sources(name: str) -> tuple[Knob, ...]:
    """Where each value of a profile comes from, and what its owner calls it, in the order of the fields."""
    table = _resolved(name)
    return tuple(Knob.of(field, table[field]) for field in FIELDS)
