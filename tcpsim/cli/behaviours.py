"""The command `tcpsim behaviours`."""

from __future__ import annotations

import click

from tcpsim.api.lists import behaviour_record, behaviour_text, behaviours, behaviours_text
from tcpsim.cli.options import JSON, subcommand
from tcpsim.cli.show import print_json, print_text
from tcpsim.errors import unknown


@subcommand(
    "List the programs that a client or a server can run, with their parameters and defaults. With NAMEs,"
    " print their steps.",
    (
        "tcpsim behaviours",
        "tcpsim behaviours closes-on-eof",
        "tcpsim run normal-close --client never-closes --with request=200",
    ),
)
@click.argument("chosen", metavar="[NAME]...", nargs=-1)
@JSON
def command(chosen: tuple[str, ...], as_json: bool) -> None:
    """Print client programs first, each parameter with its default; or the steps of those named."""
    known = [each.name for each in behaviours()]
    for name in chosen:
        if name not in known:
            raise unknown("behaviour", name, sorted(set(known)))
    wanted = [each for each in behaviours() if not chosen or each.name in chosen]
    if as_json:
        print_json([behaviour_record(each) for each in wanted])
    elif chosen:
        print_text("\n".join(behaviour_text(each) for each in wanted))
    else:
        print_text(behaviours_text())
