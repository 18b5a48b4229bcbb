"""Undo: what is taken back if nothing had been lost in an episode of recovery.

Owns: how this is detected, by duplicates that the peer reports (RFC 2883, RFC 3708) or by the timestamp that
it echoes (RFC 3522, Eifel), and the previous window. Refuses to know: the episode itself (recovery).

Source: Linux net/ipv4/tcp_input.c tcp_init_undo, tcp_may_undo, tcp_packet_delayed, tcp_undo_cwnd_reduction.
"""

from __future__ import annotations

from tcpsim.tcp.output import timestamp
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.seqnum import diff, lt
from tcpsim.tcp.tcb import OPEN, Tcb


def begin(t: Tcb) -> None:
    """An episode begins: remember the window, and count what is resent."""
    t.prior_ssthresh = max(t.ssthresh, (t.cwnd >> 1) + (t.cwnd >> 2))
    t.undo_retrans = sum([r.resent for r in t.sent]) or -1


def duplicate_told(t: Tcb, seg: Segment, prior_una: int) -> None:
    """The peer reports that something came twice: one retransmission less that was needed."""
    sack = seg.options.sack
    if t.undo_retrans is None or t.undo_retrans <= 0 or not sack:
        return
    left, right = sack[0]
    inside = len(sack) > 1 and not lt(left, sack[1][0]) and not lt(sack[1][1], right)
    if lt(left, seg.ack) or inside:
        t.undo_retrans -= 1


def was_for_nothing(t: Tcb, seg: Segment) -> bool:
    """Every retransmission came twice, or the ACK answers what was sent before the first of them."""
    if t.undo_retrans is None:
        return False
    if not t.undo_retrans:
        return True
    ecr = seg.options.ts_ecr
    if t.retrans_since_us is None or not t.ts_on or not ecr:
        return False
    return diff(ecr, timestamp(t, t.retrans_since_us)) < 0


def undo(t: Tcb) -> None:
    """The window as it was, and nothing is lost."""
    t.cwnd = max(t.cwnd, t.prior_cwnd)
    t.ssthresh = max(t.ssthresh, t.prior_ssthresh)
    t.sent = tuple([r._replace(lost=False) if r.lost else r for r in t.sent])
    t.ca_state = OPEN


def forget(t: Tcb) -> None:
    """The episode is over."""
    t.undo_retrans = None
    t.prior_cwnd = t.prior_ssthresh = t.prr_delivered = t.prr_out = 0
    t.frto = False
