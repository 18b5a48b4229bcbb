"""How connections that share nothing stand at the horizon, at several loss rates.

Owns: the walk of each connection from its birth to the horizon, and the tree of histories that all loss rates
share. Refuses to know: counts over time (host.population), and what is a leak (outcomes).

Nobody sees what happens on the way, so the connections need no common clock. A pair asks the same questions
at every loss rate, and only the weights of the answers differ. So what follows from an answer is computed
once for all rates. A connection draws the same numbers for the same questions as in a run of its own, and the
result is that of `simulate`. A rate of 0 or 1 asks no question: a pair with such a rate has its own tree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import inf
from typing import Final, NamedTuple

from tcpsim.explore.branch import Steps, loss_question
from tcpsim.explore.chain import no_collection
from tcpsim.host.census import Left, patience_us
from tcpsim.host.population import Arrivals, Plan, shares_nothing, simulate
from tcpsim.host.shared_history import Lives, Luck
from tcpsim.host.socket_accounting import View
from tcpsim.pair import Pair
from tcpsim.path import Choice, chance

_ROOM: Final = 30_000  # moments that are remembered at a time


class Ends(NamedTuple):
    """How the connections stand that hold something, by numbers of `views`."""

    views: list[View]
    left: Counter[Left]


def ends(pairs: Sequence[Pair], arrivals: Arrivals, settle_us: int = 0, seed: int = 1) -> list[Ends]:
    """The ends of a population of each of these pairs: `left` and `views` of its census.

    Pairs that differ in their loss rates alone share what is computed.
    """
    found: dict[int, Ends] = {}
    groups: list[tuple[Pair, dict[int, _Weights]]] = []
    for number, pair in enumerate(pairs):
        plan = Plan(((1.0, pair),), arrivals, settle_us, seed)
        if not shares_nothing(plan):
            census = simulate(plan)
            found[number] = Ends(census.views, census.left)
            continue
        steps = Steps(pair, defer=False)
        weights = {loss_question(at): chance("loss", "lost", each.p) for at, each in enumerate(steps.classes)}
        for start, members in groups:
            if start == steps.start:
                members[number] = weights
                break
        else:
            groups.append((steps.start, {number: weights}))
    with no_collection():
        for start, members in groups:
            found |= _together(start, members, arrivals, settle_us, seed)
    return [found[number] for number in range(len(pairs))]


_Weights = Mapping[str, Choice]  # how likely an answer is, by question


def _together(
    pair: Pair, members: Mapping[int, _Weights], arrivals: Arrivals, settle_us: int, seed: int
) -> dict[int, Ends]:
    """The ends of one pair with each of these weights."""
    births_us = list(arrivals.times_us(seed))
    last_us = births_us[-1] if births_us else 0
    horizon_us = (last_us if arrivals.for_us is None else arrivals.for_us) + settle_us
    # with several weights a rare history has followers: the same connection, a little more or less lucky
    lives = Lives(((1.0, pair),), len(births_us) if len(members) == 1 else inf, _ROOM)
    left: dict[int, Counter[Left]] = {number: Counter() for number in members}
    for index, born_us in enumerate(births_us):
        until_us = horizon_us - born_us
        for number, weights in members.items():
            luck = _Weighted(seed, index)
            luck.weights = weights
            moment = lives.begin(luck)
            while moment.next_us is not None and moment.next_us <= until_us:
                moment = lives.step(moment, luck)
            if moment.view:
                end = lives.outlook(moment, until_us + patience_us(horizon_us))
                left[number][Left(moment.view, end)] += 1
        if lives.room <= 0:
            lives.forget()
    return {number: Ends(lives.views, counts) for number, counts in left.items()}


class _Weighted(Luck):
    """A connection's own chooser where some answers have other weights than the question says."""

    __slots__ = ("weights",)
    weights: _Weights

    def choose(self, choice: Choice) -> int:
        return super().choose(self.weights.get(choice.what, choice))
