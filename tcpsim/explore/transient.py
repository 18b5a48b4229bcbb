"""The transient distribution of a chain: the probability of each state at each age of a connection.

Owns: a chain as arrays, and the forward pass in which each state carries ages and their probabilities, for
any number of loss rates together (floats) or in exact fractions. The result is a list of transitions from one
look to another. Refuses to know: what a look is (curves and sojourn_times number the states that they
distinguish), and how often connections start (growth).

States are processed by level, which is the longest path from the start in classes. So everything that reaches
a state is known before the state is processed, and equal ages of one state are merged. A cycle is followed
until `until_us`. If no look can change any more, nothing is followed. If there are more than `room` pairs of
state and age at a time, the least likely are dropped, and their probability is added to `error`. The least
likely pairs are also dropped if together they are no likelier than a tolerance. Most pairs are: of a chain
that was explored to 1e-9, nine of ten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcpsim.explore.chain import Chain
from tcpsim.explore.classes import Class, Classes, classes
from tcpsim.explore.edge_columns import Ints, columns
from tcpsim.explore.edges import Kind
from tcpsim.explore.solve import luck_of
from tcpsim.explore.step_functions import Masses

Array = NDArray[np.float64]

ROOM: Final = 50_000  # pairs of state and age in hand at once; of large chains most are next to impossible
_ROUNDS: Final = 200_000  # through the classes that go round at one level; what is left is error


class Graph(NamedTuple):
    """A chain as arrays. Edges are sorted by source: those of state s are `first[s]` to `first[s + 1]`.

    `kind` numbers how an edge comes about, `kinds` says how: segments lost and passed by class, weight.
    `stays[s]`: s is in a class that is never left, in which what is held never changes.
    """

    first: Ints
    target: Ints
    elapsed_us: Ints
    kind: Ints
    kinds: tuple[Kind, ...]
    level: Ints
    stays: NDArray[np.bool_]

    @property
    def source(self) -> Ints:
        """The source of each edge."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))


def graph(chain: Chain, parts: Classes | None = None) -> Graph:
    """The arrays of a chain; `parts` is `classes(chain)`, for whoever has it already."""
    parts = classes(chain) if parts is None else parts
    (source, target, elapsed_us, kind), kinds = columns(chain.edges)
    order = np.argsort(source, kind="stable")
    return Graph(
        first=np.searchsorted(source[order], np.arange(chain.states + 1)).astype(np.int64),
        target=target[order],
        elapsed_us=elapsed_us[order],
        kind=kind[order],
        kinds=kinds,
        level=parts.level[parts.of],
        stays=_stays(chain, parts),
    )


def _stays(chain: Chain, parts: Sequence[Class]) -> NDArray[np.bool_]:
    found = np.zeros(chain.states, dtype=np.bool_)
    cut = set(chain.cut)
    for part in parts:
        same = len({chain.view[state] for state in part.states}) == 1
        found[list(part.states)] = part.bottom and same and part.states[0] not in cut
    return found


