"""SEGMENT ARRIVES in a synchronised state (RFC 9293 3.10.7.4): one function per check, in its order.

Owns: the checks (RST, SYN, ACK, text, FIN) with RFC 5961's additions, and reducing a segment to facts.
Refuses to know: the first check (acceptability), which state a fact leads to (lifecycle), what is resent
(recovery), and TIME-WAIT, which reads a segment its own way (timewait).

Each check returns True when it has disposed of the segment.
"""

from __future__ import annotations

from tcpsim.tcp import (
    acceptability,
    acks,
    opening,
    output,
    rcvbuf,
    receiving,
    recovery,
    right_sizing,
    sending,
    sndbuf,
    syn_received,
    timewait,
    tso,
    window,
)
from tcpsim.tcp.event import PERSIST, Fact
from tcpsim.tcp.segment import ACK, FIN, RST, SYN, Segment
from tcpsim.tcp.seqnum import MASK, diff, le, lt
from tcpsim.tcp.state import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    LAST_ACK,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
)
from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import ACK_NOW, ACK_SCHED, Tcb
from tcpsim.tcp.timers import PROGRESS


def segment_arrives(step: Step, seg: Segment) -> None:
    """One segment for this connection."""
    t = step.t
    right_sizing.clock_read(t, step.now)
    if step.s.syn_fin == "drop-anywhere" and seg.flags & (SYN | FIN) == SYN | FIN:
        step.drop("SYN with FIN")
        return
    simultaneous = t.state is SYN_RECEIVED and not t.parent and seg.seq == t.irs
    if t.state is SYN_SENT:
        if not opening.syn_sent(step, seg):
            return
    elif t.mini or (t.state is TIME_WAIT and step.s.time_wait_checks != "full"):
        timewait.segment_arrives(step, seg)
        return
    elif t.state is SYN_RECEIVED:
        if _handshake(step, seg):
            return
    elif acceptability.unacceptable(step, seg) or _reset(step, seg) or _syn(step, seg):
        return
    if not seg.flags & ACK:
        step.drop("no ACK bit")
        return
    if _ack(step, seg):
        return
    if t.ooo and t.ooo[0][0] == t.rcv_nxt and t.snd_una != t.iss:
        receiving.text_of_syn(step, seg)
    if t.state is TIME_WAIT:
        if not step.s.mini_sockets:  # Linux tcp_rcv_state_process: what ends CLOSING has been consumed
            _waiting(step, seg)
        return
    if seg.flags & SYN:
        if simultaneous:
            receiving.duplicate(step, seg.seq, (seg.seq + 1) & MASK, False)  # 3.10.7.4, first check
        seg = seg._replace(seq=(seg.seq + 1) & MASK, flags=seg.flags & ~SYN)  # its text and FIN remain
    right_sizing.stamped(step, seg)
    if _text(step, seg):
        return
    sending.push(step)
    sndbuf.check_space(t, step.s)
    if t.ack_pending & ACK_SCHED and acks.check(step, window.possible(step.t, step.s)):
        if step.s.acks_wait:
            t.ack_pending |= ACK_NOW
        else:
            output.send_ack(step)


def _handshake(step: Step, seg: Segment) -> bool:
    """What is special about SYN-RECEIVED before the common checks."""
    t, s = step.t, step.s
    if t.parent and s.embryo_checks != "full":
        return syn_received.segment_arrives(step, seg) or acceptability.unacceptable(step, seg)
    if syn_received.repeated_syn(step, seg):
        return True
    if s.embryo_checks == "syncache":
        return (
            syn_received.refuses_first(step, seg)
            or acceptability.unacceptable(step, seg)
            or _reset(step, seg)
        )
    if acceptability.unacceptable(step, seg) or _reset(step, seg):
        return True
    if seg.flags & SYN and not (seg.flags & ACK and seg.seq == t.irs):  # that one: a simultaneous open's
        return syn_received.back_to_listen(step) if t.parent else _syn(step, seg)
    return syn_received.unacceptable(step, seg)


