"""Values of a host and of its connections that are computed once, whatever the time.

Owns: the values behind a host's key, its census and its next act, computed once for each host; and for each
connection the facts that were passed to it, and the part of a key that it had with them. Refuses to know: the
time, how the facts are found (context), and how a key is made.

Times are on the host's own clock. A host reads only differences, so the origin of its clock does not matter.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

from tcpsim.pair.equivalence.programs import Ahead
from tcpsim.pair.pair import Held, Machine, holding, machine_wakes_us
from tcpsim.path import Side as End
from tcpsim.tcp import equivalence as tcp
from tcpsim.tcp.equivalence import future
from tcpsim.tcp.equivalence.connection import EVER, Instant
from tcpsim.tcp.seqnum import MASK
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import Tcb

Ports = tuple[int, int]  # (client's, server's)


class Rest(NamedTuple):
    """What a machine is besides its connections: the number of what is the same at every moment, instants."""

    number: int
    instants: tuple[Instant, ...]


class Part:
    """Part of a key: the number of what is the same at every moment, its instants, TS.Recent if it counts."""

    __slots__ = ("exact", "limited", "number", "stamp")

    def __init__(self, number: int, instants: tuple[Instant, ...], stamp: int | None = None) -> None:
        self.number = number
        self.exact = tuple([at_us for at_us, least in instants if least == EVER])
        # up to a limit, how long ago they were
        self.limited = tuple([each for each in instants if each[1] != EVER])
        self.stamp = stamp

    def at(self, now_us: int) -> bytes:
        """Itself at a moment, in little memory."""
        found = [self.number, *map(now_us.__rsub__, self.exact)]  # each less `now_us`
        for at_us, least in self.limited:
            ahead_us = at_us - now_us
            found.append(ahead_us if ahead_us > least else least)
        if self.stamp is not None:
            found.append((self.stamp - now_us // 1000) & MASK)
        return array("q", found).tobytes()


class Promised:
    """A connection in given circumstances: whether a round trip that it measures is read; parts of its key.

    That part differs by whether the other end reads what it would measure (`Around.heeded`, `Around.sized`).
    """

    __slots__ = ("around", "measured", "parts", "sizes")

    def __init__(self, t: Tcb, stack: Stack, around: future.Around) -> None:
        self.around = around
        self.measured = future.measures(t, stack, around)
        self.sizes = future.sizes(t, stack, around)  # so text that comes measures as well
        self.parts: list[Part | None] = [None] * 4  # by `heeded`, and twice `sized`


class Connection:
    """A socket of a host."""

    __slots__ = (
        "alive", "end", "hasty", "more", "once", "opening", "own", "place", "ports", "promised",
        "stamped", "t",
    )  # fmt: skip

    def __init__(self, place: int, number: int, t: Tcb, ports: Ports, ahead: Ahead, stack: Stack) -> None:
        _, busy, sends, closes, tunes, _, once, most_octets = ahead
        self.place = place  # among its host's
        self.t = t
        self.stamped = t.ts_on
        self.ports = ports
        self.own = number not in busy, number in sends, number in closes, number in tunes  # see `Around`
        self.opening = t.state < State.ESTABLISHED
        self.alive = t.state != State.CLOSED
        self.hasty = future.hasty(t, stack)
        # octets at most that it sends in all, if it sends more than it has queued
        self.more = most_octets if number in sends and not t.close_called else 0
        self.once = once.get(number) if self.more else None  # octets of the only write to come
        self.end = (t.write_seq - t.close_called) & MASK  # of what it has queued
        self.promised: dict[int | tuple[int, ...], Promised] = {}  # by where `context` finds it


class Leg(NamedTuple):
    """Which of a machine's connections are meant: those at the `end` of one path. A machine between accepts
    at `port` what comes from its left; an end machine (None) has one path."""

    end: End
    port: int | None = None

    def has(self, t: Tcb) -> bool:
        """Whether a socket is on it."""
        return self.port is None or (t.local_port == self.port) is (self.end == "server")


class Host:
    """A machine seen by its connections on one leg; `facing` and `witnessed`: see `context`."""

    __slots__ = (
        "_wheel", "ahead", "asking", "connections", "facing", "held", "machine", "opening", "rest",
        "stack", "waits", "wakes_us", "witnessed",
    )  # fmt: skip

    def __init__(self, leg: Leg, machine: Machine, ahead: Ahead, rest: Rest) -> None:
        self.facing = 0
        self.witnessed: tuple[int, ...] = ()
        end = machine.system.end
        self.machine = machine
        self.rest = rest
        self.stack = end.stack
        self.ahead = ahead
        self.wakes_us = machine_wakes_us(machine)
        self.waits = self.wakes_us is None and len(end.sockets) == 1  # for what comes to its one socket
        self.held: tuple[Held, ...] = holding(machine)
        self.connections: list[Connection] = []
        mine = [each for each in end.sockets.items() if leg.has(each[1])]
        for place, (number, t) in enumerate(mine):
            ports = (t.local_port, t.remote_port) if leg.end == "client" else (t.remote_port, t.local_port)
            self.connections.append(Connection(place, number, t, ports, ahead, end.stack))
        self.opening = self.asking = False
        for each in self.connections:
            if each.opening:
                self.opening = True
                if each.t.state == State.SYN_SENT and self.newest(each.ports) is each:
                    self.asking = True  # by a SYN, again
        self._wheel: dict[bool, int | None] | None = None  # by `to_come`

    def newest(self, ports: Ports) -> Connection | None:
        """The newest socket on these ports, which comes last; None: there is none."""
        for each in reversed(self.connections):
            if each.ports == ports:
                return each
        return None

    def latest(self) -> list[Connection]:
        """The newest sockets on all pairs of ports."""
        return [each for each in self.connections if self.newest(each.ports) is each]

    def wheel_turn_us(self, stamped: bool, to_come: bool) -> int | None:
        """`tcp.wheel_turn_us` of its endpoint."""
        if self._wheel is None:
            self._wheel = {}
        if to_come not in self._wheel:  # `stamped` is the same in all pairs of one origin
            ahead = self.ahead
            prospect = tcp.Prospect(ahead.sends | ahead.closes, ahead.tunes, ahead.later_us, to_come, stamped)
            self._wheel[to_come] = tcp.wheel_turn_us(self.machine.system.end, prospect)
        return self._wheel[to_come]
