"""What a reader would hold against a figure, found by drawing it.

Owns: the rules that every figure of the project keeps. `make figures` holds each to them as it is written,
and `make test` all of them. Refuses to know: what a figure is of, and how one mends it.

- Words lie on the canvas, away from its edge, and not on each other.
- Every panel says what is along its axes.
- A line, an arrow or a filled area stands out from paper at 3:1, a word from what is behind it at 4.5:1
  (WCAG 2.2). What lets paper through, a band or a shade, is behind something that says the same.
- The smallest words are nine pixels high where the figure is 700 pixels wide.
- A state's colour stands for that state alone, and no look for two things.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final, NamedTuple

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import Collection, LineCollection
from matplotlib.colors import to_hex, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Patch
from matplotlib.text import Text

from tcpsim.draw.colours import (
    FAINT,
    LINE_CONTRAST,
    PAPER,
    QUIET,
    STATE_COLOURS,
    WORD_CONTRAST,
    contrast,
    difference,
)
from tcpsim.draw.figure_style import STYLE, settle

Corners = npt.NDArray[np.float64]  # four points, in pixels
Pixels = npt.NDArray[np.uint8]  # height x width x 3
Colours = npt.NDArray[np.float64]  # the same from 0 to 1

_DPI: Final = 100.0
_EDGE: Final = 0.04  # inches that a word keeps from the edge
_TOUCH: Final = 1.0  # pixels that two boxes may share: letters do not fill their box
_PAGE: Final = 700  # pixels, the width of a page
_SMALLEST: Final = 9.0  # pixels, of a word on it
_STRUCK: Final = 0.045  # of a letter's background may be too dark or too pale: a line that touches it
_ALIKE: Final = 0.06  # nearer colours (in OKLab) are taken for one


class Word(NamedTuple):
    """A word as it is drawn, and where."""

    artist: Text
    corners: Corners

    @property
    def name(self) -> str:
        """The word on one line, for a complaint."""
        return repr(" ".join(self.artist.get_text().split()))


def faults(figure: Figure) -> list[str]:
    """Everything that is wrong with the figure, a line each; nothing is, if it may be shown."""
    with matplotlib.rc_context(STYLE):
        settle(figure)
        own_dpi = figure.dpi
        figure.set_dpi(_DPI)
        canvas: Any = FigureCanvasAgg(figure)  # matplotlib has no types for it
        figure.draw_without_rendering()  # words lie where they will be drawn
        words = [Word(text, _corners(text, canvas.get_renderer())) for text in _texts(figure)]
        behind = _without(words, figure)
        found = [
            *_off_the_canvas(figure, words),
            *_overlaps(words),
            *_unlabelled(figure),
            *_too_small(figure, words),
            *_pale_words(words, behind),
            *_pale_marks(figure),
            *_two_meanings(figure),
        ]
        figure.set_dpi(own_dpi)
    return found


def _texts(figure: Figure) -> Iterator[Text]:
    """Every word that is drawn."""
    for artist in _all_texts(figure):
        if artist.get_visible() and artist.get_text().strip():
            yield artist


def _all_texts(figure: Figure) -> Iterator[Text]:
    yield from figure.texts
    for panel in figure.axes:
        yield from (child for child in panel.get_children() if isinstance(child, Text))
        if panel.axison:
            for axis in (panel.xaxis, panel.yaxis):
                yield axis.label
                yield from _tick_labels(axis)


def _tick_labels(axis: Axis) -> Iterator[Text]:
    """The labels of the ticks between the ends of the axis; the others exist, and are not drawn."""
    low, high = sorted(axis.get_view_interval())
    slack = 1e-9 * (high - low)
    for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
        if low - slack <= tick.get_loc() <= high + slack:
            yield tick.label1


def _corners(artist: Text, renderer: RendererBase) -> Corners:
    """The four corners of a word; one that is turned round its anchor has a turned box."""
    turn = artist.get_rotation()
    if artist.get_rotation_mode() != "anchor" or turn % 90 == 0:
        turn = 0.0
        box = Text.get_window_extent(artist, renderer)
    else:
        own = artist.get_rotation()
        artist.set_rotation(0)
        box = Text.get_window_extent(artist, renderer)
        artist.set_rotation(own)
    corners = np.array([(box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)])
    anchor = artist.get_transform().transform(artist.get_position())
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    turned: Corners = (corners - anchor) @ np.array([[cos, sin], [-sin, cos]]) + anchor
    return turned


def _without(words: list[Word], figure: Figure) -> Pixels:
    """The picture as it is behind its words, without the grid."""
    grid = [
        tick.gridline
        for panel in figure.axes
        for axis in (panel.xaxis, panel.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        if tick.gridline.get_visible()
    ]
    hidden: list[Artist] = [*grid, *(word.artist for word in words)]
    for artist in hidden:
        artist.set_visible(False)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    pixels: Pixels = np.array(canvas.buffer_rgba())[::-1, :, :3]  # from the foot
    for artist in hidden:
        artist.set_visible(True)
    return pixels


def _off_the_canvas(figure: Figure, words: list[Word]) -> Iterator[str]:
    edge = _EDGE * _DPI
    width, height = figure.get_size_inches() * _DPI
    for word in words:
        low, high = word.corners.min(axis=0), word.corners.max(axis=0)
        if low.min() < edge or high[0] > width - edge or high[1] > height - edge:
            yield f"beyond the canvas, or at its edge: {word.name}"


def _overlaps(words: list[Word]) -> Iterator[str]:
    for one, other in combinations(words, 2):
        if _meet(one.corners, other.corners):
            yield f"{one.name} lies on {other.name}"


def _meet(one: Corners, other: Corners) -> bool:
    """Whether two boxes share more than a touch: no line along a side of either parts them."""
    for box in (one, other):
        for side in (box[1] - box[0], box[3] - box[0]):
            long = float(np.hypot(*side))
            if not long:
                continue
            a, b = one @ side / long, other @ side / long
            if min(a.max(), b.max()) - max(a.min(), b.min()) <= _TOUCH:
                return False
    return True


def _unlabelled(figure: Figure) -> Iterator[str]:
    for number, panel in enumerate(figure.axes, start=1):
        for axis in (panel.xaxis, panel.yaxis):
            if panel.axison and axis.get_visible() and not axis.get_label_text().strip():
                yield f"panel {number} does not say what is along its {axis.axis_name} axis"


def _too_small(figure: Figure, words: list[Word]) -> Iterator[str]:
    for word in words:
        size = float(word.artist.get_fontsize()) * _PAGE / (72 * figure.get_figwidth())
        if size < _SMALLEST:
            yield f"{size:.1f} pixels high on a page of {_PAGE}: {word.name}"


def _pale_words(words: list[Word], behind: Pixels) -> Iterator[str]:
    """Words that are hard to tell from what is behind them, or that a line runs through."""
    for word in words:
        own = np.array(to_rgb(word.artist.get_color()))
        panel = word.artist.get_bbox_patch()
        if panel is not None and to_rgba(panel.get_facecolor())[3] > 0.9:
            ground = np.array([[to_rgb(panel.get_facecolor())]])
        else:
            (left, low), (right, high) = word.corners.min(axis=0), word.corners.max(axis=0)
            ground = behind[max(int(low), 0) : int(high) + 1, max(int(left), 0) : int(right) + 1] / 255
        if not ground.size:
            continue  # off the canvas, which is said elsewhere
        hidden, worst = _worst_letter(_contrasts(own, ground))
        if hidden > _STRUCK:
            yield f"contrast {worst:.1f}:1, or a line through it: {word.name}"


def _worst_letter(against: npt.NDArray[np.float64]) -> tuple[float, float]:
    """How much of a piece as long as it is high cannot be told from its background, and how badly."""
    along = against if against.shape[1] >= against.shape[0] else against.T
    high, long = along.shape
    pieces = [along[:, at : at + high] for at in range(0, max(1, long - high + 1), max(1, high // 2))]
    shares = [(float(np.mean(piece < WORD_CONTRAST)), float(piece.min())) for piece in pieces]
    return max(shares)


def _contrasts(own: npt.NDArray[np.float64], ground: Colours) -> npt.NDArray[np.float64]:
    """The contrast of one colour with each of many."""
    colours, which = np.unique(ground.reshape(-1, 3).round(3), axis=0, return_inverse=True)
    each = np.array([contrast(tuple(own), tuple(colour)) for colour in colours])
    found: npt.NDArray[np.float64] = each[which.reshape(-1)].reshape(ground.shape[:2])
    return found


def _pale_marks(figure: Figure) -> Iterator[str]:
    """Lines, arrows and areas that are hard to tell from paper."""
    for panel in figure.axes:
        for artist in panel.get_children():
            if artist is panel.patch or not artist.get_visible():
                continue
            for colour in _colours(artist):
                seen = contrast(_on_paper(colour))
                if seen < LINE_CONTRAST:
                    what = str(artist.get_label()) or type(artist).__name__
                    yield f"contrast {seen:.1f}:1 on paper: {what} in {to_hex(colour)}"


def _colours(artist: Artist) -> Iterator[tuple[float, float, float, float]]:
    """The colours in which something is told; of a filled thing with an edge, whichever is darker."""
    if isinstance(artist, Line2D):
        if not len(np.asarray(artist.get_xdata())):
            return
        if artist.get_linestyle() not in ("None", "none", ""):
            yield to_rgba(artist.get_color(), artist.get_alpha())
        if artist.get_marker() not in ("None", "none", "", None):
            yield to_rgba(artist.get_markeredgecolor(), artist.get_alpha())
    elif isinstance(artist, FancyArrowPatch | LineCollection):
        for stroke in np.atleast_2d(np.asarray(artist.get_edgecolor(), dtype=float)):
            yield to_rgba(tuple(stroke))
    elif isinstance(artist, Patch | Collection):
        faces = [to_rgba(tuple(face)) for face in np.atleast_2d(artist.get_facecolor())]
        edges = [to_rgba(tuple(edge)) for edge in np.atleast_2d(artist.get_edgecolor()) if len(edge)]
        for face in faces:
            if face[3] == 1 and face[:3] != to_rgb(PAPER):  # a gap tells nothing
                yield max([face, *edges], key=lambda colour: contrast(_on_paper(colour)))


def _on_paper(colour: tuple[float, float, float, float]) -> tuple[float, float, float]:
    """What is seen of a colour that lets paper through."""
    *own, alpha = colour
    red, green, blue = (
        alpha * part + (1 - alpha) * white for part, white in zip(own, to_rgb(PAPER), strict=True)
    )
    return red, green, blue


def _two_meanings(figure: Figure) -> Iterator[str]:
    """Colours of states on something else, and looks that stand for two things."""
    named = {colour: str(state) for state, colour in STATE_COLOURS.items()}
    looks: dict[tuple[str, object, object], str] = {}
    lines = [(panel, line) for panel in figure.axes for line in panel.get_lines()]
    told = [(panel, line) for panel, line in lines if not str(line.get_label()).startswith("_")]
    of_states = {to_hex(line.get_color()) for _, line in told} & set(named)
    for panel, line in told:
        colour, label = to_hex(line.get_color()), str(line.get_label())
        if colour in (QUIET, FAINT):
            continue  # limits and the like: they are not told apart by colour
        if colour in named:
            if named[colour] not in f"{label} {panel.get_title(loc='left')}":
                yield f"{label!r} has the colour of {named[colour]}"
            continue
        for state_colour in sorted(of_states):
            if difference(colour, state_colour) < _ALIKE:
                yield f"{label!r} looks like {named[state_colour]}"
        stem = label.partition(":")[0]
        look = (colour, line.get_linestyle(), line.get_marker())
        if looks.setdefault(look, stem) != stem:
            yield f"{stem!r} looks like {looks[look]!r}"
