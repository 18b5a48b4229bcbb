"""When two pairs are the same but for the clock: the key of a pair.

Owns: the moment that a pair is seen from, which is its next event (how long it has rested says nothing of
what comes), where sequence numbers count from, and what follows for one end from the state of the other.
Refuses to know: what of its own an end, a host, a path or a program needs to say (their own keys).

Sequence numbers: a connection's two number spaces may be shifted without any rule noticing, so each is
counted from the ISN of its newest socket. What breaks the shift is a further ISN, taken from the clock;
wherever one may still be drawn beside numbers that exist, its distance to them is part of the key.
"""

from __future__ import annotations

from collections.abc import Hashable

from tcpsim.app import key as app
from tcpsim.app.program import Running
from tcpsim.pair.pair import Pair, census
from tcpsim.path import SIDES, Side
from tcpsim.path import key as lines
from tcpsim.path.rule import Script
from tcpsim.sockets import Send, SendAll
from tcpsim.sockets import key as sockets
from tcpsim.sockets.system import System, pid_of
from tcpsim.tcp import key as tcp
from tcpsim.tcp import outlook
from tcpsim.tcp.output import timestamp
from tcpsim.tcp.segment import ACK, RST, SYN, Segment
from tcpsim.tcp.seqnum import MASK, diff
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import Tcb

Key = tuple[Hashable, ...]
Ports = tuple[int, int]  # (client's, server's)
_UNKNOWN = (0, 0)


def pair_key(pair: Pair) -> Key:
    """(client, server, path) as hashable values: pairs of equal key have the same future.

    That is: with the same answers of the chooser the same events, at the same distances from `next_us`.
    Without a next event the future is nothing, and what is left is all that counts.
    """
    base_us = pair.next_us
    if base_us is None:
        return census(pair, "client"), census(pair, "server"), (pair.client.up, pair.server.up)
    view = _View(pair, base_us)
    client, server = view.machine("client"), view.machine("server")
    return client, server, (*lines.key(pair.path, base_us, view.segment, view.origins), view.clocks())


