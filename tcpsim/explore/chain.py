"""Every future of a pair, states that are equal but for the clock taken together.

Owns: the exploration, its limit, and the graph that comes out: states by number, edges that carry how many
segments of each class were lost and passed, the probability of everything else, and the time they take.
Refuses to know: any loss rate (solve puts them in, as many at once as one likes) and what an end is (leaks).

A state is a pair that rests until its next event. An edge takes the time from that event to the next state's
event, during which the pair looks like the next state. States are explored in the order of the likeliest way
to them at `reference` losses; what is left when `limit` states are known is the least likely, and how likely
it is at each loss rate bounds the error there.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from heapq import heappop, heappush
from math import log
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from tcpsim.errors import InputError
from tcpsim.explore.apart import apart
from tcpsim.explore.branch import Branch, LossClass, Steps, View
from tcpsim.pair import Event, Log, Pair

LIMIT: Final = 250_000
# Loss at which states are ranked, should there be too many. It serves at higher losses as well (measured up
# to 50 %): a larger one puts short ways of many losses before the long way without any.
REFERENCE: Final = 0.05
_MOST_BRANCHES: Final = 1024  # of one step; what sends more than ten segments at once has a state cut off


class Edge(NamedTuple):
    """One way from a state to another; `lost` and `passed` by class."""

    source: int
    target: int
    elapsed_us: int
    lost: tuple[int, ...]
    passed: tuple[int, ...]
    weight: float


class Resting(Protocol):
    """Whatever stands for a pair: it rests until its next event."""

    @property
    def next_us(self) -> int | None: ...


_State = TypeVar("_State", bound=Resting)
_Seen = TypeVar("_Seen", contravariant=True)


class Stepper(Protocol[_State]):
    """The futures of one pair, step by step: `branch.Steps`, or another idea of what may come next."""

    start: _State
    classes: list[LossClass]

    def key(self, state: _State, /) -> Hashable: ...

    def view(self, state: _State, /) -> View: ...

    def branches(self, state: _State, /, log: Log | None = None) -> Iterator[Branch[_State]]: ...


class Watch(Protocol[_Seen]):
    """Whoever looks on while a pair is explored: at each new state, and at each way out of one."""

    def state(self, number: int, pair: _Seen, /) -> None: ...

    def step(self, edge: Edge, before: _Seen, events: Sequence[Event], /) -> None: ...


class Chain(NamedTuple):
    """The graph. State 0 is the beginning; `view[n]` is what is held until state n's event.

    `rests[n]`: nothing is due in state n, for ever. `cut`: states whose futures were not explored.
    `first_us` is the time of the first event. `numbers` finds the state of a pair (`number`).
    """

    steps: Stepper[Pair]
    classes: tuple[LossClass, ...]
    view: tuple[View, ...]
    rests: tuple[bool, ...]
    edges: tuple[Edge, ...]
    cut: tuple[int, ...]
    first_us: int
    numbers: Mapping[Hashable, int]

    def number(self, pair: Pair) -> int | None:
        """The state that a pair of this chain is in; None: one that was not come to."""
        return self.numbers.get(self.steps.key(pair))

    @property
    def states(self) -> int:
        """How many states there are."""
        return len(self.view)


def explore(
    pair: Pair,
    limit: int = LIMIT,
    reference: float = REFERENCE,
    watch: Watch[Pair] | None = None,
    steps: Callable[[Pair], Stepper[Pair]] = Steps,
) -> Chain:
    """Every future of `pair`, up to `limit` states; `watch` sees each state, and the events of each step.

    Raises:
        InputError: the pair has no event, a time is drawn from a continuous distribution, or `limit` < 1.
    """
    if limit < 1:
        raise InputError("limit", limit, "at least 1 state")
    if pair.next_us is None:
        raise InputError("explore", "a pair at rest", "a pair with a next event")
    pairs = steps(pair)
    unheard = apart(pairs) if watch is None else None
    if unheard is not None:
        return _Exploration(unheard, limit, reference, None).chain(pairs, pair.next_us)
    return _Exploration(pairs, limit, reference, watch).chain(pairs, pair.next_us)


class _Exploration(Generic[_State]):
    """The work in hand: states known, those still to be explored by likelihood, and edges."""

    def __init__(
        self, steps: Stepper[_State], limit: int, reference: float, watch: Watch[_State] | None
    ) -> None:
        self.steps = steps
        self.watch = watch
        self.limit = limit
        self.lose, self.keep = -log(reference), -log(1.0 - reference)
        self.numbers: dict[Hashable, int] = {}
        self.view: list[View] = []
        self.rests: list[bool] = []
        self.waiting: dict[int, _State] = {}
        self.heap: list[tuple[float, int]] = []
        self.edges: list[Edge] = []

    def chain(self, pairs: Stepper[Pair], first_us: int) -> Chain:
        """Explore until nothing is left, or as far as the limit."""
        with no_collection():
            self.state(self.steps.start, 0.0)
            while self.heap and self.states < self.limit:
                rarity, number = heappop(self.heap)
                pair = self.waiting.pop(number, None)
                if pair is not None:
                    self.expand(number, pair, rarity)
        cut = tuple(sorted(self.waiting))
        classes = tuple(self.steps.classes)
        return Chain(
            pairs, classes, tuple(self.view), tuple(self.rests), tuple(self.edges), cut, first_us,
            self.numbers,
        )  # fmt: skip

    @property
    def states(self) -> int:
        return len(self.view)

    def expand(self, number: int, pair: _State, rarity: float) -> None:
        """All edges out of one state; those that say the same are one."""
        now_us = pair.next_us or 0
        found: dict[tuple[int, int, tuple[int, ...], tuple[int, ...]], float] = {}
        events: list[Event] = []
        log = None if self.watch is None else events.append
        for count, branch in enumerate(self.steps.branches(pair, log)):
            if count == _MOST_BRANCHES:
                self.waiting[number] = pair  # never taken up again: it counts as cut
                return
            target = self.state(branch.pair, rarity + self.rarity(branch))
            after_us = branch.pair.next_us
            elapsed_us = 0 if after_us is None else after_us - now_us
            edge = (target, elapsed_us, branch.lost, branch.passed)
            found[edge] = found.get(edge, 0.0) + branch.weight
            if self.watch is not None:
                self.watch.step(Edge(number, *edge, branch.weight), pair, events)
                events.clear()
        self.edges += [Edge(number, *edge, weight) for edge, weight in found.items()]

    def rarity(self, branch: Branch[_State]) -> float:
        """Minus the logarithm of a branch's probability, at the reference losses."""
        rarity = self.lose * sum(branch.lost) + self.keep * sum(branch.passed)
        return rarity - log(branch.weight) if branch.weight != 1.0 else rarity

    def state(self, pair: _State, rarity: float) -> int:
        """The number of a pair's state, which may be new."""
        number = self.numbers.setdefault(self.steps.key(pair), len(self.view))
        if number == len(self.view):
            self.view.append(self.steps.view(pair))
            self.rests.append(pair.next_us is None)
            if self.watch is not None:
                self.watch.state(number, pair)
            if pair.next_us is not None:
                self.waiting[number] = pair
        if number in self.waiting:
            heappush(self.heap, (rarity, number))
        return number


@contextmanager
def no_collection() -> Iterator[None]:
    """No search for cycles meanwhile, nor later among what was found.

    Immutable values make none, and are freed without; but there are millions of them to be looked through.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()
            gc.enable()
