"""Whether states of equal key are equal: a bisimulation, checked over a whole chain.

Owns: the check. Whoever comes to a known state has to be able to do what the known one can, and nothing else:
each way out with the same probability and the same losses, the same events at the same distances, the same
things held meanwhile, and a state of the same key behind it. If that is so for every arrival at every state,
nobody can ever tell the two apart (Milner; Larsen and Skou for probabilities), however long one looks. What
an arrival leads to is an arrival as well: it has the key of a known state, and may be another pair. So
arrivals are followed, in random order, as far as the number of comparisons allows.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterator
from random import Random
from typing import NamedTuple

from tcpsim.explore.branch import Steps, in_full
from tcpsim.pair import Event, Noted, Pair, advance, census
from tcpsim.path import Seeded
from tcpsim.tcp.segment import Segment


class Difference(NamedTuple):
    """Two pairs of equal key that can be told apart, and how."""

    known: Pair
    other: Pair
    what: str


class Checked(NamedTuple):
    """How much was looked at: states, arrivals at a known one by a pair that differs, and the first flaw."""

    states: int
    merges: int
    difference: Difference | None


def check(pair: Pair, states: int) -> Checked:
    """Explore up to so many states, breadth first, and compare arrivals with the one that came first.

    Every arrival in the course of that is compared, and as many again that follow from arrivals, or at least
    as many as there are states.
    """
    steps = Steps(pair)
    known: dict[Hashable, Pair] = {steps.key(steps.start): steps.start}
    waiting = deque(known.items())
    ways: dict[Hashable, Ways] = {}
    arrivals: list[tuple[Hashable, Pair]] = []
    merges = 0
    while waiting and len(known) < states:
        key, at = waiting.popleft()
        ways[key], after = _ways(steps, at)
        for then, its_key in after:
            if its_key not in known:
                known[its_key] = then
                if then.next_us is not None:
                    waiting.append((its_key, then))
            elif _rests(then, known[its_key]) is not None:
                return Checked(len(known), merges, _rests(then, known[its_key]))
            elif then.next_us is not None and not _same(then, known[its_key]):
                arrivals.append((its_key, then))
    most = max(2 * len(arrivals), len(known))
    random = Random(states)
    random.shuffle(arrivals)
    following: list[tuple[Hashable, Pair]] = []
    while (arrivals or following) and merges < most:
        key, other = arrivals.pop() if arrivals else following.pop(random.randrange(len(following)))
        if key not in ways:
            continue  # it was never taken up: the chain is cut there
        merges += 1
        its, after = _ways(steps, other)
        if its != ways[key]:
            return Checked(len(known), merges, Difference(known[key], other, _told_apart(ways[key], its)))
        for then, its_key in after:
            if _rests(then, known[its_key]) is not None:
                return Checked(len(known), merges, _rests(then, known[its_key]))
            if then.next_us is not None and not _same(then, known[its_key]):
                following.append((its_key, then))
    return Checked(len(known), merges, None)


Ways = Counter[Hashable]


def _ways(steps: Steps, pair: Pair) -> tuple[Ways, list[tuple[Pair, Hashable]]]:
    """All ways out of a state as they can be seen, and the pairs that they lead to with their keys."""
    found: Counter[Hashable] = Counter()
    after: list[tuple[Pair, Hashable]] = []
    events: list[Event] = []
    base_us = pair.next_us or 0
    for branch in in_full(steps.branches(pair, events.append)):
        then = branch.pair
        told = tuple(told_of(event, base_us) for event in events if not isinstance(event, Noted))
        events.clear()
        key = steps.key(then)
        wait_us = None if then.next_us is None else then.next_us - base_us
        found[branch.weight, branch.lost, branch.passed, wait_us, _views(then), told, key] += 1
        after.append((then, key))
    return found, after


def _views(pair: Pair) -> Hashable:
    return tuple([census(pair, side) for side in pair.names])


def _rests(one: Pair, other: Pair) -> Difference | None:
    """What can be seen of two pairs of equal key without a step."""
    if _views(one) != _views(other) or (one.next_us is None) != (other.next_us is None):
        return Difference(other, one, "what is held, or whether anything is due")
    return None


def _same(one: Pair, other: Pair) -> bool:
    """The very same values, at the same time: there is nothing to compare."""
    return one is other or (one.next_us == other.next_us and one == other)


def course(pair: Pair, seed: int, steps: int) -> list[Hashable]:
    """What is seen from now on, by distances; what is held in the end, and which machines have power."""
    base_us = pair.next_us or 0
    events: list[Event] = []
    chooser = Seeded(seed)
    for _ in range(steps):
        if pair.next_us is None:
            break
        pair = advance(pair, chooser, events.append)
    found = [told_of(event, base_us) for event in events if not isinstance(event, Noted)]
    return [*found, _views(pair), tuple([machine.up for machine in pair.machines])]


def told_of(event: Event, base_us: int) -> Hashable:
    """An event without what a shift of the clock, of number spaces and of the names of sockets changes."""
    found: list[Hashable] = [type(event).__name__, event.t_us - base_us]
    for name, value in zip(event._fields[1:], event[1:], strict=True):
        if isinstance(value, Segment):
            o = value.options
            ports = value.src_port, value.dst_port
            found.append((*ports, value.flags, value.len, value.wnd, o.mss, o.wscale, len(o.sack), o.layout))
        elif name == "socket":
            continue  # how many there were before
        elif name == "arrives_us":
            found.append(tuple(at_us - base_us for at_us in value))
        else:
            found.append(value)
    return tuple(found)


def _told_apart(mine: Ways, theirs: Ways) -> str:
    """The first way that only one of the two has."""
    only: Iterator[Hashable] = iter([*(mine - theirs), *(theirs - mine)])
    return str(next(only))[:600]


class Listing:
    """The beginning of a chain, and which of its states can be told apart within it.

    `depth[n][k]` names what can be seen of state n in k steps; the list ends where the chain was cut. Two
    states differ for certain if they differ in as many steps as are known of both.
    """

    def __init__(self, pair: Pair, states: int) -> None:
        self.origin = pair
        self.steps = Steps(pair)
        self.pairs: list[Pair] = []
        self.depth: list[list[int]] = []
        numbers: dict[Hashable, int] = {}
        ways: list[list[tuple[Hashable, int]] | None] = []

        def number(key: Hashable, at: Pair) -> int:
            found = numbers.setdefault(key, len(self.pairs))
            if found == len(self.pairs):
                self.pairs.append(at)
                ways.append(None if at.next_us is not None else [])
            return found

        number(self.steps.key(self.steps.start), self.steps.start)
        taken_up = 0
        while taken_up < len(self.pairs) < states:
            if ways[taken_up] is None:
                seen, after = _ways(self.steps, self.pairs[taken_up])
                keys = dict.fromkeys(key for _, key in after)
                targets = {key: number(key, next(p for p, k in after if k == key)) for key in keys}
                ways[taken_up] = [((*label[:-1], times), targets[label[-1]]) for label, times in seen.items()]  # type: ignore[index]
            taken_up += 1
        names: dict[Hashable, int] = {}
        self.depth = [
            [names.setdefault(("held", _views(at), at.next_us is None), len(names))] for at in self.pairs
        ]
        before = 0, 0
        for step in range(states):
            known = [len(each) == step + 1 for each in self.depth]
            grown: list[int] = []
            for place, out in enumerate(ways):
                if known[place] and out is not None and all(len(self.depth[to]) > step for _, to in out):
                    what = self.depth[place][0], frozenset((label, self.depth[to][step]) for label, to in out)
                    self.depth[place].append(names.setdefault(what, len(names)))
                    grown.append(self.depth[place][-1])
            if (len(grown), len(set(grown))) in ((0, 0), before):
                break  # another step tells nothing more
            before = len(grown), len(set(grown))
        self.complete = all(out is not None for out in ways)

    def differ(self, one: int, other: int) -> bool:
        """Whether two states can be told apart by what is listed."""
        steps = min(len(self.depth[one]), len(self.depth[other]))
        return self.depth[one][steps - 1] != self.depth[other][steps - 1]

    def merged(self) -> tuple[int, tuple[int, int] | None]:
        """How many states the key, as it is now, has merged; and two of them that can be told apart."""
        steps = Steps(self.origin)
        first: dict[Hashable, list[int]] = {}
        merged = 0
        for number, pair in enumerate(self.pairs):
            same = first.setdefault(steps.key(pair), [])
            for other in same:
                if self.differ(number, other):
                    return merged, (other, number)
            merged += bool(same)
            same.append(number)
        return merged, None
