"""A story as a picture: lifelines in the colours of their states, slanting arrows, silence cut out and said.

Owns: where things lie on the paper. Refuses to know: how the story was told (event_text), files
(figure_style).

Down is later, but not in proportion: a round trip of 20 ms and a timeout of two hours share a page. Every
happening has a line of its own; between two moments lies a gap that grows slowly with the time between
them, and from one second on a break that says how long nothing happened.
"""

from __future__ import annotations

from math import atan2, degrees, log10
from textwrap import wrap
from typing import Final, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from tcpsim.draw.figure_style import ALARM, INK, PAPER, QUIET, RULE, STATE_COLOURS, Colour, blank, readable
from tcpsim.draw.ladder_rows import SIDES, Item, Side, Story, other
from tcpsim.draw.time_format import clock, length
from tcpsim.errors import InputError
from tcpsim.tcp.state import State, parse_state

_WIDTH: Final = 9.6  # inches, as all lengths here
_LINE: Final = 0.19
_BREAK: Final = 0.45
_BREAK_US: Final = 1_000_000
_LIFE: Final[dict[Side, float]] = {"client": 3.0, "server": 6.6}
_BAR: Final = 0.07
_TOP, _BOTTOM = 0.78, 0.2
_TITLE_LINE = 0.21  # inches that a further line of the title takes
_LETTERS: Final = 30  # that fit beside a lifeline
_TALLEST: Final = 400.0  # a PNG of 160 dots per inch has at most 2**16 rows


class _Place(NamedTuple):
    """Where each item lies, the breaks (height, how long), and where it all ends."""

    y: tuple[float, ...]
    breaks: tuple[tuple[float, int], ...]
    bottom: float


def ladder_figure(story: Story, title: str = "") -> Figure:
    """The story as a matplotlib figure, as long as it needs to be.

    Raises:
        InputError: more happenings than a picture can show.
    """
    place = _place(story)
    top = _TOP + _TITLE_LINE * title.count("\n")
    height = place.bottom + top + _BOTTOM
    if height > _TALLEST:
        allowed = "about 1,500 in a picture; a .txt file takes them all"
        raise InputError("ladder", f"{len(story.items):,} happenings", allowed)
    figure = blank(_WIDTH, height)
    panel = figure.add_axes((0, 0, 1, 1))
    panel.set_axis_off()
    panel.set_xlim(0, _WIDTH)
    panel.set_ylim(height - top, -top)
    panel.text(0.15, 0.15 - top, title, fontsize=12, fontweight="bold", va="top", color=INK)
    for side, name in zip(SIDES, story.titles, strict=True):
        _beside(panel, side, -0.14, name, size=9.5, bold=True)
        _lifeline(panel, story, place, side)
    _arrows(panel, story, place)
    _words(panel, story, place)
    for y, span_us in place.breaks:
        _silence(panel, y, span_us)
    return figure


def _place(story: Story) -> _Place:
    """Heights, from the top down. A change of state lies at the arrow that caused it, or that it caused."""
    heights: list[float] = []
    breaks: list[tuple[float, int]] = []
    lowest: dict[Side, float] = {"client": 0.0, "server": 0.0}
    latest: dict[Side, Item | None] = {"client": None, "server": None}
    sent: dict[int, float] = {}
    moment, now_us = 0.0, 0
    for item in story.items:
        if item.t_us > now_us:
            floor = max(*lowest.values(), moment)
            moment = floor + _gap(item.t_us - now_us)
            if item.t_us - now_us >= _BREAK_US:
                breaks.append(((floor + moment) / 2, item.t_us - now_us))
            now_us = item.t_us
        before = latest[item.side]
        beside = before is not None and before.t_us == item.t_us and _belong(before, item)
        y = lowest[item.side] if beside else max(moment, lowest[item.side] + _LINE)
        if item.kind == "arrive":
            y = max(y, sent.get(item.flight, y))
        elif item.kind == "send":
            sent[item.flight] = y
        heights.append(y)
        remarked = item.kind == "send" and bool(story.flights[item.flight].remark)
        lowest[item.side] = y + _LINE * (len(_wrapped(item)) - 1 + 2 * remarked)
        latest[item.side] = None if beside else item
    bottom = max(lowest.values()) + 2 * _LINE
    if story.end_us is not None and story.end_us - now_us >= _BREAK_US:
        breaks.append((bottom + _BREAK / 2, story.end_us - now_us))
        bottom += _BREAK + _LINE
    return _Place(tuple(heights), tuple(breaks), bottom)


def _belong(before: Item, item: Item) -> bool:
    return (before.kind, item.kind) in (("arrive", "state"), ("send", "state"), ("state", "send"))


def _gap(span_us: int) -> float:
    """Paper for a stretch of time in which nothing happens."""
    if span_us >= _BREAK_US:
        return _LINE + _BREAK
    return _LINE * (1.0 + 0.35 * log10(1 + span_us / 1_000))


def _lifeline(panel: Axes, story: Story, place: _Place, side: Side) -> None:
    """A bar down the page in the colour of the state; a thin line where there is no connection."""
    changes = [
        (y, State.CLOSED if item.kind == "end" else parse_state(item.text.split()[0]))
        for item, y in zip(story.items, place.y, strict=True)
        if item.side == side and item.kind in ("state", "end")
    ]
    x = _LIFE[side]
    panel.plot([x, x], [0, place.bottom], color=RULE, linewidth=1.2, zorder=1)
    for (top, state), (bottom, _) in zip(changes, [*changes[1:], (place.bottom, State.CLOSED)], strict=True):
        if state not in (State.CLOSED, State.LISTEN):
            colour = STATE_COLOURS[state]
            panel.add_patch(
                Rectangle((x - _BAR / 2, top), _BAR, bottom - top, color=colour, zorder=2, linewidth=0)
            )
            if bottom == place.bottom and story.end_us is None:
                _beside(panel, side, bottom - 0.08, "for ever", colour=readable(colour), bold=True)


