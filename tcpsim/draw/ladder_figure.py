"""The ladder as a picture: lifelines in the colours of their states, arrows, and labelled gaps for silence.

Owns: the position of everything on the page. Refuses to know: how events become text (event_text), and files
(figure_style).

Time runs downwards, but not in proportion, because a round trip of 20 ms and a timeout of two hours share a
page. Every event has a line of its own. The gap between two events grows slowly with the time between them.
From one second on, there is a break with the length of the silence.
"""

from __future__ import annotations

from math import log10
from typing import Final, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tcpsim.draw.colours import FAINT, INK, PAPER, QUIET, STATE_COLOURS, Colour, readable
from tcpsim.draw.figure_style import SMALL, WIDTH, blank, wrapped
from tcpsim.draw.ladder_arrows import BAR, ROW, draw_arrows, lines
from tcpsim.draw.ladder_rows import Item, Side, Story
from tcpsim.draw.time_format import clock, length
from tcpsim.errors import InputError
from tcpsim.tcp.state import State, parse_state

_WIDTH: Final = WIDTH  # inches, as all lengths here
_BREAK: Final = 0.45
_BREAK_US: Final = 1_000_000
_CLOCK: Final = 0.87  # the column of times beside a lifeline; words stand beyond it
_TOP, _BOTTOM = 0.82, 0.2
_TITLE_LINE = 0.21  # inches that a further line of the title takes
_WORDS: Final = 1.85  # inches for words beside a lifeline
_TALLEST: Final = 400.0  # a PNG of 160 dots per inch has at most 2**16 rows


class _Place(NamedTuple):
    """Where each item lies, the breaks (height, how long), and where it all ends."""

    y: tuple[float, ...]
    breaks: tuple[tuple[float, int], ...]
    bottom: float


def ladder_figure(story: Story, title: str = "") -> Figure:
    """The story as a matplotlib figure, as long as it needs to be.

    Raises:
        InputError: there are more events than a picture can show.
    """
    place = _place(story)
    stand = list(lines(story).values())
    width = stand[-1] + stand[0] if len(stand) > 2 else _WIDTH
    heads = wrapped(title, 12, width - 0.3, bold=True)
    top = _TOP + _TITLE_LINE * max(0, len(heads) - 1)
    height = place.bottom + top + _BOTTOM
    if height > _TALLEST:
        allowed = "about 1,500 in a picture; a .txt file can hold all of them"
        raise InputError("ladder", f"{len(story.items):,} events", allowed)
    figure = blank(width, height, " ".join(title.split()), _in_words(story))
    panel = figure.add_axes((0, 0, 1, 1))
    panel.set_axis_off()
    panel.set_xlim(0, width)
    panel.set_ylim(height - top, -top)
    for number, line in enumerate(heads):
        y = 0.15 - top + number * _TITLE_LINE
        panel.text(0.15, y, line, fontsize=12, fontweight="bold", va="top", color=INK)
    for side, name in zip(story.sides, story.titles, strict=True):
        _beside(panel, story, side, -0.16, name, size=9.5, bold=True)
        _lifeline(panel, story, place, side)
    draw_arrows(panel, story, place.y)
    _words(panel, story, place)
    for y, span_us in place.breaks:
        _silence(panel, story, y, span_us)
    return figure


def _in_words(story: Story) -> str:
    """The story for those who do not see it: how many segments, and where it leads."""
    lost = sum(flight.lost is not None for flight in story.flights)
    ends = []
    for side in story.sides:
        states = [item.text for item in story.items if item.side == side and item.kind in ("state", "end")]
        ends.append(f"the {side}'s last state is {states[-1]}" if states else f"the {side} has no connection")
    return (
        f"A ladder diagram: time runs downwards between {' and '.join(story.titles)}."
        f" {len(story.flights)} segments, {lost} of them lost; {'; '.join(ends)}."
    )


def _place(story: Story) -> _Place:
    """Heights, from the top down. A change of state lies at the arrow that caused it, or that it caused."""
    heights: list[float] = []
    breaks: list[tuple[float, int]] = []
    lowest: dict[Side, float] = dict.fromkeys(story.sides, 0.0)
    latest: dict[Side, Item | None] = dict.fromkeys(story.sides)
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
        y = lowest[item.side] if beside else max(moment, lowest[item.side] + ROW)
        if item.kind == "arrive":
            y = max(y, sent.get(item.flight, y))  # a box has sent what nobody else did
        elif item.kind == "send":
            sent[item.flight] = y
        heights.append(y)
        remarked = item.kind == "send" and bool(story.flights[item.flight].remark)
        lowest[item.side] = y + ROW * (len(_wrapped(item)) - 1 + 2 * remarked)
        latest[item.side] = None if beside else item
    bottom = max(lowest.values()) + 2 * ROW
    if story.end_us is not None and story.end_us - now_us >= _BREAK_US:
        breaks.append((bottom + _BREAK / 2, story.end_us - now_us))
        bottom += _BREAK + ROW
    return _Place(tuple(heights), tuple(breaks), bottom)


