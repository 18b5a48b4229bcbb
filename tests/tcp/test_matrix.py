"""SEGMENT ARRIVES as a matrix: each kind of segment in each state, what is answered and what comes next.

Expectations are written from RFC 9293 3.10.7 and RFC 5961, and for Linux from its sources; `SOURCES`
cites them. A cell is the answer, then ``>`` and the next state where it changes; ``rfc9293|linux`` where
the two differ. Answers: ``-`` nothing, ``A`` <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> at once, ``a`` the same
within the delay of an ACK, ``R`` <SEQ=SEG.ACK><CTL=RST>, ``RA`` <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>,
``SA`` <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tcpsim.tcp.segment import Segment, parse_flags
from tcpsim.tcp.seqnum import add
from tcpsim.tcp.state import State
from tests.tcp.two_ends import CLIENT, MS, PORTS, SERVER, Line, segment_for
from tests.tcp.ways import WAYS, reach

COLUMNS = {
    "CLO": "CLOSED",
    "LIS": "LISTEN",
    "SS": "SYN-SENT",
    "SR": "SYN-RECEIVED",
    "SR2": "SYN-RECEIVED/simultaneous",
    "EST": "ESTABLISHED",
    "FW1": "FIN-WAIT-1",
    "FW1o": "FIN-WAIT-1/orphan",
    "FW2": "FIN-WAIT-2",
    "FW2o": "FIN-WAIT-2/orphan",
    "CW": "CLOSE-WAIT",
    "CLG": "CLOSING",
    "LA": "LAST-ACK",
    "TW": "TIME-WAIT",
}


class Kind(NamedTuple):
    """A segment: `at` octets from RCV.NXT; `ack` octets from SND.NXT ("nxt") or from SND.UNA ("una")."""

    flags: str
    at: int = 0
    edge: str = "nxt"
    ack: int = 0
    length: int = 0


FAR = 1 << 20  # beyond any window here

KINDS = {
    "syn": Kind("S", at=1_000),
    "syn-ack": Kind("SA"),
    "syn-fin": Kind("SF", at=1_000),
    "ack": Kind("A"),
    "old-ack": Kind("A", edge="una", ack=-1),
    "future-ack": Kind("A", ack=1),
    "data": Kind("PA", length=10),
    "data-repeated": Kind("PA", at=-10, edge="una", length=10),
    "data-left-of-window": Kind("PA", at=-20, length=10),
    "data-right-of-window": Kind("PA", at=FAR, length=10),
    "fin": Kind("FA", edge="una"),
    "fin-ack": Kind("FA"),
    "rst": Kind("R"),
    "rst-in-window": Kind("R", at=1),
    "rst-outside": Kind("R", at=FAR),
    "rst-behind": Kind("R", at=-1),
    "rst-ack": Kind("RA"),
    "no-flags": Kind("-"),
}

OPENING = """
                      CLO  LIS      SS     SR            SR2          EST
syn                   RA   SA>SR    SA>SR  ->LIS|RA>LIS  A            A
syn-ack               R    R        A>EST  ->LIS|R>LIS   A            A
syn-fin               RA   SA>SR|-  SA>SR  ->LIS|RA>LIS  A            A
ack                   R    R        -      ->EST         ->EST        -
old-ack               R    R        R      R             R            -
future-ack            R    R        R      R             R            A
data                  R    R        -      a>EST|A>EST   a>EST|A>EST  a|A
data-repeated         R    R        R      R             R            A
data-left-of-window   R    R        -      A             A            A
data-right-of-window  R    R        -      A             A            A
fin                   R    R        R      R             R            A>CW|a>CW
fin-ack               R    R        -      A>CW|a>CW     A>CW|a>CW    A>CW|a>CW
rst                   -    -        -      ->LIS         ->CLO        ->CLO
rst-in-window         -    -        -      A             A            A
rst-outside           -    -        -      -             -            -
rst-behind            -    -        -      -             -            -
rst-ack               -    -        ->CLO  ->LIS         ->CLO        ->CLO
no-flags              RA   -        -      -             -            -
"""

CLOSING = """
                      FW1          FW1o   FW2    FW2o      CW       CLG        LA       TW
