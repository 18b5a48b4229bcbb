"""The test bench: one endpoint in virtual time, the segments that it has sent, and its blocked call.

Owns: the clock, the order of timers, and the output that no event has claimed yet. Refuses to know: the
script.

This object and `Stage` change during a run. The endpoint below them is a value.
"""

from __future__ import annotations

from collections import deque

from tcpsim import sockets
from tcpsim.sockets import Reply, Returned, System
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.tcb import Tcb

PID = 1
_RESTLESS = 10_000  # timers at one instant: an endpoint that never comes to rest has a bug


class Sent:
    """A segment that the endpoint has sent; `line` is that of the script's packet that claimed it."""

    __slots__ = ("line", "segment", "t_us")

    def __init__(self, t_us: int, segment: Segment) -> None:
        self.t_us = t_us
        self.segment = segment
        self.line: int | None = None


class Bench:
    """A system under test and its clock."""

    __slots__ = ("_same_time", "answered", "now_us", "sent", "system", "unseen")

    def __init__(self, system: System) -> None:
        self.system = system
        self.now_us = 0
        self.unseen: deque[Sent] = deque()  # not looked at yet
        self.sent: list[Sent] = []  # everything
        self.answered: tuple[int, Reply] | None = None  # a call that blocked: when it returned, and what
        self._same_time = 0

    @property
    def stack(self) -> Stack:
        """The profile that the host follows now."""
        return self.system.end.stack

    def turn(self, stack: Stack) -> None:
        """From now on the host follows another profile: somebody turned a knob."""
        self.system = self.system._replace(end=self.system.end.replaced(stack=stack))

    def call(self, call: sockets.Call) -> Reply | None:
        """A system call; None if it blocks."""
        return self._take(sockets.syscall(self.system, PID, call, self.now_us)).reply

    def deliver(self, segment: Segment) -> None:
        """A segment arrives."""
        self._take(sockets.deliver(self.system, segment, self.now_us))

    def icmp(self, local_port: int, remote_port: int, seq: int, message: str, room: int | None) -> None:
        """The network reports on a segment of the endpoint; `room`: octets that fit a segment on the path."""
        self._take(sockets.icmp(self.system, local_port, remote_port, seq, message, self.now_us, room))

    def destroy(self, sid: int) -> None:
        """An operator kills a socket."""
        self._take(sockets.destroy(self.system, sid, self.now_us))

    def _take(self, returned: Returned) -> Returned:
        self.system = returned.system
        for segment in returned.segments:
            sent = Sent(self.now_us, segment)
            self.unseen.append(sent)
            self.sent.append(sent)
        for _, _, reply in returned.completed:
            self.answered = self.now_us, reply
        return returned

    def step(self, limit_us: int) -> bool:
        """Fire what is due next, if that is not beyond `limit_us`; whether there was something."""
        due_us = sockets.next_time(self.system)
        if due_us is None or due_us > limit_us:
            return False
        self._same_time = self._same_time + 1 if due_us <= self.now_us else 0
        if self._same_time > _RESTLESS:
            raise RuntimeError("the endpoint does not come to rest: its timers fire for ever at one instant")
        self.now_us = max(due_us, self.now_us)
        self._take(sockets.expire(self.system, self.now_us))
        return True

    def advance(self, to_us: int) -> None:
        """The clock goes on to `to_us`. What is due at that very instant comes after the event there."""
        while self.step(to_us - 1):
            pass
        self.now_us = max(self.now_us, to_us)

    def tcb(self, local_port: int, remote_port: int | None) -> Tcb | None:
        """The newest socket on a pair of ports, dead or alive."""
        ports = local_port, remote_port
        found = [
            tcb for tcb in self.system.end.sockets.values() if (tcb.local_port, tcb.remote_port) == ports
        ]
        return found[-1] if found else None

    def listens(self, port: int) -> bool:
        """Whether a listener has the port."""
        return any(listener.port == port for listener in self.system.end.listeners.values())
