"""The diagram shows every row of the table, on a route that was looked at, and no word lies on another."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from tcpsim.draw import states_figure, states_layout
from tcpsim.draw.figure_style import render
from tcpsim.draw.states_text import fact_words, states_text
from tcpsim.tcp.lifecycle import TABLE
from tcpsim.tcp.state import State


def _boxes() -> dict[str, Bbox]:
    """The words of the picture, with their extent in inches."""
    figure = states_figure.states_figure()
    renderer = FigureCanvasAgg(figure).get_renderer()
    (panel,) = figure.axes
    to_inches = panel.transData.inverted()
    return {
        f"{text.get_text()}@{text.get_position()}": text.get_window_extent(renderer).transformed(to_inches)
        for text in panel.texts
        if text.get_text()
    }


def test_text_has_a_line_for_every_row() -> None:
    lines = states_text().splitlines()
    for row in TABLE:
        assert any(row.rule in line.split() and str(row.next_state) in line for line in lines), row.rule


def test_picture_shows_every_row() -> None:
    words = " ".join(_boxes())
    for row in TABLE:
        assert fact_words(row.fact) in words
    drawn = states_layout.arcs()
    inside = [
        row for row in TABLE if (row.state, row.next_state) not in drawn or states_layout.is_ending(row)
    ]
    assert {row.rule for row in inside} == {row.rule for row in TABLE if states_layout.is_ending(row)}


@pytest.mark.parametrize("arc", states_layout.arcs(), ids=lambda arc: f"{arc[0]}-{arc[1]}")
def test_every_arc_has_a_route_somebody_looked_at(arc: tuple[State, State]) -> None:
    assert states_layout.has_route(*arc)


def test_no_word_lies_on_another() -> None:
    for (one, box), (two, other) in combinations(_boxes().items(), 2):
        assert not box.overlaps(other), f"{one} lies on {two}"


def test_no_arc_runs_through_a_word() -> None:
    boxes = _boxes()
    for arc in states_layout.arcs():
        for begin, end in pairwise(states_layout.route(*arc).points):
            for name, box in boxes.items():
                assert not Path([begin, end]).intersects_bbox(box, filled=False), f"{arc} runs through {name}"


def test_picture_is_the_same_twice() -> None:
    assert render(states_figure.states_figure(), "svg") == render(states_figure.states_figure(), "svg")


def test_every_route_is_an_arc_of_the_table() -> None:
    assert set(states_layout._ROUTES) == set(states_layout.arcs())
