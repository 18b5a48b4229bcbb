"""A sheet of paper: figures without pyplot, one palette, one way to save.

Owns: sizes, fonts, colours (a state has the same colour in every figure of the project), and writing a
picture whole or not at all. Refuses to know: what is drawn (curves, ladder, states_figure). Nothing global is
touched: no pyplot, no rcParams left behind, and the same figure gives the same bytes on every machine
(matplotlib's own font, fixed SVG ids, no date).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from tcpsim.errors import InputError
from tcpsim.measure.results import whole_or_nothing
from tcpsim.tcp.state import State

if TYPE_CHECKING:
    from tcpsim.draw.caption import Origin

Colour = str | tuple[float, float, float]

INK: Final = "#22272e"
QUIET: Final = "#6b7480"
RULE: Final = "#d5dae0"
PAPER: Final = "#ffffff"
ALARM: Final = "#c8371b"

# After Okabe and Ito (2008), readable with colour blindness; no yellow: too pale for a line.
SERIES: Final = ("#0072b2", "#d55e00", "#009e73", "#a5528a", "#b98500", "#3d9bd4", "#444b54")

# The two states in which leaks live have the two loud colours.
STATE_COLOURS: Final = {
    State.CLOSED: "#8b929b",
    State.LISTEN: "#8b929b",
    State.SYN_SENT: "#8fc9b9",
    State.SYN_RECEIVED: "#4fa58d",
    State.ESTABLISHED: "#3f7fb5",
    State.FIN_WAIT_1: "#f2cf7a",
    State.FIN_WAIT_2: "#e69f00",
    State.CLOSE_WAIT: "#d55e00",
    State.CLOSING: "#7d6cae",
    State.LAST_ACK: "#b06a9b",
    State.TIME_WAIT: "#b4c3d1",
}

FORMATS: Final = ("svg", "png", "pdf")

# Any: the keys are a Literal in some releases of matplotlib and plain strings in others
_STYLE: Final[Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so a figure is the same everywhere
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": RULE,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.hashsalt": "tcpsim",
    "svg.fonttype": "path",
}


# The names of a title, of a program and of all that there is to say, in the metadata of each format
_ORIGIN = {
    "svg": ("Title", "Creator", "Description"),
    "png": ("Title", "Software", "Description"),
    "pdf": ("Title", "Creator", "Subject"),
}


def blank(width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` inches."""
    with matplotlib.rc_context(_STYLE):
        return Figure(figsize=(width, height), facecolor=PAPER)


def sheet(
    title: str,
    subtitle: str = "",
    *,
    rows: int = 1,
    columns: int = 1,
    width: float = 8.0,
    height: float = 4.8,
    share_x: bool = False,
    share_y: bool = False,
) -> tuple[Figure, list[Axes]]:
    """A titled figure and its panels, row by row. `width` and `height` are of the whole sheet, in inches."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), facecolor=PAPER)
        figure.text(0.012, 1 - 0.10 / height, title, va="top", fontsize=13, fontweight="bold")
        figure.text(0.012, 1 - 0.38 / height, subtitle, va="top", fontsize=9.5, color=QUIET, linespacing=1.35)
        lines = subtitle.count("\n") + 1 if subtitle else 0
        head = (0.45 + 0.19 * lines) / height
        figure.set_layout_engine("constrained", rect=(0, 0, 1, 1 - head))
        grid = figure.subplots(rows, columns, sharex=share_x, sharey=share_y, squeeze=False)
        panels: list[Axes] = list(grid.flat)
        for panel in panels:
            panel.spines[["top", "right"]].set_visible(False)
            panel.spines[["left", "bottom"]].set_color(RULE)
            panel.tick_params(length=3, color=RULE)
            panel.grid(axis="y", color=RULE, linewidth=0.6, zorder=0)
            panel.set_axisbelow(True)
    return figure, panels


def footnote(figure: Figure, text: str) -> None:
    """A quiet line under everything: sample size, seed, what was held fixed."""
    figure.supxlabel(text, x=0.01, ha="left", fontsize=8, color=QUIET)


def render(figure: Figure, kind: str, origin: Origin | None = None) -> bytes:
    """The picture as bytes; `kind` is one of `FORMATS`. The same figure always gives the same bytes.

    Its `origin` is what the file's metadata say.
    """
    if kind not in FORMATS:
        raise InputError("picture format", kind, ", ".join(FORMATS))
    buffer = io.BytesIO()
    stamps: dict[str, dict[str, str | None]] = {
        "svg": {"Date": None},
        "png": {"Software": None},
        "pdf": {"CreationDate": None},
    }
    if origin is not None:
        title, by, more = _ORIGIN[kind]
        stamps[kind] |= {title: origin.caption, by: f"tcpsim {origin.version}", more: origin.line()}
    with matplotlib.rc_context(_STYLE):
        figure.savefig(buffer, format=kind, dpi=160, metadata=stamps[kind], facecolor=PAPER)
    return buffer.getvalue()


def save(figure: Figure, *paths: Path | str, origin: Origin | None = None) -> None:
    """Write the figure to each path, in the format of its suffix; a file appears whole or not at all."""
    for path in map(Path, paths):
        write_whole(path, render(figure, path.suffix.removeprefix(".").lower(), origin))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with whole_or_nothing(path) as partial:
        partial.write_bytes(content)


def readable(colour: str) -> Colour:
    """The colour of an area, made dark enough for a word on white."""
    red, green, blue = to_rgb(colour)
    dark = min(1.0, 0.62 / (0.3 * red + 0.59 * green + 0.11 * blue + 1e-9))
    return red * dark, green * dark, blue * dark


def series_colour(index: int) -> str:
    """The colour of the nth series; they repeat after seven, where a figure should have been two."""
    return SERIES[index % len(SERIES)]


def panel_title(panel: Axes, text: str, *, colour: str = INK) -> None:
    """A left-aligned title of one panel."""
    panel.set_title(text, loc="left", fontsize=10.5, fontweight="bold", color=colour)


def hide(panels: Sequence[Axes]) -> None:
    """Panels of the grid that hold nothing."""
    for panel in panels:
        panel.set_axis_off()
