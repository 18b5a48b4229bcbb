"""A timer wheel: timers that fire late, by the buckets of their kernel.

Owns: where a wheel puts a deadline, and how coarse it is (Linux kernel/time/timer.c). Refuses to know: which
timers run (timers).
"""

from __future__ import annotations

from tcpsim.tcp.deadlines import DEADLINES
from tcpsim.tcp.tcb import Tcb


def turn(before: Tcb, t: Tcb, now: int, hz: int) -> None:
    """Delay what this step has armed to the bucket of a timer wheel (Linux kernel/time/timer.c).

    A level has 64 buckets, each level's are 8 times as coarse as the one below, and a timer goes into
    the first bucket that is later: up to an eighth late, never early, even when armed just after a tick.
    """
    for name in DEADLINES:
        at = getattr(t, name)
        if at is not None and at != getattr(before, name):
            setattr(t, name, fires_us(now, at, hz))


def bucket_width_us(ahead_us: int, hz: int) -> int:
    """How coarse the wheel is for a timer so far ahead."""
    tick_us = 1_000_000 // hz
    return tick_us << _shift(-(-ahead_us // tick_us) + 1)


def fires_us(now: int, at: int, hz: int) -> int:
    """When a timer fires that is set now for `at`; without a wheel (no `hz`) it is on time."""
    return _bucket_us(now, at, 1_000_000 // hz) if hz else at


def _bucket_us(now: int, at: int, tick_us: int) -> int:
    """The bucket after the one that the deadline lies in, ticks counted from the last one (calc_index)."""
    ahead = -(-(at - now) // tick_us)
    shift = _shift(ahead)
    return (((now // tick_us + ahead) >> shift) + 1 << shift) * tick_us


def _shift(ticks_ahead: int) -> int:
    shift = 0
    while ticks_ahead >= 63 << shift:
        shift += 3
    return shift
