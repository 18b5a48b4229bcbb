"""What a picture says to somebody who does not see it: its title, and its panels in words.

Owns: the words. Refuses to know: files (figure_style), and how a figure came about.
"""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.axes import Axes
from matplotlib.figure import Figure


class Described(Figure):
    """A figure that knows its title, what it says of itself, and its small print."""

    def __init__(self, width: float, height: float, title: str, says: str) -> None:
        super().__init__(figsize=(width, height))
        self.title = title
        self.says = says
        self.note = ""
        self.head = 0.0  # inches that the title takes


def describe(figure: Figure) -> tuple[str, str]:
    """The title, and the description: what the figure says, a sentence for each panel, the footnote."""
    if not isinstance(figure, Described):
        return "", ""
    parts = [figure.says, *(_panel(panel) for panel in figure.axes if panel.axison), figure.note]
    return figure.title, " ".join(part.rstrip(".") + "." for part in parts if part)


def _panel(panel: Axes) -> str:
    """What is drawn against what, and what the lines are."""
    name = panel.get_title(loc="left")
    axes = " against ".join(filter(None, (panel.get_ylabel(), panel.get_xlabel())))
    lines = "; ".join(dict.fromkeys(_lines(panel)))
    head = f"Panel {name}" if name else "Panel"
    return " ".join((f"{head}: {axes}{', for ' if lines else ''}{lines}").split())


def _lines(panel: Axes) -> Iterator[str]:
    """The names of what is drawn; matplotlib's own names begin with a line."""
    for line in panel.get_lines():
        name = str(line.get_label())
        if not name.startswith("_"):
            yield name
