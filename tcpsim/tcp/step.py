"""The state of one step: the TCB that is being changed, and the output of the step.

Owns: the values that an act reads and writes, and the only code that writes a state. Refuses to know: what
the act is (segment_arrives, calls, timeouts), and what every step does before and after it (run).
"""

from __future__ import annotations

from typing import Any

from tcpsim.tcp.event import Fact, Note
from tcpsim.tcp.lifecycle import follow
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.tcb import Tcb


class Step:
    """The workbench of one step: the TCB being changed, and what comes out of the change.

    `restart` and `reorder_us` tell `timers.wanted` what happened: that the retransmission slot saw
    progress or a new transmission, that loss detection wants to look again after `reorder_us`, or that
    the retransmission cannot wait longer than `hurry_us`. `cwnd_limits`: a burst waits because the congestion
    window has no room for all of it. `value` is what the act returned.
    """

    __slots__ = (
        "cwnd_limits",
        "hurry_us",
        "id",
        "notes",
        "now",
        "out",
        "reorder_us",
        "restart",
        "s",
        "t",
        "value",
    )

    def __init__(self, tcb: Tcb, now: int, stack: Stack, socket: int = 0) -> None:
        self.t = tcb
        self.s = stack
        self.now = now
        self.id = socket
        self.out: list[Segment] = []
        self.notes: list[Note] = []
        self.restart = 0
        self.reorder_us: int | None = None
        self.hurry_us: int | None = None
        self.cwnd_limits = False
        self.value: Any = None

    def fact(self, fact: Fact) -> None:
        """Follow the lifecycle's row for `fact`: the one place where a connection's state is written."""
        t = self.t
        row = follow(t.state, fact)
        old = t.state
        t.state = row.next_state
        self.notes.append(Note(self.id, "state", old, t.state, str(t.holder(self.s)), row.rule))

    def end(self, fact: Fact, cause: str, error: str | None) -> None:
        """The connection is over: `fact` closes it, `cause` is for people, `error` for the program."""
        t = self.t
        self.notes.append(Note(self.id, "cause", t.state, t.state, str(t.holder(self.s)), cause))
        self.fact(fact)
        t.closed_by = cause
        if error is not None and not t.orphaned:
            t.so_error = error
        self.bury()

    def bury(self) -> None:
        """Forget everything that a CLOSED connection has no use for; what was received stays readable."""
        t = self.t
        t.sent = t.unsent = ()
        t.snd_una = t.snd_nxt = t.write_seq
        t.ooo = t.sack_order = t.held = t.held_ahead = ()
        t.rmem = 0
        t.ack_pending = 0

    def reheld(self) -> None:
        """Settling has made a timewait socket of it: the log says so where it tells of the state."""
        holder = str(self.t.holder(self.s))
        self.notes = [n._replace(holder=holder) if n.new is self.t.state else n for n in self.notes]

    def drop(self, why: str) -> None:
        """A segment was ignored."""
        t = self.t
        self.notes.append(Note(self.id, "drop", t.state, t.state, str(t.holder(self.s)), why))

    def fired(self, what: str) -> None:
        """A timer fired."""
        t = self.t
        self.notes.append(Note(self.id, "timer", t.state, t.state, str(t.holder(self.s)), what))
