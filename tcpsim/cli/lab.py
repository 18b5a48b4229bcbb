"""`tcpsim lab`: the same scenario on two real hosts; recorded as a trace, and compared with the simulator."""

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
from tcpsim.draw.time_format import clock
from tcpsim.tcp.state import parse_state
from tcpsim.units import format_duration

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
_EVERY_S = 10.0  # how often a long recording says that it is still there, where nobody looks at a terminal


def _recording_options(function: Decorated) -> Decorated:
    """What both commands are asked."""
    for each in (
        duration("--horizon", help="Until when to record; needed for what takes longer than ten minutes."),
        whole(
            "--retries",
            0,
            1_000,
            default=str(lab.RETRIES),
            show_default=True,
            help="How often to record again when the machine was too late to judge by.",
        ),
        setting_options,
        SEED,
        click.argument("name", metavar="SCENARIO"),
    ):
        function = each(function)
    return function


@click.group(
    help="Record a scenario on two real hosts (Linux, as root): namespaces, a relay, the same programs."
    f" Besides the catalogue (tcpsim scenarios) there are {', '.join(lab.situations())}."
)
def command() -> None:
    """The group itself does nothing."""


@command.add_command
@subcommand(
    "Record SCENARIO in real time and write the trace to a file. Exit status 3 if the machine was too late"
    " for the trace to be judged by.",
    ("tcpsim lab record closewait-ignored-eof --set tcp_fin_timeout=1s --out trace.json",),
    name="record",
)
@_recording_options
@option("--small", "is_small", is_flag=True, group=OUTPUT, help="Keep what a replay needs and compares.")
@output("--out", ".json", required=True, help="The trace.")
def record_command(name: str, is_small: bool, out: Path, **asked: Any) -> None:
    """One recording in time, one file; a late one is written too, but not in silence."""
    with _told() as told:
        recording = lab.record(name, **told, **_arguments(**asked))
    (recording.small() if is_small else recording).save(out)
    print_text(f"{out}: {recording.totals()}\n")
    if recording.late:
        click.echo(f"tcpsim: {out}: {recording.late}", err=True)
        raise click.exceptions.Exit(TOO_LATE)


@command.add_command
@subcommand(
    "Record SCENARIO and replay the trace: same (status 0), or the first difference (status 1). Where the"
    " machine was too late to tell, the status is 3.",
    ("tcpsim lab compare normal-close --loss 20% --seed 7",),
    name="compare",
)
@_recording_options
@output("--out", ".json", help="Keep the trace.")
def compare_command(name: str, out: Path | None, **asked: Any) -> None:
    """A recording and its judge."""
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
    """The functions that tell of a recording's beginning and of its progress, on stderr."""
    terminal = sys.stderr.isatty()
    next_s = 0.0

    def began(job: Job, made: int) -> None:
        nonlocal next_s
        if made:
            click.echo("tcpsim: the machine was late; again", err=True)
        about = format_duration(round(min(job.expected_us, job.horizon_us) / 100_000) * 100_000)
        click.echo(f"tcpsim: recording {job.name}, about {about}", err=True)
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
        yield {"began": began, "progress": progress}
    finally:
        if terminal:
            click.echo(err=True)


def _states(present: list[str]) -> str:
    return " + ".join(str(parse_state(each)) for each in present) or "gone"
