"""`tcpsim lab`: the same scenario on two real hosts; recorded as a trace, and compared with the simulator."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tcpsim.catalogue import build, scenarios
from tcpsim.cli.options import SEED, duration, output, setting, setting_options
from tcpsim.cli.show import print_text
from tcpsim.conform.lab import Job, job, record, small
from tcpsim.conform.lab.situations import find, names
from tcpsim.conform.traces import judge
from tcpsim.draw.clock import clock
from tcpsim.tcp.state import parse_state
from tcpsim.units import format_duration

Command = TypeVar("Command", bound=Callable[..., Any])
_EVERY_S = 10.0  # how often a long recording says that it is still there, where nobody looks at a terminal


def _recording_options(command: Command) -> Command:
    """What both commands are asked."""
    for option in (
        duration("--horizon", help="Until when to record; needed for what takes longer than ten minutes."),
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
    name: str, seed: int, horizon: int | None, is_small: bool, out: Path, **changes: Any
) -> None:
    """One recording, one file."""
    trace = _record(_job(name, seed, horizon, changes))
    _write(out, small(trace) if is_small else trace)
    print_text(f"{out}: {_totals(trace)}\n")


@command.command(
    "compare", help="Record SCENARIO, replay the trace: same (status 0), or the first difference (status 1)."
)
@_recording_options
@output("--out", ".json", help="Keep the trace.")
def compare_command(name: str, seed: int, horizon: int | None, out: Path | None, **changes: Any) -> None:
    """A recording and its judge."""
    trace = _record(_job(name, seed, horizon, changes))
    if out is not None:
        _write(out, trace)
    verdict = judge(_document(trace).encode(), name)
    if verdict.verdict == "PASS":
        print_text(f"same: {name}, {_totals(trace)}\n")
        return
    found = "not the same" if verdict.verdict == "FAIL" else "cannot be replayed"
    print_text(f"{found}: {name}, {_totals(trace)}\n{verdict.reason}\n")
    if verdict.ladders:
        print_text(f"\n{verdict.ladders}")
    raise click.exceptions.Exit(1)


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
