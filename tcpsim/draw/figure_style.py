"""A sheet of paper: figures without pyplot, one style, one way to save.

Owns: sizes, fonts, how a title and a footnote are wrapped, and writing a picture completely or not at all.
Refuses to know: what is drawn (curves, ladder, states), and what a colour means (colours). Nothing global is
touched: no pyplot, no rcParams left behind, and the same figure gives the same bytes on every machine
(matplotlib's own font to measure with, fixed SVG ids, no date).

The words of an SVG are words: a reader can search, select and copy them, and a browser draws them in the
first font of `FONTS` that it has. All of these are about as wide as the first one, which places them. The
file opens with its title and with a description of what is to be seen, for those who do not see it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import text_to_path

from tcpsim.draw.alt_text import Described, describe
from tcpsim.draw.colours import INK, PAPER, QUIET, RULE
from tcpsim.errors import InputError
from tcpsim.measure.results import whole_or_nothing

if TYPE_CHECKING:
    from tcpsim.draw.caption import Origin

FONTS: Final = ("DejaVu Sans", "Bitstream Vera Sans", "Verdana", "Geneva")
WIDTH: Final = 9.0  # inches: at 700 pixels the smallest words are still 9 pixels high
SMALL, NORMAL, TITLE = 8.5, 9.5, 13.0  # points

FORMATS: Final = ("svg", "png", "pdf")

# Any: the keys are a Literal in some releases of matplotlib and plain strings in others
STYLE: Final[Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": FONTS,  # the first comes with matplotlib, so a figure is the same everywhere
    "font.size": NORMAL,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": RULE,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.hashsalt": "tcpsim",
    "svg.fonttype": "none",
}


# The names of a title, of a program and of all that there is to say, in the metadata of each format
_METADATA: Final = {
    "svg": ("Title", "Creator", "Description"),
    "png": ("Title", "Software", "Description"),
    "pdf": ("Title", "Creator", "Subject"),
}
_NO_DATE: Final = {"svg": "Date", "png": "Software", "pdf": "CreationDate"}

_MARGIN: Final = 0.1  # inches
_SET_WIDER: Final = 0.96  # a screen of few dots sets words a little wider than they measure
_TITLE_LINE, _SUBTITLE_LINE = 0.235, 0.185


def blank(width: float, height: float, title: str, says: str) -> Figure:
    """An empty figure of `width` x `height` inches; `title` and `says` are for those who do not see it."""
    with matplotlib.rc_context(STYLE):
        figure = Described(width, height, title, says)
        figure.set_facecolor(PAPER)
    return figure


def sheet(
    title: str,
    subtitle: str = "",
    *,
    rows: int = 1,
    columns: int = 1,
    width: float = WIDTH,
    height: float = 4.0,
    share_x: bool = False,
    share_y: bool = False,
) -> tuple[Figure, list[Axes]]:
    """A titled figure and its panels, row by row.

    `height` is of the panels with all that is below them, in inches; the title comes on top of it. Title and
    subtitle are wrapped where the sheet ends.
    """
    with matplotlib.rc_context(STYLE):
        room = width - 2 * _MARGIN
        title_lines, lines = wrapped(title, TITLE, room, bold=True), wrapped(subtitle, NORMAL, room)
        head = 0.12 + _TITLE_LINE * len(title_lines) + _SUBTITLE_LINE * len(lines) + (0.1 if lines else 0)
        figure = Described(width, height + head, " ".join(title.split()), " ".join(subtitle.split()))
        figure.head = head
        figure.set_facecolor(PAPER)
        y = _MARGIN
        for line in title_lines:
            _at_top(figure, y, line, fontsize=TITLE, fontweight="bold")
            y += _TITLE_LINE
        y += 0.03
        for line in lines:
            _at_top(figure, y, line, fontsize=NORMAL, color=QUIET)
            y += _SUBTITLE_LINE
        bottom = 0.06 / (height + head)
        rect = (_MARGIN / width / 2, bottom, 1 - 1.5 * _MARGIN / width, height / (height + head) - bottom)
        figure.set_layout_engine("constrained", rect=rect, h_pad=0.07)
        grid = figure.subplots(rows, columns, sharex=share_x, sharey=share_y, squeeze=False)
        panels: list[Axes] = list(grid.flat)
        for panel in panels:
            panel.spines[["top", "right"]].set_visible(False)
            panel.spines[["left", "bottom"]].set_color(RULE)
            panel.tick_params(length=3, color=RULE, labelsize=9)
            panel.grid(axis="y", color=RULE, linewidth=0.6, zorder=0)
            panel.set_axisbelow(True)
    return figure, panels


def _at_top(figure: Figure, y: float, line: str, **how: Any) -> None:
    """A line of words that far below the upper edge, in inches."""
    width, height = figure.get_size_inches()
    figure.text(_MARGIN / width, 1 - y / height, line, va="top", **how)


def footnote(figure: Figure, text: str) -> None:
    """Quiet lines under everything: sample size, seed, what was held fixed."""
    width = float(figure.get_size_inches()[0])
    lines = wrapped(text, SMALL, width - 2 * _MARGIN)
    with matplotlib.rc_context(STYLE):
        figure.supxlabel("\n".join(lines), x=_MARGIN / width, ha="left", fontsize=SMALL, color=QUIET)
    if isinstance(figure, Described):
        figure.note = " ".join(text.split())


_NUMBER: Final = re.compile(r"(\d|\bx) (?=\S)")  # a unit stays with its number, and x with it
_BOUND: Final = chr(0xA0)


def wrapped(text: str, size: float, room: float, *, bold: bool = False) -> list[str]:
    """The text in lines of at most `room` inches, as the project's font sets them; a newline stays one.

    >>> wrapped("one two three", 72, 3.0)
    ['one', 'two', 'three']
    """
    font = FontProperties(family=FONTS[0], size=size, weight="bold" if bold else "normal")
    lines = []
    for paragraph in text.splitlines():
        line = ""
        for word in _NUMBER.sub(rf"\1{_BOUND}", paragraph).split(" "):
            longer = f"{line} {word}".strip(" ")
            long, _, _ = text_to_path.get_text_width_height_descent(longer, font, False)
            if line and long > 72 * room * _SET_WIDER:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return [line.replace(_BOUND, " ") for line in lines]


def render(figure: Figure, kind: str, origin: Origin | None = None) -> bytes:
    """The picture as bytes; `kind` is one of `FORMATS`. The same figure always gives the same bytes.

    Its title, its description and its `origin` are in the file: in the metadata, and as the first elements
    of an SVG, where a browser shows the one and a screen reader reads both.
    """
    if kind not in FORMATS:
        raise InputError("picture format", kind, ", ".join(FORMATS))
    settle(figure)
    buffer = io.BytesIO()
    title, description = describe(figure)
    stamps: dict[str, str | None] = {_NO_DATE[kind]: None}
    for_title, for_program, for_more = _METADATA[kind]
    if origin is not None:
        title = title or origin.caption
        description = " ".join(filter(None, (description, f"{origin.line()}.")))
        stamps[for_program] = f"tcpsim {origin.version}"
    stamps |= {name: text for name, text in ((for_title, title), (for_more, description)) if text}
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format=kind, dpi=160, metadata=stamps, facecolor=PAPER)
    return _with_description(buffer.getvalue(), description) if kind == "svg" else buffer.getvalue()


def settle(figure: Figure) -> None:
    """Fix where the panels lie, once they have room for their words.

    The layout is found by a solver whose last digits differ from run to run and from pass to pass; rounded, a
    figure is the same in every file and every time.
    """
    if not isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):
        return  # settled, or laid out by hand
    with matplotlib.rc_context(STYLE):
        for _ in range(2):  # the second pass knows how large the panels are
            figure.draw_without_rendering()
    with matplotlib.rc_context({"figure.constrained_layout.use": False, "figure.autolayout": False}):
        figure.set_layout_engine(None)  # with an engine, even one that does nothing, all is drawn twice
    for panel in figure.axes:
        left, bottom, width, height = (round(float(part), 4) for part in panel.get_position().bounds)
        panel.set_position((left, bottom, width, height))
    for words in figure.texts:
        x, y = words.get_position()
        words.set_position((round(float(x), 4), round(float(y), 4)))


def _with_description(svg: bytes, description: str) -> bytes:
    """The SVG with a `<desc>` behind its `<title>`; matplotlib writes the description as metadata alone."""
    end = b"</title>"
    return svg.replace(end, end + f"\n <desc>{escape(description)}</desc>".encode(), 1)


def save(figure: Figure, *paths: Path | str, origin: Origin | None = None) -> None:
    """Write the figure to each path, in the format of its suffix; a file appears whole or not at all."""
    for path in map(Path, paths):
        write_whole(path, render(figure, path.suffix.removeprefix(".").lower(), origin))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file completely or not at all."""
    with whole_or_nothing(path) as partial:
        partial.write_bytes(content)


def panel_title(panel: Axes, text: str, below: str = "") -> None:
    """A left-aligned title of one panel, and a quiet line between it and the panel."""
    panel.set_title(text, loc="left", fontsize=10, fontweight="bold", color=INK, pad=20 if below else 6)
    if below:
        panel.annotate(
            below, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points",
            color=QUIET, fontsize=9, annotation_clip=False,
        )  # fmt: skip


def hide(panels: Sequence[Axes]) -> None:
    """Panels of the grid that hold nothing."""
    for panel in panels:
        panel.set_axis_off()
