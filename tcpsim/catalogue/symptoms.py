"""Symptoms: the states in which sockets of a scenario stay, and the search from a symptom to scenarios.

Owns: what a symptom is, how the symptoms of a scenario are found (its run with seed 1 is watched to its end),
and the index of the catalogue. Refuses to know: which scenarios there are (themes) and what helps (fixes).

The index is a file, `symptoms.json`: `make docs` writes it from the runs, and a test compares it with them.
A listing reads it in a millisecond. *Rejected:* to run the whole catalogue for each listing (more than a
second, and more with every scenario), and a field that each author fills in (nothing would hold it to the
run).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from tcpsim.catalogue.scenario import Scenario, build
from tcpsim.catalogue.themes import scenarios as catalogue
from tcpsim.errors import InputError, unknown
from tcpsim.pair import SIDES, Machine, Pair, Side, advance, next_time
from tcpsim.path import Seeded
from tcpsim.sockets.processes import held
from tcpsim.tcp.state import Holder, State, parse_state

FILE: Final = "symptoms.json"
LEAST_US: Final = 10_000_000  # who stays shorter is on its way; `ss` shows few of them
OWNERS: Final = ("program", "queue", "kernel")  # and "none", which is any but a program
_LASTS: Final = ("for ever", "beyond the horizon", "ends")
_UNITS: Final = ((86_400_000_000, "days"), (3_600_000_000, "h"), (60_000_000, "min"), (1_000_000, "s"))
_HOLDS: Final = {
    "program": "held by a program",
    "queue": "in the accept queue, held by no program",
    "kernel": "held by the kernel alone",
}


class Symptom(NamedTuple):
    """Sockets of one side that stay in a state: how many, who holds them, what is queued, how long.

    `owner` is "program" (a descriptor refers to it), "queue" (nobody has accepted it) or "kernel" (an orphan,
    a TIME-WAIT record, a request of a listener). `unread` and `unacked` are octets of data of the socket that
    stays longest; `ss` counts a FIN as one more. `lasts` is "for ever", "beyond the horizon" or "ends";
    `stays_us` is how long it was there in the run.
    """

    side: Side
    state: State
    owner: str
    sockets: int
    unread: int
    unacked: int
    stays_us: int
    lasts: str

    @property
    def how_long(self) -> str:
        """How long one stays, in words: "for ever", "more than 23 h", "113 s"."""
        if self.lasts == "for ever":
            return self.lasts
        unit_us, unit = next((each for each in _UNITS if self.stays_us > 2 * each[0]), _UNITS[-1])
        shown = round(self.stays_us / unit_us)
        return f"{shown} {unit}" if self.lasts == "ends" else f"more than {self.stays_us // unit_us} {unit}"

    def describe(self) -> str:
        """One line: "CLOSE-WAIT on the server, held by a program; stays for ever"."""
        queued = "".join(
            f", {octets:,} bytes {what}"
            for octets, what in ((self.unread, "unread"), (self.unacked, "unacknowledged"))
            if octets
        )
        many = f"{self.sockets} " if self.sockets > 1 else ""
        return f"{many}{self.state} on the {self.side}, {_HOLDS[self.owner]}{queued}; stays {self.how_long}"

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**self._asdict(), "state": str(self.state)}


class _Stay(NamedTuple):
    """A socket in one state and with one owner, since when, and what is queued in it."""

    state: State
    owner: str
    since_us: int
    unread: int = 0
    unacked: int = 0


def watched(scenario: Scenario, **overrides: Any) -> tuple[Symptom, ...]:
    """The symptoms that the scenario's run with seed 1 has, those that last longest first."""
    pair, chooser = build(scenario, **overrides), Seeded(1)
    stays: dict[tuple[Side, int], _Stay] = {}
    over: list[tuple[Side, _Stay, int, str]] = []
    next_us = next_time(pair)
    while next_us is not None and next_us <= scenario.horizon_us:
        before, pair = pair, advance(pair, chooser)
        for side in pair.names:
            if pair.machine(side) is not before.machine(side):
                over += _moved(stays, side, pair)
        next_us = next_time(pair)
    end_us, lasts = (pair.now_us, _LASTS[0]) if next_us is None else (scenario.horizon_us, _LASTS[1])
    over += [(side, stay, end_us - stay.since_us, lasts) for (side, _), stay in stays.items()]
    return tuple(_grouped(over))


def _moved(
    stays: dict[tuple[Side, int], _Stay], side: Side, pair: Pair
) -> list[tuple[Side, _Stay, int, str]]:
    """Bring the stays of a side's sockets up to date; those that are over."""
    found = dict(_sockets(pair.machine(side), pair.now_us))
    over = []
    for place in [each for each in stays if each[0] == side]:
        old, new = stays[place], found.get(place[1])
        if new is None or (new.state, new.owner) != (old.state, old.owner):
            over.append((side, stays.pop(place), pair.now_us - old.since_us, _LASTS[2]))
    for number, new in found.items():
        since_us = stays.get((side, number), new).since_us
        stays[side, number] = new._replace(since_us=since_us)
    return over


