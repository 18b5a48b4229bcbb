"""The command `tcpsim pages`."""

from __future__ import annotations

from pathlib import Path

import click

from tcpsim.api.pages import pages
from tcpsim.cli.options import JSON, OUTPUT, option, subcommand, whole
from tcpsim.cli.show import print_json, print_text


@subcommand(
    "Write a page for each scenario, and an index by theme, state and side.",
    ("tcpsim pages --out site",),
)
@option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    group=OUTPUT,
    metavar="DIR",
    help="Write the files to this directory.",
)
@option(
    "--losses",
    type=click.IntRange(0),
    metavar="K",
    help="Follow at most this many lost segments (default: as many as fit a page).",
)
@whole(
    "--workers",
    1,
    1024,
    group=OUTPUT,
    default="1",
    show_default=True,
    help="The number of processes. The pages do not depend on it.",
)
@JSON
def command(out: Path, losses: int | None, workers: int, as_json: bool) -> None:
    """Write the pages; print a line to stderr for each, since it takes minutes."""

    def told(name: str, size: int) -> None:
        click.echo(f"{size / 1e3:7.0f} kB  {name}", err=True)

    found = pages(out, losses=losses, workers=workers, told=told)
    if as_json:
        print_json(found.to_dict())
    else:
        print_text(found.text())
