"""The states of a connection tracker and its transition table.

Owns: the states and the transitions of Linux's nf_conntrack, which all middleboxes here use, and the rows of
the table. Refuses to know: how long a state lasts and what happens to a segment that fits nowhere
(middlebox), and the flows themselves (flow_table).

Source: net/netfilter/nf_conntrack_proto_tcp.c `tcp_conntracks`, written down from memory and compared with
more than 400 flows that a running 6.18 has recorded (tests/path/conntrack-6.18.txt). The states are spelled
with an underscore, as /proc/net/nf_conntrack does: CLOSE_WAIT here is no state of an endpoint. It is
a flow after one FIN and an ACK, whoever sent that ACK.

A tracker guesses, because it knows only the segments that have passed it. A FIN that is retransmitted before
its ACK looks like the FINs of both sides (FIN_WAIT to LAST_ACK). A SYN on a live flow may mean that the
tracker is wrong. Such segments pass and change nothing (IGNORE). An impossible segment is INVALID.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

from tcpsim.tcp.segment import ACK, FIN, RST, SYN, Segment

Direction = Literal["original", "reply"]  # of the flow's first segment, and against it
Kind = Literal["SYN", "SYN-ACK", "FIN", "ACK", "RST", "no flags"]


class Tracked(Enum):
    """The state of a flow; ``str()`` is the kernel's name."""

    NONE = "NONE"
    SYN_SENT = "SYN_SENT"
    SYN_RECV = "SYN_RECV"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT = "FIN_WAIT"
    CLOSE_WAIT = "CLOSE_WAIT"
    LAST_ACK = "LAST_ACK"
    TIME_WAIT = "TIME_WAIT"
    CLOSE = "CLOSE"
    SYN_SENT2 = "SYN_SENT2"  # SYNs of both sides: a simultaneous open

    def __str__(self) -> str:
        return self.value

    def __lt__(self, other: Tracked) -> bool:
        return _PLACES[self] < _PLACES[other]


_PLACES = {state: place for place, state in enumerate(Tracked)}  # states in the order of the table


class Unmoved(Enum):
    """What is no state: a segment that changes nothing, and one that cannot be."""

    IGNORE = "IGNORE"
    INVALID = "INVALID"


_BY_SHORT: dict[str, Tracked | Unmoved] = {
    "sNO": Tracked.NONE, "sSS": Tracked.SYN_SENT, "sSR": Tracked.SYN_RECV, "sES": Tracked.ESTABLISHED,
    "sFW": Tracked.FIN_WAIT, "sCW": Tracked.CLOSE_WAIT, "sLA": Tracked.LAST_ACK, "sTW": Tracked.TIME_WAIT,
    "sCL": Tracked.CLOSE, "sS2": Tracked.SYN_SENT2, "sIG": Unmoved.IGNORE, "sIV": Unmoved.INVALID,
}  # fmt: skip
SHORT = {state: name for name, state in _BY_SHORT.items()}

_ROWS: dict[tuple[Direction, Kind], str] = {
    #                        sNO sSS sSR sES sFW sCW sLA sTW sCL sS2
    ("original", "SYN"):     "sSS sSS sIG sIG sIG sIG sIG sSS sSS sS2",
    ("original", "SYN-ACK"): "sIV sIV sSR sIV sIV sIV sIV sIV sIV sSR",
    ("original", "FIN"):     "sIV sIV sFW sFW sLA sLA sLA sTW sCL sIV",
    ("original", "ACK"):     "sES sIV sES sES sCW sCW sTW sTW sCL sIV",
    ("original", "RST"):     "sIV sCL sCL sCL sCL sCL sCL sCL sCL sCL",
    ("original", "no flags"): "sIV sIV sIV sIV sIV sIV sIV sIV sIV sIV",
    ("reply", "SYN"):        "sIV sS2 sIV sIV sIV sIV sIV sSS sIV sS2",
    ("reply", "SYN-ACK"):    "sIV sSR sIG sIG sIG sIG sIG sIG sIG sSR",
    ("reply", "FIN"):        "sIV sIV sFW sFW sLA sLA sLA sTW sCL sIV",
    ("reply", "ACK"):        "sIV sIG sSR sES sCW sCW sTW sTW sCL sIG",
    ("reply", "RST"):        "sIV sCL sCL sCL sCL sCL sCL sCL sCL sCL",
    ("reply", "no flags"):   "sIV sIV sIV sIV sIV sIV sIV sIV sIV sIV",
}  # fmt: skip

TABLE: dict[tuple[Direction, Kind, Tracked], Tracked | Unmoved] = {
    (direction, kind, state): _BY_SHORT[after]
    for (direction, kind), row in _ROWS.items()
    for state, after in zip(Tracked, row.split(), strict=True)
}


def kind_of(segment: Segment) -> Kind:
    """The row of the table: RST before SYN before FIN before ACK (`get_conntrack_index`)."""
    flags = segment.flags
    if flags & RST:
        return "RST"
    if flags & SYN:
        return "SYN-ACK" if flags & ACK else "SYN"
    if flags & FIN:
        return "FIN"
    return "ACK" if flags & ACK else "no flags"
