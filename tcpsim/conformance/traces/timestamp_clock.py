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
from functools import reduce
from typing import NamedTuple

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
    # it begins in (end - width, end]; one segment alone tells nothing
    arcs = [
        _Arc(last_us % MS_US, max(last_us - latest[sender] + MS_US, 0))
        for sender, last_us in earliest.items()
        if latest[sender] != last_us
    ]
    if not arcs:
        return 0
    end, width = reduce(_both, arcs)
    return (end - width // 2) % MS_US


class _Arc(NamedTuple):
    """A part of a circle of 1,000 us."""

    end: int
    width: int


def _both(one: _Arc, other: _Arc) -> _Arc:
    """A part that two arcs have in common; if there is none, the narrower one."""
    for first, second in ((one, other), (other, one)):
        behind = (first.end - second.end) % MS_US  # how far the second ends before the first does
        if behind <= first.width:
            return _Arc(second.end, min(first.width - behind, second.width))
    return one if one.width <= other.width else other
