"""`tcpsim compare`: a scenario as it is, and with fixes, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from textwrap import wrap
from typing import Any, NamedTuple

import click

from tcpsim.cli.chosen import chosen_scenario
from tcpsim.cli.explain import reads_in_words
from tcpsim.cli.options import JSON, SEED, duration, setting, setting_options, with_fix
from tcpsim.cli.show import print_json, print_text
from tcpsim.draw.clock import clock, length
from tcpsim.draw.ladder import WIDTH
from tcpsim.errors import InputError
from tcpsim.pair import SIDES, Sent
from tcpsim.scenario import (
    Played,
    Scenario,
    Verdict,
    about_reads,
    changes,
    cured,
    cured_us,
    fixes,
    play,
    sockets_in_words,
)
from tcpsim.units import format_duration

_LABEL, _BESIDE = 14, 4  # the width of the first column; how many runs stand beside the one without a fix
_ALL = "all of them"


class _Run(NamedTuple):
    """One column: what was changed, and what came of it; None where the fixes exclude each other."""

    title: str
    played: Played | None
    why_not: str = ""


def _epilog() -> str:
    """The fixes there are, for --help."""
    return "\b\nFixes:\n" + "\n".join(f"  {each.spelled}: {each.who} {each.does}" for each in fixes())


@click.command(
    help="Run SCENARIO as it is and with each FIX, and show what is left side by side. Without --fix: the"
    " fixes that the scenario names.",
    epilog=_epilog(),
)
@click.argument("name", metavar="SCENARIO")
@click.option("--fix", "wanted", multiple=True, metavar="FIX", help="A fix, such as fin-timeout=30s.")
@SEED
@setting_options
@duration("--horizon", help="Until when to watch; the scenario has its own.")
@JSON
def command(
    name: str, wanted: tuple[str, ...], seed: int, horizon: int | None, as_json: bool, **options: Any
) -> None:
    """Every fix is read before anything runs."""
    chosen = chosen_scenario(name)
    if horizon is not None:
        chosen = replace(chosen, horizon=format_duration(horizon))
    base = setting(**options)
    tried = wanted or (*chosen.cures, *chosen.in_vain)
    if not tried:
        raise InputError("--fix", f"none, and {name} names none", ", ".join(each.name for each in fixes()))
    each_alone = [(words, changes([words], "--fix")) for words in tried]
    runs = [_Run("as it is", play(chosen, seed, **base))]
    runs += [
        _Run(words, with_fix(words, partial(play, chosen, seed, **_merged(base, fixed))))
        for words, fixed in each_alone
    ]
    if len(wanted) > 1:
        runs.append(_together(chosen, seed, base, wanted))
    if as_json:
        print_json(_record(chosen, seed, runs))
    else:
        print_text(comparison(chosen, runs))


def _together(chosen: Scenario, seed: int, base: Mapping[str, Any], wanted: tuple[str, ...]) -> _Run:
    try:
        fixed = changes(wanted, "--fix")
    except InputError as error:
        return _Run(_ALL, None, f"not possible: {error.found}")
    return _Run(_ALL, play(chosen, seed, **_merged(base, fixed)))


def _merged(base: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the command line, and a fix on top of them."""
    merged = dict(base)
    for key, value in fixed.items():
        merged[key] = {**base.get(key, {}), **value} if isinstance(value, Mapping) else value
    return merged


def comparison(chosen: Scenario, runs: list[_Run]) -> str:
    """The table, the run without a fix first in each block."""
    blocks = [f"{chosen.name}: {chosen.title}"]
    first, others = runs[0], runs[1:]
    for start in range(0, len(others), _BESIDE):
        blocks.append("\n".join(_block(chosen, [first, *others[start : start + _BESIDE]])))
    return "\n\n".join(blocks) + "\n"


def _block(chosen: Scenario, runs: list[_Run]) -> list[str]:
    width = (WIDTH - _LABEL) // len(runs) - 2
    columns = [_cells(chosen, run) for run in runs]
    lines = _row("", [run.title for run in runs], width)
    lines.append("─" * (_LABEL + (width + 2) * len(runs) - 2))
    for label in columns[0]:
        lines += _row(label, [column.get(label, "") for column in columns], width)
    return lines


def _row(label: str, cells: list[str], width: int) -> list[str]:
    wrapped = [
        wrap(cell, width, break_on_hyphens=len(cell) > width and " " not in cell) or [""] for cell in cells
    ]
    rows = zip_longest(*wrapped, fillvalue="")
    labels = [label, *[""] * max(len(lines) for lines in wrapped)]
    return [
        (f"{label:<{_LABEL}}" + "".join(f"{cell:<{width + 2}}" for cell in row)).rstrip()
        for label, row in zip(labels, rows, strict=False)
    ]


def _cells(chosen: Scenario, run: _Run) -> dict[str, str]:
    if run.played is None:
        return {"verdict": run.why_not}
    played = run.played
    resets = sum(isinstance(event, Sent) and event.segment.rst for event in played.events)
    return {
        "verdict": str(played.ended.verdict),
        "client": sockets_in_words(played.ended.client),
        "server": sockets_in_words(played.ended.server),
        "last change": clock(played.settled_us),
        "client reads": reads_in_words(played.reads),
        "RST": str(resets or "none"),
        "read, free" if about_reads(chosen) else f"{chosen.concerns or 'all'} free": _free(chosen, played),
    }


def _free(chosen: Scenario, played: Played) -> str:
    """Since when, or not; while something still goes on, only that it has not been so yet."""
    since_us = cured_us(chosen, played)
    if since_us is not None:
        return f"after {clock(since_us)}"
    return f"not in {length(chosen.horizon_us)}" if played.ended.verdict is Verdict.RUNNING else "no"


def _record(chosen: Scenario, seed: int, runs: list[_Run]) -> dict[str, Any]:
    """The document of docs/cli.md."""
    return {
        "scenario": chosen.name,
        "seed": seed,
        "concerns": chosen.concerns,
        "runs": [
            {
                "fix": run.title,
                "verdict": str(run.played.ended.verdict),
                **{side: sockets_in_words(getattr(run.played.ended, side)) for side in SIDES},
                "settled_us": run.played.settled_us,
                "reads": list(run.played.reads),
                "rst": run.played.rst,
                "cured": cured(chosen, run.played),
                "cured_us": cured_us(chosen, run.played),
            }
            for run in runs
            if run.played is not None
        ],
    }
