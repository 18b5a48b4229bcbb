"""When a held socket is a leak (docs/architecture.md), and how many sockets of a population are leaks.

Owns: the definition. Refuses to know: how connections run (host), and exact stays (explore).

permanent
    A socket that is not CLOSED and can never end: its connection has no next event, or will have none after
    the events that are in progress.
metastable
    The socket can end, but it does not within the time that the run took (at least a day), although nothing
    more is lost. An example is keepalive with a live peer that answers.
occupancy
    Every other socket: it will end by itself.
descriptor
    A dead socket (CLOSED) that a program still holds. Only close() can end it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from tcpsim.host.census import Left
from tcpsim.host.socket_accounting import View, sides
from tcpsim.measure.results import Table
from tcpsim.pair import Side
from tcpsim.tcp.state import Holder, State

Socket = tuple[Side, State, Holder]


class Standing(Protocol):
    """How many connections stand how at the horizon: a census, or one whose lives were drawn."""

    @property
    def views(self) -> Sequence[View]: ...

    @property
    def left(self) -> Mapping[Left, int]: ...


def leaks(census: Standing) -> Table:
    """The sockets held at the horizon: side, state, holder, fate (as above), count."""
    found: Counter[tuple[str, str, str, str]] = Counter()
    for left, count in census.left.items():
        now = _sockets(census.views[left.now])
        final = _sockets(census.views[left.finally_]) if left.finally_ is not None else Counter[Socket]()
        for fate, sockets in (
            ("permanent", final),
            ("metastable" if left.finally_ is None else "occupancy", now - final),
        ):
            for (side, state, holder), number in sockets.items():
                name = "descriptor" if state is State.CLOSED else fate
                found[side, str(state), str(holder), name] += number * count
    names = ("side", "state", "holder", "fate", "count")
    rows = [(*kind, count) for kind, count in sorted(found.items())]
    return Table.of_rows([dict(zip(names, row, strict=True)) for row in rows], names)


def leaked_connections(census: Standing, side: Side | None = None) -> int:
    """Connections that leak at least one socket (on `side`, or on either), for ever or metastably."""
    total = 0
    for left, count in census.left.items():
        view = census.views[left.now if left.finally_ is None else left.finally_]
        asked = sides((view,)) if side is None else (side,)
        total += count * any(one.state is not State.CLOSED for each in asked for one in view.of(each))
    return total


def _sockets(view: View) -> Counter[Socket]:
    return Counter((side, one.state, one.holder) for side in sides((view,)) for one in view.of(side))
