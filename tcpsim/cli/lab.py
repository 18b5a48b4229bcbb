"""`tcpsim lab`: the same scenario on two real hosts; recorded as a trace, and compared with the simulator."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from tcpsim.catalogue import build, scenarios
from tcpsim.cli.options import SEED, duration, output, setting, setting_options
from tcpsim.cli.show import print_text
from tcpsim.conformance.lab import Job, job, late_us, record, small
from tcpsim.conformance.lab.situations import find, names
from tcpsim.conformance.traces import judge
from tcpsim.conformance.traces.lateness import LATE_US
from tcpsim.conformance.traces.verdict import cannot_judge
from tcpsim.draw.time_format import clock
from tcpsim.tcp.state import parse_state
from tcpsim.units import format_duration

_FOUND = {
    "PASS": "same",
    "FAIL": "not the same",
    "LATE": "inconclusive",
    "UNSUPPORTED": "cannot be replayed",
}
Command = TypeVar("Command", bound=Callable[..., Any])
_TOO_LATE = 3  # the exit status of a recording that is no ground for a verdict
_EVERY_S = 10.0  # how often a long recording says that it is still there, where nobody looks at a terminal


def _recording_options(command: Command) -> Command:
    """What both commands are asked."""
    for option in (
        duration("--horizon", help="Until when to record; needed for what takes longer than ten minutes."),
        click.option(
            "--retries",
            type=click.IntRange(0),
            default=2,
            show_default=True,
            help="How often to record again when the machine was too late to tell anything.",
        ),
        setting_options,
        SEED,
        click.argument("name", metavar="SCENARIO"),
    ):
        command = option(command)
    return command


@click.group(
    help="Record a scenario on two real hosts (Linux, as root): namespaces, a relay, the same programs."
    f" Besides the catalogue (tcpsim scenarios) there are {', '.join(names())}."
)
def command() -> None:
    """The group itself does nothing."""


@command.command("record", help="Record SCENARIO in real time and write the trace to a file.")
@_recording_options
@click.option("--small", "is_small", is_flag=True, help="Keep only what a replay needs and compares.")
@output("--out", ".json", required=True, help="The trace.")
def record_command(
    name: str, seed: int, horizon: int | None, retries: int, is_small: bool, out: Path, **changes: Any
) -> None:
    """One recording in time, one file; a late one is written too, but not in silence."""
    for trace in _recordings(_job(name, seed, horizon, changes), retries):
        if late_us(trace) <= LATE_US:
            break
    _write(out, small(trace) if is_small else trace)
    print_text(f"{out}: {_totals(trace)}\n")
    if late_us(trace) > LATE_US:
        click.echo(f"tcpsim: {out}: {cannot_judge(late_us(trace))}", err=True)
        raise click.exceptions.Exit(_TOO_LATE)


@command.command(
    "compare",
    help="Record SCENARIO, replay the trace: same (status 0), or the first difference (status 1)."
    " Where the machine was too late to tell, that (status 3).",
)
@_recording_options
@output("--out", ".json", help="Keep the trace.")
def compare_command(
    name: str, seed: int, horizon: int | None, retries: int, out: Path | None, **changes: Any
) -> None:
    """A recording and its judge."""
    for trace in _recordings(_job(name, seed, horizon, changes), retries):
        verdict = judge(_document(trace).encode(), name)
        if verdict.verdict != "LATE":
            break
    if out is not None:
        _write(out, trace)
    print_text(f"{_FOUND[verdict.verdict]}: {name}, {_totals(trace)}\n")
    if verdict.reason:
        print_text(f"{verdict.reason}\n")
    if verdict.ladders:
        print_text(f"\n{verdict.ladders}")
    if verdict.verdict != "PASS":
        raise click.exceptions.Exit(_TOO_LATE if verdict.verdict == "LATE" else 1)


def _job(name: str, seed: int, horizon: int | None, changes: dict[str, Any]) -> Job:
    """A scenario of the catalogue or of the lab's own, with the options of `tcpsim run`."""
    chosen = next((each for each in scenarios() if each.name == name), None)
    overrides = setting(**changes)
    if chosen is not None:
        pair, title, horizon_us = build(chosen, **overrides), chosen.title, chosen.horizon_us
    else:
        situation = find(name)
        pair, title, horizon_us = situation.pair(overrides), situation.title, situation.horizon_us
    return job(name, title, pair, seed=seed, horizon_us=horizon_us, asked_us=horizon)


def _recordings(job: Job, retries: int) -> Iterator[dict[str, Any]]:
    """As many recordings as somebody asks for, at most `retries` after the first."""
    yield _record(job)
    for _ in range(retries):
        click.echo("tcpsim: the machine was late; again", err=True)
        yield _record(job)


def _record(job: Job) -> dict[str, Any]:
    """The recording, with its progress on stderr."""
    about = format_duration(round(min(job.expected_us, job.horizon_us) / 100_000) * 100_000)
    click.echo(f"tcpsim: recording {job.name}, about {about}", err=True)
    terminal = sys.stderr.isatty()
    next_s = time.monotonic() + _EVERY_S

    def progress(message: dict[str, Any]) -> None:
        nonlocal next_s
        if not terminal and time.monotonic() < next_s:
            return
        next_s = time.monotonic() + _EVERY_S
        told = "; ".join(f"{side} {_states(message[side])}" for side in ("client", "server"))
        start = "\r" if terminal else ""
        click.echo(f"{start}tcpsim: {clock(message['t_us'])}  {told}", err=True, nl=not terminal)

    try:
        return record(job, progress)
    finally:
        if terminal:
            click.echo(err=True)


def _states(present: list[str]) -> str:
    return " + ".join(str(parse_state(each)) for each in present) or "gone"


def _totals(trace: dict[str, Any]) -> str:
    lost = sum("drop" in packet for packet in trace["packets"])
    words = f"{len(trace['packets'])} segments, {lost or 'none'} lost, {len(trace['app'])} calls"
    return f"{words}, {len(trace['states'])} states seen"


def _write(out: Path, trace: dict[str, Any]) -> None:
    """A file, whole or not at all; loaded late, since what else writes results needs polars."""
    from tcpsim.measure.results import whole_or_nothing

    with whole_or_nothing(out) as partial:
        partial.write_text(_document(trace), encoding="utf-8")


def _document(trace: dict[str, Any]) -> str:
    """A trace as a file, one row to a line."""
    fields = []
    for key, value in trace.items():
        if isinstance(value, list) and value:
            rows = ",\n  ".join(json.dumps(row) for row in value)
            fields.append(f"{json.dumps(key)}: [\n  {rows}\n ]")
        else:
            fields.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{" + ",\n ".join(fields) + "}\n"
