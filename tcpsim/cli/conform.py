"""`tcpsim conform`: traces of a real kernel, replayed and judged."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from tcpsim.cli.options import JSON
from tcpsim.cli.show import print_json, print_text
from tcpsim.conform.traces import Verdict, find, judge_file

_VERDICTS = ("PASS", "FAIL", "UNSUPPORTED")


@click.command(help="Replay traces of a real kernel (files, or folders of them) and compare everything.")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@JSON
@click.pass_context
def command(context: click.Context, paths: tuple[Path, ...], as_json: bool) -> None:
    """A verdict per trace and totals; the status is 0 only if all pass."""
    found = find(paths)
    if found.populations:
        folders = ", ".join(sorted({str(path.parent) for path in found.populations}))
        click.echo(f"not traces, left out: {len(found.populations)} populations in {folders}", err=True)
    verdicts = []
    for path in found.traces:
        verdicts.append(judge_file(path))
        if not as_json:
            print_text(_text(verdicts[-1]))
    if as_json:
        print_json([verdict._asdict() for verdict in verdicts])
    else:
        counts = Counter[str](verdict.verdict for verdict in verdicts)
        totals = ", ".join(f"{counts[name]} {name}" for name in _VERDICTS)
        print_text(f"{len(verdicts)} {'trace' if len(verdicts) == 1 else 'traces'}: {totals}\n")
    if any(verdict.verdict != "PASS" for verdict in verdicts):
        context.exit(1)


def _text(verdict: Verdict) -> str:
    title = f"  {verdict.title}" if verdict.title else ""
    head = f"{verdict.verdict:<11} {verdict.path}{title}\n"
    if verdict.reason:
        why = "exempt: " if verdict.verdict == "PASS" else ""
        head += f"{'':<11} {why}{verdict.reason}\n"
    return head + (f"\n{verdict.ladders}\n" if verdict.ladders else "")
