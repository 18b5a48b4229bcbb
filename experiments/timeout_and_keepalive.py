"""Who holds what after an hour, a day, a week: FIN-WAIT-2 timeout on or off, keepalive on or off?

A connection every ten minutes on average for a week, which the server closes and the client never does. The
timeout is the server's (60 s, or none), keepalive is set by the client (after two hours of silence,
every 75 s, nine times).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, NamedTuple

import polars as pl

from experiments import memory_words
from tcpsim.catalogue import build, scenario
from tcpsim.draw.colours import INK, QUIET, ink_on
from tcpsim.draw.curves import footnote, panel_title, sheet, state_colour
from tcpsim.draw.figure_style import Axes, Figure
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.measure.census_table import over_time
from tcpsim.pair import SIDES

STEM = "timeout_and_keepalive"
SEED = 1
LOSS = 0.01
HOUR_US = 3_600_000_000
AFTER = {"an hour": 1, "a day": 24, "a week": 168}  # in hours

TIMEOUT = {"on": "60s", "off": "never"}
KEEPALIVE = {"off": "never-closes", "on": "keepalive-never-closes"}
WHAT = {
    ("on", "off"): "The server forgets. The clients never learn of it.",
    ("on", "on"): "The server forgets. Probes find out, descriptors stay.",
    ("off", "off"): "Both sides keep everything, in silence.",
    ("off", "on"): "Both keep everything, and assure each other of it.",
}


class Point(NamedTuple):
    """One of the four."""

    timeout: str
    keepalive: str
    every_us: int
    seed: int = SEED


def points(full: bool) -> list[Point]:
    """The 2 x 2."""
    every_us = 120_000_000 if full else 600_000_000
    return [Point(timeout, keepalive, every_us) for timeout in TIMEOUT for keepalive in KEEPALIVE]


def answer(point: Point) -> list[dict[str, Any]]:
    """What is held after an hour, a day and a week, by side and state."""
    pair = build(
        scenario("normal-close"),
        client=KEEPALIVE[point.keepalive],
        loss=LOSS,
        knobs={"server.fin_wait_2_us": TIMEOUT[point.timeout]},
    )
    arrivals = Arrivals(1_000_000 / point.every_us, for_us=168 * HOUR_US)
    births_us = list(arrivals.times_us(point.seed))
    table = over_time(simulate(Plan(((1.0, pair),), arrivals, seed=point.seed)), every_us=HOUR_US)
    rows = []
    for after, hours in AFTER.items():
        opened = bisect_right(births_us, hours * HOUR_US)
        known = point._asdict() | {"after": after, "connections": opened}
        rows += [known | row for row in table.rows() if row["t_s"] == hours * 3600]
    return rows


def figure(table: pl.DataFrame) -> Figure:
    """Four panels, each with a bar per host after each time."""
    drawn, panels = sheet(
        _finding(table),
        "The server has closed every connection, no client has. Keepalive helps only if the other side has"
        " forgotten the connection: a peer in FIN-WAIT-2 without a timeout answers each probe, and so keeps"
        " the leak alive on both sides.",
        rows=2,
        columns=2,
        height=8.4,
    )
    for panel, (timeout, keepalive) in zip(panels, ((t, k) for t in TIMEOUT for k in KEEPALIVE), strict=True):
        _bars(panel, table.filter((pl.col("timeout") == timeout) & (pl.col("keepalive") == keepalive)))
        panel_title(panel, f"timeout {timeout}, keepalive {keepalive}", WHAT[timeout, keepalive])
        panel.set_xlabel("sockets per 100 connections opened so far")
    footnote(
        drawn,
        f"A connection every {table['every_us'][0] // 60_000_000} min (Poisson); {LOSS:.0%} loss, 10 ms each"
        " way; both hosts Linux 6.18. Beside each bar: sockets, and the kernel memory they pin."
        f" Keepalive: after 2 h, every 75 s, 9 times. Timeout: 60 s or none. Seed {SEED}.",
    )
    return drawn


def _finding(table: pl.DataFrame) -> str:
    """What is left on both hosts after a week without a timeout, with keepalive and without."""
    last = table.filter((pl.col("after") == list(AFTER)[-1]) & (pl.col("timeout") == "off"))
    held = {kept: int(last.filter(pl.col("keepalive") == kept)["count"].sum()) for kept in KEEPALIVE}
    saved = held["off"] - held["on"]
    helps = "none" if saved <= 0 else f"{saved:,}"
    return f"Keepalive ends {helps} of the {held['off']:,} sockets that stay without a FIN-WAIT-2 timeout"


def _bars(panel: Axes, rows: pl.DataFrame) -> None:
    panel.grid(axis="y", visible=False)
    panel.spines[["left", "bottom"]].set_visible(False)
    panel.tick_params(length=0)
    panel.set_xlim(0, 130)
    panel.set_xticks([0, 50, 100])
    ticks = []
    for group, after in enumerate(AFTER):
        then = rows.filter(pl.col("after") == after)
        opened = then["connections"][0]
        panel.text(0, 3 * group - 0.78, f"after {after}, {opened:,} connections", fontsize=9, va="center")
        for place, side in enumerate(SIDES):
            height = 3 * group + 0.92 * place
            ticks.append((height, side))
            _bar(panel, height, opened, then.filter((pl.col("side") == side) & (pl.col("count") > 0)))
    panel.set_yticks([height for height, _ in ticks], [side for _, side in ticks], color=INK)
    panel.set_ylabel("host")
    panel.set_ylim(7.6, -1.2)


def _bar(panel: Axes, height: float, opened: int, held: pl.DataFrame) -> None:
    left = 0.0
    for row in held.sort("state", descending=True).to_dicts():
        share, colour = 100 * row["count"] / opened, state_colour(row["state"])
        panel.barh(height, share, 0.84, left, color=colour)
        word = "CLOSED, descriptor still open" if row["state"] == "CLOSED" else row["state"]
        if share > 2.2 * len(word):
            panel.text(left + 1.5, height, word, va="center", fontsize=8.5, color=ink_on(colour))
        left += share
    count, size = int(held["count"].sum()), int(held["bytes"].sum())
    said = f"{count:,}, {memory_words(size)}" if count else "nothing"
    panel.text(left + 1.2, height, said, va="center", fontsize=8.5, color=QUIET)
