"""When does a server of the time run out of mbufs, and does a larger pool help?

One connection a second, half of the clients never answer the FIN after KeepAliveTimeout, and each socket
costs 512 bytes of mbufs: without a FIN-WAIT-2 timer, with 4.4BSD's at this rate and at twice it, and with
lingering_close(), which goes around it. The host has plenty, so that one run tells when each of the pools of
NMBCLUSTERS 256, 512, 1024 and 4096 would have been used up.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from tcpsim.catalogue.workload import CLUSTER_BYTES
from tcpsim.catalogue.workload_file import workload
from tcpsim.draw.colours import FAINT, series_colour
from tcpsim.draw.curves import bytes_axis, footnote, label_ends, sheet, time_axis
from tcpsim.draw.figure_style import Figure
from tcpsim.draw.time_format import length
from tcpsim.host.population import simulate
from tcpsim.measure.census_table import at_times, first_met, used

STEM = "mbufs_until_the_crash"
SEED = 1
SPAN_US = 5 * 3_600_000_000
POOLS = (256, 512, 1024, 4096)

# what a line is called, the workload behind it, and connections a second
SERVERS: dict[str, tuple[str, float]] = {
    "no timer": ("mbufs-without-a-timer", 1.0),
    "a timer, and lingering_close()": ("mbufs-and-lingering-close", 1.0),
    "a timer, at twice the rate": ("mbufs-with-a-timer", 2.0),
    "a timer": ("mbufs-with-a-timer", 1.0),
}


class Point(NamedTuple):
    """One server for five hours; `rate` multiplies its connections a second."""

    server: str
    every_us: int
    rate: float = 1.0
    seed: int = SEED


def points(full: bool) -> list[Point]:
    """The four servers, every five minutes; in full, every minute."""
    return [Point(server, 60_000_000 if full else 300_000_000) for server in SERVERS]


def answer(point: Point) -> list[dict[str, Any]]:
    """The bytes that the server's sockets hold over time, and when each pool was used up."""
    name, per_second = SERVERS[point.server]
    census = simulate(workload(name).plan(None, point.rate * per_second, SPAN_US, point.seed, plenty=True))
    t_us, held = used(census, "server", "bytes")
    at_us = np.arange(0, SPAN_US + 1, point.every_us)
    met = {
        f"met_{pool}_us": first_met(census, "server", "bytes", pool * CLUSTER_BYTES) or -1 for pool in POOLS
    }
    return [
        point._asdict() | {"t_s": int(at) / 1_000_000, "bytes": int(value)} | met
        for at, value in zip(at_us, at_times(t_us, held, at_us), strict=True)
    ]


def figure(table: pl.DataFrame) -> Figure:
    """Bytes over time, the pools as dashed lines, a mark where each is used up."""
    drawn, (panel,) = sheet(
        _finding(table),
        "Buggy clients leave sockets in FIN-WAIT-2 for ever where there is no timer, and where"
        " lingering_close() goes around it: the server crashes, later with a larger pool. With a timer a pool"
        " above rate x timeout is enough for ever.",
        height=4.8,
    )
    for pool in POOLS:
        held = pool * CLUSTER_BYTES
        panel.plot(
            [0, SPAN_US], [held, held], color=FAINT, lw=1, ls=(0, (4, 2)), zorder=1,
            label=f"NMBCLUSTERS {pool:,}: {_crash_words(table, pool)}",
        )  # fmt: skip
    for index, server in enumerate(SERVERS):
        rows = table.filter(pl.col("server") == server).sort("t_s")
        colour = series_colour(index)
        twin = "lingering" in server  # it goes the way of the one without a timer
        panel.plot(
            rows["t_s"].to_numpy() * 1_000_000, rows["bytes"].to_numpy(), color=colour,
            lw=2, ls=(0, (3, 3)) if twin else "solid", label=server,
        )  # fmt: skip
        for pool in POOLS:
            met_us = rows[f"met_{pool}_us"][0]
            if met_us > 0:
                panel.plot([met_us], [pool * CLUSTER_BYTES], "x", color=colour, ms=8, mew=2, label="_met")
    panel.set_ylim(0, 1.12 * POOLS[-1] * CLUSTER_BYTES)
    bytes_axis(panel, "mbufs held by sockets")
    time_axis(panel, SPAN_US)
    label_ends(panel)
    footnote(
        drawn,
        f"4.4BSD, a cluster is {CLUSTER_BYTES} bytes, a socket 512; one connection per second,"
        " KeepAliveTimeout 15 s, TIME-WAIT 60 s; half of the clients never close; no loss. A cross: a pool of"
        f" that size is used up. Seed {table['seed'][0]}.",
    )
    return drawn


def _finding(table: pl.DataFrame) -> str:
    """What the largest pool does for a server without a timer, and which one is enough with it."""
    met = {
        server: [table.filter(pl.col("server") == server)[f"met_{pool}_us"][0] for pool in POOLS]
        for server in SERVERS
    }
    used_up = [us for us in met["no timer"] if us > 0]
    if not used_up:
        return f"No pool of mbufs is used up within {length(SPAN_US)}"
    enough = next((pool for pool, us in zip(POOLS, met["a timer"], strict=True) if us <= 0), None)
    timed = f"with one, {enough:,} are enough" if enough else "with one, too"
    most = f"{POOLS[len(used_up) - 1]:,} clusters last {length(max(used_up))}"
    return f"Without a timer {most}; {timed}"


def _crash_words(table: pl.DataFrame, pool: int) -> str:
    met_us = table.filter(pl.col("server") == "no timer")[f"met_{pool}_us"][0]
    return f"{length(met_us)}" if met_us > 0 else "never used up"
