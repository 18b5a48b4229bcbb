"""TIME-WAIT, and FIN-WAIT-2 as a timewait socket (RFC 9293 3.10.7.4, 3.6.1; RFC 1337; RFC 6191).

Owns: how a stack with a separate record for a waiting connection reads its segments: Linux's timewait sockets
(net/ipv4/tcp_minisocks.c tcp_timewait_state_process) and BSD's short check. A stack without such a shortcut
makes the same checks as in every state (segment_arrives). Refuses to know: how long the wait is (timers), and
what happens to a SYN that starts a new connection (endpoint).
"""

from __future__ import annotations

from tcpsim.tcp import acks, output, window
from tcpsim.tcp.event import Fact
from tcpsim.tcp.segment import ACK, FIN, RST, SYN, Segment
from tcpsim.tcp.seqnum import MASK, diff, le, lt
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import FIN_WAIT_2, TIME_WAIT
from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import Tcb


def segment_arrives(step: Step, seg: Segment) -> None:
    """One segment for a connection that waits."""
    if step.t.state is FIN_WAIT_2:
        _fin_wait_2(step, seg)
    elif step.t.mini:
        _time_wait_mini(step, seg)
    elif step.s.time_wait_checks == "short":
        _time_wait_checked(step, seg)
    else:
        _time_wait_deaf(step, seg)


def reopens(t: Tcb, seg: Segment, s: Stack) -> bool:
    """Whether a SYN is a new connection beyond doubt: later in sequence, or by its timestamp (RFC 6191)."""
    if not s.time_wait_reuse or t.state is not TIME_WAIT or seg.flags & (SYN | ACK | RST) != SYN:
        return False
    if seg.flags & FIN and s.syn_fin == "drop-anywhere":
        return False
    val = seg.options.ts_val
    if t.ts_on and val is not None and diff(val, t.ts_recent) < 0:
        return False
    newer = t.ts_on and val is not None and diff(val, t.ts_recent) > 0
    return lt(t.rcv_nxt, seg.seq) or newer


def _stale(t: Tcb, seg: Segment) -> bool:
    """PAWS."""
    val = seg.options.ts_val
    return t.ts_on and val is not None and diff(val, t.ts_recent) < 0


def _fin_wait_2(step: Step, seg: Segment) -> None:
    """The checks of 3.10.7.4 in short; data after close() draws a RST."""
    t = step.t
    end = (seg.seq + seg.seg_len) & MASK
    edge = (t.rcv_nxt + window.offered(t)) & MASK
    inside = seg.seq == t.rcv_nxt or (lt(t.rcv_nxt, end) and lt(seg.seq, edge)) or edge == seg.seq == end
    if _stale(t, seg) or not inside:
        _answer(step, seg)  # whatever it is, a RST too
        return
    if seg.flags & RST:
        step.end(Fact.RESET, "reset by peer", None)
        return
    if seg.flags & SYN and not lt(seg.seq, t.rcv_nxt):
        _refuse(step, seg, "SYN in FIN-WAIT-2")
        return
    if not seg.flags & ACK or le(end, t.rcv_nxt) or end == seg.seq:
        step.drop("nothing new in FIN-WAIT-2")
        return
    if not seg.flags & FIN or end != (t.rcv_nxt + 1) & MASK:
        _refuse(step, seg, "data after close")
        return
    t.rcv_nxt = end
    t.fin_received = True
    if t.ts_on and seg.options.ts_val is not None:
        t.ts_recent = seg.options.ts_val
    step.fact(Fact.PEER_FIN)
    output.send_ack(step)


def _time_wait_mini(step: Step, seg: Segment) -> None:
    """Linux: a bare segment at RCV.NXT, or anything else, which is answered and restarts the wait."""
    t, s = step.t, step.s
    stale = _stale(t, seg)
    if not stale and seg.seq == t.rcv_nxt and (seg.seg_len == 0 or seg.flags & RST):
        if not seg.flags & RST:
            t.wait = None
        elif s.rfc1337:
            step.drop("RST in TIME-WAIT (RFC 1337)")
        else:
            step.end(Fact.RESET, "reset in TIME-WAIT", None)
        return
    if seg.flags & RST:
        step.drop("RST outside TIME-WAIT's RCV.NXT")
        return
    if seg.flags & ACK or stale:
        t.wait = None
    _answer(step, seg)


def _time_wait_checked(step: Step, seg: Segment) -> None:
    """BSD (FreeBSD netinet/tcp_timewait.c tcp_twcheck): a repeated FIN restarts, no RST kills."""
    t = step.t
    unstamped = t.ts_on and seg.options.ts_val is None and step.s.drops_unstamped
    if seg.flags & RST or not seg.flags & ACK or unstamped:
        step.drop("RST or no ACK in TIME-WAIT")
        return
    if seg.flags & FIN and (seg.seq + seg.seg_len) & MASK == t.rcv_nxt:
        t.wait = None
    if seg.flags != ACK or seg.len or seg.seq != t.rcv_nxt or seg.ack != t.snd_nxt:
        _answer(step, seg)


def _time_wait_deaf(step: Step, seg: Segment) -> None:
    """lwIP (tcp_in.c tcp_timewait_input): no RST is heard, no SYN opens; a FIN restarts the wait."""
    t = step.t
    if seg.flags & RST:
        step.drop("RST in TIME-WAIT (RFC 1337)")
    elif seg.flags & SYN and 0 <= diff(seg.seq, t.rcv_nxt) <= t.rcv_wnd:
        output.refuse(step, seg)
    else:
        if seg.flags & FIN and not seg.flags & SYN:
            t.wait = None
        if seg.seg_len:
            output.send_ack(step)


def _answer(step: Step, seg: Segment) -> None:
    """The ACK that a peer which missed it waits for."""
    if acks.may_answer_to(step, seg):
        output.send_ack(step)


def _refuse(step: Step, seg: Segment, why: str) -> None:
    output.refuse(step, seg)
    step.end(Fact.RESET, why, None)
