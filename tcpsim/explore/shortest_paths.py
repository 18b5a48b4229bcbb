"""The likeliest path to an end and the path with the fewest losses, as rules that a run can replay.

Owns: the search, and the conversion of the lost segments on a path into drop rules ("server #7"). Refuses to
know: which end is of interest (leaks), and how a ladder is drawn (draw).

If each edge has a probability, the likeliest path is the shortest path by -log p (Dijkstra). A path is found
among merged states, whose times are not those of one run. So it is followed once more from the start, and the
lost segments on it are counted among those that their sender sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from math import exp, log
from typing import NamedTuple

import networkx as nx  # type: ignore[import-untyped]

from tcpsim.explore.branch import Branch, Crossing, added, in_full
from tcpsim.explore.chain import Chain, Stepper
from tcpsim.explore.edges import Edge
from tcpsim.pair import SIDES, Event, Lost, Pair, Sent, Side
from tcpsim.path.path import Flight

_LOSS_COUNTS = 1_000_000.0  # a loss outweighs any number of other steps


class Way(NamedTuple):
    """How an end comes about: `drops` for `tcpsim run --drop`, what programs and the path chose besides.

    `probability` is of this one way, at the loss it was asked for.
    """

    drops: tuple[str, ...]
    chosen: tuple[str, ...]
    probability: float


class Ways:
    """The ways into the ends of a chain, where every class of loss has the rate `loss`.

    The search is for all ends at once, and made when it is first asked for.
    """

    def __init__(self, chain: Chain, loss: float) -> None:
        """
        Raises:
            ValueError: `loss` is not inside (0, 1).
        """
        if not 0.0 < loss < 1.0:
            raise ValueError(f"loss {loss}: a number between 0 and 1")
        self.chain, self.loss = chain, loss

    def likeliest(self, ends: Sequence[int | Edge]) -> Way:
        """The likeliest way into one of `ends`; an edge among these is to be taken as the last step.

        Raises:
            ValueError: nothing leads to `ends`.
        """
        return self._way(self._by_likelihood, ends)

    def fewest_losses(self, ends: Sequence[int | Edge]) -> Way:
        """A way into one of `ends` that loses as few segments as possible; the likeliest of these.

        Raises:
            ValueError: nothing leads to `ends`.
        """
        return self._way(self._by_losses, ends)

    @cached_property
    def _by_likelihood(self) -> _Search:
        return _Search(self.chain, lambda edge: _rarity(edge, self.loss))

    @cached_property
    def _by_losses(self) -> _Search:
        return _Search(self.chain, lambda edge: _LOSS_COUNTS * sum(edge.lost) + _rarity(edge, self.loss))

    def _way(self, search: _Search, ends: Sequence[int | Edge]) -> Way:
        return _way(self.chain, search.path(ends), self.loss)


def first_found(chain: Chain, ends: Sequence[int | Edge]) -> Way:
    """The way by which one of `ends` was first come to: of all those merged, the one that was looked at.

    Where states are merged that are not alike in all (`anyorder`), only this one can be walked again.
    """
    into: dict[int, Edge] = {}
    for edge in chain.edges:
        if edge.target:
            into.setdefault(edge.target, edge)

    def path(end: int | Edge) -> list[Edge]:
        back = [end] if isinstance(end, Edge) else [] if end == 0 else [into[end]]
        while back and back[-1].source:
            back.append(into[back[-1].source])
        return back[::-1]

    return _way(chain, min(map(path, ends), key=len), 0.5)


def _rarity(edge: Edge, loss: float) -> float:
    """Minus the logarithm of an edge's probability."""
    return -(sum(edge.lost) * log(loss) + sum(edge.passed) * log(1.0 - loss) + log(edge.weight))


class _Search:
    """The cheapest path from the beginning to every state."""

    def __init__(self, chain: Chain, cost: Callable[[Edge], float]) -> None:
        self.cost = cost
        self.graph = nx.DiGraph()
        self.graph.add_node(0)
        for edge in chain.edges:
            price = max(cost(edge), 0.0)
            known = self.graph.get_edge_data(edge.source, edge.target)
            if known is None or price < known["price"]:
                self.graph.add_edge(edge.source, edge.target, price=price, edge=edge)
        self.before, self.price = nx.dijkstra_predecessor_and_distance(self.graph, 0, weight="price")

    def path(self, ends: Sequence[int | Edge]) -> list[Edge]:
        """The edges of the cheapest path to one of `ends`."""
        found = [
            (self.price[end.source] + max(self.cost(end), 0.0), end.source, [end])
            if isinstance(end, Edge)
            else (self.price[end], end, [])
            for end in ends
            if (end.source if isinstance(end, Edge) else end) in self.price
        ]
        if not found:
            raise ValueError("nothing leads to this end")
        _, state, path = min(found, key=lambda each: each[:2])
        while state:
            before = self.before[state][0]
            path.append(self.graph.edges[before, state]["edge"])
            state = before
        return path[::-1]


