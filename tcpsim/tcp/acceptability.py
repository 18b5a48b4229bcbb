"""The first check of SEGMENT ARRIVES: is a segment acceptable, and what answers it if not?

Owns: the sequence check of RFC 9293 3.10.7.4 with PAWS (RFC 7323 5.3) before it, the edges of the window, and
the answers that are not part of the stream: challenge and duplicate ACKs, rate-limited where the stack does
so, and the RST to data that nobody will read. Refuses to know: the later checks (segment_arrives).
"""

from __future__ import annotations

from tcpsim.tcp import acks, output, receiving, window
from tcpsim.tcp.event import Fact
from tcpsim.tcp.segment import ACK, FIN, RST, SYN, Segment
from tcpsim.tcp.seqnum import MASK, diff, le, lt
from tcpsim.tcp.state import CLOSE_WAIT, CLOSING, FIN_WAIT_1, FIN_WAIT_2, LAST_ACK
from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import ACK_NOW, ACK_SCHED, Tcb

PEER_CLOSED = frozenset({CLOSE_WAIT, CLOSING, LAST_ACK})
_AFTER_CLOSE = frozenset({FIN_WAIT_1, FIN_WAIT_2})
PAWS_IDLE_US = 24 * 86_400_000_000  # RFC 7323 5.5: an older TS.Recent proves nothing


def unacceptable(step: Step, seg: Segment) -> bool:
    t, s = step.t, step.s
    if unstamped(step, seg):
        return True
    if t.ts_on and _paws_rejects(step, seg):
        if seg.flags & SYN and not seg.flags & RST:
            challenge(step)
        elif not seg.flags & RST and (seg.len or s.paws_answers_empty) and not _is_old_ack(step, seg):
            _duplicate_ack(step, seg)
        return not seg.flags & RST or _out_of_window(step, seg)
    if s.rst_on_data_after_close == "anywhere" and not seg.flags & (RST | SYN) and after_close(step, seg):
        return True
    seq = seg.seq
    end = (seq + seg.seg_len) & MASK
    edge = window.right_edge(step.t, step.s)
    left = lt(end, t.rcv_wup)
    unacceptable = left or lt(edge, seq) or _on_edge(step, seg)
    if not unacceptable and lt(edge, end) and s.window_overrun == "if-empty":
        unacceptable = bool(t.readable or t.held) and lt(edge, (end - (seg.flags & FIN)) & MASK)
    if not unacceptable:
        if s.timestamp_taken == "first":
            take_timestamp(step, seg)
        return False
    if seg.flags & RST:
        return not reset_behind_fin(step, seg)
    if seg.flags & SYN:
        challenge(step)
    elif left and seg.flags & ACK and s.reads_old_acks:
        t.ack_pending |= ACK_SCHED | ACK_NOW  # its text is a repetition, as will be found
        return False
    else:
        _duplicate_ack(step, seg)
    return True


def take_timestamp(step: Step, seg: Segment) -> None:
    """RFC 7323 4.3 (3): what the next ACK echoes."""
    t, val = step.t, seg.options.ts_val
    if t.ts_on and val is not None and le(seg.seq, t.rcv_wup):
        t.ts_recent = val
        t.ts_recent_at_us = step.now


def _on_edge(step: Step, seg: Segment) -> bool:
    """A segment that begins where the window ends: outside by Table 6, but for a closed window's ACK."""
    rule = step.s.right_edge
    if rule == "inside" or seg.seq != window.right_edge(step.t, step.s) or seg.seq == step.t.rcv_nxt:
        return False
    return rule == "outside" or bool(seg.flags & RST)


def _out_of_window(step: Step, seg: Segment) -> bool:
    """Whether a RST that PAWS would reject is not even in the window."""
    return lt(seg.seq, step.t.rcv_nxt) or lt(window.right_edge(step.t, step.s), seg.seq)


