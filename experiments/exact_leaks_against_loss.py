"""How likely is a leak, exactly, at every loss rate?

Four servers that close first, three clients, with and without keepalive: the probability that a connection
still holds a socket, on either host, six hours after it began. The lines are exact (docs/explore.md) and the
points are counts of simulated connections, which know nothing of them. Losses begin once the connection is
established.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from tcpsim.catalogue import build, scenario
from tcpsim.draw.colours import series_colour
from tcpsim.draw.curves import (
    Axes,
    Figure,
    footnote,
    label_ends,
    panel_title,
    percent_axis,
    sheet,
)
from tcpsim.explore.chain import explore
from tcpsim.explore.curves import Look, occupancy
from tcpsim.host.population import Arrivals
from tcpsim.measure.ends import ends
from tcpsim.measure.interval import clopper_pearson
from tcpsim.pair import SIDES, Pair
from tcpsim.tcp.state import State

STEM = "exact_leaks_against_loss"
SEED = 1
LATER_US = 6 * 3_600_000_000
MOST_LOSS = 0.5
COUNTED = (0.05, 0.15, 0.3, 0.5)  # where connections are simulated, too
FLOOR = 1e-6  # of the axis

SERVERS: dict[str, dict[str, Any]] = {
    "Linux": {},
    "Linux, one RST at the end of FIN-WAIT-2": {"knobs": {"server.fin_wait_2_rst": True}},
    "Linux, tcp_orphan_retries = 1": {"knobs": {"server.tcp_orphan_retries": 1}},
    "RFC 9293: FIN-WAIT-2 has no limit": {"stack_server": "rfc9293"},
}
CLIENTS = {"never closes": "never-closes", "forgets 1 in 10": "sometimes-forgets", "closes": "closes-on-eof"}


class Point(NamedTuple):
    """One curve: a server, a client, whether the client has keepalive, how many rates and connections."""

    server: str
    client: str
    keepalive: bool
    rates: int
    connections: int
    seed: int = SEED


def points(full: bool) -> list[Point]:
    """Every server with every client, with and without keepalive."""
    rates, connections = (101, 20_000) if full else (51, 1_000)
    return [Point(s, c, kept, rates, connections) for s in SERVERS for c in CLIENTS for kept in (False, True)]


def _pair(point: Point, loss: float) -> Pair:
    changes = dict(SERVERS[point.server])
    knobs = {**changes.pop("knobs", {}), "client.keepalive_default": point.keepalive}
    return build(
        scenario("normal-close"), client=CLIENTS[point.client], loss=loss, loss_from="500ms", knobs=knobs,
        parameters={"server.delay": "1s"}, **changes,
    )  # fmt: skip


def _holds(look: Look) -> int:
    return int(any(held.state is not State.CLOSED for side in SIDES for held in look.of(side)))


def answer(point: Point) -> list[dict[str, Any]]:
    """The exact probability at each rate, and what is counted at a few."""
    losses = np.linspace(0.0, MOST_LOSS, point.rates)
    seen = occupancy(explore(_pair(point, MOST_LOSS)), losses.tolist(), LATER_US)
    held = seen.curve(_holds).at(LATER_US)
    known = {"server": point.server, "client": point.client, "keepalive": point.keepalive}
    rows: list[dict[str, Any]] = [
        known | {"loss": float(loss), "exact": float(share), "error": float(error)}
        for loss, share, error in zip(losses, held, seen.error, strict=True)
    ]
    lossy = [_pair(point, loss) for loss in COUNTED]
    simulated = ends(lossy, Arrivals(1_000, connections=point.connections), LATER_US, point.seed)
    for loss, found in zip(COUNTED, simulated, strict=True):
        count = sum(
            number
            for left, number in found.left.items()
            if any(one.state is not State.CLOSED for side in SIDES for one in found.views[left.now].of(side))
        )
        low, high = clopper_pearson(count, point.connections, 0.99)
        counted = {"connections": point.connections, "held": count, "low99": low, "high99": high}
        rows.append(known | {"loss": loss} | counted)
    return rows


def figure(table: pl.DataFrame) -> Figure:
    """One panel per server; lines without keepalive, dashed ones with it, points for what is counted."""
    trials = int(table["connections"].drop_nulls()[0])
    drawn, panels = sheet(
        _finding(table),
        "How likely a socket is still held six hours after the connection began, on either host. Programs"
        " that forget leak at any loss; where they close, every FIN has to be lost. Keepalive clears nearly"
        " all of it, but not where the server answers probes for ever.",
        rows=2,
        columns=2,
        height=7.8,
    )
    for panel, server in zip(panels, SERVERS, strict=True):
        panel.set_yscale("log")
        panel.set_ylim(FLOOR, 2)
        panel.set_xlim(-0.005, MOST_LOSS + 0.01)
        for index, client in enumerate(CLIENTS):
            for kept in (False, True):
                chosen = (pl.col("server") == server) & (pl.col("client") == client)
                _line(panel, table.filter(chosen & (pl.col("keepalive") == kept)), client, kept, index)
        kept_share = table.filter((pl.col("server") == server) & pl.col("keepalive"))["exact"]
        left = kept_share.drop_nulls().gt(FLOOR).any()
        said = "dashed: with keepalive" if left else "with keepalive: none is left"
        panel_title(panel, server, said)
        percent_axis(panel, "y", "connections that hold a socket")
        percent_axis(panel, "x", "loss of packets, each way")
        panel.set_yticks([], minor=True)
        label_ends(panel)
    footnote(
        drawn,
        "Lines: exact, no sampling. Dashed: the client has keepalive (2 h, then 9 probes in 11 min). Points:"
        f" {trials:,} simulated connections each, with 99 % intervals (Clopper-Pearson); seed {SEED}."
        " Request 100 B, response 1000 B, 10 ms each way; the client is Linux 6.18, the server closes 1 s"
        " after it has answered.",
    )
    return drawn


def _finding(table: pl.DataFrame) -> str:
    """What leaks at the highest loss where programs close, beside one that never does, on Linux."""
    rows = table.filter((pl.col("server") == "Linux") & ~pl.col("keepalive") & pl.col("exact").is_not_null())
    never = rows.filter((pl.col("client") == "never closes") & (pl.col("loss") == 0))
    closes = rows.filter(pl.col("client") == "closes").sort("loss")
    if not (never.height and closes.height):
        return "How likely a leak is, exactly, at every loss rate"
    return (
        f"A program that never closes leaks {100 * never['exact'][0]:.3g} % of its sockets without any loss;"
        f" one that closes leaks {100 * closes['exact'][-1]:.1g} % at {100 * closes['loss'][-1]:g} % loss"
    )


def _line(panel: Axes, rows: pl.DataFrame, client: str, kept: bool, index: int) -> None:
    colour = series_colour(index)
    exact = rows.filter(pl.col("exact").is_not_null()).sort("loss")
    share = exact["exact"].to_numpy()
    shown = np.where(share > FLOOR / 10, share, np.nan)
    style = (0, (4, 2)) if kept else "solid"
    label = f"_{client}" if kept or not np.isfinite(shown).any() else client
    panel.plot(exact["loss"].to_numpy(), shown, color=colour, lw=1.7, linestyle=style, label=label, zorder=3)
    counted = rows.filter((pl.col("held") > 0) & pl.col("exact").is_null())
    middle = (counted["held"] / counted["connections"]).to_numpy()
    reach = np.array([middle - counted["low99"].to_numpy(), counted["high99"].to_numpy() - middle])
    panel.errorbar(
        counted["loss"].to_numpy(), middle, np.maximum(reach, 0.0), fmt="D" if kept else "o", ms=3.6,
        color=colour, mfc="white", lw=1.0, capsize=2, zorder=4, label=f"_{client}",
    )  # fmt: skip
