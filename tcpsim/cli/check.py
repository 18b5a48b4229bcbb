"""The command `tcpsim check`."""

from __future__ import annotations

from typing import Any

import click

from tcpsim.api.check import ANY_ORDER_LIMIT, check, properties_text
from tcpsim.cli.options import (
    JSON,
    option,
    scenario_argument,
    setting,
    setting_options_but_loss,
    subcommand,
    whole,
)
from tcpsim.cli.progress import exploring
from tcpsim.cli.show import print_json, print_text, warn_of_drops
from tcpsim.explore.chain import LIMIT
from tcpsim.explore.untimed import ROOM


def _list(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    """Print the list of properties and exit."""
    if asked:
        print_text(properties_text())
        context.exit()


@subcommand(
    "Test properties in every state that SCENARIO can reach, whatever segments are lost. For a property that"
    " fails, print the shortest ladder that shows it.",
    (
        "tcpsim check closewait-ignored-eof --stack-server rfc9293",
        "tcpsim check simultaneous-close --property can-end-clean --any-order",
    ),
)
@scenario_argument
@option("--property", multiple=True, metavar="NAME", help="Test only this property. May be repeated.")
@option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list,
    help="List the properties and their sources.",
)
@option(
    "--any-order",
    is_flag=True,
    help="Ignore the clock: segments and timers may come in any order. The answer has no probabilities.",
)
@whole(
    "--in-flight", 1, 8, help=f"With --any-order: at most this many segments on each path (default: {ROOM})."
)
@setting_options_but_loss
@whole(
    "--limit",
    1,
    100_000_000,
    help=f"Explore at most this many states (default: {LIMIT}, with --any-order {ANY_ORDER_LIMIT}).",
)
@JSON
def command(
    scenario: str,
    property: tuple[str, ...],
    limit: int | None,
    any_order: bool,
    in_flight: int | None,
    as_json: bool,
    **changes: Any,
) -> None:
    """Check all arguments before anything is explored."""
    with exploring() as tell:
        found = check(
            scenario,
            property,
            any_order=any_order,
            in_flight=in_flight,
            limit=limit,
            progress=tell,
            **setting(**changes),
        )
    warn_of_drops(found)
    if as_json:
        print_json(found.to_dict())
    else:
        print_text(found.text())
    if not found.holds:
        raise click.exceptions.Exit(1)