# Second: RST


def _reset(step: Step, seg: Segment) -> bool:
    if not seg.flags & RST:
        return False
    t, s = step.t, step.s
    exact = seg.seq == (t.rcv_wup if s.rst_at_last_ack else t.rcv_nxt) or acceptability.reset_behind_fin(
        step, seg
    )
    if s.challenge_rst and not exact:
        right = max((r for _, r, _ in t.ooo), key=lambda r: diff(r, t.rcv_nxt), default=None)
        if right is None or not t.sack_on or seg.seq != right:
            acceptability.challenge(step)
            return True
    reset(step)
    return True


def reset(step: Step) -> None:
    """An acceptable RST: the connection is gone; what was received may stay readable (per stack)."""
    t, s = step.t, step.s
    if t.state is TIME_WAIT and s.rfc1337:
        step.drop("RST in TIME-WAIT (RFC 1337)")
        return
    error = "ECONNRESET"
    if t.state is SYN_RECEIVED:
        error = s.reset_syn_received_error
    elif t.state is CLOSE_WAIT:
        error = s.reset_close_wait_error
    if s.rst_flushes_reader:
        t.readable = 0
        rcvbuf.forget(t)
    step.end(Fact.RESET, "reset by peer", error)


# Fourth: SYN (the third, security, is MAY-ignored)


def _syn(step: Step, seg: Segment) -> bool:
    if not seg.flags & SYN:
        return False
    inside = not lt(seg.seq, step.t.rcv_wup) and lt(seg.seq, window.right_edge(step.t, step.s))
    if step.s.challenge_syn or not inside:
        acceptability.challenge(step)
    elif step.s.syn_reset_answer == "active":
        output.send_rst(step)
        reset(step)
    else:  # RFC 793's rule: a SYN in the window is an error of the peer
        output.refuse(step, seg)
        reset(step)
    return True


# Fifth: ACK


def _ack(step: Step, seg: Segment) -> bool:
    t, s = step.t, step.s
    seq, ack = seg.seq, seg.ack
    if lt(ack, t.snd_una):
        if s.challenge_ack and lt(ack, _least_ack(step)):  # RFC 5961 5.2
            acceptability.challenge(step)
            return True
        return False
    if lt(t.snd_nxt, ack) and not sending.probe_acked(step, ack):
        if (s.unsent_ack_answered or t.state is not ESTABLISHED) and acks.may_answer(step):
            output.send_ack(step)
        return True
    if s.timestamp_taken == "ack":
        acceptability.take_timestamp(step, seg)
    if t.state is SYN_RECEIVED:
        _complete_passive_open(step, seg)
    prior_una = t.snd_una
    advanced = ack != prior_una
    t.snd_una = ack
    if advanced:
        t.retransmits = 0
    duplicate = not advanced and _duplicate(step, seg)
    if lt(t.snd_wl1, seq) or (t.snd_wl1 == seq and le(t.snd_wl2, ack)):
        t.snd_wnd = _window(t, seg)
        t.snd_wl1, t.snd_wl2 = seq, ack
        if t.snd_wnd > t.max_window:
            opening.window_seen(t, s, t.snd_wnd)
    t.probes_out = 0
    t.last_ack_us = step.now
    if t.sent:
        recovery.acknowledged(step, seg, prior_una, duplicate)
        tso.acknowledged(t, s, t.cwnd)
    if t.slot is PERSIST and (advanced or not rcvbuf.is_predicted(t, s, seg)):
        _window_heard(step)
    if advanced and t.fin_acked:
        return _fin_acked(step, seg)
    return False


def _duplicate(step: Step, seg: Segment) -> bool:
    """Whether an ACK that acknowledges nothing new tells of a loss (RFC 5681 section 2), or of anything else.

    Linux asks whether it could update the window (tcp_may_update_window, FLAG_WIN_UPDATE), and the first
    segment with a later sequence number may, also if the window stays what it was.
    """
    t, wnd = step.t, _window(step.t, seg)
    if seg.len or seg.flags & FIN:
        return False
    if step.s.duplicate_ack == "window":
        return lt(seg.seq, t.snd_wl1) or wnd == t.snd_wnd
    return not acceptability.may_update_window(t, seg)


