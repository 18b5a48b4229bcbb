"""The fields of its profile that a stack reads in a run.

Owns: a stack that notes what is read of it. Refuses to know: what a field does, and what follows.

Only a run for this purpose has such a stack; every other run reads a plain one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from tcpsim.catalogue.relay import role
from tcpsim.catalogue.run import run
from tcpsim.catalogue.scenario import Scenario, build
from tcpsim.pair import Pair, Side
from tcpsim.path import Seeded
from tcpsim.tcp.stack import Stack

_FIELDS = frozenset(field.name for field in fields(Stack))


def reading(
    scenario: Scenario, overrides: Mapping[str, Any], seed: int, horizon_us: int, connections: Sequence[int]
) -> dict[Side, frozenset[str]]:
    """The fields that were read, by side, in any of the runs."""
    plain = build(scenario, **overrides)
    noted: dict[Side, set[str]] = {side: set() for side in plain.names}
    stacks = {f"stack_{role(side)}": _noting(_stack(plain, side), noted[side]) for side in plain.names}
    knobs = {name: value for name, value in overrides.get("knobs", {}).items() if _of_box(name)}
    pair = build(_without_knobs(scenario), **{**overrides, **stacks, "knobs": knobs})
    for names in noted.values():
        names.clear()  # what was read to make and to check it
    for index in connections:
        run(pair, Seeded(seed, index), horizon_us)
    return {side: frozenset(names & _FIELDS) for side, names in noted.items()}


def _stack(pair: Pair, side: Side) -> Stack:
    return pair.machine(side).system.end.stack


def _of_box(knob: str) -> bool:
    return knob.startswith("middlebox.")


def _without_knobs(scenario: Scenario) -> Scenario:
    """The scenario whose stacks are turned already; the knobs of its middlebox stay."""
    knobs = {name: each for name, each in scenario.knobs.items() if _of_box(name)}
    return replace(scenario, knobs=knobs, relays=tuple([replace(each, knobs={}) for each in scenario.relays]))


def _noting(stack: Stack, names: set[str]) -> Stack:
    """The same profile, which adds to `names` what is read of it."""

    class Noting(Stack):
        __slots__ = ()

        def __getattribute__(self, name: str) -> Any:
            names.add(name)
            return super().__getattribute__(name)

        def __hash__(self) -> int:
            return id(self)

        def __eq__(self, other: object) -> bool:
            return self is other

    return Noting(**{name: getattr(stack, name) for name in _FIELDS})
