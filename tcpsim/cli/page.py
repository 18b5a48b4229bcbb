"""The command `tcpsim page`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tcpsim.api.page import page
from tcpsim.cli.options import (
    JSON,
    duration,
    option,
    output,
    scenario_argument,
    setting,
    setting_options,
    subcommand,
)
from tcpsim.cli.show import print_json, print_text


@subcommand(
    "Write a page of SCENARIO on which a reader chooses which segments are lost.",
    (
        "tcpsim page closewait-ignored-eof --out closewait.html",
        "tcpsim page one-rst-stack --beside fix=keepalive=10min --out both.html",
        "tcpsim page relay-waits-for-both-ends --beside fix=relay-drain=30s --out relay.html",
    ),
)
@scenario_argument
@option(
    "--losses",
    "losses",
    type=click.IntRange(0),
    metavar="K",
    help="Follow at most this many lost segments (default: as many as fit a page).",
)
@option(
    "--beside",
    multiple=True,
    metavar="SETTING=VALUE",
    help="Add a column with the same losses under another setting, or with fix=FIX.",
)
@setting_options
@duration("--horizon", help="Follow the connection until this time (default: set by the scenario).")
@output("--out", ".html", help="Write the page to this file.", required=True)
@JSON
def command(
    scenario: str,
    losses: int | None,
    beside: tuple[str, ...],
    horizon: int | None,
    out: Path,
    as_json: bool,
    **changes: Any,
) -> None:
    """Write the page, and say how much of the connection is in it."""
    found = page(scenario, losses=losses, beside=beside, horizon=horizon, **setting(**changes))
    found.save(out)
    if as_json:
        print_json(found.to_dict())
    else:
        print_text(found.text())
