"""The events of a run: segments, losses, state changes, timers, calls, and events of a host.

Owns: the events that a pair reports, as values. Refuses to know: how they look (draw), and what they mean
(measure).

Events of one instant come in the order of cause and effect: Called, StateChanged, Sent, Returned.

`side` is the name of a machine. `leg` is the path that a segment is on: 0 is the client's, and all there is
without relays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tcpsim.pair.pair import Side
from tcpsim.sockets import Call, Reply
from tcpsim.tcp.event import Note
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.state import State


class Sent(NamedTuple):
    """`side` put a segment on the wire; each copy of it that is not lost arrives at one of `arrives_us`."""

    t_us: int
    side: Side
    segment: Segment
    arrives_us: tuple[int, ...]
    leg: int = 0


class Lost(NamedTuple):
    """A segment that `side` sent never arrives."""

    t_us: int
    side: Side
    segment: Segment
    why: str
    leg: int = 0


class Duplicated(NamedTuple):
    """The path made a second copy of what `side` sent."""

    t_us: int
    side: Side
    segment: Segment
    why: str
    leg: int = 0


class Answered(NamedTuple):
    """A box on the path, `who`, sends a segment to `side` in the name of the other side."""

    t_us: int
    side: Side
    segment: Segment
    who: str
    arrives_us: tuple[int, ...]  # empty if it is lost on the way
    leg: int = 0


class Arrived(NamedTuple):
    """A segment reaches `side`."""

    t_us: int
    side: Side
    segment: Segment
    leg: int = 0


class StateChanged(NamedTuple):
    """A socket of `side` changed its state or its holder; `what` is the rule of the transition table."""

    t_us: int
    side: Side
    socket: int
    old: State | None
    new: State | None
    holder: str
    what: str


class TimerFired(NamedTuple):
    """A timer of one of `side`'s sockets fired."""

    t_us: int
    side: Side
    socket: int
    timer: str


class Noted(NamedTuple):
    """TCP remarks on a socket: why it ended (kind "cause"), or why a segment was not taken ("drop")."""

    t_us: int
    side: Side
    socket: int
    kind: str
    what: str


class Called(NamedTuple):
    """Process `pid` makes a call."""

    t_us: int
    side: Side
    pid: int
    call: Call


class Returned(NamedTuple):
    """A call of process `pid` returns."""

    t_us: int
    side: Side
    pid: int
    call: Call
    reply: Reply


class Happened(NamedTuple):
    """Something befell the machine or one of its processes: "vanishes", "reboots", "is back", "kill 1"."""

    t_us: int
    side: Side
    what: str


Event = (
    Sent
    | Lost
    | Duplicated
    | Answered
    | Arrived
    | StateChanged
    | TimerFired
    | Noted
    | Called
    | Returned
    | Happened
)
Log = Callable[[Event], None]


def told(now_us: int, side: Side, note: Note) -> Event:
    """A remark of TCP as an event."""
    if note.kind == "state":
        return StateChanged(now_us, side, note.socket, note.old, note.new, note.holder, note.what)
    if note.kind == "timer":
        return TimerFired(now_us, side, note.socket, note.what)
    return Noted(now_us, side, note.socket, note.kind, note.what)
