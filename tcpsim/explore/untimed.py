"""Exploration without time: segments and timers in any order.

Owns: the possible next steps if time is ignored. Refuses to know: when two pairs are equal then
(equivalence), probabilities and durations, which do not exist here, and the questions (properties).

A step is one of these: a segment on the path arrives or is lost, one timer fires, one sleep or the timeout of
one call ends, or one host has power again. It is executed with the pair's own `advance`, while everything
else is late. A timer never fires early, but it need not be punctual (`tcp.timer_slack.put_off`), and the
network may be arbitrarily slow. So a counterexample has one clock that only moves forward, and it can happen.
At most `room` segments are on each path. A further one is lost, and equal ones count as one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from tcpsim.explore.branch import Branch, LossClass, View, every_answer, view_of
from tcpsim.explore.equivalence import Timeless
from tcpsim.pair import Log, Machine, Pair, Side, advance
from tcpsim.path import Duplicate, GilbertElliott, Link, Loss, Path, Reorder
from tcpsim.path.element import Chain
from tcpsim.path.path import Flight
from tcpsim.sockets.processes import System, oversleep, with_end
from tcpsim.tcp import deadlines
from tcpsim.tcp.segment import flag_letters
from tcpsim.tcp.timer_slack import put_off

ROOM: Final = 2
_PARKED_US: Final = 1 << 60  # when a segment arrives that has no time to arrive at
_EVEN: Final = 0.5  # every move alike, so that states are explored by the number of moves to them
_CHANCE = (Loss, GilbertElliott, Duplicate, Reorder, Link)  # what this view has its own idea of


class AnyOrder:
    """The moves of one pair and its descendants; a `chain.Stepper`."""

    def __init__(self, pair: Pair, room: int = ROOM) -> None:
        self.classes = [LossClass("any", _EVEN)]
        self.room = room
        self._parts: dict[Hashable, int] = {}
        self.start = self._rest(_with_paths(pair, [_certain_path(path) for path in pair.paths]))

    def key(self, pair: Pair) -> Hashable:
        """See `Timeless`; each part is kept once, as many states share it."""
        parts = self._parts
        return tuple([parts.setdefault(part, len(parts)) for part in Timeless(pair).key()])

    def view(self, pair: Pair) -> View:
        """What is held until the next move."""
        return view_of(pair)

    def branches(self, pair: Pair, log: Log | None = None) -> Iterator[Branch[Pair]]:
        """Every move, and every finite choice that programs make in its course."""
        for leg, path in enumerate(pair.paths):
            for place, flight in enumerate(path.flights):
                words = _segment_words(pair, leg, flight)
                left = (*path.flights[:place], *path.flights[place + 1 :])
                gone = self._rest(_with_flights(pair, leg, left))
                yield Branch(gone, _EVEN, (1,), (0,), (), (f"lost: {words}",))
                now = flight._replace(due_us=pair.now_us + 1)
                arriving = _with_flights(pair, leg, (now, *left))
                yield from self._made(arriving, now.due_us, None, f"arrives: {words}", log)
        for due in _due(pair):
            at_us = max(due.at_us, pair.now_us + 1)
            yield from self._made(pair, at_us, due, due.words, log)

    def _made(
        self, pair: Pair, at_us: int, due: _Due | None, words: str, log: Log | None
    ) -> Iterator[Branch[Pair]]:
        """What is due happens at `at_us`; all else is late."""
        late = _late(pair, at_us, due)._replace(next_us=at_us)
        for after, chooser in every_answer(lambda chooser: advance(late, chooser, log)):
            yield Branch(self._rest(after), _EVEN, (0,), (1,), (), (words, *chooser.words()))

    def _rest(self, pair: Pair) -> Pair:
        """Segments in flight without a time; `next_us` says only whether anything can still happen."""
        timeless = Timeless(pair)
        paths = []
        for leg, path in enumerate(pair.paths):
            different: dict[Hashable, Flight] = {}
            for each in path.flights:
                what = each.receiver, timeless.segment(leg, each)
                different.setdefault(what, each._replace(due_us=_PARKED_US))
            paths.append(path._replace(flights=tuple(different.values())[: self.room]))
        busy = any(path.flights for path in paths) or next(_due(pair), None) is not None
        return _with_paths(pair, paths)._replace(next_us=0 if busy else None)


def _with_paths(pair: Pair, paths: Sequence[Path]) -> Pair:
    """The pair with these paths, the client's first."""
    first, *behind = paths
    hops = [hop._replace(path=path) for hop, path in zip(pair.relays, behind, strict=True)]
    return pair._replace(path=first, relays=tuple(hops))


