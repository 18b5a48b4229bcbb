"""The path as a whole: fates, order of arrival, chains, and that it is a value."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpsim.errors import InputError
from tcpsim.path import SIDES, Fate, Path, Quiet, Seeded, Uniform, due, inject, make_path, next_time, send
from tcpsim.path.element import Side
from tcpsim.path.link import Link
from tcpsim.path.loss import Duplicate, GilbertElliott, Loss, Reorder
from tests.path.wire import Tape, fates, other, seg

DEFAULTS = settings(derandomize=True, deadline=None)
SENDS = st.lists(st.tuples(st.sampled_from(SIDES), st.integers(0, 5_000)), max_size=40)


def drain(path: Path) -> list[tuple[int, Side, int]]:
    """(time, receiver, seq) of everything in flight, by stepping from `next_time` to `next_time`."""
    found = []
    while (now := next_time(path)) is not None:
        path, arrived = due(path, now)
        assert arrived
        found += [(now, receiver, segment.seq) for receiver, segment in arrived]
    return found


def test_a_segment_arrives_at_the_other_side_after_the_delay() -> None:
    path, found = send(make_path(10_000), "client", seg(), 5_000, Quiet())
    assert found == (Fate("delivered", "", 15_000),)
    assert next_time(path) == 15_000
    assert due(path, 14_999) == (path, ())
    after, arrived = due(path, 15_000)
    assert arrived == (("server", seg()),)
    assert after == make_path(10_000)
    assert next_time(after) is None


def test_loss_is_per_receiver() -> None:
    path = make_path(10, loss_to_client=1.0)
    assert fates(path, [("client", seg(), 0), ("server", seg(), 0)]) == [
        [Fate("delivered", "", 10)],
        [Fate("lost", "loss", None)],
    ]
    assert next_time(send(path, "server", seg(), 0, Quiet())[0]) is None
    mirrored = make_path(10, loss_to_server=1.0)
    assert [fate.kind for [fate] in fates(mirrored, [("client", seg(), 0), ("server", seg(), 0)])] == [
        "lost",
        "delivered",
    ]


def test_a_path_without_chance_asks_nobody() -> None:
    path = make_path(10, drops=["server FIN"], rate_bps=10**6, queue_packets=3)
    fates(path, [(side, seg("FA", 10), 0) for side in SIDES for _ in range(6)], Tape())


@DEFAULTS
@given(SENDS, st.booleans())
def test_a_line_keeps_the_order_and_equal_times_keep_the_order_of_sending(
    sends: list[tuple[Side, int]], slow: bool
) -> None:
    path = make_path(700, rate_bps=10**6 if slow else None)
    for number, (side, now) in enumerate(sorted(sends, key=lambda each: each[1])):
        path, _ = send(path, side, seg(seq=number, length=7 * number), now, Quiet())
    arrived = drain(path)
    assert len(arrived) == len(sends)
    for side in SIDES:
        order = [number for _, receiver, number in arrived if receiver == side]
        assert order == sorted(order)
    if not slow:
        assert [number for _, _, number in arrived] == list(range(len(sends)))


@DEFAULTS
@given(SENDS, st.integers(0, 2**32))
def test_whatever_happens_arrivals_are_ordered_and_match_the_fates(
    sends: list[tuple[Side, int]], seed: int
) -> None:
    path = make_path(
        700,
        0.1,
        GilbertElliott(0.2, 0.5),
        ["client #3", "client after 4ms before 4500us"],
        jitter=Uniform(0, 900),
        rate_bps=10**6,
        queue_packets=4,
        duplicate=0.2,
        reorder=0.3,
        reorder_extra_us=500,
    )
    chooser, expected = Seeded(seed), []
    for number, (side, now) in enumerate(sorted(sends, key=lambda each: each[1])):
        path, found = send(path, side, seg(seq=number), now, chooser)
        assert found
        assert [fate.kind for fate in found if fate.kind != "lost"] in (
            [],
            ["delivered"],
            ["duplicated"],
            ["delivered", "duplicated"],
        )
        expected += [(fate.due_us, other(side), number) for fate in found if fate.due_us is not None]
    arrived = drain(path)
    assert [at for at, _, _ in arrived] == sorted(at for at, _, _ in arrived)
    assert arrived == sorted(expected, key=lambda each: each[0])  # a stable sort: equal times as sent


@DEFAULTS
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(SIDES)), max_size=20))
def test_injected_segments_take_their_place(injected: list[tuple[int, Side]]) -> None:
    path = make_path(0)
    for number, (due_us, receiver) in enumerate(injected):
        path = inject(path, receiver, seg(seq=number), due_us)
    assert drain(path) == sorted(
        [(due_us, receiver, number) for number, (due_us, receiver) in enumerate(injected)],
        key=lambda each: each[0],
    )


def test_due_takes_everything_that_is_late() -> None:
    path = make_path(10)
    for now in (0, 5, 20):
        path, _ = send(path, "client", seg(seq=now), now, Quiet())
    path, arrived = due(path, 15)
    assert [segment.seq for _, segment in arrived] == [0, 5]
    assert next_time(path) == 30


def test_a_duplicate_is_a_second_fate_and_a_second_arrival() -> None:
    path, found = send(make_path(10, duplicate=1.0), "server", seg(), 0, Quiet())
    assert found == (Fate("delivered", "", 10), Fate("duplicated", "duplicate", 10))
    assert due(path, 10)[1] == (("client", seg()), ("client", seg()))


def test_copies_meet_the_rest_of_the_chain_each_for_itself() -> None:
    chain = (Duplicate(1.0), Loss(0.5), Link(10), Duplicate(0.5))
    path, found = send(Path(to_server=chain), "client", seg(), 0, Tape(1, 0, 1))
    assert found == (
        Fate("lost", "loss", None),
        Fate("duplicated", "duplicate", 10),
        Fate("duplicated", "duplicate", 10),
    )
    assert len(path.flights) == 2
    # The transmitter sends both copies, one after the other: 40 bytes at 1 Mbit/s take 320 us.
    path = make_path(0, duplicate=1.0, rate_bps=10**6)
    assert [fate.due_us for fate in send(path, "client", seg(), 0, Quiet())[1]] == [320, 640]


def test_a_held_segment_is_overtaken() -> None:
    path, tape = make_path(10, reorder=0.5, reorder_extra_us=100), Tape(1, 0)
    path, held = send(path, "client", seg(seq=0), 0, tape)
    path, overtaker = send(path, "client", seg(seq=1), 1, tape)
    assert held == (Fate("delivered", "held back", 110),)
    assert overtaker == (Fate("delivered", "", 11),)
    assert drain(path) == [(11, "server", 1), (110, "server", 0)]


def test_each_direction_has_its_own_transmitter_and_burst() -> None:
    path = make_path(0, rate_bps=10**6)
    assert [fate.due_us for [fate] in fates(path, [(side, seg(), 0) for side in (*SIDES, *SIDES)])] == [
        320,
        320,
        640,
        640,
    ]
    bursty = make_path(0, GilbertElliott(0.5, 0.5), GilbertElliott(0.5, 0.5))
    after, _ = send(bursty, "client", seg(), 0, Tape(1, 0))
    assert after.to_client == bursty.to_client
    assert after.to_server != bursty.to_server


def test_scripts_come_first_and_see_both_directions() -> None:
    path = make_path(10, 1.0, 1.0, ["both ANY 2"])
    found = fates(path, [("client", seg(), 0), ("server", seg(), 0), ("client", seg(), 0)])
    assert [fate.why for [fate] in found] == ["loss", "both ANY 2", "loss"]


def test_what_is_under_way_when_a_line_is_cut_still_arrives() -> None:
    path = make_path(10_000, drops=["client after 5ms"])
    path, _ = send(path, "server", seg(seq=1), 4_999, Quiet())
    path, found = send(path, "server", seg(seq=2), 5_000, Quiet())
    assert found == (Fate("lost", "client after 5ms", None),)
    assert drain(path) == [(14_999, "client", 1)]


def test_paths_are_values() -> None:
    def life(path: Path) -> set[Path]:
        states = {path}
        for now in range(0, 50, 10):
            path, _ = send(path, "client", seg("FA"), now, Seeded(now))
            states.add(path)
            path, _ = due(path, now + 5)
            states.add(path)
        return states

    make = lambda: make_path(3, 0.1, 0.5, ["client FIN 2"], rate_bps=10**9, reorder=0.5, reorder_extra_us=9)  # noqa: E731
    start = make()
    assert life(start) == life(make())
    assert start == make()  # none of this changed it


def test_seeded_paths_repeat_and_connections_differ() -> None:
    def run(index: int) -> list[list[Fate]]:
        return fates(
            make_path(10, 0.3, 0.3, jitter=Uniform(0, 99)),
            [("client", seg(), n) for n in range(30)],
            Seeded(1, index),
        )

    assert run(0) == run(0)
    assert run(0) != run(1)


def test_zero_probabilities_leave_no_element_behind() -> None:
    assert make_path(5, 0.0, 0) == Path((), (Link(5),), (Link(5),))
    assert make_path(5, duplicate=0.1, reorder=0.2, reorder_extra_us=7).to_client == (
        Duplicate(0.1),
        Link(5),
        Reorder(0.2, 7),
    )


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"delay_us": -1}, "link.delay_us"),
        ({"delay_us": 1, "loss_to_client": 1.1}, "loss"),
        ({"delay_us": 1, "loss_to_server": -0.1}, "loss"),
        ({"delay_us": 1, "drops": ["client nothing"]}, "drop"),
        ({"delay_us": 1, "reorder": 0.5}, "reorder.extra_us"),
    ],
)
def test_impossible_paths_are_refused(arguments: dict[str, object], where: str) -> None:
    with pytest.raises(InputError, match=f"^{where}: found "):
        make_path(**arguments)  # type: ignore[arg-type]
