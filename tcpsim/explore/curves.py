"""Exact curves over the age of a connection: sockets by side, bytes of memory, and whether it is over.

Owns: the look of a state (what both sides hold, and whether that is for ever), and step functions of any
value of it. There is no time grid and no sampling: a curve has the ages at which it changes. Refuses to know:
how often connections start (growth), and how long a state lasts in total (sojourn_times).

    chain = explore(pair)
    seen = occupancy(chain, [0.01, 0.1], until_us=86_400_000_000)
    for kind in seen.kinds:                       # (side, state, holder, fd)
        curve = seen.expected(kind)               # Steps: times_us, values[time, loss]
    seen.of("client", State.CLOSE_WAIT).at(60_000_000)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tcpsim.errors import InputError
from tcpsim.explore.branch import View, sides_of
from tcpsim.explore.chain import Chain
from tcpsim.explore.loss_rates import rates
from tcpsim.explore.step_functions import Ints, Masses, Steps, from_changes
from tcpsim.explore.transient import ROOM, Graph, Passages, graph, passages, reaching
from tcpsim.pair import Held, Side
from tcpsim.tcp.stack import Memory
from tcpsim.tcp.state import Holder, State


class SocketKind(NamedTuple):
    """Which sockets: whose, in what state, who pays for them, and whether a descriptor refers to them."""

    side: Side
    state: State
    holder: Holder
    fd: bool


class Look(NamedTuple):
    """What both sides hold; `stays`: this is for ever; `over`: a side's connection has ended for good;
    `relays`: what machines between hold, who come last in `over`.

    Over means that it has no socket but CLOSED ones, and never will; one that may yet begin is not over.
    `end`: what is held in the end if nothing more is lost, where that was asked for (`Outlook`); None: it
    goes on, or does so for too long.
    """

    client: tuple[Held, ...]
    server: tuple[Held, ...]
    stays: bool
    over: tuple[bool, ...]
    end: View | None = None
    relays: tuple[tuple[Held, ...], ...] = ()

    @property
    def sides(self) -> tuple[Side, ...]:
        """Whose connections `over` is about, in order."""
        return sides_of(len(self.over))

    def of(self, side: Side) -> tuple[Held, ...]:
        """What one side holds."""
        if side == "client":
            return self.client
        return self.server if side == "server" else self.relays[self.sides.index(side) - 2]

    def sockets(self, side: Side, state: State | None, holder: Holder | None, fd: bool | None) -> int:
        """How many sockets of that kind a side holds; None: any."""
        return sum(
            (state is None or each.state is state)
            and (holder is None or each.holder is holder)
            and (fd is None or each.fd is fd)
            for each in self.of(side)
        )


Value = Callable[[Look], int]


class Occupancy(NamedTuple):
    """How a connection looks at every age up to `until_us`, for every loss rate asked for.

    `begin[look]` is the probability of each look at age 0 (axes: look, loss rate), `changes` are the passages
    from look to look. `losses` has the rates by class of loss. `error`: probability that was not followed
    to the end, for each rate: no curve of a probability is further off than that. `memory`: what a socket of
    the client's and of the server's stack costs.
    """

    looks: tuple[Look, ...]
    begin: Masses
    changes: Passages
    losses: Mapping[str, Masses]
    until_us: int
    error: Masses
    memory: tuple[Memory, ...]

    @property
    def kinds(self) -> tuple[SocketKind, ...]:
        """Every kind of socket that is ever held."""
        return tuple(
            sorted(
                {
                    SocketKind(side, each.state, each.holder, each.fd)
                    for look in self.looks
                    for side in look.sides
                    for each in look.of(side)
                }
            )
        )

    def only_at(self, times_us: Ints) -> Occupancy:
        """A smaller one for whoever asks for values at these times, and for integrals up to them, alone."""
        return self._replace(changes=self.changes.only_at(times_us, self.until_us))

    def curve(self, value: Value) -> Steps:
        """The expected `value` of the look that a connection has at each age."""
        worth = np.array([value(look) for look in self.looks], dtype=np.int64)
        changes = self.changes
        rise = worth[changes.target] - worth[changes.source]
        some = np.flatnonzero(rise)
        by = changes.mass[some] * rise[some, None]
        begin, end = ((mass * worth[:, None]).sum(axis=0) for mass in (self.begin, changes.end))
        return from_changes(changes.at_us[some], by, begin, end, self.until_us)

    def sizes(self, value: Value) -> dict[int, Steps]:
        """For each number that `value` can be, save 0, the probability that it is this at each age."""
        found = sorted({value(look) for look in self.looks} - {0})
        return {size: self.curve(_equals(value, size)) for size in found}

    def expected(self, kind: SocketKind) -> Steps:
        """The expected number of such sockets: of one connection, so mostly their probability."""
        return self.of(*kind)

    def of(
        self, side: Side, state: State | None = None, holder: Holder | None = None, fd: bool | None = None
    ) -> Steps:
        """The expected number of a side's sockets in that state, held like that; None: in any."""
        return self.curve(lambda look: look.sockets(side, state, holder, fd))

    def bytes(self, side: Side) -> Steps:
        """The expected kernel memory that a side's sockets hold, by cost class and with what is queued."""
        return self.curve(self.bytes_of(side))

    def bytes_of(self, side: Side) -> Value:
        """The bytes that a side holds in a look."""
        memory = self.memory[sides_of(len(self.memory)).index(side)]
        return lambda look: sum(each.bytes(memory) for each in look.of(side))

    def over(self, side: Side | None = None) -> Steps:
        """The probability that the connection of a side, or of each, has ended by that age."""
        known = sides_of(len(self.memory))
        sides = [known.index(each) for each in (known if side is None else (side,))]
        return self.curve(lambda look: int(all(look.over[each] for each in sides)))

    def stays(self) -> Steps:
        """The probability that what is held at that age, if anything, is held for ever."""
        return self.curve(lambda look: int(look.stays))


