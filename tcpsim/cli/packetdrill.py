"""The command `tcpsim packetdrill`."""

from __future__ import annotations

import click

from tcpsim.api.packetdrill import packetdrill
from tcpsim.cli.options import JSON, OUTPUT, option, subcommand, whole
from tcpsim.cli.progress import progress
from tcpsim.cli.show import print_json, print_text
from tcpsim.errors import InputError


@subcommand(
    "Run packetdrill scripts (files, or folders of *.pkt) against the simulated endpoint. The exit status"
    " is 0 only if all pass.",
    (
        "tcpsim packetdrill tests/conformance/scripts --jobs 2 --quiet",
        "tcpsim packetdrill mine.pkt --stack freebsd --ladder",
    ),
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@option(
    "--stack",
    metavar="NAME",
    help="The TCP implementation (default: the one for which the script is written).",
)
@option("-D", "define", multiple=True, metavar="NAME=VALUE", help="Replace this word in the scripts.")
@option(
    "--mutate",
    is_flag=True,
    help="Change one expectation at a time, and print the changed scripts that still pass.",
)
@option(
    "--ladder",
    is_flag=True,
    group=OUTPUT,
    help="For a script that fails, print what was expected and the last segments.",
)
@option(
    "-q",
    "--quiet",
    is_flag=True,
    group=OUTPUT,
    help="Print only reasons and totals, not a line for each script.",
)
@whole("--jobs", 1, 256, group=OUTPUT, default="1", show_default=True, help="The number of processes.")
@JSON
def command(
    paths: tuple[str, ...],
    stack: str | None,
    define: tuple[str, ...],
    ladder: bool,
    mutate: bool,
    quiet: bool,
    jobs: int,
    as_json: bool,
) -> None:
    """Check all arguments before any script runs."""
    words = _words(define)
    with progress("judging") as tell:
        found = packetdrill(paths, stack=stack, define=words, jobs=jobs, progress=tell)
    if mutate:
        with progress("mutating") as tell:
            mutants = found.mutants(jobs, tell)
        if as_json:
            print_json(mutants.to_dict())
        else:
            print_text(mutants.text())
    elif as_json:
        print_json(found.to_dict())
    else:
        print_text(found.text(ladder, quiet))
    if not found.passed or (mutate and mutants.alive):
        raise click.exceptions.Exit(1)


def _words(words: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise InputError("-D", repr(word), "NAME=VALUE, such as CC=reno")
        found[name] = value
    return found
