"""Machines that stand in for others (explore/per_host_memo), and whether anybody can tell.

Owns: a walk through a chain that puts those who stand in in the place of both hosts of every state. Refuses
to know: who may stand in for whom.
"""

from __future__ import annotations

from typing import NamedTuple

from tcpsim.explore.branch import Steps, in_full
from tcpsim.explore.per_host_memo import Apart, Turns, apart
from tcpsim.pair import Pair


class StandIns(NamedTuple):
    """How often somebody else stood in, and the first state whose key was another one then."""

    others: int
    wrong: Apart | None


def stand_ins(steps: Turns, states: int) -> StandIns:
    """Of so many states, breadth first."""
    waiting, known, others = [steps.start], {steps.key(steps.start)}, 0
    while waiting and len(known) < states:
        state = waiting.pop(0)
        other = _stood_in(steps, state)
        if steps.key(other) != steps.key(state) or other.next_us != state.next_us:
            return StandIns(others, state)
        others += other.hosts != state.hosts
        for branch in in_full(steps.branches(state)):
            after = branch.pair
            key = steps.key(after)
            if key not in known and after.next_us is not None:
                known.add(key)
                waiting.append(after)
    return StandIns(others, None)


def notice(pair: Pair, states: int) -> bool:
    """Whether somebody who stands in is noticed there."""
    steps = apart(Steps(pair))
    return steps is not None and stand_ins(steps, states).wrong is not None


def _stood_in(steps: Turns, state: Apart) -> Apart:
    """The same state with those who stand in for its hosts."""
    assert state.next_us is not None
    both = [steps.stand_in(state, at, state.next_us) for at in (0, 1)]
    (client, client_us), (server, server_us) = both
    return Apart((client, server), (client_us, server_us), state.flights)
