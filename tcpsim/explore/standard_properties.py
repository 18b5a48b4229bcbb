"""The properties that come with the project: what a connection should do, and what it should not.

Owns: each property with its function and its source. Refuses to know: how states are explored, and whether a
property holds (properties). Some do not hold on some stacks, and this is their purpose.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, product, takewhile
from typing import Final, NamedTuple

from tcpsim.explore.branch import View
from tcpsim.explore.properties import Kind, Property, Stay, Step
from tcpsim.pair import (
    Answered,
    Arrived,
    Duplicated,
    Event,
    Lost,
    Noted,
    Pair,
    Returned,
    Sent,
    Side,
    StateChanged,
)
from tcpsim.tcp import deadlines
from tcpsim.tcp.endpoint import Endpoint
from tcpsim.tcp.segment import ACK, Segment
from tcpsim.tcp.seqnum import MASK, le
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import Tcb
from tcpsim.units import format_duration

LEGS: Final = "legs-end-together"  # of relays alone, and with a time: not among those that are always asked
_CONSEQUENCES = (Sent, Lost, Duplicated, Answered, StateChanged, Noted, Returned)


def _end(pair: Pair, side: Side) -> Endpoint:
    return pair.machine(side).system.end


# Of a pair at rest


def orphan_has_timer(pair: Pair) -> bool:
    """Something will end every connection that no program holds."""
    for side in pair.names:
        for tcb in _end(pair, side).sockets.values():
            if tcb.orphaned and tcb.state != State.CLOSED and deadlines.next_time(tcb) is None:
                return False
    return True


def one_socket_per_ports(pair: Pair) -> bool:
    """No host has two live connections on one pair of ports."""
    for side in pair.names:
        live = [
            (tcb.local_port, tcb.remote_port)
            for tcb in _end(pair, side).sockets.values()
            if tcb.state != State.CLOSED
        ]
        if len(live) != len(set(live)):
            return False
    return True


def _opposite(pair: Pair) -> Iterator[tuple[Tcb, Tcb]]:
    """Live sockets of two neighbours on the same pair of ports, each pair of them in both orders."""
    ends = [machine.system.end for machine in pair.machines]
    for left, right in pairwise(ends):
        for ours, theirs in product(left.sockets.values(), right.sockets.values()):
            same = (ours.local_port, ours.remote_port) == (theirs.remote_port, theirs.local_port)
            if same and State.CLOSED not in (ours.state, theirs.state):
                yield ours, theirs
                yield theirs, ours


def established_agree(pair: Pair) -> bool:
    """Two ESTABLISHED sockets mean the same connection: each has heard the other's ISN."""
    return all(
        receiver.irs == sender.iss
        for sender, receiver in _opposite(pair)
        if sender.state is receiver.state is State.ESTABLISHED
    )


def _flows(pair: Pair) -> Iterator[tuple[Tcb, Tcb]]:
    """(sender, receiver) where the receiver has heard this very sender's SYN."""
    for sender, receiver in _opposite(pair):
        if receiver.state != State.SYN_SENT and receiver.irs == sender.iss:
            yield sender, receiver


def acked_was_received(pair: Pair) -> bool:
    """SND.UNA is never beyond the peer's RCV.NXT."""
    return all(le(sender.snd_una, receiver.rcv_nxt) for sender, receiver in _flows(pair))


def received_was_sent(pair: Pair) -> bool:
    """RCV.NXT is never beyond the peer's SND.NXT: nothing old is taken for new."""
    return all(le(receiver.rcv_nxt, sender.snd_nxt) for sender, receiver in _flows(pair))


# Of what happens in one instant


class Reception(NamedTuple):
    """A segment that arrived: at what socket (as it was before the instant), in what state, its answers."""

    segment: Segment
    socket: Tcb | None
    state: State | None
    answers: tuple[Segment, ...]


def receptions(step: Step) -> Iterator[Reception]:
    """Every arrival of an instant."""
    changed: dict[tuple[Side, int], State | None] = {}
    for place, event in enumerate(step.events):
        if isinstance(event, StateChanged):
            changed[event.side, event.socket] = event.new
        elif isinstance(event, Arrived):
            end = _end(step.before, event.side)
            number = end.find(event.segment.dst_port, event.segment.src_port)
            tcb = None if number is None else end.sockets[number]
            state = None if tcb is None or number is None else changed.get((event.side, number), tcb.state)
            yield Reception(event.segment, tcb, state, _answers(event.side, step.events[place + 1 :]))