syn                   A            A      A      A|RA>CLO  A        A          A        A
syn-ack               A            A      A      A|R>CLO   A        A          A        A
syn-fin               A            A      A      A|RA>CLO  A        A          A        A
ack                   ->FW2        ->FW2  -      -         -        ->TW       ->CLO    -
old-ack               -            -      -      -         -        -          -        -
future-ack            A            A      A      A|-       A        A          A        A|-
data                  a>FW2|A>FW2  R>CLO  a|A    R>CLO     -        ->TW       ->CLO    -|A
data-repeated         A            A      A      A         A        A          A        A
data-left-of-window   A            A      A      A         A        A          A        A
data-right-of-window  A            A      A      A         A        A          A        A
fin                   A>CLG        A>CLG  A>TW   A>TW      A        A          A        A
fin-ack               A>TW         A>TW   A>TW   A>TW      A        A>TW|->TW  ->CLO    A
rst                   ->CLO        ->CLO  ->CLO  ->CLO     ->CLO    ->CLO      ->CLO    ->CLO
rst-in-window         A            A      A      A|->CLO   A        A          A        A|-
rst-outside           -            -      -      -|A       -        -          -        -
rst-behind            -            -      -      -|A       -|->CLO  -|->CLO    -|->CLO  -
rst-ack               ->CLO        ->CLO  ->CLO  ->CLO     ->CLO    ->CLO      ->CLO    ->CLO
no-flags              -            -      -      -         -        -          -        -
"""

SOURCES = {
    "syn": "3.10.7.1; 3.10.7.2 third; 3.10.7.3 fourth; 3.10.7.4 fourth: a passive open returns to LISTEN, "
    "synchronised states challenge (RFC 5961 4.2). Linux: tcp_check_req embryonic_reset; "
    "tcp_timewait_state_process answers a SYN in FIN-WAIT-2's window with RST",
    "syn-ack": "as syn; LISTEN refuses any ACK (3.10.7.2 second); SYN-SENT: 3.10.7.3 fourth",
    "syn-fin": "as syn; other controls wait (3.10.7.2 third). Linux: a listener drops SYN with FIN",
    "ack": "3.10.7.4 fifth, state by state; SYN-SENT drops what has neither SYN nor RST (3.10.7.3 fifth)",
    "old-ack": "3.10.7.4 fifth: RST in SYN-RECEIVED, a duplicate is ignored elsewhere; 3.10.7.3 first",
    "future-ack": "3.10.7.4 fifth: send an ACK, drop. Linux: tcp_ack TCP_ACK_UNSENT_DATA is challenged; a "
    "mini-socket does not look at the ACK field",
    "data": "3.10.7.4 seventh; after CLOSE a RST (3.6.1); ignored after the peer's FIN. Linux: the first "
    "segments are acknowledged at once (tcp_enter_quickack_mode); TIME-WAIT answers what has a length",
    "data-repeated": "3.10.7.4 first: an acknowledgment; SYN-RECEIVED reads the ACK field (appendix A.2)",
    "data-left-of-window": "3.10.7.4 first: an acknowledgment, and the ACK field is not read",
    "data-right-of-window": "3.10.7.4 first",
    "fin": "3.10.7.4 eighth; repeated (CLOSE-WAIT and later): an acknowledgment. Linux tcp_fin: "
    "delayed in ESTABLISHED, at once in FIN-WAIT-1 and -2",
    "fin-ack": "3.10.7.4 fifth, then eighth; a repeated FIN's ACK field is read (appendix A.2; trace 09). "
    "Linux: CLOSING consumes the segment that acknowledges its FIN (tcp_rcv_state_process)",
    "rst": "3.10.7.4 second, RFC 5961 3.2 (2); SYN-RECEIVED returns to LISTEN; SYN-SENT needs an ACK",
    "rst-in-window": "RFC 5961 3.2 (3): challenge. Linux: tcp_check_req too (6.18); a mini-socket takes "
    "any in the window in FIN-WAIT-2, TIME-WAIT ignores it",
    "rst-outside": "RFC 5961 3.2 (1): silently. Linux: FIN-WAIT-2's mini-socket answers even a RST",
    "rst-behind": "RFC 5961 3.2 (1). Linux tcp_reset_check: one below RCV.NXT after the peer's FIN",
    "rst-ack": "3.10.7.3 second: the ACK is acceptable; 3.10.7.4 second",
    "no-flags": "3.10.7.1: ACK off; 3.10.7.2 fourth; 3.10.7.3 fifth; 3.10.7.4 fifth: drop",
}


class Cell(NamedTuple):
    kind: str
    way: str
    stack: str
    answer: str
    next_state: str


def cells() -> list[Cell]:
    """The texts above, one cell per kind, state and stack."""
    found = []
    for table in (OPENING, CLOSING):
        head, *rows = table.strip("\n").splitlines()
        for row in rows:
            kind, *texts = row.split()
            for column, text in zip(head.split(), texts, strict=True):
                rfc, _, linux = text.partition("|")
                for stack, said in (("rfc9293", rfc), ("linux", linux or rfc)):
                    answer, _, after = said.partition(">")
                    next_state = COLUMNS[after or column].partition("/")[0]
                    found.append(Cell(kind, COLUMNS[column], stack, answer, next_state))
    return found


def made(line: Line, side: str, kind: Kind) -> Segment:
    """The segment, for a connection or, where there is none, for the ports."""
    if not line.ends[side].sockets:
        peer = SERVER if side == CLIENT else CLIENT
        flags = parse_flags(kind.flags)
        ack = 80_000 if flags & 16 else 0
        return Segment(PORTS[peer], PORTS[side], flags, 70_000, ack, kind.length, 65_535)
    t = line.tcb(side)
    at = kind.at - (1 if "F" in kind.flags and "A" in kind.flags and t.fin_received else 0)
    ack = kind.ack - (t.snd_nxt - t.snd_una if kind.edge == "una" else 0)
    return segment_for(line, side, kind.flags, at=at, ack=ack, length=kind.length)


def answered(line: Line, side: str, seg: Segment) -> str:
    """Deliver `seg`; which of the answers came, checked field by field. A SYN sent again is none."""
    iss = line.tcb(side).iss if line.ends[side].sockets else None
    since = len(line.sent)
    line.inject(side, seg)
    at_once = len(line.sent) > since
    line.run(201 * MS)
    answers = [sent.seg for sent in line.sent[since:] if sent.flags != "S"]
    if not answers:
        return "-"
    (answer,) = answers
    assert (answer.src_port, answer.dst_port, answer.len) == (seg.dst_port, seg.src_port, 0)
    said = (answer.flags, answer.seq, answer.ack)
    if said == (parse_flags("R"), seg.ack, 0):
        return "R"
    if said == (parse_flags("RA"), 0, add(seg.seq, seg.seg_len)):
        return "RA"
    t = line.tcb(side)
    if said == (parse_flags("SA"), t.iss if iss is None else iss, t.rcv_nxt):
        return "SA"
    assert said == (parse_flags("A"), t.snd_nxt, t.rcv_nxt)
    return "A" if at_once else "a"


@pytest.mark.parametrize("cell", cells(), ids=lambda cell: f"rcv-{cell.kind}-{cell.way}-{cell.stack}")
def test_segment_arrives(cell: Cell) -> None:
    line, side = reach(cell.way, cell.stack)
    answer = answered(line, side, made(line, side, KINDS[cell.kind]))
    assert (answer, str(line.state(side))) == (cell.answer, cell.next_state), SOURCES[cell.kind]


def test_the_matrix_is_complete() -> None:
    assert {(cell.kind, cell.way) for cell in cells()} == {(kind, way) for kind in KINDS for way in WAYS}
    assert set(SOURCES) == set(KINDS)
    assert {way.partition("/")[0] for way in COLUMNS.values()} == {str(state) for state in State}
