"""The command `tcpsim middleboxes`."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import click

from tcpsim.api.lists import sourced
from tcpsim.cli.options import JSON, completed_by, subcommand
from tcpsim.cli.show import print_json, print_text
from tcpsim.draw.profile_text import aligned
from tcpsim.path import Middlebox, middleboxes
from tcpsim.path.middlebox import MIDDLEBOXES
from tcpsim.profile import Knob

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
    "List the NATs and firewalls for --middlebox. With NAMEs, or files with a [middlebox], print every value"
    " with its source.",
    ("tcpsim middleboxes", "tcpsim middleboxes linux-conntrack", "tcpsim middleboxes my-server.toml"),
)
@click.argument("chosen", metavar="[NAME]...", nargs=-1, shell_complete=completed_by(middleboxes))
@JSON
def command(chosen: tuple[str, ...], as_json: bool) -> None:
    """Print the table of all, or the values of those named."""
    boxes = [sourced(name) for name in chosen or middleboxes()]
    if as_json:
        print_json([_record(*each) for each in boxes])
    elif chosen:
        print_text("\n".join(_story(*each) for each in boxes))
    else:
        print_text(_overview(boxes))


def _overview(boxes: Sequence[tuple[Middlebox, tuple[Knob, ...]]]) -> str:
    rows = [("middlebox", *(title for title, _ in _OVERVIEW), "unverified")]
    for box, knobs in boxes:
        doubtful = sum(not knob.verified for knob in knobs)
        rows.append((box.name, *(MIDDLEBOXES.spelled(box, field) for _, field in _OVERVIEW), str(doubtful)))
    return aligned(rows)


def _story(box: Middlebox, knobs: tuple[Knob, ...]) -> str:
    lines = []
    for knob in knobs:
        own = f"  ({knob.own_name})" if knob.own_name else ""
        lines.append(f"{box.name} {knob.field} = {MIDDLEBOXES.spelled(box, knob.field)}{own}")
        doubt = "" if knob.verified else " [unverified]"
        lines += [f"    {line}" for line in wrap(knob.source + doubt, _WIDTH)]
    return "\n".join(lines) + "\n"


def _record(box: Middlebox, knobs: tuple[Knob, ...]) -> dict[str, Any]:
    """A middlebox and its values, each with its source."""
    return {
        "name": box.name,
        "values": [
            {
                "field": knob.field,
                "value": MIDDLEBOXES.spelled(box, knob.field),
                "own_name": knob.own_name or None,
                "source": knob.source,
                "verified": knob.verified,
            }
            for knob in knobs
        ],
    }
