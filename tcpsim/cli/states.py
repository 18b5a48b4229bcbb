"""The command `tcpsim states`."""

from __future__ import annotations

from pathlib import Path

from tcpsim.api.lists import states
from tcpsim.cli.options import JSON, output, subcommand
from tcpsim.cli.show import print_json, print_text


@subcommand(
    "Print the transition table of TCP, or draw it as the state diagram.",
    ("tcpsim states", "tcpsim states --out states.svg"),
)
@output(
    "--out",
    ".svg",
    ".png",
    ".pdf",
    ".mmd",
    ".txt",
    help="Write the diagram to this file (.mmd: mermaid; .txt: the table).",
)
@JSON
def command(as_json: bool, out: Path | None) -> None:
    """Print the table, or write the diagram to a file."""
    found = states()
    if out is not None:
        found.save(out)
    if as_json:
        print_json(found.to_dict())
    elif out is None:
        print_text(found.text())
