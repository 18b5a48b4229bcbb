"""The load of a server: several kinds of connections, each a Poisson process, and the sockets that they hold.

Owns: adding up kinds. Refuses to know: what one connection holds at each age (explore.curves), and limits.

The streams are independent, so the totals of a sort add up to a (compound) Poisson law: no sampling anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tcpsim.explore.count_distribution import Law, poisson
from tcpsim.explore.curves import Look, Occupancy, SocketKind, Value, occupancy
from tcpsim.explore.growth import Stream
from tcpsim.explore.leaks import answer
from tcpsim.explore.transient import graph
from tcpsim.pair import Pair

_LONGEST_STAY_US = 365 * 86_400_000_000
_LIMIT = 100_000  # states; an exploration stops at its tolerance long before


class Kind(NamedTuple):
    """One kind of connection: its share of the rate, and how it looks at every age."""

    share: float
    seen: Occupancy


class Load(NamedTuple):
    """The kinds, the rate of all together, and until when anything is asked."""

    kinds: tuple[Kind, ...]
    per_second: float
    until_us: int

    def mean(self, value: Value, t_us: int) -> float:
        """The expected total of `value` at a time."""
        at = np.array([t_us], dtype=np.int64)
        return sum(float(stream.mean(kind.seen.curve(value), at)[0, 0]) for kind, stream in self._streams())

    def law(self, value: Value, t_us: int) -> Law:
        """The law of that total."""
        at = np.array([t_us], dtype=np.int64)
        found: dict[int, float] = {}
        for kind, stream in self._streams():
            for size, curve in kind.seen.sizes(value).items():
                found[size] = found.get(size, 0.0) + float(stream.mean(curve, at)[0, 0])
        return poisson(found)

    def growth(self, value: Value) -> float:
        """By how much per second the total still grows in the end: what connections of that age hold."""
        at = np.array([self.until_us], dtype=np.int64)
        return sum(
            kind.share * self.per_second * float(kind.seen.curve(value).at(at)[0, 0]) for kind in self.kinds
        )

    def met_by(self, value: Value, limit: int, share: float) -> int | None:
        """The time by which the total is at least `limit` with that probability; None: not in this time.

        Exact for what only grows. For what comes and goes the limit may have been met a little earlier.
        """
        low, high = 0, self.until_us
        if self.law(value, high).at_least(limit) < share:
            return None
        while high - low > max(high // 1_000_000, 1_000):
            middle = (low + high) // 2
            low, high = (low, middle) if self.law(value, middle).at_least(limit) >= share else (middle, high)
        return high

    def with_shares(self, shares: Sequence[float]) -> Load:
        """The same kinds, mixed otherwise."""
        kinds = tuple(each._replace(share=share) for each, share in zip(self.kinds, shares, strict=True))
        return self._replace(kinds=kinds)

    def at_rate(self, per_second: float) -> Load:
        """The same at another rate."""
        return self._replace(per_second=per_second)

    @property
    def sockets(self) -> tuple[SocketKind, ...]:
        """Every kind of socket that is ever held."""
        return tuple(sorted({each for kind in self.kinds for each in kind.seen.kinds}))

    @property
    def error(self) -> float:
        """What was not followed to the end, of one connection at most."""
        return max(float(kind.seen.error[0]) for kind in self.kinds)

    def _streams(self) -> list[tuple[Kind, Stream]]:
        return [(kind, Stream(kind.share * self.per_second)) for kind in self.kinds if kind.share > 0]


def seen(pair: Pair, losses: Mapping[str, Sequence[float]], until_us: int) -> Occupancy:
    """How one connection looks at every age, all its losses followed."""
    found = answer(pair, losses, _LONGEST_STAY_US, _LIMIT)
    return occupancy(found.chain, losses, until_us, net=graph(found.chain, found.classes))


def of_kind(kind: SocketKind) -> Value:
    """How many sockets of a kind a look has."""

    def value(look: Look) -> int:
        return look.sockets(*kind)

    return value
