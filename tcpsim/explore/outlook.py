"""What becomes of a connection in each state of a chain if its path loses nothing more.

Owns: the way of no losses from every state, where it ends and how long it takes. Refuses to know: what the
end means (measure.leaks) and how a connection came to its state (lives, transient).

A chain lists the way on which nothing is lost, and every other choice takes its usual course, first of the
ways out of a state. So following first edges is what `host.shared_history` does with a quiet chooser. A class
that is never left and always looks the same, such as a program that polls a dead connection, is an end.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tcpsim.explore.edge_columns import Ints
from tcpsim.explore.transient import Graph

NEVER = -1


class Outlook(NamedTuple):
    """By state: the state in which it ends (`NEVER`: none), and the time from its event to the last one."""

    end: Ints
    after_us: Ints


def outlook(net: Graph) -> Outlook:
    """The outlook of every state; one that was not explored stays as it is."""
    first, target, elapsed_us = net.first.tolist(), net.target.tolist(), net.elapsed_us.tolist()
    stays = net.stays.tolist()
    count = len(stays)
    end: list[int | None] = [None] * count
    after_us = [0] * count
    for begin in range(count):
        way = []
        on_way = set()
        state = begin
        while end[state] is None and state not in on_way:
            if stays[state] or first[state] == first[state + 1]:
                end[state] = state
                break
            way.append(state)
            on_way.add(state)
            state = target[first[state]]
        final = NEVER if end[state] is None else end[state]
        for each in reversed(way):
            end[each] = final
            edge = first[each]
            after_us[each] = elapsed_us[edge] + after_us[target[edge]]
    return Outlook(np.array(end, dtype=np.int64), np.array(after_us, dtype=np.int64))
