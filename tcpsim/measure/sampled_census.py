"""The census of a population whose lives are drawn from an explored chain instead of run.

Owns: how a look of the chain counts in a census, the counts over time by side, state and holder, and who is
refused where a limit does nothing but refuse. Refuses to know: how lives are drawn (explore.lives), how they
begin (births), and tables of other censuses.

It can stand for a run where connections share nothing. A limit that a run would not have met is nothing that
they share; `may_meet` bounds from above what was used, so that this can be known. Descriptors and ports of
clients are different: who finds none is not born, and nothing else changes. That is applied in the order of
arrivals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from typing import Final, NamedTuple

import numpy as np

from tcpsim.explore.branch import View as Pairview
from tcpsim.explore.chain import Chain
from tcpsim.explore.contracted import Contracted, contracted
from tcpsim.explore.edge_columns import Ints
from tcpsim.explore.lives import CHUNK, Horizon, Listed, Lives
from tcpsim.explore.loss_rates import rates
from tcpsim.explore.outlook import NEVER, outlook
from tcpsim.explore.transient import graph, luck
from tcpsim.host.census import Left
from tcpsim.host.limits import RESOURCES, HostLimits, Limits
from tcpsim.host.population import Arrivals
from tcpsim.host.socket_accounting import NOTHING, Seen, Usage, View, Work, pages, usage
from tcpsim.measure.births import births
from tcpsim.pair import SIDES, Side
from tcpsim.tcp.stack import Stack

REFUSING: Final = ("descriptors",)  # of a client: it is not born
_BETWEEN: Final = 300  # births between two times at which is counted
_MOST_TIMES: Final = 50_000  # at which is counted, unless more are asked for
_PATIENCE_US: Final = 86_400_000_000


class SampledCensus(NamedTuple):
    """What was counted. `counts[k]`: changes of kind k (views before and after) by the time of a finer grid.

    `at_us` is the grid. `unexplored`: how many connections came to a state that was not explored, and stay
    in the counts as they looked there.
    """

    views: list[View]
    left: Counter[Left]
    connections: int
    refused: Counter[str]
    first_met_us: dict[str, int]
    kinds: tuple[tuple[int, int], ...]
    counts: Ints
    at_us: Ints
    unexplored: int
    states: int

    def totals(self, worth: Sequence[int]) -> Ints:
        """The sum over all connections, at the times of the grid; `worth` is what each view counts for."""
        rise = np.array([worth[new] - worth[old] for old, new in self.kinds], dtype=np.int64)
        fine = (self.counts.shape[1] - 2) // max(len(self.at_us) - 1, 1)
        found: Ints = np.cumsum(rise @ self.counts)[:-1][:: max(fine, 1)]
        return found

    def at_most(self, worth: Sequence[int]) -> int:
        """More than this the sum never was, between the times of the grid either."""
        rise = np.array([worth[new] - worth[old] for old, new in self.kinds], dtype=np.int64)
        steps = rise @ self.counts
        up = np.maximum(rise, 0) @ self.counts
        return int((np.cumsum(steps) - steps + up).max(initial=0))


def sampled(
    chain: Chain,
    losses: Mapping[str, Sequence[float]],
    arrivals: Arrivals,
    settle_us: int = 0,
    seed: int = 1,
    every_us: int = 1_000_000,
    limits: Limits | None = None,
) -> SampledCensus:
    """Draw a population: `losses` has one rate for each class of loss of the chain.

    Raises:
        InputError: see `rates`.
    """
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 1])))
    coming = births(arrivals, np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 0]))), CHUNK)
    if arrivals.for_us is None:  # the horizon is known when the last has come
        every_birth = list(coming)
        last_us = int(every_birth[-1][-1]) if every_birth else 0
        coming = iter(every_birth)
    else:
        last_us = arrivals.for_us
    at_us = last_us + settle_us
    fine = _fine(arrivals.expected(), at_us // every_us + 1)
    horizon = Horizon(at_us, max(at_us, _PATIENCE_US), every_us, fine)
    views, ways = _contracted(chain, losses, horizon, arrivals.expected())
    lives = Lives(ways, horizon, generator)
    door = _Door(None if limits is None else limits.client, views, ways.kinds)
    connections = 0
    for born_us in coming:
        connections += len(born_us)
        if door.open:
            lives.counted(born_us)
        else:
            door.admit(lives, born_us)
    lives.finish()
    left = Counter(
        {
            Left(now, None if end == NEVER else end): count
            for (now, end), count in lives.left.items()
            if views[now] != NOTHING
        }
    )
    grid = np.arange(at_us // every_us + 1, dtype=np.int64) * every_us
    return SampledCensus(
        views, left, connections, door.refused, door.first_met_us, ways.kinds, lives.counts, grid,
        lives.unexplored, chain.states,
    )  # fmt: skip


def _fine(connections: float, times: int) -> int:
    """How many times to count for one that is asked for, so that `at_most` is near what was used."""
    return max(1, min(int(connections / _BETWEEN / times), _MOST_TIMES // times))


def _contracted(
    chain: Chain, losses: Mapping[str, Sequence[float]], horizon: Horizon, connections: float
) -> tuple[list[View], Contracted]:
    """The views of a census, and the chain to draw from, its looks numbered by them."""
    stacks = stacks_of(chain)
    numbers: dict[View, int] = {NOTHING: 0}
    known: dict[Pairview, int] = {}
    look = []
    for held in chain.view:
        if held not in known:
            known[held] = numbers.setdefault(as_view(held, stacks), len(numbers))
        look.append(known[held])
    net = graph(chain)
    ways = contracted(
        net, chain.first_us, chain.cut, luck(net, rates(chain, losses))[:, 0],
        np.array(look, dtype=np.int64), outlook(net), horizon.patience_us, connections,
    )  # fmt: skip
    return list(numbers), ways


def as_view(held: Pairview, stacks: Sequence[Stack]) -> View:
    """What a population's host sees of a state of the chain.

    Whether a program has read the peer's FIN is not known there: it counts as unread, so that pages are at
    most these. Nor is known who keeps a worker.
    """
    sides = []
    for side, stack in zip(held, stacks, strict=True):
        counts = stack.memory.page
        seen = [
            Seen(
                one.state,
                one.holder,
                one.fd,
                one.bytes(stack.memory),
                pages(one, stack, True) if counts else 0,
            )
            for one in side
        ]
        sides.append(tuple(sorted(seen)))
    return View(sides[0], sides[1], Work.IDLE)


def stacks_of(chain: Chain) -> tuple[Stack, Stack]:
    """The client's and the server's."""
    start = chain.steps.start
    return start.client.system.end.stack, start.server.system.end.stack


def may_meet(found: SampledCensus, limits: Limits) -> str | None:
    """A limit that such a run may have met, other than those that only refuse; None: certainly none."""
    for side in SIDES:
        for resource in RESOURCES[side]:
            limit = getattr(limits.of(side), resource)
            if limit is None or (side == "client" and resource in REFUSING):
                continue
            if found.at_most(_used(found.views, side, resource)) >= limit:
                return f"{side} {resource}"
    return None


def _used(views: Sequence[View], side: Side, resource: str) -> list[int]:
    place = Usage._fields.index(resource)
    return [usage(view, side)[place] for view in views]


class _Door:
    """The host that all clients share, as far as it refuses: who finds no descriptor or no port."""

    def __init__(
        self, client: HostLimits | None, views: Sequence[View], kinds: Sequence[tuple[int, int]]
    ) -> None:
        self.limits = {name: getattr(client, name) for name in REFUSING if client is not None}
        self.limits = {name: limit for name, limit in self.limits.items() if limit is not None}
        worth = {name: _used(views, "client", name) for name in self.limits}
        self.rise = {
            name: np.array([each[new] - each[old] for old, new in kinds], dtype=np.int64)
            for name, each in worth.items()
        }
        self.used = dict.fromkeys(self.limits, 0)
        self.due: list[tuple[int, int, tuple[int, ...]]] = []
        self.serial = 0
        self.refused: Counter[str] = Counter()
        self.first_met_us: dict[str, int] = {}

    @property
    def open(self) -> bool:
        """Nobody is refused."""
        return not self.limits

    def admit(self, lives: Lives, born_us: Ints) -> None:
        """Draw a life for each of these, and count those who are let in."""
        listed = lives.listed(born_us)
        let_in = self._let_in(born_us, listed)
        some = let_in[listed.row]
        lives.count(listed.at_us[some], listed.kind[some])
        lives.leave(listed.left.look[let_in], listed.left.end[let_in])

    def _let_in(self, born_us: Ints, listed: Listed) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Each in turn, after all that was given back up to then."""
        rises = np.array([self.rise[name][listed.kind] for name in self.limits]).T.reshape(
            -1, len(self.limits)
        )
        some = np.flatnonzero(rises.any(axis=1))
        some = some[np.lexsort((listed.at_us[some], listed.row[some]))]
        begin = np.searchsorted(listed.row[some], np.arange(len(born_us) + 1)).tolist()
        at_us, rise = listed.at_us[some].tolist(), [tuple(each) for each in rises[some].tolist()]
        found = np.zeros(len(born_us), dtype=np.bool_)
        for number, now_us in enumerate(born_us.tolist()):
            self._until(now_us)
            full = [name for name, limit in self.limits.items() if self.used[name] >= limit]
            if full:
                self.refused[f"client {full[0]}"] += 1
                continue
            found[number] = True
            for place in range(begin[number], begin[number + 1]):
                self.serial += 1
                heappush(self.due, (at_us[place], self.serial, rise[place]))
            self._until(now_us)
        return found

    def _until(self, now_us: int) -> None:
        while self.due and self.due[0][0] <= now_us:
            at_us, _, rise = heappop(self.due)
            for name, by in zip(self.limits, rise, strict=True):
                self.used[name] += by
                if by > 0 and self.used[name] >= self.limits[name]:
                    self.first_met_us.setdefault(f"client {name}", at_us)
