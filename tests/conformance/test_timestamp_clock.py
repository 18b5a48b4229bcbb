"""Where the milliseconds of a recorded timestamp clock begin."""

from __future__ import annotations

import json
from itertools import cycle
from pathlib import Path
from random import Random

import pytest

from tcpsim.conformance.traces import judge
from tcpsim.conformance.traces.timestamp_clock import MS_US, Stamp, began_us

LAB = Path(__file__).parents[1] / "data" / "kernel" / "lab"


def stamps(begins_us: int, times_us: list[int], sender: str = "A", secret: int = 0) -> list[Stamp]:
    return [(sender, at_us, (at_us - begins_us) // MS_US + secret) for at_us in times_us]


@pytest.mark.parametrize("seed", range(30))
def test_many_segments_tell_it(seed: int) -> None:
    """All TSvals are then what the clock gives, whatever secret each sender adds."""
    random = Random(seed)
    begins_us = random.randrange(MS_US)
    told: list[Stamp] = []
    for sender in ("A", "B"):
        times_us = sorted(random.sample(range(50_000), 12))
        told += stamps(begins_us, times_us, sender, random.randrange(1 << 32))
    found = began_us(told)
    for sender in ("A", "B"):
        mine = [(at_us, val) for its, at_us, val in told if its == sender]
        assert len({(at_us - found) // MS_US - val for at_us, val in mine}) == 1, (begins_us, found)


def test_two_segments_of_one_millisecond_and_one_of_the_next() -> None:
    # 500 to 700 is one millisecond of the clock, so the next one begins in (700, 900]: in the middle
    assert began_us([("A", 500, 7), ("A", 700, 7), ("A", 900, 8)]) == 800


def test_both_senders_have_one_clock() -> None:
    first = [("A", 0, 1), ("A", 600, 1), ("A", 1_000, 2)]  # (600, 1000]
    second = [("B", 300, 5), ("B", 800, 5), ("B", 1_300, 6)]  # (800, 1300]
    assert began_us(first + second) == 900
    assert began_us(second + first) == 900


def test_nothing_tells() -> None:
    assert began_us([]) == 0
    assert began_us([("A", 123_456, 7)]) == 0


def test_one_segment_alone_changes_nothing() -> None:
    told = [("A", 0, 1), ("A", 600, 1), ("A", 1_000, 2)]
    for at_us in range(0, 1_000, 50):
        assert began_us([*told, ("B", at_us, 3)]) == began_us(told) == 800


def test_a_segment_that_was_seen_late() -> None:
    # the first says that 8 begins by 900; by the last, which was seen late, not before 950
    assert began_us([("A", 900, 8), ("A", 1_950, 8)]) == 900


def test_a_verdict_follows_from_it() -> None:
    """Without the TSvals the round trip is a millisecond longer, and the RTO a tick."""
    trace = json.loads((LAB / "round-trip-in-ms.json").read_text())
    assert judge(json.dumps(trace).encode(), "with").verdict == "PASS"
    for segment, options in zip(
        trace["packets"], cycle([None, {}, {"ts": []}, {"ts": None}, "ts"]), strict=False
    ):
        segment["opt"] = options  # whatever a recorder says of options, it is no mistake
    found = judge(json.dumps(trace).encode(), "without")
    assert found.verdict == "FAIL"
    assert "1267.984 ms" in found.reason
