"""When an acknowledgement is sent (RFC 9293 3.8.6.3, RFC 5681 4.2).

Owns: delaying, quickening and sending of bare ACKs, under two rules: "second" is the RFC's (every
second full-sized segment, or the delay), "adaptive" is Linux's (quick ACKs at the start, a delay `ato`
that follows the peer's pace, and "pingpong" once the program answers what it reads; net/ipv4/
tcp_input.c tcp_event_data_recv, __tcp_ack_snd_check; tcp_timer.c tcp_delack_timer_handler).
Refuses to know: why something has to be acknowledged.
"""

from __future__ import annotations

from tcpsim.tcp import rcvbuf, window
from tcpsim.tcp.segment import FIN, PSH, SYN, Segment
from tcpsim.tcp.seqnum import MASK
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import ACK_NOW, ACK_PUSHED, ACK_PUSHED2, ACK_SCHED, ACK_TIMER, Tcb

# Of a tick, which are added before whole ticks are counted
_HALVES = {"early": 0, "middle": 1, "late": 2}
_DEFAULT_MSS, _LEAST_MSS = 536, 88  # Linux TCP_MSS_DEFAULT, TCP_MIN_MSS
_GROWS_FROM = 128  # octets of a segment in order that makes the window grow (tcp_event_data_recv)
_FASTRETRANS_THRESH = 3  # Linux TCP_FASTRETRANS_THRESH
_COMPRESSED_SHARE = 20  # of the round-trip time: 5 %


def in_quickack(t: Tcb, s: Stack) -> bool:
    """Every segment is acknowledged at once."""
    return s.quickack_route or t.options.quickack is True or (t.quick > 0 and not t.pingpong)


def enter_quickack(t: Tcb, s: Stack) -> None:
    """Something was lost or repeated: the peer needs to hear soon (Linux tcp_enter_quickack_mode)."""
    _raise_quick(t, s)
    t.pingpong = False
    t.ato_us = s.delayed_ack_us


def _raise_quick(t: Tcb, s: Stack) -> None:
    quick = t.rcv_wnd // (2 * t.rcv_mss) if t.rcv_mss else 0
    t.quick = max(t.quick, min(quick or 2, s.quick_acks))


def data_arrived(step: Step, seg: Segment) -> None:
    """In-order data came: an ACK is due, and the delay learns the peer's pace."""
    t, s, now = step.t, step.s, step.now
    t.ack_pending |= ACK_SCHED
    _measure(t, s, seg)
    if s.ack_rule != "adaptive":
        t.last_data_us = now
        return
    if not t.ato_us:
        _raise_quick(t, s)
        t.ato_us = s.delayed_ack_us
    else:
        gap = _ticks_since_data(t, s, now) * s.rto_tick_us
        half = t.ato_us // 2 // s.rto_tick_us * s.rto_tick_us
        if gap <= s.delayed_ack_us // 2:
            t.ato_us = half + s.delayed_ack_us // 2
        elif gap < t.ato_us:
            t.ato_us = min(half + gap, t.rto_us)
        elif gap > t.rto_us:
            _raise_quick(t, s)  # the sender has restarted its window: let it grow
    t.last_data_us = now
    if seg.len >= _GROWS_FROM:
        _grow(t, s, seg)


