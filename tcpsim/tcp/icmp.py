"""An ICMP error about a segment of ours (RFC 9293 3.9.2.2, RFC 5927 section 4, RFC 1122 4.2.3.9).

Owns: whether a connection ends at once, or keeps the error as the reason of a later failure; and the lower
MSS that follows from a message of the path (RFC 1191). Refuses to know: the list of messages (icmp_messages),
which connection it is (endpoint), probing of a path (RFC 4821), and the path cache of a host.
"""

from __future__ import annotations

from tcpsim.tcp import recovery
from tcpsim.tcp.event import Fact
from tcpsim.tcp.icmp_messages import ERRNOS, QUENCH, TOO_BIG
from tcpsim.tcp.seqnum import le, lt
from tcpsim.tcp.state import State
from tcpsim.tcp.step import Step

_LEAST_ROOM = 256  # of a path that is believed: RFC 1191 has 68, the systems 296 and 552 less headers

_OPENING = {
    "any": frozenset(State),
    "opening": frozenset({State.SYN_SENT, State.SYN_RECEIVED}),
    "syn-sent": frozenset({State.SYN_SENT}),
}


def arrives(step: Step, seq: int, message: str, room: int | None) -> None:
    """One message that quotes our segment at `seq`; nothing but what is outstanding can have caused it."""
    t, s = step.t, step.s
    if message == QUENCH or not (le(t.snd_una, seq) and lt(seq, t.snd_nxt)):
        step.drop("ICMP of no concern")
        return
    if message == TOO_BIG:
        _too_big(step, room)
        return
    error = ERRNOS[message][s.icmp_errnos == "bsd"]
    if t.parent and t.state == State.SYN_RECEIVED and s.requests:
        step.drop("ICMP about an embryonic connection")  # nobody is there to be told; it has its retries
    elif message in s.icmp_hard and t.state in _OPENING[s.icmp_hard_while]:
        step.end(Fact.RESET, f"ICMP {message}", error)
    else:
        t.soft_error = error


def _too_big(step: Step, room: int | None) -> None:
    """RFC 1191 6.5: smaller segments from now on, and what was too big is sent again at once.

    Of a SYN it tells nothing: it is small, and what a host remembers of a path is not modelled.
    """
    t = step.t
    less = None if room is None else room - 12 * t.ts_on
    if (
        less is None
        or room is None
        or room < _LEAST_ROOM
        or t.state < State.ESTABLISHED
        or less >= t.mss_clamp
    ):
        step.drop("ICMP of no concern")
        return
    t.mss_clamp = less
    t.snd_mss = min(t.snd_mss, less)
    recovery.too_big(step, less)