def _way(chain: Chain, edges: Sequence[Edge], loss: float) -> Way:
    walk = _Walk(chain.steps)
    rarity = 0.0
    for edge in _steps(chain, edges):
        walk.along(chain, edge)
        rarity += _rarity(edge, loss)
    return Way(walk.rules(), tuple(walk.chosen), exp(-rarity))


def _steps(chain: Chain, edges: Sequence[Edge]) -> Iterator[Edge]:
    """The same way with one edge for each step, whose parts may have been edges of their own."""
    begun = None
    for edge in edges:
        if begun is not None:
            lost, passed = added(begun.lost, edge.lost), added(begun.passed, edge.passed)
            edge = edge._replace(
                source=begun.source, lost=lost, passed=passed, weight=begun.weight * edge.weight
            )
        begun = edge if edge.target in chain.parts else None
        if begun is None:
            yield edge
    if begun is not None:
        yield begun


class _Walk:
    """One connection that takes given edges, and what was lost of what it sent."""

    def __init__(self, steps: Stepper[Pair]) -> None:
        self.steps = steps
        self.pair: Pair = steps.start
        self.sent: dict[tuple[int, Side], list[Sent]] = {}  # by path, and which end of it
        self.lost: dict[tuple[int, Side], list[int]] = {}
        names = self.pair.names
        for leg in range(len(names) - 1):
            for end in SIDES:
                self.sent[leg, end], self.lost[leg, end] = [], []
        self.left = dict(enumerate(names[:-1]))  # who is the client of each path
        self.chosen: list[str] = []

    def along(self, chain: Chain, edge: Edge) -> None:
        """Take the branch that is this edge: the same losses, a state that looks and rests the same.

        Of an edge into a part of a step: a branch in this part, on which nothing more is lost.
        """
        events: list[Event] = []
        whole = edge.target not in chain.parts
        for branch in in_full(self.steps.branches(self.pair, events.append), edge.lost, edge.passed):
            same = branch.lost == edge.lost and (branch.passed == edge.passed or not whole)
            if same and (not whole or chain.number(branch.pair) == edge.target):
                self._note(branch, events)
                return
            events.clear()
        raise LookupError(f"state {edge.source} has no such way to {edge.target}")

    def _note(self, branch: Branch[Pair], events: Sequence[Event]) -> None:
        for flight in branch.dropped:
            self._drop(flight)
        for event in events:
            if not isinstance(event, Sent | Lost):
                continue
            way = event.leg, SIDES[event.side != self.left[event.leg]]
            if isinstance(event, Sent):
                self.sent[way].append(event)
                if not event.arrives_us:
                    self.lost[way].append(len(self.sent[way]))
            elif ": " in event.why:  # a middlebox stopped it, and will again
                self.lost[way].remove(len(self.sent[way]))
        self.chosen += branch.chosen
        self.pair = branch.pair

    def _drop(self, flight: Flight | Crossing) -> None:
        """Which of its sender's segments this was: the first that is not lost yet and arrives then."""
        leg, receiver = (flight.leg, flight.end) if isinstance(flight, Crossing) else (0, flight.receiver)
        way = leg, SIDES[receiver == "client"]
        for number, event in enumerate(self.sent[way], 1):
            this = flight.due_us in event.arrives_us and event.segment == flight.segment
            if this and number not in self.lost[way]:
                self.lost[way].append(number)
                return
        raise LookupError("a segment was lost that was never sent")

    def rules(self) -> tuple[str, ...]:
        """One rule for each sender that lost something."""
        return tuple(
            f"{f'leg {leg + 1}: ' * (leg > 0)}{end} #{','.join(map(str, sorted(numbers)))}"
            for (leg, end), numbers in self.lost.items()
            if numbers
        )
