"""The command `tcpsim diagnose`. Its exit status is 1 if a socket leaks."""

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
    "Explain the sockets in FILE (- is standard input): what happened, who must act, when the sockets will"
    " end, and which settings help. The exit status is 0 if nothing leaks, 1 if a socket leaks or a limit"
    " is met, and 2 after bad input.",
    (
        "ss -tanop | tcpsim diagnose -",
        "tcpsim diagnose before.txt after.txt --after 60s --limit nofile=65536",
        "tcpsim diagnose server.txt client.txt    # both ends: the connections are matched",
        "ss -tanop | tcpsim diagnose - --anonymise > to-post.txt",
    ),
)
@click.argument("files", metavar="FILE...", nargs=-1)
@option("--live", is_flag=True, help="Read the sockets of this machine (Linux only).")
@duration("--after", group=TIME, help="The time between two dumps of one host.")
@option(
    "--ends", is_flag=True, help="The two files are from the two ends, even if no connection appears in both."
)
@option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=N",
    help="A limit of the host: nofile, ports, orphans, tw, conntrack.",
)
@stack_option("--stack", help="The TCP implementation of the host, if the format does not show it.")
@option(
    "--set",
    "knobs",
    multiple=True,
    metavar="KNOB=VALUE",
    group=PROGRAMS,
    help="A sysctl of the host, such as tcp_fin_timeout=30.",
)
@option("--all", "everything", is_flag=True, group=OUTPUT, help="Print the details of every group.")
@option("--addresses", is_flag=True, group=OUTPUT, help="Print the addresses of the peers.")
@option(
    "--anonymise",
    is_flag=True,
    group=OUTPUT,
    help="Print the dump with replaced addresses and names instead.",
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
    """Read the files and print the answer."""
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
