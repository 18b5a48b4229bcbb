"""TSO: how many segments go to the device as one, and when a stack waits for more (Linux).

Owns: the size of such a burst, and the wait for an ACK that is expected soon. Refuses to know: every other
reason to delay a segment (sending). It is visible on the wire: PSH is on the last segment of a burst, and a
small window may send nothing for a moment.

Source: Linux net/ipv4/tcp_output.c tcp_tso_autosize, tcp_tso_should_defer; tcp_input.c
tcp_update_pacing_rate.
"""

from __future__ import annotations

from tcpsim.tcp.seqnum import MASK, diff
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import RECOVERY, Tcb

GSO_MAX = 65_535 - 320  # a device's, less the largest header
_PACING_SHIFT, _RTT_LOG, _WIDEST = 10, 9, 32
_SLOW_START_PERCENT, _AVOIDANCE_PERCENT = 200, 120  # tcp_pacing_ss_ratio, tcp_pacing_ca_ratio
_RECENT_US = 1_000
_WIN_DIVISOR = 3


def acknowledged(t: Tcb, s: Stack, cwnd: int) -> None:
    """An ACK has been read with this window, so the pace may be another one (tcp_update_pacing_rate)."""
    if s.burst_segments > 1 and t.srtt8:
        percent = _SLOW_START_PERCENT if cwnd < t.ssthresh // 2 else _AVOIDANCE_PERCENT
        t.pacing_rate = t.snd_mss * max(cwnd, len(t.sent)) * percent * 10_000 * 8 // t.srtt8


def segments(t: Tcb, s: Stack, mss: int) -> int:
    """The most segments of a burst: what is sent in a millisecond, more on a short path, two at least."""
    if s.burst_segments < 2:
        return s.burst_segments
    if not t.pacing_rate:
        return max(GSO_MAX // mss, s.burst_segments)  # nothing limits it yet
    octets = t.pacing_rate >> _PACING_SHIFT
    short = (t.min_rtt_us or 0) >> _RTT_LOG
    if short < _WIDEST:
        octets += GSO_MAX >> short
    return max(min(octets, GSO_MAX) // mss, s.burst_segments)


def defers(step: Step, chunk: int, last: bool, burst: int, quota: int) -> bool:
    """Whether a burst of less than its size waits for the next ACK, which will let more go with it."""
    t, mss, now = step.t, step.t.snd_mss, step.now
    if step.s.burst_segments < 2 or t.ca_state >= RECOVERY or not t.sent:
        return False
    if now - max([record.sent_us for record in t.sent]) > _RECENT_US:
        return False
    send_window = diff((t.snd_una + t.snd_wnd) & MASK, t.snd_nxt)
    window = quota * mss
    limit = min(send_window, window)
    if limit >= burst * mss or (not last and limit >= chunk):
        return False
    if limit >= min(t.snd_wnd, t.cwnd * mss) // _WIN_DIVISOR:
        return False
    srtt_us = t.srtt8 >> 3
    if t.sent[0].sent_us + srtt_us - now > min(srtt_us // 2, _RECENT_US):
        return False
    return min(window, send_window) <= chunk or not (last and t.close_called)
