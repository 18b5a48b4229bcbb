"""The verdict on a script, for people and for programs.

Owns: the three verdicts, the reason, and the picture of the last segments. Refuses to know: how a script
is replayed (replay).
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from tcpsim.conformance.packetdrill.script import Place

LADDER = 12  # the last segments that a picture shows


class Verdict(StrEnum):
    """How a script ended."""

    PASS = "PASS"
    FAIL = "FAIL"
    UNSUPPORTED = "UNSUPPORTED"


class Failed(Exception):
    """The endpoint did not do what the script expects."""

    def __init__(self, place: Place, message: str, expected: str = "", actual: str = "") -> None:
        super().__init__(message)
        self.place = place
        self.message = message
        self.expected = expected
        self.actual = actual


class Crossing(NamedTuple):
    """One segment that crossed the wire, in the script's numbers."""

    t_us: int
    text: str  # with its direction in front, as a script writes it
    line: int | None  # of the script, where it is an event of it


class Judged(NamedTuple):
    """A script and its verdict."""

    path: str
    verdict: Verdict
    reason: str
    place: Place | None
    expected: str
    actual: str
    stack: str
    told_by: str
    crossings: tuple[Crossing, ...]

    @property
    def line(self) -> int | None:
        """The script line that decided, if one did."""
        return self.place.line if self.place else None


def ladder(judged: Judged) -> str:
    """The last segments, oldest first: what the peer sent on the left, what the endpoint sent on the right.

    The last column is the line of the script; a segment of the endpoint that no line has claimed has none.
    """
    rows = judged.crossings[-LADDER:]
    left = max((len(row.text) for row in rows if row.text.startswith("<")), default=0)
    lines = []
    for row in rows:
        inbound = row.text.startswith("<")
        seconds = f"{row.t_us // 1_000_000}.{row.t_us % 1_000_000:06d}"
        text = row.text if inbound else " " * (left + 2) + row.text
        claimed = f"   line {row.line}" if row.line else "   (no line)"
        lines.append(f"{seconds:>16}  {text}{claimed}")
    return "\n".join(lines) + "\n" if lines else ""
