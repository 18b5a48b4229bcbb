"""The command `tcpsim plot`."""

from __future__ import annotations

from pathlib import Path

import click

from tcpsim.api.sweep import plot
from tcpsim.cli.options import option, output, subcommand


@subcommand(
    "Draw one quantity of a sweep along an axis, with intervals. RESULTS is the file that the sweep has"
    " written.",
    (
        "tcpsim plot leaks.csv --x loss --y permanent --by client --out leaks.svg",
        'tcpsim plot held.csv --y "client CLOSE-WAIT" --by server.fin_wait_2 --log y --out held.svg',
    ),
)
@click.argument("results", metavar="RESULTS", type=click.Path(exists=True, dir_okay=False))
@option("--x", metavar="AXIS", help="The x axis (default: the axis with the most values).")
@option("--y", metavar="QUANTITY", help="The quantity to draw (default: permanent).")
@option("--by", metavar="AXIS", help="Draw a line for each value of this axis.")
@option("--panels", metavar="AXIS", help="Draw a panel for each value of this axis.")
@option("--log", metavar="AXES", default="", help="Logarithmic axes: x, y or xy.")
@option("--title", metavar="TEXT", default="", help="The title of the picture.")
@output("--out", ".svg", ".png", ".pdf", required=True, help="Write the picture to this file.")
def command(
    results: str,
    x: str | None,
    y: str | None,
    by: str | None,
    panels: str | None,
    log: str,
    title: str,
    out: Path,
) -> None:
    """Draw the picture. It leaves out the points that failed."""
    from tcpsim.draw.figure_style import save

    save(plot(results, x, y, by, panels, log=log, title=title), out)