def _ticks_since_data(t: Tcb, s: Stack, now: int) -> int:
    """Linux counts in jiffies when data came and went."""
    tick = s.rto_tick_us
    return (now - (t.last_data_us or 0) + _HALVES[s.ticks_begin] * tick // 2) // tick


def data_ahead(step: Step, seg: Segment) -> None:
    """Data came out of order: it is measured too, and lets the window grow if SACK can tell of it."""
    t, s = step.t, step.s
    if s.ack_rule == "adaptive":
        _measure(t, s, seg)
        if t.sack_on:
            _grow(t, s, seg)


def _grow(t: Tcb, s: Stack, seg: Segment) -> None:
    if s.skb_heads and rcvbuf.grow(t, s, seg.len, rcvbuf.arrived(seg, t, s).charge):
        t.quick |= 1  # the peer is told of it soon


def _measure(t: Tcb, s: Stack, seg: Segment) -> None:
    """Estimate the peer's segment size (Linux tcp_measure_rcv_mss)."""
    before, t.last_seg_size = t.last_seg_size, 0
    size = s.gso_size if 0 < s.gso_size < seg.len else seg.len
    if size >= t.rcv_mss:
        if size != t.rcv_mss and s.skb_heads:
            rcvbuf.measured(t, s, seg.len, rcvbuf.arrived(seg, t, s).charge)
        t.rcv_mss = min(size, t.adv_mss)
        if seg.flags & PSH and seg.len == t.rcv_mss:
            t.ack_pending |= ACK_PUSHED
        return
    if s.ack_rule == "adaptive" and _may_be_full(seg):
        t.last_seg_size = seg.len
        if seg.len == before:
            t.rcv_mss = seg.len
            return
    if t.ack_pending & ACK_PUSHED:
        t.ack_pending |= ACK_PUSHED2
    t.ack_pending |= ACK_PUSHED


def _may_be_full(seg: Segment) -> bool:
    """Large enough for the segment of a peer with a small MSS, or small and not pushed."""
    stamps = 12 if seg.options.ts_val is not None else 0
    with_options = seg.len + stamps
    return with_options >= _DEFAULT_MSS or (with_options >= _LEAST_MSS and not seg.flags & (PSH | FIN | SYN))


def data_sent(step: Step) -> None:
    """Data, first or again: where they answer data within the delay, ACKs can wait for more of them."""
    t, s = step.t, step.s
    t.last_sent_us = step.now
    if t.last_data_us is not None:
        t.pingpong = t.pingpong or _ticks_since_data(t, s, step.now) < t.ato_us // s.rto_tick_us


def ack_sent(t: Tcb, s: Stack) -> None:
    """A segment with ACK left: whatever waited has been said."""
    if t.quick:
        t.quick -= 1 if t.ack_pending & ACK_SCHED else 0
        if not t.quick:
            t.ato_us = s.delayed_ack_us
    t.ack_pending = t.compressed_ack = 0
    t.compressed_at_us = None
    t.rcv_wup = t.rcv_nxt


def check(step: Step, room: int) -> bool:
    """Whether the scheduled ACK goes out now; if not, the delay has been set. `room` could be offered."""
    t, s = step.t, step.s
    unacked = (t.rcv_nxt - t.rcv_wup) & MASK
    if s.ack_rule == "adaptive":
        if unacked > t.rcv_mss and t.readable and rcvbuf.is_tight(t, s):
            t.quick = 0
        enough = unacked > t.rcv_mss and (t.readable == 0 or room >= t.rcv_wnd)
        now = enough or in_quickack(t, s) or bool(t.ack_pending & ACK_NOW)
    else:
        second = unacked >= 2 * t.rcv_mss if s.ack_rule == "second" else t.delack_at_us is not None
        now = second or bool(t.ack_pending & ACK_NOW) or t.options.quickack is True
    return now or (_at_once(step) if t.ooo else _delay(step))


def _at_once(step: Step) -> bool:
    """Whether the ACK of what came out of order goes now; or one for several of them, a little later.

    The first three go at once, so that the peer can tell of a loss (Linux __tcp_ack_snd_check).
    """
    t, s = step.t, step.s
    if not t.sack_on or t.compressed_ack >= s.comp_sack_nr:
        return True
    if t.dup_ack_counter < _FASTRETRANS_THRESH:
        t.dup_ack_counter += 1
        return True
    t.compressed_ack += 1
    if t.compressed_at_us is None:
        # of the receiver's own estimate, which timestamps alone make, Linux takes it if it is the smaller
        share = (t.srtt8 >> 3) // _COMPRESSED_SHARE if t.ts_on else 0
        t.compressed_at_us = step.now + max(min(share, s.comp_sack_delay_us) + s.comp_sack_slack_us, 1)
    return False


def _delay(step: Step) -> bool:
    """Set the delayed-ACK deadline, unless an earlier one is so near that the ACK goes now."""
    t, s, now = step.t, step.s, step.now
    ato = _bounded_ato_us(t, s) if s.ack_rule == "adaptive" else s.delayed_ack_us
    at = now + max(ato, 1)  # a delay of nothing still waits for the timer (a connection without data)
    if t.delack_at_us is not None:
        if _is_near(t.delack_at_us - now, ato, s):
            return True
        at = min(at, t.delack_at_us)
    t.ack_pending |= ACK_TIMER
    t.delack_at_us = at
    return False


def _is_near(left_us: int, ato: int, s: Stack) -> bool:
    """Whether so little of a delay is left that it makes no difference; Linux counts it in jiffies."""
    if s.ack_rule != "adaptive":
        return left_us <= ato // 4
    tick = s.rto_tick_us
    left = (left_us + (2 - _HALVES[s.ticks_begin]) * tick // 2) // tick
    return left <= ato // 4 // tick


def _bounded_ato_us(t: Tcb, s: Stack) -> int:
    """Linux tcp_send_delayed_ack: a long `ato` is cut to the round-trip time, but not below the minimum."""
    ato = t.ato_us
    if ato > s.delayed_ack_us:
        limit = s.delayed_ack_max_us if t.pingpong or t.ack_pending & ACK_PUSHED else 500_000
        if t.srtt8:
            srtt = -(-(t.srtt8 >> 3) // s.rto_tick_us) * s.rto_tick_us  # rounded up (usecs_to_jiffies)
            limit = min(limit, max(srtt, s.delayed_ack_us))
        ato = min(ato, limit)
    return min(ato, s.delayed_ack_max_us)


def timer_fired(step: Step) -> bool:
    """The delay is over; returns whether an ACK is due."""
    t, s = step.t, step.s
    due = bool(t.ack_pending & ACK_SCHED)
    t.ack_pending &= ~ACK_TIMER
    if due and s.ack_rule == "adaptive":
        if t.pingpong:
            t.pingpong = False
            t.ato_us = s.delayed_ack_us
        else:
            t.ato_us = min(t.ato_us * 2, t.rto_us)
    return due


def after_read(step: Step, taken: int, room: int) -> bool:
    """Whether the program's read makes an ACK due: data or window it has not heard of (tcp_cleanup_rbuf)."""
    t = step.t
    pending = t.ack_pending
    if pending & ACK_SCHED:
        if ((t.rcv_nxt - t.rcv_wup) & MASK) > t.rcv_mss:
            return True
        pushed = pending & ACK_PUSHED2 or (pending & ACK_PUSHED and not t.pingpong)
        if taken and pushed and not t.readable and not t.rmem and step.s.ack_rule == "adaptive":
            return True
    if not taken or t.rd_shut or t.fin_received:
        return False
    offered = window.offered(t)
    largest = t.window_clamp if step.s.skb_heads else t.rcv_space
    return 2 * offered <= largest and room > 0 and room >= 2 * offered


def may_answer_to(step: Step, seg: Segment) -> bool:
    """`may_answer`, but whoever sends data or FIN is in no loop of bare ACKs (tcp_oow_rate_limited)."""
    return (seg.seg_len > 0 and not seg.flags & SYN) or may_answer(step)


def may_answer(step: Step) -> bool:
    """Take one from the rate limit on pure answers (RFC 5961 7; Linux tcp_invalid_ratelimit)."""
    t, now = step.t, step.now
    if t.last_oow_ack_us is not None and now - t.last_oow_ack_us < step.s.ack_rate_limit_us:
        step.drop("answer rate-limited")
        return False
    t.last_oow_ack_us = now
    return True
