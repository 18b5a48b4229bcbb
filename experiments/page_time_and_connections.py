"""What does a persistent connection cost, and what does it buy?

People read three pages of ten images each, half a minute a page on average, over one, two or four connections
at once; the server drops an idle one after KeepAliveTimeout. Page time against connections held.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from tcpsim.catalogue import build, scenario
from tcpsim.draw.colours import INK, QUIET, series_colour
from tcpsim.draw.curves import (
    Axes,
    count_axis,
    footnote,
    label_ends,
    label_inside,
    panel_title,
    sheet,
    state_colour,
)
from tcpsim.draw.figure_style import Figure
from tcpsim.host.browser import Browsers
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.measure.experience import measure
from tcpsim.path import Exponential

STEM = "page_time_and_connections"
SEED = 1
OFF = "Off"
TIMEOUTS = (OFF, "1s", "5s", "15s", "60s")
FINER = (OFF, "1s", "2s", "5s", "10s", "15s", "30s", "60s", "120s")
SETTLE_US = 600_000_000


class Point(NamedTuple):
    """One KeepAliveTimeout, for browsers with so many connections."""

    parallel: int
    timeout: str
    visitors: int
    seed: int = SEED


def points(full: bool) -> list[Point]:
    """One, two and four connections; in full, more people and a finer grid."""
    timeouts, visitors = (FINER, 300) if full else (TIMEOUTS, 120)
    return [Point(parallel, timeout, visitors) for parallel in (1, 2, 4) for timeout in timeouts]


def answer(point: Point) -> list[dict[str, Any]]:
    """The mean page time, and what the server holds per page: socket-seconds of each kind."""
    persistent = point.timeout != OFF
    requests = 100 if persistent else 1
    given = {"response": 8_000, "server.requests": requests}
    given |= {"server.timeout": point.timeout} if persistent else {}
    pair = build(scenario("normal-close"), client="obeys", server="httpd", delay="50ms", parameters=given)
    users = Browsers(parallel=point.parallel, requests=requests, pages=3, reads=Exponential(30_000_000))
    arrivals = Arrivals(1.0, connections=point.visitors)
    census = simulate(Plan(((1.0, pair),), arrivals, SETTLE_US, point.seed, users=users))
    pages = measure(census, "done")
    held = {
        name: measure(census, f"mean server {what}") * census.horizon_us / 1_000_000 / pages
        for name, what in (("open_s_per_page", "descriptors"), ("time_wait_s_per_page", "TIME-WAIT"))
    }
    took_s = sum(census.experience.took_us) / 1_000_000 / pages
    told = {"pages": int(pages), "page_s": took_s, "connections_per_page": census.connections / pages}
    return [point._asdict() | told | held]


def figure(table: pl.DataFrame) -> Figure:
    """Page time against open connections; both kinds of sockets against the timeout."""
    drawn, (left, right) = sheet(
        _finding(table),
        "Within a page no image waits for a handshake any more. A longer KeepAliveTimeout saves one round"
        " trip on some of the next pages, and multiplies the connections that the server holds open."
        " TIME-WAIT falls with the connections opened.",
        columns=2,
        height=4.4,
    )
    for index, (parallel,) in enumerate(table.select("parallel").unique().sort("parallel").iter_rows()):
        rows = table.filter(pl.col("parallel") == parallel)
        _curve(left, rows, series_colour(index), f"{parallel} at once", above=parallel < 4)
    left.set_xscale("log")
    left.set_xlim(0.7, 900)
    left.set_ylim(0, 1.12 * float(table["page_s"].to_numpy().max()))
    ticks = [1, 3, 10, 30, 100]
    left.set_xticks(ticks, [str(tick) for tick in ticks])
    left.set_xticks([], minor=True)
    left.set_xlabel("open connections, a page a second (logarithmic)")
    left.set_ylabel("until the last image is there (s)")
    panel_title(left, "page time against connections held")

    most = table.filter(pl.col("parallel") == table["parallel"].max())
    names = most["timeout"].to_list()
    for column, label, colour in (
        ("open_s_per_page", "open", INK),
        ("time_wait_s_per_page", "TIME-WAIT", state_colour("TIME-WAIT")),
    ):
        right.plot(
            range(len(names)), most[column].to_list(), color=colour, lw=2, marker="o", ms=4, label=label
        )
    right.set_xticks(range(len(names)), [_named(name) for name in names])
    right.set_xlim(-0.2, len(names) - 0.8)
    right.set_xlabel("KeepAliveTimeout")
    count_axis(right, "sockets on the server, a page a second")
    panel_title(right, f"sockets held, {table['parallel'].max()} connections at once")
    label_ends(right)
    footnote(
        drawn,
        f"{table['visitors'][0]} visitors read three pages with ten images of 8,000 B each, every page for"
        " 30 s on average (exponential); round trip 100 ms, no loss, no bottleneck; the browser looks at"
        " idle connections every 5 s; the server's lingering_close() of up to 2 s counts as open. Linux,"
        f" TIME-WAIT 60 s. Seed {table['seed'][0]}.",
    )
    return drawn


def _finding(table: pl.DataFrame) -> str:
    """How much of what persistence saves comes with the shortest timeout, at least."""
    shares, name = [], ""
    for parallel in table["parallel"].unique().to_list():
        rows = table.filter(pl.col("parallel") == parallel)
        off, first, *_ = took = rows["page_s"].to_list()
        shares.append((off - first) / max(1e-9, off - min(took)))
        name = _named(rows["timeout"][1])
    return f"{name} of KeepAliveTimeout buys at least {100 * min(shares):.0f} % of what persistence can save"


def _curve(panel: Axes, rows: pl.DataFrame, colour: str, label: str, above: bool) -> None:
    """One line from KeepAlive Off to the longest timeout; the way from Off is dashed."""
    x, y = rows["open_s_per_page"].to_list(), rows["page_s"].to_list()
    panel.plot(x[:2], y[:2], color=colour, lw=1.2, ls=(0, (4, 2)))
    panel.plot(x[1:], y[1:], color=colour, lw=2, marker="o", ms=4)
    panel.plot(x[:1], y[:1], color=colour, marker="o", ms=5, mfc="white", ls="none")
    label_inside(panel, 1.5 * x[-1], y[-1], label, colour=colour)
    for at, height, name in zip(x, y, rows["timeout"].to_list(), strict=True):
        up = above or name == OFF
        align = "left" if above and at == x[1] else "center"  # beside the dashed line
        label_inside(panel, at, height + (0.09 if up else -0.09), _named(name), colour=QUIET, align=align)


def _named(timeout: str) -> str:
    return timeout if timeout == OFF else f"{timeout.removesuffix('s')} s"
