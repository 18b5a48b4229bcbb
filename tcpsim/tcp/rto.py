"""Round-trip times and the retransmission timeout (RFC 6298; RFC 9293 3.8.1).

Owns: the estimator, the timeout with its bounds and back-off, and how much time a retry count is worth
on a stack that turns counts into budgets. Refuses to know: when a timer runs, and what is resent.

The estimator's scaling and its finer gain for falling samples are Linux's (tcp_rtt_estimator); with a
"floor" rule the same two filters are RFC 6298's equations, because SRTT and RTTVAR then evolve as the
RFC says.
"""

from __future__ import annotations

from tcpsim.tcp.seqnum import lt
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.tcb import Tcb


def sample(t: Tcb, rtt_us: int, s: Stack) -> None:
    """Take one round-trip measurement and set RTO from it; the back-off ends (RFC 6298 5.7, Karn)."""
    rtt_us = max(rtt_us, 1)
    t.min_rtt_us = rtt_us if t.min_rtt_us is None else min(t.min_rtt_us, rtt_us)
    if s.rto_rule == "variance":
        _linux(t, rtt_us, s.rto_min_us)
    else:
        _rfc6298(t, rtt_us)
    t.rto_us = timeout(t, s)
    t.backoff = 0


def _rfc6298(t: Tcb, rtt_us: int) -> None:
    """RFC 6298 (2.2) and (2.3): alpha 1/8, beta 1/4."""
    if t.srtt8 == 0:
        t.srtt8 = rtt_us << 3
        t.rttvar4 = rtt_us << 1
        return
    error = abs((t.srtt8 >> 3) - rtt_us)
    t.rttvar4 += error - (t.rttvar4 >> 2)
    t.srtt8 += rtt_us - (t.srtt8 >> 3)


def _linux(t: Tcb, rtt_us: int, floor_us: int) -> None:
    """Linux net/ipv4/tcp_input.c tcp_rtt_estimator: the floor is on the variance term."""
    if t.srtt8 == 0:
        t.srtt8 = rtt_us << 3
        t.mdev4 = rtt_us << 1
        t.rttvar4 = t.mdev_max4 = max(t.mdev4, floor_us)
        t.rtt_seq = t.snd_nxt
        return
    error = rtt_us - (t.srtt8 >> 3)
    t.srtt8 += error
    if error < 0:
        error = -error - (t.mdev4 >> 2)
        if error > 0:
            error >>= 3  # a falling RTT must not raise the deviation much
    else:
        error -= t.mdev4 >> 2
    t.mdev4 += error
    if t.mdev4 > t.mdev_max4:
        t.mdev_max4 = t.mdev4
        t.rttvar4 = max(t.rttvar4, t.mdev_max4)
    if lt(t.rtt_seq, t.snd_una):
        if t.mdev_max4 < t.rttvar4:
            t.rttvar4 -= (t.rttvar4 - t.mdev_max4) >> 2
        t.rtt_seq = t.snd_nxt
        t.mdev_max4 = floor_us


def timeout(t: Tcb, s: Stack) -> int:
    """RTO from the estimate, without back-off."""
    rto = (t.srtt8 >> 3) + t.rttvar4
    if s.rto_rule == "floor":
        rto = max(rto, s.rto_min_us)
    rto += s.rto_slop_us
    if s.rto_tick_us > 1:
        rto = -(-rto // s.rto_tick_us) * s.rto_tick_us
    return min(rto, s.rto_max_us)


def backed_off(t: Tcb, s: Stack) -> int:
    """The timeout after one more retransmission (RFC 6298 5.5), or by the stack's table."""
    if s.backoff:
        base = table_base_us(t, s)
        step = s.backoff[min(t.backoff, len(s.backoff) - 1)]
        return min(base * step + s.rto_slop_us, s.rto_max_us)
    return min(t.rto_us << 1, s.rto_max_us)


def table_base_us(t: Tcb, s: Stack) -> int:
    """What the steps of a stack's table multiply."""
    return timeout(t, s) - s.rto_slop_us if t.srtt8 else s.syn_rto_us


def budget(retries: int, base_us: int, s: Stack) -> int:
    """The time that `retries` are worth: the sum of an ideal back-off (Linux tcp_model_timeout).

    Linux adds up ``base, 2 base, 4 base ...`` for `retries` + 1 terms, each capped at the largest RTO.
    """
    doublings = max((s.rto_max_us // base_us).bit_length() - 1, 0)
    if retries <= doublings:
        return ((2 << retries) - 1) * base_us
    return ((2 << doublings) - 1) * base_us + (retries - doublings) * s.rto_max_us
