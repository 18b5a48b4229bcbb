"""Lives drawn from a chain, many at a time: what changes when, and how each connection stands at the end.

Owns: the draw. Each connection takes a history out of those that were put together, and goes on from its end,
node by node, in lock-step with all others that are not done. Refuses to know: when connections begin, what a
look holds, and who is refused (measure.sampled_census).

Two ways to count. `counted` keeps how many changes of each kind fall between two times of a grid; what many
connections have in common is counted for all of them together. `listed` gives every change of every
connection, for whoever has to decide which connections there are.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcpsim.explore.contracted import Contracted, Ways
from tcpsim.explore.edge_columns import Ints
from tcpsim.explore.outlook import NEVER
from tcpsim.explore.transient import Array

CHUNK: Final = 1 << 17  # connections in hand at once
_FEW: Final = 16  # a share of a chunk this small waits for the next one


class Horizon(NamedTuple):
    """Until when is watched, how long after that an outlook may take, and the grid.

    There are `fine` times of the grid in each `every_us`, in whole microseconds.
    """

    at_us: int
    patience_us: int
    every_us: int
    fine: int = 1

    @property
    def bins(self) -> int:
        """Times of the grid, from 0 on; one more stands for what comes later."""
        return self.at_us // self.every_us * self.fine + 1

    def place(self, at_us: Ints) -> Ints:
        """The first time of the grid that is not before."""
        return ((at_us - 1) * self.fine) // self.every_us + 1

    def time_us(self, place: Ints) -> Ints:
        """A time of the grid."""
        return -((-place * self.every_us) // self.fine)


class Left(NamedTuple):
    """Connections by how they look at the horizon and how they end if nothing more is lost (`NEVER`)."""

    look: Ints
    end: Ints


class Listed(NamedTuple):
    """Every change up to the horizon, in no order, and how each connection stands then (`row`: whose)."""

    row: Ints
    at_us: Ints
    kind: Ints
    left: Left


class _Walkers(NamedTuple):
    """Connections at nodes: the time of the node's event, and how they look until then."""

    row: Ints
    at_us: Ints
    node: Ints
    look: Ints

    def where(self, some: Ints | NDArray[np.bool_]) -> _Walkers:
        return _Walkers(*[column[some] for column in self])


