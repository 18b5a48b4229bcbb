"""The palette: every colour can be seen on paper, and none stands for two things."""

from __future__ import annotations

from itertools import combinations

import pytest

from tcpsim.draw import colours
from tcpsim.draw.colours import SERIES, STATE_COLOURS, contrast, difference, ink_on, readable
from tcpsim.tcp.state import State


def test_every_state_has_a_colour_of_its_own() -> None:
    assert set(STATE_COLOURS) == set(State)
    assert len(set(STATE_COLOURS.values())) == len(State)


@pytest.mark.parametrize("state", State)
def test_a_state_can_be_seen_as_a_line_a_word_and_an_area(state: State) -> None:
    colour = STATE_COLOURS[state]
    assert contrast(colour) >= colours.LINE_CONTRAST
    assert contrast(readable(colour)) >= colours.WORD_CONTRAST
    assert contrast(ink_on(colour), colour) >= colours.WORD_CONTRAST


@pytest.mark.parametrize("colour", [*SERIES, colours.INK, colours.QUIET, colours.ALARM])
def test_a_series_can_carry_a_word(colour: str) -> None:
    assert contrast(colour) >= colours.WORD_CONTRAST


@pytest.mark.parametrize("palette", [tuple(STATE_COLOURS.values()), SERIES], ids=["states", "series"])
def test_no_two_colours_of_a_palette_look_alike(palette: tuple[str, ...]) -> None:
    assert min(difference(one, other) for one, other in combinations(palette, 2)) > 0.08


def test_no_series_has_the_colour_of_a_state() -> None:
    assert not set(SERIES) & set(STATE_COLOURS.values())
