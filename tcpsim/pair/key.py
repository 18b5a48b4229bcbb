"""When two pairs are the same but for the clock: the key of a pair.

Owns: the moment that a pair is seen from, which is its next event (how long it has rested says nothing of
what comes), what is known of parts that many pairs share, and what of the clocks themselves can be read.
Refuses to know: what of its own an end, a host, a path or a program needs to say (their own keys), and what
follows for one end from the other (around).

Pairs that come one from the other share most of their values, and values never change. So what of a part is
the same at every moment is worked out once for each value ("is it the same object" is the whole test) and
gets a number; a key is made of these numbers, and of the distances of the instants that count to the moment.

Sequence numbers: a connection's two number spaces may be shifted without any rule noticing, so each is
counted from the ISN of its newest socket. What breaks the shift is a further ISN, taken from the clock;
wherever one may still be drawn beside numbers that exist, its distance to them is part of the key.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final, NamedTuple

from tcpsim.app import key as app
from tcpsim.pair.around import NOBODY, OTHER, Ahead, Host, View, ahead
from tcpsim.pair.pair import Machine, Pair, census
from tcpsim.path import Side
from tcpsim.path import key as lines
from tcpsim.path.element import Chain
from tcpsim.path.path import Path
from tcpsim.path.rule import Script
from tcpsim.path.tracker import Origins
from tcpsim.sockets import key as sockets
from tcpsim.tcp import key as tcp
from tcpsim.tcp.outlook import Around, measures
from tcpsim.tcp.seen import EVER, Instant, seen
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.seqnum import MASK
from tcpsim.tcp.tcb import Tcb

Key = tuple[Hashable, ...]
_UNKNOWN = (0, 0)
_MOST: Final = 1 << 14  # values of one kind whose part of a key is remembered


class _Part(NamedTuple):
    """Part of a key: the number of what is the same at every moment, its instants, TS.Recent if it counts."""

    number: int
    instants: tuple[Instant, ...]
    stamp: int | None = None


class _Connection:
    """A socket in given circumstances: whether a round trip that it measures is read, and its part of a key.

    That part differs by whether the other end reads what it would measure (`Around.heeded`).
    """

    __slots__ = ("around", "measured", "parts", "t")

    def __init__(self, t: Tcb, around: Around, measured: bool) -> None:
        self.t = t
        self.around = around
        self.measured = measured
        self.parts: dict[bool, _Part] = {}


class Keys:
    """The keys of many pairs; only keys of one `Keys` can be compared."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._machines: dict[int, tuple[Host, _Part]] = {}
        self._hosts: dict[Hashable, tuple[Ahead, _Part, object]] = {}
        self._connections: dict[tuple[int, Around], _Connection] = {}
        self._lines: dict[tuple[int, ...], tuple[tuple[Chain, ...], int | None]] = {}

    def key(self, pair: Pair) -> Key:
        """Pairs of equal key have the same future.

        That is: with the same answers of the chooser the same events, at the same distances from `next_us`.
        Without a next event the future is nothing, and what is left is all that counts.
        """
        now_us, client, server, path = pair.next_us, pair.client, pair.server, pair.path
        if now_us is None:
            return census(pair, "client"), census(pair, "server"), (client.up, server.up)
        first, its = self._machines.get(id(client)) or self._machine("client", client)
        second, others = self._machines.get(id(server)) or self._machine("server", server)
        view = View(first, second, path.flights)
        held: dict[Side, dict[int, _Connection]] = {
            "client": self._held(view, "client"),
            "server": self._held(view, "server"),
        }
        parts = [its, *self._parts(view, "client", held), others, *self._parts(view, "server", held)]
        found: list[Hashable] = []
        for number, instants, stamp in parts:
            found.append(number)
            found += [at_us - now_us if at_us - now_us > least else least for at_us, least in instants]
            if stamp is not None:
                found.append((stamp - now_us // 1000) & MASK)
        found.append(self._line(path, now_us, view.origins))
        for due_us, to, segment in path.flights:
            found += (due_us - now_us, to, _segment(view, held, to, segment, due_us, now_us))
        found.append(now_us % 1000 if view.origins else 0)  # the phase of the clock of timestamps
        if path.shared and any(isinstance(each, Script) and each.follows_connections for each in path.shared):
            found.append(tuple(view.origins.items()))  # such rules remember ISNs as they are
        for side, host in view.hosts.items():
            if view.opens or view.asked[side]:
                found.append(_isns(view, side, now_us))
            if host.stack.timer_hz:
                around = {number: each.around for number, each in held[side].items()}
                found.append(tcp.phase(host.machine.system.end, now_us, around))
        return tuple(found)

    def _number(self, value: Hashable) -> int:
        return self._numbers.setdefault(value, len(self._numbers))

    def _machine(self, side: Side, machine: Machine) -> tuple[Host, _Part]:
        """What a machine is besides its connections; most that happens to it leaves that as it was."""
        system, programs, up, back_us = machine
        end, tables, files, blocked, next_port, _ = system
        place = (
            id(programs), id(tables), id(files), id(blocked), id(end.listeners), next_port, up, back_us,
            end.ts_offset, tuple([(n, t.parent, t.accepted) for n, t in end.sockets.items()]),
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
            part = _Part(self._number((fixed, tuple(running), up, back_us is None)), instants)
            known = ahead(system, programs), part, (programs, tables, files, blocked, end.listeners)
            _keep(self._hosts, place, known)
        found = Host(side, machine, known[0]), known[1]
        _keep(self._machines, id(machine), found)
        return found

    def _held(self, view: View, side: Side) -> dict[int, _Connection]:
        """The connections of one side."""
        host = view.hosts[side]
        found = {}
        for number, t, ports in host.sockets:
            around = view.around(side, number, t, ports)
            place = (id(t), around)
            known = self._connections.get(place)
            if known is None:
                known = _Connection(t, around, measures(t, host.stack, around))
                _keep(self._connections, place, known)
            found[number] = known
        return found

    def _parts(self, view: View, side: Side, held: dict[Side, dict[int, _Connection]]) -> list[_Part]:
        """The connections of one side, each with whether the other end may yet measure by what it echoes."""
        host, far = view.hosts[side], view.hosts[OTHER[side]]
        parts = []
        for number, t, ports in host.sockets:
            each = held[side][number]
            heeded = True
            if t.ts_on and not view.opens:
                other, other_number = far.newest.get(ports, NOBODY)
                heeded = other is not None and held[OTHER[side]][other_number].measured
            part = each.parts.get(heeded)
            if part is None:
                around = each.around if heeded else each.around._replace(heeded=False)
                fixed, instants, stamp = seen(t, host.stack, around, each.measured)
                part = each.parts[heeded] = _Part(self._number(fixed), instants, stamp)
            parts.append(part)
        return parts

    def _line(self, path: Path, now_us: int, origins: Origins) -> Hashable:
        """The elements of a path."""
        chains = path[:3]
        place = (id(chains[0]), id(chains[1]), id(chains[2]))
        known = self._lines.get(place)
        if known is None:
            still = all(lines.still(chain) for chain in chains)
            key = tuple([lines.key(chain, now_us, origins) for chain in chains]) if still else None
            known = chains, None if key is None else self._number(key)
            _keep(self._lines, place, known)
        if known[1] is not None:
            return known[1]
        return tuple([lines.key(chain, now_us, origins) for chain in chains])


def _keep(shelf: dict[Any, Any], place: Hashable, value: object) -> None:
    """Remember a value; a shelf that is full is emptied, as what comes next resembles what came last."""
    if len(shelf) == _MOST:
        shelf.clear()
    shelf[place] = value


def _segment(
    view: View, held: dict[Side, dict[int, _Connection]], to: Side, segment: Segment, due_us: int, now_us: int
) -> Hashable:
    """A segment on its way to a side."""
    if to == "server":
        ports = segment.src_port, segment.dst_port
        ours, theirs = view.origins.get(ports, _UNKNOWN)
    else:
        ports = segment.dst_port, segment.src_port
        theirs, ours = view.origins.get(ports, _UNKNOWN)
    receiver, number = view.hosts[to].newest.get(ports, NOBODY)
    if receiver is not None and not held[to][number].measured:
        receiver = None
    return tcp.segment_key(segment, now_us, ours, theirs, receiver, due_us)


def _isns(view: View, side: Side, now_us: int) -> Key:
    """How far an ISN that this side may yet draw is from numbers of its own that exist."""
    mine = side == "server"
    end = view.hosts[side].machine.system.end
    return tuple([tcp.isn_clock(end, now_us, both[mine]) for both in view.origins.values() if both[mine]])
