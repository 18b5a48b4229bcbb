"""Timers: which ones a connection should have, and when they fire.

Owns: the rules that say from the TCB which timer runs until when. No other module arms or stops a timer.
After every step, `settle` starts missing timers, stops superfluous ones, and restarts those with progress
(`timer_slack.put_off` moves a deadline for the replay of a late kernel). Refuses to know: what else is to be
said of each timer (deadlines), what happens when one fires (timeouts).

A leak in FIN-WAIT-2 is usually a timer that somebody forgot to arm on one code path. A rule about the state
cannot forget it. Some stacks arm a timer on an event: 4.4BSD arms its FIN-WAIT-2 timer only when the ACK of
the FIN finds the socket unable to receive, and never on a later close. The step records this event in the
TCB, and the rule here reads it, so the mistake of the stack is data.
"""

from __future__ import annotations

from tcpsim.tcp.event import LOSS_PROBE, PERSIST, REORDERING, RETRANSMISSION, Timer
from tcpsim.tcp.segment import FIN
from tcpsim.tcp.seqnum import MASK, lt
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import ESTABLISHED, FIN_WAIT_2, LAST_ACK, SYN_RECEIVED, TIME_WAIT
from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import ACK_TIMER, DISORDER, Tcb

# Step.restart: what the retransmission slot saw. PROGRESS: new data was acknowledged. SENT: new data
# went out. RETRY: a timeout resent something, or a probe was sent, so count again from now.
PROGRESS, SENT, RETRY = 1, 2, 3

RESOURCE_PROBE_US = 500_000  # Linux TCP_RESOURCE_PROBE_INTERVAL: the device has refused, so ask again
_PROBE_SLACK_US = 2_000  # Linux TCP_TIMEOUT_MIN_US: added to a probe's 2 SRTT and to a reordering wait


def settle(step: Step) -> None:
    """Bring the running timers to what the TCB wants."""
    t, s = step.t, step.s
    if t.sent or t.write_seq != t.snd_nxt:
        _settle_slot(step)
    elif t.slot is not None:
        t.slot = t.slot_at_us = None
    if t.delack_at_us is not None and not t.ack_pending & ACK_TIMER:
        t.delack_at_us = None
    if keeps_alive(t, s):
        if t.keep_at_us is None:
            t.keep_at_us = step.now + keep_idle_us(t, s)
    elif t.keep_at_us is not None:
        t.keep_at_us = None
    if s.user_timeout_rule == "timer" or s.syn_give_up_us is not None or s.syn_received_us is not None:
        _settle_user_timeout(step)
    if t.state >= FIN_WAIT_2 or t.wait is not None:
        _settle_wait(step)


# The retransmission slot


def _settle_slot(step: Step) -> None:
    """One of retransmission, loss probe, reordering wait and persist; never two."""
    t, now = step.t, step.now
    if t.sent and not step.s.fin_retransmitted and all(r.flags & FIN and not r.payload for r in t.sent):
        t.slot = t.slot_at_us = None  # it is sent once
        return
    if not t.sent:
        if t.slot is not PERSIST or step.restart:
            t.slot, t.slot_at_us = PERSIST, now + persist_us(t, step.s, now)
        return
    if step.hurry_us is not None:
        t.slot, t.slot_at_us = RETRANSMISSION, now + step.hurry_us
    elif step.reorder_us is not None:
        t.slot, t.slot_at_us = REORDERING, now + step.reorder_us + _PROBE_SLACK_US
    elif step.restart == RETRY:
        t.slot, t.slot_at_us = RETRANSMISSION, now + clamped_rto_us(t, step.s, now)
    elif step.restart:
        probe_at = _loss_probe_at(step)
        if probe_at is not None:
            t.slot, t.slot_at_us = LOSS_PROBE, probe_at
        elif step.restart == PROGRESS or t.slot not in (RETRANSMISSION, REORDERING):
            _start_retransmission(t, now)
    elif t.slot is None or t.slot is PERSIST:
        _start_retransmission(t, now)


def _start_retransmission(t: Tcb, now: int) -> None:
    """RFC 6298 5.1 and 5.3; where a probe or a reordering wait ran, the time it took counts."""
    at = now + t.rto_us
    if t.slot in (LOSS_PROBE, REORDERING):
        at = max(t.sent[0].sent_us + t.rto_us, now + 1)
    t.slot, t.slot_at_us = RETRANSMISSION, at


def _loss_probe_at(step: Step) -> int | None:
    """RFC 8985 7.2 as Linux has it (tcp_schedule_loss_probe): PTO, never later than the RTO."""
    t, s, now = step.t, step.s, step.now
    if not s.loss_probe or not t.sack_on or t.ca_state >= DISORDER or t.state < ESTABLISHED:
        return None
    if t.srtt8:
        pto = (t.srtt8 >> 2) + (s.rto_min_us if len(t.sent) == 1 else _PROBE_SLACK_US)
    else:
        pto = s.syn_rto_us
    rto_in = t.rto_us if step.restart == PROGRESS else t.sent[0].sent_us + t.rto_us - now
    return now + (min(pto, rto_in) if rto_in > 0 else pto)


def clamped_rto_us(t: Tcb, s: Stack, now: int) -> int:
    """RTO, cut at a user timeout that counts from the first retransmission."""
    return _cut_at_user_timeout(t, s, t.rto_us, t.retrans_since_us, now, 1)


def _cut_at_user_timeout(t: Tcb, s: Stack, wait: int, since: int | None, now: int, least: int) -> int:
    """`wait`, but not past a user timeout that only other timers check and that began at `since`."""
    limit = user_timeout_us(t, s)
    if limit is None or s.user_timeout_rule != "checked" or since is None:
        return wait
    return max(min(wait, since + limit - now), least)


