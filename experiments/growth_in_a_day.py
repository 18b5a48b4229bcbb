"""Which clients fill a host in a day?

One connection a second for 24 hours, and three kinds of clients that the server closes on: good ones
close on end-of-file, slow ones ten minutes later, and some never. Sockets by state, and the memory they
hold, on the host of the clients and on the server.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from experiments import memory_words
from tcpsim.catalogue import build, scenario
from tcpsim.draw.curves import (
    bytes_axis,
    footnote,
    label_ends,
    panel_title,
    sheet,
    state_colour,
    time_axis,
)
from tcpsim.draw.figure_style import QUIET, Axes, Figure, series_colour
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.measure.census_table import over_time
from tcpsim.pair import SIDES
from tcpsim.tcp.stack import stack

STEM = "growth_in_a_day"
SEED = 1
LOSS = 0.01
DAY_US = 86_400_000_000
SECOND_US = 1_000_000
PORTS = stack("linux").ephemeral_ports

CLIENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "good: closes on EOF": ("closes-on-eof", {}),
    "slow: closes 10 min later": ("closes-on-eof", {"client.delay": "10min"}),
    "never closes": ("never-closes", {}),
}


class Point(NamedTuple):
    """One kind of client for a day."""

    client: str
    per_second: float
    seed: int = SEED


def points(full: bool) -> list[Point]:
    """The three kinds; in full, at ten times the rate."""
    return [Point(client, 10.0 if full else 1.0) for client in CLIENTS]


def answer(point: Point) -> list[dict[str, Any]]:
    """Sockets and bytes every ten minutes."""
    behaviour, parameters = CLIENTS[point.client]
    pair = build(scenario("normal-close"), client=behaviour, parameters=parameters, loss=LOSS)
    arrivals = Arrivals(point.per_second, for_us=DAY_US)
    table = over_time(simulate(Plan(((1.0, pair),), arrivals, seed=point.seed)), every_us=600 * SECOND_US)
    return [point._asdict() | row for row in table.rows()]


def figure(table: pl.DataFrame) -> Figure:
    """A column per kind of client; sockets of each host by state, and its memory below."""
    drawn, panels = sheet(
        "Which clients fill a host in a day?",
        "A connection that nobody closes costs its own host a full socket for ever, and the server a small"
        " one for 60 s.\nSlow clients cost in proportion to their slowness, and no more as the day goes on.",
        rows=3,
        columns=3,
        width=13,
        height=8.6,
    )
    most = int(table["count"].to_numpy().max())
    for column, client in enumerate(CLIENTS):
        rows = table.filter(pl.col("client") == client)
        for row, side in enumerate(SIDES):
            _sockets(panels[3 * row + column], rows.filter(pl.col("side") == side), most)
        _memory(panels[6 + column], rows, table)
        panel_title(panels[column], client)
    for row, label in enumerate(("sockets on the clients' host", "sockets on the server", "kernel memory")):
        panels[3 * row].set_ylabel(label)
    for place, panel in enumerate(panels):
        time_axis(panel, DAY_US)
        if place < 6:
            panel.set_xlabel("")
        if place % 3:
            panel.tick_params(labelleft=False)
        label_ends(panel, gap=0.075)
    for panel in panels[:3]:
        panel.axhline(PORTS, color=QUIET, lw=1, ls=(0, (4, 2)))
    panels[0].text(0, PORTS * 1.15, f" {PORTS:,}: all ephemeral ports of one host", color=QUIET, fontsize=8.5)
    footnote(
        drawn,
        f"Poisson arrivals, {table['per_second'][0]:g} per second; {LOSS:.0%} loss, 10 ms each way; the"
        " server answers and closes; both hosts Linux 6.18.\n"
        "Counts on a logarithmic scale, every ten minutes; states that hold fewer than ten sockets are left"
        f" out. Seed {SEED}.",
    )
    return drawn


def _sockets(panel: Axes, rows: pl.DataFrame, most: int) -> None:
    panel.set_yscale("log")
    panel.set_ylim(1, 3 * max(most, PORTS))
    ticks = [10**power for power in range(len(str(3 * most)))]
    panel.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    panel.set_yticks([], minor=True)
    by_state = rows.group_by("state", "t_s").agg(pl.col("count").sum()).sort("t_s")
    for (state,), series in by_state.partition_by("state", as_dict=True).items():
        count = series["count"].to_numpy()
        if np.median(count) < 10:  # states that a connection only passes through
            continue
        t_us = series["t_s"].to_numpy() * SECOND_US
        panel.plot(
            t_us, np.maximum(count, 1), color=state_colour(state), lw=2, label=f"{state} {count[-1]:,}"
        )
    if not panel.get_lines():
        panel.text(0.5, 0.25, "none stays", transform=panel.transAxes, ha="center", color=QUIET, fontsize=9.5)


def _memory(panel: Axes, rows: pl.DataFrame, table: pl.DataFrame) -> None:
    held = rows.group_by("side", "t_s").agg(pl.col("bytes").sum()).sort("t_s")
    top = float(table.group_by("client", "side", "t_s").agg(pl.col("bytes").sum())["bytes"].to_numpy().max())
    panel.set_ylim(0, 1.05 * top)
    for index, side in enumerate(SIDES):
        series = held.filter(pl.col("side") == side)
        last = series["bytes"][-1] if len(series) else 0
        panel.plot(
            series["t_s"].to_numpy() * SECOND_US,
            series["bytes"].to_numpy(),
            color=series_colour(index),
            lw=2,
            label=f"{side} {memory_words(last)}",
        )
    bytes_axis(panel)
    panel.set_ylim(bottom=-0.06 * top)  # room for labels at the foot
