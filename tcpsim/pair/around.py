"""What follows for one end of a connection from the other end, from programs and from what is under way.

Owns: which programs may yet act on a socket, where sequence numbers count from (the ISNs of the newest socket
on each pair of ports), and what is promised to a connection's key (`Around`). Refuses to know: what of a
connection counts then (tcp), and the moment.
"""

from __future__ import annotations

from typing import NamedTuple

from tcpsim.app import key as app
from tcpsim.app.program import Running
from tcpsim.pair.pair import Machine
from tcpsim.path import Side
from tcpsim.path.path import Flight
from tcpsim.sockets import Send, SendAll
from tcpsim.sockets import key as sockets
from tcpsim.sockets.system import System, pid_of
from tcpsim.tcp import outlook
from tcpsim.tcp.output import timestamp
from tcpsim.tcp.segment import ACK, RST, SYN, Segment
from tcpsim.tcp.seqnum import MASK, diff, le
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import Tcb

Ports = tuple[int, int]  # (client's, server's)
NOBODY = (None, 0)
OTHER: dict[Side, Side] = {"client": "server", "server": "client"}


class Ahead(NamedTuple):
    """What a host's programs may yet do: open connections, and the sockets on which they may act at all,
    send, close or shut down while they live, or set a user timeout."""

    opens: bool
    busy: frozenset[int]
    sends: frozenset[int]
    closes: frozenset[int]
    tunes: frozenset[int]


def ahead(system: System, programs: tuple[tuple[int, Running], ...]) -> Ahead:
    """See `Ahead`; a program that sleeps for ever does nothing."""
    opens = False
    waiting = {pid_of(each.caller) for each in system.blocked}
    sending = {pid_of(each.caller) for each in system.blocked if isinstance(each.call, Send | SendAll)}
    awake: set[int] = set()
    does: dict[str, set[int]] = {"sends": sending, "tunes": set()}
    closes: frozenset[int] = frozenset()
    for pid, running in programs:
        may = app.ahead(running)
        opens = opens or "opens" in may
        if running.wake_us is None and pid not in waiting:
            continue
        awake.add(pid)
        for what in may & does.keys():
            does[what].add(pid)
        if "closes" in may:
            closes |= _closes(system, pid, running)
    busy, sends, tunes = (sockets.reached(system, pids) for pids in (awake, does["sends"], does["tunes"]))
    return Ahead(opens, busy, sends, closes, tunes)


def _closes(system: System, pid: int, running: Running) -> frozenset[int]:
    """The sockets that a program may yet close or shut down while they live.

    One that it reads to its end is closed after an error only when it is dead.
    """
    reached = sockets.reached(system, {pid})
    if "closes" in app.ahead(running, alive=True):
        return reached
    return reached - sockets.untimed(system, pid, app.reading(running))


class Host:
    """A machine seen by its connections: what is ahead of them, and the newest one on each pair of ports."""

    __slots__ = ("ahead", "asking", "machine", "newest", "sockets", "stack")

    def __init__(self, side: Side, machine: Machine, ahead: Ahead) -> None:
        end = machine.system.end
        self.machine = machine
        self.ahead = ahead
        self.stack = end.stack
        self.sockets: list[tuple[int, Tcb, Ports]] = []
        for number, t in end.sockets.items():
            ports = (t.local_port, t.remote_port) if side == "client" else (t.remote_port, t.local_port)
            self.sockets.append((number, t, ports))
        self.newest = {ports: (t, number) for number, t, ports in self.sockets}  # it comes last
        self.asking = any(t.state == State.SYN_SENT for t, _ in self.newest.values())  # with a SYN, again


class View:
    """A pair seen by its connections: two hosts and what is under way between them."""

    __slots__ = ("_inbound", "asked", "flights", "hosts", "opens", "origins")

    def __init__(self, client: Host, server: Host, flights: tuple[Flight, ...]) -> None:
        self.hosts: dict[Side, Host] = {"client": client, "server": server}
        self.opens = client.ahead.opens or server.ahead.opens  # a program may yet call connect()
        self.asked = {"client": server.asking, "server": client.asking}  # a SYN is under way to it, or may be
        self.flights = flights
        self._inbound: dict[Side, list[Segment]] = {"client": [], "server": []}
        for _, to, segment in flights:
            self._inbound[to].append(segment)
            if segment.flags & (SYN | ACK) == SYN:
                self.asked[to] = True
        ours, theirs = client.newest, server.newest
        self.origins: dict[Ports, tuple[int, int]] = {}
        for ports in ours if ours.keys() == theirs.keys() else ours | theirs:
            mine, _ = ours.get(ports, NOBODY)
            twin, _ = theirs.get(ports, NOBODY)
            # the ISNs; from the other end's memory where a side has no socket
            first = mine.iss if mine else twin.irs if twin else 0
            second = twin.iss if twin else mine.irs if mine else 0
            self.origins[ports] = first, second

    def around(self, side: Side, number: int, t: Tcb, ports: Ports) -> outlook.Around:
        """What is promised to a socket."""
        host, far = self.hosts[side], self.hosts[OTHER[side]]
        ours, theirs = self.origins[ports]
        if side == "server":
            ours, theirs = theirs, ours
        other, other_number = far.newest.get(ports, NOBODY)
        inbound = self._inbound[side]
        known, single = not self.opens, False
        if other is None:
            complete = not inbound or not any(each.seg_len for each in inbound)
        else:
            more = not other.close_called and other_number in far.ahead.sends
            complete = not more and (other.write_seq - other.close_called) & MASK == t.rcv_nxt
            known = other.snd_una == t.rcv_nxt
            single = bool(other.sent) and not more and outlook.rest_in_one(other, t)
        _, busy, sends, closes, tunes = host.ahead
        begins = [each.seq for each in inbound if not each.flags & RST] if inbound else []
        if other is not None and other.state != State.CLOSED:
            probed = far.stack.keepalive_probe_len > 0 or host.stack.reads_old_acks
            begins.append((other.snd_una - probed) & MASK)
        return outlook.Around(
            ours, theirs, number not in busy, number in sends, number in closes, number in tunes,
            complete, single, known, not t.ts_on or not inbound or _ordered(t, inbound),
            t.state < State.ESTABLISHED and self._echoed(side, t, other),
            le(t.snd_wl1, begins[0] if len(begins) == 1 else _oldest(t, begins)),
        )  # fmt: skip

    def _echoed(self, side: Side, t: Tcb, other: Tcb | None) -> bool:
        """Whether the timestamp of the first SYN of a handshake is known to the other end, or under way."""
        stamp = timestamp(t, t.handshake_sent_us)
        known = [other.ts_recent] if other is not None else []
        for _, to, segment in self.flights:
            known.append((segment.options.ts_ecr if to == side else segment.options.ts_val) or 0)
        return stamp in known


def _oldest(t: Tcb, begins: list[int]) -> int:
    """Where the oldest segment begins that may yet come from the other end and be read for its ACK."""
    return min(begins, key=lambda seq: diff(seq, t.rcv_nxt), default=t.rcv_nxt)


def _ordered(t: Tcb, inbound: list[Segment]) -> bool:
    """Nothing on its way has an older timestamp than the socket remembers."""
    for segment in inbound:
        val = segment.options.ts_val
        if val is not None and diff(t.ts_recent, val) > 0:
            return False
    return True