def _arrows(panel: Axes, story: Story, place: _Place) -> None:
    arrivals: dict[int, list[float]] = {}
    for item, y in zip(story.items, place.y, strict=True):
        if item.kind == "arrive":
            arrivals.setdefault(item.flight, []).append(y)
    departed = {item.flight for item in story.items if item.kind == "send"}
    for item, y in zip(story.items, place.y, strict=True):
        if item.kind == "arrive" and item.flight not in departed:
            flight = story.flights[item.flight]
            _arrow(panel, flight.sender, (y - 0.4 * _LINE, y), flight.label, None, dashed=True, share=0.5)
        if item.kind != "send":
            continue
        flight = story.flights[item.flight]
        ends = arrivals.get(item.flight, [y + 0.8 * _LINE])
        for copy, end in enumerate(ends):
            lost = flight.lost if item.flight not in arrivals else None
            _arrow(panel, item.side, (y, end), flight.label if copy == 0 else "", lost, dashed=copy > 0)
            if lost is not None and flight.remark:
                middle = (_LIFE["client"] + _LIFE["server"]) / 2
                panel.text(
                    middle, end + _LINE, flight.remark, fontsize=7, color=ALARM, ha="center", va="center"
                )


def _arrow(
    panel: Axes,
    side: Side,
    heights: tuple[float, float],
    label: str,
    lost: str | None,
    *,
    dashed: bool,
    share: float = 1.0,
) -> None:
    """One arrow; with a `share` of the way only its last part: who sent it, or when, is not in the ladder."""
    towards = 1 if side == "client" else -1
    reach = (_LIFE["server"] - _LIFE["client"] - 2 * _BAR) * share
    start = (_LIFE[other(side)] - towards * (_BAR + reach), heights[0])
    slope = (heights[1] - heights[0]) / reach
    way = 0.72 if lost is not None else 1.0
    end = (start[0] + towards * reach * way, start[1] + slope * reach * way)
    colour = ALARM if lost is not None else INK
    arrow = FancyArrowPatch(
        start, end, arrowstyle="-" if lost is not None else "-|>", mutation_scale=9, shrinkA=0, shrinkB=0
    )
    arrow.set(color=colour, linewidth=1.0, linestyle=(0, (3, 2)) if dashed else "solid", zorder=3)
    panel.add_patch(arrow)
    if lost is not None:
        panel.plot([end[0]], [end[1]], marker="x", markersize=6, markeredgewidth=1.8, color=ALARM, zorder=4)
        align = "left" if side == "client" else "right"
        panel.text(end[0] + towards * 0.1, end[1], lost, fontsize=7.5, color=ALARM, ha=align, va="center")
    # the arrows of a burst lie too close for labels along them once they are steep
    along = slope < 0.5
    words = panel.text(
        start[0] + towards * 0.14,
        start[1] + (slope * 0.14 - 0.015 if along else 0.0),
        label,
        fontsize=7.5,
        color=colour,
        ha="left" if side == "client" else "right",
        va="bottom" if along else "center",
        rotation=-towards * degrees(atan2(slope, 1)) if along else 0,
        rotation_mode="anchor",
        zorder=5,
    )
    words.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 0.8, "alpha": 0.95})


def _words(panel: Axes, story: Story, place: _Place) -> None:
    """What is written beside the lifelines, and the time of each moment at the edges."""
    told: dict[Side, int] = {}
    for item, y in zip(story.items, place.y, strict=True):
        colour: Colour = QUIET if item.kind in ("timer", "note", "end") else INK
        if item.kind == "state":
            colour = readable(STATE_COLOURS[parse_state(item.text.split()[0])])
        for line, text in enumerate(_wrapped(item)):
            _beside(panel, item.side, y + line * _LINE, text, colour=colour, bold=item.kind == "state")
        if told.get(item.side) != item.t_us:
            told[item.side] = item.t_us
            x = 0.85 if item.side == "client" else _WIDTH - 0.15
            panel.text(x, y, clock(item.t_us), fontsize=7.5, color=QUIET, ha="right", va="center")


def _wrapped(item: Item) -> list[str]:
    return wrap(item.text, _LETTERS) or [""]


def _beside(
    panel: Axes, side: Side, y: float, text: str, *, size: float = 8, colour: Colour = INK, bold: bool = False
) -> None:
    away = -0.12 if side == "client" else 0.12
    align = "right" if side == "client" else "left"
    weight = "bold" if bold else "normal"
    panel.text(
        _LIFE[side] + away, y, text, fontsize=size, color=colour, ha=align, va="center", fontweight=weight
    )


def _silence(panel: Axes, y: float, span_us: int) -> None:
    middle = (_LIFE["client"] + _LIFE["server"]) / 2
    panel.text(
        middle,
        y,
        f"{length(span_us)} pass",
        fontsize=8.5,
        color=QUIET,
        ha="center",
        va="center",
        style="italic",
    )
    for x in _LIFE.values():
        panel.add_patch(Rectangle((x - _BAR, y - 0.06), 2 * _BAR, 0.12, color=PAPER, zorder=6, linewidth=0))
        for edge in (-0.06, 0.06):
            panel.plot(
                [x - _BAR, x + _BAR],
                [y + edge + 0.025, y + edge - 0.025],
                color=QUIET,
                linewidth=0.9,
                zorder=7,
            )
