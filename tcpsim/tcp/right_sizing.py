"""A receive buffer that follows what the program reads (Linux tcp_moderate_rcvbuf, dynamic right-sizing).

Owns: the receiver's estimate of the round-trip time, what the program has copied in one, and the buffer that
follows from it. A program that keeps up with its peer gets room for twice what it copied in a round trip, and
more while that grows. Octets that wait in the queue count against it, so the buffer of a slow reader stays as
it is. Refuses to know: what the buffer is charged (rcvbuf), and the window that it gives (window).

Source: Linux 6.18 net/ipv4/tcp_input.c tcp_rcv_space_adjust, tcp_rcvbuf_grow, tcp_rcv_rtt_measure,
tcp_rcv_rtt_measure_ts, tcp_rcv_rtt_update, tcp_init_buffer_space.
"""

from __future__ import annotations

from tcpsim.tcp.output import timestamp
from tcpsim.tcp.rcvbuf import SHARES, full_window, own_mss
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.seqnum import MASK, diff, lt
from tcpsim.tcp.sndbuf import SKB
from tcpsim.tcp.stack import LEAST_MSS, Stack
from tcpsim.tcp.state import ESTABLISHED
from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import RightSizing, Tcb

_FIRST_SEGMENTS = 10  # TCP_INIT_CWND


def follows(t: Tcb, s: Stack) -> bool:
    """Whether the buffer does so: of the stack's own accord, and no program has set it."""
    return s.rcv_space_follows_reads and t.options.rcvbuf is None


def least_space(t: Tcb, s: Stack) -> int:
    """Octets of a round trip that the buffer never follows, whatever the size of the segments."""
    if t.right_sizing is None:
        return 0
    least_ratio = LEAST_MSS * SHARES // (s.skb_heads[0] + SKB)
    return min(_FIRST_SEGMENTS * own_mss(t), t.rcv_space * least_ratio // SHARES)


def opened(step: Step) -> None:
    """The connection is open (tcp_init_buffer_space)."""
    t = step.t
    if step.s.rcv_space_follows_reads:
        space = min(t.rcv_ssthresh, t.rcv_wnd, _FIRST_SEGMENTS * own_mss(t))
        t.right_sizing = RightSizing(t.rcv_nxt, space, step.now, step.now)


def clock_read(t: Tcb, now: int) -> None:
    """A segment arrived, a timer fired, or something was to be sent: reads use that time (tcp_mstamp)."""
    if t.right_sizing is not None and t.right_sizing.clock_us != now:
        t.right_sizing = t.right_sizing._replace(clock_us=now)


def stamped(step: Step, seg: Segment) -> None:
    """A full segment echoes one of our timestamps for the first time (tcp_rcv_rtt_measure_ts)."""
    t, sizing, ecr = step.t, step.t.right_sizing, seg.options.ts_ecr
    if sizing is None or t.state is not ESTABLISHED or ecr is None or ecr == sizing.echoed:
        return
    t.right_sizing = sizing = sizing._replace(echoed=ecr)
    took_ms = diff(timestamp(t, step.now), ecr)
    if seg.len >= t.rcv_mss and took_ms > 0:
        t.right_sizing = _measured(t, sizing, took_ms * 1000, smallest=False)


def data_arrived(step: Step) -> None:
    """Data in order: a round trip is over when the window offered before is (tcp_rcv_rtt_measure)."""
    t, sizing, now = step.t, step.t.right_sizing, step.now
    if sizing is None or (sizing.edge_us is not None and lt(t.rcv_nxt, sizing.edge)):
        return
    if sizing.edge_us is not None:
        sizing = _measured(t, sizing, max(now - sizing.edge_us, 1), smallest=True)
    t.right_sizing = sizing._replace(edge=(t.rcv_nxt + t.rcv_wnd) & MASK, edge_us=now)


def _measured(t: Tcb, sizing: RightSizing, took_us: int, smallest: bool) -> RightSizing:
    """The estimate is the smallest sample, or follows those that no slow reader can have delayed."""
    before8 = sizing.rtt8
    if not before8 or took_us << 3 < before8:
        return sizing._replace(rtt8=took_us << 3)
    if smallest or t.readable:
        return sizing
    return sizing._replace(rtt8=before8 - (before8 >> 3) + took_us)


def copied(t: Tcb, s: Stack, waiting: int) -> None:
    """The program has copied a part of the queue; `waiting` octets are left (tcp_rcv_space_adjust)."""
    sizing = t.right_sizing
    if sizing is None or not sizing.rtt8 or sizing.clock_us - sizing.since_us < sizing.rtt8 >> 3:
        return
    seq = (t.rcv_nxt - waiting) & MASK
    octets = diff(seq, sizing.seq) - waiting
    if octets > sizing.space:
        _grow(t, s, octets, sizing.space)
        sizing = sizing._replace(space=octets)
    t.right_sizing = sizing._replace(seq=seq, since_us=sizing.clock_us)


def data_ahead(t: Tcb, s: Stack) -> None:
    """What waits out of order needs room besides, while a program holds the socket (tcp_data_queue_ofo)."""
    if t.right_sizing is not None and t.accepted and not t.orphaned:
        _grow(t, s, t.right_sizing.space, t.right_sizing.space)


def _grow(t: Tcb, s: Stack, octets: int, before: int) -> None:
    """Room for what comes in two round trips, at the rate at which it grows (tcp_rcvbuf_grow)."""
    if not follows(t, s):
        return
    window = octets << 1
    window += window * (octets - before) // before << 1
    if t.ooo:
        window += diff(t.ooo[-1][1], t.rcv_nxt)
    size = min(window * SHARES // t.scaling_ratio, s.rcv_space_max or 0)
    if size > t.rcv_space:
        t.rcv_space = size
        t.window_clamp = full_window(t)
