"""The send buffer: the charge for queued data, when it is full, and how it grows.

Owns: two ways of counting. Most stacks count octets. Linux counts memory: each buffer that is queued or
outstanding costs its head beside its octets, and a write goes on until the memory is used up. The buffer of a
writer who has to wait grows with the congestion window, unless a program has set it. Refuses to know: how a
write becomes buffers (write_queue), and who waits (sockets).

Source: Linux 6.18 include/net/sock.h sk_stream_memory_free, sk_stream_is_writeable; net/ipv4/tcp_input.c
tcp_sndbuf_expand, tcp_should_expand_sndbuf, tcp_new_space.
"""

from __future__ import annotations

from tcpsim.tcp.stack import Stack
from tcpsim.tcp.tcb import SocketOptions, Tcb

SKB, SHARED_INFO = 256, 320  # struct sk_buff, struct skb_shared_info, in whole cache lines
_HEADERS = 192  # MAX_TCP_HEADER without tunnels
_LEAST = 2 * (2048 + SKB)  # SOCK_MIN_SNDBUF
_LEAST_SEGMENTS = 10  # TCP_INIT_CWND
_CUSHION = 2  # windows: the program may be slow, and what is outstanding may have to go again


def buffer_for(s: Stack, options: SocketOptions) -> int:
    """The buffer of a socket whose program has set SO_SNDBUF, or has not."""
    if options.sndbuf is None:
        return s.snd_space
    size = options.sndbuf * s.sndbuf_percent // 100
    return max(size, _LEAST) if s.skb_heads else size


def queued(t: Tcb, s: Stack) -> int:
    """What is written and not acknowledged, as the stack counts it (sk_wmem_queued)."""
    if not s.skb_heads:
        return t.unacked
    octets = sum([each.payload for each in t.sent]) + sum([each.octets for each in t.unsent])
    buffers = len(t.unsent) + sum([not each.joined for each in t.sent])
    return octets + buffers * (SKB + s.skb_heads[0])


def free(t: Tcb, s: Stack) -> int:
    """What is left of the buffer."""
    return max(t.snd_space - queued(t, s), 0)


def octets(t: Tcb, s: Stack, asked: int) -> int:
    """How many octets of a write fit, where octets count; a buffer that counts memory asks as it goes on."""
    if s.snd_limit is not None:
        asked = min(asked, max(s.snd_limit - t.unacked, 0))
    return asked if s.skb_heads else min(asked, free(t, s))


def writable(t: Tcb, s: Stack) -> bool:
    """Whether a sleeping sender is woken and poll() says POLLOUT: enough of the buffer is free."""
    space = free(t, s)
    if s.snd_limit is not None and t.unacked >= s.snd_limit:
        return False
    if s.send_lowat is None:
        return space > 0 and queued(t, s) <= 2 * space
    return space >= min(s.send_lowat, t.snd_space)


def grows(t: Tcb, s: Stack) -> bool:
    """Whether it follows the congestion window."""
    return s.snd_space_max is not None and t.options.sndbuf is None


def expand(t: Tcb, s: Stack) -> None:
    """Room for two congestion windows, each segment in a buffer of its own (tcp_sndbuf_expand)."""
    if s.snd_space_max is None or t.options.sndbuf is not None:
        return
    mss = t.mss_clamp + 12 if t.ts_on else t.mss_clamp
    head = 1 << (mss + _HEADERS + SHARED_INFO - 1).bit_length()
    segments = max(t.cwnd, s.dupthresh + 1, _LEAST_SEGMENTS)
    t.snd_space = max(t.snd_space, min(_CUSHION * segments * (head + SKB), s.snd_space_max))


def check_space(t: Tcb, s: Stack) -> None:
    """An ACK has been read: a writer who waits gets more buffer if the window has room (tcp_check_space)."""
    if not t.no_space:
        return
    if t.pipe < t.cwnd:
        expand(t, s)
    t.no_space = not writable(t, s)
