"""Which small fault uses up a host within thirty days?

Ten connections a second, whose server answers and closes. A host of clients runs out of descriptors because a
program forgets to close a few of its sockets, or because the server gives its FIN up early and leaves the
client half-open; a server runs out of memory because its FIN-WAIT-2 has no end. No run is simulated:
expectations, bands and times to a limit are exact (docs/explore.md), however rare a leak is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from tcpsim.catalogue import build, scenario
from tcpsim.draw.colours import QUIET, series_colour
from tcpsim.draw.curves import band, count_axis, footnote, label_ends, panel_title, percent_axis, sheet
from tcpsim.draw.figure_style import Axes, Figure
from tcpsim.draw.time_format import length
from tcpsim.explore.chain import explore
from tcpsim.explore.curves import Look, Occupancy, occupancy
from tcpsim.explore.growth import Stream, descriptors, growth, time_to
from tcpsim.pair import Pair
from tcpsim.tcp.state import State

STEM = "growth_in_thirty_days"
DAY_US = 86_400_000_000
MONTH_US = 30 * DAY_US
PER_SECOND = 10.0
LOSS = 0.1  # in the two panels over time
MOST_LOSS = 0.3
LIMITS = (1_024, 65_536)
CONFIDENCE = 0.99
SHARES = {"early": (1 - CONFIDENCE) / 2, "median": 0.5, "late": (1 + CONFIDENCE) / 2}

FOR_EVER = "1 in 100 forgets, no limit"

# what is done to a connection in which both sides close; losses begin when its close does
CASES: dict[str, dict[str, Any]] = {
    "1 in 100 forgets": {"client": "sometimes-forgets", "parameters": {"client.never": 0.01}},
    "1 in 1,000 forgets": {"client": "sometimes-forgets", "parameters": {"client.never": 0.001}},
    "early give-up": {"knobs": {"server.tcp_orphan_retries": 1}},
    "all close": {},
    FOR_EVER: {
        "client": "sometimes-forgets",
        "parameters": {"client.never": 0.01},
        "stack_server": "rfc9293",
    },
}
CLIENT_SIDE = tuple(case for case in CASES if case != FOR_EVER)
SERVER_SIDE = {"1 in 100 forgets": "Linux", FOR_EVER: "RFC 9293"}


class Point(NamedTuple):
    """One case: at so many times, and at so many loss rates from 0 to 30 %."""

    case: str
    times: int
    rates: int


def points(full: bool) -> list[Point]:
    """Every case; in full on a finer grid."""
    times, rates = (181, 61) if full else (61, 31)
    return [Point(case, times, rates) for case in CASES]


def _pair(case: str) -> Pair:
    changes = {"client": "closes-on-eof", **CASES[case]}
    parameters = {"server.delay": "1s", **changes.pop("parameters", {})}
    return build(scenario("normal-close"), loss=LOSS, loss_from="500ms", parameters=parameters, **changes)


def answer(point: Point) -> list[dict[str, Any]]:
    """Both hosts over time at one loss rate, and the time to each limit at all of them."""
    chain = explore(_pair(point.case))
    rows = _over_time(point, occupancy(chain, [LOSS], MONTH_US))
    if point.case in CLIENT_SIDE:
        losses = np.linspace(0.0, MOST_LOSS, point.rates).tolist()
        rows += _until(point, occupancy(chain, losses, MONTH_US), losses)
    return rows


def _over_time(point: Point, seen: Occupancy) -> list[dict[str, Any]]:
    at_us = np.geomspace(60_000_000, MONTH_US, point.times).astype(np.int64)
    rows = []
    for what, value in (("client descriptors", descriptors("client")), ("server sockets", _connections)):
        found = growth(seen, Stream(PER_SECOND), value, at_us, CONFIDENCE)
        columns = {
            "t_s": (at_us / 1e6).tolist(),
            "mean": found.mean[:, 0].tolist(),
            "low": found.low[:, 0].tolist(),
            "high": found.high[:, 0].tolist(),
        }
        named = {"case": point.case, "what": what, "loss": LOSS}
        rows += [named | dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return rows


def _connections(look: Look) -> int:
    return sum(held.state is not State.CLOSED for held in look.server)


def _until(point: Point, seen: Occupancy, losses: list[float]) -> list[dict[str, Any]]:
    """When that many descriptors are held for ever: the quantiles of an exact law."""
    leaks = descriptors("client", for_ever=True)
    rows = []
    for limit in LIMITS:
        times = {
            name: time_to(seen, Stream(PER_SECOND), leaks, limit, share) for name, share in SHARES.items()
        }
        for place, loss in enumerate(losses):
            row = {f"{name}_s": _seconds(us[place]) for name, us in times.items()}
            rows.append({"case": point.case, "what": f"until {limit}", "loss": loss} | row)
    return rows


def _seconds(us: int | None) -> float | None:
    return None if us is None else us / 1e6


def figure(table: pl.DataFrame) -> Figure:
    """Descriptors of the clients' host, sockets of the server, and the time to a limit against loss."""
    drawn, panels = sheet(
        _finding(table),
        "A program that forgets to close needs the same time whatever the loss. Loss alone leaks nothing that"
        " counts, unless the server gives its FIN up early. A server without a limit on FIN-WAIT-2 keeps what"
        " its clients forget.",
        rows=3,
        height=9.0,
    )
    growing = table.filter(pl.col("t_s").is_not_null())
    clients = growing.filter(pl.col("what") == "client descriptors", pl.col("case").is_in(CLIENT_SIDE))
    servers = growing.filter(pl.col("what") == "server sockets", pl.col("case").is_in(list(SERVER_SIDE)))
    _growth(panels[0], clients, {case: case for case in CLIENT_SIDE}, "descriptors")
    _growth(panels[1], servers, SERVER_SIDE, "sockets")
    _exhaustion(panels[2], table.filter(pl.col("t_s").is_null()))
    panel_title(panels[0], f"descriptors held on the clients' host, {100 * LOSS:g} % loss")
    panel_title(panels[1], f"sockets held on the server, 1 client in 100 forgets, {100 * LOSS:g} % loss")
    panel_title(panels[2], "time until so many descriptors are held for ever")
    limit = LIMITS[-1]
    panels[0].axhline(limit, color=QUIET, lw=1, ls=(0, (4, 2)))
    panels[0].text(0.2 * DAY_US, 1.06 * limit, f"{limit:,}", va="bottom", color=QUIET, fontsize=9)
    footnote(
        drawn,
        f"{PER_SECOND:g} connections per second, Poisson; 10 ms each way, both sides Linux 6.18 unless said;"
        f" packets are lost from the close on. Exact: lines are expectations (below: medians), bands hold"
        f" {100 * CONFIDENCE:g} % of what chance does. Early give-up: the server has tcp_orphan_retries = 1.",
    )
    return drawn


