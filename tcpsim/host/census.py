"""The census of a population: the numbers of sockets over time, change by change.

Owns: the record of a run. Every change of what a host sees of a connection is stored with its time. So counts
over time, maxima and the time at which a limit was first met are exact, and can be computed after the run.
Refuses to know: tables and intervals (measure), and what a leak is.

A change is three integers (time, view before, view after) in packed arrays. All connections that look the
same share one view. So a leaked socket costs only its last change.
"""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Final, NamedTuple

from tcpsim.host.limits import Limits
from tcpsim.host.socket_accounting import Seen, View
from tcpsim.host.user_experience import Experience
from tcpsim.pair import Side
from tcpsim.tcp.state import Holder, State

_DAY_US: Final = 86_400_000_000
_FIN_SENT: Final = (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK)
_SYNCHRONISED: Final = (State.ESTABLISHED, State.CLOSE_WAIT, State.FIN_WAIT_2, State.TIME_WAIT, *_FIN_SENT)


class Left(NamedTuple):
    """How a connection stands at the end of a run, by numbers of views.

    `now` is what it holds at the horizon; `finally_` what it would hold in the end if the path lost
    nothing more (0: nothing), or None if it would still be busy after the census's `patience_us`.
    A connection that has no next event holds `now` for ever, and `finally_` is the same.
    """

    now: int
    finally_: int | None


def patience_us(horizon_us: int) -> int:
    """How long beyond its horizon a run waits for a connection to come to its end."""
    return max(horizon_us, _DAY_US)


class Crashed(NamedTuple):
    """When a host was gone, for want of what, how much of it was used, connections that it takes along."""

    t_us: int
    side: Side
    resource: str
    used: int
    connections: int


class Restarted(NamedTuple):
    """When a process was killed, and what became of its sockets: who hears a FIN, who a RST.

    `fates` counts "FIN" (the kernel closes for the program), "RST" (data was unread, or nobody had accepted
    the connection), "silent" (the FIN was out, or no handshake over) and "descriptor" (a dead socket).
    """

    t_us: int
    fates: Counter[str]

    def tell(self, before: View, after: View, side: Side) -> None:
        """Count what the kill made of one connection."""
        old, new = before.of(side), after.of(side)
        held = sum(each.fd for each in old)
        dead = sum(each.fd and each.state is State.CLOSED for each in old)
        fin = _in(new, _FIN_SENT) - _in(old, _FIN_SENT)
        rst = _in(old, _SYNCHRONISED) - _in(new, _SYNCHRONISED)
        queued = sum(each.holder is Holder.QUEUE for each in old) if rst else 0
        self.fates.update(FIN=fin, RST=rst, descriptor=dead, silent=held + queued - fin - rst - dead)


def _in(held: tuple[Seen, ...], states: tuple[State, ...]) -> int:
    return sum(each.state in states for each in held)


class Census:
    """The record of one run.

    `t_us`, `before` and `after` are the changes in order of time, views by their numbers in `views`
    (0: nothing held). `left` counts the connections that hold a socket at the horizon, or a flow of a box;
    `refused` counts, by resource, what a limit turned away, `dropped` the segments that a full box dropped,
    and `limits` is what the hosts had. `lacked_us`: when a relay's call first failed for want of something.
    `crashed` and `restarts` are what befell hosts and programs.
    `computed` and `recalled` are the steps of all lives.
    `experience` is what users got, where connections belong to some. `patience_us`: as long again as the
    run was, but at least a day.
    """

    def __init__(self, views: list[View], horizon_us: int) -> None:
        self.views = views
        self.horizon_us = horizon_us
        self.patience_us = patience_us(horizon_us)
        self.limits = Limits()
        self.connections = 0
        self.t_us = array("q")
        self.before = array("i")
        self.after = array("i")
        self.left: Counter[Left] = Counter()
        self.refused: Counter[str] = Counter()
        self.dropped = 0
        self.lacked_us: dict[str, int] = {}
        self.experience = Experience()
        self.crashed: Crashed | None = None
        self.restarts: list[Restarted] = []
        self.computed = 0
        self.recalled = 0

    def change(self, t_us: int, before: int, after: int) -> None:
        """One connection looks different from `t_us` on."""
        self.t_us.append(t_us)
        self.before.append(before)
        self.after.append(after)
