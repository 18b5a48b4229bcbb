"""How one connection ended, in four lines of words.

Owns: the words for a verdict, for what each side holds and since when, and for what was on the wire.
Refuses to know: how the run went (scenario), and where the lines are shown.
"""

from __future__ import annotations

from collections.abc import Sequence

from tcpsim.catalogue import Ended, Verdict, sockets_in_words
from tcpsim.draw.clock import clock
from tcpsim.pair import SIDES, Event, Happened, Lost, Sent, Side, StateChanged
from tcpsim.tcp.state import Holder, State

_ENDS_OF_MACHINES = ("vanishes", "reboots")
_HOLDERS = {
    Holder.OWNED: "held by a program",
    Holder.ORPHAN: "an orphan: held by the kernel alone",
    Holder.MINI: "a mini-socket: held by the kernel alone",
    Holder.REQUEST: "a request in a listener's queue",
}


def verdict_text(ended: Ended, events: Sequence[Event]) -> str:
    """What is left at the end, in four lines."""
    lines = [f"verdict  {_verdict_words(ended)}"]
    for side in SIDES:
        lines.append(f"{side}   {_side_words(ended, events, side)}")
    lines.append(f"wire     {_wire_words(events)}")
    return "\n".join(lines) + "\n"


def _verdict_words(ended: Ended) -> str:
    words = ended.describe().split(": ")[0]
    if ended.verdict is Verdict.PERMANENT:
        return f"{words}: no event is left that could end it"
    if ended.verdict is Verdict.RUNNING:
        return f"{words}: something is still going on ({clock(ended.t_us)})"
    return words


def _side_words(ended: Ended, events: Sequence[Event], side: Side) -> str:
    held = ended.client if side == "client" else ended.server
    since = last_change_us(events, side)
    words = sockets_in_words(held) + (f" since {clock(since)}" if since is not None else "")
    alive = [socket for socket in held if socket.state is not State.CLOSED]
    waiting = [socket for socket in alive if socket.holder is Holder.OWNED and not socket.fd]
    details = sorted({_HOLDERS[socket.holder] for socket in alive if socket not in waiting})
    details += ["in an accept queue"] if waiting else []
    details += [f"{socket.readable:,} bytes unread" for socket in alive if socket.readable]
    details += [f"{socket.unacked:,} bytes unacknowledged" for socket in alive if socket.unacked]
    return ", ".join([words, *details])


def _wire_words(events: Sequence[Event]) -> str:
    segments = [event.segment for event in events if isinstance(event, Sent)]
    lost = sum(isinstance(event, Lost) for event in events)
    resets = sum(segment.rst for segment in segments)
    return f"{len(segments)} segments, {lost or 'none'} lost, {resets or 'no'} RST"


def last_change_us(events: Sequence[Event], side: Side) -> int | None:
    """When a socket of this side last changed its state, or lost the machine under it."""
    changes = [
        event.t_us
        for event in events
        if event.side == side
        and (
            isinstance(event, StateChanged)
            or (isinstance(event, Happened) and event.what in _ENDS_OF_MACHINES)
        )
    ]
    return changes[-1] if changes else None
