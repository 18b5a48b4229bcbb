"""When a host of a population ran out of what it had, and what a larger limit would have changed.

Owns: the judgement on a census: the time at which a limit was met, whether the use of the resource still
grows without end or stands at a plateau. Refuses to know: which populations there are (host.crowds).
"""

from __future__ import annotations

from typing import NamedTuple

from tcpsim.host.census import Census, Left
from tcpsim.host.crowds import Limit
from tcpsim.host.view import usage
from tcpsim.measure.table import first_met, used

_STEADY = 1.1  # more than this times what the first half of a run used is growth, not chance


class Exhaustion(NamedTuple):
    """`met_us`: when the limit was met, None if it was not. `peak`: the most that was ever used.

    `leaking`: connections keep some of it for ever, so that any limit is met in the end. `growing`: the
    second half of the run used more than the first, so that nothing is said of a longer run. `refused`:
    connections that were turned away for want of it.
    """

    met_us: int | None
    peak: int
    leaking: bool
    growing: bool
    refused: int


def exhaustion(census: Census, limit: Limit) -> Exhaustion:
    """How a run stood to a limit."""
    t_us, value = used(census, limit.side, limit.resource)
    early = value[t_us <= census.horizon_us // 2]
    return Exhaustion(
        met_us=first_met(census, limit.side, limit.resource, limit.amount),
        peak=int(value.max()),
        leaking=any(_keeps(census, left, limit) for left in census.left),
        growing=int(value.max()) > _STEADY * int(early.max()),
        refused=census.refused[f"{limit.side} {limit.resource}"],
    )


def _keeps(census: Census, left: Left, limit: Limit) -> bool:
    """Whether a connection holds some of the resource in the end, or still does when patience is over."""
    seen = census.views[left.now if left.finally_ is None else left.finally_]
    return bool(getattr(usage(seen, limit.side), limit.resource))
