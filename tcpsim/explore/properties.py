"""Properties of every state of a connection: which hold, and how the others fail.

Owns: what a property is, and the verdict on each property with the fewest losses that break it. Refuses to
know: the list of properties (standard_properties), and how likely anything is (leaks).

A property is data: a name, a kind, a sentence, a function and a source. Its kind says what the function is
called with: every state (*always*: a `Pair`), all events of one instant (*at every step*: a `Step`), every
possible end (*in the end*: a `Stay`), or some possible end (*possible*: a `Stay`). So a user may pass
properties to `check`. Losses may happen at any time. A future in which they happen for ever does not count,
because an end has probability 1 for every loss rate below 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import NamedTuple

import networkx as nx  # type: ignore[import-untyped]

from tcpsim.errors import InputError
from tcpsim.explore.branch import Steps, View
from tcpsim.explore.chain import LIMIT, Chain, Progress, explore
from tcpsim.explore.classes import classes
from tcpsim.explore.edges import Edge
from tcpsim.explore.lasting import longer_than
from tcpsim.explore.shortest_paths import Way, Ways, first_found
from tcpsim.explore.tolerance import explore_for, unexplored
from tcpsim.explore.untimed import AnyOrder
from tcpsim.pair import Event, Pair

_LOSS = 0.1  # among ways of equally few losses the likeliest at this rate is shown


class Kind(Enum):
    """Of what a property speaks; ``str()`` is the word that tables and JSON use."""

    ALWAYS = "always"
    STEP = "at every step"
    END = "in the end"
    POSSIBLE = "possible"
    WITHIN = "within a time"

    def __str__(self) -> str:
        return self.value


class Step(NamedTuple):
    """One instant: the pair at rest before it, and what happened, cause before effect."""

    before: Pair
    events: Sequence[Event]


class Stay(NamedTuple):
    """States in which a connection stays if nothing more is lost; without `way_out` also if something is."""

    views: tuple[View, ...]
    states: tuple[int, ...]  # of the chain
    way_out: bool


class Property(NamedTuple):
    """One statement; `holds` takes what its kind speaks of."""

    name: str
    kind: Kind
    says: str
    holds: Callable[..., bool]
    source: str
    within_us: int = 0  # of kind WITHIN: for how long `holds` may be false of what is held, in a row


class Finding(NamedTuple):
    """Whether a property holds; `way` leads to the shortest counterexample, or to what is possible."""

    property: Property
    holds: bool
    way: Way | None


class Checked(NamedTuple):
    """What was found over `chain`; where that was cut, what holds does so as far as it goes.

    `error`: how likely a future leaves what was looked at, at the worst of the losses asked for; None: no
    losses were named, or there are no probabilities (any order).
    """

    chain: Chain
    findings: tuple[Finding, ...]
    error: float | None = None

    @property
    def whole(self) -> bool:
        """Every state was explored."""
        return not self.chain.cut

    def finding(self, name: str) -> Finding:
        """The one on the property of that name."""
        return next(each for each in self.findings if each.property.name == name)


def check(
    pair: Pair,
    properties: Sequence[Property],
    limit: int = LIMIT,
    in_flight: int | None = None,
    *,
    losses: Sequence[float] | Mapping[str, Sequence[float]] | None = None,
    tolerance: float = 0.0,
    progress: Progress | None = None,
) -> Checked:
    """Ask `properties` of every future of `pair`, up to `limit` states.

    With `losses`, until the futures that are left are no likelier than `tolerance` at any of them
    (`tolerance.explore_for`): what holds then is no proof, but `error` bounds how often it may fail. With
    `in_flight`, of every order, instead of by the clock: with so many segments under way at most
    (`anyorder`).

    Raises:
        InputError: see `explore_for`; losses for every order, which has no probabilities.
    """
    watch = _Asking(properties)
    error = None
    if losses is None:
        steps = Steps if in_flight is None else partial(AnyOrder, room=in_flight)
        chain = explore(pair, limit, watch=watch, steps=steps, progress=progress)
    elif in_flight is not None:
        raise InputError("losses", "some, for any order", "none: any order has no probabilities")
    else:
        chain = explore_for(pair, losses, tolerance, limit, watch, progress)
        error = float(max(unexplored(chain, losses)))
    stays = _stays(chain)
    ways = Ways(chain, _LOSS)
    found = []
    for each in properties:
        if each.kind in (Kind.ALWAYS, Kind.STEP):
            where: Sequence[int | Edge] = watch.broken[each.name]
            holds = not where
        elif each.kind is Kind.WITHIN:
            where = longer_than(chain, _denied(each), each.within_us)
            holds = not where
        elif each.kind is Kind.END:
            where = [state for stay in stays if not each.holds(stay) for state in stay.states]
            holds = not where
        else:
            where = [state for stay in stays if each.holds(stay) for state in stay.states]
            holds = bool(where)
        way = None
        if where:
            way = ways.fewest_losses(where) if in_flight is None else first_found(chain, where)
        found.append(Finding(each, holds, way))
    return Checked(chain, tuple(found), error)


def _denied(each: Property) -> Callable[[View], bool]:
    return lambda view: not each.holds(view)


class _Asking:
    """Looks on while states are explored, and notes where a property of one kind or the other breaks."""

    def __init__(self, properties: Sequence[Property]) -> None:
        self.always = [each for each in properties if each.kind is Kind.ALWAYS]
        self.steps = [each for each in properties if each.kind is Kind.STEP]
        self.broken: dict[str, list[int | Edge]] = {each.name: [] for each in (*self.always, *self.steps)}

    def state(self, number: int, pair: Pair) -> None:
        for each in self.always:
            if not each.holds(pair):
                self.broken[each.name].append(number)

    def step(self, edge: Edge, before: Pair, events: Sequence[Event]) -> None:
        if self.steps:
            step = Step(before, events)
            for each in self.steps:
                if not each.holds(step):
                    self.broken[each.name].append(edge)


def _stays(chain: Chain) -> list[Stay]:
    """The classes of states without a way out, and those which nothing but a loss leads out of."""
    cut = set(chain.cut)
    ends = [part.states for part in classes(chain) if part.bottom and part.states[0] not in cut]
    settled = {state for states in ends for state in states}
    quiet = nx.DiGraph()
    quiet.add_nodes_from(range(chain.states))
    quiet.add_edges_from((edge.source, edge.target) for edge in chain.edges if not any(edge.lost))
    held = [
        tuple(sorted(part))
        for part in nx.attracting_components(quiet)
        if not (part & settled or part & cut) and any(quiet.out_degree(state) for state in part)
    ]
    return [_stay(chain, states, False) for states in ends] + [_stay(chain, states, True) for states in held]


def _stay(chain: Chain, states: tuple[int, ...], way_out: bool) -> Stay:
    return Stay(tuple({chain.view[state]: None for state in states}), states, way_out)
