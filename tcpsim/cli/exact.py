"""`tcpsim exact`: words in, probabilities out."""

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
    "Say exactly how one connection of SCENARIO ends, for many loss rates at once. Nothing is sampled.",
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
    help="Loss rates, both ways: 0.05, or 0.01,0.1, or FIRST:LAST:COUNT.",
)
@setting_options_but_loss
@duration("--horizon", default="7d", show_default=True, help="Until when to watch, with --times.")
@duration("--longest-stay", help="An expected stay beyond this is an end of its own (default: the horizon).")
@whole(
    "--limit",
    1,
    100_000_000,
    default=str(LIMIT),
    show_default=True,
    help="How many states to explore at most; the answer bounds what was left out.",
)
@probability(
    "--tolerance",
    group=TIME,
    default=f"{TOLERANCE:g}",
    show_default=True,
    help="How likely what is not explored may be, at any of the loss rates; 0 explores everything.",
)
@parsed(
    "--at",
    parse_times,
    "TIMES",
    TIME,
    help="Say what is held at these ages (with --rate: times): 1min, or 1s,1h, or FIRST:LAST:COUNT.",
)
@rate("--rate", help="Say what a host holds that gets so many connections: 50/s, 30/min.")
@duration("--for", names=("for_",), help="How long these arrive (default: until the last of --at).")
@option("--fixed", is_flag=True, group=TIME, help="Arrivals at equal distances instead of a Poisson process.")
@option("--times", is_flag=True, group=TIME, help="Say how long each state is held: by half of all, by 99 %.")
@option(
    "--ladders",
    is_flag=True,
    group=OUTPUT,
    help="Show the way of fewest losses into each leak, event by event.",
)
@output("--csv", ".csv", ".parquet", help="Write the probabilities as a table (with --at: what is held).")
@output("--figure", ".svg", ".png", ".pdf", help="Draw the leaks against loss (with --at: what is held).")
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
    csv: Path | None,
    figure: Path | None,
    as_json: bool,
    **changes: Any,
) -> None:
    """Everything that is asked for is checked before anything is explored."""
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
