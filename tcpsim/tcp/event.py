"""Events of a connection other than segments, and the notes that a step returns.

Owns: the names of timers, of the facts that the lifecycle table is keyed on, and of notes. Refuses to
know: when a timer runs (timers), what a fact leads to (lifecycle).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from tcpsim.tcp.state import State


class Timer(IntEnum):
    """The timers of a TCB. The first four share one slot, as Linux's ``icsk_retransmit_timer`` does."""

    RETRANSMISSION = 1
    LOSS_PROBE = 2  # RFC 8985 section 7 (TLP)
    REORDERING = 3  # RFC 8985 section 6 (RACK)
    PERSIST = 4
    DELAYED_ACK = 5
    KEEPALIVE = 6
    USER_TIMEOUT = 7
    FIN_WAIT_2 = 8  # not in RFC 9293
    TIME_WAIT = 9
    LAST_ACK = 10  # lwIP
    COMPRESSED_ACK = 11  # Linux compressed_ack_timer

    def __str__(self) -> str:
        return self._name_.lower().replace("_", "-")


# Those of the slot by their bare names too (see `state`)
RETRANSMISSION, LOSS_PROBE, REORDERING, PERSIST, *_ = Timer


class Fact(IntEnum):
    """What a segment, a call or a timer comes down to once every check of RFC 9293 3.10 has been made."""

    ACTIVE_OPEN = 1  # the user called OPEN (connect)
    PEER_SYN = 2  # the peer's SYN has been accepted
    SYN_ACKED = 3  # our SYN has been acknowledged
    CLOSE_CALLED = 4  # CLOSE or SHUT_WR: our FIN has its place in the sequence
    FIN_ACKED = 5  # our FIN has been acknowledged
    PEER_FIN = 6  # the peer's FIN is next in sequence
    RESET = 7  # an acceptable RST arrived, or our own answer to the segment is one
    ABORTED = 8  # our side threw the connection away: ABORT, linger 0, unread data
    GAVE_UP = 9  # a retry limit, keepalive, or the user timeout
    FIN_WAIT_2_OVER = 10  # the stack's FIN-WAIT-2 limit
    TWO_MSL_OVER = 11
    SUPERSEDED = 12  # TIME-WAIT gave way to a new SYN (RFC 6191, RFC 9293 3.6.1)

    def __str__(self) -> str:
        return self._name_.lower().replace("_", " ")


class Note(NamedTuple):
    """One line of a step's log.

    `kind`: ``state`` (what = rule id of the lifecycle row), ``timer`` (what = the timer that fired),
    ``cause`` (what = why the connection ended), ``drop`` (what = why a segment was ignored).
    """

    socket: int
    kind: str
    old: State
    new: State
    holder: str
    what: str
