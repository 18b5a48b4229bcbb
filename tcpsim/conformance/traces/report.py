"""The report on the first difference: two ladders side by side, observed and simulated.

Owns: the text. Refuses to know: what counts as a difference (compare). Host A is on the left of each
ladder; what it sends points right. A line that differs begins with "!".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tcpsim.conformance.traces.compare import Match
from tcpsim.conformance.traces.observation import Answer, Packet, Stay

_BEFORE, _AFTER = 10, 6  # lines around the first difference
_CELL: Final = 44
_TIME: Final = 11


def first_difference(matches: Sequence[Match]) -> int | None:
    """The place of the first match with something wrong."""
    return next((place for place, match in enumerate(matches) if match.wrong), None)


def reason(match: Match) -> str:
    """A difference in one line.

    >>> reason(Match("client", "segment", Packet(1_500, "client", "FA", 1, 1, 0, False), None, "not sent"))
    'at 1.500 ms, client segment FA seq 1 ack 1: not sent'
    """
    told = match.observed or match.simulated
    detail = f" {told}" if isinstance(told, Packet) else ""
    return f"at {match.t_us / 1_000:.3f} ms, {match.side} {match.what}{detail}: {match.wrong}"


def ladders(matches: Sequence[Match], place: int) -> str:
    """The lines around the difference at `place`, observed on the left, simulated on the right."""
    first, last = max(0, place - _BEFORE), min(len(matches), place + _AFTER + 1)
    half = _TIME + 2 + _CELL
    lines = [f"  {'observed':^{half}} │ {'simulated':^{half}}".rstrip()]
    if first:
        lines.append(f"  ... {first} before")
    for match in matches[first:last]:
        mark = "!" if match.wrong else " "
        lines.append(f"{mark} {_half(match, match.observed)} │ {_half(match, match.simulated)}".rstrip())
    if last < len(matches):
        lines.append(f"  ... {len(matches) - last} after")
    return "\n".join(lines) + "\n"


def _half(match: Match, event: Packet | Stay | Answer | None) -> str:
    if event is None:
        return " " * (_TIME + 2 + _CELL)
    left = match.side == "client"
    if isinstance(event, Packet):
        words = f" {event} ".ljust(_CELL - 4, "─") if left else f" {event} ".rjust(_CELL - 4, "─")
        cell = f"──{words}─▶" if left else f"◀─{words}──"
    else:
        words = f"{match.what} = {event.said}" if isinstance(event, Answer) else str(event)
        cell = f"{words:<{_CELL}}" if left else f"{words:>{_CELL}}"
    return f"{event.t_us / 1_000:>{_TIME}.3f}  {cell[:_CELL]}"
