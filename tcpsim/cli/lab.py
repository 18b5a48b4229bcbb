"""The command `tcpsim lab`: it runs a scenario on two real hosts and compares it with the simulator."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from tcpsim.api import lab
from tcpsim.cli.conform import TOO_LATE
from tcpsim.cli.options import (
    OUTPUT,
    SEED,
    duration,
    option,
    output,
    setting,
    setting_options,
    subcommand,
    whole,
)
from tcpsim.cli.show import print_text
from tcpsim.conformance.lab import Job
from tcpsim.conformance.lab.chain_plan import LineJob
from tcpsim.draw.time_format import clock
from tcpsim.tcp.state import parse_state
from tcpsim.units import format_duration

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
_EVERY_S = 10.0  # the interval between progress lines if stderr is no terminal


def _recording_options(function: Decorated) -> Decorated:
    """Add the options of both commands."""
    for each in (
        duration(
            "--horizon",
            help="Record until this time. Required if the scenario takes longer than ten minutes.",
        ),
        whole(
            "--retries",
            0,
            1_000,
            default=str(lab.RETRIES),
            show_default=True,
            help="Record again up to this many times if the machine was too slow for a verdict.",
        ),
        setting_options,
        SEED,
        click.argument("name", metavar="SCENARIO"),
    ):
        function = each(function)
    return function


@click.group(
    help="Record a scenario on two real hosts (needs Linux and root), or on three if it has a relay. The"
    " hosts are network namespaces with a line between them, and they run the same programs as the"
    " simulation. Besides the catalogue (tcpsim"
    f" scenarios), the lab has these situations: {', '.join(lab.situations())}."
)
def command() -> None:
    """The group itself does nothing."""


@command.add_command
@subcommand(
    "Record SCENARIO in real time and write the trace to a file. The exit status is 3 if the machine was too"
    " slow for a verdict on this trace.",
    ("tcpsim lab record closewait-ignored-eof --set tcp_fin_timeout=1s --out trace.json",),
    name="record",
)
@_recording_options
@option("--small", "is_small", is_flag=True, group=OUTPUT, help="Keep only the fields that a replay needs.")
@output("--out", ".json", required=True, help="Write the trace to this file.")
def record_command(name: str, is_small: bool, out: Path, **asked: Any) -> None:
    """Record until one recording is in time, and write it. A late one is written too, with a warning."""
    with _told() as told:
        recording = lab.record(name, **told, **_arguments(**asked))
    (recording.small() if is_small else recording).save(out)
    print_text(f"{out}: {recording.totals()}\n")
    if recording.late:
        click.echo(f"tcpsim: {out}: {recording.late}", err=True)
        raise click.exceptions.Exit(TOO_LATE)


@command.add_command
@subcommand(
    "Record SCENARIO and replay the trace in the simulator. The exit status is 0 if both are the same, 1 if"
    " they differ, and 3 if the machine was too slow for a verdict.",
    ("tcpsim lab compare normal-close --loss 20% --seed 7",),
    name="compare",
)
@_recording_options
@output("--out", ".json", help="Also write the trace to this file.")
def compare_command(name: str, out: Path | None, **asked: Any) -> None:
    """Record, replay and print the verdict."""
    with _told() as told:
        found = lab.compare(name, **told, **_arguments(**asked))
    if out is not None:
        found.recording.save(out)
    print_text(found.text())
    if not found.same:
        raise click.exceptions.Exit(TOO_LATE if found.inconclusive else 1)


def _arguments(seed: int, horizon: int | None, retries: int, **changes: Any) -> dict[str, Any]:
    return {"seed": seed, "horizon": horizon, "retries": retries, **setting(**changes)}


@contextmanager
def _told() -> Iterator[dict[str, Any]]:
    """Functions that report the beginning and the progress of a recording on stderr."""
    terminal = sys.stderr.isatty()
    next_s = 0.0

    def began(job: Job | LineJob, made: int) -> None:
        nonlocal next_s
        if made:
            click.echo("tcpsim: the machine was too slow; recording again", err=True)
        about = format_duration(round(min(job.expected_us, job.horizon_us) / 100_000) * 100_000)
        click.echo(f"tcpsim: recording {job.name}, about {about}", err=True)
        next_s = time.monotonic() + _EVERY_S

    def progress(message: dict[str, Any]) -> None:
        nonlocal next_s
        if not terminal and time.monotonic() < next_s:
            return
        next_s = time.monotonic() + _EVERY_S
        sides = [side for side in message if side != "t_us"]
        told = "; ".join(f"{side} {_states(message[side])}" for side in sides)
        start = "\r" if terminal else ""
        click.echo(f"{start}tcpsim: {clock(message['t_us'])}  {told}", err=True, nl=not terminal)

    try:
        yield {"began": began, "progress": progress}
    finally:
        if terminal:
            click.echo(err=True)


def _states(present: list[str]) -> str:
    return " + ".join(str(parse_state(each)) for each in present) or "gone"
