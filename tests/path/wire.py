"""Segments as the path sees them, and a chooser that answers from a list and writes down the questions."""

from __future__ import annotations

from collections.abc import Iterable

from tcpsim.path import SIDES, Choice, Chooser, Distribution, Fate, Path, Quiet, send
from tcpsim.path.element import Side
from tcpsim.tcp.segment import Segment, parse_flags


def seg(
    flags: str = "A", length: int = 0, seq: int = 0, sender: Side = "client", port: int = 40_000
) -> Segment:
    """A segment on the 4-tuple of `port` and 80."""
    ports = (port, 80) if sender == "client" else (80, port)
    return Segment(*ports, parse_flags(flags), seq, 0, length, 64_240)


class Tape:
    """Answers choices and draws from a list; fails when asked more often than that."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.asked: list[Choice | Distribution] = []

    def choose(self, choice: Choice) -> int:
        self.asked.append(choice)
        return self.answers.pop(0)

    def draw(self, distribution: Distribution) -> int:
        self.asked.append(distribution)
        return self.answers.pop(0)


def fates(
    path: Path, sent: Iterable[tuple[Side, Segment, int]], chooser: Chooser | None = None
) -> list[list[Fate]]:
    """What becomes of (side, segment, time), one list per segment."""
    chooser = chooser or Quiet()
    found = []
    for side, segment, now in sent:
        path, fate = send(path, side, segment, now, chooser)
        found.append(list(fate))
    return found


def other(side: Side) -> Side:
    return SIDES[1 - SIDES.index(side)]
