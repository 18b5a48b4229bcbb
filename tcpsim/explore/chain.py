"""Explores all states of a pair. Pairs that are equal except for the clock are one state.

Owns: the exploration, its limit, and the resulting graph: states by number; edges with the numbers of
segments of each class that were lost and passed, with the probability of everything else, and with the time
that they take. Refuses to know: which state is the likeliest (frontier), the probabilities for given loss
rates (solve), when enough is known (tolerance), and what an end is (leaks).

A state is a pair at rest until its next event. An edge takes the time from that event to the event of the
next state. During this time, the pair looks like the next state. The likeliest state is explored first. So at
a limit, the least likely states are unexplored, and their probability at each loss rate bounds the error. A
part of a step with many outcomes waits like a state, looks like the state in which it begins, and takes no
time.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from heapq import heapify, heappop, heappush
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from tcpsim.errors import InputError
from tcpsim.explore.branch import Branch, LossClass, Part, Steps, View
from tcpsim.explore.edges import Counts, Edge, Edges
from tcpsim.explore.frontier import ByWay, Order
from tcpsim.explore.per_host_memo import apart
from tcpsim.pair import Event, Log, Pair

LIMIT: Final = 250_000
# Loss at which states are ranked if nobody says which rates he wants. It serves at higher losses as well
# (measured up to 50 %): a larger one puts short ways of many losses before the long way without any.
REFERENCE: Final = 0.05
_OFTEN: Final = 256  # states between two words of progress

# Told how many states are known, and how likely it seems to come to one that is not; None: nobody knows.
Progress = Callable[[int, float | None], None]


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

    def branches(
        self, state: _State, /, log: Log | None = None
    ) -> Iterator[Branch[_State] | Part[_State]]: ...


class Watch(Protocol[_Seen]):
    """Whoever looks on while a pair is explored: at each new state, and at each way out of one."""

    def state(self, number: int, pair: _Seen, /) -> None: ...

    def step(self, edge: Edge, before: _Seen, events: Sequence[Event], /) -> None: ...


class Chain(NamedTuple):
    """The graph. State 0 is the beginning; `view[n]` is what is held until state n's event.

    `rests[n]` is 1 if nothing is due in state n, for ever, and otherwise 0. `cut`: states whose futures were
    not explored. `first_us` is the time of the first event. `numbers` finds the state of a pair (`number`).
    `parts`: states that are a part of a step.
    """

    steps: Stepper[Pair]
    classes: tuple[LossClass, ...]
    view: tuple[View, ...]
    rests: bytes
    edges: Sequence[Edge]
    cut: tuple[int, ...]
    first_us: int
    numbers: Mapping[Hashable, int]
    parts: frozenset[int] = frozenset()

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
    progress: Progress | None = None,
) -> Chain:
    """Every future of `pair`, up to `limit` states; `watch` sees each state, and the events of each step.

    States come in the order of the likeliest way to them at `reference` losses. `tolerance.explore_for` stops
    when enough is known for given rates.

    Raises:
        InputError: the pair has no event, a time is drawn from a continuous distribution, or `limit` < 1.
    """
    work = Exploration(pair, ByWay(reference), watch, steps)
    work.run(limit, progress=progress)
    return work.chain()


class Exploration:
    """An exploration that can be stopped, looked at, and taken up again in another order."""

    def __init__(
        self,
        pair: Pair,
        order: Order,
        watch: Watch[Pair] | None = None,
        steps: Callable[[Pair], Stepper[Pair]] = Steps,
    ) -> None:
        """
        Raises:
            InputError: the pair has no event.
        """
        if pair.next_us is None:
            raise InputError("explore", "a pair at rest", "a pair with a next event")
        self._pairs = steps(pair)
        self._first_us = pair.next_us
        unheard = apart(self._pairs) if watch is None else None
        self._work: _Work[Any] = _Work(self._pairs if unheard is None else unheard, order, watch)

    def take(self, order: Order) -> None:
        """From now on states come in another order."""
        self._work.take(order)

    def run(
        self,
        limit: int,
        enough: Callable[[int, float | None], bool] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Until nothing is left, `limit` states are known, or `enough` says so of what `Progress` is told.

        Raises:
            InputError: a time is drawn from a continuous distribution, or `limit` < 1.
        """
        if limit < 1:
            raise InputError("limit", limit, "at least 1 state")
        with no_collection():
            self._work.run(limit, enough, progress)

    def chain(self) -> Chain:
        """What is known now."""
        work = self._work
        return Chain(
            self._pairs, tuple(self._pairs.classes), tuple(work.view), bytes(work.rests), work.edges.copy(),
            tuple(sorted(work.waiting)), self._first_us, work.numbers, frozenset(work.parts),
        )  # fmt: skip