def reaching(net: Graph, bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """For each state the bits of all states that it can come to, its own with them."""
    out = np.flatnonzero(np.diff(net.first))
    found = bits.copy()
    while True:
        before = found.copy()
        if len(out):
            found[out] |= np.bitwise_or.reduceat(found[net.target], net.first[out])
        if (found == before).all():
            return found


def _ones(each: Mapping[str, Masses]) -> Masses:
    """Certainty at each loss rate; a path that loses nothing by chance has one rate."""
    found: Masses = np.ones(1)
    for rate in each.values():
        found = rate * 0 + 1
    return found


def luck(net: Graph, each: Mapping[str, Masses]) -> Masses:
    """The probability of each kind of edge (rows) at each loss rate (columns)."""
    return luck_of(net.kinds, list(each.values()), _ones(each))


class Passages(NamedTuple):
    """Probability that passes from look `source[i]` to look `target[i]` at time `at_us[i]`, in order of time.

    `mass[i]` has a number for each loss rate. `end[look]`: the probability of each look at the end. `error`:
    how much of the probability was not followed to the end, for each rate; where it was left it stays.
    """

    at_us: Ints
    source: Ints
    target: Ints
    mass: Masses
    end: Masses
    error: Masses

    def only_at(self, times_us: Ints, until_us: int) -> Passages:
        """Fewer passages. Every curve has the same values at these times, and the same integrals up to them.

        A passage between two of these times becomes two, just after the first and at the second time: their
        mass and their mean time are those of the passage.
        """
        times_us = np.unique(np.append(times_us[(times_us >= 0) & (times_us < until_us)], until_us))
        after = np.concatenate((np.zeros(1, dtype=np.int64), times_us[:-1] + 1))
        place = np.searchsorted(times_us, self.at_us)
        looks = len(self.end)
        group = (place * looks + self.source) * looks + self.target
        order = np.argsort(group, kind="stable")
        group, place = group[order], place[order]
        first = np.flatnonzero(np.diff(group, prepend=-1))
        if not len(first):
            return self
        width = np.maximum(times_us - after, 1)[place, None]
        since = np.where((times_us > after)[place], self.at_us[order] - after[place], 1)[:, None]
        late = np.add.reduceat(self.mass[order] * since / width, first, axis=0)
        early = np.add.reduceat(self.mass[order] * (width - since) / width, first, axis=0)
        source, target = self.source[order][first], self.target[order][first]
        at_us = np.concatenate((after[place[first]], times_us[place[first]]))
        mass = np.concatenate((early, late))
        order = np.argsort(at_us, kind="stable")
        order = order[(mass[order] != 0).any(axis=1)]
        source, target = np.tile(source, 2)[order], np.tile(target, 2)[order]
        return self._replace(at_us=at_us[order], source=source, target=target, mass=mass[order])


class _Batch(NamedTuple):
    """Pairs of state and age with their probability."""

    state: Ints
    age_us: Ints
    mass: Masses

    def where(self, rows: Ints) -> _Batch:
        """Some of its pairs."""
        return _Batch(self.state[rows], self.age_us[rows], self.mass[rows])


def passages(
    net: Graph,
    chain: Chain,
    each: Mapping[str, Masses],
    look: Ints,
    until_us: int,
    *,
    counts: Ints | None = None,
    room: int = ROOM,
    tolerance: float = 0.0,
) -> Passages:
    """Every change of look up to `until_us` of a connection of this chain, with its probability.

    `look[s]` is the number of how state s looks. The clock runs `counts[s]` times as fast while a connection
    is on its way to the event of s, looking like s; 1 if `counts` is None: then the clock is its age.
    So many pairs of state and age are dropped as are together no likelier than `tolerance` at any rate.
    """
    return _Pass(net, chain, each, look, until_us, counts, room, tolerance).run()


class _Pass:
    """The pass in hand: what waits at each level, and the passages found so far."""

    def __init__(
        self,
        net: Graph,
        chain: Chain,
        each: Mapping[str, Masses],
        look: Ints,
        until_us: int,
        counts: Ints | None,
        room: int,
        tolerance: float,
    ) -> None:
        self.net, self.look, self.until_us, self.room = net, look, until_us, room
        self.allowed, self.allowance = 0.0, tolerance / (int(net.level.max()) + 1)
        self.luck = luck(net, each)
        self.elapsed_us = net.elapsed_us if counts is None else net.elapsed_us * counts[net.target]
        begin_us = chain.first_us * (1 if counts is None else int(counts[0]))
        one = _ones(each)[None]
        self.error = one[0] * 0
        changes = (look[net.source] != look[net.target]).astype(np.uint8)
        own = np.zeros(len(look), dtype=np.uint8)
        np.bitwise_or.at(own, net.source, changes)
        self.cut = np.zeros(len(look), dtype=bool)
        self.cut[list(chain.cut)] = True
        self.lively = reaching(net, own | self.cut).astype(bool)
        self.waiting: dict[int, list[_Batch]] = {}
        self.found: list[tuple[Ints, Ints, Ints, Masses]] = []
        self.end = np.zeros((int(look.max()) + 1, 1), dtype=one.dtype) * one
        first = _Batch(np.zeros(1, dtype=np.int64), np.array([begin_us], dtype=np.int64), one)
        if begin_us <= until_us:
            self.waiting[int(net.level[0])] = [first]
        else:
            self.leave(first)

    def run(self) -> Passages:
        """Every level in turn, each until nothing comes back to it."""
        for level in range(int(self.net.level.max()) + 1):
            rounds = 0
            self.allowed += self.allowance
            while level in self.waiting:
                batch = self.merged(self.waiting.pop(level))
                rounds += 1
                if rounds > _ROUNDS:
                    self.drop(batch)
                    break
                self.step(batch)
        return self.passages()

    def leave(self, batch: _Batch) -> None:
        """What is carried no further looks in the end as it does now."""
        np.add.at(self.end, self.look[batch.state], batch.mass)

    def drop(self, batch: _Batch) -> None:
        """What should have been carried further, and is not."""
        self.error = self.error + batch.mass.sum(axis=0)
        self.leave(batch)

    def merged(self, batches: Sequence[_Batch]) -> _Batch:
        """Equal ages of one state as one; the likeliest, if there are more than there is room for."""
        state = np.concatenate([each.state for each in batches])
        age_us = np.concatenate([each.age_us for each in batches])
        mass = np.concatenate([each.mass for each in batches])
        order = np.lexsort((age_us, state))
        state, age_us = state[order], age_us[order]
        new = np.ones(len(state), dtype=bool)
        new[1:] = (state[1:] != state[:-1]) | (age_us[1:] != age_us[:-1])
        first = np.flatnonzero(new)
        batch = _Batch(state[first], age_us[first], np.add.reduceat(mass[order], first, axis=0))
        if len(first) <= self.room and not self.allowed:
            return batch
        likely = batch.mass.max(axis=1)
        ranked = np.argsort(-likely, kind="stable")
        rest = np.cumsum(likely[ranked[::-1]])  # of the last one, of the last two, and so on
        keeps = len(ranked) - int(np.searchsorted(rest, self.allowed, side="right"))
        self.allowed -= float(rest[len(ranked) - keeps - 1]) if keeps < len(ranked) else 0.0
        keeps = min(keeps, self.room)
        self.drop(batch.where(ranked[keeps:]))
        return batch.where(np.sort(ranked[:keeps]))

    def step(self, batch: _Batch) -> None:
        """Along all edges of a batch: note the passages, and hand on what goes further."""
        net = self.net
        self.drop(batch.where(np.flatnonzero(self.cut[batch.state])))
        degree = net.first[batch.state + 1] - net.first[batch.state]
        row = np.repeat(np.arange(len(degree)), degree)
        edge = np.arange(len(row)) - np.repeat(np.cumsum(degree) - degree, degree)
        edge = edge + np.repeat(net.first[batch.state], degree)
        mass = batch.mass[row] * self.luck[net.kind[edge]]
        source, target, now_us = batch.state[row], net.target[edge], batch.age_us[row]
        seen = self.look[source] != self.look[target]
        self.found.append((now_us[seen], self.look[source[seen]], self.look[target[seen]], mass[seen]))
        after = _Batch(target, now_us + self.elapsed_us[edge], mass)
        goes_on = self.lively[target] & (after.age_us <= self.until_us)
        self.leave(after.where(np.flatnonzero(~goes_on)))
        level = np.where(goes_on, net.level[target], -1)
        for each in np.unique(level[goes_on]).tolist():
            self.waiting.setdefault(each, []).append(after.where(np.flatnonzero(level == each)))

    def passages(self) -> Passages:
        """All that was found, in order of time, equal ones as one."""
        nothing = np.zeros(0, dtype=np.int64)
        found = [(nothing, nothing, nothing, self.luck[:0].reshape(0, len(self.error))), *self.found]
        at_us, source, target, mass = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.lexsort((target, source, at_us))
        at_us, source, target = at_us[order], source[order], target[order]
        new = np.ones(len(order), dtype=bool)
        new[1:] = np.diff(at_us).astype(bool) | np.diff(source).astype(bool) | np.diff(target).astype(bool)
        first = np.flatnonzero(new)
        summed = np.add.reduceat(mass[order], first, axis=0) if len(first) else mass
        return Passages(at_us[first], source[first], target[first], summed, self.end, self.error)
