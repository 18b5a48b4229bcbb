"""Curves over a loss rate or over time: bands, steps, stacked areas, labels at the line instead of a legend.

Owns: how a series is drawn and labelled, and how axes are labelled (10 min, 2 h, 24 MiB, 0.5 %). Refuses to
know: where the numbers come from (measure), and which question they answer (experiments).

A figure of an experiment is: `sheet` for the paper, one of `band`, `steps`, `areas` per series, the axis
functions, `label_ends` last, `save`. Times are microseconds, as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from tcpsim.draw.alt_text import Described
from tcpsim.draw.colours import INK, readable, series_colour, state_colour
from tcpsim.draw.figure_style import footnote, hide, panel_title, save, sheet, wrapped

__all__ = [
    "Axes",  # so that an experiment can name what it draws on: only this room imports matplotlib
    "Figure",
    "areas",
    "band",
    "bytes_axis",
    "count_axis",
    "footnote",
    "hide",
    "label_ends",
    "label_inside",
    "panel_title",
    "percent_axis",
    "save",
    "sheet",
    "state_colour",
    "steps",
    "time_axis",
    "wrapped",
]

Numbers = Sequence[float] | npt.NDArray[np.float64] | npt.NDArray[np.int64]

_LABEL_LINE: Final = 0.17  # inches that a line of a label takes
_SECOND: Final = 1_000_000
_UNITS: Final = (("week", 604_800), ("day", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_STEPS: Final = {
    "week": (1, 2, 4, 8),
    "day": (1, 2, 7),
    "h": (1, 2, 3, 6, 12),
    "min": (1, 2, 5, 10, 20, 30),
    "s": (1, 2, 5, 10, 20, 30),
}


def band(
    panel: Axes,
    x: Numbers,
    y: Numbers,
    *,
    label: str,
    colour: str | None = None,
    low: Numbers | None = None,
    high: Numbers | None = None,
    dashed: bool = False,
    markers: bool = True,
) -> None:
    """A curve with its confidence band; `low` and `high` are the interval's ends, not distances."""
    colour = colour or series_colour(len(panel.get_lines()))
    if low is not None and high is not None:
        panel.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0, zorder=2)
    panel.plot(
        x,
        y,
        color=colour,
        linewidth=1.7,
        linestyle=(0, (4, 2)) if dashed else "solid",
        marker="o" if markers else None,
        markersize=3.2,
        zorder=3,
        label=label,
    )


def steps(
    panel: Axes, t_us: Numbers, y: Numbers, *, label: str, colour: str | None = None, dashed: bool = False
) -> None:
    """A count that holds its value until it changes (a census)."""
    panel.step(
        t_us,
        y,
        where="post",
        color=colour or series_colour(len(panel.get_lines())),
        linewidth=1.6,
        linestyle=(0, (4, 2)) if dashed else "solid",
        zorder=3,
        label=label,
    )


def areas(
    panel: Axes, t_us: Numbers, series: Mapping[str, Numbers], colours: Mapping[str, str] | None = None
) -> None:
    """Counts stacked on each other, the first at the bottom. A key naming a state gets the state's colour.

    `label_ends` names each band at the middle of its right end; one too thin to see gets no name.
    """
    base = np.zeros(len(t_us))
    total = sum((np.asarray(values, dtype=float) for values in series.values()), base)
    seen = 0.01 * float(np.max(total, initial=0.0))
    for index, (name, values) in enumerate(series.items()):
        top = base + np.asarray(values, dtype=float)
        colour = _area_colour(name, index, colours)
        panel.fill_between(t_us, base, top, step="post", color=colour, linewidth=0, zorder=2)
        named = name if np.any(top - base > seen) else "_thin"
        panel.plot(
            t_us, (base + top) / 2, linestyle="none", color=colour, label=named
        )  # where the label goes
        base = top


def _area_colour(name: str, index: int, colours: Mapping[str, str] | None) -> str:
    if colours and name in colours:
        return colours[name]
    try:
        return state_colour(name.split()[0])
    except ValueError:
        return series_colour(index)


def label_ends(panel: Axes) -> None:
    """Write each line's label at its right end, in its colour, moved apart where they would touch.

    Set limits and scales first.
    """
    ends = []
    for line in panel.get_lines():
        name = str(line.get_label())
        y = np.asarray(line.get_ydata(), dtype=float)
        shown = np.flatnonzero(np.isfinite(y))
        if name.startswith("_") or not len(shown):
            continue
        point = (float(np.asarray(line.get_xdata(), dtype=float)[shown[-1]]), float(y[shown[-1]]))
        height = float(panel.transAxes.inverted().transform(panel.transData.transform(point))[1])
        ends.append((min(max(height, 0.0), 1.0), name, str(line.get_color())))
    ends.sort()
    gap = _LABEL_LINE / _inches_high(panel)
    places = _apart([(height, gap * (1 + name.count("\n"))) for height, name, _ in ends])
    for height, (_, name, colour) in zip(places, ends, strict=True):
        panel.annotate(
            name, (1.0, height), xycoords="axes fraction", xytext=(5, 0), textcoords="offset points",
            va="center", ha="left", color=readable(colour), fontsize=9, annotation_clip=False,
        )  # fmt: skip


