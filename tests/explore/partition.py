"""The coarsest partition of a chain's states by everything that is visible in all futures.

Two states are in one class if they look the same and the same losses lead from them, after the same times
and equally likely, to states of one class (Paige and Tarjan, for Markov chains). A key that leaves out what
counts makes a chain with another partition. A key that could leave out more has more states than classes.

    python -m tests.explore.partition SCENARIO     states and classes of a scenario
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Hashable

from tcpsim.catalogue import build, scenario
from tcpsim.explore.chain import Chain, explore


def partition(chain: Chain) -> list[int]:
    """The number of each state's class, counted in the order of the states."""
    out: list[list[tuple[int, Hashable, float]]] = [[] for _ in range(chain.states)]
    for edge in chain.edges:
        out[edge.source].append((edge.target, edge[2:5], edge.weight))
    looks: dict[Hashable, int] = {}
    found = [looks.setdefault(each, len(looks)) for each in zip(chain.view, chain.rests, strict=True)]
    count = len(looks)
    while True:
        seen: dict[Hashable, int] = {}
        finer = []
        for state, mine in enumerate(found):
            ways: Counter[Hashable] = Counter()
            for target, how, weight in out[state]:
                ways[found[target], how] += weight  # type: ignore[assignment]
            finer.append(seen.setdefault((mine, frozenset(ways.items())), len(seen)))
        if len(seen) == count:
            return finer
        found, count = finer, len(seen)


if __name__ == "__main__":
    whole = explore(build(scenario(sys.argv[1]), loss=0.5))
    print(f"{whole.states:,} states, {max(partition(whole)) + 1:,} classes, {len(whole.cut):,} not explored")