class _Open(Generic[_State]):
    """A part of the step of a state."""

    __slots__ = ("state", "ways")

    def __init__(self, state: _State, ways: Callable[[], Iterator[Branch[_State] | Part[_State]]]) -> None:
        self.state = state
        self.ways = ways


class _Work(Generic[_State]):
    """The work in hand: states known, those still to be explored by rank, and edges."""

    def __init__(self, steps: Stepper[_State], order: Order, watch: Watch[_State] | None) -> None:
        self.steps = steps
        self.watch = watch
        self.numbers: dict[Hashable, int] = {}
        self.view: list[View] = []
        self.rests = bytearray()
        self.waiting: dict[int, _State | _Open[_State]] = {}
        self.parts: list[int] = []
        self.edges = Edges()
        self.number(steps.start)
        self.take(order)

    def take(self, order: Order) -> None:
        """See `Exploration.take`."""
        self.order = order
        waiting = list(self.waiting)
        self.heap = list(zip(order.begin(waiting), waiting, strict=True))
        heapify(self.heap)

    def run(
        self,
        limit: int,
        enough: Callable[[int, float | None], bool] | None,
        progress: Progress | None,
    ) -> None:
        """See `Exploration.run`."""
        unexplored = self.order.unexplored
        turn = 0
        while self.heap and len(self.view) < limit:
            if enough is not None and enough(len(self.view), unexplored()):
                break
            rank, number = heappop(self.heap)
            waits = self.waiting.pop(number, None)
            if waits is not None:
                self.order.leave(number, rank)
                self.expand(number, waits)
                turn += 1
                if progress is not None and turn % _OFTEN == 0:
                    progress(len(self.view), unexplored())
        if progress is not None:
            progress(len(self.view), unexplored())

    def expand(self, number: int, waits: _State | _Open[_State]) -> None:
        """All edges out of one state, or of a part of a step; those that say the same are one.

        The first of them is the one on which nothing is lost and every choice takes its usual course.
        """
        found: dict[tuple[int, int, Counts, Counts], float] = {}
        parts: list[tuple[int, tuple[Counts, Counts, float]]] = []
        events: list[Event] = []
        watch, come = self.watch, self.order.come
        pair = waits.state if isinstance(waits, _Open) else waits
        log = None if watch is None else events.append
        ways = waits.ways() if isinstance(waits, _Open) else self.steps.branches(pair, log)
        now_us = pair.next_us or 0
        for branch in ways:
            if isinstance(branch, Part):
                lost, passed, weight, rest = branch
                target = self.part(number, _Open(pair, rest))
                heappush(self.heap, (come(target, lost, passed, weight), target))
                parts.append((target, (lost, passed, weight)))
                continue
            after, weight, lost, passed, _, _ = branch
            target = self.number(after)
            if target in self.waiting:
                heappush(self.heap, (come(target, lost, passed, weight), target))
            after_us = after.next_us
            edge = (target, 0 if after_us is None else after_us - now_us, lost, passed)
            found[edge] = found[edge] + weight if edge in found else weight
            if watch is not None:
                watch.step(Edge(number, *edge, weight), pair, events)
                events.clear()
        add = self.edges.add
        for (target, elapsed_us, lost, passed), weight in found.items():
            add(number, target, elapsed_us, (lost, passed, weight))
        for target, kind in parts:
            add(number, target, 0, kind)

    def part(self, number: int, rest: _Open[_State]) -> int:
        """The number of a part of the step that begins in a state."""
        part = len(self.view)
        self.numbers[rest] = part
        self.view.append(self.view[number])
        self.rests.append(False)
        self.waiting[part] = rest
        self.parts.append(part)
        return part

    def number(self, pair: _State) -> int:
        """The number of a pair's state, which may be new."""
        number = self.numbers.setdefault(self.steps.key(pair), len(self.view))
        if number == len(self.view):
            self.view.append(self.steps.view(pair))
            self.rests.append(pair.next_us is None)
            if self.watch is not None:
                self.watch.state(number, pair)
            if pair.next_us is not None:
                self.waiting[number] = pair
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