def _finding(table: pl.DataFrame) -> str:
    """How long the fault that leaks most needs for the larger limit it meets."""
    shares = {"1 in 1,000 forgets": "one socket in 1,000", "1 in 100 forgets": "one socket in 100"}
    for limit in sorted(LIMITS, reverse=True):
        for case, share in shares.items():
            rows = table.filter(pl.col("case") == case, pl.col("what") == f"until {limit}")
            near = rows.sort((pl.col("loss") - LOSS).abs())["median_s"]
            if len(near) and near[0] is not None:
                after = length(round(near[0] * 1e6))
                return f"Forgetting {share} uses up {limit:,} descriptors in {after}"
    return "No fault uses up a host within thirty days"


_TIMES = {"1 h": 3_600, "6 h": 21_600, "1 day": 86_400, "7 days": 604_800, "30 days": 2_592_000}


def _growth(panel: Axes, rows: pl.DataFrame, names: dict[str, str], what: str) -> None:
    top = 1.06 * float(rows["high"].to_numpy().max())
    panel.set_ylim(-0.02 * top, top)
    panel.set_xlim(0, MONTH_US)
    for index, (case, name) in enumerate(names.items()):
        line = rows.filter(pl.col("case") == case).sort("t_s")
        band(
            panel,
            line["t_s"].to_numpy() * 1e6,
            line["mean"].to_numpy(),
            label=f"{name}: {line['mean'][-1]:,.0f}",
            colour=series_colour(index if name == case else 5 - index),
            low=line["low"].to_numpy(),
            high=line["high"].to_numpy(),
            markers=False,
        )
    count_axis(panel, what, zero=False)
    panel.set_xticks([days * DAY_US for days in range(0, 31, 5)], [str(days) for days in range(0, 31, 5)])
    panel.set_xlabel("time (days)")
    label_ends(panel)


def _exhaustion(panel: Axes, rows: pl.DataFrame) -> None:
    panel.set_yscale("log")
    panel.set_ylim(3_600, 2 * MONTH_US / 1e6)
    panel.set_xlim(0, MOST_LOSS)
    for index, case in enumerate(CLIENT_SIDE):
        for limit in LIMITS:
            line = rows.filter(pl.col("case") == case, pl.col("what") == f"until {limit}").sort("loss")
            line = line.filter(pl.col("median_s").is_not_null())
            if not len(line):
                continue
            early, median, late = (
                line[part].fill_null(MONTH_US / 1e6).to_numpy() for part in ("early_s", "median_s", "late_s")
            )
            label = f"{case}: {limit:,}"
            band(
                panel, line["loss"].to_numpy(), median, label=label, colour=series_colour(index), low=early,
                high=late, dashed=limit == LIMITS[1], markers=False,
            )  # fmt: skip
    panel.set_yticks(list(_TIMES.values()), list(_TIMES))
    panel.minorticks_off()
    panel.set_ylabel("time (logarithmic)")
    percent_axis(panel, "x", "loss of packets, each way")
    label_ends(panel)
