"""A pair in which each host has its own clock, so that each step of a host is computed once.

Owns: such a pair, its steps, and the remembered acts of each host. Refuses to know: what a host does (pair),
which segments may be lost (branch), and any path with a memory.

On a plain path, a host learns nothing about the other within an instant, because every segment needs a delay.
So in a step, each host acts by itself. What it does depends on itself and on what arrives, but not on the
absolute time, because it reads only differences. Many pairs consist of the same two hosts with another offset
between their clocks. So a host keeps the clock with which it was first met, and the pair knows when that
clock started. The same host at the same time of its clock is the same object, and what it does with the same
input is looked up.

Two hosts are the same if no pair can distinguish them: their parts of the key are equal, and so are the other
values on which the other host's part depends (`context.witness`). Then the first of them replaces the other.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from tcpsim.explore.branch import MANY, Branch, Fate, Part, Steps, View, every_answer
from tcpsim.pair import SIDES, Event, Log, Machine, Pair, Side, advance
from tcpsim.pair.equivalence import CLIENT, SERVER, Known
from tcpsim.pair.equivalence.context import witness
from tcpsim.pair.equivalence.host import Host
from tcpsim.path import Link
from tcpsim.path.path import Flight, Path
from tcpsim.sockets.processes import new_system
from tcpsim.tcp.endpoint import new_end
from tcpsim.tcp.segment import ACK, Options, Segment
from tcpsim.tcp.seqnum import MASK

_MS = 1000  # clocks begin whole milliseconds from each other: the unit of timestamps


class Apart:
    """A pair at rest until `next_us`: two hosts, when the clock of each began, and segments under way."""

    __slots__ = ("began_us", "flights", "hosts", "known", "next_us")

    def __init__(
        self, hosts: tuple[Host, Host], began_us: tuple[int, int], flights: tuple[Flight, ...]
    ) -> None:
        self.hosts = hosts
        self.began_us = began_us
        self.flights = flights
        self.known: Known | None = None  # its key, once that was asked for
        next_us = flights[0].due_us if flights else None
        for at in (0, 1):  # `pair.earliest`, where its call would show
            wakes_us = hosts[at].wakes_us
            if wakes_us is not None and (next_us is None or wakes_us + began_us[at] < next_us):
                next_us = wakes_us + began_us[at]
        self.next_us: int | None = next_us


class Turn(NamedTuple):
    """One way that a host's instant may go: itself afterwards, what it sent, on its own clock, and events."""

    host: Host
    sent: tuple[Flight, ...] = ()
    weight: float = 1.0
    chosen: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()


class _Acts(NamedTuple):
    """An instant: how many segments are due, and who acts in it, each with the time that its clock began."""

    now_us: int
    due: int
    client: tuple[Host, int]
    server: tuple[Host, int]


