"""The arrows of a drawn ladder: a segment from the line that sends it to the one that hears it.

Owns: where the two lines stand, how an arrow runs, and what is written on it. Refuses to know: at which
height anything happens (ladder_figure).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import atan2, degrees
from typing import Any, Final, NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from tcpsim.draw.colours import ALARM, INK, PAPER
from tcpsim.draw.figure_style import SMALL, wrapped
from tcpsim.draw.ladder_rows import Flight, Side, Story

LINES: Final[dict[Side, float]] = {"client": 2.85, "server": 6.15}  # where they stand, in inches
_APART: Final = 4.7  # from one to the next, where there are machines between: their words need room too
BAR: Final = 0.07  # the width of one
ROW: Final = 0.19  # the height of a row of words
_LOST: Final = 0.69  # of the way, where a lost segment ends
_LABEL_BOX: Final[dict[str, Any]] = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.6, "alpha": 0.95}


class _Arrow(NamedTuple):
    """A segment on the paper: from which height to which one; `begins` is the share of the way behind it."""

    flight: Flight
    top: float
    bottom: float
    lost: bool
    copy: bool = False
    begins: float = 0.0
    ways: tuple[float, float] = (0.0, 0.0)  # from which lifeline to which one

    @property
    def right(self) -> bool:
        """It goes from left to right."""
        return self.ways[1] > self.ways[0]

    def crosses(self, other: _Arrow) -> bool:
        """Whether the two meet on their way: each departs before the other has arrived."""
        opposite = self.ways == other.ways[::-1]
        return opposite and self.top < other.bottom and other.top < self.bottom


def lines(story: Story) -> dict[Side, float]:
    """Where each lifeline stands."""
    if len(story.sides) == 2:
        return LINES
    return {side: LINES["client"] + number * _APART for number, side in enumerate(story.sides)}


def draw_arrows(panel: Axes, story: Story, heights: Sequence[float]) -> None:
    """Every segment of the story, whose items lie at these heights."""
    arrows = list(_all_arrows(story, heights))
    for arrow in arrows:
        _arrow(panel, arrow, _label(arrow, crossed=any(map(arrow.crosses, arrows))))
        if arrow.lost and arrow.flight.remark:
            middle = sum(arrow.ways) / 2
            y = arrow.bottom + ROW
            panel.text(middle, y, arrow.flight.remark, fontsize=SMALL, color=ALARM, ha="center", va="center")


def _all_arrows(story: Story, heights: Sequence[float]) -> Iterator[_Arrow]:
    """An arrow for each arrival, and for each segment that arrives nowhere; a box sends from half way.

    One that is lost beside another that arrives runs as steeply as that one.
    """
    stand = lines(story)
    ways = [(stand[each.sender], stand[story.hearer(each)]) for each in story.flights]
    arrivals: dict[int, list[float]] = {}
    for item, y in zip(story.items, heights, strict=True):
        if item.kind == "arrive":
            arrivals.setdefault(item.flight, []).append(y)
    latest: dict[tuple[float, float], _Arrow] = {}
    for item, top in zip(story.items, heights, strict=True):
        if item.kind != "send":
            continue
        flight = story.flights[item.flight]
        bottoms = arrivals.pop(item.flight, None)
        for copy, bottom in enumerate(bottoms or ()):
            arrow = _Arrow(flight, top, bottom, False, copy > 0, ways=ways[item.flight])
            latest[arrow.ways] = arrow
            yield arrow
        if bottoms is None:
            beside = latest.get(ways[item.flight])
            drop = beside.bottom - beside.top if beside and beside.bottom > top else 0.8 * ROW
            yield _Arrow(flight, top, top + drop, flight.lost is not None, ways=ways[item.flight])
    for number, bottoms in arrivals.items():
        for copy, bottom in enumerate(bottoms):
            flight, top = story.flights[number], bottom - ROW / 2
            yield _Arrow(flight, top, bottom, False, copy > 0, begins=0.5, ways=ways[number])


def _label(arrow: _Arrow, *, crossed: bool) -> str:
    """The words on an arrow, the short ones where the long ones do not fit."""
    if arrow.copy:
        return ""
    share = 0.5 if crossed or arrow.begins else _LOST if arrow.lost else 1.0
    room = abs(arrow.ways[1] - arrow.ways[0]) * share - 0.3
    return arrow.flight.label if len(wrapped(arrow.flight.label, SMALL, room)) == 1 else arrow.flight.short


def _arrow(panel: Axes, drawn: _Arrow, label: str) -> None:
    lost, right = drawn.lost, drawn.right
    dashed = drawn.copy or drawn.begins > 0  # who sent it, or when, is not in the ladder
    towards = 1 if right else -1
    whole = abs(drawn.ways[1] - drawn.ways[0]) - 2 * BAR
    reach = whole * (1 - drawn.begins)
    start = (drawn.ways[0] + towards * (BAR + whole * drawn.begins), drawn.top)
    slope = (drawn.bottom - drawn.top) / reach
    share = _LOST if lost else 1.0
    end = (start[0] + towards * reach * share, start[1] + slope * reach * share)
    colour = ALARM if lost else INK
    arrow = FancyArrowPatch(
        start, end, arrowstyle="-" if lost else "-|>", mutation_scale=9, shrinkA=0, shrinkB=0
    )
    arrow.set(color=colour, linewidth=1.0, linestyle=(0, (3, 2)) if dashed else "solid", zorder=3)
    panel.add_patch(arrow)
    if lost:
        panel.plot([end[0]], [end[1]], marker="x", markersize=6, markeredgewidth=1.8, color=ALARM, zorder=4)
        align = "left" if right else "right"
        x = end[0] + towards * 0.12
        word = panel.text(x, end[1], "lost", fontsize=SMALL, color=ALARM, ha=align, va="center", zorder=5)
        word.set_bbox(_LABEL_BOX)
    # the arrows of a burst lie too close for labels along them once they are steep
    along = slope < 0.5
    words = panel.text(
        start[0] + towards * 0.14,
        start[1] + (slope * 0.14 - 0.02 if along else 0.0),
        label,
        fontsize=SMALL,
        color=colour,
        ha="left" if right else "right",
        va="bottom" if along else "center",
        rotation=-towards * degrees(atan2(slope, 1)) if along else 0,
        rotation_mode="anchor",
        zorder=5,
    )
    words.set_bbox(_LABEL_BOX)
