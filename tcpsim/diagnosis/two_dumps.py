"""Two dumps, either of one host at two times or of both ends of the same connections.

Owns: this distinction, and the text of the answer. Refuses to know: rates (growth) and matching (both_ends).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any, NamedTuple

from tcpsim.diagnosis.both_ends import Pairing, pairing, reversed_pairs
from tcpsim.diagnosis.diagnose import Judged
from tcpsim.diagnosis.growth import CONFIDENCE, Growth, Reach, check_limits, grown, reaches
from tcpsim.diagnosis.host import Host
from tcpsim.diagnosis.rough_time import about
from tcpsim.errors import InputError
from tcpsim.tcp.state import State

_WIDTH = 100
_ROWS = 8
_UNUSUAL = (State.CLOSE_WAIT, State.FIN_WAIT_2, State.ESTABLISHED)


class Together(NamedTuple):
    """What two dumps say that one does not: growth, or the pairing of both ends."""

    after_us: int | None
    growth: tuple[Growth, ...]
    reach: tuple[Reach, ...]
    pairing: Pairing | None

    @property
    def bad(self) -> bool:
        """A group grows without a bound towards a limit, or connections are half-open."""
        if self.pairing is not None:
            return self.pairing.half_open > 0
        return any(each.growing and each.bounded is False and each.state in _UNUSUAL for each in self.growth)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        if self.pairing is not None:
            pairs = [
                {
                    "first": None if each.first is None else str(each.first),
                    "second": None if each.second is None else str(each.second),
                    "count": each.number,
                    "half_open": each.way is not None and each.way.is_half_open,
                    "says": None if each.way is None else each.way.says,
                    "scenarios": [] if each.way is None else list(each.way.shown_by),
                }
                for each in self.pairing.matched
            ]
            return {
                "ends": {
                    "connections": self.pairing.connections,
                    "half_open": self.pairing.half_open,
                    "pairs": pairs,
                }
            }
        groups = [
            each._asdict() | {"state": str(each.state), "growing": each.growing} for each in self.growth
        ]
        return {
            "growth": {
                "after_us": self.after_us,
                "confidence": CONFIDENCE,
                "groups": groups,
                "limits": [each._asdict() for each in self.reach],
            }
        }

    def lines(self) -> list[str]:
        """The text."""
        return _pairing_lines(self.pairing) if self.pairing is not None else self._growth_lines()

    def _growth_lines(self) -> list[str]:
        lines = [f"Between the two dumps, {about(self.after_us)} apart ({CONFIDENCE:.0%} intervals):"]
        told = [each for each in self.growth if each.before or each.now]
        told.sort(key=lambda each: -abs(each.per_s))
        for each in told[:_ROWS]:
            lines += wrap(_growth(each), _WIDTH, initial_indent="  ", subsequent_indent="    ")
        for reach in self.reach[:3]:
            late = about(reach.latest_us) if reach.latest_us is not None else "never"
            text = (
                f"{reach.limit}={reach.amount:,} ({reach.of}, {reach.used:,} used) is met in about"
                f" {about(reach.expected_us)}"
                f" ({about(reach.earliest_us)} to {late}) if the growth continues"
            )
            lines += wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="    ")
        if not self.reach:
            lines.append("  no limit is met if the growth continues")
        return lines


def _growth(each: Growth) -> str:
    low, high = each.interval
    where = f"{each.role} of port {each.port}" if each.port is not None else each.role
    owner = f", {each.owner}" if each.owner else ""
    text = (
        f"{each.before:,} -> {each.now:,} {each.state}, {where}{owner}: {each.per_s:+.2g}/s ({low:+.2g} to"
        f" {high:+.2g});"
    )
    text += f" {each.new:,} new, {each.gone:,} gone"
    if each.bounded is False:
        return text + ": no socket ends, so the growth is unbounded"
    if each.plateau is not None:
        return text + f": bounded, at about {each.plateau:,.0f}"
    return text + (": bounded by its timer" if each.bounded else "")


def _pairing_lines(found: Pairing) -> list[str]:
    lines = [
        f"Both ends, {found.connections:,} connections (first dump - second dump), {found.half_open:,}"
        f" half-open:"
    ]
    for each in found.matched[: _ROWS * 2]:
        one, two = (str(state) if state is not None else "nothing" for state in (each.first, each.second))
        says = f": {each.way.says}" if each.way is not None else ""
        shown = (
            f" (tcpsim explain {each.way.shown_by[0]})" if each.way is not None and each.way.shown_by else ""
        )
        lines += wrap(
            f"{each.number:,} {one} - {two}{says}{shown}",
            _WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
    return lines


def together(
    answers: Sequence[Judged], after_us: int | None, ends: bool, limits: Mapping[str, int]
) -> Together | None:
    """What the first two dumps say together; None for one dump.

    Raises:
        InputError: more than two, no time between two of one host, or a limit that is not known.
    """
    unknown = check_limits(limits)
    if unknown:
        raise InputError("limits", unknown[0], "nofile, ports, orphans, tw, conntrack")
    if len(answers) > 2:
        raise InputError("diagnose", f"{len(answers)} dumps", "one, or two: of one host, or of both ends")
    if len(answers) < 2:
        if after_us is not None:
            raise InputError("after", "one dump", "two of one host")
        return None
    first, second = (each.host for each in answers)
    if ends or (after_us is None and _are_ends(first, second)):
        return Together(None, (), (), pairing(first, second))
    gap_us = _gap_us(first, second, after_us)
    return Together(
        gap_us, tuple(grown(first, second, gap_us)), tuple(reaches(first, second, gap_us, limits)), None
    )


def _are_ends(first: Host, second: Host) -> bool:
    """Whether they show the same connections from both sides, or are of hosts that connect to each other."""
    same = {(each.local, each.peer) for each in first.dump.sockets if each.state is not State.LISTEN}
    both = sum((each.local, each.peer) in same for each in second.dump.sockets)
    if turned := reversed_pairs(first, second):
        return turned > both
    ours = {each.local.host for each in first.dump.sockets if not each.local.any}
    theirs = {each.local.host for each in second.dump.sockets if not each.local.any}
    return not ours & theirs and any(each.peer.host in theirs for each in first.dump.sockets)


def _gap_us(first: Host, second: Host, after_us: int | None) -> int:
    if after_us is None:
        old, new = first.dump.taken_us, second.dump.taken_us
        if old is None or new is None:
            allowed = (
                "after (--after 60s), a line of `date` in each, or ends (--ends) if they are of both ends"
            )
            raise InputError("two dumps", "of one host, and no time between them", allowed)
        after_us = new - old
    if after_us <= 0:
        raise InputError("after", f"{after_us} us", "a time above zero: the older dump first")
    return after_us
