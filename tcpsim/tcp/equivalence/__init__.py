"""When two endpoints are equal except for the clock, apart from their connections (see connection).

Owns: the names of sockets and listeners, the queues of listeners, the phase of a timer wheel, a new ISN's
distance to an old one, and a segment under way. Refuses to know: who is at the other end.

Socket numbers are renumbered, because rules read only their order. All sockets share the endpoint's
`ts_offset`. This is left out of a segment, with the rule that allows it:

- The TSecr of a segment under way that acknowledges nothing new, or nothing that was resent (`recovery`
  measures by it only what was resent).
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import lru_cache
from typing import NamedTuple

from tcpsim.tcp import deadlines, timer_wheel
from tcpsim.tcp.endpoint import Endpoint
from tcpsim.tcp.equivalence import future
from tcpsim.tcp.segment import ACK, NO_OPTIONS, Segment
from tcpsim.tcp.seqnum import MASK, le
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions, Tcb

Key = tuple[object, ...]

GONE = -1  # the name of a socket or listener that is no more


def key(end: Endpoint, named: Mapping[int, int]) -> Key:
    """What an end of these `names` is besides its connections and what they are."""
    sockets = tuple(
        [(named[number], named.get(t.parent, GONE) if t.parent else 0) for number, t in end.sockets.items()]
    )
    listeners = tuple(
        [
            (named[number], each._replace(accept_queue=tuple([named[child] for child in each.accept_queue])))
            for number, each in end.listeners.items()
        ]
    )
    return sockets, listeners, end.ts_offset, end.cached_rtt8


def names(end: Endpoint) -> dict[int, int]:
    """Sockets and listeners by their order: how many there were before makes no difference."""
    return {number: place for place, number in enumerate(sorted([*end.sockets, *end.listeners]), 1)}


class Prospect(NamedTuple):
    """What a host's programs may yet do, as far as timers are concerned.

    They may send on or close the sockets `acts`, and set options of the sockets `tuned`, the longest time
    being `option_us`. `to_come`: a connection may yet begin, of which they may do all this. It uses
    timestamps if both stacks do (`stamped`).
    """

    acts: Set[int]
    tuned: Set[int]
    option_us: int | None
    to_come: bool
    stamped: bool


def wheel_turn_us(end: Endpoint, prospect: Prospect) -> int | None:
    """How long the buckets of the longest timers are that there may be; None: a stack without a timer wheel.

    Where a clock stands in them is part of a key.
    """
    s = end.stack
    if not s.timer_hz:
        return None
    acts, tuned, option_us, to_come, stamped = prospect
    longest = []
    if to_come:
        options = SocketOptions(), *[each.options for each in end.listeners.values()]
        longest = [_longest_to_come_us(each, s, option_us, stamped) for each in options]
    for number, t in end.sockets.items():
        if t.state != State.CLOSED:
            bounds = future.bounds(t, s, number in acts, option_us if number in tuned else None)
            longest.append(deadlines.longest_us(t, s, bounds))
    return timer_wheel.bucket_width_us(max(longest, default=0), s.timer_hz)


@lru_cache(maxsize=256)
def _longest_to_come_us(options: SocketOptions, s: Stack, option_us: int | None, stamped: bool) -> int:
    """The longest timer that a connection with these options may have."""
    t = Tcb(options=options, ts_on=stamped)
    return deadlines.longest_us(t, s, future.bounds(t, s, True, option_us))


def isn_clock(end: Endpoint, now: int, origin: int) -> int:
    """The ISN that a connection opened now would have, from `origin`, and the phase of its 4 us clock."""
    return ((end.iss + now // 4 - origin) & MASK) * 4 + now % 4


def segment_key(seg: Segment, now: int, ours: int, theirs: int, measured: bool) -> Key:
    """A segment under way; its sender's numbers count from `ours`, of the receiver from `theirs`.

    `measured`: what `measures` says of it and its receiver.
    """
    _, _, flags, seq, ack, length, wnd, o = seg
    head = (
        seg.src_port, seg.dst_port, flags, (seq - ours) & MASK,
        (ack - theirs) & MASK if flags & ACK else None, length, wnd,
    )  # fmt: skip
    if o is NO_OPTIONS or o == NO_OPTIONS:  # the same once it was pickled
        return head
    ms = now // 1000
    val = None if o.ts_val is None else (o.ts_val - ms) & MASK
    ecr = (o.ts_ecr - ms) & MASK if measured and o.ts_ecr is not None else None
    sack = tuple([((a - theirs) & MASK, (b - theirs) & MASK) for a, b in o.sack])
    return (*head, o.mss, o.wscale, o.sack_permitted, val, ecr, sack, o.layout)


def measures(to: Tcb, seg: Segment, due_us: int) -> bool:
    """Whether an ACK may come to measure a round trip by its timestamp, where something was resent."""
    if not (to.sent and seg.flags & ACK) or le(seg.ack, to.snd_una):
        return False
    if len(to.sent) > 1 or (to.slot_at_us is not None and to.slot_at_us <= due_us):
        return True  # what is under way before it may mark or resend
    return to.sent[0].xmits > 1
