"""The interface of an element of a path, which a segment passes.

Owns: the interface, and the walk of one segment through a chain of elements. Refuses to know: any particular
element, and the time between segments. An element is asked only when a segment passes. A NAT compares the
clock with its timeouts then. A firewall sends a RST only as an answer to a segment that it has stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Protocol

from tcpsim.path.chance import Chooser
from tcpsim.tcp.segment import Segment

Side = Literal["client", "server"]
SIDES: tuple[Side, Side] = ("client", "server")

Passage = tuple["Element", tuple[tuple[int, Segment], ...], str]
"""(the element afterwards, the copies that emerge as (when, what), why): no copy means lost."""


class Element(Protocol):
    """An immutable, hashable value; `carry` is a pure function apart from asking the chooser.

    One that tells the sender of a segment that it stopped has a method `answer` besides.

    `sender` put `segment` on the wire; it reaches the element at `at_us`. The result is a `Passage`: the
    element itself, unless it has changed; the first copy is the segment, further ones are duplicates.
    """

    def carry(self, sender: Side, segment: Segment, at_us: int, chooser: Chooser) -> Passage: ...


Answer = Callable[[Side, Segment, int], Segment | None]
Chain = tuple[Element, ...]


class Fate(NamedTuple):
    """What became of a segment that was sent, or of a copy of it.

    `kind` is "delivered", "lost" or "duplicated" (a copy that is delivered as well); `why` names what
    caused it or delayed it ("" for nothing special; "WHO: REASON" where there is more to tell); `due_us` is
    the arrival, None for a lost one. "answered" is about another segment, which an element sends back: it is
    `segment` (None where the fate is that of the segment that was sent), and `why` is why it was sent.
    """

    kind: Literal["delivered", "lost", "duplicated", "answered"]
    why: str
    due_us: int | None
    segment: Segment | None = None


Outcome = tuple[Fate, Segment]


@dataclass(frozen=True, slots=True)
class OneWay:
    """An element that only the segments of one sender pass: a loss before a box that sees both directions."""

    sender: Side
    element: Element

    def carry(self, sender: Side, segment: Segment, at_us: int, chooser: Chooser) -> Passage:
        if sender != self.sender:
            return self, ((at_us, segment),), ""
        after, emerged, why = self.element.carry(sender, segment, at_us, chooser)
        return (self if after is self.element else replace(self, element=after)), emerged, why

    def key(self, now_us: int) -> Hashable:
        """The direction, and the element as it says it."""
        return self.sender, key_of(self.element, now_us)


def key_of(element: Element, now_us: int) -> object:
    """What an element is at a moment: what its method `key` says, if it has one; else itself."""
    of_moment = getattr(element, "key", None)
    return element if of_moment is None else of_moment(now_us)


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
            lost: tuple[Outcome, ...] = ((Fate("lost", cause, None), segment),)
            answer: Answer | None = getattr(element, "answer", None)
            back = None if answer is None else answer(sender, segment, at_us)
            return chain, lost if back is None else (*lost, (Fate("answered", cause, at_us), back))
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
