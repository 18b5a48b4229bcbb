"""SYN-RECEIVED: an incomplete connection of a listener (RFC 9293 3.10.7.4, where it differs).

Owns: how a stack with a reduced record for an incomplete handshake reads its segments: Linux's request
sockets (net/ipv4/tcp_minisocks.c tcp_check_req) and FreeBSD's syncache (netinet/tcp_syncache.c). For a stack
whose child is a full TCB, it has the rules of SYN-RECEIVED that other states do not have. Refuses to know:
the checks that all synchronised states share (segment_arrives).
"""

from __future__ import annotations

from tcpsim.tcp import acceptability, acks, output, sending, timers, window
from tcpsim.tcp.event import Fact
from tcpsim.tcp.segment import ACK, FIN, RST, SYN, Segment
from tcpsim.tcp.seqnum import MASK, diff, le, lt
from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import SocketOptions, Tcb


def segment_arrives(step: Step, seg: Segment) -> bool:
    """One segment for a reduced record; True if it is disposed of, False if it makes a connection of it."""
    return _request(step, seg) if step.s.embryo_checks == "request" else _syncache(step, seg)


# A full TCB


def repeated_syn(step: Step, seg: Segment) -> bool:
    """The same SYN again is not acceptable: ACK (3.10.7.4 first), or SYN,ACK again; whether it was one."""
    t, s = step.t, step.s
    if seg.flags & (SYN | ACK | RST) != SYN or seg.seq != t.irs:
        return False
    if acks.may_answer(step):
        if t.parent and s.embryo_checks == "request":
            sending.resend(step, 0)
            step.restart = timers.RETRY  # Linux tcp_check_req: mod_timer_pending, no further back-off
        else:
            output.send_ack(step)
    return True


def unacceptable(step: Step, seg: Segment) -> bool:
    """An ACK of something else draws a RST (3.10.7.4 fifth). Returns whether it did."""
    t = step.t
    if not seg.flags & ACK or (lt(t.iss, seg.ack) and le(seg.ack, t.snd_nxt)):
        return False
    output.refuse(step, seg)
    return True


def refuses_first(step: Step, seg: Segment) -> bool:
    """FreeBSD's tcp_do_segment after a simultaneous open, where the ACK and "LAND" come first."""
    t = step.t
    if seg.flags & RST:
        return False
    if unacceptable(step, seg):
        return True
    if lt(seg.seq, t.irs):
        output.refuse(step, seg)
    elif not seg.flags & ACK and (seg.len or seg.flags & FIN):
        output.send_ack(step)  # queued until the handshake is over; here left to the peer to repeat
    else:
        return False
    return True


def back_to_listen(step: Step) -> bool:
    """A passive open ends: the listener, who never heard of the child, is all that remains."""
    step.end(Fact.RESET, "back to LISTEN", None)
    return True


# Linux


def _request(step: Step, seg: Segment) -> bool:
    t = step.t
    stale = _stale(step, seg)
    if not stale and repeated_syn(step, seg):
        return True
    if seg.flags & ACK and seg.ack != (t.iss + 1) & MASK:
        output.refuse(step, seg)  # the listener's answer
        return True
    if stale or not _in_window(step, seg):
        if not seg.flags & RST and acks.may_answer_to(step, seg):
            output.send_ack(step)
        return True
    syn = seg.flags & SYN and seg.seq != t.irs
    if seg.flags & RST and seg.seq != t.rcv_nxt and step.s.challenge_rst:
        acceptability.challenge(step)
        return True
    if seg.flags & RST or syn:
        if syn and not seg.flags & RST:
            output.refuse(step, seg)
        return back_to_listen(step)
    if not seg.flags & ACK:
        step.drop("no ACK bit")
        return True
    return False


def _stale(step: Step, seg: Segment) -> bool:
    """PAWS."""
    t, val = step.t, seg.options.ts_val
    return t.ts_on and val is not None and diff(val, t.ts_recent) < 0


def _in_window(step: Step, seg: Segment) -> bool:
    """Linux tcp_in_window."""
    t = step.t
    end = (seg.seq + seg.seg_len) & MASK
    edge = (t.rcv_nxt + window.offered(t)) & MASK
    if seg.seq == t.rcv_nxt or (lt(t.rcv_nxt, end) and lt(seg.seq, edge)):
        return True
    return seg.seq == edge == end


# FreeBSD


def _syncache(step: Step, seg: Segment) -> bool:
    t, s = step.t, step.s
    if seg.flags & RST:
        _syncache_reset(step, seg)
    elif not seg.flags & (SYN | ACK):
        step.drop("neither SYN nor ACK")
    elif seg.flags & SYN and seg.flags & ACK:  # syncache_badack, and the listener refuses it
        output.refuse(step, seg)
        back_to_listen(step)
    elif seg.flags & SYN:
        _another_syn(step, seg)
    elif _stale(step, seg) or (t.ts_on and seg.options.ts_val is None and s.drops_unstamped):
        step.drop("PAWS, or no timestamp")
    elif seg.ack != (t.iss + 1) & MASK or not 0 < diff(seg.seq, t.irs) <= t.rcv_wnd:
        output.refuse(step, seg)
    else:
        return False
    return True


def _syncache_reset(step: Step, seg: Segment) -> None:
    """syncache_chkrst: RFC 5961 3.2."""
    t = step.t
    if not (seg.seq == t.rcv_nxt or 0 < diff(seg.seq, t.rcv_nxt) < t.rcv_wnd):
        step.drop("RST outside the window")
    elif seg.seq == t.rcv_nxt or not step.s.challenge_rst:
        back_to_listen(step)
    else:
        output.send_challenge(step)


def _another_syn(step: Step, seg: Segment) -> None:
    """syncache_add finds the entry: whatever the SYN's number, SYN,ACK again, its timer from the start."""
    t = step.t
    if t.ts_on:
        t.ts_on = seg.options.ts_val is not None
        t.ts_recent = seg.options.ts_val or t.ts_recent
    output.send_syn(step, SYN | ACK)
    t.retransmits = t.backoff = 0
    t.rto_us = step.s.syn_rto_us
    step.restart = timers.RETRY


# TCP_DEFER_ACCEPT


def deferrals(options: SocketOptions) -> int:
    """SYN,ACK timeouts that TCP_DEFER_ACCEPT's time spans (Linux secs_to_retrans)."""
    count, wait_us, span_us = 0, 1_000_000, 0
    while span_us < options.defer_accept_us:
        count += 1
        span_us += wait_us
        wait_us *= 2
    return count


def defers(t: Tcb, seg: Segment) -> bool:
    """Whether a bare ACK leaves the handshake waiting for data (Linux tcp_check_req)."""
    return not seg.seg_len and seg.ack == t.snd_nxt and t.retransmits < deferrals(t.options)


def defer(step: Step) -> None:
    """The ACK has come; only data will wake the listener."""
    step.t.deferred = True
    step.drop("accept is deferred until data")
