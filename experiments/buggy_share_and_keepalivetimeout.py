"""How many sockets in FIN-WAIT-2 does a server hold, by the share of buggy clients and KeepAliveTimeout?

Two connections a second. The server closes an idle one after KeepAliveTimeout; a sound client answers at
once, a buggy one when it next has work for the connection, ten minutes after the response (Apache's page).
With a FIN-WAIT-2 timer, as Linux has, and without. Each count is compared with rate x share x time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from tcpsim.catalogue import build, scenario
from tcpsim.draw.colours import INK
from tcpsim.draw.curves import Axes, Figure, footnote, panel_title, sheet, state_colour
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.measure.census_table import over_time
from tcpsim.units import parse_duration

STEM = "buggy_share_and_keepalivetimeout"
SEED = 1
SHARES = (1.0, 0.75, 0.5, 0.25, 0.1, 0.0)
TIMEOUTS = ("1s", "5s", "15s", "1min", "2min", "5min")
FULL_TIMEOUTS = ("2s", "10s", "30s", "90s", "3min", "8min")
IDLE_US = parse_duration("10min")
TIMER_US = parse_duration("60s")
FROM_US, TO_US = (
    parse_duration("12min"),
    parse_duration("20min"),
)  # watched: every buggy client is in its turn
SERVERS = {"with a timer of 60 s (Linux)": "60s", "without a timer": "none"}


class Point(NamedTuple):
    """One server, one share, one timeout."""

    server: str
    share: float
    timeout: str
    per_second: float = 2.0
    seed: int = SEED


def points(full: bool) -> list[Point]:
    """The two servers, each share with each timeout; in full, the timeouts between."""
    timeouts = FULL_TIMEOUTS if full else TIMEOUTS
    return [Point(server, share, timeout) for server in SERVERS for share in SHARES for timeout in timeouts]


def expected(point: Point) -> float:
    """Rate x share x the time that a buggy client's connection spends in FIN-WAIT-2."""
    lasts_us = IDLE_US - parse_duration(point.timeout)
    if SERVERS[point.server] != "none":
        lasts_us = min(lasts_us, TIMER_US)
    return point.per_second * point.share * lasts_us / 1_000_000


def answer(point: Point) -> list[dict[str, Any]]:
    """Sockets of the server in FIN-WAIT-2 and in ESTABLISHED, on average over eight minutes."""
    changed: dict[str, Any] = {"server": "keep-alive-timeout", "stack_server": "linux"}
    changed["knobs"] = {"server.fin_wait_2_us": SERVERS[point.server]}
    story, timeout = scenario("keepalive-timeout-buggy-client"), {"server.timeout": point.timeout}
    buggy = build(
        story, client="closes-with-next-work", parameters=timeout | {"client.idle": "10min"}, **changed
    )
    sound = build(story, client="closes-on-eof", parameters=timeout, **changed)
    kinds = ((point.share, buggy), (1 - point.share, sound))
    plan = Plan(kinds, Arrivals(point.per_second, for_us=TO_US, poisson=False), seed=point.seed)
    table = over_time(simulate(plan), every_us=5_000_000).to("polars")
    watched = table.filter((pl.col("side") == "server") & (pl.col("t_s") >= FROM_US / 1_000_000))
    held = {
        name: watched.filter(pl.col("state") == state)["count"].sum() / watched["t_s"].n_unique()
        for name, state in (("fin_wait_2", "FIN-WAIT-2"), ("established", "ESTABLISHED"))
    }
    return [point._asdict() | held | {"expected": expected(point)}]


def figure(table: pl.DataFrame) -> Figure:
    """A map for each server, and below it what a longer KeepAliveTimeout costs."""
    drawn, panels = sheet(
        _finding(table),
        "It is rate x share of buggy clients x time. With a timer the time is the timer's, whatever"
        " KeepAliveTimeout is; without one it lasts until the client does something. A longer"
        " KeepAliveTimeout turns FIN-WAIT-2 into ESTABLISHED (last row), where each socket ties up a"
        " process.",
        columns=2,
        height=4.4,
    )
    most = max(1.0, float(table["fin_wait_2"].to_numpy().max()))
    for panel, server in zip(panels, SERVERS, strict=True):
        _map(panel, table.filter(pl.col("server") == server), most)
        panel_title(panel, f"server {server}")
    error = float((table["fin_wait_2"] - table["expected"]).abs().to_numpy().max())
    footnote(
        drawn,
        "The numbers are sockets on the server: in FIN-WAIT-2 above (the darker the more, in both maps"
        " alike), in ESTABLISHED below."
        f" {table['per_second'][0]:g} connections per second; buggy clients answer after 10 min, sound ones"
        " after 50 ms; no loss, 10 ms each way. Means over eight minutes; the largest difference to rate x"
        f" share x time is {error:.0f} sockets (which clients are buggy is drawn). Seed {table['seed'][0]}.",
    )
    return drawn


def _finding(table: pl.DataFrame) -> str:
    """The most that either server holds."""
    timed, free = (
        float(table.filter(pl.col("server") == server)["fin_wait_2"].to_numpy().max()) for server in SERVERS
    )
    return f"A timer of 60 s keeps FIN-WAIT-2 at {timed:,.0f} sockets at most; without one it is {free:,.0f}"


def _map(panel: Axes, rows: pl.DataFrame, most: float) -> None:
    timeouts = sorted(set(rows["timeout"].to_list()), key=parse_duration)
    shares = sorted(set(rows["share"].to_list()), reverse=True)
    below = len(shares) + 0.35
    for row in rows.to_dicts():
        x, y, count = timeouts.index(row["timeout"]), shares.index(row["share"]), row["fin_wait_2"]
        alpha = 0.06 + 0.84 * count / most
        panel.bar(x, 0.96, 0.96, y - 0.48, color=state_colour("FIN-WAIT-2"), alpha=alpha)
        panel.text(x, y, f"{count:,.0f}", ha="center", va="center", color=INK, fontsize=9)
    for x, timeout in enumerate(timeouts):
        held = float(np.mean(rows.filter(pl.col("timeout") == timeout)["established"].to_numpy()))
        panel.text(x, below, f"{held:,.0f}", ha="center", va="center", color=INK, fontsize=9)
    panel.set_xlim(-0.5, len(timeouts) - 0.5)
    panel.set_ylim(len(shares) + 0.85, -0.5)
    panel.set_xticks(range(len(timeouts)), [_spaced(timeout) for timeout in timeouts])
    names = [f"{share:.0%}".replace("%", " %") for share in shares]
    panel.set_yticks([*range(len(shares)), below], [*names, "ESTAB-\nLISHED"])
    panel.set_xlabel("KeepAliveTimeout")
    panel.set_ylabel("clients that do not answer the FIN")
    panel.tick_params(length=0)
    panel.grid(visible=False)
    panel.spines[["left", "bottom"]].set_visible(False)


def _spaced(timeout: str) -> str:
    return timeout.replace("min", " min") if "min" in timeout else timeout.replace("s", " s")
