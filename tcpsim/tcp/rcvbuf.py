"""The receive buffer: the charge for queued segments, the remaining window, and when it is full.

Owns: two ways of counting. Most stacks count octets. Linux counts memory: each queued segment costs its
buffer (`skb->truesize`), whatever it carries. The offered window is a share of the remaining memory, and this
share follows the payload of segments (`scaling_ratio`). If the memory is used up, Linux merges small
segments, and drops those that still do not fit. Refuses to know: what is acknowledged when (acks), and the
window's other rules (output).

Source: Linux 6.18 net/ipv4/tcp_input.c tcp_data_queue, tcp_try_rmem_schedule, tcp_prune_queue, tcp_collapse,
tcp_grow_window, tcp_measure_rcv_mss; include/net/tcp.h tcp_space; drivers/net/tun.c for the device.
"""

from __future__ import annotations

from tcpsim.tcp import sndbuf
from tcpsim.tcp.segment import ACK, PSH, Segment
from tcpsim.tcp.seqnum import MASK, diff, le, lt
from tcpsim.tcp.sndbuf import SHARED_INFO, SKB
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import ESTABLISHED
from tcpsim.tcp.tcb import Ahead, Held, Tcb

SHARES = 256  # of a buffer: `scaling_ratio` of them are window
_ALIGNED = 64  # cache line
_HEADROOM = 64  # NET_SKB_PAD, in front of a packet that a driver hands in
_HEADERS = 40  # IPv4 and TCP without options
_WHOLE_PAGE = 4096
# Of a packet that is longer than a page; the rest lies in pages (tun_alloc_skb; measured on 6.18)
_LINEAR = _WHOLE_PAGE - _HEADROOM - SHARED_INFO
_LEAST = 2048 + SKB  # SOCK_MIN_RCVBUF


def buffer_for(s: Stack, rcvbuf: int | None) -> int:
    """The buffer of a socket whose program has set SO_RCVBUF to `rcvbuf`, or has not."""
    if rcvbuf is None:
        return s.rcv_space
    size = rcvbuf * s.rcvbuf_percent // 100
    return max(size, _LEAST) if s.skb_heads else size


def resize(t: Tcb, s: Stack) -> None:
    """The program has set SO_RCVBUF on a connection; Linux's limits of the window stay what they were."""
    t.rcv_space = buffer_for(s, t.options.rcvbuf)
    if not s.skb_heads:
        t.rcv_ssthresh = t.rcv_space


def full_window(t: Tcb) -> int:
    """The window of an empty buffer (tcp_full_space)."""
    return t.rcv_space * t.scaling_ratio // SHARES


def largest_window(t: Tcb, s: Stack) -> int:
    """What may be offered at most."""
    return min(t.window_clamp, full_window(t)) if s.skb_heads else t.rcv_space


def is_tight(t: Tcb, s: Stack) -> bool:
    """Less than half of the window is left: no more quick ACKs (__tcp_select_window)."""
    return bool(s.skb_heads) and free_window(t, s) < largest_window(t, s) >> 1


def free_window(t: Tcb, s: Stack) -> int:
    """The window of what is left of it, below zero where more is queued than fits (tcp_space)."""
    if s.skb_heads:
        return (t.rcv_space - t.rmem) * t.scaling_ratio // SHARES
    free = t.rcv_space - t.readable
    for left, right, _ in t.ooo:
        free -= (right - left) & MASK
    return free


