"""When two paths are equal except for the clock.

Owns: the key of a chain of elements at a given time, and whether the time makes a difference. Refuses to
know: the segments in flight, because the pair knows the origin of their sequence numbers.
"""

from __future__ import annotations

from tcpsim.path.element import Chain, key_of
from tcpsim.path.flow_table import Origins, Tracker

_END_US = 1 << 62  # of time


def key(chain: Chain, now_us: int, origins: Origins) -> tuple[object, ...]:
    """Chains of equal key treat whatever is sent from `now_us` on the same.

    An element whose future depends on the clock says what it is at a moment by a method `key`; any other
    one is its own key. A tracker remembers sequence numbers, and counts them from `origins`.
    """
    return tuple(
        [each.key(now_us, origins) if isinstance(each, Tracker) else key_of(each, now_us) for each in chain]
    )


def still(chain: Chain) -> bool:
    """The key is the same at every moment: elements only count down, and begin with what they end with."""
    if any(isinstance(each, Tracker) for each in chain):
        return False
    return all(key_of(each, 0) == key_of(each, _END_US) for each in chain)