def _sockets(machine: Machine, now_us: int) -> Iterator[tuple[int, _Stay]]:
    """A machine's sockets by number: those not CLOSED, and those that hold a descriptor."""
    end, with_fd = machine.system.end, held(machine.system)
    for number, tcb in end.sockets.items():
        if tcb.state is State.CLOSED and number not in with_fd:
            continue
        holder = tcb.holder(end.stack)  # without a descriptor a program holds it in a close() that lingers
        programs = number in with_fd or holder is Holder.OWNED
        owner = "program" if programs else "queue" if holder is Holder.QUEUE else "kernel"
        yield number, _Stay(tcb.state, owner, now_us, tcb.readable, tcb.unacked)


def _grouped(over: list[tuple[Side, _Stay, int, str]]) -> list[Symptom]:
    """Stays that are long enough, one symptom for each side, state and owner."""
    groups: dict[tuple[Side, State, str], list[tuple[Side, _Stay, int, str]]] = {}
    for each in over:
        side, stay, stays_us, lasts = each
        if lasts != _LASTS[2] or stays_us >= LEAST_US:
            groups.setdefault((side, stay.state, stay.owner), []).append(each)
    found = []
    for (side, state, owner), members in groups.items():
        longest = min(members, key=lambda each: (_LASTS.index(each[3]), -each[2]))
        _, stay, stays_us, lasts = longest
        found.append(Symptom(side, state, owner, len(members), stay.unread, stay.unacked, stays_us, lasts))
    return sorted(found, key=_length)


def _length(each: Symptom) -> tuple[int, int]:
    return _LASTS.index(each.lasts), 0 if each.lasts == _LASTS[0] else -each.stays_us


def written() -> str:
    """The index as a file: one line for each symptom, so that a change of an ending reads as a diff."""
    lines = [
        json.dumps({"scenario": scenario.name, **each.record()})
        for scenario in catalogue()
        for each in watched(scenario)
    ]
    return "[\n" + ",\n".join(lines) + "\n]\n"


@cache
def index() -> dict[str, tuple[Symptom, ...]]:
    """The symptoms of every scenario of the catalogue, as the file has them."""
    found: dict[str, list[Symptom]] = {each.name: [] for each in catalogue()}
    text = Path(__file__).with_name(FILE).read_text(encoding="utf-8")
    for entry in json.loads(text):
        name, state = entry.pop("scenario"), parse_state(entry.pop("state"))
        found.setdefault(name, []).append(Symptom(state=state, **entry))
    return {name: tuple(symptoms) for name, symptoms in found.items()}


def symptoms(scenario: Scenario) -> tuple[Symptom, ...]:
    """The symptoms of a scenario: from the index for the catalogue's own, else by running it."""
    own = any(scenario is each for each in catalogue())
    return index()[scenario.name] if own else watched(scenario)


def own_symptoms(scenario: Scenario) -> tuple[Symptom, ...]:
    """What a scenario is about: the symptoms of the side that it concerns which last longest."""
    found = [each for each in symptoms(scenario) if scenario.concerns in (None, each.side)]
    return tuple(each for each in found if _length(each) == _length(found[0]))


def scenarios(
    state: str | State | None = None, side: str | None = None, owner: str | None = None
) -> tuple[Scenario, ...]:
    """The catalogue, or the scenarios in which sockets stay in a state, on a side, held by an owner.

    `state` has the spelling of the RFC, of ss or of netstat. `owner` is "program", "queue", "kernel",
    or "none" for any but a program, as `ss -p` shows it. Without arguments the order is that in which the
    catalogue is best told. Otherwise the scenarios that are about this come first.

    >>> [each.name for each in scenarios(state="CLOSE-WAIT", side="server", owner="none")][0]
    'accept-queue-never-drained'

    Raises:
        InputError: no such state, side or owner.
    """
    wanted = _wanted(state, side, owner)
    if wanted == (None, None, None):
        return catalogue()
    ranked = []
    for place, scenario in enumerate(catalogue()):
        matching = [each for each in index()[scenario.name] if _matches(each, *wanted)]
        if matching:
            about = any(each in own_symptoms(scenario) for each in matching)
            ranked.append(((not about, scenario.concerns is None, place), scenario))
    return tuple(scenario for _, scenario in sorted(ranked, key=lambda each: each[0]))


def matching(
    scenario: Scenario, state: str | None, side: str | None, owner: str | None
) -> tuple[Symptom, ...]:
    """The symptoms of a scenario that `scenarios` finds it by."""
    wanted = _wanted(state, side, owner)
    return tuple(each for each in symptoms(scenario) if _matches(each, *wanted))


def _wanted(
    state: str | State | None, side: str | None, owner: str | None
) -> tuple[State | None, str | None, str | None]:
    for where, word, known in (("side", side, SIDES), ("owner", owner, (*OWNERS, "none"))):
        if word is not None and word not in known:
            raise unknown(where, word, list(known))
    found = _state(state) if isinstance(state, str) else state
    if found is State.LISTEN:
        raise InputError("state", "LISTEN", "a state of a connection; a listener is none")
    return found, side, owner


def _state(word: str) -> State:
    try:
        return parse_state(word)
    except ValueError:
        raise unknown("state", word.upper(), [str(each) for each in State]) from None


def _matches(each: Symptom, state: State | None, side: str | None, owner: str | None) -> bool:
    return (
        state in (None, each.state)
        and side in (None, each.side)
        and (owner in (None, each.owner) or (owner == "none" and each.owner != "program"))
    )
