"""Timers that fire late.

Owns: moving the deadlines of a socket to a later time. A kernel's timers never fire early and often fire
late: its clock has ticks, and its timer wheel is coarser the further ahead a deadline lies (Linux
kernel/time/timer.c). A replay of a kernel's trace knows how late it was. Refuses to know: by how
much a timer may be late, and what the timer does then (timeouts).
"""

from __future__ import annotations

from tcpsim.tcp import deadlines
from tcpsim.tcp.endpoint import Endpoint


def put_off(end: Endpoint, socket: int, until_us: int) -> Endpoint:
    """The same end, but what is due first on `socket` is due at `until_us`.

    Raises:
        ValueError: nothing is due on the socket, or it is due later than that.
    """
    due_us = deadlines.next_time(end.sockets[socket])
    if due_us is None or until_us < due_us:
        raise ValueError(f"put off to {until_us}: the socket's next deadline is {due_us}")
    t = end.sockets[socket].copy()
    for name in deadlines.DEADLINES:
        if getattr(t, name) == due_us:
            setattr(t, name, until_us)
    return end.replaced(sockets={**end.sockets, socket: t})
