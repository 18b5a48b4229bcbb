"""`tcpsim states`: the transition table as text, JSON or a picture."""

from __future__ import annotations

from pathlib import Path

import click

from tcpsim.cli.options import JSON, output
from tcpsim.cli.show import print_json, print_text


@click.command(help="Draw the eleven-state diagram from the transition table.")
@JSON
@output("--out", ".svg", ".png", ".pdf", ".txt", help="Write the diagram (or, as .txt, the table) to a file.")
def command(as_json: bool, out: Path | None) -> None:
    """The table goes to stdout unless a file is asked for."""
    from tcpsim.draw.sheet import save, write_whole
    from tcpsim.draw.states import states_figure, states_text
    from tcpsim.tcp.lifecycle import TABLE

    if out is not None and out.suffix == ".txt":
        write_whole(out, states_text().encode())
    elif out is not None:
        save(states_figure(), out)
    if as_json:
        print_json(
            [
                {
                    "rule": row.rule,
                    "state": str(row.state),
                    "fact": str(row.fact),
                    "next_state": str(row.next_state),
                    "source": row.source,
                }
                for row in TABLE
            ]
        )
    elif out is None:
        print_text(states_text())
