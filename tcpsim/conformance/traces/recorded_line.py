"""The path of a recording: each segment arrives when it came out of the recorder.

Owns: the element of the path that does this. Refuses to know: what is lost (the trace's rules, as elements
before it), and how late a recorder may be (compare).

The recorder's lateness is an input. If it held a segment for 20 ms too long, the segment reached the kernel
20 ms later, and the kernel is judged by that. A segment that the recorder never carried takes the delay of
the path. A burst from one call arrives as one when its first segment came out, unless the recorder was late
in between, or a program of the receiver sent something.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from tcpsim.conformance.traces.lateness import LATE_US
from tcpsim.path import Chooser, Side
from tcpsim.path.element import Passage
from tcpsim.tcp.segment import Segment, flag_letters

_BURST_US = 150  # segments that enter the line so close together are one

_LATE_US = 1_000


class Carried(NamedTuple):
    """A segment that the recorder carried: when it entered the line, and when it came out."""

    sender: Side
    flags: str
    len: int
    entered_us: int
    out_us: int


@dataclass(frozen=True, slots=True)
class AsRecorded:
    """One direction of a line; `carried` in the order of sending, of which `count` have passed."""

    delay_us: int
    carried: tuple[Carried, ...]
    count: int = 0

    def carry(self, sender: Side, segment: Segment, at_us: int, chooser: Chooser) -> Passage:
        after = replace(self, count=self.count + 1)
        if self.count < len(self.carried):
            told = self.carried[self.count]
            alike = (told.flags, told.len) == (flag_letters(segment.flags), segment.len)
            if alike and abs(told.entered_us - at_us) <= LATE_US:
                return after, ((max(told.out_us, at_us + self.delay_us), segment),), ""
        return after, ((at_us + self.delay_us, segment),), ""


def as_recorded(
    sender: Side,
    delay_us: int,
    carried: Iterable[Carried],
    calls_us: Sequence[int] = (),
    apart: bool = False,
) -> AsRecorded:
    """The direction of `sender`; `calls_us`: when the receiver's programs began calls that send, in order.

    The segments of a burst that come `apart` arrive each at its own time.
    """
    told: list[Carried] = []
    entered_us = out_us = 0
    for each in carried:
        if each.sender != sender:
            continue
        in_burst = bool(told) and abs(each.entered_us - entered_us) <= _BURST_US
        late_us = each.out_us - each.entered_us - delay_us
        called = bisect(calls_us, out_us) != bisect(calls_us, each.out_us)
        out_us = out_us if in_burst and not apart and late_us <= _LATE_US and not called else each.out_us
        entered_us = each.entered_us
        told.append(each._replace(out_us=out_us))
    return AsRecorded(delay_us, tuple(told))
