"""The ladder: each column reads downwards, crossings stay visible, silence is said, 100 columns hold it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.patches import FancyArrowPatch

import tcpsim
from tcpsim.draw import ladder as text
from tcpsim.draw.figure_style import render, save
from tcpsim.draw.ladder_figure import ladder_figure
from tcpsim.draw.ladder_rows import Flight, Item, Story
from tcpsim.errors import InputError

MS = 1_000
FIN_C, FIN_S = (
    Flight("client", "FIN ACK seq 1 ack 1", "FA 1"),
    Flight("server", "FIN ACK seq 1 ack 1", "FA 1"),
)

SIMULTANEOUS_CLOSE = Story(
    (
        Item(0, "client", "call", "close(3) = 0"),
        Item(0, "client", "state", "FIN-WAIT-1"),
        Item(0, "client", "send", "", 0),
        Item(1 * MS, "server", "state", "FIN-WAIT-1"),
        Item(1 * MS, "server", "send", "", 1),
        Item(10 * MS, "server", "arrive", "", 0),
        Item(10 * MS, "server", "state", "CLOSING"),
        Item(11 * MS, "client", "arrive", "", 1),
        Item(11 * MS, "client", "state", "CLOSING"),
    ),
    (FIN_C, FIN_S),
)


def test_segments_that_cross_are_departures_and_arrivals() -> None:
    steps = list(text.steps(SIMULTANEOUS_CLOSE))
    joined = [step for step in steps if step.arrival]
    assert len(joined) == 1, "of two that cross, only one can be a single row"
    assert "··" in text.ladder(SIMULTANEOUS_CLOSE)


SIMULTANEOUS_CLOSE_AS_TEXT = """\
                 client                                                     server
     0 ms close(3) = 0         │                                   │
     0 ms FIN-WAIT-1           │── FIN ACK seq 1 ack 1 ············│
    11 ms CLOSING              │◀─────────── FIN ACK seq 1 ack 1 ──│ FIN-WAIT-1                1 ms
                               │·· FIN ACK seq 1 ack 1 ───────────▶│ CLOSING                  10 ms
"""


def test_simultaneous_close_as_text() -> None:
    assert text.ladder(SIMULTANEOUS_CLOSE) == SIMULTANEOUS_CLOSE_AS_TEXT


def test_a_segment_that_nothing_crosses_is_one_row_with_both_times() -> None:
    story = Story((Item(0, "client", "send", "", 0), Item(10 * MS, "server", "arrive", "", 0)), (FIN_C,))
    lines = text.ladder(story).splitlines()[1:]
    assert len(lines) == 1
    assert lines[0].split("│")[0].split() == ["0", "ms"]
    assert lines[0].split("│")[2].split() == ["10", "ms"]


def test_an_acknowledgement_gives_way_to_data() -> None:
    data = [Flight("server", f"ACK seq {n}", f"A {n}") for n in range(3)]
    ack = Flight("client", "ACK 2", "A", minor=True)
    items = [Item(0, "server", "send", "", n) for n in range(3)]
    items += [Item(10, "client", "arrive", "", 0), Item(10, "client", "send", "", 3)]
    items += [Item(10, "client", "arrive", "", 1), Item(10, "client", "arrive", "", 2)]
    items += [Item(20, "server", "arrive", "", 3)]
    steps = list(text.steps(Story(tuple(items), (*data, ack))))
    assert [step.item.flight for step in steps if step.arrival] == [0, 1, 2]


def test_loss_and_silence_are_said() -> None:
    lost = FIN_C._replace(lost="loss")
    story = Story(
        (Item(0, "client", "send", "", 0), Item(60_000 * MS, "server", "timer", "timer: x")), (lost,)
    )
    page = text.ladder(story._replace(end_us=7_260_000 * MS))
    assert "X loss" in page
    assert "... 60 s pass ..." in page
    assert page.splitlines()[-1].strip() == "... 2 h pass ..."


words = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=50)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Any run of two ends over a path that delays, loses and reorders."""
    flights: list[Flight] = []
    items: list[Item] = []
    for _ in range(draw(st.integers(0, 12))):
        t_us = draw(st.integers(0, 5_000_000))
        side = draw(st.sampled_from(["client", "server"]))
        if draw(st.booleans()):
            items.append(Item(t_us, side, draw(st.sampled_from(["call", "note", "timer"])), draw(words)))
            continue
        lost = draw(st.sampled_from([None, "loss", "server FIN 2"]))
        flights.append(Flight(side, draw(words), "short", draw(st.booleans()), lost))
        items.append(Item(t_us, side, "send", "", len(flights) - 1))
        if lost is None:
            hearer = "server" if side == "client" else "client"
            arrives = t_us + draw(st.integers(1, 3_000_000))
            items.append(Item(arrives, hearer, "arrive", "", len(flights) - 1))
    return Story(tuple(sorted(items, key=lambda item: item.t_us)), tuple(flights))


@given(stories())
def test_each_column_reads_downwards_and_nothing_is_left_out(story: Story) -> None:
    told: list[Item] = []
    for step in text.steps(story):
        told += [step.item, *([step.arrival] if step.arrival else [])]
    assert sorted(told) == sorted(story.items)
    for side in ("client", "server"):
        column = [item for item in told if item.side == side]
        assert column == [item for item in story.items if item.side == side]


@given(stories())
def test_no_line_is_longer_than_the_page(story: Story) -> None:
    assert all(len(line) <= text.WIDTH for line in text.ladder(story).splitlines())


def test_picture_is_whole_and_the_same_twice(tmp_path: Path) -> None:
    figures = [render(ladder_figure(SIMULTANEOUS_CLOSE, "simultaneous close"), "svg") for _ in range(2)]
    assert figures[0] == figures[1]
    save(ladder_figure(SIMULTANEOUS_CLOSE), tmp_path / "ladder.png", tmp_path / "ladder.svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ladder.png", "ladder.svg"]


def test_what_a_box_sends_and_what_was_sent_before_is_half_an_arrow() -> None:
    """Neither has a departure in the ladder; the text marks them with dots, the picture begins half way."""
    boxed = tcpsim.run("load-balancer-forgets-an-idle-pool")
    assert "◀────────────────── RST seq 1001 ··│" in str(boxed)
    later = tcpsim.run("one-rst-stack", from_="close")
    assert "│·· ACK 1 ─" in str(later)
    for story, number in ((boxed.story, 1), (later.story, 2)):
        departed = {item.flight for item in story.items if item.kind == "send"}
        arrived = {item.flight for item in story.items if item.kind == "arrive"}
        assert len(arrived - departed) == number
        drawn = ladder_figure(story).axes[0].patches
        dashed = [
            each for each in drawn if isinstance(each, FancyArrowPatch) and each.get_linestyle() != "solid"
        ]
        assert len(dashed) == number


def test_a_picture_has_its_limits() -> None:
    story = Story(tuple(Item(t, "client", "note", "x") for t in range(3_000)), ())
    with pytest.raises(InputError, match=r"3,000 events, allowed: about 1,500"):
        ladder_figure(story)
