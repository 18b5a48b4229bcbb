"""Segment text and the peer's FIN (RFC 9293 3.10.7.4, sixth to eighth).

Owns: RCV.NXT, the out-of-order queue, and when the peer's FIN is in order. Octets are
counted, not kept. Refuses to know: whether text is accepted at all (segment_arrives), and when it is
acknowledged (acks).
"""

from __future__ import annotations

from tcpsim.tcp import acks, output, rcvbuf, right_sizing, window
from tcpsim.tcp.event import Fact
from tcpsim.tcp.segment import FIN, Segment
from tcpsim.tcp.seqnum import MASK, diff, le, lt
from tcpsim.tcp.state import CLOSE_WAIT, FIN_WAIT_1, FIN_WAIT_2
from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import ACK_NOMEM, ACK_NOW, ACK_SCHED

_SACK_BLOCKS_EXPECTED = 2  # Linux TCP_SACK_BLOCKS_EXPECTED


def text(step: Step, seg: Segment) -> None:
    """Queue what is new of `seg`'s text and FIN; duplicates and what does not fit are answered soon."""
    t = step.t
    fin = bool(seg.flags & FIN)
    left, right = seg.seq, (seg.seq + seg.len) & MASK
    end = (right + fin) & MASK
    room = window.acceptable(t, step.s)
    bare_fin = fin and left == right == t.rcv_nxt
    if bare_fin and not room:
        t.ack_pending |= ACK_NOW  # there was no room for anything more (Linux tcp_data_queue)
    if le(end, t.rcv_nxt):
        duplicate(step, left, right, fin)
        return
    edge = (t.rcv_nxt + room) & MASK
    if not lt(left, edge) and not bare_fin:
        _hasten(step)
        return
    if lt(edge, right) and step.s.window_overrun == "trim":
        right, fin = edge, False
    if lt(left, t.rcv_nxt):
        report_duplicate(step, left, t.rcv_nxt, False)
        left = t.rcv_nxt
    if left != t.rcv_nxt:
        if _has_room(step, seg):
            _queue_out_of_order(step, seg, left, right, fin)
        return
    if not _has_room(step, seg) and t.held and seg.len:
        return
    before = t.rcv_nxt
    _take(step, seg, right, fin)
    if t.ooo:
        _take_queued(step, seg, before)
        if not t.ooo:
            t.ack_pending |= ACK_NOW  # RFC 5681 4.2: a filled gap is acknowledged at once


def _has_room(step: Step, seg: Segment) -> bool:
    """Whether the buffer takes a segment; where it does not, the window is shut at once (ICSK_ACK_NOMEM)."""
    t = step.t
    if rcvbuf.has_room(t, step.s, seg):
        return True
    if seg.seq == t.rcv_nxt:
        t.ack_pending |= ACK_SCHED | ACK_NOW | ACK_NOMEM
    step.drop("no room in the receive buffer")
    return False


def _take(step: Step, seg: Segment, right: int, fin: bool) -> None:
    """In-order octets up to `right`, and the FIN behind them."""
    t, s = step.t, step.s
    taken = (right - t.rcv_nxt) & MASK
    t.rcv_nxt = right
    t.dup_ack_counter = 0
    if _keeps(step):
        t.readable += taken
        if s.skb_heads:
            rcvbuf.queue(t, rcvbuf.arrived(seg, t, s)._replace(octets=taken))
    if taken:
        acks.data_arrived(step, seg)
        right_sizing.data_arrived(step)
    if fin:
        _fin(step)


def _keeps(step: Step) -> bool:
    """Whether a program may yet read what arrives."""
    t = step.t
    return not t.orphaned and not (t.rd_shut and step.s.shut_rd_discards)


def text_of_syn(step: Step, seg: Segment) -> None:
    """The handshake is over: what came beside the peer's SYN is in order; a later segment repeats none of it.

    Where text is only queued, nothing asks for its acknowledgement: the next segment brings it (FreeBSD
    tcp_reass, which sets no TF_ACKNOW here).
    """
    t = step.t
    _take_queued(step, seg, t.rcv_nxt)
    if step.s.syn_text == "process":
        t.ack_pending |= ACK_SCHED


