"""What does a stack without any FIN-WAIT-2 timeout do, beside one that has it?

One connection a second for a day; the server answers and closes, one client in ten never does. The
server runs the stack of RFC 9293, which knows no limit for FIN-WAIT-2, or Linux, which drops the
orphaned socket after 60 s. The clients run Linux in both cases.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from experiments import memory_words
from tcpsim.catalogue import build, scenario
from tcpsim.draw.curves import (
    bytes_axis,
    count_axis,
    footnote,
    label_ends,
    panel_title,
    sheet,
    state_colour,
    time_axis,
)
from tcpsim.draw.figure_style import Axes, Figure, series_colour
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.measure.census_table import over_time

STEM = "with_and_without_timeout"
SEED = 1
LOSS = 0.01
NEVER = 0.1
DAY_US = 86_400_000_000
STACKS = ("rfc9293", "linux")


class Point(NamedTuple):
    """One stack for a day."""

    server_stack: str
    per_second: float
    seed: int = SEED


def points(full: bool) -> list[Point]:
    """Both stacks; in full, at ten times the rate."""
    return [Point(name, 10.0 if full else 1.0) for name in STACKS]


def answer(point: Point) -> list[dict[str, Any]]:
    """Sockets and bytes every ten minutes."""
    pair = build(
        scenario("normal-close"),
        client="sometimes-forgets",
        parameters={"never": NEVER},
        stack_server=point.server_stack,
        loss=LOSS,
    )
    arrivals = Arrivals(point.per_second, for_us=DAY_US)
    table = over_time(simulate(Plan(((1.0, pair),), arrivals, seed=point.seed)), every_us=600_000_000)
    return [point._asdict() | row for row in table.rows()]


def figure(table: pl.DataFrame) -> Figure:
    """The sockets of each server by state, and the memory of both."""
    drawn, panels = sheet(
        "What does a server hold that has no FIN-WAIT-2 timeout?",
        "Every connection that its client forgets, for ever; with the timeout, those of the last minute. On"
        " the clients' side nothing differs:\ntheir sockets stay in CLOSE-WAIT either way.",
        columns=3,
        width=13,
        height=4.8,
    )
    counts = table.group_by("server_stack", "side", "state", "t_s").agg(pl.col("count").sum())["count"]
    top = float(counts.to_numpy().max())
    for panel, name in zip(panels, STACKS, strict=False):
        _states(panel, table.filter(pl.col("server_stack") == name), top)
    panel_title(panels[0], "server without (rfc9293)")
    panel_title(panels[1], "server with 60 s (linux)")
    _memory(panels[2], table)
    panel_title(panels[2], "kernel memory of the server")
    panels[0].set_ylabel("sockets")
    for panel in panels:
        time_axis(panel, DAY_US)
        label_ends(panel, gap=0.06)
    footnote(
        drawn,
        f"Poisson arrivals, {table['per_second'][0]:g} per second; {NEVER:.0%} of the clients never close;"
        f" {LOSS:.0%} loss, 10 ms each way. TIME-WAIT lasts 240 s in RFC 9293, 60 s in Linux. Seed {SEED}.",
    )
    return drawn


def _states(panel: Axes, rows: pl.DataFrame, top: float) -> None:
    by_state = rows.group_by("side", "state", "t_s").agg(pl.col("count").sum()).sort("t_s")
    for side, state in (("server", "FIN-WAIT-2"), ("server", "TIME-WAIT"), ("client", "CLOSE-WAIT")):
        series = by_state.filter((pl.col("side") == side) & (pl.col("state") == state))
        panel.plot(
            series["t_s"].to_numpy() * 1_000_000,
            series["count"].to_numpy(),
            color=state_colour(state),
            lw=2 if side == "server" else 1.3,
            ls="solid" if side == "server" else (0, (4, 2)),
            label=f"{side} {state} {series['count'][-1]:,}",
        )
    count_axis(panel)
    panel.set_ylim(-0.03 * top, 1.08 * top)


def _memory(panel: Axes, table: pl.DataFrame) -> None:
    held = table.filter(pl.col("side") == "server").group_by("server_stack", "t_s").agg(pl.col("bytes").sum())
    for index, name in enumerate(STACKS):
        series = held.filter(pl.col("server_stack") == name).sort("t_s")
        panel.plot(
            series["t_s"].to_numpy() * 1_000_000,
            series["bytes"].to_numpy(),
            color=series_colour(index),
            lw=2,
            label=f"{name} {memory_words(series['bytes'][-1])}",
        )
    bytes_axis(panel)