class Lives:
    """Connections of one contracted chain. `unexplored` counts those that came to where nobody looked."""

    def __init__(self, chain: Contracted, horizon: Horizon, luck: np.random.Generator) -> None:
        self.chain, self.horizon, self.luck = chain, horizon, luck
        self.counts = np.zeros((len(chain.kinds), horizon.bins + 1), dtype=np.int64)
        self.left: Counter[tuple[int, int]] = Counter()
        self.unexplored = 0
        self._after = np.array([new for _, new in chain.kinds], dtype=np.int64)
        self._alias = _alias(chain.histories.share)
        self._waiting: list[_Walkers] = []

    def counted(self, born_us: Ints) -> None:
        """Connections born at these times, in order, are counted; `finish` comes last."""
        way = self._histories(len(born_us))
        order = np.argsort(way.astype(np.uint16), kind="stable")
        way, born_us = way[order], born_us[order]
        apart = self._together(way, born_us)
        nobody = np.zeros(int(apart.sum()), dtype=np.int64)
        walkers = _Walkers(nobody, born_us[apart], nobody, nobody)
        self._waiting.append(self._counted_step(walkers, self.chain.histories, way[apart]))
        self._walk(len(born_us) // _FEW)

    def finish(self) -> None:
        """Everybody goes on to the horizon."""
        self._walk(0)

    def listed(self, born_us: Ints) -> Listed:
        """The changes of connections born at these times, in any order."""
        count = len(born_us)
        left = Left(np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64))
        rows = np.arange(count)
        walkers = _Walkers(rows, born_us, rows * 0, rows * 0)
        ways, way = self.chain.histories, self._histories(count)
        found: list[tuple[Ints, Ints, Ints]] = []
        while len(walkers.row):
            at, row, kind = self._changes(walkers, ways, way)
            found.append((walkers.row[row], at, kind))
            walkers, done = self._arrive(walkers, ways, way, row, kind)
            for where, look, end in done:
                left.look[where], left.end[where] = look, end
            ways = self.chain.ways
            way = self._choose(walkers.node)
        nothing = np.zeros(0, dtype=np.int64)
        row, at, kind = (np.concatenate(each) for each in zip((nothing,) * 3, *found, strict=True))
        return Listed(row, at, kind, left)

    def count(self, at_us: Ints, kind: Ints) -> None:
        """Changes of these kinds at these times fall between times of the grid."""
        bins = self.counts.shape[1]
        place = kind * bins + np.minimum(self.horizon.place(at_us), self.horizon.bins)
        if self.counts.size <= 4 * len(place):
            self.counts += np.bincount(place, minlength=self.counts.size).reshape(self.counts.shape)
        else:
            np.add.at(self.counts.reshape(-1), place, 1)

    def leave(self, look: Ints, end: Ints) -> None:
        """These connections stand at the horizon."""
        pairs = np.unique(look << 32 | end + 1, return_counts=True)
        for pair, count in zip(*(each.tolist() for each in pairs), strict=True):
            self.left[pair >> 32, (pair & 0xFFFFFFFF) - 1] += count

    def _histories(self, count: int) -> Ints:
        """A history for each of so many connections (Walker 1977: one number decides in a table)."""
        keep, other = self._alias
        drawn = self.luck.random(count) * len(keep)
        place = drawn.astype(np.int64)
        drawn -= place
        return np.where(drawn < keep[place], place, other[place])

    def _choose(self, node: Ints) -> Ints:
        """A way out of each node."""
        ways = self.chain.ways
        drawn = self.luck.random(len(node))
        way = ways.first[node]
        last = ways.first[node + 1] - 1
        some = np.flatnonzero(drawn >= ways.below[way])
        while len(some):
            some = some[way[some] < last[some]]
            way[some] += 1
            some = some[drawn[some] >= ways.below[way[some]]]
        return way

    def _together(self, way: Ints, born_us: Ints) -> NDArray[np.bool_]:
        """Count what has many followers, all of whom come to its end; True for those who are left.

        Births are in order within each way. What falls between two times of the grid is then a difference of
        two places among them, whatever their number.
        """
        ways, horizon = self.chain.histories, self.horizon
        numbers = np.bincount(way, minlength=len(ways.share))
        stop = np.cumsum(numbers)
        apart = np.ones(len(way), dtype=np.bool_)
        for number in np.flatnonzero(numbers > 32).tolist():
            low, high = int(stop[number] - numbers[number]), int(stop[number])
            born = born_us[low:high]
            changes = slice(ways.first_change[number], ways.first_change[number + 1])
            after_us, kind = ways.after_us[changes], ways.kind[changes]
            span = int((born[-1] - born[0]) * horizon.fine // horizon.every_us) + 2
            worth = high - low > 1_000 // max(len(kind), 1) + 7 * span
            if not worth or born[-1] + ways.length_us[number] > horizon.at_us:
                continue
            place = horizon.place(born[0] + after_us)[:, None] + np.arange(span)
            before = np.searchsorted(born, horizon.time_us(place) - after_us[:, None], side="right")
            np.add.at(
                self.counts,
                (kind[:, None], np.minimum(place, horizon.bins)),
                np.diff(before, axis=1, prepend=0),
            )
            apart[low:high] = False
            self._at_end(int(ways.target[number]), born, int(ways.length_us[number]))
        return apart

    def _at_end(self, node: int, born_us: Ints, length_us: int) -> None:
        """All of these have come to the same node."""
        chain = self.chain
        if chain.rests[node]:
            self.left[int(chain.look[node]), int(chain.end[node])] += len(born_us)
            self.unexplored += len(born_us) * bool(chain.cut[node])
            return
        same = np.zeros(len(born_us), dtype=np.int64)
        self._waiting.append(_Walkers(same, born_us + length_us, same + node, same + chain.look[node]))

    def _walk(self, few: int) -> None:
        """Those who wait go on, until at most `few` are left."""
        walkers = _Walkers(*map(np.concatenate, zip(*self._waiting, strict=True))) if self._waiting else None
        while walkers is not None and len(walkers.row) > few:
            walkers = self._counted_step(walkers, self.chain.ways, self._choose(walkers.node))
        self._waiting = [] if walkers is None else [walkers]

    def _counted_step(self, walkers: _Walkers, ways: Ways, way: Ints) -> _Walkers:
        at, row, kind = self._changes(walkers, ways, way)
        self.count(at, kind)
        walkers, done = self._arrive(walkers, ways, way, row, kind)
        for _, look, end in done:
            self.leave(look, end)
        return walkers

    def _changes(self, walkers: _Walkers, ways: Ways, way: Ints) -> tuple[Ints, Ints, Ints]:
        """Times, places in `walkers` and kinds of the changes along these ways, up to the horizon."""
        row, place = _ragged(ways.first_change, way)
        at_us = walkers.at_us[row] + ways.after_us[place]
        kind = ways.kind[place]
        if len(at_us) and at_us.max() > self.horizon.at_us:
            seen = at_us <= self.horizon.at_us
            at_us, row, kind = at_us[seen], row[seen], kind[seen]
        return at_us, row, kind

    def _arrive(
        self, walkers: _Walkers, ways: Ways, way: Ints, row: Ints, kind: Ints
    ) -> tuple[_Walkers, list[tuple[Ints, Ints, Ints]]]:
        """Who goes on, and of the others whose row it was, how they look and how they would end."""
        chain, horizon_us = self.chain, self.horizon.at_us
        look = walkers.look.copy()
        if len(row):
            last = np.flatnonzero(np.diff(row, append=-1))  # changes come in order
            look[row[last]] = self._after[kind[last]]
        target, at_us = ways.target[way], walkers.at_us + ways.length_us[way]
        late = at_us > horizon_us
        still = chain.rests[target] & ~late
        done = []
        if still.any():
            node = target[still]
            self.unexplored += int(chain.cut[node].sum())
            done.append((walkers.row[still], look[still], chain.end[node]))
        if late.any():
            some = walkers.where(late)
            which, place = _ragged(ways.first_node, way[late])
            past = np.bincount(
                which[some.at_us[which] + ways.node_us[place] <= horizon_us], minlength=len(some.row)
            )
            place = ways.first_node[way[late]] + past
            node, next_us = ways.node[place], some.at_us + ways.node_us[place]
            over = next_us + chain.after_us[node] <= horizon_us + self.horizon.patience_us
            done.append((some.row, look[late], np.where(over, chain.end[node], NEVER)))
        on = ~(still | late)
        return _Walkers(walkers.row[on], at_us[on], target[on], look[on]), done


def _ragged(first: Ints, which: Ints) -> tuple[Ints, Ints]:
    """All places from `first[w]` to `first[w + 1]` for each w in `which`, and whose they are."""
    begin = first[which]
    count = first[which + 1] - begin
    row = np.repeat(np.arange(len(which)), count)
    return row, np.arange(len(row)) + np.repeat(begin - np.cumsum(count) + count, count)


def _alias(share: Array) -> tuple[Array, Ints]:
    """For each place the probability to stay in it, and where to go otherwise."""
    count = len(share)
    keep = (share * (count / share.sum())).tolist()
    other = list(range(count))
    small = [place for place in range(count) if keep[place] < 1.0]
    large = [place for place in range(count) if keep[place] >= 1.0]
    while small and large:
        place, giver = small.pop(), large[-1]
        other[place] = giver
        keep[giver] -= 1.0 - keep[place]
        if keep[giver] < 1.0:
            small.append(large.pop())
    for place in small + large:
        keep[place] = 1.0
    return np.array(keep), np.array(other, dtype=np.int64)
