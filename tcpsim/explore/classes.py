"""The classes of a chain's states: those that can all reach each other, in topological order.

Owns: the classes and their levels. Refuses to know: probabilities (solve, transient), and what a class means
to a host (leaks).

Nearly every class is a single state. So states on no way back are taken off from the front and from the back,
a whole level at a time, and only the rest is left to networkx.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import networkx as nx  # type: ignore[import-untyped]
import numpy as np

from tcpsim.explore.chain import Chain
from tcpsim.explore.edge_columns import Ints, columns


class Class(NamedTuple):
    """States that can all reach each other; one state that cannot come back is one, too."""

    states: tuple[int, ...]
    cyclic: bool
    bottom: bool  # there is no way out


class Classes(tuple[Class, ...]):
    """All classes of a chain, each before whatever it leads to.

    `of[s]`: the class of state s. `level[c]`: the longest way to class c, in classes.
    """

    of: Ints
    level: Ints


def classes(chain: Chain) -> Classes:
    """The strongly connected components, by level."""
    count = chain.states
    (source, target, _, _), _ = columns(chain.edges)
    of = _components(count, source, target)
    between = of[source] != of[target]
    level = np.zeros(count, dtype=np.int64)  # by the first state of each component
    for number, some in enumerate(_peeled(count, of[source[between]], of[target[between]])):
        level[some] = number
    firsts = np.flatnonzero(of == np.arange(count))
    order = firsts[np.argsort(level[firsts], kind="stable")]
    leaves, turns = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    leaves[of[source[between]]] = True
    turns[of[source[~between]]] = True
    members: dict[int, list[int]] = {}
    for state in np.flatnonzero(turns[of]).tolist():
        members.setdefault(int(of[state]), []).append(state)
    found = Classes(
        [
            Class(tuple(members.get(first, (first,))), cyclic, not out)
            for first, cyclic, out in zip(
                order.tolist(), turns[order].tolist(), leaves[order].tolist(), strict=True
            )
        ]
    )
    place = np.zeros(count, dtype=np.int64)
    place[order] = np.arange(len(order))
    found.of, found.level = place[of], level[order]
    return found


def _components(count: int, source: Ints, target: Ints) -> Ints:
    """For each state the first state of its component."""
    of = np.arange(count)
    rest = np.ones(count, dtype=bool)
    for first, second in ((source, target), (target, source)):
        inside = rest[first] & rest[second]
        for some in _peeled(count, first[inside], second[inside]):
            rest[some] = False
    inside = rest[source] & rest[target]
    graph = nx.DiGraph()
    graph.add_edges_from(zip(source[inside].tolist(), target[inside].tolist(), strict=True))
    for members in nx.strongly_connected_components(graph):
        of[list(members)] = min(members)
    return of


def _peeled(count: int, source: Ints, target: Ints) -> Iterator[Ints]:
    """Nodes with nothing before them, then those with nothing else before them, and so on: a level each."""
    order = np.argsort(source, kind="stable")
    to = target[order]
    first = np.searchsorted(source[order], np.arange(count + 1))
    left = np.bincount(target, minlength=count)
    some = np.flatnonzero(left == 0)
    while len(some):
        yield some
        lengths = first[some + 1] - first[some]
        ways = np.repeat(first[some] - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
        reached, times = np.unique(to[ways], return_counts=True)
        left[reached] -= times
        some = reached[left[reached] == 0]