def _inches_high(panel: Axes) -> float:
    """About how high a panel will be: its layout is not known before everything is in it."""
    spec = panel.get_subplotspec()
    rows = spec.get_gridspec().nrows if spec else 1
    figure = panel.figure
    head = figure.head if isinstance(figure, Described) else 0.0
    height = float(figure.bbox.height / figure.dpi) - head
    return max(0.5, (height - 0.65) / rows - 0.85)


def label_inside(
    panel: Axes, x: float, y: float, text: str, *, colour: str = INK, align: str = "left"
) -> None:
    """A word at a point of the data, for what a line's end cannot say."""
    panel.annotate(text, (x, y), ha=align, va="center", color=colour, fontsize=9)


def _apart(wanted: list[tuple[float, float]]) -> list[float]:
    """Sorted middles of labels, each with its height, moved as little as keeps them from touching.

    Touching ones form a block round their mean.

    >>> [round(middle, 3) for middle in _apart([(0.1, 0.1), (0.5, 0.1), (0.5, 0.1)])]
    [0.1, 0.45, 0.55]
    """
    blocks: list[list[tuple[float, float]]] = []
    for label in wanted:
        blocks.append([label])
        while len(blocks) > 1 and _foot(blocks[-1]) < _foot(blocks[-2]) + _high(blocks[-2]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    placed = []
    for block in blocks:
        foot = _foot(block)
        for _, height in block:
            placed.append(foot + height / 2)
            foot += height
    return placed


def _high(block: list[tuple[float, float]]) -> float:
    return sum(height for _, height in block)


def _foot(block: list[tuple[float, float]]) -> float:
    """Where a block begins: round the mean of what its labels want, within the panel."""
    wanted = sum(middle for middle, _ in block) / len(block) - _high(block) / 2
    return max(0.0, min(1.0 - _high(block), wanted))


def time_axis(panel: Axes, span_us: int, label: str = "time") -> None:
    """An x axis in microseconds that speaks seconds, minutes, hours, days or weeks, ticks at round ones."""
    unit, size, step = _tick_step(span_us)
    ticks = list(range(0, span_us + 1, step))
    panel.set_xlim(0, span_us)
    panel.xaxis.set_major_locator(FixedLocator(ticks))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at / (size * _SECOND):g}"))
    panel.set_xlabel(f"{label} ({unit + 's' if unit in ('day', 'week') else unit})")


def _tick_step(span_us: int) -> tuple[str, int, int]:
    """The coarsest unit that still gives at least four ticks, and the finest round step with at most nine."""
    for unit, size in _UNITS:
        for step in _STEPS[unit]:
            ticks = span_us // (step * size * _SECOND)
            if ticks < 4:
                break
            if ticks <= 9:
                return unit, size, step * size * _SECOND
    return "s", 1, max(1, span_us // 6)


def percent_axis(panel: Axes, axis: str = "x", label: str | None = None) -> None:
    """An axis of fractions, shown in percent."""
    chosen = panel.xaxis if axis == "x" else panel.yaxis
    chosen.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.6g} %"))
    if label:
        chosen.set_label_text(label)


def count_axis(panel: Axes, label: str | None = None, *, zero: bool = True) -> None:
    """A y axis of whole things: 10,000 rather than 1e4."""
    panel.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
    if panel.get_yscale() == "linear":
        panel.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        if zero:
            panel.set_ylim(bottom=0)
    if label:
        panel.set_ylabel(label)


def bytes_axis(panel: Axes, label: str | None = None) -> None:
    """A y axis of bytes in binary units, with ticks at round numbers of the unit."""
    top = panel.get_ylim()[1]
    power = next((power for power in (3, 2, 1) if top >= 1024**power), 0)
    unit = ("B", "KiB", "MiB", "GiB")[power]
    panel.set_ylim(bottom=0)
    ticks = MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]).tick_values(0, top / 1024**power)
    panel.yaxis.set_major_locator(
        FixedLocator([tick * 1024**power for tick in ticks if tick * 1024**power <= top * 1.001])
    )
    panel.yaxis.set_major_formatter(FuncFormatter(lambda held, _: f"{held / 1024**power:,g} {unit}"))
    if label:
        panel.set_ylabel(label)
