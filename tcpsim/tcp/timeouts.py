"""What happens when a timer fires (RFC 9293 3.10.8, 3.8.3, 3.8.4, 3.8.6.1; RFC 6298 5.4 to 5.7).

Owns: the act of each timer, and when a stack gives up. Refuses to know: when timers run (timers).
"""

from __future__ import annotations

from tcpsim.tcp import acks, output, recovery, right_sizing, rto, sending, syn_received, timers
from tcpsim.tcp.event import LOSS_PROBE, PERSIST, REORDERING, RETRANSMISSION, Fact, Timer
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import CLOSED, SYN_RECEIVED, SYN_SENT, TIME_WAIT
from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import Tcb

_HANDSHAKE = frozenset({SYN_SENT, SYN_RECEIVED})


def fire(step: Step) -> None:
    """Every timer that is due, in the order in which they are declared."""
    t, now = step.t, step.now
    for name, act in _ACTS.items():
        at_us = getattr(t, name)
        if at_us is not None and at_us <= now and t.state is not CLOSED:
            right_sizing.clock_read(t, now)
            act(step)


def give_up(step: Step, why: str, rst: bool) -> None:
    """R2 is reached: the connection is over, silently or with a RST, and the program learns of it."""
    t = step.t
    if rst and t.state not in _HANDSHAKE:
        output.send_rst(step)
    step.end(Fact.GAVE_UP, why, t.soft_error or "ETIMEDOUT")


# The retransmission slot


def _slot(step: Step) -> None:
    slot = step.t.slot
    if slot is not None:
        step.fired(str(slot))
        _SLOT[slot](step)


def _retransmission(step: Step) -> None:
    t, s = step.t, step.s
    handshake = t.state in _HANDSHAKE
    shut = t.snd_wnd == 0 and not t.orphaned and not handshake  # then it is a zero-window probe
    if not shut and _out_of_retries(step):
        give_up(step, "retransmission limit", s.rst_on_give_up)
        return
    step.restart = timers.RETRY
    if t.deferred and t.retransmits < syn_received.deferrals(t.options) - 1:
        t.retransmits += 1  # nothing to repeat: the peer has answered (Linux syn_ack_recalc)
    else:
        recovery.timed_out(step)
    if s.device_refuses:
        step.hurry_us = timers.RESOURCE_PROBE_US  # nor does tcp_retransmit_timer
        return
    if t.state is SYN_SENT and t.retransmits <= s.syn_linear_timeouts:
        return  # these come at even distances (Linux tcp_syn_linear_timeouts)
    t.backoff += 1
    t.rto_us = rto.backed_off(t, s)


def _out_of_retries(step: Step) -> bool:
    """Whether this expiry is the one too many, by the stack's rule: a count, or a time that it stands for."""
    t, s, now = step.t, step.s, step.now
    checked = timers.user_timeout_us(t, s) if s.user_timeout_rule == "checked" else None
    waited = None if t.retrans_since_us is None or not t.retransmits else now - t.retrans_since_us
    if t.state in _HANDSHAKE:
        if checked is not None and waited is not None and waited >= checked:
            return True
        if t.state is SYN_SENT:
            return s.syn_retries is not None and t.retransmits >= s.syn_retries + s.syn_linear_timeouts
        if t.deferred and t.retransmits < syn_received.deferrals(t.options):
            return False
        return s.synack_retries is not None and t.retransmits >= s.synack_retries
    if checked is not None:
        return waited is not None and waited >= checked
    if s.retry_rule == "budget":
        budget_us = retry_budget_us(t, s)
        return budget_us is not None and waited is not None and waited >= budget_us
    limit = _retry_limit(t, s)
    return limit is not None and t.retransmits >= limit


def retry_budget_us(t: Tcb, s: Stack) -> int | None:
    """The time that the retries of this socket stand for; None: there is no limit."""
    limit = _retry_limit(t, s)
    return None if limit is None else rto.budget(limit, s.retry_budget_base_us, s)


def _retry_limit(t: Tcb, s: Stack) -> int | None:
    """Retransmissions that this socket is allowed; an orphan has its own number."""
    if not t.orphaned:
        return s.retries
    if s.orphan_retries == 0 and t.rto_us < s.rto_max_us:
        return s.orphan_retries_safe
    return s.orphan_retries


def _loss_probe(step: Step) -> None:
    """RFC 8985 7.3: new data if there is some, else the last segment again; then the RTO counts from now."""
    t = step.t
    if t.tlp_high_seq is None and t.sent:
        fresh = t.snd_nxt != t.write_seq and sending.push(step, probe=True)
        if fresh or _resend_tail(step):
            t.tlp_resent = not fresh
            t.tlp_high_seq = t.snd_nxt
            t.slot = None
            step.restart = timers.RETRY
            return
    # one probe per episode, or none: fall back to the timeout, counted from when the head was sent
    at = t.sent[0].sent_us + t.rto_us if t.sent else step.now
    t.slot, t.slot_at_us = RETRANSMISSION, max(at, step.now + 1)


def _resend_tail(step: Step) -> bool:
    t = step.t
    tail = len(t.sent) - 1
    while tail > 0 and t.sent[tail].sacked:
        tail -= 1
    return sending.resend(step, tail)


