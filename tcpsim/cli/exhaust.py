"""The command `tcpsim exhaust`."""

from __future__ import annotations

import click

from tcpsim.api.exhaust import exhaust
from tcpsim.catalogue.index import WORKLOADS
from tcpsim.cli.options import JSON, SEED, completed_by, duration, option, rate, subcommand, whole
from tcpsim.cli.show import print_json, print_text
from tcpsim.errors import InputError


def _names() -> list[str]:
    return [*WORKLOADS]


@subcommand(
    "Simulate WORKLOAD, a name or a TOML file, until a limit of its host is met. Without it, list the"
    " workloads.",
    (
        "tcpsim exhaust mbufs-without-a-timer",
        "tcpsim exhaust openstack-chain --limit 4096 --restart-every 1h",
    ),
)
@click.argument("workload", metavar="[WORKLOAD]", required=False, shell_complete=completed_by(_names))
@rate("--rate", help="The rate at which connections arrive.")
@duration("--for", names=("for_",), help="How long connections arrive.")
@whole("--limit", 1, 10**12, help="The limit that the workload is about (for mbufs: NMBCLUSTERS).")
@duration("--restart-at", help="Kill the program that holds the sockets at this time, and start it again.")
@duration("--restart-every", help="Kill the program and start it again at this interval.")
@option(
    "--fix", multiple=True, metavar="FIX", help="Apply a fix (see: tcpsim compare --help). May be repeated."
)
@SEED
@JSON
def command(
    workload: str | None,
    rate: float | None,
    for_: int | None,
    limit: int | None,
    restart_at: int | None,
    restart_every: int | None,
    fix: tuple[str, ...],
    seed: int,
    as_json: bool,
) -> None:
    """Check all arguments before anything runs."""
    if workload is None:
        if fix or as_json or (rate, for_, limit, restart_at, restart_every) != (None,) * 5:
            raise InputError("WORKLOAD", "none", ", ".join(_names()))
        from tcpsim.catalogue.workload_file import workloads

        width = max(map(len, _names()))
        print_text("".join(f"{each.name:<{width}}  {each.title}\n" for each in workloads()))
        return
    found = exhaust(
        workload,
        rate=rate,
        for_=for_,
        limit=limit,
        restart_at=restart_at,
        restart_every=restart_every,
        fix=fix,
        seed=seed,
    )
    wrong = found.surprises if workload.endswith(".toml") else None
    if as_json:
        print_json(found.to_dict() | ({} if wrong is None else {"surprises": list(wrong)}))
    else:
        judgement = "" if wrong is None else f"\nexpect: {'; '.join(wrong) or 'met'}\n"
        print_text(found.text() + judgement)
    if wrong:
        raise click.exceptions.Exit(1)
