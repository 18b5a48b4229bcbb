"""The exact distribution of the time that a connection spends in a state.

Owns: the distribution, its quantiles and its mean, with the probabilities that the state is never reached and
never left. Refuses to know: at which age this happens (curves).

It is the same computation as for ages (transient), with a clock that runs only while the side has such a
socket.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tcpsim.explore.branch import sides_of
from tcpsim.explore.chain import Chain
from tcpsim.explore.loss_rates import rates
from tcpsim.explore.step_functions import Masses, Steps, from_changes
from tcpsim.explore.transient import ROOM, Graph, graph, passages, reaching
from tcpsim.pair import Side
from tcpsim.tcp.state import State

_OPEN, _OVER, _STAYS = range(3)  # how a connection stands to a state


class Stay(NamedTuple):
    """The law of the time that a side has a socket in a state, for each loss rate.

    `within.at(x)`: the probability that it has, for at most x in all, and never again. `never`: that it never
    has, or only within one instant. `for_ever`: that one stays there for ever. `error`: what was not followed
    to the end. What is missing to 1 takes longer than `within.until_us`.
    """

    within: Steps
    never: Masses
    for_ever: Masses
    error: Masses

    def quantile_us(self, share: float) -> list[int | None]:
        """For each loss rate the time that this share of the connections that come there do not exceed.

        None: it is beyond `within.until_us`, for ever, or none comes there.
        """
        found: list[int | None] = []
        for loss, never in enumerate(self.never.tolist()):
            reached = np.flatnonzero(self.within.values[:, loss] >= share * (1 - never))
            found.append(int(self.within.times_us[reached[0]]) if len(reached) and never < 1 else None)
        return found

    def mean_us(self) -> Masses:
        """The expected time, 0 where it never is, of what is over within `within.until_us`."""
        rises = np.diff(self.within.values, axis=0)
        mean_us: Masses = (rises * self.within.times_us[1:, None]).sum(axis=0)
        return mean_us


def stay(
    chain: Chain,
    losses: Sequence[float] | Mapping[str, Sequence[float]],
    side: Side,
    state: State,
    until_us: int,
    room: int = ROOM,
    net: Graph | None = None,
) -> Stay:
    """How long `side` has a socket in `state`: `until_us` bounds that time, not the age; see `occupancy`.

    Raises:
        InputError: see `rates`.
    """
    each = rates(chain, losses)
    net = net or graph(chain)
    place = sides_of(len(chain.view[0])).index(side)
    sockets = [sum(held.state is state for held in view[place]) for view in chain.view]
    counts = np.minimum(np.array(sockets, dtype=np.int64), 1)
    to_come = reaching(net, counts.astype(np.uint8) | np.isin(np.arange(chain.states), chain.cut))
    look = np.where(to_come == 0, _OVER, _OPEN)
    look = np.where(net.stays & (counts > 0), _STAYS, look).astype(np.int64)
    found = passages(net, chain, each, look, until_us, counts=counts, room=room)
    over = found.target == _OVER
    at_us, mass = found.at_us[over], found.mass[over]
    later = at_us > 0
    never = mass[~later].sum(axis=0) + int(look[0] == _OVER)
    within = from_changes(at_us[later], mass[later], never * 0, mass[later].sum(axis=0), until_us)
    return Stay(within, never, found.mass[found.target == _STAYS].sum(axis=0), found.error)
