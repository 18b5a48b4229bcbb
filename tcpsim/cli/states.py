"""`tcpsim states`: the transition table as text, JSON or a picture."""

from __future__ import annotations

from pathlib import Path

from tcpsim.api.lists import states
from tcpsim.cli.options import JSON, output, subcommand
from tcpsim.cli.show import print_json, print_text


@subcommand(
    "Draw the eleven-state diagram from the transition table.",
    ("tcpsim states", "tcpsim states --out states.svg"),
)
@output("--out", ".svg", ".png", ".pdf", ".txt", help="Write the diagram (or, as .txt, the table) to a file.")
@JSON
def command(as_json: bool, out: Path | None) -> None:
    """The table goes to stdout unless a file is asked for."""
    found = states()
    if out is not None:
        found.save(out)
    if as_json:
        print_json(found.to_dict())
    elif out is None:
        print_text(found.text())
