"""The facts about one endpoint that follow from its peer, the programs and the segments on the path.

Owns: the origin of sequence numbers (the ISNs of the newest socket on each pair of ports), the facts in
`Around` that a connection's key may rely on, and the values of a host outside its key from which these facts
follow. Refuses to know: which values of a connection count then (tcp), and the time.
"""

from __future__ import annotations

from tcpsim.pair.equivalence.host import Connection, Host, Ports, Promised
from tcpsim.path import SIDES
from tcpsim.path.path import Flight
from tcpsim.tcp.equivalence import future
from tcpsim.tcp.output import timestamp
from tcpsim.tcp.segment import ACK, RST, SYN, Segment
from tcpsim.tcp.seqnum import MASK, diff, le, lt
from tcpsim.tcp.tcb import Tcb


class View:
    """A pair seen by its connections: two hosts (0 the client, 1 the server) and what is under way.

    `behind_ms`: how far the clock of each host is behind that of the segments' timestamps.
    """

    __slots__ = ("_inbound", "asked", "behind_ms", "flights", "hosts", "opens", "origins")

    def __init__(
        self, hosts: tuple[Host, Host], flights: tuple[Flight, ...], behind_ms: tuple[int, int]
    ) -> None:
        client, server = self.hosts = hosts
        self.behind_ms = behind_ms
        self.flights = flights
        self.opens = client.ahead.opens or server.ahead.opens  # a program may yet call connect()
        self.asked = [server.asking, client.asking]  # a SYN is under way to it, or may be
        self._inbound: tuple[list[Segment], list[Segment]] = [], []
        for _, to, segment in flights:
            at = to == "server"
            self._inbound[at].append(segment)
            if segment.flags & (SYN | ACK) == SYN:
                self.asked[at] = True
        ours, theirs = client.newest, server.newest
        self.origins: dict[Ports, tuple[int, int]] = {}
        for ports in ours if ours.keys() == theirs.keys() else ours | theirs:
            mine, twin = ours.get(ports), theirs.get(ports)
            # the ISNs; from the other end's memory where a side has no socket
            first = mine.t.iss if mine else twin.t.irs if twin else 0
            second = twin.t.iss if twin else mine.t.irs if mine else 0
            self.origins[ports] = first, second

    def promised(self, at: int, each: Connection) -> Promised:
        """What is promised to a socket of a host."""
        t = each.t
        far = self.hosts[1 - at]
        origins = self.origins[each.ports]
        inbound = self._inbound[at]
        other = far.newest.get(each.ports)
        begins, known, single = t.rcv_nxt, not self.opens, False
        if other is None:
            complete = not any(segment.len or segment.flags & SYN for segment in inbound)
        else:
            its = other.t
            complete = not other.more and other.end == t.rcv_nxt
            known = its.snd_una == t.rcv_nxt
            single = each.hasty and bool(its.sent) and not other.more and future.rest_in_one(its, t)
            if other.alive:
                probed = far.stack.keepalive_probe_len > 0 or self.hosts[at].stack.reads_old_acks
                begins = (its.snd_una - probed) & MASK
        place = (
            origins[at], origins[1 - at], complete, single, known,
            not inbound or not t.ts_on or self._ordered(at, t),
            each.opening and self._echoed(at, t, other),
            le(t.snd_wl1, begins) and not (inbound and _older(t, inbound)),
        )  # fmt: skip
        found = each.promised.get(place)
        if found is None:
            around = future.Around(place[0], place[1], *each.own, *place[2:])
            found = each.promised[place] = Promised(t, self.hosts[at].stack, around)
        return found

    def _ordered(self, at: int, t: Tcb) -> bool:
        """Nothing on its way has an older timestamp than the socket remembers."""
        recent = (t.ts_recent + self.behind_ms[at]) & MASK
        for segment in self._inbound[at]:
            val = segment.options.ts_val
            if val is not None and diff(recent, val) > 0:
                return False
        return True

    def _echoed(self, at: int, t: Tcb, other: Connection | None) -> bool:
        """Whether the timestamp of the first SYN of a handshake is known to the other end, or under way."""
        stamp = (timestamp(t, t.handshake_sent_us) + self.behind_ms[at]) & MASK
        if other is not None and other.t.ts_on:
            recent = (other.t.ts_recent + self.behind_ms[1 - at]) & MASK
            if recent == stamp:
                return True
        for _, to, segment in self.flights:
            _, _, _, val, echoed, _, _ = segment.options
            if to != SIDES[at] and val == stamp:
                return True
            if to == SIDES[at] and segment.flags & ACK and echoed == stamp:
                return True
        return False


def _older(t: Tcb, inbound: list[Segment]) -> bool:
    """A segment under way, which is read for its ACK, begins before SND.WL1."""
    return any(not segment.flags & RST and lt(segment.seq, t.snd_wl1) for segment in inbound)


def witness(host: Host, now_us: int, opening: bool) -> tuple[int, ...]:
    """What promises are drawn from, of a host's connections, that their keys need not say.

    TS.Recent is compared with what is under way to it (the caller's to say) and, where the other end is
    `opening` a connection, with when it sent its SYN.
    """
    found: list[int] = []
    for each in host.connections:
        t = each.t
        found += t.iss, t.irs, t.snd_wl1
        if each.opening:
            found.append(t.handshake_sent_us - now_us)
        if opening:
            found.append((t.ts_recent - now_us // 1000) & MASK)
        if not each.alive:
            found += t.write_seq, t.snd_una, t.rcv_nxt
    return tuple(found)