def _buffer(octets: int, s: Stack) -> tuple[int, int]:
    """What a buffer for so many octets is charged, and how many it holds: kmalloc's sizes (__alloc_skb)."""
    needed = -(-octets // _ALIGNED) * _ALIGNED + SHARED_INFO
    head = next((size for size in s.skb_heads if needed <= size), needed)
    return head + SKB, head - SHARED_INFO


def arrived(seg: Segment, t: Tcb, s: Stack) -> Held:
    """The buffer that a segment came in."""
    options = 12 if t.ts_on else 0
    if seg.options.sack:
        options += 4 + 8 * len(seg.options.sack)
    used = _HEADROOM + _HEADERS + options + seg.len
    if used >= _WHOLE_PAGE:
        paged = used - _HEADROOM - _LINEAR
        return Held(seg.len, _WHOLE_PAGE + SKB + -(-paged // _WHOLE_PAGE) * _WHOLE_PAGE, 0)
    charge, holds = _buffer(used, s)
    return Held(seg.len, charge, holds - used)


def queue(t: Tcb, new: Held) -> None:
    """Behind what is there, or into its last buffer if that has room for it (tcp_try_coalesce)."""
    if t.held and new.octets <= t.held[-1].room:
        last = t.held[-1]
        t.held = (*t.held[:-1], Held(last.octets + new.octets, last.charge, last.room - new.octets))
        return
    t.held = (*t.held, new)
    t.rmem += new.charge


def parts(t: Tcb, octets: int) -> list[int]:
    """A read of so many octets, divided where one buffer ends; whole where octets count."""
    if not t.held:
        return [octets] if octets else []
    found = []
    for each in t.held:
        if octets <= 0:
            break
        found.append(min(octets, each.octets))
        octets -= found[-1]
    return found


def read(t: Tcb, octets: int) -> None:
    """The program takes octets; a buffer is free once it is empty, a FIN's with what is before it."""
    held = list(t.held)
    while held and octets >= held[0].octets:
        octets -= held[0].octets
        t.rmem -= held[0].charge
        del held[0]
    if octets and held:
        held[0] = held[0]._replace(octets=held[0].octets - octets)
    t.held = tuple(held)


def forget(t: Tcb) -> None:
    """Nothing is queued any more."""
    t.held, t.held_ahead, t.rmem = (), (), 0


def forget_ahead(t: Tcb) -> None:
    """Nothing can come behind a FIN."""
    for each in t.held_ahead:
        t.rmem -= each.charge
    t.held_ahead = ()


def queue_ahead(t: Tcb, left: int, right: int, new: Held) -> None:
    """Keep what came out of order: what it covers goes, what ends before it may take it in."""
    kept: list[Ahead] = []
    for each in t.held_ahead:
        if le(each.left, left) and le(right, each.right):
            return  # all of it is there
        if le(left, each.left) and le(each.right, right):
            t.rmem -= each.charge
        else:
            kept.append(each)
    size = (right - left) & MASK
    for place, each in enumerate(kept):
        if each.right == left and size <= each.room:
            kept[place] = Ahead(each.left, right, each.charge, each.room - size)
            break
    else:
        kept.append(Ahead(left, right, new.charge, new.room))
        t.rmem += new.charge
    t.held_ahead = tuple(sorted(kept, key=lambda each: diff(each.left, t.rcv_nxt)))


def fill(t: Tcb, before: int) -> None:
    """What a filled gap makes contiguous moves; RCV.NXT was `before` and has passed it (tcp_ofo_queue)."""
    while t.held_ahead and le(t.held_ahead[0].right, t.rcv_nxt):
        left, right, charge, room = t.held_ahead[0]
        t.held_ahead = t.held_ahead[1:]
        t.rmem -= charge
        if lt(before, right):
            fresh = (right - (before if lt(left, before) else left)) & MASK
            queue(t, Held(fresh, charge, room))
            before = right


def has_room(t: Tcb, s: Stack, seg: Segment) -> bool:
    """Whether a segment may be queued; makes room if it can (tcp_try_rmem_schedule)."""
    if not s.skb_heads or t.rmem <= t.rcv_space or is_predicted(t, s, seg):
        return True
    _clamp(t, s)
    if t.rmem <= t.rcv_space:
        return True
    _collapse_ahead(t, s)
    _collapse(t, s)
    while t.held_ahead and t.rmem > t.rcv_space:  # the last ones first (tcp_prune_ofo_queue)
        edge = t.held_ahead[-1].left
        t.rmem -= t.held_ahead[-1].charge
        t.held_ahead = t.held_ahead[:-1]
        t.ooo = tuple(
            [
                (left, edge if lt(edge, right) else right, fin and not lt(edge, right))
                for left, right, fin in t.ooo
                if lt(left, edge)
            ]
        )
    return t.rmem <= t.rcv_space


def is_predicted(t: Tcb, s: Stack, seg: Segment) -> bool:
    """Whether header prediction takes it, which asks only for memory that the socket has in hand.

    Memory is handed out in pages, and given back in pages: what is in hand is the rest of the last one
    (tcp_rcv_established; include/net/sock.h sk_mem_charge, sk_mem_reclaim).
    """
    plain = seg.flags & ~PSH == ACK and seg.len > 0 and not seg.options.sack
    if not s.skb_heads or not plain or t.state is not ESTABLISHED:
        return False
    if t.ooo or not t.rcv_wnd or seg.seq != t.rcv_nxt:
        return False
    same_window = seg.wnd << t.snd_wscale == t.snd_wnd
    in_hand = -(t.rmem + sndbuf.queued(t, s)) % _WHOLE_PAGE
    return same_window and arrived(seg, t, s).charge <= in_hand


def _clamp(t: Tcb, s: Stack) -> None:
    """The buffer follows what is queued, unless a program has set it; quick ACKs end (tcp_clamp_window)."""
    t.quick = 0  # as __tcp_select_window does
    most = s.rcv_space_max or 0
    if t.options.rcvbuf is None and t.rcv_space < most:
        t.rcv_space = min(t.rmem, most)
    if t.rmem > t.rcv_space:
        t.rcv_ssthresh = min(t.window_clamp, 2 * own_mss(t))


def _bloated(t: Tcb, octets: int, charge: int) -> bool:
    return charge * t.scaling_ratio // SHARES > octets


def _charged(t: Tcb) -> int:
    """All that is queued."""
    return sum([each.charge for each in t.held]) + sum([each.charge for each in t.held_ahead])


def _collapse(t: Tcb, s: Stack) -> None:
    """Copy the queue into full buffers, from the first one that carries too little (tcp_collapse)."""
    first = next((n for n, each in enumerate(t.held) if _bloated(t, each.octets, each.charge)), None)
    if first is None:
        return
    octets = sum([each.octets for each in t.held[first:]])
    t.held = (*t.held[:first], *_copied(octets, s))
    t.rmem = _charged(t)


def _collapse_ahead(t: Tcb, s: Stack) -> None:
    """The same with each stretch of the out-of-order queue (tcp_collapse_ofo_queue)."""
    after: list[Ahead] = []
    stretch: list[Ahead] = []

    def close() -> None:
        if len(stretch) > 1 and any(_bloated(t, (a.right - a.left) & MASK, a.charge) for a in stretch):
            left = stretch[0].left
            for octets, charge, room in _copied((stretch[-1].right - left) & MASK, s):
                after.append(Ahead(left, (left + octets) & MASK, charge, room))
                left = after[-1].right
        else:
            after.extend(stretch)
        stretch.clear()

    for each in t.held_ahead:
        if stretch and stretch[-1].right != each.left:
            close()
        stretch.append(each)
    close()
    t.held_ahead = tuple(after)
    t.rmem = _charged(t)


def _copied(octets: int, s: Stack) -> list[Held]:
    """Buffers of a page at most for so many octets."""
    found = []
    while octets > 0:
        size = min(octets, _WHOLE_PAGE - SHARED_INFO)
        charge, holds = _buffer(size, s)
        found.append(Held(size, charge, holds - size))
        octets -= size
    return found


def own_mss(t: Tcb) -> int:
    """The segments that it asks for: without timestamps if it opened actively, but not a listener's child.

    tcp_rcv_synsent_state_process takes them off tp->advmss.
    """
    return t.adv_mss - 12 if t.ts_on and not t.parent else t.adv_mss


def measured(t: Tcb, s: Stack, octets: int, charge: int) -> None:
    """A segment of another size than those before: what share of its memory is data (tcp_measure_rcv_mss)."""
    if not s.skb_heads:
        return
    ratio = min(octets * SHARES // charge, SHARES - 1) or 1
    if ratio != t.scaling_ratio:
        t.scaling_ratio = ratio
        _set_clamp(t, full_window(t))
        if t.right_sizing is not None and t.window_clamp < t.right_sizing.space:
            t.right_sizing = t.right_sizing._replace(space=t.window_clamp)


def _set_clamp(t: Tcb, window: int) -> None:
    """tcp_set_window_clamp."""
    before, t.window_clamp = t.window_clamp, max(window, _LEAST // 2)
    if t.window_clamp < before:
        t.rcv_ssthresh = min(t.rcv_ssthresh, t.window_clamp)
    elif t.window_clamp > before:
        t.rcv_ssthresh = max(min(t.rcv_wnd, t.window_clamp), t.rcv_ssthresh)


def opened(t: Tcb, s: Stack) -> None:
    """The connection is open: one segment of the window is kept back (tcp_init_buffer_space)."""
    if not s.skb_heads:
        return
    window, mss = full_window(t), own_mss(t)
    t.window_clamp = min(t.window_clamp, window)
    if t.window_clamp > 2 * mss and t.window_clamp + mss > window:
        t.window_clamp = max(2 * mss, window - mss)
    t.rcv_ssthresh = min(t.rcv_ssthresh, t.window_clamp)


def grow(t: Tcb, s: Stack, octets: int, charge: int) -> bool:
    """A segment that is worth its memory lets the window grow; whether it did (tcp_grow_window)."""
    room = min(t.window_clamp, free_window(t, s)) - t.rcv_ssthresh
    if room <= 0:
        return False
    if charge * t.scaling_ratio // SHARES <= octets:
        more = 2 * own_mss(t)
    else:
        more = _grown_a_little(t, s, octets, charge)
    if not more:
        return False
    t.rcv_ssthresh += min(room, max(more, 2 * octets))
    return True


def _grown_a_little(t: Tcb, s: Stack, octets: int, charge: int) -> int:
    """While the window is small a segment may be worth less (__tcp_grow_window)."""
    size = charge * t.scaling_ratio // SHARES >> 1
    window = (s.rcv_space_max or 0) * t.scaling_ratio // SHARES >> 1
    while t.rcv_ssthresh <= window:
        if size <= octets:
            return 2 * t.rcv_mss
        size >>= 1
        window >>= 1
    return 0
