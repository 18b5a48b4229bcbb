"""Do 4,500 real connections do what the exact model says?

A Linux 6.18 under known loss: sockets counted by state each second, and how many stay half-open for ever
because the server's orphan gave up before its FIN was heard. Nothing is fitted: the model has the kernel's
settings and its timer wheel, and follows every loss of all lives but the least likely (they lose nothing more
once there is no room for further states; how many they are is told). Curves and bands come without sampling.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from tcpsim.conformance.populations import Kind, Run, connection, read
from tcpsim.conformance.populations.expected import Expected, nodes
from tcpsim.conformance.populations.replay import Lives, lives_at
from tcpsim.conformance.populations.verdict import series
from tcpsim.draw.colours import INK, readable
from tcpsim.draw.curves import (
    Axes,
    Figure,
    count_axis,
    footnote,
    label_ends,
    label_inside,
    panel_title,
    percent_axis,
    sheet,
    state_colour,
    time_axis,
)
from tcpsim.explore.count_distribution import Law, independent

STEM = "kernel_on_the_exact_curve"
FOLDER = Path(__file__).parent.parent / "tests" / "data" / "population"

COUNTED = "plain_p30_or1"  # the run with the most losses: shown second by second
SHOWN = {
    "client": (("A", "CW", "CLOSE-WAIT"), ("A", "EST", "ESTABLISHED")),
    "server": (("B", "FW2/ms", "FIN-WAIT-2"), ("B", "FW1/o", "FIN-WAIT-1")),
    "TIME-WAIT": (("B", "TW/ms", "TIME-WAIT"),),
}
# how a setting is called in the figure: the run that has it
SETTINGS = {
    "textbook, 1 retry": "plain_p30_or1",
    "textbook, 2 retries": "plain_p20_or2",
    "Linux, 2 retries": "nomet_p20_or2",
}
LOSSES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35)
STATES, MORE_STATES = 17_000, 30_000  # of a textbook TCP; of Linux with all it has
MORE_LOSS = 0.25  # of which no more than this can be followed well enough
PHASES, FEWER_PHASES = 4, 2  # of the timer wheel: of a textbook TCP; of Linux, which has more states
NAMED_AT = {  # what is over at the right end: seconds, and how high beside its highest expectation
    "FIN-WAIT-2": (124, 0.97),
    "FIN-WAIT-1": (66, 1.8),
    "TIME-WAIT": (111, 0.97),
}
_BAND = 0.99
SETTING_COLOURS = (INK, "#7a5200", "#00795c")  # of no state in the other panels
_FLOOR = 0.5  # of a logarithmic axis: less than one connection


class Point(NamedTuple):
    """The share of a run's connections that stays half-open at each of some losses; of one run all else."""

    run: str
    losses: tuple[float, ...]
    states: int
    every: int  # of so many seconds one is drawn
    phases: int  # of the timer wheel at which a connection may begin


def points(full: bool) -> list[Point]:
    """Every setting at every loss; the run that is shown over time comes first."""
    times, every, phases = (2, 1, 2) if full else (1, 3, 1)
    less = tuple(loss for loss in LOSSES if loss <= MORE_LOSS)
    return [
        Point(run, LOSSES, times * STATES, every, phases * PHASES)
        if name.startswith("textbook")
        else Point(run, less, times * MORE_STATES, every, phases * FEWER_PHASES)
        for name, run in SETTINGS.items()
    ]


def answer(point: Point) -> list[dict[str, Any]]:
    """Rows of what was counted, and of what the model expects."""
    path = FOLDER / f"{point.run}.json"
    run = read(path.read_bytes(), path.name).every(point.every)
    closers = _lives(run, "closer", point, point.losses)
    rows = _half_open(run, point, closers)
    return _over_time(run, point, closers) + rows if point.run == COUNTED else rows


def _lives(run: Run, kind: Kind, point: Point, losses: Sequence[float]) -> list[tuple[Lives, ...]]:
    """For each loss the lives of the connections of a kind at every phase. All losses share their states."""
    found = [
        lives_at(
            connection(run, kind, node.phase_us, alone=True),
            losses,
            round(run.config.t_end * 1_000_000) + node.phase_us,
            point.states if kind == "closer" else point.states // 4,  # a tenth never close
        )
        for node in nodes(run, point.phases)
    ]
    return list(zip(*found, strict=True))


def _over_time(run: Run, point: Point, closers: Sequence[tuple[Lives, ...]]) -> list[dict[str, Any]]:
    p = run.config.p
    lives: dict[Kind, tuple[Lives, ...]] = {
        "closer": closers[point.losses.index(p)],
        "never-closer": _lives(run, "never-closer", point, [p])[0],
    }
    model = Expected(run, tuple(nodes(run, point.phases)), lives, point.phases)
    rows = []
    for panel, shown in SHOWN.items():
        for host, column, state in shown:
            found = series(model, host, column)
            each = zip(model.run.times_us, found.counts, found.expected, found.low, found.high, strict=True)
            rows += [_row(panel, state, at_us / 1e6, *numbers, model.cut_short) for at_us, *numbers in each]
    return rows


def _half_open(run: Run, point: Point, closers: Sequence[tuple[Lives, ...]]) -> list[dict[str, Any]]:
    """The client in ESTABLISHED, nobody at the other end. Counted only at the loss that the kernel had.

    What was not followed through every loss may end so or not: it widens the band.
    """
    counted = sum(number for name, number in run.outcomes if name.startswith("EST,") and "| GONE" in name)
    name = next(name for name, of in SETTINGS.items() if of == point.run)
    rows = []
    for loss, found in zip(point.losses, closers, strict=True):
        likely, known = zip(*map(_left, found), strict=True)
        cut = float(np.mean([each.cut_short for each in found]))
        n = run.config.n
        low, _ = _law(n, float(np.mean(known))).between(_BAND)
        _, high = _law(n, float(np.mean(known)) + cut).between(_BAND)
        real = counted if run.config.p == loss else None
        rows.append(_row("half-open", name, loss, real, n * float(np.mean(likely)), low, high, n * cut))
    return rows


