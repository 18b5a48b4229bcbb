"""Compares what the kernel did with what tcpsim did.

Owns: which observations belong together, and when two are equal. Refuses to know: how late timers were
(replay has handled that, so only the time of the host and the lab remains), and how a difference is shown
(report).

Segments are compared in the order of each direction, and sockets in the order of their first states. A state
may be seen as late as the sampler looked. A shorter state may be missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from tcpsim.conformance.traces.lateness import EARLY_US, LATE_US, allowed_us
from tcpsim.conformance.traces.not_compared import Exempt
from tcpsim.conformance.traces.observation import Answer, Life, Packet, Record, Stay
from tcpsim.conformance.traces.schema import Row, Trace
from tcpsim.path import SIDES, Side
from tcpsim.tcp.state import Holder, State

_ANOTHER_ISN = -(1 << 16)


class Match(NamedTuple):
    """Something that was observed, what was simulated for it, and what is wrong with that ("" if nothing)."""

    side: Side
    what: str  # "segment", "state", or the name of a call
    observed: Packet | Stay | Answer | None
    simulated: Packet | Stay | Answer | None
    wrong: str = ""

    @property
    def t_us(self) -> int:
        """When it happened first."""
        return min(each.t_us for each in (self.observed, self.simulated) if each is not None)


def compare(trace: Trace, simulated: Record, exempt: Exempt) -> list[Match]:
    """Everything that happened, in the order of time, each with what is wrong with it."""
    matches = [
        *_packets(trace.seen, simulated, exempt),
        *_answers(trace, simulated),
        *_lives(trace, simulated),
    ]
    return sorted(matches, key=lambda match: match.t_us)


# Segments


def _packets(observed: Record, simulated: Record, exempt: Exempt) -> Iterator[Match]:
    for side in SIDES:
        seen, did = (
            [packet for packet in record.packets if packet.sender == side and exempt.compares(packet)]
            for record in (observed, simulated)
        )
        for one, two in zip_longest(seen, did):
            yield Match(side, "segment", one, two, _packet_wrong(one, two, exempt))
        if exempt.acks:
            yield from _last_ack(side, observed, simulated)


def _last_ack(side: Side, observed: Record, simulated: Record) -> Iterator[Match]:
    """However often a side acknowledges, in the end it has acknowledged the same."""
    last = [
        [packet for packet in record.packets if packet.sender == side and packet.ack is not None][-1:]
        for record in (observed, simulated)
    ]
    for one, two in zip_longest(*last):
        same = one is not None and two is not None and one.ack == two.ack
        yield Match(side, "last ack", one, two, "" if same else "another last acknowledgement")


def _packet_wrong(seen: Packet | None, did: Packet | None, exempt: Exempt) -> str:
    if seen is None or did is None:
        return "sent by tcpsim only" if seen is None else "not sent by tcpsim"
    for name, one, two in (
        ("flags", seen.flags, did.flags),
        ("len", seen.len, did.len),
        ("dropped", seen.dropped, did.dropped),
    ):
        if one != two:
            return f"{name} {one}, simulated {two}"
    numbers = [("seq", seen.seq, did.seq)] + ([] if exempt.acks else [("ack", seen.ack, did.ack)])
    for name, number, simulated in numbers:
        if number is not None and not _same_number(number, simulated, seen.conn):
            return f"{name} {number}, simulated {simulated}"
    return _time_wrong(seen.t_us, did.t_us, LATE_US)


def _same_number(seen: int, did: int | None, conn: int) -> bool:
    """Equal; or both number something of an earlier connection, whose ISN is at a random distance."""
    strange = conn > 0 and seen < _ANOTHER_ISN and did is not None and did < _ANOTHER_ISN
    return seen == did or strange


def _time_wrong(seen_us: int, did_us: int, late_us: int) -> str:
    if did_us - EARLY_US <= seen_us <= did_us + late_us:
        return ""
    return f"at {seen_us / 1_000:.3f} ms, simulated at {did_us / 1_000:.3f} ms"


# Calls


def _answers(trace: Trace, simulated: Record) -> Iterator[Match]:
    for row in trace.rows:
        if row.who == "relay" or row.answer is None:
            continue
        did = simulated.answers.get(row.place)
        yield Match(row.who, f"{row.sock} {row.call}", row.answer, did, _answer_wrong(row, row.answer, did))


def _answer_wrong(row: Row, seen: Answer, did: Answer | None) -> str:
    if did is None:
        return f"{row.call} never returned"
    if seen.said != did.said:
        return f"{row.call} = {seen.said}, simulated {did.said}"
    if row.end_us is None:
        return ""
    # what close() or poll() waits for may be the end of its own patience, a timer as late as any other
    patient = row.call in ("close", "poll") and did.t_us > row.t_us
    late_us = allowed_us(did.t_us - row.t_us) if patient else LATE_US
    return _time_wrong(seen.t_us, max(did.t_us, row.t_us), late_us + row.late_us)


# States


def _lives(trace: Trace, simulated: Record) -> Iterator[Match]:
    for side in SIDES:
        did = [life for life in simulated.lives if life.side == side]
        for life in (life for life in trace.seen.lives if life.side == side):
            while did and not _is_like(trace, life, did[0]) and _was_short(trace, did[0]):
                yield from _missed(side, did.pop(0))
            yield from _life(trace, side, life.steps(), did.pop(0).steps() if did else ())
        for rest in did:
            if _was_short(trace, rest):
                yield from _missed(side, rest)
            else:
                yield from _life(trace, side, (), rest.steps())


def _is_like(trace: Trace, seen: Life, did: Life) -> bool:
    """Whether the sampler came upon this life; it may have missed how it began."""
    first = seen.stays[0]
    return any(stay[1:] == first[1:] and not _sampled_wrong(trace, first, stay) for stay in did.stays)


def _missed(side: Side, life: Life) -> Iterator[Match]:
    """A life between two looks of the sampler."""
    return (Match(side, "state", None, stay) for stay in life.steps())


def _was_short(trace: Trace, life: Life) -> bool:
    return life.gone_us is not None and life.gone_us - life.stays[0].t_us <= trace.sampled_within_us(
        life.gone_us
    )


def _life(trace: Trace, side: Side, seen: tuple[Stay, ...], did: tuple[Stay, ...]) -> Iterator[Match]:
    """Two lives side by side; a state that the sampler may have missed is not missed."""
    seen = tuple(stay for index, stay in enumerate(seen) if not _is_between(trace, seen, index))
    place = 0
    for index, stay in enumerate(did):
        following_us = did[index + 1].t_us if index + 1 < len(did) else trace.end_us
        gap_us = trace.sampled_within_us(stay.t_us)
        one = seen[place] if place < len(seen) else None
        if one is not None and one[1:] == stay[1:]:
            place += 1
            yield Match(side, "state", one, stay, _sampled_wrong(trace, one, stay))
        elif following_us - stay.t_us <= gap_us:
            yield Match(side, "state", None, stay)
        else:
            place += one is not None
            wrong = f"{one or 'nothing'}, simulated {stay}"
            yield Match(side, "state", one, stay, wrong)
    for one in seen[place:]:
        yield Match(side, "state", one, None, f"{one}, simulated nothing")


def _is_between(trace: Trace, seen: tuple[Stay, ...], index: int) -> bool:
    """A glimpse of a socket that is about to change hands: made smaller in the same state, or accepted.

    A simulated process accepts at once; what comes next may be on its way when a real one does.
    """
    here, following = seen[index], seen[index + 1 : index + 2]
    soon_us = here.t_us + trace.sampled_within_us(here.t_us)
    if not following or following[0].t_us > soon_us:
        return False
    waits = here.state is State.ESTABLISHED and here.holder is Holder.ORPHAN
    return waits or following[0].state is here.state


def _sampled_wrong(trace: Trace, seen: Stay, did: Stay) -> str:
    return _time_wrong(seen.t_us, did.t_us, trace.sampled_within_us(did.t_us))
