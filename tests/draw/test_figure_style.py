"""Figures: written whole or not at all, in one palette, labels that do not touch."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from tcpsim.draw import curves, figure_style
from tcpsim.draw.colours import state_colour
from tcpsim.errors import InputError
from tcpsim.tcp.state import State


def test_unwritable_output_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file or directory"):
        figure_style.write_whole(tmp_path / "missing" / "a.txt", b"x")
    (tmp_path / "taken").mkdir()
    with pytest.raises(InputError, match="taken"):
        figure_style.write_whole(tmp_path / "taken", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    figure_style.write_whole(path, b"new")
    assert path.read_text() == "new"


def test_unknown_format_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"picture format: found gif, allowed: svg, png, pdf"):
        figure_style.save(figure_style.blank(1, 1, "title", "says"), tmp_path / "a.gif")


def test_labels_of_equal_lines_do_not_touch() -> None:
    figure, (panel,) = curves.sheet("title", "subtitle")
    for name in ("one", "two", "three", "four"):
        curves.band(panel, [0.0, 0.3], [0.5, 0.5], label=name, low=[0.4, 0.4], high=[0.6, 0.6])
    panel.set_ylim(0, 1)
    curves.label_ends(panel)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    extents = sorted((text.get_window_extent(renderer) for text in panel.texts), key=lambda box: box.y0)
    assert len(extents) == 4
    assert all(below.y1 <= above.y0 for below, above in pairwise(extents))


def test_areas_carry_the_colour_of_their_state_and_a_label() -> None:
    _, (panel,) = curves.sheet("title")
    t_us = np.arange(3) * 1_000_000
    curves.areas(panel, t_us, {"CLOSE-WAIT": [1, 2, 3], "FIN-WAIT-2": [0, 0, 0], "other": [1, 1, 1]})
    assert [line.get_label() for line in panel.get_lines()] == ["CLOSE-WAIT", "_thin", "other"]
    assert panel.get_lines()[0].get_color() == state_colour(State.CLOSE_WAIT)


@pytest.mark.parametrize(
    ("span_us", "unit", "ticks"),
    [
        (60_000_000, "time (s)", ["0", "10", "20", "30", "40", "50", "60"]),
        (86_400_000_000, "time (h)", ["0", "3", "6", "9", "12", "15", "18", "21", "24"]),
        (604_800_000_000, "time (days)", ["0", "1", "2", "3", "4", "5", "6", "7"]),
    ],
)
def test_time_axis_speaks_round_units(span_us: int, unit: str, ticks: list[str]) -> None:
    _, (panel,) = curves.sheet("title")
    curves.time_axis(panel, span_us)
    assert panel.get_xlabel() == unit
    assert [label.get_text() for label in panel.get_xticklabels()] == ticks


def test_bytes_axis_speaks_binary_units() -> None:
    figure, (panel,) = curves.sheet("title")
    curves.steps(panel, [0, 1], [0, 3 * 1024**2], label="x")
    curves.bytes_axis(panel)
    figure.draw(FigureCanvasAgg(figure).get_renderer())
    assert panel.get_yticklabels()[1].get_text().endswith("MiB")


def test_a_picture_says_what_it_is() -> None:
    figure, (panel,) = curves.sheet("A <finding>", "Said & done.")
    curves.steps(panel, [0, 1], [0, 3], label="CLOSE-WAIT")
    panel.set(xlabel="time", ylabel="sockets")
    curves.footnote(figure, "Seed 1")
    root = ElementTree.fromstring(figure_style.render(figure, "svg"))
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "A <finding>"
    said = "Said & done. Panel: sockets against time, for CLOSE-WAIT. Seed 1."
    assert root.findtext("{http://www.w3.org/2000/svg}desc") == said
    words = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"A <finding>", "time", "sockets"} <= set(words)
    assert b"A <finding>" in figure_style.render(figure, "png")


def test_the_words_of_an_svg_name_fonts_that_a_browser_has() -> None:
    figure, _ = curves.sheet("title")
    assert b"'DejaVu Sans', 'Bitstream Vera Sans', 'Verdana', 'Geneva', sans-serif" in figure_style.render(
        figure, "svg"
    )


def test_a_figure_is_the_same_in_every_file_and_every_time() -> None:
    def drawn() -> curves.Figure:
        figure, panels = curves.sheet("title", "subtitle", columns=2)
        for panel in panels:
            curves.steps(panel, [0, 1], [0, 3], label="a long label at the end of a line")
            panel.set(xlabel="time", ylabel="sockets")
            curves.label_ends(panel)
        curves.footnote(figure, "a footnote")
        return figure

    once = drawn()
    first, _, again = (figure_style.render(once, kind) for kind in ("svg", "png", "svg"))
    assert {first, again, *(figure_style.render(drawn(), "svg") for _ in range(5))} == {first}


def test_a_long_title_is_wrapped_and_a_unit_stays_with_its_number() -> None:
    lines = figure_style.wrapped("it takes 10 min " * 9, 13, 4.0, bold=True)
    assert len(lines) > 3
    assert " ".join(lines) == ("it takes 10 min " * 9).strip()
    assert not any(line.startswith("min") for line in lines)
