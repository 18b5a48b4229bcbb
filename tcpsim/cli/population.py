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
from tcpsim.pair import SIDES, Side


@subcommand(
    "Simulate many connections of SCENARIO, and count the sockets of both hosts over time.",
    (
        "tcpsim population closewait-ignored-eof --rate 50 --for 10min --loss 1% --figure census.svg",
        "tcpsim population normal-close --client never-closes --rate 2 --for 1h --limit client.ports=1000",
    ),
)
@scenario_argument
@rate("--rate", required=True, help="Connections per second: 50, 50/s, 30/min.")
@duration("--for", names=("for_",), required=True, help="How long connections arrive: 10min, 24h.")
@duration("--settle", default="0s", show_default=True, help="How long to watch after the last arrival.")
@option(
    "--fixed",
    is_flag=True,
    group=TIME,
    help="Connections arrive at equal intervals instead of as a Poisson process.",
)
@setting_options
@option(
    "--limit",
    "limits",
    multiple=True,
    metavar="SIDE.RESOURCE=N",
    help="A limit of a host: server.workers=100, client.ports=28232, server.descriptors=1024.",
)
@SEED
@duration("--every", help="The interval between two counts (default: 1/240 of the run).")
@duration("--ss", help="Print what `ss -tanop` shows on both hosts at this time instead of the census.")
@option("--ss-side", type=click.Choice(SIDES), help="With --ss: print this host only.")
@output("--csv", ".csv", ".parquet", help="Write the census over time as a table.")
@output("--figure", ".svg", ".png", ".pdf", help="Write the census over time as a picture.")
@JSON
def command(
    scenario: str,
    rate: float,
    for_: int,
    settle: int,
    fixed: bool,
    seed: int,
    limits: tuple[str, ...],
    every: int | None,
    ss: int | None,
    ss_side: Side | None,
    csv: Path | None,
    figure: Path | None,
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
            fixed=fixed,
            seed=seed,
            limits=_numbers(assignments("--limit", limits, ("client", "server"))),
            every=every,
            progress=tell,
            **setting(**changes),
        )
    for path in (csv, figure):
        if path is not None:
            found.save(path)
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
