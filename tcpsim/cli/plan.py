"""`tcpsim plan`: a rate in, numbers, limits, remedies and alerts out."""

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
    "Say what a server holds that gets so many connections: by state, with bands; which limit it meets first,"
    " when; what keeps it, at which cost; which counts are not chance. Nothing is sampled. SCENARIO says"
    " what a"
    " connection is like; without it the client closes first, and the server after it.",
    (
        "tcpsim plan --rate 200/s --never-close 2% --loss 1% --server linux --limit nofile=65536 --for 30d",
        "tcpsim plan keepalive-timeout-buggy-client --rate 50/s --for 7d --prometheus rules.yml",
    ),
)
@click.argument("scenario", metavar="[SCENARIO]", required=False)
@rate("--rate", required=True, help="Connections per second: 200, 200/s, 30/min.")
@duration("--for", names=("for_",), default="30d", show_default=True, help="How long that goes on.")
@probability("--never-close", help="The share of connections that the server's program forgets.")
@probability("--loss", help="Probability that a segment is lost, both ways.")
@duration("--delay", group=PATH, help="One-way delay, such as 10ms.")
@duration("--hold", help="How long a client keeps its connection after the response.")
@stack_option("--server", default="linux", show_default=True, help="The server's TCP.")
@stack_option("--client", default="linux", show_default=True, help="The clients' TCP.")
@option(
    "--set",
    "knobs",
    multiple=True,
    metavar="KNOB=VALUE",
    group=PROGRAMS,
    help="A setting of the server's stack: tcp_fin_timeout=30s.",
)
@option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=N",
    help="What the server has: nofile, orphans, tw, pages; ports (of one client host).",
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
    """Everything that is asked for is checked before anything is explored."""
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
