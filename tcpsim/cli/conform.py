"""The command `tcpsim conform`."""

from __future__ import annotations

import click

from tcpsim.api.conform import conform
from tcpsim.cli.options import JSON, TIME, option, subcommand, whole
from tcpsim.cli.progress import progress
from tcpsim.cli.show import print_json, print_text
from tcpsim.conformance.populations.expected import LIMIT
from tcpsim.conformance.populations.sampled_replay import REPLICATES

TOO_LATE = 3  # the exit status if nothing failed and something could not be judged


@subcommand(
    "Replay traces of a real kernel and compare every segment, state and call. Compare populations of a"
    " real kernel with simulated ones. The exit status is 0 if all pass, 1 if one fails, and 3 if the"
    " recorder was too late for a verdict.",
    (
        "tcpsim conform tests/data/kernel/traces",
        "tcpsim conform tests/data/population/p00.json --exact",
    ),
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@whole(
    "--replicates",
    1,
    10**6,
    default=str(REPLICATES),
    show_default=True,
    help="Simulate this many populations for each recorded one.",
)
@whole("--seed", 0, 2**64 - 1, default="1", show_default=True, help="The seed of these simulations.")
@option(
    "--exact", is_flag=True, help="Compare populations with exact probabilities instead. This takes minutes."
)
@whole(
    "--limit",
    100,
    100_000_000,
    group=TIME,
    help="With --exact: explore at most this many states for each phase of the timer wheel"
    f" (default: {LIMIT}, and three times as many where that is too few).",
)
@JSON
def command(
    paths: tuple[str, ...], replicates: int, seed: int, exact: bool, limit: int | None, as_json: bool
) -> None:
    """Print a verdict for each trace and each population, and the totals."""
    with progress("judging") as tell:
        found = conform(paths, replicates=replicates, seed=seed, exact=exact, limit=limit, progress=tell)
    if found.left_out:
        folders = ", ".join(sorted({str(path.parent) for path in found.left_out}))
        click.echo(
            f"left out {len(found.left_out)} populations, which are not traces, in {folders}", err=True
        )
    if as_json:
        print_json(found.to_dict())
    else:
        print_text(found.text())
    if not found.passed:
        raise click.exceptions.Exit(TOO_LATE if found.late else 1)
