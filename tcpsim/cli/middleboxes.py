"""The command `tcpsim middleboxes`."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

import click

from tcpsim.cli.options import JSON, subcommand
from tcpsim.cli.show import print_json, print_text
from tcpsim.draw.profile_text import aligned
from tcpsim.errors import unknown
from tcpsim.path import middlebox, middleboxes
from tcpsim.path.middlebox import MIDDLEBOXES, sources

_OVERVIEW = (
    ("what", "role"),
    ("ESTABLISHED", "established_us"),
    ("FIN_WAIT", "fin_wait_us"),
    ("CLOSE_WAIT", "close_wait_us"),
    ("LAST_ACK", "last_ack_us"),
    ("picks up", "loose"),
    ("RST to", "answers"),
)
_WIDTH = 88


@subcommand(
    "List the NATs and firewalls for --middlebox. With NAMEs, print every value with its source.",
    ("tcpsim middleboxes", "tcpsim middleboxes linux-conntrack"),
)
@click.argument("chosen", metavar="[NAME]...", nargs=-1)
@JSON
def command(chosen: tuple[str, ...], as_json: bool) -> None:
    """Print the table of all, or the values of those named."""
    for name in chosen:
        if name not in middleboxes():
            raise unknown("middlebox", name, middleboxes())
    if as_json:
        print_json([_record(name) for name in chosen or middleboxes()])
    elif chosen:
        print_text("\n".join(_story(name) for name in chosen))
    else:
        print_text(_overview())


def _overview() -> str:
    rows = [("middlebox", *(title for title, _ in _OVERVIEW), "unverified")]
    for name in middleboxes():
        box = middlebox(name)
        doubtful = sum(not knob.verified for knob in sources(name))
        rows.append((name, *(MIDDLEBOXES.spelled(box, field) for _, field in _OVERVIEW), str(doubtful)))
    return aligned(rows)


def _story(name: str) -> str:
    lines = []
    for knob in sources(name):
        own = f"  ({knob.own_name})" if knob.own_name else ""
        lines.append(f"{name} {knob.field} = {MIDDLEBOXES.spelled(middlebox(name), knob.field)}{own}")
        doubt = "" if knob.verified else " [unverified]"
        lines += [f"    {line}" for line in wrap(knob.source + doubt, _WIDTH)]
    return "\n".join(lines) + "\n"


def _record(name: str) -> dict[str, Any]:
    """A middlebox and its values, each with its source."""
    return {
        "name": name,
        "values": [
            {
                "field": knob.field,
                "value": MIDDLEBOXES.spelled(middlebox(name), knob.field),
                "own_name": knob.own_name or None,
                "source": knob.source,
                "verified": knob.verified,
            }
            for knob in sources(name)
        ],
    }
