"""Mutation test of a script: it changes one expectation, and checks whether the script still passes.

Owns: which fields are changed, and into what. Refuses to know: how scripts are found and shown (cli).

Only what the script expects is changed, never what it does: flags, sequence and acknowledgement numbers
and times of outbound packets; results, errnos and returned values of calls. A mutant that still passes
is an expectation that nothing checks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tcpsim.conformance.packetdrill.judge import choose, outcome_of
from tcpsim.conformance.packetdrill.parser import failure_of, parse
from tcpsim.conformance.packetdrill.script import (
    Call,
    Ellipsis_,
    Event,
    Items,
    Name,
    Place,
    Script,
    TcpPacket,
    When,
)
from tcpsim.conformance.packetdrill.settings import settings
from tcpsim.conformance.packetdrill.verdict import Verdict

_MASK = 0xFFFF_FFFF
_OPENS = ("socket", "accept", "accept4")


class Mutant(NamedTuple):
    """One change: where, of what, and from what to what."""

    place: Place
    field: str
    was: str
    became: str

    def __str__(self) -> str:
        return f"{self.place}: {self.field} {self.was} -> {self.became}"


class Survey(NamedTuple):
    """How many changes were tried, and those that nothing noticed."""

    tried: int
    alive: tuple[Mutant, ...]


def survey(
    text: str, stack_name: str | None = None, define: Mapping[str, str] | None = None
) -> Survey | None:
    """Try every mutant of a script; None if the script does not pass as it is, or has to fail.

    Raises:
        ScriptError: the text is no script.
    """
    if failure_of(text) is not None:
        return None
    chosen = choose(text, stack_name)
    script = parse(text, chosen.dialect.symbols, define)
    if outcome_of(script, chosen).verdict is not Verdict.PASS:
        return None
    tried = 0
    alive = []
    for mutant, changed in mutants(script):
        tried += 1
        if outcome_of(changed, chosen).verdict is Verdict.PASS:
            alive.append(mutant)
    return Survey(tried, tuple(alive))


def mutants(script: Script) -> Iterator[tuple[Mutant, Script]]:
    """Every script that differs from this one in one expectation."""
    tolerance_us = settings(script.options).tolerance_us
    for index, event in enumerate(script.events):
        for field, was, became, changed in _changes(event, tolerance_us):
            events = (*script.events[:index], changed, *script.events[index + 1 :])
            yield Mutant(event.place, field, was, became), script._replace(events=events)


def _changes(event: Event, tolerance_us: int) -> Iterator[tuple[str, str, str, Event]]:
    what, when = event.what, event.when
    if isinstance(what, TcpPacket) and not what.inbound:
        flags = what.flags.replace("P", "") or "-" if "P" in what.flags else f"P{what.flags}".rstrip("-")
        yield "flags", what.flags, flags, event._replace(what=what._replace(flags=flags))
        seq = what.seq
        if seq.start is not None:
            moved = seq._replace(start=(seq.start + 1) & _MASK, end=(seq.end + 1) & _MASK)
            yield "seq", str(seq.start), str(moved.start), event._replace(what=what._replace(seq=moved))
        if what.ack is not None:
            ack = (what.ack + 1) & _MASK
            yield "ack", str(what.ack), str(ack), event._replace(what=what._replace(ack=ack))
        if not when.any:
            later = _later(when, tolerance_us)
            yield "time", _time(when), _time(later), event._replace(when=later)
    elif isinstance(what, Call):
        yield from _other_results(event, what)


def _later(when: When, tolerance_us: int) -> When:
    """So much later that what was in time is not, although the tolerance grows with the gap."""
    span_us = 0 if when.until_us is None else when.until_us - when.us
    by_us = span_us + when.us // 2 + 2 * tolerance_us + 10_000
    until_us = None if when.until_us is None else when.until_us + by_us
    return when._replace(us=when.us + by_us, until_us=until_us)


def _time(when: When) -> str:
    return f"{'+' if when.relative else ''}{when.us / 1_000_000:g}"


def _other_results(event: Event, call: Call) -> Iterator[tuple[str, str, str, Event]]:
    if isinstance(call.result, int):
        result = 0 if call.result < 0 else call.result + 1
        if call.name in _OPENS and call.result >= 0:
            result = -1  # which number a descriptor has is a name and no expectation
        changed = call._replace(result=result, errno=None)
        yield "result", str(call.result), str(result), event._replace(what=changed)
    if call.errno is not None:
        errno = "EINVAL" if call.errno != "EINVAL" else "EIO"
        yield "errno", call.errno, errno, event._replace(what=call._replace(errno=errno))
    if call.name in ("getsockopt", "ioctl"):
        index = 3 if call.name == "getsockopt" else 2
        value = call.arguments[index] if len(call.arguments) > index else None
        if isinstance(value, Items) and len(value.items) == 1 and not isinstance(value.items[0], Ellipsis_):
            item = value.items[0]
            if isinstance(item, int | Name):
                other = Items((item + 1 if isinstance(item, int) else 0,))
                arguments = (*call.arguments[:index], other, *call.arguments[index + 1 :])
                changed = call._replace(arguments=arguments)
                was = str(item) if isinstance(item, int) else item.name
                yield "value", was, str(other.items[0]), event._replace(what=changed)
