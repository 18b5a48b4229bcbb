"""What is left of the congestion window after an idle period (RFC 5681 4.1, RFC 2861).

Owns: how the window shrinks. Refuses to know: when a stack asks. The RFC asks when data are sent. Linux does
when a program writes a buffer and nothing is outstanding (tcp_slow_start_after_idle_check), so data that a
shut window held back are sent as if nothing had happened.
"""

from __future__ import annotations

from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import OPEN


def over(step: Step) -> None:
    """Nothing was sent for longer than the RTO: what the window was tells little (RFC 5681 4.1)."""
    t, s = step.t, step.s
    idle_us = step.now - t.last_sent_us
    least = min(s.initial_window, t.cwnd)
    if s.after_idle == "keep" or t.cwnd == least or idle_us <= t.rto_us:
        return
    if t.ca_state == OPEN:
        t.ssthresh = max(t.ssthresh, (t.cwnd >> 1) + (t.cwnd >> 2))  # Linux tcp_current_ssthresh
    if s.after_idle == "halve":
        halvings = -(-idle_us // t.rto_us) - 1
        least = max(t.cwnd >> min(halvings, t.cwnd.bit_length()), least)
    t.cwnd = least