def _reordering(step: Step) -> None:
    recovery.reordering_over(step)
    step.restart = step.restart or timers.RETRY


def _persist(step: Step) -> None:
    """The window is shut: ask again, and stay while the peer answers (RFC 9293 3.8.6.1, MUST-37)."""
    t, s, now = step.t, step.s, step.now
    if t.sent or t.write_seq == t.snd_nxt:
        return
    if t.probes_since_us is None:
        t.probes_since_us = now
    else:
        limit = timers.user_timeout_us(t, s) if s.user_timeout_rule == "checked" else None
        if limit is not None and now - t.probes_since_us >= limit:
            give_up(step, "user timeout", s.rst_on_user_timeout)
            return
    if _persist_over(step):
        give_up(step, "zero-window probe limit", s.rst_on_give_up)
        return
    t.probes_out += 1
    step.restart = timers.RETRY
    if s.device_refuses:  # Linux tcp_send_probe0: local congestion does not back off
        return
    if s.persist_limit is None or t.backoff < s.persist_limit:
        t.backoff += 1
    sending.probe_window(step)


def _persist_over(step: Step) -> bool:
    t, s = step.t, step.s
    if not (t.orphaned and s.orphan_persist_retries):
        return s.persist_limit is not None and t.probes_out >= s.persist_limit
    limit = s.orphan_retries or 0
    alive = (t.rto_us << t.backoff) < s.rto_max_us
    if limit == 0 and alive:
        limit = s.orphan_retries_safe
    return (not alive and t.backoff >= limit) or t.probes_out >= limit


_SLOT = {
    RETRANSMISSION: _retransmission,
    LOSS_PROBE: _loss_probe,
    REORDERING: _reordering,
    PERSIST: _persist,
}


# Delayed ACK, user timeout


def _delayed_ack(step: Step) -> None:
    step.t.delack_at_us = None
    step.fired(str(Timer.DELAYED_ACK))
    if acks.timer_fired(step):
        output.send_ack(step)


def _compressed_ack(step: Step) -> None:
    """What came out of order has waited: one ACK for all of it (Linux tcp_compressed_ack_kick)."""
    step.t.compressed_at_us = None
    step.fired(str(Timer.COMPRESSED_ACK))
    output.send_ack(step)


def _user_timeout(step: Step) -> None:
    step.fired(str(Timer.USER_TIMEOUT))
    give_up(step, "user timeout", step.s.rst_on_user_timeout)


# Keepalive


def _keepalive(step: Step) -> None:
    """RFC 9293 3.8.4, as Linux's tcp_keepalive_timer reads it: probe an idle peer, count what it ignores."""
    t, s, now = step.t, step.s, step.now
    idle_us = timers.keep_idle_us(t, s)
    if t.write_seq != t.snd_una:
        t.keep_at_us = now + idle_us  # data in flight tests the peer by itself
        return
    silent = now - timers.silent_since_us(t)
    enough_us = timers.keep_silence_us(t, s)
    if silent < enough_us:
        t.keep_at_us = now + enough_us - silent
        return
    step.fired(str(Timer.KEEPALIVE))
    count = s.keep_cnt if t.options.keep_cnt is None else t.options.keep_cnt
    limit = timers.user_timeout_us(t, s) if s.user_timeout_rule == "checked" else None
    over = t.probes_out >= count if limit is None else silent >= limit and t.probes_out > 0
    if over:
        give_up(step, "keepalive", s.rst_on_keepalive_give_up)
        return
    t.probes_out += 1
    t.keep_at_us = now + (s.keep_intvl_us if t.options.keep_intvl_us is None else t.options.keep_intvl_us)
    output.probe_keepalive(step)


# FIN-WAIT-2 and TIME-WAIT


def _wait_over(step: Step) -> None:
    t, s, now = step.t, step.s, step.now
    step.fired(str(t.wait))
    if t.state is TIME_WAIT:
        step.end(Fact.TWO_MSL_OVER, "2 MSL over", None)
        return
    if t.wait is Timer.LAST_ACK:
        heard_us = timers.silent_since_us(t)
        if now - heard_us < (s.last_ack_us or 0):
            t.wait_at_us = heard_us + (s.last_ack_us or 0)
        else:
            give_up(step, "LAST-ACK limit", False)
        return
    limit = timers.fin_wait_2_us(t, s)
    if s.fin_wait_2_two_stages and not t.mini and limit > s.time_wait_us:
        # Linux tcp_keepalive_timer: the full socket has waited for the excess, a timewait socket does it
        # again
        t.mini = s.mini_sockets
        t.wait_at_us = now + max(limit - s.time_wait_us, 4 * t.rto_us - t.rto_us // 2)
        return
    silent = now - timers.silent_since_us(t)
    if s.fin_wait_2_idle_check_us is not None and silent <= limit:
        t.wait_at_us = now + s.fin_wait_2_idle_check_us
        return
    if s.fin_wait_2_rst:
        output.send_rst(step)
    step.end(Fact.FIN_WAIT_2_OVER, "FIN-WAIT-2 limit", s.fin_wait_2_error)


_ACTS = {
    "slot_at_us": _slot,
    "delack_at_us": _delayed_ack,
    "compressed_at_us": _compressed_ack,
    "keep_at_us": _keepalive,
    "user_at_us": _user_timeout,
    "wait_at_us": _wait_over,
}
