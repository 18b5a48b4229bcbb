"""The graph behind a page: every way on that loses few segments, and what is seen on it.

Owns: which states a page has (those that the fewest losses lead to), what the reader sees in each, and the
steps between them as templates that hold no time. Refuses to know: any loss rate, files and HTML.

Two pairs are one state here if they have the same future (`Steps.key`) and look the same: the words on a
segment depend on numbers seen before, the bars of timers on deadlines that no later rule may read. So what is
shown of a walk through the graph is what a run shows that loses the same segments, by construction.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from heapq import heappop, heappush
from typing import Final, NamedTuple

from tcpsim.draw.event_text import Teller
from tcpsim.draw.ladder_rows import SIDES, Side
from tcpsim.errors import InputError
from tcpsim.explore.branch import Question, Steps
from tcpsim.explore.chain import no_collection
from tcpsim.pair import Held, Pair, numbered
from tcpsim.tcp import deadlines
from tcpsim.web.fates import FEW, Way, every, losing, most, questions
from tcpsim.web.shown import Step, step

WAYS: Final = 16_000
_NO_END: Final = 1 << 30
_LONGEST: Final = 100  # events of the run that loses nothing; what goes on for ever is cut there


class Socket(NamedTuple):
    """A socket that a machine holds. Of a relay, `who` says which of its connections it is, from 1."""

    held: Held
    who: int = 0


View = tuple[tuple[Socket, ...], ...]  # what each machine holds, from the client to the server


class Running(NamedTuple):
    """A timer, or a program that sleeps: whose, and how long after the next event it ends."""

    side: Side
    who: int  # the connection from 1, or the process
    name: str
    ahead_us: int


class Edge(NamedTuple):
    """One way on; a target of -1 is not followed."""

    target: int
    step: Step
    elapsed_us: int
    lost: int
    passed: int
    weight: float


class State(NamedTuple):
    """What is held until the next event, what runs, and the ways on.

    `together`: of so many segments that arrive at once not all sets of losses are listed, but those with up
    to as many as some edge has. `late`: it goes on beyond the horizon.
    """

    losses: int  # the fewest that lead here
    view: View
    running: tuple[Running, ...]
    edges: tuple[Edge, ...]
    asked: int  # segments that arrive next and may be lost
    together: int = 0
    late: bool = False


class Graph(NamedTuple):
    """State 0 is the beginning, at time 0. `losses`: so many in all are followed, until `horizon_us`."""

    states: tuple[State, ...]
    losses: int
    horizon_us: int
    complete: bool  # nothing was left out
    sides: tuple[Side, ...] = SIDES  # the machines, from the client to the server


def graph(pair: Pair, horizon_us: int, losses: int | None = None, limit: int = WAYS) -> Graph:
    """Every way on that loses at most `losses` segments in all; None: as many as lead to `limit` steps.

    Raises:
        InputError: the pair has no event, or a time is drawn from a continuous distribution.
    """
    if pair.next_us is None:
        raise InputError("page", "a connection without an event", "one in which something happens")
    with no_collection():
        return _Work(pair, horizon_us, losses, limit).graph()


def fewer(found: Graph, losses: int) -> Graph:
    """The same graph with ways that lose at most so many segments in all.

    A state is numbered by the fewest losses that lead to it, so those that stay are the first ones.
    """
    states = tuple([state for state in found.states if state.losses <= losses])
    kept = []
    for state in states:
        edges = tuple(
            [
                edge._replace(target=edge.target if edge.target < len(states) else -1)
                for edge in state.edges
                if not state.asked > FEW or state.losses + len(edge.step.lost) <= losses
            ]
        )
        kept.append(_whole(state._replace(edges=edges)))
    return found._replace(states=tuple(kept), losses=losses, complete=_complete(kept))


def _whole(state: State) -> State:
    """With `together` as what is listed says."""
    listed = max((len(edge.step.lost) for edge in state.edges), default=0)
    whole = state.late or state.asked <= max(FEW, listed)
    return state._replace(together=0 if whole else state.asked)


def _complete(states: Sequence[State]) -> bool:
    """Whether nothing was left out."""
    return not any(
        state.late or state.together or any(edge.target < 0 for edge in state.edges) for state in states
    )


class _Known(NamedTuple):
    """A state that is gone into: the pair, who tells of it, what may be lost, and what was found so far."""

    pair: Pair
    teller: Teller
    asked: tuple[Question, ...]
    losses: int
    found: dict[tuple[int, Step, int, int, int], float]


class _Work:
    """States by number; what is still to be gone into, by the losses that lead there, and the time.

    A task is (losses, time, state, how many of the segments that arrive together are lost).
    """

    def __init__(self, pair: Pair, horizon_us: int, losses: int | None, limit: int) -> None:
        self.steps = Steps(pair)
        self.horizon_us = horizon_us
        self.most = _NO_END if losses is None else losses
        self.limit = limit if losses is None else _NO_END
        self.levels: list[int] = []  # how many ways each number of losses took
        self.numbers: dict[Hashable, int] = {}
        self.heap: list[tuple[int, int, int, int]] = []
        self.looks: list[tuple[View, tuple[Running, ...]]] = []
        self.waiting: dict[int, tuple[Pair, Teller]] = {}
        self.known: dict[int, _Known] = {}
        self.late: set[int] = set()
        self.seen: dict[Step, Step] = {}
        self.sides = pair.names
        self.state(self.steps.start, Teller(self.sides), 0, pair.next_us or 0)

    def graph(self) -> Graph:
        """Losses by losses, as far as the limit goes; one loss is always followed."""
        while self.heap:
            lost, t_us, number, together = heappop(self.heap)
            if lost > self.most:
                break
            if not together and number in self.known:
                continue
            if lost >= len(self.levels):
                if lost > 1 and self.too_many():
                    self.most = lost - 1
                    break
                self.levels += [0] * (lost + 1 - len(self.levels))
            if lost > 1 and sum(self.levels) > self.limit:
                self.most = lost - 1
                break
            if not lost and len(self.known) == _LONGEST:
                self.horizon_us = min(self.horizon_us, t_us)
            self.expand(number, lost, t_us, together)
        return self.numbered()

    def too_many(self) -> bool:
        """Whether one loss more would lead to far too many ways, if it multiplies them as the last did."""
        before, last = self.levels[-2:]
        return sum(self.levels) + last * last / max(before, 1) > 2 * self.limit

    def state(self, pair: Pair, teller: Teller, lost: int, t_us: int) -> int:
        """The number of a state that can be come to with so many losses, at that time."""
        running = _running(pair, teller)
        past = teller.numbers.beyond(), teller.remarked, _ordinals(pair, teller)
        key = self.steps.key(pair), running, past
        number = self.numbers.setdefault(key, len(self.looks))
        if number == len(self.looks):
            self.looks.append((_view(pair, teller, self.steps), running))
            self.waiting[number] = pair, teller
        if number not in self.known:
            heappush(self.heap, (lost, t_us, number, 0))
        return number

    def expand(self, number: int, lost: int, t_us: int, together: int) -> None:
        """All that can come next; of many segments that arrive now, so many are lost."""
        if not together:
            pair, teller = self.waiting.pop(number)
            over = pair.next_us is None
            asked = () if over else questions(self.steps, pair)
            self.known[number] = _Known(pair, teller, asked, lost, {})
            if over:
                return
            if t_us > self.horizon_us:
                self.late.add(number)
                return
        state = self.known[number]
        few = len(state.asked) <= FEW
        ways = every(self.steps, state.pair) if few else losing(self.steps, state.pair, state.asked, together)
        for way in ways:
            self.follow(state, way, t_us)
            self.levels[lost] += 1
        if not few and together < most(len(state.asked)):
            heappush(self.heap, (lost + 1, t_us, number, together + 1))

    def follow(self, state: _Known, way: Way, t_us: int) -> None:
        """One way on: what is seen of it, and where it leads."""
        now_us, after_us = state.pair.next_us or 0, way.pair.next_us
        elapsed_us = 0 if after_us is None else after_us - now_us
        seen, told = step(state.teller, way, now_us)
        seen = self.seen.setdefault(seen, seen)
        target = self.state(way.pair, told, state.losses + way.lost, t_us + elapsed_us)
        edge = (target, seen, elapsed_us, way.lost, way.passed)
        state.found[edge] = state.found.get(edge, 0.0) + way.weight

    def numbered(self) -> Graph:
        """The states of all levels that are whole, numbered in the order in which they were gone into."""
        kept = [number for number, state in self.known.items() if state.losses <= self.most]
        new = {number: place for place, number in enumerate(kept)}
        states = []
        for number in kept:
            state, (view, running) = self.known[number], self.looks[number]
            few = len(state.asked) <= FEW
            edges = tuple(
                [
                    Edge(new.get(target, -1), seen, elapsed_us, lost, passed, weight)
                    for (target, seen, elapsed_us, lost, passed), weight in state.found.items()
                    if few or state.losses + len(seen.lost) <= self.most
                ]
            )
            late = number in self.late
            states.append(_whole(State(state.losses, view, running, edges, len(state.asked), 0, late)))
        losses = min(self.most, max(state.losses for state in states))
        return Graph(tuple(states), losses, self.horizon_us, _complete(states), self.sides)


def _view(pair: Pair, teller: Teller, steps: Steps) -> View:
    """What each machine holds until the next event."""
    client, server, *between = steps.view(pair)
    found = [tuple([Socket(each) for each in held]) for held in (client, server)]
    for side, held in zip(pair.names[1:-1], between, strict=True):
        known = teller.connections[side]
        numbers = [known.index(n) + 1 if n in known else 0 for n in numbered(pair, side)]
        found.insert(-1, tuple(map(Socket, held, numbers)))
    return tuple(found)


def _running(pair: Pair, teller: Teller) -> tuple[Running, ...]:
    """All timers of all machines, and the programs that sleep, with the times from the next event."""
    if pair.next_us is None:
        return ()
    found: list[Running] = []
    for side, machine in zip(pair.names, pair.machines, strict=True):
        known = teller.connections[side]
        for socket, tcb in machine.system.end.sockets.items():
            which = known.index(socket) + 1 if socket in known else 0
            for timer, at_us, _ in deadlines.running(tcb):
                found.append(Running(side, which, str(timer), at_us - pair.next_us))
        for pid, running in machine.programs:
            if running.wake_us is not None:
                found.append(Running(side, pid, "program", running.wake_us - pair.next_us))
    return tuple(found)


def _ordinals(pair: Pair, teller: Teller) -> Hashable:
    """How many connections each side has had, and which of them its sockets are."""
    found = []
    for side, machine in zip(pair.names, pair.machines, strict=True):
        known = teller.connections[side]
        now = [known.index(socket) + 1 for socket in machine.system.end.sockets if socket in known]
        found.append((len(known), tuple(now)))
    return tuple(found)
