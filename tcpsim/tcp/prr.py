"""Proportional rate reduction: how the congestion window shrinks in fast recovery (RFC 6937).

Owns: CWND within the episode. Refuses to know: what is lost and when the episode begins and ends (recovery).

Segments are counted. Source: RFC 6937 section 3 with CRB and SSRB as Linux combines them
(net/ipv4/tcp_input.c tcp_cwnd_reduction).
"""

from __future__ import annotations

from tcpsim.tcp.tcb import Tcb


def begin(t: Tcb) -> None:
    """The episode begins."""
    t.prior_cwnd = t.cwnd
    t.prr_delivered = t.prr_out = 0


def reduce(t: Tcb, delivered: int, lost: bool, advanced: bool) -> None:
    """An ACK told of so many segments `delivered`; whether it tells of a new loss, and moved SND.UNA."""
    if delivered <= 0:
        return
    pipe = t.pipe
    t.prr_delivered += delivered
    room = t.ssthresh - pipe
    if room < 0:
        may = -(-t.ssthresh * t.prr_delivered // t.prior_cwnd) - t.prr_out
    else:
        may = max(t.prr_delivered - t.prr_out, delivered) + (advanced and not lost)
        may = min(room, may)
    t.cwnd = pipe + max(may, 0 if t.prr_out else 1)
