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
from tcpsim.draw.colours import QUIET
from tcpsim.draw.curves import (
    count_axis,
    footnote,
    label_ends,
    panel_title,
    sheet,
    state_colour,
    time_axis,
)
from tcpsim.draw.figure_style import Axes, Figure
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
    """A row per kind of client: sockets of each host by state, with the memory that they hold."""
    drawn, panels = sheet(
        _finding(table),
        "A connection that nobody closes costs its own host a full socket for ever, and the server a small"
        " one for 60 s. Slow clients cost in proportion to their slowness, and no more as the day goes on.",
        rows=len(CLIENTS),
        columns=2,
        height=8.6,
    )
    for row, client in enumerate(CLIENTS):
        rows = table.filter(pl.col("client") == client)
        for panel, side in zip(panels[2 * row : 2 * row + 2], SIDES, strict=True):
            most = int(_by_state(table.filter(pl.col("side") == side))["count"].to_numpy().max())
            _sockets(panel, rows.filter(pl.col("side") == side), most)
            time_axis(panel, DAY_US)
            label_ends(panel)
            panel_title(panel, client, HOSTS[side])
            if panel.get_ylim()[1] > PORTS:
                panel.axhline(PORTS, color=QUIET, lw=1, ls=(0, (4, 2)))
    if panels[0].get_ylim()[1] > 1.2 * PORTS:
        words = f"{PORTS:,}: all ephemeral ports of one host"
        panels[0].text(0.01 * DAY_US, 1.06 * PORTS, words, va="bottom", color=QUIET, fontsize=8.5)
    footnote(
        drawn,
        f"Poisson arrivals, {table['per_second'][0]:g} per second; {LOSS:.0%} loss, 10 ms each way; the"
        " server answers and closes; both hosts Linux 6.18. In brackets: the kernel memory that the sockets"
        " hold after a day. Counted every ten minutes; states that hold fewer than ten sockets are left out."
        f" Seed {SEED}.",
    )
    return drawn


HOSTS = {"client": "on the clients' host", "server": "on the server"}


def _finding(table: pl.DataFrame) -> str:
    """What the clients hold at the end that never close, beside the slow ones."""
    last = table.filter((pl.col("t_s") == table["t_s"].max()) & (pl.col("side") == "client"))
    held = {name: int(last.filter(pl.col("client") == name)["count"].sum()) for name in CLIENTS}
    _, slow, never = held.values()
    return f"Clients that never close hold {never:,} sockets after a day, slow ones {slow:,}"


def _by_state(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("client", "state", "t_s").agg(pl.col("count", "bytes").sum()).sort("t_s")


def _sockets(panel: Axes, rows: pl.DataFrame, most: int) -> None:
    top = 1.15 * max(most, 10)
    panel.set_ylim(-0.03 * top, top)
    count_axis(panel, "sockets", zero=False)
    for (state,), series in sorted(_by_state(rows).partition_by("state", as_dict=True).items()):
        count = series["count"].to_numpy()
        if np.median(count) < 10:  # states that a connection only passes through
            continue
        said = f"{state}:\n{count[-1]:,} ({memory_words(series['bytes'][-1])})"
        t_us = series["t_s"].to_numpy() * SECOND_US
        panel.plot(t_us, count, color=state_colour(str(state)), lw=2, label=said)
    if not panel.get_lines():
        panel.text(0.5, 0.08, "none stays", transform=panel.transAxes, ha="center", color=QUIET, fontsize=9)
