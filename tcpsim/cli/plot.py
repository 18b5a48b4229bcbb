"""`tcpsim plot`: the rows of a sweep in, a picture out."""

from __future__ import annotations

from pathlib import Path

import click

from tcpsim.api.sweep import plot
from tcpsim.cli.options import option, output, subcommand


@subcommand(
    "Draw the rows that a sweep left in RESULTS: one quantity along an axis, with intervals.",
    (
        "tcpsim plot leaks.csv --x loss --y permanent --by client --out leaks.svg",
        'tcpsim plot held.csv --y "client CLOSE-WAIT" --by server.fin_wait_2 --log y --out held.svg',
    ),
)
@click.argument("results", metavar="RESULTS", type=click.Path(exists=True, dir_okay=False))
@option("--x", metavar="AXIS", help="What goes along the axis (default: the axis with most values).")
@option("--y", metavar="QUANTITY", help="What is drawn (default: permanent).")
@option("--by", metavar="AXIS", help="A line for each of its values.")
@option("--panels", metavar="AXIS", help="A panel for each of its values.")
@option("--log", metavar="AXES", default="", help="Logarithmic axes: x, y or xy.")
@option("--title", metavar="TEXT", default="", help="The finding, in words.")
@output("--out", ".svg", ".png", ".pdf", required=True, help="The picture.")
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
    """Points that failed are left out."""
    from tcpsim.draw.figure_style import save

    save(plot(results, x, y, by, panels, log=log, title=title), out)
