"""The receive window: what is offered, what may arrive, and its initial value (RFC 9293 3.8.6.2).

Owns: RCV.WND and the offered right edge, its rounding, its scale and its initial size. Refuses to know: the
charge for queued segments (rcvbuf), when the window is sent (acks, output), and what happens to a segment
outside (acceptability, receiving).
"""

from __future__ import annotations

from tcpsim.tcp import rcvbuf
from tcpsim.tcp.seqnum import MASK, diff
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.tcb import ACK_NOMEM, SocketOptions, Tcb


def first(s: Stack, space: int, mss: int) -> int:
    """The window of a SYN: the buffer, or as many whole segments as fit it (Linux)."""
    window = space // mss * mss if s.rcv_space_mss_multiple and space > mss else space
    return window if s.rcv_wnd_beyond_field else min(window, 65535)


def scale_for(s: Stack, options: SocketOptions, space: int) -> int:
    """The shift offered: the profile's, or the smallest that covers a buffer set by hand."""
    if not s.window_scaling:
        return 0
    if options.rcvbuf is None or not s.wscale_follows_rcvbuf:
        return s.wscale
    return max((space >> 16).bit_length(), 0)


def offered(t: Tcb) -> int:
    """Octets from RCV.NXT to the right edge last advertised."""
    ahead = diff(t.rcv_wup + t.rcv_wnd, t.rcv_nxt)
    return ahead if ahead > 0 else 0


def acceptable(t: Tcb, s: Stack) -> int:
    """Octets from RCV.NXT that may arrive: what was offered, or, where it is more, what there is room for."""
    promised = offered(t)
    return max(promised, t.rcv_space - t.readable) if s.window_checked == "room" else promised


def right_edge(t: Tcb, s: Stack) -> int:
    """The first number that may not arrive."""
    return (t.rcv_nxt + acceptable(t, s)) & MASK


def to_offer(t: Tcb, s: Stack) -> int:
    """RCV.WND to offer: what the buffer has room for, never taking back, never a silly bit more.

    RFC 9293 3.8.6.2.2 with Linux's roundings (tcp_output.c __tcp_select_window).
    """
    if t.ack_pending & ACK_NOMEM:
        return 0
    promised = offered(t)
    window = possible(t, s)
    if not s.rcv_wnd_beyond_field:
        window = min(window, 65535 << t.rcv_wscale)
    if s.window_rule == "free":
        return max(window, promised)
    return _rounded(promised, t.rcv_wscale, True) if window < promised else window


def _rounded(octets: int, wscale: int, up: bool) -> int:
    """`octets` as a scaled window can say them."""
    return (octets + (1 << wscale) - 1 if up else octets) >> wscale << wscale


def possible(t: Tcb, s: Stack) -> int:
    """What could be offered if nothing had been offered before."""
    if s.window_rule == "free":
        # FreeBSD tcp_output: what waits out of order is not in the socket buffer; a silly window is none
        free = t.rcv_space - t.readable
        return 0 if free < min(t.rcv_space // 4, t.snd_mss) else free
    largest = rcvbuf.largest_window(t, s)
    free = max(rcvbuf.free_window(t, s), 0)
    half, mss = largest // 2, min(t.rcv_mss, largest) or 1
    tight = free < half
    if tight:
        free = _rounded(free, t.rcv_wscale, False)
        if free < rcvbuf.full_window(t) // 16 or free < mss:
            return 0
    free = min(free, t.rcv_ssthresh)
    if t.rcv_wscale:
        return _rounded(free, t.rcv_wscale, s.window_rounding == "up")
    if t.rcv_wnd <= free - mss or t.rcv_wnd > free:
        return free // mss * mss if free >= mss else free
    return t.rcv_wnd
