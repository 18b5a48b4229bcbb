"""The eleven-state diagram, drawn from the transition table (tcp.lifecycle): as a picture.

Owns: how states and arcs look on paper. Refuses to know: where they lie (states_layout), and any arc.

A reset, an abort and giving up lead to CLOSED from almost everywhere. Thirty arcs to one place would
hide the others, so they are written inside the state that they end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, PathPatch
from matplotlib.path import Path

from tcpsim.draw.colours import INK, PAPER, QUIET, SERIES, STATE_COLOURS
from tcpsim.draw.figure_style import TITLE, blank, wrapped
from tcpsim.draw.ladder_rows import SIDES, Side, Story
from tcpsim.draw.states_layout import BOX, HEIGHT, PLACES, WIDTH, Route, arcs, is_ending, route
from tcpsim.draw.states_text import USUAL, fact_words
from tcpsim.tcp.lifecycle import TABLE
from tcpsim.tcp.state import State, parse_state

Taken = Mapping[str, Iterable[tuple[State, State]]]  # by side: from which state to which
_SCALE: Final = 0.85  # of the layout, not of words: at 700 pixels the smallest are 9 pixels high
_TITLE_LINE: Final = 0.27
_PATHS: Final = {"client": SERIES[0], "server": SERIES[1]}
_STYLES: Final = {"client": "solid", "server": (0, (4, 1.5))}


def states_figure(taken: Taken | None = None, title: str = "The life of a TCP connection") -> Figure:
    """The diagram, with the usual paths of client and server; or with the paths that were `taken`."""
    paths = {side: pairwise(states) for side, states in USUAL.items()} if taken is None else taken
    lit = {side: set(arcs_taken) for side, arcs_taken in paths.items()}
    says = "The eleven states of RFC 9293, and an arrow for every row of the transition table."
    lines = wrapped(title, TITLE, _SCALE * WIDTH - 0.3, bold=True)
    high = HEIGHT + _TITLE_LINE * (len(lines) - 1)
    figure = blank(_SCALE * WIDTH, _SCALE * high, " ".join(title.split()), says)
    panel = figure.add_axes((0, 0, 1, 1))
    panel.set_axis_off()
    panel.set_xlim(0, WIDTH)
    panel.set_ylim(0, high)
    for row, line in enumerate(lines):
        y = high - 0.2 - _TITLE_LINE * row
        panel.text(0.2, y, line, fontsize=TITLE, fontweight="bold", color=INK, va="top")
    _legend(panel, "usual path" if taken is None else "path taken")
    for (state, next_state), labels in arcs().items():
        sides = [side for side in SIDES if (state, next_state) in lit.get(side, ())]
        _arc(panel, route(state, next_state), labels, sides)
    # a listener is made by a call, not by a row: it has no connection that could change its state
    panel.add_patch(_arrow(((0.35, 7.1), (1.04, 7.1)), dashed=True))
    panel.text(0.3, 7.2, "listen()", fontsize=8, color=QUIET, va="bottom")
    for place, middle in PLACES.items():
        _state(panel, place if isinstance(place, State) else State.CLOSED, middle, ends=place != "begin")
    return figure


def paths_taken(story: Story) -> Taken:
    """The changes of state of a run, by side."""
    found: dict[str, list[tuple[State, State]]] = {side: [] for side in story.sides}
    latest: dict[tuple[str, int], State] = {}
    for item in story.items:
        if item.kind != "state" or not item.who:
            continue
        state = parse_state(item.text.split()[0])
        begin = State.LISTEN if state is State.SYN_RECEIVED else State.CLOSED
        found[item.side].append((latest.get((item.side, item.who), begin), state))
        latest[item.side, item.who] = state
    return found


def _legend(panel: Axes, path: str) -> None:
    """What the colours and the words mean."""
    lines = (
        "drawn from the transition table; event / what is sent, as in RFC 9293 figure 5",
        "CLOSED stands twice: before a connection, and after it",
        "words inside a state lead to CLOSED",
    )
    for row, line in enumerate(lines):
        panel.text(0.2, HEIGHT - 0.5 - 0.17 * row, line, fontsize=8, color=QUIET, va="top")
    for row, side in enumerate(SIDES):
        y = HEIGHT - 1.32 - 0.24 * row
        panel.plot((0.22, 0.66), (y, y), color=_PATHS[side], linewidth=3, linestyle=_STYLES[side], zorder=2)
        panel.text(0.76, y, f"{side}: {path}", fontsize=8.5, color=INK, va="center")


def _state(panel: Axes, state: State, middle: tuple[float, float], *, ends: bool) -> None:
    width, height = BOX
    corner = (middle[0] - width / 2, middle[1] - height / 2)
    box = FancyBboxPatch(corner, width, height, boxstyle="round,pad=0,rounding_size=0.08", zorder=3)
    box.set(facecolor=PAPER, edgecolor=STATE_COLOURS[state], linewidth=2)
    panel.add_patch(box)
    words = [fact_words(row.fact) for row in TABLE if row.state is state and is_ending(row)] if ends else []
    y = middle[1] + (0.11 if words else 0.0)
    panel.text(
        middle[0],
        y,
        str(state),
        fontsize=9.5,
        fontweight="bold",
        color=INK,
        ha="center",
        va="center",
        zorder=4,
    )
    small = ", ".join(words)
    panel.text(
        middle[0], middle[1] - 0.15, small, fontsize=7.9, color=QUIET, ha="center", va="center", zorder=4
    )


def _arc(panel: Axes, way: Route, labels: list[str], sides: list[Side]) -> None:
    panel.add_patch(_arrow(way.points))
    for side in sides:
        line = Path(way.points, [Path.MOVETO] + [Path.LINETO] * (len(way.points) - 1))
        panel.add_patch(
            PathPatch(line, fill=False, color=_PATHS[side], linewidth=3, linestyle=_STYLES[side], zorder=1.5)
        )
    vertical = way.points[0][0] == way.points[-1][0]
    panel.text(
        *way.label,
        "\n".join(labels),
        fontsize=8,
        color=INK,
        ha=way.align,
        va="center" if vertical else "bottom",
        zorder=5,
        linespacing=1.1,
    )


def _arrow(points: tuple[tuple[float, float], ...], *, dashed: bool = False) -> FancyArrowPatch:
    codes = [Path.MOVETO] + [Path.LINETO] * (len(points) - 1)
    arrow = FancyArrowPatch(path=Path(points, codes), arrowstyle="-|>", mutation_scale=11, zorder=2)
    arrow.set(color=QUIET, linewidth=1.2, linestyle=(0, (3, 2)) if dashed else "solid", joinstyle="round")
    return arrow
