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
from typing import Final, Generic, TypeVar

from tcpsim.explore.branch import MANY, Branch, Fate, Part, Steps, View, every_answer
from tcpsim.pair import SIDES, Event, Log, Machine, Pair, advance
from tcpsim.pair.equivalence import CLIENT, SERVER, Known
from tcpsim.pair.equivalence.context import OnTheWay, witness
from tcpsim.pair.equivalence.host import Host
from tcpsim.path import Link
from tcpsim.path.path import Flight, Path
from tcpsim.sockets.processes import new_system
from tcpsim.tcp.endpoint import new_end
from tcpsim.tcp.segment import ACK, Options, Segment
from tcpsim.tcp.seqnum import MASK

_MOST: Final = 1 << 13  # acts, of those that were looked up last, that are remembered twice over
_MS = 1000  # clocks begin whole milliseconds from each other: the unit of timestamps


class Apart:
    """A pair at rest until `next_us`: two hosts, when the clock of each began, and segments under way."""

    __slots__ = ("began_us", "flights", "hosts", "known", "next_us")

    def __init__(
        self, hosts: tuple[Host, Host], began_us: tuple[int, int], flights: tuple[OnTheWay, ...]
    ) -> None:
        self.hosts = hosts
        self.began_us = began_us
        self.flights = flights
        self.known: Known | None = None  # its key, once that was asked for
        next_us = flights[0][0] if flights else None  # `pair.earliest`, where its call would show
        first_us, second_us = hosts[0].wakes_us, hosts[1].wakes_us
        if first_us is not None and (next_us is None or first_us + began_us[0] < next_us):
            next_us = first_us + began_us[0]
        if second_us is not None and (next_us is None or second_us + began_us[1] < next_us):
            next_us = second_us + began_us[1]
        self.next_us: int | None = next_us


# One way that a host's instant may go: itself afterwards, what it sent, on its own clock, how likely that is,
# what was chosen, and events
Turn = tuple[Host, tuple[Flight, ...], float, tuple[str, ...], tuple[Event, ...]]
_Actor = tuple[Host, int, bool]  # a host in a step: when its clock began, and whether it wakes by itself


