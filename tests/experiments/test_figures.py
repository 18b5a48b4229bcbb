"""Every committed figure: without a fault, and what its own table says.

What is checked is drawn anew from the committed table, as `make figures` does.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest

from experiments.__main__ import NAMES
from tcpsim.draw.alt_text import describe
from tcpsim.draw.curves import Figure
from tcpsim.draw.figure_faults import faults

ROOT = Path(__file__).parents[2]
FIGURES, PICTURES = ROOT / "figures", ROOT / "docs" / "pictures"
SVG = "{http://www.w3.org/2000/svg}"


@cache
def drawn(name: str) -> Figure:
    table = pl.read_csv(FIGURES / f"{name}.csv", infer_schema_length=None)
    figure: Figure = import_module(f"experiments.{name}").figure(table)
    return figure


def words(svg: Path) -> list[str]:
    return ["".join(node.itertext()) for node in ElementTree.parse(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wrong_with_it(name: str) -> None:
    assert faults(drawn(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_file_says_what_the_table_says(name: str) -> None:
    """The committed file carries the title that is computed from the committed table, and its words."""
    figure = drawn(name)
    title, description = describe(figure)
    root = ElementTree.parse(FIGURES / f"{name}.svg").getroot()
    assert root.findtext(f"{SVG}title") == title
    assert root.findtext(f"{SVG}desc") == description
    shown = " ".join(words(FIGURES / f"{name}.svg"))
    assert title in shown
    for panel in figure.axes:
        if panel.axison:
            assert panel.get_xlabel() in shown
            assert panel.get_ylabel() in shown


@pytest.mark.parametrize("name", NAMES)
def test_the_title_is_a_finding(name: str) -> None:
    title, description = describe(drawn(name))
    assert re.search(r"\d", title)
    assert not title.endswith("?")
    assert len(description) > 200


@pytest.mark.parametrize("path", sorted(PICTURES.glob("*.svg")), ids=lambda path: path.stem)
def test_a_picture_of_the_docs_has_words_a_title_and_a_description(path: Path) -> None:
    root = ElementTree.parse(path).getroot()
    assert len(root.findtext(f"{SVG}title") or "") > 10
    assert len(root.findtext(f"{SVG}desc") or "") > 40
    assert len(words(path)) > 5
    assert not root.findall(".//{http://purl.org/dc/elements/1.1/}date")


@pytest.mark.parametrize("name", NAMES)
def test_the_docs_show_the_figure_as_it_is(name: str) -> None:
    shown = PICTURES / f"{name}.svg"
    if shown.exists():
        assert shown.read_bytes() == (FIGURES / f"{name}.svg").read_bytes()
