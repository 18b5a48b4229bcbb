"""The rules of a figure, each on a figure that was spoiled on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from matplotlib.patches import FancyArrowPatch

from tcpsim.draw import curves
from tcpsim.draw.colours import INK, STATE_COLOURS, state_colour
from tcpsim.draw.curves import Axes, Figure
from tcpsim.draw.figure_faults import faults
from tcpsim.draw.figure_style import render
from tcpsim.tcp.state import State


def fine() -> tuple[Figure, Axes]:
    """A figure with two lines, as an experiment draws it."""
    figure, (panel,) = curves.sheet("What the figure says", "and a little more of it")
    for name, slope in (("CLOSE-WAIT", 900), ("FIN-WAIT-2", 300)):
        curves.steps(panel, [0, 60_000_000], [0, slope], label=name, colour=state_colour(name))
    panel.axhline(500, color=INK, lw=1, ls=(0, (4, 2)))
    curves.time_axis(panel, 60_000_000)
    curves.count_axis(panel, "sockets")
    curves.label_ends(panel)
    curves.footnote(figure, "Seed 1.")
    return figure, panel


def test_nothing_is_wrong_with_a_figure_that_is_fine() -> None:
    assert faults(fine()[0]) == []


def test_a_figure_is_the_same_after_it_was_checked() -> None:
    figure, _ = fine()
    assert faults(figure) == []
    assert render(figure, "svg") == render(fine()[0], "svg")


def word(panel: Axes, x: float, y: float, text: str, **how: Any) -> None:
    panel.text(x, y, text, transform=panel.transAxes, fontsize=9, **how)


def lies_on_another(panel: Axes) -> None:
    word(panel, 0.2, 0.9, "one word", color=INK)
    word(panel, 0.25, 0.905, "another", color=INK)


def pale_arrow(panel: Axes) -> None:
    panel.add_patch(FancyArrowPatch((0, 0), (60_000_000, 800), color="#f2cf7a"))


SPOILED: list[tuple[Callable[[Axes], object], str]] = [
    (
        lambda panel: word(panel, 1.3, 0.5, "far out", color=INK, in_layout=False),
        "beyond the canvas, or at its edge: 'far out'",
    ),
    (
        lambda panel: word(panel, 0.5, -2, "below", color=INK, in_layout=False),
        "at its edge: 'below'",
    ),
    (
        lambda panel: panel.figure.text(0.001, 0.5, "at the edge", color=INK),
        "beyond the canvas, or at its edge: 'at the edge'",
    ),
    (lies_on_another, "'one word' lies on 'another'"),
    (lambda panel: panel.set_xlabel(""), "panel 1 does not say what is along its x axis"),
    (lambda panel: panel.set_ylabel(" "), "panel 1 does not say what is along its y axis"),
    (
        lambda panel: panel.get_lines()[0].set_color("#f2cf7a"),
        "contrast 1.5:1 on paper: CLOSE-WAIT in #f2cf7a",
    ),
    (pale_arrow, "contrast 1.5:1 on paper: FancyArrowPatch in #f2cf7a"),
    (lambda panel: panel.bar([1e7], [100], 1e6, color="#b4c3d1"), "on paper: _nolegend_ in #b4c3d1"),
    (lambda panel: panel.fill_between([0, 6e7], 0, 50, color="#b4c3d1"), "in #b4c3d1"),
    (lambda panel: word(panel, 0.2, 0.9, "faint", color="#9aa3ad"), "or a line through it: 'faint'"),
    (
        lambda panel: (
            panel.axhspan(700, 900, color=STATE_COLOURS[State.LAST_ACK]),
            word(panel, 0.2, 0.9, "dark on dark", color=INK),
        ),
        "or a line through it: 'dark on dark'",
    ),
    (
        lambda panel: panel.text(1e7, 500, "struck through", va="center", color=INK, fontsize=9),
        "or a line through it: 'struck through'",
    ),
    (
        lambda panel: panel.text(1e7, 800, "tiny", color=INK, fontsize=6),
        "6.5 pixels high on a page of 700: 'tiny'",
    ),
    (lambda panel: panel.get_lines()[0].set_label("something"), "'something' has the colour of CLOSE-WAIT"),
    (
        lambda panel: panel.plot([0, 6e7], [0, 1], color="#d04532", label="other"),
        "'other' looks like CLOSE-WAIT",
    ),
    (
        lambda panel: [panel.plot([0, 6e7], [0, 1], color=INK, label=name) for name in ("one", "two")],
        "'two' looks like 'one'",
    ),
]


@pytest.mark.parametrize(("spoil", "complaint"), SPOILED, ids=[complaint for _, complaint in SPOILED])
def test_it_finds_what_is_spoiled(spoil: Callable[[Axes], object], complaint: str) -> None:
    figure, panel = fine()
    spoil(panel)
    found = faults(figure)
    assert any(complaint in fault for fault in found), found


def test_a_turned_word_has_a_turned_box() -> None:
    figure, panel = fine()
    for y in (0.55, 0.75):
        word(panel, 0.1, y, "a long word along an arrow", rotation=20, rotation_mode="anchor", color=INK)
    assert not any("lies on" in fault for fault in faults(figure))
    word(panel, 0.1, 0.78, "a long word along an arrow", rotation=20, rotation_mode="anchor", color=INK)
    assert any("lies on" in fault for fault in faults(figure))


def test_a_shade_and_a_grid_may_be_pale() -> None:
    figure, panel = fine()
    panel.fill_between([0, 6e7], 100, 200, color=state_colour("CLOSE-WAIT"), alpha=0.2)
    panel.grid(axis="both", color="#eeeeee")
    assert faults(figure) == []
