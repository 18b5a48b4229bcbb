"""The command `tcpsim behaviours`."""

from __future__ import annotations

from tcpsim.api.lists import behaviour_record, behaviours, behaviours_text
from tcpsim.cli.options import JSON, subcommand
from tcpsim.cli.show import print_json, print_text


@subcommand(
    "List the programs that a client or a server can run, with their parameters and defaults.",
    ("tcpsim behaviours", "tcpsim run normal-close --client never-closes --with request=200"),
)
@JSON
def command(as_json: bool) -> None:
    """Print client programs first, each parameter with its default."""
    if as_json:
        print_json([behaviour_record(each) for each in behaviours()])
    else:
        print_text(behaviours_text())
