"""What an element of a path is: something a segment passes.

Owns: the interface, and the walk of one segment through a chain of elements. Refuses to know: any
particular element, and time between segments: an element is asked only when a segment passes. (One
with deadlines of its own, a NAT that forgets or a firewall that sends RSTs, puts what it originates
on the way with `Path.inject`; it answers `carry` like every other.)
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

from tcpsim.path.choose import Chooser
from tcpsim.tcp.segment import Segment

Side = Literal["client", "server"]
SIDES: tuple[Side, Side] = ("client", "server")

Passage = tuple["Element", tuple[tuple[int, Segment], ...], str]
"""(the element afterwards, the copies that emerge as (when, what), why): no copy means lost."""


class Element(Protocol):
    """An immutable, hashable value; `carry` is a pure function apart from asking the chooser.

    `sender` put `segment` on the wire; it reaches the element at `at_us`. The result is a `Passage`: the
    element itself, unless it has changed; the first copy is the segment, further ones are duplicates.
    """

    def carry(self, sender: Side, segment: Segment, at_us: int, chooser: Chooser) -> Passage: ...


Chain = tuple[Element, ...]


class Fate(NamedTuple):
    """What became of a segment that was sent, or of a copy of it.

    `kind` is "delivered", "lost" or "duplicated" (a copy that is delivered as well); `why` names what
    caused it or delayed it ("" for nothing special); `due_us` is the arrival, None for a lost one.
    """

    kind: Literal["delivered", "lost", "duplicated"]
    why: str
    due_us: int | None


Outcome = tuple[Fate, Segment]


def walk(
    chain: Chain, sender: Side, segment: Segment, at_us: int, chooser: Chooser, first: int = 0, copy: str = ""
) -> tuple[Chain, tuple[Outcome, ...]]:
    """One segment through `chain[first:]`; `copy` says why it is a duplicate, "" if it is not."""
    why = copy
    for index in range(first, len(chain)):
        element = chain[index]
        after, emerged, cause = element.carry(sender, segment, at_us, chooser)
        if after is not element:
            chain = (*chain[:index], after, *chain[index + 1 :])
        if not emerged:
            return chain, ((Fate("lost", cause, None), segment),)
        if cause:
            why = cause
        if len(emerged) > 1:
            outcomes: tuple[Outcome, ...] = ()
            for number, (copy_us, twin) in enumerate(emerged):
                label = cause if number else copy
                chain, more = walk(chain, sender, twin, copy_us, chooser, index + 1, label)
                outcomes += more
            return chain, outcomes
        at_us, segment = emerged[0]
    return chain, ((Fate("duplicated" if copy else "delivered", why, at_us), segment),)
