"""The function `compare`: it runs a scenario without and with fixes, side by side.

Owns: the function, and its result as text, rows and JSON. Refuses to know: the fixes (catalogue.fixes), and
when a host counts as free (catalogue.run).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, Unpack

from tcpsim.api.result import Result
from tcpsim.api.setting_notes import Noted, sample_of
from tcpsim.api.settings import Named, Settings, chosen, settings
from tcpsim.catalogue import (
    Played,
    Sample,
    Scenario,
    Setting,
    Tried,
    Verdict,
    about_reads,
    changes,
    concerned,
    cured,
    cured_us,
    descriptors,
    fixes,
    judge,
    merged,
    play,
    takes,
)
from tcpsim.catalogue.fix_trial import TOGETHER
from tcpsim.draw.caption import Caption, caption_of
from tcpsim.draw.ladder import WIDTH
from tcpsim.draw.segment_text import reads_in_words
from tcpsim.draw.time_format import clock, length
from tcpsim.errors import InputError
from tcpsim.pair import sockets_in_words
from tcpsim.tcp.state import State
from tcpsim.units import format_duration, parse_duration

if TYPE_CHECKING:
    from tcpsim.measure.results import Table

Built = TypeVar("Built")
_LABEL, _BESIDE = 14, 4  # the width of the first column; how many runs stand beside the one without a fix


class Column(NamedTuple):
    """One run: its fix and its result. `played` is None if the fixes exclude each other.

    `tried` is the judgement on the fix, or None for the run without a fix.
    """

    title: str
    played: Played | None
    why_not: str = ""
    tried: Tried | None = None


def with_fix(words: str, make: Callable[[], Built]) -> Built:
    """Call `make` for one fix. If the fix does not suit the scenario, the error names the fix."""
    try:
        return make()
    except InputError as error:
        raise InputError(f"fix {words}, {error.where}", error.found, error.allowed) from None


def compare(
    scenario: Named,
    fix: str | Sequence[str] = (),
    setting: Setting | None = None,
    *,
    seed: int = 1,
    horizon: str | int | None = None,
    **options: Unpack[Settings],
) -> Comparison:
    """Run a scenario without a fix, with each fix, and with all fixes together.

    >>> import tcpsim
    >>> found = tcpsim.compare("closewait-ignored-eof", "client-closes")
    >>> found
    <Comparison closewait-ignored-eof: as it is permanent, client-closes clean>

    Args:
        scenario: a scenario's name, the path of a TOML file, or a `Scenario`.
        fix: fixes, such as "keepalive=10min"; by default those that the scenario names.
        setting: changes of the scenario as one value, for every run; keywords override it.
        seed: the seed of all random events, the same for every run.
        horizon: watch until this time (default: set by the scenario).
        **options: any setting (`tcpsim.Setting`).

    Raises:
        InputError: a name that does not exist, a value out of range, or no fix at all.
    """
    story = chosen(scenario)
    if horizon is not None:
        story = replace(story, horizon=format_duration(parse_duration(horizon, "horizon")))
    base = settings(options, setting)
    wanted = (fix,) if isinstance(fix, str) else tuple(fix)
    tried = wanted or (*story.cures, *story.in_vain)
    if not tried:
        found = f"none, and {story.name} names none"
        raise InputError("fix", found, ", ".join(each.name for each in fixes()))
    alone = [(words, changes([words], "fix")) for words in tried]
    before = play(story, seed, **base)
    runs = [Column("as it is", before)]
    for words, fixed in alone:
        after = with_fix(words, partial(play, story, seed, **merged(base, fixed)))
        runs.append(Column(words, after, tried=judge(story, words, before, after)))
    if len(wanted) > 1:
        runs.append(_together(story, seed, base, wanted, before))
    return Comparison(story, base, seed, tuple(runs))


def _together(
    story: Scenario, seed: int, base: Mapping[str, Any], wanted: tuple[str, ...], before: Played
) -> Column:
    try:
        fixed = changes(wanted, "fix")
    except InputError as error:
        return Column(TOGETHER, None, f"not possible: {error.found}")
    after = play(story, seed, **merged(base, fixed))
    return Column(TOGETHER, after, tried=judge(story, TOGETHER, before, after))


class Comparison(Noted, Result):
    """The runs. The first one has no fix."""

    def __init__(
        self, scenario: Scenario, changes: Mapping[str, Any], seed: int, runs: tuple[Column, ...]
    ) -> None:
        self.scenario = scenario
        self.changes = changes
        self.seed = seed
        self.runs = runs

    def _sample(self) -> Sample:
        return sample_of(self.scenario, self.changes, self.seed, self.scenario.horizon_us)

    def caption(self) -> Caption:
        return caption_of(self.scenario, self.changes)

    def headline(self) -> str:
        told = [f"{run.title} {run.played.ended.verdict}" for run in self.runs if run.played is not None]
        return f"{self.scenario.name}: {', '.join(told)}"

    def text(self) -> str:
        blocks = ["\n".join(self.caption().lines(WIDTH))]
        first, others = self.runs[0], self.runs[1:]
        for start in range(0, len(others), _BESIDE):
            blocks.append("\n".join(self._block([first, *others[start : start + _BESIDE]])))
        if notes := [*self._what_it_takes(), *self._notes()]:
            blocks.append("\n".join(notes))
        return "\n\n".join(blocks) + "\n"

    def _what_it_takes(self) -> list[str]:
        """The settings of a fix beyond the time that it names."""
        found = []
        for run in self.runs:
            if run.tried is not None and run.played is not None and run.title != TOGETHER:
                named, begun = run.title.partition(".")[0], run.played.begun
                side = named if named in begun.names else self.scenario.concerns or "server"
                stack = begun.machine(side).system.end.stack
                found += [f"{run.title}: {words}" for words in [takes(run.title, stack)] if words]
        return found

    def _block(self, runs: Sequence[Column]) -> list[str]:
        width = (WIDTH - _LABEL) // len(runs) - 2
        columns = [_cells(self.scenario, run) for run in runs]
        lines = _row("", [run.title for run in runs], width)
        lines.append("─" * (_LABEL + (width + 2) * len(runs) - 2))
        for label in columns[0]:
            lines += _row(label, [column.get(label, "") for column in columns], width)
        return lines

    def _table(self) -> Table:
        from tcpsim.measure.results import Table

        rows = [
            row | {"reads": reads_in_words(row["reads"]), "why": "; ".join(row["why"])}
            for row in self.to_dict()["runs"]
        ]
        return Table.of_rows(rows)

    def to_dict(self) -> dict[str, Any]:
        return {
            "scenario": self.scenario.name,
            **self.document(),
            "seed": self.seed,
            "concerns": self.scenario.concerns,
            **self._notes_record(),
            "runs": [
                {
                    "fix": run.title,
                    "verdict": str(run.played.ended.verdict),
                    **{side: sockets_in_words(run.played.ended.of(side)) for side in run.played.ended.sides},
                    "settled_us": run.played.settled_us,
                    "reads": list(run.played.reads),
                    "rst": run.played.rst,
                    "requests_lost": sum(each.lost for each in run.played.requests),
                    "cured": cured(self.scenario, run.played),
                    "cured_us": cured_us(self.scenario, run.played),
                    "descriptors": descriptors(self.scenario, run.played),
                    "effect": None if run.tried is None else run.tried.effect,
                    "why": [] if run.tried is None else list(run.tried.why),
                }
                for run in self.runs
                if run.played is not None
            ],
        }


def _row(label: str, cells: Sequence[str], width: int) -> list[str]:
    wrapped = [
        wrap(cell, width, break_on_hyphens=len(cell) > width and " " not in cell) or [""] for cell in cells
    ]
    rows = zip_longest(*wrapped, fillvalue="")
    labels = [label, *[""] * max(len(lines) for lines in wrapped)]
    return [
        (f"{label:<{_LABEL}}" + "".join(f"{cell:<{width + 2}}" for cell in row)).rstrip()
        for label, row in zip(labels, rows, strict=False)
    ]


def _cells(story: Scenario, run: Column) -> dict[str, str]:
    if run.played is None:
        return {"verdict": run.why_not}
    played, who = run.played, story.concerns or "all"
    return {
        "verdict": str(played.ended.verdict),
        **{side: sockets_in_words(played.ended.of(side)) for side in played.ended.sides},
        "last change": clock(played.settled_us),
        "client reads": reads_in_words(played.reads),
        "RST": str(played.resets or "none"),
        "requests lost": f"{sum(each.lost for each in played.requests)} of {len(played.requests)}",
        f"{who} over": _over(story, played),
        "read, free" if about_reads(story) else f"{who} free": _free(story, played),
        "effect": "" if run.tried is None else run.tried.in_words(),
    }


def _over(story: Scenario, played: Played) -> str:
    """The time since when the host holds no connection, or that it does not yet."""
    sides = concerned(story)
    if all(each.state is State.CLOSED for side in sides for each in played.ended.of(side)):
        return f"after {clock(played.settled_on_us(*sides))}"
    return _not_yet(story, played)


def _free(story: Scenario, played: Played) -> str:
    """The time since when the host is free. A dead socket that still has a descriptor is not free."""
    left = descriptors(story, played)
    if left:
        return f"no: {left} dead socket{'s' if left > 1 else ''} with a descriptor"
    since_us = cured_us(story, played)
    return _not_yet(story, played) if since_us is None else f"after {clock(since_us)}"


def _not_yet(story: Scenario, played: Played) -> str:
    return f"not in {length(story.horizon_us)}" if played.ended.verdict is Verdict.RUNNING else "no"
