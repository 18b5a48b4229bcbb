"""`tcpsim packetdrill`: scripts judged against the endpoint, and mutants of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tcpsim.cli.options import JSON
from tcpsim.cli.progress import progress
from tcpsim.cli.show import print_json, print_text
from tcpsim.conform.packetdrill import (
    Judged,
    Mutant,
    Verdict,
    find_scripts,
    judge_files,
    ladder,
    reasons,
    survey_files,
)
from tcpsim.errors import InputError
from tcpsim.tcp.stack import stack

_DETAIL = 12  # columns that a verdict takes


@click.command(help="Judge packetdrill scripts (files, or folders of *.pkt). Exit status 0 only if all pass.")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--stack", "stack_name", metavar="NAME", help="The stack; without it, the script's set-up tells."
)
@click.option(
    "-D", "definitions", multiple=True, metavar="NAME=VALUE", help="A word that is replaced in the scripts."
)
@click.option("--ladder", "with_ladder", is_flag=True, help="Show what was expected, and the last segments.")
@click.option("--mutate", is_flag=True, help="Change one expectation at a time; show what still passes.")
@click.option("-q", "--quiet", is_flag=True, help="No line per script: only what ended them, and the totals.")
@click.option(
    "--jobs", metavar="N", type=click.IntRange(1, 256), default=1, help="Processes that judge (default 1)."
)
@JSON
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[str, ...],
    stack_name: str | None,
    definitions: tuple[str, ...],
    with_ladder: bool,
    mutate: bool,
    quiet: bool,
    jobs: int,
    as_json: bool,
) -> None:
    """Everything that is asked for is checked before anything is judged."""
    if stack_name is not None:
        stack(stack_name)
    define = _definitions(definitions)
    files = find_scripts(paths)
    with progress("judging") as tell:
        judged = judge_files(files, stack_name, define, jobs, tell)
    if mutate:
        alive = _mutated(judged, stack_name, define, jobs, as_json)
        context.exit(1 if alive or not _all_pass(judged) else 0)
    if as_json:
        print_json([_record(each) for each in judged])
    else:
        lines = "" if quiet else "".join(_lines(each, with_ladder) for each in judged)
        print_text(lines + _totals(judged))
    context.exit(0 if _all_pass(judged) else 1)


def _all_pass(judged: Sequence[Judged]) -> bool:
    return all(each.verdict is Verdict.PASS for each in judged)


def _definitions(words: tuple[str, ...]) -> dict[str, str]:
    define = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise InputError("-D", repr(word), "NAME=VALUE, such as CC=reno")
        define[name] = value
    return define


def _lines(judged: Judged, with_ladder: bool) -> str:
    """One line; with `with_ladder` what was expected of a failure, and how it came to it."""
    place = f":{judged.place}" if judged.place else ""
    reason = f": {judged.reason}" if judged.reason else ""
    line = f"{judged.verdict:{_DETAIL}}{judged.path}{place}{reason}\n"
    if not with_ladder or judged.verdict is Verdict.PASS:
        return line
    if judged.expected:
        line += f"{'':{_DETAIL}}expected {judged.expected}\n{'':{_DETAIL}}actual   {judged.actual}\n"
    return line + ladder(judged)


def _totals(judged: Sequence[Judged]) -> str:
    """What ended those that did not pass, each reason once, and how many there are of each verdict."""
    count = Counter(each.verdict for each in judged)
    words = ", ".join(f"{count[verdict]} {verdict}" for verdict in Verdict)
    told = "".join(
        f"{each.times:5} x {each.verdict:{_DETAIL}}{each.reason} ({each.example})\n"
        for each in reasons(judged)
    )
    return (told if len(judged) > 1 else "") + f"{len(judged)} scripts: {words}\n"


def _record(judged: Judged) -> dict[str, Any]:
    return {
        "path": judged.path,
        "verdict": str(judged.verdict),
        "reason": judged.reason,
        "line": judged.line,
        "column": judged.place.column if judged.place else None,
        "expected": judged.expected,
        "actual": judged.actual,
        "stack": judged.stack,
        "told_by": judged.told_by,
        "ladder": ladder(judged).splitlines() if judged.verdict is not Verdict.PASS else [],
    }


def _mutated(
    judged: Sequence[Judged], stack_name: str | None, define: dict[str, str], jobs: int, as_json: bool
) -> bool:
    """Survey every script that passes; whether a mutant is alive."""
    passed = [Path(each.path) for each in judged if each.verdict is Verdict.PASS]
    with progress("mutating") as tell:
        surveys = survey_files(passed, stack_name, define, jobs, tell)
    found: list[tuple[str, int, tuple[Mutant, ...]]] = [
        (str(path), result.tried, result.alive)
        for path, result in zip(passed, surveys, strict=True)
        if result is not None
    ]
    tried, alive = sum(row[1] for row in found), sum(len(row[2]) for row in found)
    if as_json:
        rows = [
            {
                "path": path,
                "tried": number,
                "alive": [
                    {"line": m.place.line, "field": m.field, "was": m.was, "became": m.became}
                    for m in mutants
                ],
            }
            for path, number, mutants in found
        ]
        print_json({"tried": tried, "alive": alive, "scripts": rows})
        return bool(alive)
    lines = [f"ALIVE       {path}:{mutant}\n" for path, _, mutants in found for mutant in mutants]
    lines += [_lines(each, False) for each in judged if each.verdict is not Verdict.PASS]
    share = f"{100 * alive / tried:.1f} %" if tried else "none to try"
    print_text("".join(lines) + f"{len(found)} scripts, {tried} mutants: {alive} alive ({share})\n")
    return bool(alive)
