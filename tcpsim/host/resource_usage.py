"""Resource accounting: how much of each resource of a host is in use, and whether its limit is met.

Owns: the counts, updated from view to view. Refuses to know: what follows from a full host (admission), and
what a view uses (socket_accounting).
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from tcpsim.host.limits import HostLimits, Limits
from tcpsim.host.socket_accounting import Place, Usage, View, usage
from tcpsim.pair import Side
from tcpsim.tcp.state import Holder

RECLAIMED: Final = {"orphans": Holder.ORPHAN, "minis": Holder.MINI}  # what a kernel takes back
_Change = tuple[str, Place, int]


class Books:
    """What the hosts of one run have in `used`, by side and resource; `views` are those of its lives."""

    def __init__(self, limits: Limits, views: list[View]) -> None:
        self.limits: dict[Side, HostLimits] = {side: limits.of(side) for side in limits.sides}
        self.flows = limits.flows
        self.views = views
        self.used: Counter[tuple[Place, str]] = Counter()
        self._known: dict[tuple[int, int], list[_Change]] = {}

    def charge(self, before: int, after: int) -> list[tuple[Side, str]]:
        """Charge the difference between two views; what a kernel may take back of what came with it."""
        changes = self.differences(before, after)
        for resource, side, change in changes:
            self.used[side, resource] += change
        return [
            (side, resource)
            for resource, side, change in changes
            if change > 0 and resource in RECLAIMED and side != "middlebox"
        ]

    def differences(self, before: int, after: int) -> list[_Change]:
        """What one view uses more than another, or less, by resource and side."""
        changes = self._known.get((before, after))
        if changes is None:
            views = self.views[before], self.views[after]
            changes = self._known[before, after] = _differences(*views, tuple(self.limits))
        return changes

    def over(self, side: Side, resource: str) -> bool:
        """More is in use than there is."""
        limit: int | None = getattr(self.limits[side], resource)
        return limit is not None and self.used[side, resource] > limit

    def room(self) -> int | None:
        """How many more flows the box takes; None: it has no limit."""
        return None if self.flows is None else max(0, self.flows - self.used["middlebox", "flows"])

    def left(self, side: Side, resource: str) -> int | None:
        """How much of it is not in use; None: it has no limit."""
        limit: int | None = getattr(self.limits[side], resource)
        return None if limit is None else max(0, limit - self.used[side, resource])

    def full(self, side: Side, resource: str, promised: int = 0) -> bool:
        """All there is is in use, or promised."""
        limit: int | None = getattr(self.limits[side], resource)
        return limit is not None and self.used[side, resource] + promised >= limit


def _differences(before: View, after: View, sides: tuple[Side, ...]) -> list[_Change]:
    found: list[_Change] = [
        (resource, side, new - old)
        for side in sides
        for resource, old, new in zip(Usage._fields, usage(before, side), usage(after, side), strict=True)
        if new != old
    ]
    flows = len(after.flows) - len(before.flows)
    return [*found, ("flows", "middlebox", flows)] if flows else found
