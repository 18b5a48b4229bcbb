"""Does packet loss leak sockets, or do programs?

Six behaviours of clients, against the loss rate, on three servers: Linux as it comes (FIN-WAIT-2 ends in
silence after 60 s), the same with one RST at that end (as HP-UX's explicit timer does), and the same
with impatient orphans (tcp_orphan_retries = 1). Counted is whoever still holds a socket that is not
CLOSED, for ever or metastably, when everything else is long over.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

import tcpsim
from tcpsim.draw.colours import QUIET, series_colour
from tcpsim.draw.curves import footnote, label_ends, panel_title, percent_axis, sheet
from tcpsim.draw.figure_style import Axes, Figure

STEM = "leaks_against_loss"
SEED = 1
LATER = "6h"  # keepalive takes two to look
LOSSES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
FULL_LOSSES = tuple(percent / 100 for percent in range(31))

# how a client is called in the figure: its behaviour, and the server's
CLIENTS = {
    "never closes": ("never-closes", "responds-then-closes"),
    "forgets 1 in 10": ("sometimes-forgets", "responds-then-closes"),
    "half-closes": ("half-closes", "responds-then-closes"),
    "closes on EOF": ("closes-on-eof", "responds-then-closes"),
    "closes first": ("closes-first", "closes-on-eof"),
    "never, but keepalive": ("keepalive-never-closes", "responds-then-closes"),
}
SERVERS: dict[str, dict[str, Any]] = {
    "Linux as it comes": {},
    "one RST ends FIN-WAIT-2": {"fin_wait_2_rst": True},
    "tcp_orphan_retries = 1": {"tcp_orphan_retries": 1},
}


class Point(NamedTuple):
    """One server with one client, at several loss rates."""

    servers: str
    client: str
    losses: tuple[float, ...]
    connections: int
    seed: int = SEED


def points(full: bool) -> list[Point]:
    """Every server with every client."""
    connections, losses = (10_000, FULL_LOSSES) if full else (2_000, LOSSES)
    return [Point(s, c, losses, connections) for s in SERVERS for c in CLIENTS]


def answer(point: Point) -> list[dict[str, Any]]:
    """How many of the connections leak: those that do not end clean."""
    client, server = CLIENTS[point.client]
    found = tcpsim.sweep(
        "normal-close", {"loss": point.losses}, client=client, server=server, knobs=SERVERS[point.servers],
        method="simulate", connections=point.connections, horizon=LATER, seed=point.seed,
    )  # fmt: skip
    return [
        {
            "servers": point.servers, "client": point.client, "loss": row["loss"],
            "connections": point.connections, "seed": point.seed,
            "leaked": round((1 - row["value"]) * point.connections), "share": 1 - row["value"],
            "low95": 1 - row["high"], "high95": 1 - row["low"],
        }
        for row in found.table()
        if row["quantity"] == "clean"
    ]  # fmt: skip


def figure(table: pl.DataFrame) -> Figure:
    """One panel per server, one line per client; the lowest row is "none seen"."""
    trials = table["connections"][0]
    floor = 0.3 / trials
    drawn, panels = sheet(
        _finding(table),
        "Connections that leave a socket behind for good, by what the client does. Loss matters where a"
        " single RST has to arrive, and where the closer gives up before its FIN is heard.",
        rows=3,
        height=9.4,
    )
    for panel, servers in zip(panels, SERVERS, strict=True):
        panel.set_yscale("log")
        panel.set_ylim(floor / 1.8, 1.6)
        panel_title(panel, f"server: {servers}")
        mine = table.filter(pl.col("servers") == servers).sort("loss")
        leaky = _leaky(mine)
        for index, client in enumerate(CLIENTS):
            if client in leaky:
                _line(panel, mine.filter(pl.col("client") == client), client, series_colour(index), floor)
        silent = [client for client in CLIENTS if client not in leaky]
        if silent:
            losses = mine["loss"].unique().sort().to_list()
            name = "\n".join(silent)
            panel.plot(losses, [floor] * len(losses), color=QUIET, lw=1.7, marker="o", ms=3.2, label=name)
        percent_axis(panel, "x", "loss of packets, each way")
        percent_axis(panel, "y", "connections that leak a socket")
        panel.set_xlim(-0.005, 0.305)
        ticks = [10.0**power for power in range(0, -6, -1) if 10.0**power > 2 * floor]
        panel.set_yticks(
            [*ticks, floor], [*(f"{100 * tick:g} %" for tick in ticks), "none seen"], minor=False
        )
        panel.set_yticks([], minor=True)
        label_ends(panel)
    footnote(
        drawn,
        f"{trials:,} connections per point, six hours after the last began; bands: 95 % (Wilson). Request"
        f" 100 B, response 1000 B, 10 ms each way; both hosts Linux 6.18 but for what is said. Seed {SEED}.",
    )
    return drawn


def _finding(table: pl.DataFrame) -> str:
    """On Linux as it comes: which clients leak, and whether it takes any loss."""
    rows = table.filter(pl.col("servers") == next(iter(SERVERS)))
    most = float(rows["loss"].to_numpy().max())
    none, all_ = (_leaky(rows.filter(pl.col("loss") <= loss)) for loss in (0.0, most))
    if not all_:
        return f"On Linux no client leaks at any loss up to {100 * most:g} %"
    when = f"without loss as at {100 * most:g} %" if none == all_ else f"at some loss up to {100 * most:g} %"
    return f"On Linux {len(all_)} of {len(CLIENTS)} clients leak, {when}: {', '.join(all_)}"


def _leaky(rows: pl.DataFrame) -> list[str]:
    return [name for name in CLIENTS if rows.filter(pl.col("client") == name)["leaked"].sum()]


def _line(panel: Axes, rows: pl.DataFrame, name: str, colour: str, floor: float) -> None:
    share = rows["share"].to_numpy()
    x, y = rows["loss"].to_numpy(), np.maximum(share, floor)
    low, high = np.maximum(rows["low95"].to_numpy(), floor), rows["high95"].to_numpy()
    seen = share > 0
    panel.fill_between(
        x, np.where(seen, low, floor), np.where(seen, high, floor), color=colour, alpha=0.18, lw=0
    )
    panel.plot(x, y, color=colour, lw=1.7, marker="o", ms=3.2, label=name)