class _View:
    """A pair seen from a moment."""

    def __init__(self, pair: Pair, now_us: int) -> None:
        self.now_us = now_us
        self.path = pair.path
        self.machines = {"client": pair.client, "server": pair.server}
        self.sockets: dict[Side, dict[Ports, tuple[Tcb, int]]] = {"client": {}, "server": {}}
        for number, t in pair.client.system.end.sockets.items():  # the newest of a pair of ports comes last
            self.sockets["client"][t.local_port, t.remote_port] = t, number
        for number, t in pair.server.system.end.sockets.items():
            self.sockets["server"][t.remote_port, t.local_port] = t, number
        self.opens = False  # a program on either side may yet call connect()
        self.busy: dict[Side, frozenset[int]] = {}
        self.sends: dict[Side, frozenset[int]] = {}
        self.closes: dict[Side, frozenset[int]] = {}
        self.tunes: dict[Side, frozenset[int]] = {}
        for side in SIDES:
            self._programs(side)
        self.origins = {
            ports: self._origins(ports) for ports in (self.sockets["client"] | self.sockets["server"])
        }
        self.around: dict[Side, dict[int, outlook.Around]] = {
            side: {
                number: self._around(side, number, t)
                for number, t in self.machines[side].system.end.sockets.items()
            }
            for side in SIDES
        }
        self.measuring = {
            (side, number): outlook.measures(t, end.stack, self.around[side][number])
            for side in SIDES
            for end in (self.machines[side].system.end,)
            for number, t in end.sockets.items()
        }

    def _origins(self, ports: Ports) -> tuple[int, int]:
        """ISNs of the newest sockets; from the other end's memory where a side has none."""
        client, _ = self.sockets["client"].get(ports, (None, 0))
        server, _ = self.sockets["server"].get(ports, (None, 0))
        first = client.iss if client else server.irs if server else 0
        second = server.iss if server else client.irs if client else 0
        return first, second

    def _programs(self, side: Side) -> None:
        """The sockets on which this side's programs may yet act, send, close, or set a user timeout."""
        system, programs, _, _ = self.machines[side]
        waiting = {pid_of(each.caller) for each in system.blocked}
        sending = {pid_of(each.caller) for each in system.blocked if isinstance(each.call, Send | SendAll)}
        awake: set[int] = set()
        does: dict[str, set[int]] = {"sends": sending, "tunes": set()}
        closes: frozenset[int] = frozenset()
        for pid, running in programs:
            ahead = app.ahead(running)
            self.opens = self.opens or "opens" in ahead
            if running.wake_us is None and pid not in waiting:
                continue
            awake.add(pid)
            for what in ahead & does.keys():
                does[what].add(pid)
            if "closes" in ahead:
                closes |= self._closes(system, pid, running)
        self.busy[side] = sockets.reached(system, awake)
        self.sends[side] = sockets.reached(system, does["sends"])
        self.closes[side] = closes
        self.tunes[side] = sockets.reached(system, does["tunes"])

    def _closes(self, system: System, pid: int, running: Running) -> frozenset[int]:
        """The sockets that a program may yet close or shut down while they live.

        One that it reads to its end is closed after an error only when it is dead.
        """
        reached = sockets.reached(system, {pid})
        if "closes" in app.ahead(running, alive=True):
            return reached
        return reached - sockets.untimed(system, pid, app.reading(running))

    def machine(self, side: Side) -> Key:
        """One machine."""
        system, programs, up, back_us = self.machines[side]
        now_us = self.now_us
        running = tuple([(pid, app.key(each, now_us)) for pid, each in programs])
        back = None if back_us is None else back_us - now_us
        around = {
            number: self._heeded(side, t, each)
            for (number, t), each in zip(system.end.sockets.items(), self.around[side].values(), strict=True)
        }
        return sockets.key(system, now_us, around), running, up, back

    def _heeded(self, side: Side, t: Tcb, around: outlook.Around) -> outlook.Around:
        """With whether the other end may yet measure by what this one echoes."""
        if self.opens or not t.ts_on:
            return around
        other_side: Side = "server" if side == "client" else "client"
        ports = (t.local_port, t.remote_port) if side == "client" else (t.remote_port, t.local_port)
        _, other = self.sockets[other_side].get(ports, (None, 0))
        heeded = self.measuring.get((other_side, other), False)
        return around if heeded else around._replace(heeded=False)

    def _around(self, side: Side, number: int, t: Tcb) -> outlook.Around:
        ports = (t.local_port, t.remote_port) if side == "client" else (t.remote_port, t.local_port)
        first, second = self.origins[ports]
        ours, theirs = (first, second) if side == "client" else (second, first)
        other_side: Side = "server" if side == "client" else "client"
        other, other_number = self.sockets[other_side].get(ports, (None, 0))
        flights = [each for _, to, each in self.path.flights if to == side] if self.path.flights else []
        known, single = not self.opens, False
        if other is None:
            complete = not any(each.seg_len for each in flights)
        else:
            more = not other.close_called and other_number in self.sends[other_side]
            complete = not more and (other.write_seq - other.close_called) & MASK == t.rcv_nxt
            known = other.snd_una == t.rcv_nxt
            single = not more and outlook.rest_in_one(other, t)
        return outlook.Around(
            ours, theirs, number not in self.busy[side], number in self.sends[side],
            number in self.closes[side], number in self.tunes[side], complete, single, known,
            not t.ts_on or self._ordered(side, t), self._echoed(side, t, other),
            self._oldest(other_side, t, other, flights),
        )  # fmt: skip

    def _echoed(self, side: Side, t: Tcb, other: Tcb | None) -> bool:
        """Whether the timestamp of the first SYN of a handshake is known to the other end, or under way."""
        if t.state >= State.ESTABLISHED:
            return False
        stamp = timestamp(t, t.handshake_sent_us)
        known = [other.ts_recent] if other is not None else []
        for _, to, segment in self.path.flights:
            known.append((segment.options.ts_ecr if to == side else segment.options.ts_val) or 0)
        return stamp in known

    def _oldest(self, other_side: Side, t: Tcb, other: Tcb | None, flights: list[Segment]) -> int:
        """Where the oldest segment begins that may yet come from the other end and be read for its ACK."""
        begins = [each.seq for each in flights if not each.flags & RST]
        if other is not None and other.state != State.CLOSED:
            mine = self.machines["server" if other_side == "client" else "client"].system.end.stack
            theirs = self.machines[other_side].system.end.stack
            probed = theirs.keepalive_probe_len > 0 or mine.reads_old_acks
            begins.append((other.snd_una - probed) & MASK)
        if len(begins) == 1:
            return begins[0]
        return min(begins, key=lambda seq: diff(seq, t.rcv_nxt), default=t.rcv_nxt)

    def _ordered(self, side: Side, t: Tcb) -> bool:
        """Nothing on its way to this side has an older timestamp than the socket remembers."""
        for _, receiver, segment in self.path.flights:
            val = segment.options.ts_val
            if receiver == side and val is not None and diff(t.ts_recent, val) > 0:
                return False
        return True

    def segment(self, to: Side, segment: Segment, due_us: int) -> Hashable:
        """A segment on its way to a side."""
        if to == "server":
            ports = segment.src_port, segment.dst_port
            ours, theirs = self.origins.get(ports, _UNKNOWN)
        else:
            ports = segment.dst_port, segment.src_port
            theirs, ours = self.origins.get(ports, _UNKNOWN)
        receiver, number = self.sockets[to].get(ports, (None, 0))
        if not self.measuring.get((to, number), False):
            receiver = None
        return tcp.segment_key(segment, self.now_us, ours, theirs, receiver, due_us)

    def clocks(self) -> Key:
        """What of the clocks themselves can be read: the phase of the timestamps', ISNs still to be drawn."""
        raw: Key = ()
        for each in self.path.shared:
            if isinstance(each, Script) and each.follows_connections:
                raw = tuple(self.origins.items())  # such rules remember ISNs as they are
        phase = self.now_us % 1000 if self.origins else 0
        return phase, raw, self._isns("client", 0), self._isns("server", 1)

    def _isns(self, side: Side, mine: int) -> Key:
        """How far an ISN that this side may yet draw is from numbers of its own that exist."""
        if not (self.opens or self._asked(side)):
            return ()
        end = self.machines[side].system.end
        known = [both[mine] for both in self.origins.values() if both[mine]]
        return tuple([tcp.isn_clock(end, self.now_us, origin) for origin in known])

    def _asked(self, side: Side) -> bool:
        """A SYN is under way to this side, or may come again."""
        for t, _ in self.sockets["server" if side == "client" else "client"].values():
            if t.state == State.SYN_SENT:
                return True
        for _, receiver, segment in self.path.flights:
            if receiver == side and segment.flags & (SYN | ACK) == SYN:
                return True
        return False
