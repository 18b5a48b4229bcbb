"""A chain at one loss rate, with its certain steps left out: what lives are drawn from.

Owns: the nodes that are left (where chance decides, and where nothing changes any more), the ways between
them as arrays, and the likely histories of whole lives as ways out of the beginning. Refuses to know: chance
itself and when connections begin (lives), and what a look is (the caller numbers the states by their looks).

A way has a probability, a length in time, the changes of look along it, and the nodes that it passes, each
with the time of its event. An ordinary way passes no node but its last. A history is a way from the beginning
that was put together from such ways; so a life that chance would lead through ten nodes is drawn at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcpsim.explore.edge_columns import Ints
from tcpsim.explore.outlook import NEVER, Outlook
from tcpsim.explore.step_functions import Masses
from tcpsim.explore.transient import Array, Graph, reaching

NOTHING: Final = 0  # the look of a connection that is not yet born: nothing is held
MOST_HISTORIES: Final = 30_000  # put together at most; they are numbered in sixteen bits
_FOLLOWERS: Final = 200  # connections expected to have a history, for it to be worth the work

Change = tuple[int, int, int]  # time from the beginning of a way, look before, look after


class Way(NamedTuple):
    """From one node to another; `nodes` are (time from the beginning of the way, node), the last the end."""

    share: float
    changes: tuple[Change, ...]
    nodes: tuple[tuple[int, int], ...]


class Ways(NamedTuple):
    """Many ways as arrays; those of node n are `first[n]` to `first[n + 1]`, the likeliest first.

    `below[w]`: the probability of all ways of that node up to this one. The changes of way w are those from
    `first_change[w]` to `first_change[w + 1]`, its nodes likewise.
    """

    first: Ints
    share: Array
    below: Array
    target: Ints
    length_us: Ints
    first_change: Ints
    after_us: Ints
    kind: Ints  # of a change: a row of `Contracted.kinds`
    first_node: Ints
    node_us: Ints
    node: Ints


class Contracted(NamedTuple):
    """Nodes by number; node 0 is the beginning, whose event is `begin_us` after a connection's birth.

    `rests[n]`: nothing changes any more. `look[n]`: until its event. `end[n]`: the look in which it ends if
    nothing more is lost, `NEVER` if it goes on; `after_us[n]`: how long its last event comes after its next.
    `kinds` are the changes that there are: look before, look after. `cut[n]`: it was not explored.
    """

    begin_us: int
    rests: NDArray[np.bool_]
    cut: NDArray[np.bool_]
    look: Ints
    end: Ints
    after_us: Ints
    kinds: tuple[tuple[int, int], ...]
    ways: Ways
    histories: Ways


def contracted(
    net: Graph, begin_us: int, cut: Sequence[int], luck: Masses, look: Ints, ahead: Outlook, patience_us: int,
    connections: float,
) -> Contracted:  # fmt: skip
    """The nodes of a chain at one loss rate: `luck[kind]` is the probability of each kind of edge.

    A node rests when its look cannot change and its outlook is over within `patience_us`. `connections`: how
    many lives will be drawn, which says how many histories are worth putting together.
    """
    work = _Contraction(net, set(cut), luck, look, ahead, patience_us)
    ways = work.ways()
    born = ((0, NOTHING, work.look[0]),) if work.look[0] != NOTHING else ()
    beginning = Way(1.0, born, ((begin_us, 0),))
    histories = _histories(ways, beginning, work.rests_at, connections)
    kinds: dict[tuple[int, int], int] = {}
    states = np.array(work.nodes, dtype=np.int64)
    return Contracted(
        begin_us=begin_us,
        rests=np.array(work.rests_at, dtype=np.bool_),
        cut=np.isin(states, list(cut)),
        look=look[states],
        end=_end_looks(ahead, look, cut)[states],
        after_us=ahead.after_us[states],
        ways=_as_arrays(ways, kinds),
        histories=_as_arrays([histories], kinds),
        kinds=tuple(kinds),
    )


def _end_looks(ahead: Outlook, look: Ints, cut: Sequence[int]) -> Ints:
    """The look in which each state ends; what was not explored is on its way, to nothing as far as known."""
    ends = np.append(look, NEVER)
    ends[list(cut)] = NOTHING
    found: Ints = ends[ahead.end]
    return found


class _Contraction:
    """The work in hand: plain lists of the edges that are possible, and the nodes found so far."""

    def __init__(
        self, net: Graph, cut: set[int], luck: Masses, look: Ints, ahead: Outlook, patience_us: int
    ) -> None:
        share = luck[net.kind]
        possible = np.flatnonzero(share > 0)
        source = net.source
        first = np.searchsorted(source[possible], np.arange(len(look) + 1)).astype(np.int64)
        less = net._replace(first=first, target=net.target[possible])
        changes = (look[source[possible]] != look[less.target]).astype(np.uint8)
        own = np.zeros(len(look), dtype=np.uint8)
        np.bitwise_or.at(own, source[possible], changes)
        own[list(cut)] = 1
        lively = reaching(less, own).astype(bool)
        late = (ahead.end != NEVER) & (ahead.after_us > patience_us)
        lively[list(cut)] = False
        out = np.diff(first)
        rests = (~lively & ~late) | (out == 0)
        quiet = np.zeros(len(look), dtype=bool)
        some = np.flatnonzero(out == 1)
        quiet[some] = possible[first[some]] == net.first[some]
        self.first, self.target = first.tolist(), less.target.tolist()
        self.share, self.elapsed_us = share[possible].tolist(), net.elapsed_us[possible].tolist()
        self.look, self.rests = look.tolist(), rests.tolist()
        self.certain = (quiet & ~rests).tolist()
        self.certain[0] = False
        self._break_circles()
        self.number = {0: 0}
        self.nodes = [0]
        self.rests_at = [self.rests[0]]

    def _break_circles(self) -> None:
        """Where certain steps go round, one state of each circle stays a node."""
        seen = [0] * len(self.look)
        for turn, begin in enumerate(range(len(self.look)), 1):
            state = begin
            while self.certain[state] and not seen[state]:
                seen[state] = turn
                state = self.target[self.first[state]]
            if self.certain[state] and seen[state] == turn:
                self.certain[state] = False

    def ways(self) -> list[list[Way]]:
        """The ways out of each node, the likeliest first; nodes are found on the way."""
        found = []
        for state in self.nodes:  # grows on the way
            edges = range(self.first[state], self.first[state + 1])
            mine = [] if self.rests[state] else [self._way(state, edge) for edge in edges]
            found.append(sorted(mine, key=lambda way: -way.share))
        return found

    def _way(self, state: int, edge: int) -> Way:
        share, after_us, changes = self.share[edge], 0, []
        while True:
            target = self.target[edge]
            if self.look[state] != self.look[target]:
                changes.append((after_us, self.look[state], self.look[target]))
            after_us += self.elapsed_us[edge]
            if not self.certain[target]:
                break
            state, edge = target, self.first[target]
        return Way(share, tuple(changes), ((after_us, self._node(target)),))

    def _node(self, state: int) -> int:
        number = self.number.setdefault(state, len(self.nodes))
        if number == len(self.nodes):
            self.nodes.append(state)
            self.rests_at.append(self.rests[state])
        return number


def _histories(
    ways: Sequence[Sequence[Way]], beginning: Way, rests: Sequence[bool], connections: float
) -> list[Way]:
    """Whole lives, or the likely beginnings of them, from birth on; together they have probability 1."""
    done: list[Way] = []
    open_: list[tuple[float, int, Way]] = []
    serial = 0
    heappush(open_, (-1.0, serial, beginning))
    while open_ and len(done) + len(open_) < MOST_HISTORIES:
        rank, _, way = heappop(open_)
        length_us, node = way.nodes[-1]
        if -rank * connections < _FOLLOWERS and serial:
            done.append(way)
            break
        if rests[node]:
            done.append(way)
            continue
        for each in ways[node]:
            serial += 1
            longer = Way(
                way.share * each.share,
                way.changes + tuple([(length_us + us, old, new) for us, old, new in each.changes]),
                way.nodes + tuple([(length_us + us, after) for us, after in each.nodes]),
            )
            heappush(open_, (-longer.share, serial, longer))
    return done + [way for _, _, way in sorted(open_, key=lambda each: each[:2])]


def _as_arrays(ways: Sequence[Sequence[Way]], kinds: dict[tuple[int, int], int]) -> Ways:
    every = [way for mine in ways for way in mine]
    below = [share for mine in ways for share in np.cumsum([way.share for way in mine]).tolist()]
    return Ways(
        first=_starts(len(mine) for mine in ways),
        share=np.array([way.share for way in every]),
        below=np.array(below),
        target=_ints(way.nodes[-1][1] for way in every),
        length_us=_ints(way.nodes[-1][0] for way in every),
        first_change=_starts(len(way.changes) for way in every),
        after_us=_ints(us for way in every for us, _, _ in way.changes),
        kind=_ints(kinds.setdefault((old, new), len(kinds)) for way in every for _, old, new in way.changes),
        first_node=_starts(len(way.nodes) for way in every),
        node_us=_ints(us for way in every for us, _ in way.nodes),
        node=_ints(node for way in every for _, node in way.nodes),
    )


def _ints(values: Iterable[int]) -> Ints:
    return np.array(list(values), dtype=np.int64)


def _starts(counts: Iterable[int]) -> Ints:
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(_ints(counts))))
