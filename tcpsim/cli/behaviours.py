"""`tcpsim behaviours`: what a client and a server can be told to be."""

from __future__ import annotations

from tcpsim.api.lists import behaviour_record, behaviours, behaviours_text
from tcpsim.cli.options import JSON, subcommand
from tcpsim.cli.show import print_json, print_text


@subcommand(
    "List the behaviours of clients and servers, with their parameters.",
    ("tcpsim behaviours", "tcpsim run normal-close --client never-closes --with request=200"),
)
@JSON
def command(as_json: bool) -> None:
    """Clients first; a parameter is shown with its default."""
    if as_json:
        print_json([behaviour_record(each) for each in behaviours()])
    else:
        print_text(behaviours_text())
