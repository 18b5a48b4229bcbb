"""The notes of a result about settings that made no difference.

Owns: which runs are compared for this, and the text. Refuses to know: how such a setting is found
(catalogue).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from textwrap import wrap
from typing import Any

from tcpsim.catalogue import Idle, Played, Sample, Scenario, idle, scenarios, unmatched
from tcpsim.draw.ladder import WIDTH

CONNECTIONS = 25  # of many, or of all that might be: so many are looked at


class Noted:
    """A result of a scenario with changes. `_sample` selects the runs that represent it."""

    scenario: Scenario

    def _sample(self) -> Sample:
        raise NotImplementedError

    @cached_property
    def looked_at(self) -> list[Played]:
        """The runs that represent the result in the search for settings without effect."""
        return self._sample().played()

    @cached_property
    def idle(self) -> tuple[Idle, ...]:
        """The settings that changed no event, with reasons. For a file, its knobs are included."""
        own = not any(each is self.scenario for each in scenarios())
        sample = self._sample()
        asked = own or sample.overrides.keys() - sample.kept
        return idle(sample, self.looked_at, own) if asked else ()

    @cached_property
    def unmatched(self) -> tuple[str, ...]:
        """The drop rules that dropped nothing."""
        if not (self.scenario.drops or self._sample().overrides.get("drops")):
            return ()
        return unmatched(self.looked_at)

    def _notes(self) -> list[str]:
        """One line for each setting that made no difference."""
        told = [f"{each.setting}: {each.why}" for each in self.idle]
        return [line for words in told for line in _lines(words)]

    def _notes_record(self) -> dict[str, Any]:
        """The keys `idle` and `unmatched_drops` in docs/json.md."""
        return {"idle": [each._asdict() for each in self.idle], "unmatched_drops": list(self.unmatched)}


def _lines(words: str) -> list[str]:
    return wrap(words, WIDTH, initial_indent="note     ", subsequent_indent=" " * 9, break_on_hyphens=False)


def sample_of(
    scenario: Scenario,
    changes: Mapping[str, Any],
    seed: int,
    horizon_us: int,
    many: bool = False,
    kept: tuple[str, ...] = (),
) -> Sample:
    """One run of a scenario, or its first connections."""
    given = {name: value for name, value in changes.items() if value not in (None, (), {})}
    connections = tuple(range(CONNECTIONS)) if many else (0,)
    return Sample(scenario, given, seed, horizon_us, connections, frozenset(kept))
