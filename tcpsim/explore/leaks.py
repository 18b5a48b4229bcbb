"""The ends of a connection by name: gone, leaked for ever, or held beyond the horizon.

Owns: the meaning of the classes of a solved chain. *Permanent* is a class without an exit in which a socket
is not CLOSED. *Metastable* means that there is an exit, but the expected stay is beyond the horizon
(keepalive probes that are answered: all of them would have to be lost). All other states lead to one of
these. Refuses to know: how the probabilities are computed (solve).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcpsim.explore.branch import View, sides_of
from tcpsim.explore.chain import LIMIT, Chain, Progress, no_collection
from tcpsim.explore.classes import Class, Classes, classes
from tcpsim.explore.loss_rates import rates
from tcpsim.explore.solve import Solution, solve
from tcpsim.explore.tolerance import TOLERANCE, explore_for
from tcpsim.pair import Pair, Side, names, sockets_in_words
from tcpsim.tcp.state import State

Array = NDArray[np.float64]


class Kind(Enum):
    """How an end is meant; ``str()`` is the word that tables and JSON use."""

    CLEAN = "clean"
    PERMANENT = "permanent"
    METASTABLE = "metastable"
    CUT = "not explored"

    def __str__(self) -> str:
        return self.value


class End(NamedTuple):
    """One way for a connection to end, with what each side holds then, in words; `relays` are those between.

    `probability` has one number per loss rate; `stay_us` too, for a metastable end: the expected stay.
    """

    kind: Kind
    client: str
    server: str
    probability: Array
    stay_us: Array | None
    states: tuple[int, ...]  # of the chain
    relays: tuple[str, ...] = ()

    @property
    def held(self) -> dict[Side, str]:
        """What each machine holds, from the client to the server."""
        words = (self.client, *self.relays, self.server)
        return dict(zip(names(len(self.relays)), words, strict=True))

    def describe(self) -> str:
        """The same in one line."""
        return ", ".join(f"{side} {words}" for side, words in self.held.items())

    @property
    def permanent(self) -> bool:
        """A socket stays for ever, whatever the loss."""
        return self.kind is Kind.PERMANENT


class Leg(NamedTuple):
    """One connection of a line with relays, at both of its machines.

    It leaks where one of its sockets stays: for ever, or longer than the longest stay. `probability` of that
    and `held_us` have one number per loss rate; `held_us` is the expected time with a socket before the end.
    """

    name: str
    probability: Array
    held_us: Array
    states: tuple[int, ...]  # of the chain, in which it leaks


class Answer(NamedTuple):
    """What becomes of one connection, exactly, for every loss rate asked for.

    The probabilities of `ends` add up to 1 at each rate; `error` of it was not explored. `held_us` is the
    expected time before the end, by side and state. `legs` are those of a line with relays, else none.
    """

    chain: Chain
    classes: Classes  # of the chain, each before whatever it leads to
    losses: Mapping[str, Array]
    ends: tuple[End, ...]
    held_us: Mapping[tuple[Side, State], Array]
    error: Array
    legs: tuple[Leg, ...] = ()

    def probability(self, client: str, server: str, kind: Kind | None = None) -> Array:
        """Of the ends where the sides hold that."""
        found = [
            end.probability
            for end in self.ends
            if (end.client, end.server) == (client, server) and kind in (None, end.kind)
        ]
        return np.sum(found, axis=0) if found else np.zeros_like(self.error)


def answer(
    pair: Pair,
    losses: Sequence[float] | Mapping[str, Sequence[float]],
    horizon_us: int,
    limit: int = LIMIT,
    tolerance: float = TOLERANCE,
    progress: Progress | None = None,
) -> Answer:
    """Explore a pair and say how it ends: `losses` for every class of loss on its path, or for each by name.

    What is not explored is no likelier than `tolerance` at any of them, unless that took more than `limit`
    states; `error` says how likely it is.

    Raises:
        InputError: see `explore_for`.
    """
    with no_collection():
        chain = explore_for(pair, losses, tolerance, limit, progress=progress)
        each = {name: rate.astype(float) for name, rate in rates(chain, losses).items()}
        parts = classes(chain)
        solution = solve(chain, parts, each, horizon_us)
        ends, legs = _ends(chain, parts, solution), _legs(chain, parts, solution)
        return Answer(chain, parts, each, ends, _held(solution), solution.cut, legs)


def kind_of(chain: Chain, part: Class) -> Kind:
    """What it means to settle in a class."""
    if not part.bottom:
        return Kind.METASTABLE
    if not part.cyclic and not chain.rests[part.states[0]]:
        return Kind.CUT
    return Kind.PERMANENT if any(_alive(chain.view[state]) for state in part.states) else Kind.CLEAN


def _alive(view: View) -> bool:
    return any(held.state is not State.CLOSED for side in view for held in side)


def in_words(view: View) -> tuple[str, ...]:
    """What the client and the server hold, and each relay between."""
    return tuple([sockets_in_words(held) for held in view])


def _ends(chain: Chain, parts: Sequence[Class], solution: Solution) -> tuple[End, ...]:
    """Classes that look and mean the same are one end; an end that no rate comes to is left out."""
    groups: dict[tuple[Kind, tuple[str, ...]], list[int]] = {}
    for number in solution.settled:
        part = parts[number]
        kind = kind_of(chain, part)
        view = chain.view[part.states[0]]
        words = ("",) * len(view) if kind is Kind.CUT else in_words(view)
        groups.setdefault((kind, words), []).append(number)
    found = []
    for (kind, (client, server, *relays)), numbers in groups.items():
        probability = np.sum([solution.settled[number] for number in numbers], axis=0)
        if kind is Kind.METASTABLE and not probability.any():
            continue
        stay_us = _stay_us(solution, numbers) if kind is Kind.METASTABLE else None
        states = tuple(state for number in numbers for state in parts[number].states)
        found.append(End(kind, client, server, probability, stay_us, states, tuple(relays)))
    order = list(Kind)
    return tuple(
        sorted(found, key=lambda end: (order.index(end.kind), -float(end.probability.sum()), end.client))
    )


def _stay_us(solution: Solution, numbers: Sequence[int]) -> Array:
    """The mean over the classes by how likely each is entered."""
    weight = np.sum([solution.entered[number] for number in numbers], axis=0)
    total = np.zeros_like(weight)
    for number in numbers:
        part = solution.entered[number]
        total += np.where(part > 0, part * np.where(part > 0, solution.stay_us[number], 0.0), 0.0)
    mean_us: Array = np.divide(total, weight, out=np.zeros_like(weight), where=weight > 0)
    return mean_us


def _held(solution: Solution) -> dict[tuple[Side, State], Array]:
    found: dict[tuple[Side, State], Array] = {}
    for view, us in solution.held_us.items():
        for side, sockets in zip(sides_of(len(view)), view, strict=True):
            for held in sockets:
                if held.state is not State.CLOSED:
                    found[side, held.state] = found.get((side, held.state), 0.0) + us
    return found


def legs_alive(view: View) -> tuple[bool, ...]:
    """Whether a machine holds a socket of it that is not CLOSED, for each leg, the client's first."""
    client, server, *relays = view
    found = [any(held.state is not State.CLOSED for held in client), *[False] * len(relays)]
    for number, side in enumerate(relays):
        for held in side:
            if held.state is not State.CLOSED:
                found[number + held.behind] = True
    found[-1] = found[-1] or any(held.state is not State.CLOSED for held in server)
    return tuple(found)


def _legs(chain: Chain, parts: Sequence[Class], solution: Solution) -> tuple[Leg, ...]:
    sides = names(len(chain.view[0]) - 2)
    found = []
    for leg, machines in enumerate(pairwise(sides if len(sides) > 2 else ())):
        stuck = [
            number
            for number in solution.settled
            if kind_of(chain, parts[number]) is not Kind.CUT
            and any(legs_alive(chain.view[state])[leg] for state in parts[number].states)
        ]
        probability = sum([solution.settled[number] for number in stuck], np.zeros_like(solution.cut))
        held = [us for view, us in solution.held_us.items() if legs_alive(view)[leg]]
        held_us = sum(held, np.zeros_like(solution.cut))
        states = [state for number in stuck for state in parts[number].states]
        found.append(Leg(" - ".join(machines), probability, held_us, tuple(states)))
    return tuple(found)