def _left(found: Lives) -> tuple[float, float]:
    """How likely one is left, and how likely among those that were followed through every loss."""
    left = {look: share for look, share in found.ended.items() if (look.client, look.server) == LEFT}
    return sum(left.values()), sum(share for look, share in left.items() if not look.story.cut_short)


def _law(n: int, share: float) -> Law:
    return independent(np.array([n]), np.array([1]), np.array([[min(share, 1.0)]]))


LEFT = ("EST", "GONE")


def _row(panel: str, what: str, x: float, *numbers: float | None) -> dict[str, Any]:
    names = ("kernel", "expected", "low", "high", "cut_short")
    return {"panel": panel, "what": what, "x": x, **dict(zip(names, numbers, strict=True))}


def figure(table: pl.DataFrame) -> Figure:
    """Three panels over time, and the leaks against loss."""
    drawn, panels = sheet(
        _finding(table),
        "Dots: counted on Linux 6.18, each in the colour of its curve. Lines and bands: what tcpsim computes"
        " for the same settings, 99 % at each moment; nothing is fitted and nothing is sampled. No program"
        " causes the half-open connections: their server gave up before its FIN was heard.",
        rows=2,
        columns=2,
        height=7.0,
    )
    titles = {"client": "the client's host", "server": "the server's host", "TIME-WAIT": "the server's host"}
    for panel, name in zip(panels, titles, strict=False):
        panel_title(panel, titles[name], "30 % of all packets are lost")
        for _, _, state in SHOWN[name]:
            rows = table.filter((pl.col("panel") == name) & (pl.col("what") == state)).sort("x")
            colour = state_colour(state)
            over = state in NAMED_AT
            _drawn(panel, rows, rows["x"].to_numpy() * 1e6, "_over" if over else state, colour)
            if over:
                at_s, share = NAMED_AT[state]
                highest = float(np.max(rows["expected"].to_numpy()))
                label_inside(panel, at_s * 1e6, share * highest, state, colour=readable(colour))
        time_axis(panel, 300_000_000)
        count_axis(panel, "sockets")
        label_ends(panel)
    _leaks(panels[3], table.filter(pl.col("panel") == "half-open"))
    footnote(
        drawn,
        "45 connections a second for 100 s, 10 ms each way; request 100 B, response 1000 B; the server closes"
        " at once, 1 client in 10 never does. Textbook: no SACK, timestamps, RACK or tail-loss probe, quick"
        " ACKs. Retries: tcp_orphan_retries; over time it is 1. Each large dot is a run of its own. "
        + _followed(table),
    )
    return drawn


def _finding(table: pl.DataFrame) -> str:
    """How many of the counts lie in their band."""
    counted = table.filter(pl.col("kernel").is_not_null())
    held = counted.filter((pl.col("low") <= pl.col("kernel")) & (pl.col("kernel") <= pl.col("high")))
    share = 100 * held.height / counted.height
    said = "every count" if held.height == counted.height else f"{share:.1f} % of the counts"
    return f"4,500 connections of a real Linux kernel: {said} lies in the exact 99 % band"


def _followed(table: pl.DataFrame) -> str:
    """How many connections the model did not follow through every loss."""
    leaks = pl.col("panel") == "half-open"
    late, most = (float(np.max(table.filter(each)["cut_short"].to_numpy())) for each in (~leaks, leaks))
    return (
        f"Of 4,500 connections the model does not follow {late:.2g} through every loss over time, and at most"
        f" {most:.2g} against loss: the band allows for them."
    )


def _drawn(panel: Axes, rows: pl.DataFrame, x: Any, name: str, colour: str, floor: float = 0.0) -> None:
    """The band, the expectation, and the kernel's counts on top."""
    low = np.maximum(rows["low"].to_numpy(), floor)
    panel.fill_between(x, low, rows["high"], color=colour, alpha=0.2, linewidth=0, zorder=2)
    panel.plot(x, rows["expected"], color=colour, linewidth=1.0, zorder=3, label=name)
    panel.plot(
        x, rows["kernel"].cast(pl.Float64), linestyle="none", marker="o", markersize=3.0,
        markerfacecolor=colour, markeredgecolor=INK, markeredgewidth=0.5, zorder=4, label="_kernel",
    )  # fmt: skip


def _leaks(panel: Axes, table: pl.DataFrame) -> None:
    panel_title(panel, "left half-open for ever, of 4,500", "large dots: counted, with their number")
    for index, name in enumerate(SETTINGS):
        rows = table.filter(pl.col("what") == name).sort("x")
        colour = SETTING_COLOURS[index]
        _drawn(panel, rows, rows["x"].to_numpy(), name.replace(", ", ",\n"), colour, _FLOOR)
        for row in rows.filter(pl.col("kernel").is_not_null()).to_dicts():
            panel.plot(
                row["x"], row["kernel"], marker="o", markersize=8, color=colour,
                markeredgecolor=INK, zorder=5, label="_kernel",
            )  # fmt: skip
            label_inside(panel, row["x"] + 0.006, row["kernel"] * 0.62, f"{row['kernel']}")
    panel.set_yscale("log")
    panel.set_ylim(_FLOOR, 2_000)
    panel.set_xlim(0, 0.355)
    count_axis(panel, "connections (logarithmic)")
    percent_axis(panel, "x", "loss of packets, each way")
    label_ends(panel)
