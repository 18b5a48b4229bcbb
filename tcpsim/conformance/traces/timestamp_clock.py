"""When the milliseconds of the recorded timestamps began.

Owns: this time within a millisecond, as narrowly as the segments of a trace tell it. Refuses to know: what is
measured by timestamps (tcp), and how a trace is read (schema).

A round trip that is measured by a timestamp is a number of milliseconds of this clock, so it depends on where
they begin. In Linux both hosts of a recording have one clock (CLOCK_MONOTONIC, net/ipv4/tcp.h tcp_clock_ms),
and each pair of addresses adds a secret number of whole milliseconds. A segment that was seen at time t with
TSval v was sent after millisecond v began, and before it was over. So two segments with values that differ by
less than their times say where a millisecond may begin, and each further segment narrows that.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

MS_US = 1_000

# The sender and its connection, when the segment was seen, and its TSval
Stamp = tuple[Hashable, int, int]


def began_us(stamps: Iterable[Stamp]) -> int:
    """How far after a whole millisecond of the trace one of the clock begins; 0 if nothing tells.

    The middle of what is possible. Where the segments of one sender contradict each other, one of them was
    seen late: then a millisecond begins no later than the earliest says.
    """
    earliest: dict[Hashable, int] = {}
    latest: dict[Hashable, int] = {}
    for sender, at_us, val in stamps:
        since_us = at_us - val * MS_US
        earliest[sender] = min(earliest.get(sender, since_us), since_us)
        latest[sender] = max(latest.get(sender, since_us), since_us)
    end: int | None = None
    width = MS_US
    for sender, last_us in earliest.items():  # it begins in (last_us - its_width, last_us]
        its_width = max(last_us - (latest[sender] - MS_US), 0)
        if end is None:
            end, width = last_us % MS_US, its_width
            continue
        end, width = _both(end, width, last_us % MS_US, its_width)
    return 0 if end is None or width == MS_US else (end - width // 2) % MS_US


def _both(end: int, width: int, other_end: int, other_width: int) -> tuple[int, int]:
    """What two arcs of a circle of 1,000 us, each with its end and width, have in common.

    If that is nothing, the narrower one.
    """
    for first, its, second, other in (
        (end, width, other_end, other_width),
        (other_end, other_width, end, width),
    ):
        behind = (first - second) % MS_US  # how far the second ends before the first does
        if behind <= its:
            return second, min(its - behind, other)
    return (end, width) if width <= other_width else (other_end, other_width)