def _least_ack(step: Step) -> int:
    """The oldest ACK that is no attack: a window back, and where the stack remembers, what it has sent."""
    t, rule = step.t, step.s.least_ack
    if rule == "window":
        return (t.snd_una - t.max_window) & MASK
    # Linux counts the octets acknowledged, where an active opener's SYN is one
    first = t.iss if rule == "acknowledged" and not t.parent else (t.iss + 1) & MASK
    return (t.snd_una - min(t.max_window, diff(t.snd_una, first))) & MASK


def _window(t: Tcb, seg: Segment) -> int:
    """SEG.WND in octets: scaled as agreed, but never in a segment with SYN (RFC 7323 2.2)."""
    return seg.wnd if seg.flags & SYN else seg.wnd << t.snd_wscale


def _window_heard(step: Step) -> None:
    """An ACK while the window was shut: open, and the back-off is forgotten; or shut, and wait again."""
    t = step.t
    first = min(t.unsent[0].octets, t.snd_mss) if t.unsent else 0
    fin = int(t.close_called and len(t.unsent) <= 1 and first < t.snd_mss)
    if not lt((t.snd_una + t.snd_wnd) & MASK, (t.snd_nxt + first + fin) & MASK):
        t.backoff = 0
        t.probes_since_us = None
    step.restart = step.restart or PROGRESS


def _complete_passive_open(step: Step, seg: Segment) -> None:
    """SYN-RECEIVED and our SYN is acknowledged."""
    t, s = step.t, step.s
    prior_una, t.snd_una = t.snd_una, (t.iss + 1) & MASK
    recovery.acknowledged(step, seg, prior_una, False)
    t.snd_wnd = _window(t, seg)
    t.snd_wl1, t.snd_wl2 = seg.seq, seg.ack
    opening.window_seen(t, s, t.snd_wnd)
    step.fact(Fact.SYN_ACKED)
    opening.agreed(step, seg)


def _fin_acked(step: Step, seg: Segment) -> bool:
    """Our FIN has been acknowledged; on the way into FIN-WAIT-2 a stack decides how long that lasts."""
    t, s = step.t, step.s
    if t.state not in (FIN_WAIT_1, CLOSING, LAST_ACK):
        return False
    was = t.state
    step.fact(Fact.FIN_ACKED)
    if was is LAST_ACK:
        t.closed_by = "closed"
        step.bury()
        return True
    if was is CLOSING:
        return False
    arms = s.fin_wait_2_on_fin_acked
    t.fw2_armed = (
        arms == "always"
        or (arms == "cannot-receive" and (t.rd_shut or t.orphaned))
        or (arms == "orphan" and t.orphaned)
    )
    if t.orphaned and (t.options.linger2_us or 0) < 0 and s.linger2_max_us is not None:
        acceptability.answer_with_reset(step, seg, "TCP_LINGER2 below zero")
        return True
    return False


# Sixth and eighth: text and FIN


def _text(step: Step, seg: Segment) -> bool:
    t = step.t
    if not seg.len and not seg.flags & FIN:
        return False
    if t.state in acceptability.PEER_CLOSED and not lt(seg.seq, t.rcv_nxt):
        step.drop("text after the peer's FIN")
        return False
    if acceptability.after_close(step, seg):
        return True
    receiving.text(step, seg)
    return t.state is CLOSED


def _waiting(step: Step, seg: Segment) -> None:
    """TIME-WAIT, fifth: only a repeated FIN can come; acknowledge it and restart the 2 MSL."""
    if seg.flags & FIN:
        step.t.wait = None
    if lt(seg.seq, step.t.rcv_nxt):
        output.send_ack(step)
