"""The command `tcpsim population`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tcpsim.api.population import population
from tcpsim.cli.options import (
    JSON,
    SEED,
    TIME,
    assignments,
    duration,
    option,
    output,
    rate,
    scenario_argument,
    setting,
    setting_options,
    subcommand,
)
from tcpsim.cli.progress import progress
from tcpsim.cli.show import print_json, print_text, warn_of_drops
from tcpsim.errors import InputError
from tcpsim.measure.population_record import METHODS, Method
from tcpsim.measure.results import whole_or_nothing
from tcpsim.pair import SIDES, Side


@subcommand(
    "Simulate many connections of SCENARIO, and count the sockets of both hosts over time.",
    (
        "tcpsim population closewait-ignored-eof --rate 50 --for 10min --loss 1% --figure census.svg",
        "tcpsim population normal-close --client never-closes --rate 2 --for 1h --limit client.ports=1000",
        "tcpsim population w1 --rate 500/s --for 7d --loss 1% --daily 0h=0.3,8h=1.5,20h=0.7",
    ),
)
@scenario_argument
@rate("--rate", help="Connections per second: 50, 50/s, 30/min. A workload has its own.")
@duration("--for", names=("for_",), help="How long connections arrive: 10min, 24h.")
@duration("--settle", help="How long to watch after the last arrival (0s).")
@option(
    "--fixed",
    is_flag=True,
    group=TIME,
    help="Connections arrive at equal intervals instead of as a Poisson process.",
)
@option(
    "--daily",
    metavar="TIME=FACTOR,...",
    group=TIME,
    help="Multiply the rate by FACTOR from this time of the day on: 8h=1.5,20h=0.5.",
)
@option(
    "--arrivals",
    type=click.Path(path_type=Path),
    metavar="FILE",
    group=TIME,
    help="Read the times of arrivals from this file, one for each line, instead of --rate.",
)
@option(
    "--method",
    type=click.Choice(METHODS),
    default="auto",
    show_default=True,
    help="Simulate each connection, draw each from its explored histories, or compute expected numbers.",
)
@setting_options
@option(
    "--limit",
    "limits",
    multiple=True,
    metavar="SIDE.RESOURCE=N",
    help="A limit of a host or of the middlebox: server.workers=100, client.ports=28232,"
    " server.descriptors=1024, middlebox.flows=655360.",
)
@option(
    "--clients", type=int, metavar="N", help="The number of client hosts. Each has the limit on client.ports."
)
@SEED
@duration("--every", help="The interval between two counts (default: 1/240 of the run).")
@duration("--ss", help="Print what `ss -tanop` shows on both hosts at this time instead of the census.")
@option("--ss-side", type=click.Choice(SIDES), help="With --ss: print this host only.")
@output("--csv", ".csv", ".parquet", help="Write the census over time as a table.")
@output("--figure", ".svg", ".png", ".pdf", help="Write the census over time as a picture.")
@output(
    "--openmetrics",
    ".prom",
    ".txt",
    help="Write the census over time for Prometheus, with the metric names of node_exporter.",
)
@option(
    "--begins",
    type=click.IntRange(min=0),
    default=0,
    metavar="SECONDS",
    help="The Unix time at which the run begins (with --openmetrics).",
)
@JSON
def command(
    scenario: str,
    rate: float | None,
    for_: int | None,
    settle: int | None,
    fixed: bool,
    daily: str | None,
    arrivals: Path | None,
    method: Method,
    seed: int,
    limits: tuple[str, ...],
    clients: int | None,
    every: int | None,
    ss: int | None,
    ss_side: Side | None,
    csv: Path | None,
    figure: Path | None,
    openmetrics: Path | None,
    begins: int,
    as_json: bool,
    **changes: Any,
) -> None:
    """Check all arguments before anything runs."""
    if ss is not None and as_json:
        raise InputError("--ss", "--ss with --json", "one of them")
    with progress("simulating") as tell:
        found = population(
            scenario,
            rate=rate,
            for_=for_,
            settle=settle,
            fixed=fixed or None,
            daily=daily,
            arrivals=arrivals,
            method="simulate" if ss is not None and method == "auto" else method,
            seed=seed,
            limits=_numbers(assignments("--limit", limits, ("client", "server", "middlebox"))),
            clients=clients,
            every=every,
            progress=tell,
            **setting(**changes),
        )
    for path in (csv, figure):
        if path is not None:
            found.save(path)
    if openmetrics is not None:
        with whole_or_nothing(openmetrics) as partial:
            partial.write_text(found.openmetrics(begins), encoding="utf-8")
    warn_of_drops(found)
    if ss is not None:
        print_text(found.ss(ss, ss_side))
        return
    if as_json:
        print_json(found.to_dict())
    else:
        print_text(found.text())


def _numbers(words: dict[str, str]) -> dict[str, int]:
    found = {}
    for name, text in words.items():
        if not (text.isascii() and text.isdigit()):
            raise InputError("--limit", repr(f"{name}={text}"), "SIDE.RESOURCE= and an integer >= 0")
        found[name] = int(text)
    return found
