"""How late a kernel's timer may fire, and how late it fired in a trace.

Owns: the bound, and the time in the trace at which a timer that is due now has fired. Refuses to know: what a
timer does (a look ahead shows that), and how it is delayed (the pair does it).

Linux rounds a deadline up to a tick of its timer wheel, which is coarser for longer timers, and a CPU may
look at the wheel just before another one counts the tick. An interval of `m`, from the event that started the
timer to its effect, takes from m to 1.125 m + 8 ms. Some timers, one of 200 or so, fire yet another tick
later, also on an idle machine (docs/traces.md). A timer may fire, change nothing visible and start again
(keepalive checks whether the peer was heard). Then its possible lateness is added to that of the next one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tcpsim.conformance.traces.observation import Life, Packet, Stay
from tcpsim.path import Side
from tcpsim.tcp.deadlines import DEADLINES
from tcpsim.tcp.tcb import Tcb

_TICKS_US = 8_000  # to the end of a tick, and one tick more
SELDOM_US = 4_000  # another one
EARLY_US = 1_000  # a call begins a little after the time that is written beside it
LATE_US = 5_000  # what a host and the relay take besides; segments closer than this come in any order


def allowed_us(interval_us: int) -> int:
    """By how much a timer may be late that was started that long before it was due.

    >>> allowed_us(200_000)
    33000
    """
    return interval_us // 8 + _TICKS_US


class _Armed(NamedTuple):
    """A running timer: when it is due by the model, the latest it may fire, and where it was put."""

    due_us: int
    latest_us: int
    at_us: int


class Clocks:
    """The running timers of every socket of a pair, each with the bound for its lateness.

    They may be later by `besides_us` than timers usually are.
    """

    def __init__(self, besides_us: int = 0) -> None:
        self._besides_us = besides_us
        self._armed: dict[tuple[Side, int], dict[str, _Armed]] = {}

    def see(self, side: Side, sid: int, tcb: Tcb, now_us: int, unseen: bool) -> None:
        """A socket after a step; `unseen`: what happened to it at `now_us` could not be seen from outside."""
        before = self._armed.get((side, sid), {})
        after: dict[str, _Armed] = {}
        for name in DEADLINES:
            at_us: int | None = getattr(tcb, name)
            if at_us is None:
                continue
            old = before.get(name)
            if old is not None and old.at_us == at_us:
                after[name] = old
                continue
            carried_us = old.latest_us - old.due_us if old and unseen and old.at_us == now_us else 0
            late_us = allowed_us(at_us - now_us) + self._besides_us + carried_us
            after[name] = _Armed(at_us, at_us + late_us, at_us)
        self._armed[side, sid] = after

    def forget(self, side: Side, sid: int) -> None:
        """A socket is gone."""
        self._armed.pop((side, sid), None)

    def latest_us(self, side: Side, sid: int, due_us: int) -> int:
        """The latest time at which what is due on this socket may happen."""
        armed = self._armed.get((side, sid), {}).values()
        return max((each.latest_us for each in armed if each.at_us == due_us), default=due_us)

    def put_off(self, side: Side, sid: int, due_us: int, until_us: int) -> None:
        """What was due on this socket now happens later."""
        armed = self._armed[side, sid]
        for name, each in armed.items():
            if each.at_us == due_us:
                armed[name] = each._replace(at_us=until_us)


def packet_time(expected: Packet | None, now_us: int, latest_us: int) -> int:
    """When to fire a timer that would send: when the kernel sent next.

    What it sent next may be something else: then the timer, late in the kernel, had not fired yet, and
    whatever the kernel sent may have stopped it. If it sent nothing in time, the timer may have been
    stopped up to the last moment. A segment just after that is too late, and not to be met half-way.
    """
    if expected is None or expected.t_us > latest_us + LATE_US:
        return latest_us
    return now_us if expected.t_us > latest_us else max(now_us, expected.t_us)


def state_time(lives: Iterable[Life], becomes: Stay, latest_us: int, gap_us: int) -> int:
    """When to fire a timer that only brings a new state or holder: a sampling interval before it was seen."""
    due_us = becomes.t_us
    seen = [
        stay.t_us
        for life in lives
        for stay in life.steps()
        if stay[1:] == becomes[1:] and due_us <= stay.t_us <= latest_us + gap_us
    ]
    return max(due_us, min(seen) - gap_us) if seen else latest_us