_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Recent(Generic[_Key, _Value]):
    """Values that were asked for not long ago, at most twice `most`: memory does not grow with states."""

    __slots__ = ("_most", "_new", "_old")

    def __init__(self, most: int) -> None:
        self._most = most
        self._new: dict[_Key, _Value] = {}
        self._old: dict[_Key, _Value] = {}

    def get(self, key: _Key) -> _Value | None:
        """What was kept under this key, if it still is."""
        found = self._new.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.keep(key, found)
        return found

    def keep(self, key: _Key, value: _Value) -> None:
        """Keep a value, and forget those that nobody has asked for since as many were kept."""
        if len(self._new) == self._most:
            self._old, self._new = self._new, {}
        self._new[key] = value


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
        self._turns: Recent[Hashable, list[Turn]] = Recent(_MOST)
        self._first: Recent[Hashable, tuple[Host, int]] = Recent(_MOST)
        self._views: dict[View, View] = {}  # each that there is, once
        hosts = steps.keys.host(CLIENT, pair.client), steps.keys.host(SERVER, pair.server)
        self.start = Apart(hosts, (0, 0), tuple([OnTheWay(*each) for each in pair.path.flights]))

    def key(self, state: Apart) -> Hashable:
        """The key of the pair: `Steps.key`."""
        keys = self._steps.keys
        known = keys.known(state.next_us, state.hosts, state.began_us, self._path, state.flights)
        state.known = known
        return self._steps.key_at(known.key, state.next_us)

    def view(self, state: Apart) -> View:
        """What is held until the next event."""
        client, server = state.hosts
        view = client.held, server.held
        return self._views.setdefault(view, view)

    def branches(self, state: Apart, log: Log | None = None) -> Iterator[Branch[Apart] | Part[Apart]]:
        """Every way that the next step can go. The key was asked for before."""
        assert log is None or self._tells
        now_us, flights = state.next_us, state.flights
        assert now_us is not None
        due = 0
        hears = [False, False]
        for flight in flights:
            if flight[0] != now_us:
                break
            hears[flight[1] == "server"] = True
            due += 1
        acts = self._actor(state, 0, now_us, hears[0]), self._actor(state, 1, now_us, hears[1])
        if due >= MANY and (
            parts := self._steps.parts(flights, now_us, partial(self._fated, state, acts, due, log))
        ):
            yield from parts
            return
        for fate in self._steps.fates(flights, now_us) if due else self._steps.certain:
            yield from self._fated(state, acts, due, log, fate)

    def _actor(self, state: Apart, at: int, now_us: int, hears: bool) -> _Actor:
        """A host in the step that begins now, in which it may hear something."""
        host, began_us = state.hosts[at], state.began_us[at]
        wakes = host.wakes_us is not None and host.wakes_us + began_us <= now_us
        if hears or wakes:
            host, began_us = self.stand_in(state, at, now_us)
        return host, began_us, wakes

    def _fated(
        self, state: Apart, acts: tuple[_Actor, _Actor], due: int, log: Log | None, fate: Fate
    ) -> list[Branch[Apart]]:
        """What the hosts do when some of what arrives is lost. Nobody asks which segments these are."""
        gone, lost, passed = fate
        flights = state.flights
        heard: tuple[list[int], list[int]] = [], []
        for place in range(due):
            if place not in gone:
                heard[flights[place][1] == "server"].append(place)
        client, server = acts
        ahead = flights[due:]
        began_us = client[1], server[1]
        seconds = self._turns_of(state, 1, server, heard[1])
        found = []
        for host, said, weight, chosen, events in self._turns_of(state, 0, client, heard[0]):
            for other, answered, times, also, others in seconds:
                under_way = ahead
                if said or answered:
                    first, second = _sent(said, began_us[0]), _sent(answered, began_us[1])
                    if heard[1] and not (heard[0] and heard[0][0] < heard[1][0]):
                        first, second = second, first  # who hears first answers first
                    under_way = (*ahead, *first, *second)
                    if len(under_way) > 1:
                        under_way = tuple(sorted(under_way, key=_due))
                after = Apart((host, other), began_us, under_way)
                if log is not None:
                    for event in events + others:
                        log(event)
                found.append(Branch(after, weight * times, lost, passed, (), chosen + also))
        return found

    def stand_in(self, state: Apart, at: int, now_us: int) -> tuple[Host, int]:
        """Who is the same as a host, and when its clock began."""
        side, host, known = SIDES[at], state.hosts[at], state.known
        assert known is not None
        _, parts, _, clocks = known
        local_us = now_us - state.began_us[at]
        seen = witness(host, local_us, state.hosts[1 - at].opening)
        place: tuple[Hashable, ...] = at, parts[at], clocks, local_us % _MS, seen
        for _, receiver, segment, sent_us in state.flights:
            if receiver == side and (val := segment[7][3]) is not None:
                place += (val - (now_us - sent_us) // _MS,)
        known_first = self._first.get(place)
        if known_first is None:
            self._first.keep(place, (host, local_us))
            return host, state.began_us[at]
        return known_first[0], now_us - known_first[1]

    def _turns_of(self, state: Apart, at: int, actor: _Actor, heard: Sequence[int]) -> Sequence[Turn]:
        """What a host does now when it hears the segments at these places, which are for it."""
        host, began_us, wakes = actor
        if not (heard or wakes):
            return ((host, (), 1.0, (), ()),)
        flights, known = state.flights, state.known
        assert known is not None
        assert state.next_us is not None
        now_us = state.next_us - began_us
        position: tuple[Hashable, ...] = host, now_us
        for place in heard:
            _, _, _, seq, ack, _, _, _ = flights[place][2]
            position += known.segments[place], seq, ack
        turns = self._turns.get(position)
        if turns is None:
            its = [flights[place] for place in heard]
            segments = [_moved(segment, sent_us - began_us) for _, _, segment, sent_us in its]
            turns = self._acted(at, host, now_us, segments)
            self._turns.keep(position, turns)
        return turns

    def _acted(self, at: int, host: Host, now_us: int, heard: list[Segment]) -> list[Turn]:
        """The same with nobody at the other end."""
        side = SIDES[at]
        path = self._path._replace(flights=tuple([Flight(now_us, side, segment) for segment in heard]))
        client, server = (host.machine, self._nobody) if at == 0 else (self._nobody, host.machine)
        pair = Pair(now_us, client, server, path, now_us)
        turns: list[Turn] = []
        events: list[Event] = []
        log = events.append if self._tells else None
        for after, chooser in every_answer(lambda chooser: advance(pair, chooser, log)):
            machine = after.client if at == 0 else after.server
            then = self._steps.keys.host((CLIENT, SERVER)[at], machine)
            asked = (chooser.weight(), chooser.words()) if chooser.asked else (1.0, ())
            turns.append((then, after.path.flights, *asked, tuple(events)))
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


def _due(flight: OnTheWay) -> int:
    return flight[0]


def _sent(flights: Sequence[Flight], began_us: int) -> list[OnTheWay]:
    """What was sent, due on the pair's clock."""
    return [OnTheWay(due_us + began_us, to, segment, began_us) for due_us, to, segment in flights]


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
