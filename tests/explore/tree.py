"""Every sequence of answers, one after the other, by replay from the beginning: the slow reference.

Owns: the tree walk, in exact fractions. Shares nothing with the chain but `advance`, the questions that a
path asks and the way to every answer: no keys, no merging, no loss that is decided later than the path
decides it. Refuses to know: what an end means.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from fractions import Fraction

from tcpsim.explore.branch import Follow, every_answer
from tcpsim.pair import Pair, advance

Describe = Callable[[Pair], Hashable]


def tree(pair: Pair, describe: Describe, horizon_us: int) -> dict[Hashable, Fraction]:
    """The probability of each end, as `describe` calls it, of a pair that has ended or reached the horizon.

    Weights are taken as the exact fractions that their floats are; a choice of two is made to add up to 1.
    """
    found: dict[Hashable, Fraction] = {}

    def replay(chooser: Follow) -> Pair:
        now = pair
        while now.next_us is not None and now.next_us <= horizon_us:
            now = advance(now, chooser)
        return now

    for now, chooser in every_answer(replay):
        probability = Fraction(1)
        for choice, answer in zip(chooser.asked, chooser.answers, strict=True):
            rest = sum(map(Fraction, choice.weights[1:]))
            probability *= Fraction(choice.weights[answer]) if answer else 1 - rest
        end = describe(now)
        found[end] = found.get(end, Fraction(0)) + probability
    return found
