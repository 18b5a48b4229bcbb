"""How long something lasts at most in any future, whatever is lost: from when it begins until it is over.

Owns: the longest way through states that look alike in one respect. Refuses to know: what it is that lasts
(properties), and probabilities: the longest way may be as unlikely as one likes.
"""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx  # type: ignore[import-untyped]

from tcpsim.explore.branch import View
from tcpsim.explore.chain import Chain


def longer_than(chain: Chain, lasts: Callable[[View], bool], most_us: int) -> list[int]:
    """The states in which `lasts` has been so for longer than `most_us` on some way, or will be for ever.

    A way that can be gone round and round while it lasts has no longest time: all on it and behind it count.
    """
    inside = [lasts(view) for view in chain.view]
    ways = nx.DiGraph()
    ways.add_nodes_from(state for state, there in enumerate(inside) if there)
    begun: dict[int, int] = {}  # how long it has lasted when a state comes, on a way from outside
    for edge in chain.edges:
        if not inside[edge.target]:
            continue
        if inside[edge.source]:
            known = ways.get_edge_data(edge.source, edge.target, {"us": -1})["us"]
            ways.add_edge(edge.source, edge.target, us=max(known, edge.elapsed_us))
        else:
            begun[edge.target] = max(begun.get(edge.target, 0), edge.elapsed_us)
    late: set[int] = {state for state in ways if chain.rests[state]}
    parts = nx.condensation(ways)
    for part in nx.topological_sort(parts):
        members = parts.nodes[part]["members"]
        before = [source for member in members for source in ways.predecessors(member)]
        turns = any(ways.edges[a, b]["us"] for a in members for b in ways.successors(a) if b in members)
        if turns or any(source in late for source in before if source not in members):
            late |= members
            continue
        for member in members:
            since = [
                begun[source] + ways.edges[source, member]["us"]
                for source in ways.predecessors(member)
                if source in begun and source != member
            ]
            begun[member] = max([begun.get(member, 0), *since])
            if begun[member] > most_us:
                late.add(member)
    return sorted(late)
