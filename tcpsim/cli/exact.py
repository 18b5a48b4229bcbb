"""The command `tcpsim exact`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tcpsim.api.exact import RATES, exact, parse_rates
from tcpsim.api.over_time import parse_times
from tcpsim.cli.options import (
    JSON,
    OUTPUT,
    PATH,
    TIME,
    duration,
    option,
    output,
    parsed,
    probability,
    rate,
    scenario_argument,
    setting,
    setting_options_but_loss,
    subcommand,
    whole,
)
from tcpsim.cli.progress import exploring
from tcpsim.cli.show import print_json, print_text, warn_of_drops
from tcpsim.explore.chain import LIMIT
from tcpsim.explore.tolerance import TOLERANCE


@subcommand(
    "Compute the probability of each end of one connection of SCENARIO, for many loss rates. Nothing is"
    " sampled.",
    (
        "tcpsim exact one-rst-stack --loss 0:0.3:31 --figure leaks.svg",
        "tcpsim exact normal-close --client never-closes --loss 1% --rate 50/s --for 1h",
    ),
)
@scenario_argument
@parsed(
    "--loss",
    parse_rates,
    "RATES",
    PATH,
    default=RATES,
    show_default=True,
    help="Loss rates in both directions: 0.05, or 0.01,0.1, or FIRST:LAST:COUNT.",
)
@setting_options_but_loss
@duration("--horizon", default="7d", show_default=True, help="With --times: watch until this time.")
@duration(
    "--longest-stay",
    help="A socket that is expected to stay longer counts as metastable (default: the horizon).",
)
@whole(
    "--limit",
    1,
    100_000_000,
    default=str(LIMIT),
    show_default=True,
    help="Explore at most this many states. The answer reports the probability of the rest.",
)
@probability(
    "--tolerance",
    group=TIME,
    default=f"{TOLERANCE:g}",
    show_default=True,
    help="Explore until the probability of all unexplored states is at most this. 0 explores everything.",
)
@parsed(
    "--at",
    parse_times,
    "TIMES",
    TIME,
    help="Report the sockets held at these times: 1min, or 1s,1h, or FIRST:LAST:COUNT.",
)
@rate("--rate", help="Report the sockets of a host that gets connections at this rate: 50/s, 30/min.")
@duration(
    "--for",
    names=("for_",),
    help="With --rate: how long connections arrive (default: until the last time of --at).",
)
@option(
    "--fixed",
    is_flag=True,
    group=TIME,
    help="Connections arrive at equal intervals instead of as a Poisson process.",
)
@option(
    "--times",
    is_flag=True,
    group=TIME,
    help="Report how long each state lasts: the median and the 99 % quantile.",
)
@option(
    "--legs",
    is_flag=True,
    group=OUTPUT,
    help="With --csv: write the legs of a line with relays instead of the ends.",
)
@option(
    "--ladders",
    is_flag=True,
    group=OUTPUT,
    help="Print a ladder for each leak: the run with the fewest losses that leads to it.",
)
@output("--csv", ".csv", ".parquet", help="Write the probabilities as a table (with --at: the sockets held).")
@output(
    "--figure",
    ".svg",
    ".png",
    ".pdf",
    help="Draw the probability of a leak against loss (with --at: the sockets held).",
)
@JSON
def command(
    scenario: str,
    loss: list[float],
    horizon: int,
    longest_stay: int | None,
    limit: int,
    tolerance: float,
    ladders: bool,
    at: list[int] | None,
    rate: float | None,
    for_: int | None,
    fixed: bool,
    times: bool,
    legs: bool,
    csv: Path | None,
    figure: Path | None,
    as_json: bool,
    **changes: Any,
) -> None:
    """Check all arguments before anything is explored."""
    with exploring() as tell:
        found = exact(
            scenario,
            loss,
            horizon=horizon,
            longest_stay=longest_stay,
            limit=limit,
            tolerance=tolerance,
            progress=tell,
            at=at,
            rate=rate,
            for_=for_,
            fixed=fixed,
            times=times,
            legs=legs,
            **setting(**changes),
        )
    for path in (csv, figure):
        if path is not None:
            found.save(path)
    warn_of_drops(found)
    if as_json:
        print_json(found.to_dict())
    else:
        print_text(found.text(ladders))
