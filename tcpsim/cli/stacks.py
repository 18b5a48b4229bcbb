"""The command `tcpsim stacks`."""

from __future__ import annotations

import click

from tcpsim.cli.options import JSON, option, subcommand
from tcpsim.cli.show import print_json, print_text
from tcpsim.draw import profile_text
from tcpsim.errors import InputError
from tcpsim.tcp.stack import STACKS, knobs, names, stack


@subcommand(
    "List the TCP implementations. With one NAME, print all its values with their sources. With more, print"
    " the differences.",
    ("tcpsim stacks linux freebsd", "tcpsim stacks linux --explain fin_wait_2"),
)
@click.argument("chosen", metavar="[NAME]...", nargs=-1)
@option("--explain", metavar="FIELD", help="Print the value and the source of this field for each NAME.")
@JSON
def command(chosen: tuple[str, ...], explain: str | None, as_json: bool) -> None:
    """Print the table of all stacks, one stack, or the differences of several."""
    for name in chosen:
        stack(name)
    if explain is not None and not chosen:
        raise InputError("--explain", "no stack", f"tcpsim stacks NAME --explain {explain}")
    if as_json:
        print_json([_record(name, explain) for name in chosen or names()])
    elif explain is not None:
        print_text("\n".join(profile_text.story(name, explain) for name in chosen))
    elif len(chosen) > 1:
        print_text(profile_text.differences(chosen))
    elif chosen:
        print_text("".join(profile_text.story(chosen[0], knob.field) for knob in knobs(chosen[0])))
    else:
        print_text(profile_text.overview())


def _record(name: str, explain: str | None) -> dict[str, object]:
    """A stack and its values, each with its source."""
    profile = stack(name)
    wanted = profile_text.matching(name, explain) if explain is not None else knobs(name)
    return {
        "name": name,
        "values": [
            {
                "field": knob.field,
                "value": STACKS.spelled(profile, knob.field),
                "allowed": STACKS.domains[knob.field].allowed,
                "own_name": knob.own_name or None,
                "source": knob.source,
                "verified": knob.verified,
            }
            for knob in wanted
        ],
    }