def _answers(side: Side, events: Sequence[Event]) -> tuple[Segment, ...]:
    """What a host sends because of an arrival, before anything else happens."""
    caused = takewhile(lambda event: isinstance(event, _CONSEQUENCES), events)
    return tuple([event.segment for event in caused if isinstance(event, Sent) and event.side == side])


def time_wait_answers_fin(step: Step) -> bool:
    """A FIN that comes again to a socket in TIME-WAIT is acknowledged."""
    for segment, tcb, state, answers in receptions(step):
        if tcb is None or state is not State.TIME_WAIT or segment.rst or not segment.fin:
            continue
        again = (segment.seq + segment.seg_len) & MASK == tcb.rcv_nxt
        if again and not any(answer.flags & ACK and answer.ack == tcb.rcv_nxt for answer in answers):
            return False
    return True


def rst_draws_no_rst(step: Step) -> bool:
    """What answers a RST is an empty ACK, if anything."""
    return all(
        answer.flags == ACK and not answer.len
        for segment, _, _, answers in receptions(step)
        if segment.rst
        for answer in answers
    )


# Of the ways to end


def _sides_alive(view: View) -> int:
    return sum(any(held.state is not State.CLOSED for held in side) for side in view)


def no_permanent_leak(stay: Stay) -> bool:
    """No socket stays whatever is lost."""
    return stay.way_out or not any(map(_sides_alive, stay.views))


def every_connection_ends(stay: Stay) -> bool:
    """No socket stays, not even until something is lost."""
    return not any(map(_sides_alive, stay.views))


def one_side_at_most(stay: Stay) -> bool:
    """Not both sides are left with a connection for ever."""
    return stay.way_out or all(_sides_alive(view) < 2 for view in stay.views)


def can_end_clean(stay: Stay) -> bool:
    """Both sides are done."""
    return not stay.way_out and not any(map(_sides_alive, stay.views))


def legs_end_together(within_us: int) -> Property:
    """Once a leg of a relay begins to end, its program lets go of both legs within that time."""

    def holds(view: View) -> bool:
        for held in view[2:]:
            by_program = [each for each in held if each.fd]
            ending = [each for each in held if each.state > State.ESTABLISHED or each.state is State.CLOSED]
            if by_program and ending:
                return False
        return True

    words = f"a relay holds neither leg {format_duration(within_us)} after one has begun to end"
    return Property(LEGS, Kind.WITHIN, words, holds, "none", within_us)


PROPERTIES: tuple[Property, ...] = (
    Property(
        "orphan-has-timer", Kind.ALWAYS, "a connection that no program holds has a timer",
        orphan_has_timer, "none: RFC 9293 3.3.2 lets FIN-WAIT-2 last; Linux tcp_close() arms one",
    ),
    Property(
        "one-socket-per-ports", Kind.ALWAYS, "a host has one live connection at most on a pair of ports",
        one_socket_per_ports, "RFC 9293 3.4.1",
    ),
    Property(
        "established-agree", Kind.ALWAYS, "two ESTABLISHED sockets mean the same connection",
        established_agree, "RFC 9293 3.5: the three-way handshake prevents old duplicates from confusing",
    ),
    Property(
        "acked-was-received", Kind.ALWAYS, "what is acknowledged has arrived", acked_was_received,
        "RFC 9293 3.4",
    ),
    Property(
        "received-was-sent", Kind.ALWAYS, "what was received was sent on this connection, not on an old one",
        received_was_sent, "RFC 9293 3.4.1, 3.4.3",
    ),
    Property(
        "time-wait-answers-fin", Kind.STEP, "a FIN that comes again in TIME-WAIT is acknowledged",
        time_wait_answers_fin, "RFC 9293 3.10.7.4, TIME-WAIT STATE",
    ),
    Property(
        "rst-draws-no-rst", Kind.STEP, "a RST is answered by nothing but a challenge ACK",
        rst_draws_no_rst, "RFC 9293 3.5.2, 3.10.7.1; RFC 5961 3.2",
    ),
    Property(
        "no-permanent-leak", Kind.END, "no socket stays for ever", no_permanent_leak, "none",
    ),
    Property(
        "every-connection-ends", Kind.END, "no socket stays, not even until something is lost",
        every_connection_ends, "none",
    ),
    Property(
        "one-side-at-most", Kind.END, "at most one side is left with a connection", one_side_at_most, "none",
    ),
    Property(
        "can-end-clean", Kind.POSSIBLE, "there is a way for both sides to be done", can_end_clean,
        "RFC 9293 3.6",
    ),
)  # fmt: skip