def persist_us(t: Tcb, s: Stack, now: int) -> int:
    """Time to the next zero-window probe (RFC 9293 3.8.6.1): the RTO, doubling."""
    if s.persist_weights:
        srtt, rttvar = s.persist_weights
        base = srtt * (t.srtt8 >> 3) + rttvar * (t.rttvar4 >> 2)
        step = s.backoff[min(t.backoff, len(s.backoff) - 1)] if s.backoff else 1 << t.backoff
        return min(max(base * step + s.rto_slop_us, s.persist_min_us), s.persist_max_us)
    base = max(t.rto_us, s.persist_min_us)
    # Linux bounds the shift too, so that a small RTO never reaches the largest wait
    shift = min(t.backoff, (s.persist_max_us // s.persist_min_us).bit_length())
    wait = min(base << shift, s.persist_max_us)
    if s.device_refuses and t.probes_out:
        wait = RESOURCE_PROBE_US
    return _cut_at_user_timeout(t, s, wait, t.probes_since_us, now, s.rto_tick_us)


# Keepalive


def keeps_alive(t: Tcb, s: Stack) -> bool:
    """Whether this socket probes an idle peer in its present state."""
    if t.orphaned and s.orphan_keep_idle_us is not None and t.state is FIN_WAIT_2:
        return True
    return (
        (t.options.keepalive or s.keepalive_default)
        and t.state in s.keepalive_states
        and not t.mini
        and (s.keepalive_orphans or not t.orphaned)
    )


def keep_idle_us(t: Tcb, s: Stack) -> int:
    """Idle time before the first probe."""
    if t.orphaned and s.orphan_keep_idle_us is not None:
        return s.orphan_keep_idle_us
    return s.keep_idle_us if t.options.keep_idle_us is None else t.options.keep_idle_us


def keep_silence_us(t: Tcb, s: Stack) -> int:
    """Silence that makes a probe due: Linux counts ticks, and one may end just after the peer spoke."""
    return keep_idle_us(t, s) - (s.rto_tick_us if s.ticks_begin == "late" else 0)


# User timeout


def user_timeout_us(t: Tcb, s: Stack) -> int | None:
    """TCP_USER_TIMEOUT of the socket, or the stack's default; None: no limit."""
    limit = s.user_timeout_us if t.options.user_timeout_us is None else t.options.user_timeout_us
    return limit or None


def _settle_user_timeout(step: Step) -> None:
    """RFC 9293 3.10.8: from the oldest octet that waits for its acknowledgement; a SYN has its own R2."""
    t, s = step.t, step.s
    limit = user_timeout_us(t, s) if s.user_timeout_rule == "timer" else None
    if t.state < ESTABLISHED:
        opening = s.syn_give_up_us if t.options.keep_init_us is None else t.options.keep_init_us
        received = s.syn_received_us if t.state is SYN_RECEIVED else None
        limits = [most for most in (limit, opening, received) if most is not None]
        t.user_at_us = t.handshake_sent_us + min(limits) if limits else None
    elif limit is None or t.write_seq == t.snd_una or t.mini:
        t.user_at_us = None
    elif t.user_at_us is None or step.restart == PROGRESS or _refused(step):
        t.user_at_us = step.now + limit


def _refused(step: Step) -> bool:
    """The peer was heard, and has taken its window back from what is outstanding (3.8.6, SHLD-17)."""
    t = step.t
    edge = (t.snd_una + t.snd_wnd) & MASK
    return t.last_ack_us == step.now and bool(t.sent) and lt(edge, t.sent[0].end)


# FIN-WAIT-2 and TIME-WAIT


def _settle_wait(step: Step) -> None:
    t, s = step.t, step.s
    if t.state is TIME_WAIT:
        if t.wait is not Timer.TIME_WAIT:
            t.wait, t.wait_at_us = Timer.TIME_WAIT, step.now + s.time_wait_us
            _shrink(t, s)
    elif t.state is FIN_WAIT_2 and wants_fin_wait_2(t, s):
        if t.wait is not Timer.FIN_WAIT_2:
            limit = fin_wait_2_us(t, s)
            excess = limit - s.time_wait_us
            if s.fin_wait_2_two_stages and excess > 0:
                limit = excess  # a full socket first; expired makes the second stage of it
            else:
                _shrink(t, s)
            t.wait, t.wait_at_us = Timer.FIN_WAIT_2, step.now + limit
    elif t.state is LAST_ACK and s.last_ack_us is not None:
        if t.wait is not Timer.LAST_ACK:
            t.wait, t.wait_at_us = Timer.LAST_ACK, silent_since_us(t) + s.last_ack_us
    else:
        t.wait = t.wait_at_us = None


def silent_since_us(t: Tcb) -> int:
    """When the peer was heard last."""
    return max(t.last_ack_us, t.last_data_us or 0)


def _shrink(t: Tcb, s: Stack) -> None:
    """Become a timewait socket, which counts its rate-limited answers anew."""
    if s.mini_sockets and not t.mini:
        t.mini = True
        t.last_oow_ack_us = None


def wants_fin_wait_2(t: Tcb, s: Stack) -> bool:
    """Whether this FIN-WAIT-2 is limited: one of the stack's two events happened, and there is a limit."""
    return t.fw2_armed and s.fin_wait_2_us is not None


def fin_wait_2_us(t: Tcb, s: Stack) -> int:
    """How long FIN-WAIT-2 may last."""
    limit = s.fin_wait_2_us or 0
    if t.options.linger2_us and s.linger2_max_us is not None:
        limit = min(t.options.linger2_us, s.linger2_max_us)
    if s.fin_wait_2_rto_floor:
        limit = max(limit, 4 * t.rto_us - t.rto_us // 2)
    return limit
