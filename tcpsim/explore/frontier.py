"""The states that wait to be explored, the likeliest first.

Owns: the likelihood of a waiting state, by one of two measures. `ByWay` uses the likeliest path to it at one
loss rate. It needs no particular rates, and it works if branches have no probabilities (untimed). `ByMass`
adds up all paths to it, at several rates together, so it also knows about how much probability is unexplored.
Refuses to know: what a state is (chain), and when enough is known (tolerance).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log, prod
from operator import add, mul, sub
from typing import Protocol

from tcpsim.explore.edges import Counts

Point = Sequence[float]  # a loss rate for each class of loss


class Order(Protocol):
    """A rank for each waiting state; the smallest is explored first."""

    def begin(self, waiting: Sequence[int]) -> list[float]:
        """The ranks of states that wait already."""
        ...

    def leave(self, state: int, rank: float) -> None:
        """A state is explored now; what follows are its branches."""
        ...

    def come(self, state: int, lost: Counts, passed: Counts, weight: float) -> float:
        """The rank of a waiting state, now that one way more leads to it; see `branch.Branch` for the way."""
        ...

    def unexplored(self) -> float | None:
        """The probability that waits, at the worst point; None: not known."""
        ...


class ByWay:
    """The likeliest way at one loss rate for all classes: minus the logarithm of its probability."""

    def __init__(self, reference: float) -> None:
        self._lose, self._keep = -log(reference), -log(1.0 - reference)
        self._rarities: dict[tuple[Counts, Counts], float] = {}
        self._here = 0.0

    def begin(self, waiting: Sequence[int]) -> list[float]:
        """Only the beginning has no way to it."""
        return [0.0] * len(waiting)

    def leave(self, _state: int, rank: float) -> None:
        self._here = rank

    def come(self, _state: int, lost: Counts, passed: Counts, weight: float) -> float:
        rarity = self._rarities.get((lost, passed))
        if rarity is None:
            rarity = self._rarities[lost, passed] = self._lose * sum(lost) + self._keep * sum(passed)
        return self._here + (rarity - log(weight) if weight != 1.0 else rarity)

    def unexplored(self) -> float | None:
        return None


class ByMass:
    """The probability of all ways through states that were explored after them, at the likeliest point.

    A way that leads to a state which was explored before is not followed again: so what waits is somewhat
    likelier than it seems. `known` has the whole probability of each waiting state at each point.
    """

    def __init__(self, points: Sequence[Point], known: Mapping[int, Sequence[float]] | None = None) -> None:
        self.points = points
        self._mass: dict[int, list[float]] = {
            state: list(each) for state, each in (known or {0: [1.0] * len(points)}).items()
        }
        self._sum: list[float] = [sum(column) for column in zip(*self._mass.values(), strict=True)]
        self._luck: dict[tuple[Counts, Counts], list[float]] = {}
        self._here: list[float] = []

    def begin(self, waiting: Sequence[int]) -> list[float]:
        return [-max(self._mass[state]) for state in waiting]

    def leave(self, state: int, _rank: float) -> None:
        self._here = self._mass.pop(state)
        self._sum = list(map(sub, self._sum, self._here))

    def come(self, state: int, lost: Counts, passed: Counts, weight: float) -> float:
        share: list[float] = list(
            map(mul, self._here, self._luck.get((lost, passed)) or self._lucky(lost, passed))
        )
        if weight != 1.0:
            share = [each * weight for each in share]
        self._sum = list(map(add, self._sum, share))
        known = self._mass.get(state)
        if known is not None:
            share = list(map(add, known, share))
        self._mass[state] = share
        return -max(share)

    def unexplored(self) -> float | None:
        return max(self._sum)

    def _lucky(self, lost: Counts, passed: Counts) -> list[float]:
        """How likely it is at each point that so many segments of each class are lost, and so many pass."""
        found = self._luck[lost, passed] = [
            prod([p**gone * (1.0 - p) ** kept for p, gone, kept in zip(point, lost, passed, strict=True)])
            for point in self.points
        ]
        return found
