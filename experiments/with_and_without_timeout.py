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
    """The sockets of each server by state, and those of its clients."""
    drawn, panels = sheet(
        _finding(table),
        "The server without a timeout keeps every connection that its client forgets; the other one keeps"
        " those of the last minute. The clients' host does not notice: its sockets stay in CLOSE-WAIT either"
        " way.",
        columns=2,
        height=4.2,
    )
    counts = table.group_by("server_stack", "side", "state", "t_s").agg(pl.col("count").sum())["count"]
    top = float(counts.to_numpy().max())
    for panel, name in zip(panels, STACKS, strict=True):
        _states(panel, table.filter(pl.col("server_stack") == name), top)
        time_axis(panel, DAY_US)
        label_ends(panel)
    panel_title(panels[0], "server without a timeout (rfc9293)")
    panel_title(panels[1], "server with 60 s (linux)")
    footnote(
        drawn,
        f"Poisson arrivals, {table['per_second'][0]:g} per second; {NEVER:.0%} of the clients never close;"
        f" {LOSS:.0%} loss, 10 ms each way. Solid: sockets of the server; dashed: of its clients; in"
        " brackets: the kernel memory they hold after a day. TIME-WAIT lasts 240 s in RFC 9293, 60 s in"
        f" Linux. Seed {SEED}.",
    )
    return drawn


def _finding(table: pl.DataFrame) -> str:
    """What either server holds in FIN-WAIT-2 at the end."""
    last = table.filter(
        (pl.col("t_s") == table["t_s"].max())
        & (pl.col("side") == "server")
        & (pl.col("state") == "FIN-WAIT-2")
    )
    held = {name: int(last.filter(pl.col("server_stack") == name)["count"].sum()) for name in STACKS}
    return (
        f"After a day a server without a FIN-WAIT-2 timeout holds {held['rfc9293']:,} such sockets,"
        f" one with 60 s holds {held['linux']:,}"
    )


def _states(panel: Axes, rows: pl.DataFrame, top: float) -> None:
    by_state = rows.group_by("side", "state", "t_s").agg(pl.col("count", "bytes").sum()).sort("t_s")
    for side, state in (("server", "FIN-WAIT-2"), ("server", "TIME-WAIT"), ("client", "CLOSE-WAIT")):
        series = by_state.filter((pl.col("side") == side) & (pl.col("state") == state))
        panel.plot(
            series["t_s"].to_numpy() * 1_000_000,
            series["count"].to_numpy(),
            color=state_colour(state),
            lw=3.5 if side == "server" else 1.5,
            ls="solid" if side == "server" else (0, (4, 2)),
            label=f"{side} {state}:\n{series['count'][-1]:,} ({memory_words(series['bytes'][-1])})",
        )
    panel.set_ylim(-0.03 * top, 1.08 * top)
    count_axis(panel, "sockets", zero=False)
