"""The command `tcpsim users`."""

from __future__ import annotations

import click

from tcpsim.api.users import users
from tcpsim.cli.options import JSON, SEED, completed_by, option, subcommand
from tcpsim.cli.progress import progress
from tcpsim.cli.show import print_json, print_text
from tcpsim.errors import InputError
from tcpsim.host.clienteles import clienteles


def _names() -> list[str]:
    return [each.name for each in clienteles()]


@subcommand(
    "Simulate the browsers or the connection pool of the story NAME, and print its variants side by side."
    " Without NAME, list the stories.",
    (
        "tcpsim users three-idle-timeouts",
        "tcpsim users connections-not-given-back --variant pool --seed 7",
    ),
)
@click.argument("name", metavar="[NAME]", required=False, shell_complete=completed_by(_names))
@option("--variant", metavar="TEXT", help="Run only the variants whose name contains this text.")
@SEED
@JSON
def command(name: str | None, variant: str | None, seed: int, as_json: bool) -> None:
    """Check all arguments before anything runs."""
    if name is None:
        if variant is not None or as_json:
            raise InputError("NAME", "none", ", ".join(_names()))
        width = max(map(len, _names()))
        print_text("".join(f"{each.name:<{width}}  {each.title}\n" for each in clienteles()))
        return
    with progress("simulating") as tell:
        found = users(name, variant=variant, seed=seed, progress=tell)
    if as_json:
        print_json(found.to_dict())
    else:
        print_text(found.text())
