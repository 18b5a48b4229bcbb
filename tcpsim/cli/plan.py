"""The command `tcpsim plan`."""

from __future__ import annotations

from pathlib import Path

import click

from tcpsim.api.plan import plan
from tcpsim.cli.options import (
    JSON,
    PATH,
    PROGRAMS,
    assignments,
    duration,
    numbers,
    option,
    output,
    probability,
    rate,
    stack_option,
    subcommand,
)
from tcpsim.cli.show import print_json, print_text


@subcommand(
    "Predict the sockets of a server that gets connections at this rate: how many it holds in each state,"
    " which limit it meets first and when, what helps and what that costs, and above which counts to raise"
    " an alert. Nothing is sampled. SCENARIO describes one connection. Without it, the client closes first,"
    " and then the server closes.",
    (
        "tcpsim plan --rate 200/s --never-close 2% --loss 1% --server linux --limit nofile=65536 --for 30d",
        "tcpsim plan keepalive-timeout-buggy-client --rate 50/s --for 7d --prometheus rules.yml",
    ),
)
@click.argument("scenario", metavar="[SCENARIO]", required=False)
@rate("--rate", required=True, help="Connections per second: 200, 200/s, 30/min.")
@duration("--for", names=("for_",), default="30d", show_default=True, help="How long connections arrive.")
@probability("--never-close", help="The share of connections that the server program never closes.")
@probability("--loss", help="Probability that a segment is lost, in both directions.")
@duration("--delay", group=PATH, help="The one-way delay, such as 10ms.")
@duration("--hold", help="How long a client keeps its connection open after the response.")
@stack_option("--server", default="linux", show_default=True, help="The TCP implementation of the server.")
@stack_option("--client", default="linux", show_default=True, help="The TCP implementation of the clients.")
@option(
    "--set",
    "knobs",
    multiple=True,
    metavar="KNOB=VALUE",
    group=PROGRAMS,
    help="Set a sysctl of the server's stack, such as tcp_fin_timeout=30s.",
)
@option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=N",
    help="A limit of the server (nofile, orphans, tw, pages), or ports of a single client host.",
)
@output("--prometheus", ".yml", ".yaml", help="Write the alerts as rules for Prometheus.")
@JSON
def command(
    scenario: str | None,
    rate: float,
    for_: int,
    never_close: float | None,
    loss: float | None,
    delay: int | None,
    hold: int | None,
    server: str,
    client: str,
    knobs: tuple[str, ...],
    limits: tuple[str, ...],
    prometheus: Path | None,
    as_json: bool,
) -> None:
    """Check all arguments before anything is explored."""
    found = plan(
        scenario,
        rate=rate,
        for_=for_,
        never_close=never_close or 0.0,
        loss=loss or 0.0,
        server=server,
        client=client,
        hold=hold,
        delay=delay,
        limits=numbers(assignments("--limit", limits, ())),
        knobs=assignments("--set", knobs, ()),
    )
    if prometheus is not None:
        found.save(prometheus)
    if as_json:
        print_json(found.to_dict())
    else:
        print_text(found.text())
