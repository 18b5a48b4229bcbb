"""Settings without effect: each setting is removed in turn, and the run is compared.

Owns: the comparison, event for event, and the drop rules that matched nothing. Refuses to know: why a setting
did nothing (ineffective_reasons), and where it is told (api, cli).

A run with a setting and one without it cost two runs, and the second stops at the first event that differs.
So nothing in TCP has to count what it reads; what a stack's fields are read for is asked of one further run,
whose stacks tell on themselves (fields_read).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from tcpsim.catalogue.fields_read import reading
from tcpsim.catalogue.ineffective_reasons import Seen, why_idle
from tcpsim.catalogue.run import run
from tcpsim.catalogue.scenario import Scenario, build
from tcpsim.catalogue.simulate import Played
from tcpsim.errors import InputError
from tcpsim.pair import Called, Event, Lost, Pair, Returned
from tcpsim.path import Seeded
from tcpsim.path.rule import Script
from tcpsim.sockets import Listen, SetSockOpt

_MAPPINGS = ("knobs", "parameters")
_ALREADY = "the scenario has it already"
Overrides = Mapping[str, Any]


class Idle(NamedTuple):
    """A setting as a user writes it, and why the runs are the same without it."""

    setting: str
    why: str


class Sample(NamedTuple):
    """Runs of one scenario: which connections of a population (0 is a run's own), and until when to watch.

    The overrides in `kept` belong to the sample and are no settings of a user's.
    """

    scenario: Scenario
    overrides: Overrides
    seed: int
    horizon_us: int
    connections: Sequence[int] = (0,)
    kept: frozenset[str] = frozenset()

    def played(self) -> list[Played]:
        """All of them."""
        found = []
        for index in self.connections:
            events: list[Event] = []
            pair = build(self.scenario, **self.overrides)
            ended = run(pair, Seeded(self.seed, index), self.horizon_us, events.append)
            found.append(Played(pair, ended, tuple(events)))
        return found


def idle(sample: Sample, runs: Sequence[Played], own: bool = False) -> tuple[Idle, ...]:
    """The settings without which each of the runs is the same; with `own` also those of the scenario itself.

    A drop rule is among them only if it matched nothing (see `unmatched`).
    """
    without = [each for each in _without(sample, own) if _the_same(each[1], runs)]
    if not without:
        return ()
    reads = reading(sample.scenario, sample.overrides, sample.seed, sample.horizon_us, sample.connections)
    seen = Seen(tuple(runs), reads)
    found = []
    for (words, kind, name, value), _ in without:
        already = not name and getattr(sample.scenario, kind, None) == value
        found.append(Idle(words, _ALREADY if already else why_idle(kind, name, value, seen)))
    return tuple(found)


def unmatched(runs: Sequence[Played]) -> tuple[str, ...]:
    """The drop rules of the path, in words, that dropped nothing in any of the runs."""
    struck = {(event.leg, event.why) for each in runs for event in each.events if isinstance(event, Lost)}
    idle = []
    for leg, path in enumerate(runs[0].begun.paths):
        rules = [rule for element in path.shared if isinstance(element, Script) for rule in element.rules]
        missed = [each for each in rules if each.action == "drop" and (leg, each.name) not in struck]
        idle += [f"leg {leg + 1}: {rule.name}" if leg else rule.name for rule in missed]
    return tuple(idle)


_Setting = tuple[str, str, str, Any]  # in words, the field of Setting, the name in a mapping, the value


def _without(sample: Sample, own: bool) -> Iterator[tuple[_Setting, Sample]]:
    """Each setting, and the sample without it."""
    overrides = dict(sample.overrides)
    for kind, value in overrides.items():
        if kind == "drops" or kind in sample.kept or value is None:
            continue
        if kind not in _MAPPINGS:
            rest = {name: each for name, each in overrides.items() if name != kind}
            yield (
                (f"{kind.replace('_', ' ')} {_word(value)}", kind, "", value),
                sample._replace(overrides=rest),
            )
            continue
        for name, given in value.items():
            left = {key: each for key, each in value.items() if key != name}
            changed = sample._replace(overrides=overrides | {kind: left})
            yield (f"{name}={_word(given)}", kind, name, given), changed
    if own:
        for name, given in sample.scenario.knobs.items():
            left = {key: each for key, each in sample.scenario.knobs.items() if key != name}
            changed = sample._replace(scenario=replace(sample.scenario, knobs=left))
            yield (f"{name}={_word(given)}", "knobs", name, given), changed


def _word(value: Any) -> str:
    return str(getattr(value, "name", value))


class _Differs(Exception):
    """An event that is not the one of the run it is compared with."""


def _the_same(sample: Sample, runs: Sequence[Played]) -> bool:
    """Whether every run of a sample has the events of its counterpart."""
    try:
        pair = build(sample.scenario, **sample.overrides)
        return all(
            _repeats(pair, Seeded(sample.seed, index), sample.horizon_us, played)
            for index, played in zip(sample.connections, runs, strict=True)
        )
    except InputError:  # the rest does not stand without it
        return False


def _bare(event: Event) -> Event:
    """The event without the number that a program asks for when it prepares a socket: what follows counts."""
    if isinstance(event, Called | Returned):
        if isinstance(event.call, Listen):
            return event._replace(call=event.call._replace(backlog=0))
        if isinstance(event.call, SetSockOpt):
            return event._replace(call=event.call._replace(value=0))
    return event


def _repeats(pair: Pair, chooser: Seeded, horizon_us: int, played: Played) -> bool:
    expected = iter(played.events)

    def compare(event: Event) -> None:
        other = next(expected, None)
        if other != event and (other is None or _bare(other) != _bare(event)):
            raise _Differs

    try:
        run(pair, chooser, horizon_us, compare)
    except _Differs:
        return False
    return next(expected, None) is None
