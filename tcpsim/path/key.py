"""When two paths are the same but for the clock: the key of a path at a moment.

Owns: the elements seen from a moment, and the segments in flight by the time they still need. Refuses to
know: what a segment's numbers are counted from (the caller says it).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from tcpsim.path.element import Chain, Side, key_of
from tcpsim.path.path import Path
from tcpsim.path.tracker import Origins, Tracker
from tcpsim.tcp.segment import Segment

SegmentKey = Callable[[Side, Segment, int], Hashable]  # of a segment that reaches a side at a time


def key(path: Path, now_us: int, segment_key: SegmentKey, origins: Origins) -> tuple[object, ...]:
    """Paths of equal key treat whatever is sent from `now_us` on the same, and deliver the same.

    An element whose future depends on the clock says what it is at a moment by a method `key`; any other
    one is its own key. A tracker remembers sequence numbers, and counts them from `origins`.
    """
    flights = tuple(
        [(due_us - now_us, to, segment_key(to, segment, due_us)) for due_us, to, segment in path.flights]
    )
    return (
        _chain(path.shared, now_us, origins),
        _chain(path.to_server, now_us, origins),
        _chain(path.to_client, now_us, origins),
        flights,
    )


def _chain(chain: Chain, now_us: int, origins: Origins) -> tuple[object, ...]:
    return tuple(
        [each.key(now_us, origins) if isinstance(each, Tracker) else key_of(each, now_us) for each in chain]
    )
