"""Which fix keeps a Horizon worker from running out of descriptors?

Every request makes a client object with a connection of its own, which nobody closes; the API server closes
it after 15 s. One request in five seconds, 1024 descriptors, and each of the fixes that people try.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from tcpsim.catalogue import changes
from tcpsim.catalogue.workload_file import workload
from tcpsim.draw.colours import QUIET, series_colour
from tcpsim.draw.curves import count_axis, footnote, label_ends, sheet, time_axis
from tcpsim.draw.figure_style import Figure
from tcpsim.draw.time_format import length
from tcpsim.host.population import simulate
from tcpsim.measure.census_table import at_times, first_met, used

STEM = "worker_until_emfile"
SEED = 1
WORKLOAD = workload("openstack-chain")
SPAN_US = 3 * 3_600_000_000
AS_IT_IS = "no fix"
FIXES = (
    AS_IT_IS,
    "fin-timeout=1s",
    "keepalive=60s",
    "client-checks-sockets=60s",
    "client-checks-sockets=5s",
    "pool-idle=10s",
    "client-closes",
)


class Point(NamedTuple):
    """One fix for three hours."""

    fix: str
    per_second: float
    seed: int = SEED


def points(full: bool) -> list[Point]:
    """Every fix; in full, at twice the rate."""
    return [Point(fix, WORKLOAD.per_second * (2 if full else 1)) for fix in FIXES]


def answer(point: Point) -> list[dict[str, Any]]:
    """Descriptors in use every minute, when they were used up, and how many requests failed."""
    fixed = {} if point.fix == AS_IT_IS else changes([point.fix])
    census = simulate(WORKLOAD.plan(fixed, point.per_second, SPAN_US, point.seed))
    limit = WORKLOAD.limit
    t_us, held = used(census, limit.side, limit.resource)
    met_us = first_met(census, limit.side, limit.resource, limit.amount)
    told = {"met_us": -1 if met_us is None else met_us, "failed": sum(census.refused.values())}
    at_us = np.arange(0, SPAN_US + 1, 60_000_000)
    return [
        point._asdict() | {"t_s": int(at) / 1_000_000, "descriptors": int(value)} | told
        for at, value in zip(at_us, at_times(t_us, held, at_us), strict=True)
    ]


def figure(table: pl.DataFrame) -> Figure:
    """Descriptors over time; fixes that come to the same share a line."""
    limit = WORKLOAD.limit.amount
    drawn, (panel,) = sheet(
        _finding(table, limit),
        "A shorter FIN-WAIT-2 timeout is the other side's. Keepalive ends the state CLOSE-WAIT, but the"
        " descriptor stays. Whoever closes the descriptor, even a minute late, keeps the worker going.",
        height=4.2,
    )
    lines: dict[tuple[int, ...], list[str]] = {}
    for fix in FIXES:
        rows = table.filter(pl.col("fix") == fix).sort("t_s")
        lines.setdefault(tuple(rows["descriptors"].to_list()), []).append(fix)
    at_us = table.filter(pl.col("fix") == AS_IT_IS).sort("t_s")["t_s"].to_numpy() * 1_000_000
    for index, (held, fixes) in enumerate(lines.items()):
        label = ",\n".join(fixes) + f": {max(held):,}"
        panel.plot(at_us, held, color=series_colour(index), lw=2, label=label)
    panel.set_ylim(-0.02 * limit, 1.12 * limit)
    panel.axhline(limit, color=QUIET, lw=1, ls=(0, (4, 2)), zorder=1)
    panel.text(0.01 * SPAN_US, 1.02 * limit, _limit_words(table, limit), va="bottom", color=QUIET, fontsize=9)
    count_axis(panel, "descriptors held by connections", zero=False)
    time_axis(panel, SPAN_US)
    label_ends(panel)
    footnote(
        drawn,
        f"A request every {1 / table['per_second'][0]:g} s, each over a connection of its own; the API server"
        " closes after 15 s; both on Linux, no loss. Behind each name: the most descriptors held."
        f" Seed {table['seed'][0]}.",
    )
    return drawn


def _finding(table: pl.DataFrame, limit: int) -> str:
    """Which fixes are in vain."""
    failed = table.filter(pl.col("met_us") >= 0)["fix"].unique().to_list()
    helps = [fix for fix in FIXES if fix not in failed]
    if AS_IT_IS in helps or not helps:
        return f"{limit:,} descriptors are enough for three hours with {len(helps)} of {len(FIXES)} fixes"
    after = length(table.filter(pl.col("fix") == AS_IT_IS)["met_us"][0])
    vain = " and ".join(fix.partition("=")[0] for fix in FIXES if fix in failed and fix != AS_IT_IS)
    also = f"{vain} change nothing, closing does" if vain else "every fix helps"
    return f"After {after} no descriptor is left; {also}"


def _limit_words(table: pl.DataFrame, limit: int) -> str:
    rows = table.filter(pl.col("fix") == AS_IT_IS)
    if rows["met_us"][0] < 0:
        return f"{limit:,} are all there are"
    after, failed = length(rows["met_us"][0]), rows["failed"][0]
    return f"{limit:,} are all there are: EMFILE after {after}, then {failed:,} requests fail"