class Turns:
    """The steps of a pair on a plain line and of its descendants; a `chain.Stepper`.

    It tells events only if that was asked for from the beginning (`tells`). The events are those of the host
    that stands in: what happens is the same, but times and sequence numbers are its own.
    """

    def __init__(self, steps: Steps, tells: bool = False) -> None:
        pair = steps.start
        self._tells = tells
        self.classes = steps.classes
        self._steps = steps
        self._path = pair.path
        self._nobody = Machine(new_system(new_end(pair.client.system.end.stack)), (), False)
        self._turns: dict[Hashable, list[Turn]] = {}
        self._first: dict[Hashable, tuple[Host, int]] = {}
        hosts = steps.keys.host(CLIENT, pair.client), steps.keys.host(SERVER, pair.server)
        self.start = Apart(hosts, (0, 0), pair.path.flights)

    def key(self, state: Apart) -> Hashable:
        """The key of the pair: `Steps.key`."""
        keys = self._steps.keys
        known = keys.known(state.next_us, state.hosts, state.began_us, self._path, state.flights)
        state.known = known
        return self._steps.key_at(known.key, state.next_us)

    def view(self, state: Apart) -> View:
        """What is held until the next event."""
        client, server = state.hosts
        return client.held, server.held

    def branches(self, state: Apart, log: Log | None = None) -> Iterator[Branch[Apart] | Part[Apart]]:
        """Every way that the next step can go. The key was asked for before."""
        assert log is None or self._tells
        now_us, flights = state.next_us, state.flights
        assert now_us is not None
        due = 0
        while due < len(flights) and flights[due].due_us == now_us:
            due += 1
        to = [flight.receiver for flight in flights[:due]]
        acts = _Acts(now_us, due, self.stand_in(state, 0, now_us, to), self.stand_in(state, 1, now_us, to))
        if due >= MANY and (
            parts := self._steps.parts(flights, now_us, partial(self._fated, state, acts, log))
        ):
            yield from parts
            return
        for fate in self._steps.fates(flights, now_us):
            yield from self._fated(state, acts, log, fate)

    def _fated(self, state: Apart, acts: _Acts, log: Log | None, fate: Fate) -> Iterator[Branch[Apart]]:
        """What the hosts do when some of what arrives is lost."""
        gone, lost, passed = fate
        now_us, due, (client, client_us), (server, server_us) = acts
        flights = state.flights
        arrived: Sequence[int] = range(due)
        dropped: tuple[Flight, ...] = ()
        if gone:
            arrived = [place for place in arrived if place not in gone]
            dropped = tuple([flights[place] for place in sorted(gone)])
        for first in self._turn(state, 0, client, now_us - client_us, arrived):
            for second in self._turn(state, 1, server, now_us - server_us, arrived):
                ahead = flights[due:]
                if first.sent or second.sent:
                    sent = [_sent(first, client_us), _sent(second, server_us)]
                    if arrived and flights[arrived[0]].receiver == "server":
                        sent.reverse()  # who hears first answers first
                    ahead = tuple(sorted([*ahead, *sent[0], *sent[1]], key=_due))
                after = Apart((first.host, second.host), (client_us, server_us), ahead)
                weight = first.weight * second.weight
                if log is not None:
                    for event in first.events + second.events:
                        log(event)
                yield Branch(after, weight, lost, passed, dropped, first.chosen + second.chosen)

    def stand_in(self, state: Apart, at: int, now_us: int, to: Sequence[Side]) -> tuple[Host, int]:
        """Who is the same as a host, if anything happens to it, and when its clock began."""
        side, host, began_us, known = SIDES[at], state.hosts[at], state.began_us[at], state.known
        local_us = now_us - began_us
        if side not in to and (host.wakes_us is None or host.wakes_us > local_us):
            return host, began_us
        assert known is not None
        stamps = [
            (segment.options.ts_val or 0) - now_us // _MS
            for _, receiver, segment in state.flights
            if receiver == side
        ]
        witnessed = witness(host, local_us, state.hosts[1 - at].opening)
        place = at, known.parts[at], known.clocks, local_us % _MS, witnessed, tuple(stamps)
        first, then_us = self._first.setdefault(place, (host, local_us))
        return first, now_us - then_us

    def _turn(self, state: Apart, at: int, host: Host, now_us: int, arrived: Sequence[int]) -> Sequence[Turn]:
        """What a host does at a moment of its clock when it hears those segments that are for it."""
        side, flights, known = SIDES[at], state.flights, state.known
        heard = [place for place in arrived if flights[place].receiver == side] if arrived else []
        if not heard and (host.wakes_us is None or host.wakes_us > now_us):
            return (Turn(host),)
        assert known is not None
        numbers = [(known.segments[place], flights[place].segment[3:5]) for place in heard]  # seq and ack
        position = host, now_us, tuple(numbers)
        turns = self._turns.get(position)
        if turns is None:
            segments = [_moved(flights[each].segment, now_us - flights[each].due_us) for each in heard]
            turns = self._turns[position] = self._acted(at, host, now_us, segments)
        return turns

    def _acted(self, at: int, host: Host, now_us: int, heard: list[Segment]) -> list[Turn]:
        """The same with nobody at the other end."""
        side = SIDES[at]
        path = self._path._replace(flights=tuple([Flight(now_us, side, segment) for segment in heard]))
        client, server = (host.machine, self._nobody) if at == 0 else (self._nobody, host.machine)
        pair = Pair(now_us, client, server, path, now_us)
        turns = []
        events: list[Event] = []
        log = events.append if self._tells else None
        for after, chooser in every_answer(lambda chooser: advance(pair, chooser, log)):
            machine = after.client if at == 0 else after.server
            then = self._steps.keys.host((CLIENT, SERVER)[at], machine)
            turns.append(Turn(then, after.path.flights, chooser.weight(), chooser.words(), tuple(events)))
            events.clear()
        return turns


def apart(steps: object, tells: bool = False) -> Turns | None:
    """The steps of a pair taken apart; None where the machines may disturb each other within an instant."""
    # whoever inherits from Steps has an idea of its own of what a step is
    two = type(steps) is Steps and not steps.start.relays
    return Turns(steps, tells) if two and isinstance(steps, Steps) and _plain(steps.start.path) else None


def _plain(path: Path) -> bool:
    """Plain lines and nothing else."""
    one_way = (*path.to_server, *path.to_client)
    return not path.shared and all(isinstance(each, Link) and each.plain for each in one_way)


def _due(flight: Flight) -> int:
    return flight.due_us


def _sent(turn: Turn, began_us: int) -> list[Flight]:
    """What was sent, on the pair's clock."""
    return [Flight(due_us + began_us, to, _moved(segment, began_us)) for due_us, to, segment in turn.sent]


def _moved(segment: Segment, by_us: int) -> Segment:
    """A segment with its timestamps, its own and the one that it echoes, later by this much."""
    mss, wscale, sack_permitted, val, echoed, sack, layout = segment.options
    if not by_us or val is None:
        return segment
    by = by_us // _MS
    if segment.flags & ACK and echoed is not None:
        echoed = (echoed + by) & MASK
    return Segment(
        *segment[:7], Options(mss, wscale, sack_permitted, (val + by) & MASK, echoed, sack, layout)
    )