def unstamped(step: Step, seg: Segment) -> bool:
    """RFC 7323 3.2: once agreed, a segment without a timestamp is dropped, unless it is a RST."""
    if not step.t.ts_on or seg.options.ts_val is not None or seg.flags & RST:
        return False
    if step.s.drops_unstamped:
        step.drop("no timestamp")
    return step.s.drops_unstamped


def _paws_rejects(step: Step, seg: Segment) -> bool:
    """RFC 7323 5.3 R1: an old timestamp on a segment that is no plain duplicate ACK."""
    t = step.t
    val = seg.options.ts_val
    if val is None or diff(t.ts_recent, val) <= 0:
        return False
    if step.now - t.ts_recent_at_us > PAWS_IDLE_US:
        return False
    # Linux tcp_disordered_ack_check: an ACK overtaken by another one is no attack
    overtaken = seg.flags & ACK and seg.seq == t.rcv_nxt and not seg.seg_len and seg.ack == t.snd_una
    if not overtaken or step.s.paws_replay_percent is None:
        return not overtaken
    window_ms = t.rto_us * step.s.paws_replay_percent // 100_000
    return may_update_window(t, seg) or diff(t.ts_recent, val) > window_ms


def may_update_window(t: Tcb, seg: Segment) -> bool:
    """Whether an ACK that acknowledges nothing new may change SND.WND (Linux tcp_may_update_window)."""
    wnd = seg.wnd if seg.flags & SYN else seg.wnd << t.snd_wscale
    newer = lt(t.snd_una, seg.ack) or lt(t.snd_wl1, seg.seq)
    return newer or (seg.seq == t.snd_wl1 and (wnd > t.snd_wnd or not wnd))


def _is_old_ack(step: Step, seg: Segment) -> bool:
    """A bare ACK left of the window with an old timestamp: too common for an answer (Linux PAWS_OLD_ACK)."""
    if step.s.paws_replay_percent is None or seg.seg_len or not seg.flags & ACK:
        return False
    return lt(seg.seq, step.t.rcv_nxt)


def _duplicate_ack(step: Step, seg: Segment) -> None:
    """Answer an unacceptable segment with what is expected (3.10.7.4 first; Linux tcp_send_dupack)."""
    t, s = step.t, step.s
    if not acks.may_answer_to(step, seg):
        return
    if seg.seg_len and lt(seg.seq, t.rcv_nxt):
        acks.enter_quickack(t, s)
        receiving.report_duplicate(step, seg.seq, (seg.seq + seg.len) & MASK, bool(seg.flags & FIN))
    output.send_ack(step)


def challenge(step: Step) -> None:
    """RFC 5961 7: a challenge ACK, within the limit."""
    if acks.may_answer(step):
        output.send_challenge(step)


def reset_behind_fin(step: Step, seg: Segment) -> bool:
    """A peer that sent FIN may reset at its FIN's number (Linux tcp_reset_check, RFC 5961 erratum)."""
    t = step.t
    return step.s.rst_behind_fin and seg.seq == (t.rcv_nxt - 1) & MASK and t.state in PEER_CLOSED


def after_close(step: Step, seg: Segment) -> bool:
    """New octets for a program that is gone are answered with a RST, where the stack does that.

    Linux asks whether anything lies beyond RCV.NXT, so that a FIN alone that comes out of order counts too.
    """
    t, rule = step.t, step.s.rst_on_data_after_close
    deaf = t.rd_shut if rule == "cannot-receive" else t.orphaned and rule != "never"
    asked = seg.seg_len if rule == "cannot-receive" else seg.len
    new = asked and lt(t.rcv_nxt, (seg.seq + seg.len) & MASK)
    if not deaf or not new or t.state not in _AFTER_CLOSE:
        return False
    answer_with_reset(step, seg, "data after close")
    return True


def answer_with_reset(step: Step, seg: Segment, why: str) -> None:
    """The segment is answered by a RST, and the connection is over at this end too."""
    output.refuse(step, seg)
    step.end(Fact.RESET, why, "ECONNRESET")
