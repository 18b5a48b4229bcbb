"""The facts about one endpoint that follow from its peer, the programs and the segments on the path.

Owns: the origin of sequence numbers (the ISNs of the newest socket on each pair of ports), the facts in
`Around` that a connection's key may rely on, and the values of a host outside its key from which these facts
follow. Refuses to know: which values of a connection count then (tcp), and the time.

Many hosts look the same to the other side: a stack that has resent a segment five times has the same ISN and
expects the same octets as one that has resent it once. What the other side can see of a host is its *facing*,
which is numbered. So what is promised to a connection is looked up by the number of the host that it faces.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from tcpsim.pair.equivalence.host import Connection, Host, Ports, Promised
from tcpsim.path import SIDES, Side
from tcpsim.tcp import right_sizing
from tcpsim.tcp.equivalence import future
from tcpsim.tcp.output import timestamp
from tcpsim.tcp.segment import ACK, RST, SYN, Segment
from tcpsim.tcp.seqnum import MASK, diff, le, lt
from tcpsim.tcp.tcb import Tcb


class OnTheWay(NamedTuple):
    """A segment under way to `receiver`, as `path.Flight`, with the time at which its sender's clock began.

    Its timestamps are those of that clock.
    """

    due_us: int
    receiver: Side
    segment: Segment
    began_us: int = 0


_NOTHING: tuple[Sequence[OnTheWay], Sequence[OnTheWay]] = (), ()


class Meeting:
    """What two hosts make of each other, whatever is under way between them.

    `origins`: the ISNs on each pair of ports, the client's first. `wheels`: a host has a timer wheel.
    """

    __slots__ = ("origins", "wheels")

    def __init__(self, hosts: tuple[Host, Host]) -> None:
        client, server = hosts
        self.wheels = bool(client.stack.timer_hz or server.stack.timer_hz)
        self.origins: dict[Ports, tuple[int, int]] = {}
        for each in (*client.latest(), *server.latest()):
            ports = each.ports
            mine, twin = client.newest(ports), server.newest(ports)
            # from the other end's memory where a side has no socket
            first = mine.t.iss if mine else twin.t.irs if twin else 0
            second = twin.t.iss if twin else mine.t.irs if mine else 0
            self.origins[ports] = first, second


def facing(host: Host) -> Hashable:
    """All that the other side's promises and origins are drawn from, save TS.Recent and what is under way.

    And save the stack of the host, which is the same in all pairs of one origin. Where a record begins and
    ends says whether it has a SYN or a FIN.
    """
    found = []
    for each in host.latest():
        t = each.t
        rest = not each.more and not t.unsent and tuple([(r.seq, r.end) for r in t.sent])
        its = t.iss, t.irs, t.snd_una, t.snd_mss, each.alive, each.more, each.end, rest
        # of a writer who has sent nothing yet (`future.write_in_one`)
        writes = (
            (each.once, min(t.snd_space, t.snd_wnd)) if each.once is not None and future.quiet(t) else None
        )
        found.append((each.ports, *its, writes))
    return host.ahead.opens, tuple(found)


class View:
    """A pair seen by its connections: two hosts (0 the client, 1 the server) and what is under way.

    `began_us`: when the clock of each host began, on that of the pair. `asked`: whether a SYN is under way
    to each, or may be. `opens`: a program may yet call connect().
    """

    __slots__ = ("asked", "began_us", "flights", "hosts", "inbound", "meeting", "opens")

    def __init__(
        self,
        hosts: tuple[Host, Host],
        flights: Sequence[OnTheWay],
        began_us: tuple[int, int],
        meeting: Meeting,
    ) -> None:
        self.hosts = hosts
        self.meeting = meeting
        self.began_us = began_us
        self.flights = flights
        self.asked = hosts[1].asking, hosts[0].asking
        self.opens = hosts[0].ahead.opens or hosts[1].ahead.opens
        self.inbound = _NOTHING
        if flights:
            asked = [*self.asked]
            inbound: tuple[list[OnTheWay], list[OnTheWay]] = [], []
            for flight in flights:
                at = flight[1] == "server"
                inbound[at].append(flight)
                if flight[2][2] & (SYN | ACK) == SYN:
                    asked[at] = True
            self.asked = asked[0], asked[1]
            self.inbound = inbound

    def promises(self, at: int) -> list[Promised]:
        """What is promised to each socket of a host; without segments under way its peer says it all."""
        facing = self.hosts[1 - at].facing
        connections = self.hosts[at].connections
        if self.inbound[at]:
            return [self._promised(at, each) for each in connections]
        found = []
        for each in connections:
            promised = None if each.opening else each.promised.get(facing)
            found.append(self._promised(at, each) if promised is None else promised)
        return found

    def _promised(self, at: int, each: Connection) -> Promised:
        """What is promised to one of them."""
        far = self.hosts[1 - at]
        inbound = self.inbound[at]
        ordered, first = True, False
        place: int | tuple[int, ...] = far.facing
        if inbound or each.opening:
            ordered = not inbound or not each.t.ts_on or self._ordered(at, each.t)
            first = each.opening and self._echoed(at, each.t, far.newest(each.ports))
            place = far.facing, ordered, first
            for _, _, segment, _ in inbound:
                place += segment[2:6]  # its flags, seq, ack and len
        found = each.promised.get(place)
        if found is None:
            around = self._around(at, each, ordered, first)
            same = [other for other in each.promised.values() if other.around == around]
            found = same[0] if same else Promised(each.t, self.hosts[at].stack, around)
            each.promised[place] = found
        return found

    def _around(self, at: int, each: Connection, ordered: bool, first: bool) -> future.Around:
        """What a connection's future depends on, from what its place says."""
        t, far = each.t, self.hosts[1 - at]
        origins, inbound = self.meeting.origins[each.ports], self.inbound[at]
        other = far.newest(each.ports)
        begins = t.rcv_nxt
        known = single = renews = little = False  # where nobody is, nobody measures or sends
        if other is None:
            complete = not any(segment.len or segment.flags & SYN for _, _, segment, _ in inbound)
        else:
            its = other.t
            complete = not other.more and other.end == t.rcv_nxt
            known = its.snd_una == t.rcv_nxt
            sent = other.more or (other.end - its.iss) & MASK
            little = sent <= right_sizing.least_space(t, self.hosts[at].stack)
            if each.hasty:
                single = future.write_in_one(its, other.once, t) if other.more else future.rest_in_one(its, t)
            if (each.own[0] or self.hosts[at].waits) and not (other.more or self.opens):
                renews = future.renewing(its, t) and not any(
                    _stale(t, segment) for _, _, segment, _ in inbound
                )
            if other.alive:
                probed = far.stack.keepalive_probe_len > 0 or self.hosts[at].stack.reads_old_acks
                begins = (its.snd_una - probed) & MASK
        newer = le(t.snd_wl1, begins) and not (inbound and _older(t, inbound))
        later = newer and not t.sack_on and t.snd_wl1 != begins  # only without SACK is it asked
        later = later and all(each[2].seq != t.snd_wl1 for each in inbound)
        return future.Around(
            origins[at],
            origins[1 - at],
            *each.own,
            complete,
            single,
            known,
            ordered,
            first,
            newer,
            later,
            renews,
            little,
        )

    def _ordered(self, at: int, t: Tcb) -> bool:
        """Nothing on its way has an older timestamp than the socket remembers."""
        recent = (t.ts_recent + self.began_us[at] // 1000) & MASK
        for _, _, segment, began_us in self.inbound[at]:
            val = segment.options.ts_val
            if val is not None and diff(recent, val + began_us // 1000) > 0:
                return False
        return True

    def _echoed(self, at: int, t: Tcb, other: Connection | None) -> bool:
        """Whether the timestamp of the first SYN of a handshake is known to the other end, or under way."""
        stamp = (timestamp(t, t.handshake_sent_us) + self.began_us[at] // 1000) & MASK
        if other is not None and other.t.ts_on:
            recent = (other.t.ts_recent + self.began_us[1 - at] // 1000) & MASK
            if recent == stamp:
                return True
        for _, to, segment, began_us in self.flights:
            _, _, _, val, echoed, _, _ = segment.options
            by_ms = began_us // 1000
            if to != SIDES[at] and val is not None and (val + by_ms) & MASK == stamp:
                return True
            if (
                to == SIDES[at]
                and segment.flags & ACK
                and echoed is not None
                and (echoed + by_ms) & MASK == stamp
            ):
                return True
        return False


def _older(t: Tcb, inbound: Sequence[OnTheWay]) -> bool:
    """A segment under way, which is read for its ACK, begins before SND.WL1."""
    return any(not segment.flags & RST and lt(segment.seq, t.snd_wl1) for _, _, segment, _ in inbound)


def _stale(t: Tcb, segment: Segment) -> bool:
    """A segment under way after which TS.Recent may be what it was: see `future.echoes_later`."""
    if segment.flags & (SYN | RST | ACK) != ACK or lt(segment.ack, t.snd_una):
        return True
    return lt(t.rcv_nxt, segment.seq) or lt((segment.seq + segment.seg_len) & MASK, t.rcv_nxt)


def witness(host: Host, now_us: int, opening: bool) -> tuple[int, ...]:
    """What promises are drawn from, of a host's connections, that their keys need not say.

    TS.Recent is compared with what is under way to it (the caller's to say) and, where the other end is
    `opening` a connection, with when it sent its SYN.
    """
    if not (host.opening or opening):
        return host.witnessed
    found = [*host.witnessed]
    for each in host.connections:
        t = each.t
        if each.opening:
            found.append(t.handshake_sent_us - now_us)
        if opening:
            found.append((t.ts_recent - now_us // 1000) & MASK)
    return tuple(found)


def witnessed(host: Host) -> tuple[int, ...]:
    """What does not depend on the time of these."""
    found: list[int] = []
    for each in host.connections:
        t = each.t
        found += t.iss, t.irs, t.snd_wl1 - t.irs
        if not each.alive:
            found += [t.write_seq]  # which is SND.UNA too (`Step.bury`)
    return tuple(found)
