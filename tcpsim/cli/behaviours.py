"""`tcpsim behaviours`: what a client and a server can be told to be."""

from __future__ import annotations

from textwrap import wrap

import click

from tcpsim.app.behaviour import behaviours
from tcpsim.cli.options import JSON
from tcpsim.cli.record import parameter_record
from tcpsim.cli.show import print_json, print_text
from tcpsim.pair import SIDES

_ROOM = 72


@click.command(help="List the behaviours of clients and servers, with their parameters.")
@JSON
def command(as_json: bool) -> None:
    """Clients first; a parameter is shown with its default."""
    if as_json:
        print_json(
            [
                {
                    "side": each.side,
                    "name": each.name,
                    "does": each.doc,
                    "parameters": [parameter_record(one.name, one) for one in each.parameters],
                }
                for each in behaviours()
            ]
        )
        return
    width = max(len(each.name) for each in behaviours())
    lines: list[str] = []
    for side in SIDES:
        lines += [*([""] if lines else []), f"{side}s"]
        for each in behaviours(side):
            defaults = " ".join(f"{one.name}={one.default}" for one in each.parameters)
            said = [*wrap(each.doc, _ROOM), *wrap(defaults, _ROOM)]
            names = [each.name, *[""] * (len(said) - 1)]
            lines += [f"  {name:<{width}} {words}" for name, words in zip(names, said, strict=True)]
    print_text("\n".join(lines) + "\n")