def _with_flights(pair: Pair, leg: int, flights: tuple[Flight, ...]) -> Pair:
    paths = list(pair.paths)
    paths[leg] = paths[leg]._replace(flights=flights)
    return _with_paths(pair, paths)


def _certain_path(path: Path) -> Path:
    """A path on which nothing is left to chance."""
    line = Link(1)
    return path._replace(
        shared=_certain(path.shared),
        to_server=(*_certain(path.to_server), line),
        to_client=(*_certain(path.to_client), line),
    )


def _certain(chain: Chain) -> Chain:
    return tuple(each for each in chain if not isinstance(each, _CHANCE))


def _segment_words(pair: Pair, leg: int, flight: Flight) -> str:
    """Whose segment it is, and in a line with relays to whom it goes."""
    sender, hearer = pair.names[leg : leg + 2][:: 1 if flight.receiver == "server" else -1]
    segment = flight.segment
    data = f" with {segment.len} B" if segment.len else ""
    return f"{sender}'s {flag_letters(segment.flags)}{data}" + (f" to {hearer}" if pair.relays else "")


# What is due, and letting the rest be late


class _Due(NamedTuple):
    """One thing that happens by itself: `which` is a socket's timer, a call, a program or the machine."""

    at_us: int
    side: Side
    which: tuple[str, Any]
    words: str


def _due(pair: Pair) -> Iterator[_Due]:
    for at, (side, machine) in enumerate(zip(pair.names, pair.machines, strict=True)):
        if not machine.up:
            if machine.back_us is not None:
                yield _Due(machine.back_us, side, ("power", None), f"{side}: power is back")
            continue
        for number, tcb in machine.system.end.sockets.items():
            where = _leg_words(pair, at, tcb.local_port)
            for timer, at_us, declared in deadlines.running(tcb):
                yield _Due(at_us, side, (declared.deadline, number), f"{side}: {timer} timer{where}")
        for blocked in machine.system.blocked:
            if blocked.deadline_us is not None:
                call = blocked.call.__class__.__name__.lower()
                words = f"{side}: {call}() has waited long enough"
                yield _Due(blocked.deadline_us, side, ("call", blocked.caller), words)
        for pid, running in machine.programs:
            if running.wake_us is not None:
                yield _Due(running.wake_us, side, ("program", pid), f"{side}: process {pid} goes on")


def _leg_words(pair: Pair, at: int, port: int) -> str:
    """Of a machine between: on which leg a socket with this port of its own is."""
    if not 0 < at <= len(pair.relays):
        return ""
    return " (client leg)" if port == pair.relays[at - 1].port else " (server leg)"


def _late(pair: Pair, at_us: int, due: _Due | None) -> Pair:
    """The pair with everything that is due by `at_us`, but for `due`, put off until just after."""
    client, *between, server = [
        _late_machine(machine, at_us, due if due and due.side == side else None)
        for side, machine in zip(pair.names, pair.machines, strict=True)
    ]
    hops = [hop._replace(machine=machine) for hop, machine in zip(pair.relays, between, strict=True)]
    return pair._replace(client=client, server=server, relays=tuple(hops))


def _late_machine(machine: Machine, at_us: int, due: _Due | None) -> Machine:
    kind, what = due.which if due else ("", None)
    later_us = at_us + 1
    back_us = machine.back_us
    if back_us is not None and back_us <= at_us and kind != "power":
        back_us = later_us
    system = machine.system
    for number in system.end.sockets:
        spared = kind in deadlines.DEADLINES and what == number
        system = _late_socket(system, number, at_us, due.at_us if due and spared else None)
    for blocked in system.blocked:
        until_us = blocked.deadline_us
        if until_us is not None and until_us <= at_us and (kind, what) != ("call", blocked.caller):
            system = oversleep(system, blocked.caller, later_us)
    programs = tuple(
        (pid, running._replace(wake_us=later_us))
        if running.wake_us is not None and running.wake_us <= at_us and (kind, what) != ("program", pid)
        else (pid, running)
        for pid, running in machine.programs
    )
    return Machine(system, programs, machine.up, back_us)


def _late_socket(system: System, number: int, at_us: int, spared_us: int | None) -> System:
    """Timers of one socket that are due before `spared_us`, or by `at_us`, are late."""
    while True:
        first_us = deadlines.next_time(system.end.sockets[number])
        if first_us is None or first_us > at_us or first_us == spared_us:
            return system
        system = with_end(system, put_off(system.end, number, at_us + 1))
