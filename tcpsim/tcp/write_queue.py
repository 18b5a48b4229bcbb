"""The send queue in buffers, and where PSH lies in it.

Owns: how octets that a program writes become buffers, and how a buffer grows, is cut and is pushed. Refuses
to know: when a buffer may be sent (sending), and what is sent as one (tso).

On most stacks each write is one buffer, which ends with PSH. Linux fills the last buffer first, up to what a
device takes at once or half of the peer's largest window. So where that window is small, a long write is sent
in parts while it is written, and every part that ends more than half a window behind the last PSH is pushed.

Source: Linux net/ipv4/tcp.c tcp_sendmsg_locked, tcp_xmit_size_goal, forced_push; tcp_output.c tcp_grow_skb,
tso_fragment.
"""

from __future__ import annotations

from collections.abc import Callable

from tcpsim.tcp import idle_period, sndbuf, tso
from tcpsim.tcp.seqnum import MASK, diff
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import Chunk, Tcb

_DEFAULT_MSS = 536  # Linux TCP_MSS_DEFAULT


Queue = tuple[Chunk, ...]
Send = Callable[[Step, str], object]


def octets(queue: Queue) -> int:
    """All that waits."""
    return sum([chunk.octets for chunk in queue])


def write(step: Step, size: int, mss: int, send: Send) -> int:
    """Queue what a program writes as far as it fits, and send what may go; returns the octets taken.

    `send` gets what of it: "all", "one" buffer, or "pushed", all and nothing waits for Nagle.
    """
    t, s = step.t, step.s
    size = sndbuf.octets(t, s, size)
    if not size:
        return 0
    if s.push_rule != "queue" or s.burst_segments < 2:
        _append(t, s, size)
        send(step, "all")
        return size
    mss = mss or _DEFAULT_MSS  # before the handshake
    goal = max(_half_window(t, tso.GSO_MAX) // mss * mss, mss)
    pushed_seq, left = t.write_seq, size
    while True:
        another = _is_full(t.unsent, goal)
        if another and s.skb_heads and not sndbuf.free(t, s):
            return _full(step, size - left, send)
        if another and not t.sent and s.after_idle == "halve":
            idle_period.over(step)
        *before, tail = (*t.unsent, Chunk(0, False)) if another else t.unsent
        part = min(goal - tail.octets, left)
        first = left == size
        tail = Chunk(tail.octets + part, tail.pushed and not first)
        t.write_seq = (t.write_seq + part) & MASK
        left -= part
        forced = diff(t.write_seq, pushed_seq) > t.max_window >> 1
        if not left or forced:
            tail, pushed_seq = Chunk(tail.octets), t.write_seq
        t.unsent = (*before, tail)
        if not left:
            send(step, "all")
            return size
        if forced:
            send(step, "pushed")
        elif not before:
            send(step, "one")


def _full(step: Step, taken: int, send: Send) -> int:
    """No memory for another buffer: what was written is pushed (tcp_sendmsg_locked, wait_for_space)."""
    if taken:
        if step.t.unsent:
            *before, tail = step.t.unsent
            step.t.unsent = (*before, Chunk(tail.octets))
        send(step, "pushed")
    return taken


def _append(t: Tcb, s: Stack, size: int) -> None:
    """A write is a buffer, or goes into the one that still waits."""
    if t.unsent and s.push_rule == "queue":
        t.unsent = (*t.unsent[:-1], Chunk(t.unsent[-1].octets + size))
    else:
        t.unsent = (*t.unsent, Chunk(size))
    t.write_seq = (t.write_seq + size) & MASK


def _is_full(queue: Queue, goal: int) -> bool:
    return not queue or queue[-1].octets >= goal


def _half_window(t: Tcb, most: int) -> int:
    """No more than half of the largest window that the peer has offered (tcp_bound_to_half_wnd)."""
    window = t.max_window >> 1 if t.max_window > _DEFAULT_MSS else t.max_window
    return min(most, window) if window else most


def grown(queue: Queue, limit: int) -> Queue:
    """The first buffer takes octets of the next one, up to `limit`; PSH goes with the last of them."""
    if len(queue) < 2 or queue[0].octets >= limit:
        return queue
    first, second = queue[:2]
    more = min(limit - first.octets, second.octets)
    if more == second.octets:
        return (Chunk(first.octets + more, first.pushed or second.pushed), *queue[2:])
    return (Chunk(first.octets + more, first.pushed), Chunk(second.octets - more, second.pushed), *queue[2:])


def cut(queue: Queue, size: int) -> tuple[bool, Queue]:
    """Take `size` octets of the first buffer: whether they end with PSH, and what is left."""
    first = queue[0]
    if size < first.octets:
        return False, (Chunk(first.octets - size, first.pushed), *queue[1:])
    return first.pushed, queue[1:]


def taken(queue: Queue, size: int) -> tuple[frozenset[int], Queue]:
    """Take `size` octets of any buffers: the offsets at which one ended, and what is left."""
    left = list(queue)
    ends: set[int] = set()
    offset = 0
    while offset < size:
        if left[0].octets <= size - offset:
            offset += left.pop(0).octets
            ends.add(offset)
        else:
            left[0] = Chunk(left[0].octets - (size - offset))
            offset = size
    return frozenset(ends), tuple(left)