def occupancy(
    chain: Chain,
    losses: Sequence[float] | Mapping[str, Sequence[float]],
    until_us: int,
    room: int = ROOM,
    net: Graph | None = None,
    ends: Sequence[View | None] | None = None,
    tolerance: float = 0.0,
) -> Occupancy:
    """How a connection looks at every age from 0 to `until_us`: `losses` for every class of loss, or by name.

    With fractions instead of floats everything is exact. `room` bounds the work (see flow); `net` is
    `graph(chain)`, for whoever has it already. `ends` is the `Look.end` of each state. `tolerance`: the least
    likely histories are not followed if together they are no likelier than this; it is part of `error`.

    Raises:
        InputError: see `rates`; `until_us` or `room` below 1.
    """
    if until_us < 1:
        raise InputError("until", until_us, "a time after 0")
    if room < 1:
        raise InputError("room", room, "at least 1")
    each = rates(chain, losses)
    net = net or graph(chain)
    sides = len(chain.view[0])
    every = np.uint8((1 << sides) - 1)
    bits = np.array(
        [sum(_alive(held) << place for place, held in enumerate(view)) for view in chain.view], dtype=np.uint8
    )
    to_come = reaching(net, bits | np.isin(np.arange(chain.states), chain.cut) * every)
    numbers: dict[Look, int] = {}
    number = [
        numbers.setdefault(
            Look(view[0], view[1], stays, tuple([not come >> at & 1 for at in range(sides)]), end, view[2:]),
            len(numbers),
        )
        for view, stays, come, end in zip(
            chain.view, net.stays.tolist(), to_come.tolist(), ends or [None] * chain.states, strict=True
        )
    ]
    look = np.array(number, dtype=np.int64)
    changes = passages(net, chain, each, look, until_us, room=room, tolerance=tolerance)
    begin = np.zeros((len(numbers), len(changes.error)), dtype=changes.mass.dtype) + changes.error * 0
    begin[number[0]] = begin[number[0]] + 1
    start = chain.steps.start
    memory = tuple([start.machine(side).system.end.stack.memory for side in sides_of(sides)])
    return Occupancy(tuple(numbers), begin, changes, each, until_us, changes.error, memory)


def _equals(value: Value, size: int) -> Value:
    return lambda look: int(value(look) == size)


def _alive(sockets: tuple[Held, ...]) -> bool:
    return any(held.state is not State.CLOSED for held in sockets)
