"""`tcpsim conform`: traces of a real kernel, replayed; populations of one, beside the exact model."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import click

from tcpsim.cli.options import JSON
from tcpsim.cli.show import print_json, print_text
from tcpsim.conformance.populations import read, stack_of
from tcpsim.conformance.populations.expected import LIMIT
from tcpsim.conformance.populations.sampled_replay import REPLICATES
from tcpsim.conformance.populations.verdict import Judgement, Row, judge, judge_exactly
from tcpsim.conformance.traces import Verdict, find, judge_file

_VERDICTS = ("PASS", "FAIL", "LATE", "UNSUPPORTED")
# By whether the kernel cached metrics, and whether the model did
_CACHE = {
    (False, False): "no connection knew of another (tcp_no_metrics_save)",
    (True, True): "round-trip times cached per destination, in the kernel and here",
    (True, False): "round-trip times cached per destination in the kernel, not in the model",
}
_TOO_LATE = 3  # the exit status where nothing failed, and something could not be judged


@click.command(
    help="Replay traces of a real kernel, and compare populations with drawn ones (or the exact model)."
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--replicates",
    type=click.IntRange(1),
    default=REPLICATES,
    show_default=True,
    help="How many populations to draw for each real one.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of these draws.")
@click.option("--exact", is_flag=True, help="Follow every life of one connection instead; takes minutes.")
@click.option(
    "--limit",
    type=click.IntRange(100),
    help="With --exact: states to explore for each phase at which a population's connections begin; "
    f" [default: {LIMIT:,}, three times that where it does not do]",
)
@JSON
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[Path, ...],
    replicates: int,
    seed: int,
    exact: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """A verdict per trace and per population, and totals; the status is 0 only if all pass."""
    found = find(paths)
    runs = [read(path.read_bytes(), str(path)) for path in found.populations]
    for run in runs:
        stack_of(run)
    if found.left_out:
        folders = ", ".join(sorted({str(path.parent) for path in found.left_out}))
        click.echo(f"not traces, left out: {len(found.left_out)} populations in {folders}", err=True)
    verdicts = []
    for path in found.traces:
        verdicts.append(judge_file(path))
        if not as_json:
            print_text(_text(verdicts[-1]))
    judged = []
    with ProcessPoolExecutor(os.cpu_count()) as executor:
        for path, run in zip(found.populations, runs, strict=True):
            if exact:
                judged.append(judge_exactly(run, limit, executor))
            else:
                judged.append(judge(run, replicates, seed, executor))
            if not as_json:
                print_text(_table(path, judged[-1]))
    if as_json:
        print_json([*map(Verdict._asdict, verdicts), *map(_record, found.populations, judged)])
    else:
        print_text(_totals(verdicts, judged))
    if any(verdict.verdict in ("FAIL", "UNSUPPORTED") for verdict in verdicts):
        context.exit(1)
    if not all(each.fits for each in judged):
        context.exit(1)
    if any(verdict.verdict == "LATE" for verdict in verdicts):
        context.exit(_TOO_LATE)


def _text(verdict: Verdict) -> str:
    title = f"  {verdict.title}" if verdict.title else ""
    head = f"{verdict.verdict:<11} {verdict.path}{title}\n"
    if verdict.reason:
        why = "" if verdict.verdict != "PASS" or verdict.reason.startswith("with ") else "exempt: "
        head += f"{'':<11} {why}{verdict.reason}\n"
    return head + (f"\n{verdict.ladders}\n" if verdict.ladders else "")


def _table(path: Path, found: Judgement) -> str:
    """A population: what was left and how connections ended, then the series by state."""
    lines = [f"{found.verdict:<11} {path}  {found.run.config.n} connections"]
    lines.append(f"{'':<11} {_CACHE[found.caches_metrics, found.knows]}")
    for title, rows in (("left at the end", found.end), ("how connections ended", found.outcomes)):
        lines += ["", f"  {title:<21}{'kernel':>7}{'expected':>10}  {'99.9 %':<13} verdict"]
        for row in rows:
            band = f"{row.low}..{row.high}"
            lines.append(f"{row.counted:>30}{row.expected:>10.1f}  {band:<13} {row.verdict:<8} {row.name}")
    lines += ["", "  counted each second       seconds inside the 99 % band"]
    for series in found.series:
        place = f"{series.host} {series.state}"
        lines.append(f"  {place:<28}{100 * series.inside:>5.1f} %{'':<18} {series.verdict}")
    if found.cut_short:
        more = (
            "; intervals are wider by as many, and a larger --limit follows more"
            if found.cut_short >= 1
            else ""
        )
        lines += ["", f"  expected among those not followed through every loss: {found.cut_short:.2g}{more}"]
    return "\n".join([*lines, "", ""])


def _record(path: Path, found: Judgement) -> dict[str, Any]:
    """The same as JSON."""

    def told(rows: Sequence[Row]) -> list[dict[str, Any]]:
        return [{**row._asdict(), "verdict": row.verdict} for row in rows]

    return {
        "path": str(path),
        "verdict": found.verdict,
        "caches_metrics": found.caches_metrics,
        "knows": found.knows,
        "end": told(found.end),
        "outcomes": told(found.outcomes),
        "series": [
            {"host": each.host, "state": each.state, "inside": each.inside, "verdict": each.verdict}
            for each in found.series
        ],
        "cut_short": found.cut_short,
    }


def _totals(verdicts: Sequence[Verdict], judged: Sequence[Judgement]) -> str:
    lines = []
    if verdicts:
        counts = Counter[str](verdict.verdict for verdict in verdicts)
        totals = ", ".join(f"{counts[name]} {name}" for name in _VERDICTS if name != "LATE" or counts[name])
        lines.append(f"{len(verdicts)} {'trace' if len(verdicts) == 1 else 'traces'}: {totals}")
    if judged:
        counts = Counter[str](each.verdict for each in judged)
        several = "population" if len(judged) == 1 else "populations"
        totals = ", ".join(
            f"{counts[name]} {name}" for name in ("PASS", "FAIL", "OPEN") if name != "OPEN" or counts[name]
        )
        lines.append(f"{len(judged)} {several}: {totals}")
    return "\n".join([*lines, ""])
