"""A line's arithmetic against numbers worked out by hand."""

from __future__ import annotations

import pytest

from tcpsim.errors import InputError
from tcpsim.path import Uniform
from tcpsim.path.link import Link, wire_bytes
from tcpsim.tcp.segment import Options, Segment
from tests.path.wire import Tape, seg


def arrivals(link: Link, *sent: tuple[int, int]) -> list[int | str]:
    """When segments of (payload bytes, time) arrive, or why not."""
    found: list[int | str] = []
    for length, now in sent:
        after, emerged, why = link.carry("client", seg(length=length), now, Tape())
        assert isinstance(after, Link)
        link = after
        found.append(emerged[0][0] if emerged else why)
    return found


def test_a_line_without_a_rate_adds_its_delay_and_stays_as_it_is() -> None:
    link = Link(10_000)
    assert arrivals(link, (0, 0), (1460, 0), (9, 77)) == [10_000, 10_000, 10_077]
    assert link.carry("client", seg(), 0, Tape())[0] is link


def test_segments_queue_for_the_transmitter() -> None:
    # 1000 bytes of packet at 8 Mbit/s take 1000 us; the third finds the line free again.
    link = Link(10_000, rate_bps=8_000_000)
    assert arrivals(link, (960, 0), (960, 0), (960, 5_000)) == [11_000, 12_000, 16_000]


def test_small_segments_at_a_high_rate_do_not_round_up_one_by_one() -> None:
    # 40 bytes at 1 Gbit/s are 0.32 us: the n-th ends at 0.32 n, rounded up once.
    found = arrivals(Link(0, rate_bps=10**9), *[(0, 0)] * 100)
    assert found == [-(-32 * n // 100) for n in range(1, 101)]
    assert found[-1] == 32


def test_a_full_queue_loses() -> None:
    # 1000 us each: one in transmission, two waiting, the fourth is lost; at 1000 there is room for one again.
    link = Link(0, rate_bps=8_000_000, queue_packets=2)
    sent = [(960, 0)] * 4 + [(960, 1_000)] * 2
    assert arrivals(link, *sent) == [1_000, 2_000, 3_000, "queue full", 4_000, "queue full"]
    assert arrivals(Link(0, rate_bps=8_000_000, queue_packets=0), (960, 0), (960, 999), (960, 1_000)) == [
        1_000,
        "queue full",
        2_000,
    ]


def test_an_unlimited_queue_remembers_one_number() -> None:
    link = Link(0, rate_bps=8_000_000)
    for _ in range(50):
        after, _, _ = link.carry("client", seg(length=960), 0, Tape())
        assert isinstance(after, Link)
        link = after
    assert len(link.leaving) == 1


def test_jitter_is_drawn_once_per_segment_and_may_reorder() -> None:
    jitter = Uniform(0, 5_000)
    link, tape = Link(10_000, jitter), Tape(4_000, 1_000)
    first = link.carry("client", seg(), 0, tape)[1][0][0]
    second = link.carry("client", seg(), 100, tape)[1][0][0]
    assert (first, second) == (14_000, 11_100)
    assert tape.asked == [jitter, jitter]


@pytest.mark.parametrize(
    ("options", "size"),
    [
        (Options(), 40),
        (Options(mss=1460), 44),
        # Linux's SYN: MSS, SACK permitted, timestamps, NOP, window scale = 20 bytes
        (Options(1460, 7, True, 1, 0, layout=("mss", "sack_permitted", "ts", "nop", "wscale")), 60),
        (Options(1460, 7, True, 1, 0), 60),  # 19 bytes filled up
        (Options(ts_val=1, ts_ecr=2, layout=("nop", "nop", "ts")), 52),
        (Options(ts_val=1, ts_ecr=2, sack=((1, 2),), layout=("nop", "nop", "ts", "nop", "nop", "sack")), 64),
        (Options(sack=((1, 2), (3, 4), (5, 6))), 68),  # 26 bytes filled up to 28
    ],
)
def test_the_size_of_a_packet(options: Options, size: int) -> None:
    assert wire_bytes(Segment(1, 2, 16, 0, 0, 0, 0, options)) == size
    assert wire_bytes(Segment(1, 2, 16, 0, 0, 1000, 0, options)) == size + 1000


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"delay_us": -1}, "link.delay_us"),
        ({"delay_us": 0, "rate_bps": 0}, "link.rate_bps"),
        ({"delay_us": 0, "rate_bps": 1, "queue_packets": -1}, "link.queue_packets"),
        ({"delay_us": 0, "queue_packets": 5}, "link.queue_packets"),
    ],
)
def test_impossible_lines_are_refused(fields: dict[str, int], where: str) -> None:
    with pytest.raises(InputError, match=f"^{where}: found "):
        Link(**fields)  # type: ignore[arg-type]