def _belong(before: Item, item: Item) -> bool:
    return (before.kind, item.kind) in (("arrive", "state"), ("send", "state"), ("state", "send"))


def _gap(span_us: int) -> float:
    """Paper for a stretch of time in which nothing happens."""
    if span_us >= _BREAK_US:
        return ROW + _BREAK
    return ROW * (1.0 + 0.35 * log10(1 + span_us / 1_000))


def _lifeline(panel: Axes, story: Story, place: _Place, side: Side) -> None:
    """A bar down the page in the colour of the state; a thin line where there is no connection."""
    changes = [
        (y, State.CLOSED if item.kind == "end" else parse_state(item.text.split()[0]))
        for item, y in zip(story.items, place.y, strict=True)
        if item.side == side and item.kind in ("state", "end")
    ]
    x = lines(story)[side]
    panel.plot([x, x], [0, place.bottom], color=FAINT, linewidth=1.0, zorder=1)
    for (top, state), (bottom, _) in zip(changes, [*changes[1:], (place.bottom, State.CLOSED)], strict=True):
        if state not in (State.CLOSED, State.LISTEN):
            colour = STATE_COLOURS[state]
            panel.add_patch(
                Rectangle((x - BAR / 2, top), BAR, bottom - top, color=colour, zorder=2, linewidth=0)
            )
            if bottom == place.bottom and story.end_us is None:
                _beside(panel, story, side, bottom - 0.08, "for ever", colour=readable(colour), bold=True)


def _words(panel: Axes, story: Story, place: _Place) -> None:
    """What is written beside the lifelines, and the time of each moment between it and the line."""
    told: dict[Side, int] = {}
    for item, y in zip(story.items, place.y, strict=True):
        colour: Colour = QUIET if item.kind in ("timer", "note", "end") else INK
        if item.kind == "state":
            colour = readable(STATE_COLOURS[parse_state(item.text.split()[0])])
        for line, text in enumerate(_wrapped(item)):
            _beside(
                panel, story, item.side, y + line * ROW, text,
                colour=colour, bold=item.kind == "state", away=_CLOCK,
            )  # fmt: skip
        if told.get(item.side) != item.t_us:
            told[item.side] = item.t_us
            _beside(panel, story, item.side, y, clock(item.t_us), colour=QUIET)


def _wrapped(item: Item) -> list[str]:
    return wrapped(item.text, SMALL, _WORDS, bold=item.kind == "state") or [""]


def _beside(
    panel: Axes,
    story: Story,
    side: Side,
    y: float,
    text: str,
    *,
    size: float = SMALL,
    colour: Colour = INK,
    bold: bool = False,
    away: float = 0.12,
) -> None:
    first = side == story.sides[0]
    x = lines(story)[side] + (-away if first else away)
    align = "right" if first else "left"
    weight = "bold" if bold else "normal"
    words = panel.text(x, y, text, fontsize=size, color=colour, ha=align, va="center", fontweight=weight)
    if side in story.sides[1:-1]:  # arrows leave on that side, too
        words.set_zorder(4)
        words.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 0.5, "alpha": 0.85})


def _silence(panel: Axes, story: Story, y: float, span_us: int) -> None:
    stand = list(lines(story).values())
    middle = (stand[0] + stand[1]) / 2
    panel.text(
        middle,
        y,
        f"{length(span_us)} pass",
        fontsize=SMALL,
        color=QUIET,
        ha="center",
        va="center",
        style="italic",
    )
    for x in stand:
        panel.add_patch(Rectangle((x - BAR, y - 0.06), 2 * BAR, 0.12, color=PAPER, zorder=6, linewidth=0))
        for edge in (-0.06, 0.06):
            panel.plot(
                [x - BAR, x + BAR],
                [y + edge + 0.025, y + edge - 0.025],
                color=QUIET,
                linewidth=0.9,
                zorder=7,
            )
