"""The command `tcpsim users`."""

from __future__ import annotations

import click

from tcpsim.api.users import users
from tcpsim.catalogue.index import USER_GROUPS
from tcpsim.cli.options import JSON, SEED, completed_by, option, subcommand
from tcpsim.cli.progress import progress
from tcpsim.cli.show import print_json, print_text
from tcpsim.errors import InputError


def _names() -> list[str]:
    return [*USER_GROUPS]


@subcommand(
    "Simulate USERS, the name of a user group or a TOML file, and print its variants side by side. Without"
    " it, list the user groups.",
    (
        "tcpsim users three-idle-timeouts",
        "tcpsim users connections-not-given-back --variant pool --seed 7",
    ),
)
@click.argument("group", metavar="[USERS]", required=False, shell_complete=completed_by(_names))
@option("--variant", metavar="TEXT", help="Run only the variants whose name contains this text.")
@SEED
@JSON
def command(group: str | None, variant: str | None, seed: int, as_json: bool) -> None:
    """Check all arguments before anything runs."""
    if group is None:
        if variant is not None or as_json:
            raise InputError("USERS", "none", ", ".join(_names()))
        from tcpsim.catalogue.user_group_file import user_groups

        width = max(map(len, _names()))
        print_text("".join(f"{each.name:<{width}}  {each.title}\n" for each in user_groups()))
        return
    with progress("simulating") as tell:
        found = users(group, variant=variant, seed=seed, progress=tell)
    wrong = found.surprises if group.endswith(".toml") else None
    if as_json:
        print_json(found.to_dict() | ({} if wrong is None else {"surprises": list(wrong)}))
    else:
        judgement = "" if wrong is None else f"\nexpect: {'; '.join(wrong) or 'met'}\n"
        print_text(found.text() + judgement)
    if wrong:
        raise click.exceptions.Exit(1)
