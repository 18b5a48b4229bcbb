"""The edges of a chain, kept as columns of numbers.

Owns: one way from a state to another, and many of them in little memory. Refuses to know: how they are found
(chain), and what follows from them (classes, solve, transient).

A chain of 250,000 states has 400,000 edges and only a few hundred kinds of them: how many segments were lost
and passed, and how likely everything else was. So an edge is four numbers, the last of which is its kind.
What is worked out for many loss rates is worked out for each kind, and the rest is done with whole columns
(edge_columns).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, overload

Counts = tuple[int, ...]  # by class of loss


class Edge(NamedTuple):
    """One way from a state to another; `lost` and `passed` by class."""

    source: int
    target: int
    elapsed_us: int
    lost: Counts
    passed: Counts
    weight: float


class Kind(NamedTuple):
    """How an edge comes about: segments lost and passed by class, and the probability of everything else."""

    lost: Counts
    passed: Counts
    weight: float


class Edges(Sequence[Edge]):
    """Edges in the order in which they were added."""

    __slots__ = ("_each", "_elapsed_us", "_kind", "_kinds", "_source", "_target")

    def __init__(self, edges: Iterable[Edge] = ()) -> None:
        self._source, self._target = array("i"), array("i")
        self._elapsed_us, self._kind = array("q"), array("i")
        self._kinds: dict[tuple[Counts, Counts, float], int] = {}
        self._each: list[Kind] = []
        for source, target, elapsed_us, lost, passed, weight in edges:
            self.add(source, target, elapsed_us, (lost, passed, weight))

    def add(self, source: int, target: int, elapsed_us: int, kind: tuple[Counts, Counts, float]) -> None:
        """One more, of the values of a `Kind`."""
        self._source.append(source)
        self._target.append(target)
        self._elapsed_us.append(elapsed_us)
        number = self._kinds.setdefault(kind, len(self._kinds))
        if number == len(self._each):
            self._each.append(Kind(*kind))
        self._kind.append(number)

    def copy(self) -> Edges:
        """The same as they are now."""
        twin = Edges()
        twin._source, twin._target = self._source[:], self._target[:]
        twin._elapsed_us, twin._kind = self._elapsed_us[:], self._kind[:]
        twin._kinds, twin._each = self._kinds.copy(), self._each.copy()
        return twin

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Every kind that there is."""
        return tuple(self._each)

    @property
    def columns(self) -> tuple[array[int], array[int], array[int], array[int]]:
        """Their sources, targets, times and kinds, each in one array."""
        return self._source, self._target, self._elapsed_us, self._kind

    def __len__(self) -> int:
        return len(self._source)

    def __iter__(self) -> Iterator[Edge]:
        for source, target, elapsed_us, kind in zip(
            self._source, self._target, self._elapsed_us, self._kind, strict=True
        ):
            yield Edge(source, target, elapsed_us, *self._each[kind])

    @overload
    def __getitem__(self, place: int) -> Edge: ...

    @overload
    def __getitem__(self, place: slice) -> Edges: ...

    def __getitem__(self, place: int | slice) -> Edge | Edges:
        if isinstance(place, slice):
            return Edges([self[each] for each in range(*place.indices(len(self)))])
        kind = self._each[self._kind[place]]
        return Edge(self._source[place], self._target[place], self._elapsed_us[place], *kind)