def _take_queued(step: Step, seg: Segment, before: int) -> None:
    """What a filled gap, which began at `before`, makes contiguous."""
    t = step.t
    while t.ooo and le(t.ooo[0][0], t.rcv_nxt):
        _, right, fin = t.ooo[0]
        t.ooo = t.ooo[1:]
        if lt(t.rcv_nxt, right):
            if _keeps(step):
                t.readable += (right - t.rcv_nxt) & MASK
            t.rcv_nxt = right
        if fin and t.rcv_nxt == right:
            rcvbuf.fill(t, before)
            _fin(step)
            return
    rcvbuf.fill(t, before)


def _fin(step: Step) -> None:
    """The peer's FIN is in order: acknowledge it, tell the program, follow the table."""
    t, s = step.t, step.s
    t.rcv_nxt = (t.rcv_nxt + 1) & MASK
    t.fin_received = True
    t.ooo = t.sack_order = ()
    if s.fin_clears_dsack:
        t.dsack = None
    rcvbuf.forget_ahead(t)
    t.ack_pending |= ACK_SCHED
    if t.state in (FIN_WAIT_1, FIN_WAIT_2):
        # CLOSING and TIME-WAIT are entered with an ACK at once, whatever the delay (Linux tcp_fin)
        output.send_ack(step)
    elif s.fin_ack_now:
        t.ack_pending |= ACK_NOW
    step.fact(Fact.PEER_FIN)
    if t.state is CLOSE_WAIT:
        t.pingpong = True  # nothing is in a hurry any more (Linux tcp_fin)


def duplicate(step: Step, left: int, right: int, fin: bool) -> None:
    """All of it is known: the peer missed an ACK."""
    report_duplicate(step, left, right, fin)
    _hasten(step)


def _hasten(step: Step) -> None:
    """An ACK is due at once; on Linux a quick one, and these end where the buffer is half full."""
    t = step.t
    acks.enter_quickack(t, step.s)
    t.ack_pending |= ACK_SCHED if step.s.ack_rule == "adaptive" else ACK_SCHED | ACK_NOW


def report_duplicate(step: Step, left: int, right: int, fin: bool) -> None:
    """RFC 2883: what came twice, as far as it was received; whether a FIN counts is the stack's choice."""
    t, s = step.t, step.s
    right = (right + (fin and s.sack_of_fin)) & MASK
    right = t.rcv_nxt if lt(t.rcv_nxt, right) and lt(left, t.rcv_nxt) else right
    if t.sack_on and s.dsack and left != right:
        t.dsack = (left, right)


def _queue_out_of_order(step: Step, seg: Segment, left: int, right: int, fin: bool) -> None:
    """Merge a range into the out-of-order queue; the changed block leads the next SACK."""
    t = step.t
    t.ack_pending |= ACK_SCHED
    acks.data_ahead(step, seg)
    if step.s.skb_heads:
        rcvbuf.queue_ahead(t, left, right, rcvbuf.arrived(seg, t, step.s))
    kept: list[tuple[int, int, bool]] = []
    gone: set[int] = set()
    for a, b, f in t.ooo:
        if lt(right, a) or lt(b, left):
            kept.append((a, b, f))
            continue
        if le(a, left) and le(right, b) and (f or not fin):
            report_duplicate(step, left, right, fin)
        gone.add(a)
        left = a if lt(a, left) else left
        right = b if lt(right, b) else right
        fin = fin or f
    behind = next((place for place, a in enumerate(t.sack_order) if a in gone), len(t.sack_order))
    if behind >= _SACK_BLOCKS_EXPECTED and not gone:
        _tell_of_compressed(step)
    kept.append((left, right, fin))
    t.ooo = tuple(sorted(kept, key=lambda r: diff(r[0], t.rcv_nxt)))
    t.sack_order = (left, *(a for a in t.sack_order if a != left and a not in gone))
    if behind >= _SACK_BLOCKS_EXPECTED and gone:
        _tell_of_compressed(step)
    right_sizing.data_ahead(t, step.s)


def _tell_of_compressed(step: Step) -> None:
    """A third block begins: what waits to be told of goes first (Linux tcp_sack_compress_send_ack)."""
    if step.t.compressed_ack:
        output.send_ack(step)
        step.t.ack_pending |= ACK_SCHED
