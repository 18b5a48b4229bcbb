"""The key of a pair: when two pairs are equal except for the clock.

Owns: the time to which a key is relative (the next event of the pair, because the past of a pair at rest does
not matter), the numbers of values that many pairs share, and which part of the clocks can be read. Refuses to
know: the keys of an endpoint, a host, a path or a program (each has its own), and what follows for one
endpoint from the other (context).

Successive pairs share most of their values, and values are immutable. So what is the same at every time is
computed once for each value and gets a number. A comparison of object identities is enough. A key consists of
these numbers, and of the distances in time to the next event.

Sequence numbers: both number spaces of a connection can be shifted without any effect on a rule, so each
counts from the ISN of its newest socket. Only another ISN, which is taken from the clock, would reveal the
shift. If one may still be drawn, its distance to the existing numbers is part of the key.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence
from typing import Any, Final, NamedTuple

from tcpsim.app import equivalence as app
from tcpsim.pair.equivalence.context import Meeting, OnTheWay, View, facing, witnessed
from tcpsim.pair.equivalence.host import Connection, Host, Leg, Part, Promised, Rest
from tcpsim.pair.equivalence.programs import Ahead, ahead
from tcpsim.pair.pair import Machine, Pair
from tcpsim.path import equivalence as lines
from tcpsim.path.element import Chain
from tcpsim.path.flow_table import Origins
from tcpsim.path.path import Path
from tcpsim.path.rule import Script
from tcpsim.sockets import equivalence as sockets
from tcpsim.tcp import equivalence as tcp
from tcpsim.tcp.equivalence.connection import EVER, connection_key
from tcpsim.tcp.segment import Segment

Key = tuple[Hashable, ...] | bytes
CLIENT: Final = Leg("client")
SERVER: Final = Leg("server")
_MOST: Final = 1 << 14  # values of one kind whose part of a key is remembered


class Known(NamedTuple):
    """A key, and the numbers of its parts: both hosts at this moment, segments under way, the clocks."""

    key: Key
    parts: tuple[int, int] = (0, 0)  # the client's, the server's; without a next event nobody asks
    segments: tuple[int, ...] = ()
    clocks: int = 0


class Keys:
    """The keys of many pairs; only keys of one `Keys` can be compared."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._machines: dict[tuple[int, Leg], tuple[Machine, Host]] = {}
        self._hosts: dict[Hashable, tuple[Ahead, Rest, object]] = {}
        self._lines: dict[tuple[int, ...], tuple[tuple[Chain, ...], int | None]] = {}
        self._still: tuple[Path | None, int] = None, 0  # the last path that is the same at every moment
        self._meetings: dict[tuple[int, int], Meeting] = {}
        self._segments: dict[Hashable, tuple[Segment, int]] = {}

    def key(self, pair: Pair) -> Key:
        """Pairs of equal key have the same future.

        That is: with the same answers of the chooser the same events, at the same distances from `next_us`.
        Without a next event the future is nothing, and what is left is all that counts.
        """
        if not pair.relays:
            hosts = self._seen(CLIENT, pair.client), self._seen(SERVER, pair.server)
            return self._of_pair(pair.next_us, hosts, pair.path)
        machines, found = pair.machines, []
        ports = (None, *[hop.port for hop in pair.relays], None)
        for number, path in enumerate(pair.paths):  # each leg with both its ends is as a pair
            left = self._seen(Leg("client", ports[number]), machines[number])
            right = self._seen(Leg("server", ports[number + 1]), machines[number + 1])
            found.append(self._of_pair(pair.next_us, (left, right), path))
        return tuple(found)

    def _of_pair(self, now_us: int | None, hosts: tuple[Host, Host], path: Path) -> Key:
        """The key of two hosts on one clock."""
        return self.known(now_us, hosts, (0, 0), path, [OnTheWay(*each) for each in path.flights]).key

    def known(
        self,
        now_us: int | None,
        hosts: tuple[Host, Host],
        began_us: tuple[int, int],
        path: Path,
        flights: Sequence[OnTheWay],
    ) -> Known:
        """The key of two hosts whose clocks began at these times, in whole milliseconds."""
        first, second = hosts
        if now_us is None:
            return Known((first.held, second.held, (first.machine.up, second.machine.up)))
        place = first.facing, second.facing
        meeting = self._meetings.get(place)
        if meeting is None:
            meeting = Meeting(hosts)
            _keep(self._meetings, place, meeting)
        view = View(hosts, flights, began_us, meeting)
        both = view.promises(0), view.promises(1)
        local_us = now_us - began_us[0], now_us - began_us[1]
        parts = self._part(view, local_us[0], 0, both), self._part(view, local_us[1], 1, both)
        line = self._still[1] if path is self._still[0] else self._line(path, now_us, meeting.origins)
        clocks = self._number(self._clocks(view, path, local_us))
        found = [*parts, line, clocks]
        segments = []
        for flight in flights:
            due_us, to, _, _ = flight
            at = 0 if to == "client" else 1
            number = self._segment(view, at, both[at], flight, now_us)
            segments.append(number)
            found += due_us - now_us, at, number
        return Known(array("q", found).tobytes(), parts, tuple(segments), clocks)

    def _clocks(self, view: View, path: Path, local_us: tuple[int, int]) -> tuple[Hashable, ...]:
        """What can be read of the clocks themselves; they agree on the phase of timestamps."""
        first, second = view.hosts
        origins, opens = view.meeting.origins, view.opens
        phase = local_us[0] % 1000 if origins else 0
        if not (opens or path.shared or view.meeting.wheels or True in view.asked):
            return (phase,)
        clocks: list[Hashable] = [phase]
        if path.shared and any(isinstance(each, Script) and each.follows_connections for each in path.shared):
            clocks.append(tuple(origins.items()))  # such rules remember ISNs as they are
        stamped = first.stack.timestamps and second.stack.timestamps
        for at, host in enumerate(view.hosts):
            to_come = opens or view.asked[at]
            if to_come:
                clocks.append(_isns(view, at, local_us[at]))
            turn_us = host.wheel_turn_us(stamped, to_come)
            if turn_us is not None:
                clocks.append(local_us[at] % turn_us)
        return tuple(clocks)

    def _number(self, value: Hashable) -> int:
        return self._numbers.setdefault(value, len(self._numbers))

    def _seen(self, leg: Leg, machine: Machine) -> Host:
        """The host that a machine is; most pairs have one in common with the last."""
        known = self._machines.get((id(machine), leg))
        if known is None:
            known = machine, self.host(leg, machine)
            _keep(self._machines, (id(machine), leg), known)
        return known[1]

    def host(self, leg: Leg, machine: Machine) -> Host:
        """What a machine is besides its connections; most that happens to it leaves that as it was."""
        system, programs, up, back_us = machine
        end, tables, files, blocked, next_port, _ = system
        place = (
            id(programs), id(tables), id(files), id(blocked), id(end.listeners), next_port, up, back_us,
            end.ts_offset, end.cached_rtt8,
            tuple([(n, t.parent, t.accepted) for n, t in end.sockets.items()]),
        )  # fmt: skip
        known = self._hosts.get(place)
        if known is None:
            fixed, instants = sockets.key(system, tcp.names(end))
            running = []
            for pid, each in programs:
                what, its = app.key(each)
                running.append((pid, what))
                instants += its
            if back_us is not None:
                instants += ((back_us, EVER),)
            rest = Rest(self._number((fixed, tuple(running), up)), instants)
            known = ahead(system, programs), rest, (programs, tables, files, blocked, end.listeners)
            _keep(self._hosts, place, known)
        host = Host(leg, machine, known[0], known[1])
        host.facing = self._number(facing(host))
        host.witnessed = witnessed(host)
        return host

    def _part(self, view: View, now_us: int, at: int, both: tuple[list[Promised], list[Promised]]) -> int:
        """What a host is at a moment of its clock, its connections included."""
        host, far = view.hosts[at], view.hosts[1 - at]
        mine, its = both[at], both[1 - at]
        opens = view.opens
        found = []
        for place, each in enumerate(host.connections):
            promised = mine[place]
            heeded, sized = True, False
            if each.stamped:
                other = far.newest(each.ports)
                theirs = None if other is None else its[other.place]
                sized = theirs is not None and theirs.sizes
                if not opens:
                    heeded = sized or (theirs is not None and theirs.measured)
            part = promised.parts[heeded + 2 * sized]
            if part is None:
                part = self._connection(host, each, promised, heeded, sized)
            found.append(self._number(part.at(now_us)))
        if len(found) == 1:
            return found[0]
        return self._number(tuple(found) or Part(*host.rest).at(now_us))

    def _connection(
        self, host: Host, each: Connection, promised: Promised, heeded: bool, sized: bool
    ) -> Part:
        """The part of a connection, which is remembered."""
        around = promised.around._replace(heeded=heeded, sized=sized)
        fixed, instants, stamp = connection_key(each.t, host.stack, around, promised.measured)
        if each.place == 0:  # and with the first all that is not a connection
            fixed, instants = (fixed, host.rest.number), instants + host.rest.instants
        part = Part(self._number(fixed), instants, stamp)
        promised.parts[heeded + 2 * sized] = part
        return part

    def _segment(self, view: View, at: int, its: list[Promised], flight: OnTheWay, now_us: int) -> int:
        """A segment on its way to a host, to whose connections `its` are promised."""
        due_us, _, segment, began_us = flight
        _, _, _, seq, ack, _, _, options = segment
        ports = (segment[0], segment[1]) if at else (segment[1], segment[0])
        origins = view.meeting.origins.get(ports)
        if origins is None:  # nobody is there, and its numbers count only if somebody may be
            if view.opens:
                seq = ack = 0
            origins = (ack, seq) if at == 0 else (seq, ack)
        receiver, echoed = view.hosts[at].newest(ports), options.ts_ecr
        measured = (
            receiver is not None
            and echoed is not None
            and bool(echoed + began_us // 1000)  # no round trip is measured by a 0
            and (
                (segment.len > 0 and its[receiver.place].sizes)
                or (
                    its[receiver.place].measured
                    and tcp.measures(receiver.t, segment, due_us - view.began_us[at] // 1000 * 1000)
                )
            )
        )
        now_us -= began_us
        place = id(segment), now_us // 1000, at, origins, measured
        known = self._segments.get(place)
        if known is None:
            key = tcp.segment_key(segment, now_us, origins[1 - at], origins[at], measured)
            known = segment, self._number(key)
            _keep(self._segments, place, known)
        return known[1]

    def _line(self, path: Path, now_us: int, origins: Origins) -> int:
        """The elements of a path."""
        if path is self._still[0]:
            return self._still[1]
        chains = path[:3]
        place = (id(chains[0]), id(chains[1]), id(chains[2]))
        known = self._lines.get(place)
        if known is None:
            still = all(lines.still(chain) for chain in chains)
            key = tuple([lines.key(chain, now_us, origins) for chain in chains]) if still else None
            known = chains, None if key is None else self._number(key)
            _keep(self._lines, place, known)
        if known[1] is not None:
            self._still = path, known[1]
            return known[1]
        return self._number(tuple([lines.key(chain, now_us, origins) for chain in chains]))


def _keep(shelf: dict[Any, Any], place: Hashable, value: object) -> None:
    """Remember a value; a shelf that is full is emptied, as what comes next resembles what came last."""
    if len(shelf) == _MOST:
        shelf.clear()
    shelf[place] = value


def _isns(view: View, at: int, now_us: int) -> tuple[int, ...]:
    """How far an ISN that this host may yet draw is from numbers of its own that exist."""
    end = view.hosts[at].machine.system.end
    return tuple([tcp.isn_clock(end, now_us, both[at]) for both in view.meeting.origins.values() if both[at]])
