"""The ways that one step can go, as many as a page can offer.

Owns: how many segments that arrive together may be lost together. Refuses to know: what a step does (pair),
and how likely it is (explore).

Ten segments that arrive at one instant can be lost in 1,024 ways, and a reader loses one or two. So of many
the ways are listed number by number, those with the fewest losses first. The rest has a probability that can
be computed without its branches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations
from math import comb
from typing import Final, NamedTuple

from tcpsim.explore.branch import Branch, Crossing, Fate, Part, Question, Steps, in_full, under_way
from tcpsim.pair import Event, Log, Pair
from tcpsim.path.path import Flight

_WAYS: Final = 64  # of one step that are listed
FEW: Final = 2  # of so many all ways are listed at once

Branches = Iterator[Branch[Pair] | Part[Pair]]


class Way(NamedTuple):
    """One way that a step can go: what is lost of what arrives, and what happens then."""

    pair: Pair
    weight: float
    lost: int
    passed: int
    dropped: Sequence[Flight | Crossing]
    chosen: tuple[str, ...]
    events: tuple[Event, ...]


def questions(steps: Steps, pair: Pair) -> tuple[Question, ...]:
    """What arrives next and may be lost then."""
    assert pair.next_us is not None
    return steps.questions(under_way(pair), pair.next_us)


def most(asked: int) -> int:
    """How many of so many segments are lost together at most, so that the ways can be listed."""
    return max(number for number in range(asked + 1) if number <= 1 or _count(asked, number) <= _WAYS)


def _count(asked: int, number: int) -> int:
    """In how many ways at most `number` of `asked` segments can be lost."""
    return sum(comb(asked, each) for each in range(number + 1))


def losing(steps: Steps, pair: Pair, asked: Sequence[Question], number: int) -> Iterator[Way]:
    """Every way that loses just so many of those; what is sent then may be lost as well."""
    for places in combinations(range(len(asked)), number):
        fate = steps.fate(tuple(asked), tuple([place in places for place in range(len(asked))]))
        yield from _ways(partial(_fated, steps, pair, fate))


def _fated(steps: Steps, pair: Pair, fate: Fate, log: Log) -> Branches:
    return steps.fated(pair, log, fate)


def every(steps: Steps, pair: Pair) -> Iterator[Way]:
    """Every way that a step can go."""
    return _ways(partial(steps.branches, pair))


def _ways(branches: Callable[[Log], Branches]) -> Iterator[Way]:
    """Each branch, with the events that it logs."""
    events: list[Event] = []
    for branch in in_full(branches(events.append)):
        yield Way(
            branch.pair, branch.weight, sum(branch.lost), sum(branch.passed), branch.dropped, branch.chosen,
            tuple(events),
        )  # fmt: skip
        events.clear()
