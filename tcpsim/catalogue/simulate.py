"""Simulates a scenario with one seed: its end, all events, and whether it ended as expected.

Owns: the comparison of a run with an `Expect`, in words. Refuses to know: which scenarios there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from tcpsim.catalogue.requests import Request, requests
from tcpsim.catalogue.run import Ended, run
from tcpsim.catalogue.scenario import Expect, Scenario, build
from tcpsim.pair import (
    ONLY_FD,
    Answered,
    Called,
    Event,
    Happened,
    Pair,
    Returned,
    Sent,
    Side,
    StateChanged,
    numbered,
    sockets_in_words,
)
from tcpsim.path import Seeded
from tcpsim.sockets import Accept, Close, Connect, Exit, Recv
from tcpsim.tcp.state import State
from tcpsim.units import format_duration, parse_duration

ENDS_OF_MACHINES: Final = ("vanishes", "reboots")


class Played(NamedTuple):
    """The pair before anything happened, its end, and the events between."""

    begun: Pair
    ended: Ended
    events: tuple[Event, ...]

    @property
    def rst(self) -> bool:
        """Whether anyone sent a RST, an end or a box on the path."""
        return self.resets > 0

    @property
    def resets(self) -> int:
        """How many RSTs were sent, by the ends and by a box on the path."""
        return sum(isinstance(event, Sent | Answered) and event.segment.rst for event in self.events)

    @property
    def settled_us(self) -> int:
        """When a socket last changed its state."""
        return self.settled_on_us(*self.begun.names)

    def settled_on_us(self, *sides: Side) -> int:
        """The same of one host's sockets, or of both."""
        changes = (e for e in self.events if isinstance(e, StateChanged) and e.new is not e.old)
        return max((e.t_us for e in changes if e.side in sides), default=0)

    def since_us(self, side: Side) -> tuple[int, ...]:
        """Since when each socket that a host holds at the end has been in its state, in their order."""
        began = dict.fromkeys(numbered(self.ended.pair, side), 0)
        for event in self.events:
            if isinstance(event, StateChanged) and event.side == side and event.new is not event.old:
                began[event.socket] = event.t_us
        return tuple(began[number] for number in numbered(self.ended.pair, side))

    def last_change_us(self, side: Side) -> int | None:
        """Since when a host has been as it is: its youngest socket; without any, when it lost the last one.

        None: it never had a socket.
        """
        held = self.since_us(side)
        if held:
            return max(held)
        mine = [event for event in self.events if event.side == side]
        changes = [event.t_us for event in mine if _changes(event)]
        return max([*changes, *_closings_us(mine)], default=None) if changes else None

    @property
    def requests(self) -> tuple[Request, ...]:
        """What the client's programs asked for, and what came of it."""
        return requests(self.events)

    @property
    def reads(self) -> tuple[int | str, ...]:
        """What the client's reads returned: counts of bytes, 0 at the end of the stream, or an errno."""
        return tuple(
            event.reply.errno or int(str(event.reply.value))
            for event in self.events
            if isinstance(event, Returned) and event.side == "client" and isinstance(event.call, Recv)
        )


def _changes(event: Event) -> bool:
    """A socket changes its state, or loses the machine under it."""
    return isinstance(event, StateChanged) or (isinstance(event, Happened) and event.what in ENDS_OF_MACHINES)


def _closings_us(events: Sequence[Event]) -> list[int]:
    """When a host's programs closed descriptors of connections: a dead socket is held until then."""
    open_: set[tuple[int, int]] = set()  # by process
    found = []
    for event in events:
        if isinstance(event, Returned) and isinstance(event.call, Accept):
            if isinstance(event.reply.value, int):
                open_.add((event.pid, event.reply.value))
        elif isinstance(event, Called) and isinstance(event.call, Connect):
            open_.add((event.pid, event.call.fd))
        elif isinstance(event, Called) and isinstance(event.call, Close | Exit):
            fd = event.call.fd if isinstance(event.call, Close) else None
            closed = {each for each in open_ if each[0] == event.pid and fd in (None, each[1])}
            found += [event.t_us] if closed else []
            open_ -= closed
    return found


def play(scenario: Scenario, seed: int = 1, **overrides: Any) -> Played:
    """One run of the scenario until its horizon, with any field of `Setting` in place of its own."""
    events: list[Event] = []
    pair = build(scenario, **overrides)
    ended = run(pair, Seeded(seed), scenario.horizon_us, events.append)
    return Played(pair, ended, tuple(events))


def about_reads(scenario: Scenario) -> bool:
    """Whether the story is one of a read that fails, and not of a descriptor that stays afterwards."""
    expected = scenario.expect.reads if scenario.expect else None
    return any(isinstance(read, str) for read in expected or ()) and not _about_descriptors(scenario)


def cured(scenario: Scenario, played: Played) -> bool:
    """Whether the host concerned is free of its connections, and in time where the scenario says by when."""
    free_us = cured_us(scenario, played)
    if free_us is None or scenario.within is None:
        return free_us is not None
    return free_us <= parse_duration(scenario.within, f"{scenario.name}.within")


def cured_us(scenario: Scenario, played: Played) -> int | None:
    """Since when the host concerned holds no connection; None if it does."""
    if not _free(scenario, played):
        return None
    sides = concerned(scenario)
    settled_us = played.settled_on_us(*sides)
    if not _about_descriptors(scenario):
        return settled_us
    return max([settled_us, *[played.last_change_us(side) or 0 for side in sides]])


def _free(scenario: Scenario, played: Played) -> bool:
    """Where a descriptor is the story, no descriptor is left either; where a failed read is, none fails."""
    held = [socket for side in concerned(scenario) for socket in played.ended.of(side)]
    if _about_descriptors(scenario):
        return not held
    fails = any(isinstance(read, str) for read in played.reads)
    return not (about_reads(scenario) and fails) and all(socket.state is State.CLOSED for socket in held)


def _about_descriptors(scenario: Scenario) -> bool:
    return scenario.expect is not None and ONLY_FD in (scenario.expect.client, scenario.expect.server)


def descriptors(scenario: Scenario, played: Played) -> int:
    """Dead sockets of the host concerned that a program still holds by a descriptor."""
    held = [socket for side in concerned(scenario) for socket in played.ended.of(side)]
    return sum(socket.fd and socket.state is State.CLOSED for socket in held)


def concerned(scenario: Scenario) -> tuple[Side, ...]:
    """The hosts that the story is about."""
    return scenario.sides if scenario.concerns is None else (scenario.concerns,)


def surprises(expect: Expect, played: Played) -> tuple[str, ...]:
    """In what a run did not end as it was to; nothing if it did."""
    ended = played.ended
    checks: list[tuple[str, object, object]] = [
        ("client", sockets_in_words(ended.client), expect.client),
        ("server", sockets_in_words(ended.server), expect.server),
        ("relays", tuple(map(sockets_in_words, ended.relays)), expect.relays),
        ("verdict", ended.verdict, expect.verdict),
        ("a RST was sent", played.rst, expect.rst),
        ("the client's reads", played.reads, expect.reads),
    ]
    told = [
        f"{what}: {found}, not {wanted}"
        for what, found, wanted in checks
        if wanted is not None and found != wanted
    ]
    if expect.settled is not None:
        earliest, latest = expect.settled
        if not parse_duration(earliest) <= played.settled_us <= parse_duration(latest):
            told.append(
                f"settled: after {format_duration(played.settled_us)}, not from {earliest} to {latest}"
            )
    return tuple(told)
