"""The command `tcpsim sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tcpsim.api.sweep import sweep
from tcpsim.api.sweep_file import is_sweep, read_sweep
from tcpsim.api.sweep_points import study
from tcpsim.cli.options import (
    JSON,
    OUTPUT,
    SEED,
    TIME,
    assignments,
    duration,
    option,
    output,
    probability,
    rate,
    setting,
    setting_options,
    subcommand,
    whole,
)
from tcpsim.cli.progress import progress
from tcpsim.cli.show import print_json, print_text
from tcpsim.errors import InputError
from tcpsim.explore.tolerance import TOLERANCE
from tcpsim.measure.outcomes import METHODS


@subcommand(
    "Answer one question about SCENARIO for many combinations of settings: how do connections end, or (with"
    " --at) how many sockets are held? SCENARIO may also be the TOML file of a sweep. If a sweep is"
    " interrupted, start it again: it keeps the finished points and continues.",
    (
        "tcpsim sweep normal-close --grid loss=0:0.3:20 --grid client=closes-on-eof,never-closes --out x.csv",
        "tcpsim sweep one-rst-stack --grid fin_wait_2=30s,60s --at 0s:1h:13 --rate 50/s --out held.csv",
    ),
)
@click.argument("scenario", metavar="SCENARIO")
@option(
    "--grid",
    multiple=True,
    metavar="AXIS=VALUES",
    help="An axis: loss=0:0.3:20, fin_wait_2=30s,60s, client=vanishes,never-closes, fix=none,keepalive=2h."
    " Every combination of values is a point.",
)
@option(
    "--zip",
    multiple=True,
    metavar="AXIS=VALUES",
    help="An axis that changes in step with the other --zip axes.",
)
@option(
    "--method",
    type=click.Choice(METHODS),
    default="auto",
    show_default=True,
    help="How each point is computed.",
)
@probability(
    "--tolerance",
    default=f"{TOLERANCE:g}",
    show_default=True,
    help="An exact answer explores until the unexplored probability is at most this.",
)
@setting_options
@duration(
    "--horizon",
    help="Watch until this time (default: 7d). A socket that is expected to stay longer is metastable.",
)
@option(
    "--at",
    metavar="TIMES",
    group=TIME,
    help="Report the sockets held at these times: 1h, or FIRST:LAST:COUNT.",
)
@rate("--rate", help="With --at: the rate at which connections arrive at a host.")
@duration("--for", names=("for_",), help="With --at: how long connections arrive.")
@whole(
    "--connections",
    1,
    10**8,
    default="10000",
    show_default=True,
    help="Simulate this many connections for each point.",
)
@whole(
    "--replications", 1, 10**6, default="1", show_default=True, help="Simulate each point this many times."
)
@SEED
@whole(
    "--workers",
    1,
    1024,
    group=OUTPUT,
    default="1",
    show_default=True,
    help="The number of processes. The rows do not depend on it.",
)
@option(
    "--dask", metavar="ADDRESS", group=OUTPUT, help="The address of a dask scheduler (needs the extra dask)."
)
@option(
    "--dry-run",
    is_flag=True,
    group=OUTPUT,
    help="Print the number of points, the methods and the expected time, and stop.",
)
@output(
    "--out",
    ".csv",
    ".json",
    ".parquet",
    help="Write the rows to this file. Without it, only a summary is printed.",
)
@JSON
def command(
    scenario: str,
    grid: tuple[str, ...],
    zip: tuple[str, ...],
    horizon: int | None,
    for_: int | None,
    workers: int,
    dask: str | None,
    dry_run: bool,
    out: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Check all points before anything runs."""
    own = ("method", "tolerance", "at", "rate", "connections", "replications", "seed")
    given = {name: options.pop(name) for name in own}
    asked: dict[str, Any] = {"scenario": scenario}
    drawing: dict[str, Any] = {}
    if scenario.endswith(".toml") and is_sweep(scenario):
        asked, drawing = read_sweep(scenario)
        default = click.get_current_context().get_parameter_source
        given = {name: given[name] for name in own if default(name) is not click.core.ParameterSource.DEFAULT}
    axes = {"grid": _axes("--grid", grid), "zip": _axes("--zip", zip)}
    asked |= {name: value for name, value in axes.items() if value}
    asked |= {name: value for name, value in (("horizon", horizon), ("for_", for_)) if value is not None}
    asked |= {name: value for name, value in given.items() if value is not None} | setting(**options)
    if out is not None:
        asked["out"] = out
    if dry_run:
        asked.pop("out", None)
        print_text(study(**asked).text())
        return
    with progress("set-ups") as tell:
        found = sweep(**asked, workers=workers, executor=_executor(dask), progress=tell)
    if "out" in drawing:
        from tcpsim.draw.figure_style import save

        target = drawing.pop("out")
        save(found.plot(**drawing), target)
    if as_json:
        print_json(found.to_dict())
    else:
        print_text(found.text())


def _axes(name: str, words: tuple[str, ...]) -> dict[str, str]:
    return {
        key.replace("-", "_"): value for key, value in assignments(name, words, ("client", "server")).items()
    }


def _executor(address: str | None) -> Any:
    """The workers of a dask cluster."""
    if address is None:
        return None
    from tcpsim.measure.results import needed

    distributed = needed("distributed", "--dask")
    try:
        return distributed.Client(address, timeout="10s").get_executor()
    except (OSError, ValueError) as error:
        raise InputError(
            "--dask", f"{address}: {error}", "the address of a scheduler, such as tcp://host:8786"
        ) from None
