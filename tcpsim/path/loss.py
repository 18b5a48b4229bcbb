"""Random elements of a path: independent loss, bursty loss, duplication, reordering.

Owns: the models and their probabilities. Refuses to know: which segment it is (rule does), and who decides
random events. For a certain outcome (p = 0, p = 1), no chooser is asked.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

from tcpsim.errors import InputError
from tcpsim.path.chance import Chooser, chance
from tcpsim.path.element import Passage, Side
from tcpsim.tcp.segment import Segment
from tcpsim.units import parse_probability


def _happens(what: str, outcome: str, p: float, chooser: Chooser) -> bool:
    """Whether an event of probability p happens; asks only if that is open."""
    if p <= 0.0:
        return False
    return p >= 1.0 or chooser.choose(chance(what, outcome, p)) == 1


@dataclass(frozen=True, slots=True)
class Loss:
    """Each segment is lost with probability `p`, independently, from `from_us` until before `until_us`."""

    p: float
    from_us: int = 0
    until_us: int | None = None

    def __post_init__(self) -> None:
        parse_probability(self.p, "loss")
        if self.from_us < 0:
            raise InputError("loss.from_us", self.from_us, "a number of microseconds >= 0")
        if self.until_us is not None and self.until_us <= self.from_us:
            raise InputError("loss.until_us", self.until_us, f"later than from_us = {self.from_us}")

    def carry(self, sender: Side, segment: Segment, at_us: int, chooser: Chooser) -> Passage:
        if at_us < self.from_us or (self.until_us is not None and at_us >= self.until_us):
            return self, ((at_us, segment),), ""
        if _happens("loss", "lost", self.p, chooser):
            return self, (), "loss"
        return self, ((at_us, segment),), ""

    def key(self, now_us: int) -> Hashable:
        """The time left until losses begin and end."""
        until_us = None if self.until_us is None else max(self.until_us - now_us, 0)
        return self.p, max(self.from_us - now_us, 0), until_us


@dataclass(frozen=True, slots=True)
class GilbertElliott:
    """Loss in bursts: a two-state chain, one step per segment (Gilbert 1960, Elliott 1963).

    A segment is lost with the probability of the state it finds; then the state may change (the order of
    Linux netem's "gemodel"). The state that the first segment finds is drawn from the stationary law:
    a connection is short, and always beginning in the good state would understate its loss.
    """

    p_good_to_bad: float
    p_bad_to_good: float
    loss_good: float = 0.0
    loss_bad: float = 1.0
    bad: bool | None = None  # None: no segment has passed yet

    def __post_init__(self) -> None:
        for name in ("p_good_to_bad", "p_bad_to_good", "loss_good", "loss_bad"):
            parse_probability(getattr(self, name), f"gilbert_elliott.{name}")
        if self.p_good_to_bad == 0.0 and self.p_bad_to_good == 0.0:
            raise InputError("gilbert_elliott", "no change of state either way", "one of the two above 0")

    @property
    def stationary_bad(self) -> float:
        """The long-run share of segments that find the bad state."""
        return self.p_good_to_bad / (self.p_good_to_bad + self.p_bad_to_good)

    @property
    def stationary_loss(self) -> float:
        """The long-run share of segments that are lost.

        >>> GilbertElliott(p_good_to_bad=0.1, p_bad_to_good=0.4).stationary_loss
        0.2
        """
        bad = self.stationary_bad
        return (1.0 - bad) * self.loss_good + bad * self.loss_bad

    def carry(self, sender: Side, segment: Segment, at_us: int, chooser: Chooser) -> Passage:
        bad = self.bad
        if bad is None:
            bad = _happens("line", "bad", self.stationary_bad, chooser)
        lost = _happens("loss", "lost", self.loss_bad if bad else self.loss_good, chooser)
        if bad:
            changes = _happens("burst", "ends", self.p_bad_to_good, chooser)
        else:
            changes = _happens("burst", "begins", self.p_good_to_bad, chooser)
        bad ^= changes
        after = self if bad is self.bad else replace(self, bad=bad)
        if lost:
            return after, (), "burst loss"
        return after, ((at_us, segment),), ""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A segment goes on twice, at the same time, with probability `p`."""

    p: float

    def __post_init__(self) -> None:
        parse_probability(self.p, "duplicate")

    def carry(self, sender: Side, segment: Segment, at_us: int, chooser: Chooser) -> Passage:
        if _happens("duplication", "twice", self.p, chooser):
            return self, ((at_us, segment), (at_us, segment)), "duplicate"
        return self, ((at_us, segment),), ""


@dataclass(frozen=True, slots=True)
class Reorder:
    """A segment is held back by `extra_us` with probability `p`, so that later ones overtake it."""

    p: float
    extra_us: int

    def __post_init__(self) -> None:
        parse_probability(self.p, "reorder")
        if self.extra_us <= 0:
            raise InputError("reorder.extra_us", self.extra_us, "a number of microseconds above 0")

    def carry(self, sender: Side, segment: Segment, at_us: int, chooser: Chooser) -> Passage:
        if _happens("reordering", "held back", self.p, chooser):
            return self, ((at_us + self.extra_us, segment),), "held back"
        return self, ((at_us, segment),), ""
