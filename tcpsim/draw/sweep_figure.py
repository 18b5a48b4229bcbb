"""The picture of a sweep: one quantity along an axis, with a line for each value of another axis, in panels.

Owns: which rows belong to which line, and the axes of the picture. Refuses to know: how the rows are computed
(measure).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tcpsim.draw.curves import band, count_axis, footnote, label_ends, panel_title, percent_axis, sheet
from tcpsim.errors import InputError
from tcpsim.measure.results import Table

Row = dict[str, Any]
_HIGH: Final = 3.3  # inches, of a panel


def curves_of(
    table: Table,
    axes: Sequence[str],
    scenario: str,
    x: str | None,
    y: str | None,
    by: str | None,
    panels: str | None,
    *,
    log: str,
    title: str,
) -> Figure:
    """Draw the picture. `tcpsim.api.sweep.Sweep.plot` describes the arguments."""
    rows = [row for row in table.rows() if not row["error"]]
    along, quantity, lines, fields = _chosen(rows, axes, x, y, by, panels)
    rows = [row for row in rows if row["quantity"] == quantity]
    if set(log) - {"x", "y"}:
        raise InputError("log", repr(log), "x, y or xy")
    values = list(dict.fromkeys(row[fields] for row in rows)) if fields else [None]
    columns = min(2, len(values))
    probability = rows[0]["unit"] == "probability"
    fixed = [f"{name} {_said(name, rows[0])}" for name in axes if name not in (along, lines, fields)]
    figure, drawn = sheet(
        title or _finding(rows, quantity, along, lines, fields),
        "; ".join([scenario, *fixed]),
        rows=-(-len(values) // columns),
        columns=columns,
        height=_HIGH * -(-len(values) // columns) + 0.3,
        share_y=True,
    )
    for panel, value in zip(drawn, values, strict=False):
        mine = rows if fields is None else [row for row in rows if row[fields] == value]
        _panel(panel, mine, along, lines)
        if fields is not None:
            panel_title(panel, f"{fields} {value}")
        _finish(panel, mine, along, log, probability)
    for panel in drawn[len(values) :]:
        panel.set_axis_off()
    methods = sorted({str(row["method"]) for row in rows})
    how = {"exact": "exact, without sampling", "simulate": "simulated, 95 % intervals"}
    notes = [how.get(method, method) for method in methods]
    footnote(figure, "; ".join([*notes, f"seed {rows[0]['seed']}", f"tcpsim {rows[0]['version']}"]))
    return figure


def _chosen(
    rows: Sequence[Row], axes: Sequence[str], x: str | None, y: str | None, by: str | None, panels: str | None
) -> tuple[str, str, str | None, str | None]:
    """What goes along the axis, which quantity, what the lines are, and what the panels."""
    if not rows:
        raise InputError(
            "plot", "no rows without an error", "results with at least one point without an error"
        )
    timed = [*axes, *(["t_s"] if "t_s" in rows[0] else [])]
    known = list(dict.fromkeys(row["quantity"] for row in rows))
    quantity = y or ("permanent" if "permanent" in known else known[0])
    if quantity not in known:
        raise InputError("y", repr(quantity), ", ".join(known))
    for option, name in (("x", x), ("by", by), ("panels", panels)):
        if name is not None and name not in timed:
            raise InputError(option, repr(name), ", ".join(timed))
    counts = {name: len({row[name] for row in rows}) for name in timed}
    along = x or ("t_s" if "t_s" in counts else _longest(rows, timed, {by, panels}))
    rest = [name for name in timed if name not in (along, by, panels) and counts[name] > 1]
    lines = by or (rest.pop(0) if rest else None)
    fields = panels or (rest.pop(0) if rest else None)
    if rest:
        found = f"{rest[0]} has {counts[rest[0]]} values but is not shown"
        raise InputError("plot", found, "x, by and panels for every axis with several values")
    return along, quantity, lines, fields


def _longest(rows: Sequence[Row], axes: Sequence[str], taken: set[str | None]) -> str:
    """The axis of numbers with most values."""
    free = [name for name in axes if name not in taken]
    numbers = [name for name in free if all(isinstance(row[name], int | float) for row in rows)]
    return max(numbers or free, key=lambda name: len({row[name] for row in rows}))


def _said(name: str, row: Row) -> str:
    value = row[name]
    return f"{100 * value:g} %" if name.startswith("loss") and isinstance(value, float) else str(value)


def _finding(rows: Sequence[Row], quantity: str, along: str, lines: str | None, fields: str | None) -> str:
    """What the lines come to at the end of the axis, from the least to the most; or what is drawn."""
    what = f"{quantity}, {_what(rows[0]['unit'])}"
    if lines is None or fields is not None or not all(isinstance(row[along], int | float) for row in rows):
        return what
    last = max(row[along] for row in rows)
    ends = sorted((row["value"], _said(lines, row)) for row in rows if row[along] == last)
    if len(ends) < 2 or ends[0][0] == ends[-1][0]:
        return what
    told = " to ".join(f"{_number(value, rows[0]['unit'])} ({name})" for value, name in (ends[0], ends[-1]))
    return f"{what}: {told} at {along.replace('_', ' ')} {_said(along, {along: last})}"


def _number(value: float, unit: str) -> str:
    return f"{100 * value:.3g} %" if unit == "probability" else f"{value:,.4g}"


def _what(unit: str) -> str:
    return "share of connections" if unit == "probability" else f"expected {unit}"


def _panel(panel: Axes, rows: Sequence[Row], along: str, lines: str | None) -> None:
    """A line for each value of `lines`; words along the axis stand at equal distances."""
    words = not all(isinstance(row[along], int | float) for row in rows)
    places = {word: at for at, word in enumerate(dict.fromkeys(row[along] for row in rows))}
    drawn: set[tuple[float, ...]] = set()
    for value in dict.fromkeys(row[lines] if lines else None for row in rows):
        mine = [row for row in rows if lines is None or row[lines] == value]
        at = [places[row[along]] if words else row[along] for row in mine]
        order = np.argsort(at, kind="stable")
        pick = [mine[place] for place in order]
        bounds = all(row["low"] is not None for row in pick)
        heights = tuple(row["value"] for row in pick)
        band(
            panel,
            [at[place] for place in order],
            heights,
            label=_legend(lines, value),
            low=[row["low"] for row in pick] if bounds else None,
            high=[row["high"] for row in pick] if bounds else None,
            dashed=heights in drawn,  # or it would hide the line below
            markers=len(pick) <= 25,
        )
        drawn.add(heights)
    if words:
        panel.set_xticks(list(places.values()), [str(word) for word in places])


def _legend(lines: str | None, value: Any) -> str:
    if lines is None:
        return "_one"
    if lines.startswith("loss") and isinstance(value, float):
        return f"{100 * value:g} % loss"
    return str(value)


def _finish(panel: Axes, rows: Sequence[Row], along: str, log: str, probability: bool) -> None:
    if "x" in log:
        panel.set_xscale("log")
    if "y" in log:
        panel.set_yscale("log")
    if probability:
        percent_axis(panel, "y", "share of connections")
    else:
        count_axis(panel, "sockets")
    if along.startswith("loss") and "x" not in log:
        percent_axis(panel, "x", f"{along.replace('_', ' ')}, each way" if along == "loss" else along)
    else:
        panel.set_xlabel("time (s)" if along == "t_s" else along.replace("_", " "))
    if "y" not in log:
        panel.set_ylim(bottom=0)
    label_ends(panel)
