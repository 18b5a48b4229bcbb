"""`tcpsim diagnose`: a dump in, an answer out; status 1 if something leaks."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tcpsim.api.diagnose import diagnose
from tcpsim.cli.options import (
    JSON,
    OUTPUT,
    PROGRAMS,
    TIME,
    assignments,
    duration,
    numbers,
    option,
    stack_option,
    subcommand,
)
from tcpsim.cli.show import print_json, print_text
from tcpsim.errors import InputError


@subcommand(
    "Say of the sockets in FILE (- is standard input): what happened, whose move it is, what ends it and"
    " when, which knob works. Status: 0 nothing leaks, 1 something does, 2 bad input.",
    (
        "ss -tanop | tcpsim diagnose -",
        "tcpsim diagnose before.txt after.txt --after 60s --limit nofile=65536",
        "tcpsim diagnose server.txt client.txt    # both ends: the connections are matched",
        "ss -tanop | tcpsim diagnose - --anonymise > to-post.txt",
    ),
)
@click.argument("files", metavar="FILE...", nargs=-1)
@option("--live", is_flag=True, help="Take a dump of this machine (Linux).")
@duration("--after", group=TIME, help="The time between two dumps of one host.")
@option("--ends", is_flag=True, help="Two dumps are of the two ends, although no connection shows that.")
@option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=N",
    help="What the host has: nofile, ports, orphans, tw, conntrack.",
)
@stack_option("--stack", help="The host's TCP, where the format does not tell.")
@option(
    "--set",
    "knobs",
    multiple=True,
    metavar="KNOB=VALUE",
    group=PROGRAMS,
    help="A setting of the host: tcp_fin_timeout=30.",
)
@option("--all", "everything", is_flag=True, group=OUTPUT, help="Tell every group at length.")
@option("--addresses", is_flag=True, group=OUTPUT, help="Print the peers' addresses.")
@option(
    "--anonymise", is_flag=True, group=OUTPUT, help="Print the dump with made-up addresses and names instead."
)
@JSON
def command(
    files: tuple[str, ...],
    live: bool,
    after: int | None,
    ends: bool,
    limits: tuple[str, ...],
    stack: str | None,
    knobs: tuple[str, ...],
    everything: bool,
    addresses: bool,
    anonymise: bool,
    as_json: bool,
) -> None:
    """Files are read here, where `-` means something."""
    given = [_given(name) for name in files]
    if anonymise:
        from tcpsim.dumps.anonymise import anonymised

        if live or not given:
            raise InputError("--anonymise", "no file", "a FILE, or - for standard input")
        texts = [each.read_bytes() if isinstance(each, Path) else each for each in given]
        print_text("".join(anonymised(texts)))
        return
    found = diagnose(
        *given,
        live=live,
        after=after,
        ends=ends,
        limits=numbers(assignments("--limit", limits, ())),
        stack=stack,
        knobs=assignments("--set", knobs, ()),
        addresses=addresses,
        everything=everything,
    )
    if as_json:
        print_json(found.to_dict())
    else:
        print_text(found.text())
    if found.leaks:
        raise click.exceptions.Exit(1)


def _given(name: str) -> bytes | Path:
    return sys.stdin.buffer.read() if name == "-" else Path(name)
