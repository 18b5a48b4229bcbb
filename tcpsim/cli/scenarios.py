"""The command `tcpsim scenarios`."""

from __future__ import annotations

import click

from tcpsim.api.index import example_tomls, index_records, index_text, kind_named, setup_toml
from tcpsim.api.lists import scenario_record, scenarios, symptoms_text
from tcpsim.catalogue.index import KINDS
from tcpsim.cli.options import JSON, option, subcommand
from tcpsim.cli.show import print_json, print_text
from tcpsim.errors import InputError


@subcommand(
    "List the catalogue: scenarios by theme, user groups and workloads. With --state, --side or --owner, list"
    " the scenarios that leave such sockets.",
    (
        "tcpsim scenarios --state CLOSE-WAIT --side server --owner none",
        "tcpsim scenarios --toml normal-close > my.toml",
    ),
)
@option(
    "--toml",
    "name",
    metavar="[NAME]",
    is_flag=False,
    flag_value="",
    help="Print NAME as a TOML file instead of the list. Without NAME, print one file of each kind.",
)
@option("--kind", type=click.Choice([each.name for each in KINDS]), help="List only this kind.")
@option(
    "--state",
    metavar="STATE",
    help="List the scenarios whose sockets stay in this state, such as CLOSE-WAIT.",
)
@option("--side", metavar="SIDE", help="The sockets are on this side: client or server.")
@option(
    "--owner",
    metavar="OWNER",
    help="The sockets are held by: program, queue (the accept queue), kernel (an orphan or a timewait"
    " socket), or none (no program).",
)
@JSON
def command(
    name: str | None, kind: str | None, state: str | None, side: str | None, owner: str | None, as_json: bool
) -> None:
    """Print the list, one set-up as a file, or JSON."""
    symptom = state or side or owner
    if symptom and kind not in (None, "scenario"):
        raise InputError("--kind", kind, "scenario: --state, --side and --owner find scenarios")
    if name is not None:
        print_text(setup_toml(name) if name else example_tomls())
    elif as_json and not symptom and kind is not None:
        print_json(index_records(kind_named(kind)))
    elif as_json:
        print_json([scenario_record(each) for each in scenarios(state, side, owner)])
    elif symptom:
        print_text(symptoms_text(state, side, owner))
    else:
        print_text(index_text(kind_named(kind) if kind else None))
