"""Inserts loss rates into a chain: the probability of each state, and the time on the way.

Owns: the forward pass over classes of states in topological order, for any number of loss rates together
(floats) or for one in exact fractions, and the elimination of cycles. Refuses to know: what a class means to
a host (leaks).

A cycle (a keepalive probe that is answered, a RST that is lost while a timer continues) is eliminated state
by state without subtraction. With 1 minus the probability that the cycle repeats, an exit that needs nine
losses in a row at 0.1 % would disappear in rounding (Grassmann, Taksar and Heyman 1985).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import networkx as nx  # type: ignore[import-untyped]
import numpy as np

from tcpsim.explore.branch import View
from tcpsim.explore.chain import Chain, Edge
from tcpsim.explore.step_functions import Masses

Value = Any  # a numpy array over loss rates, or one Fraction


class Class(NamedTuple):
    """States that can all reach each other; one state that cannot come back is one, too."""

    states: tuple[int, ...]
    cyclic: bool
    bottom: bool  # there is no way out


class Solution(NamedTuple):
    """What became of a connection, per class of states.

    `entered[c]`: the probability of ever coming to class c. `settled[c]`: of staying: the class has no way
    out, its future was cut off, or the expected stay is beyond the horizon. `stay_us[c]`: the expected stay
    in a cyclic class, from the event that enters it to the last one inside it; infinite where settled at
    certainty. `held_us[view]`: the expected time of looking like that before settling. `cut`: what was not
    explored.
    """

    classes: tuple[Class, ...]
    entered: dict[int, Value]
    settled: dict[int, Value]
    stay_us: dict[int, Value]
    held_us: dict[View, Value]
    cut: Value


def classes(chain: Chain) -> tuple[Class, ...]:
    """The strongly connected components, each before whatever it leads to.

    Most states are on no way back. They are taken off from both ends, and networkx has the rest to do.
    """
    out: list[list[int]] = [[] for _ in range(chain.states)]
    into: list[list[int]] = [[] for _ in range(chain.states)]
    for edge in chain.edges:
        out[edge.source].append(edge.target)
        into[edge.target].append(edge.source)
    first = _peeled(range(chain.states), into, out)
    rest = set(range(chain.states)).difference(first)
    last = _peeled(rest, out, into)
    rest.difference_update(last)
    graph = nx.DiGraph()
    graph.add_nodes_from(sorted(rest))
    graph.add_edges_from((state, target) for state in sorted(rest) for target in out[state] if target in rest)
    condensed = nx.condensation(graph)
    found = [Class((state,), False, not out[state]) for state in first]
    for number in nx.topological_sort(condensed):
        members = condensed.nodes[number]["members"]
        ways = {target for state in members for target in out[state]}
        found.append(Class(tuple(sorted(members)), not ways.isdisjoint(members), ways <= members))
    return (*found, *[Class((state,), False, not out[state]) for state in reversed(last)])


def _peeled(states: Iterable[int], before: list[list[int]], behind: list[list[int]]) -> list[int]:
    """Of `states` those that are on no way back, as long as nothing is before them that is not taken off."""
    left = dict.fromkeys(states, 0)
    for state in left:
        for other in behind[state]:
            if other in left:
                left[other] += 1
    found = [state for state in sorted(left) if not left[state]]
    for state in found:  # grows on the way
        for other in behind[state]:
            if other in left:
                left[other] -= 1
                if not left[other]:
                    found.append(other)
    return found


def solve(
    chain: Chain, parts: Sequence[Class], losses: Mapping[str, Masses], horizon_us: int | None = None
) -> Solution:
    """For many loss rates at once: `losses` by class of loss, in floats, as `rates` checks them."""
    each = [losses[known.name] for known in chain.classes]
    length = len(each[0]) if each else 1
    return _Pass(chain, parts, each, np.ones(length), horizon_us).run()


def solve_exactly(
    chain: Chain, parts: Sequence[Class], losses: Mapping[str, Fraction], horizon_us: int | None = None
) -> Solution:
    """The same for one loss rate, in fractions."""
    return _Pass(chain, parts, [losses[each.name] for each in chain.classes], Fraction(1), horizon_us).run()


def probabilities(chain: Chain, parts: Sequence[Class], losses: Mapping[str, Masses]) -> Masses:
    """The probability of ever coming to each state (rows) that is on no way back; of others, from outside."""
    each = [losses[known.name] for known in chain.classes]
    flow = _Pass(chain, parts, each, np.ones(len(each[0]) if each else 1), None)
    flow.run()
    return np.array([flow.mass.get(state, flow.zero) for state in range(chain.states)])


class _Pass:
    """The forward pass."""

    def __init__(
        self, chain: Chain, parts: Sequence[Class], rates: list[Value], one: Value, horizon_us: int | None
    ) -> None:
        self.chain = chain
        self.parts = tuple(parts)
        self.rates = rates
        self.one, self.zero = one, one * 0
        self.horizon_us = horizon_us
        self.known: dict[tuple[tuple[int, ...], tuple[int, ...]], Value] = {}
        self.out: list[list[Edge]] = [[] for _ in range(chain.states)]
        for edge in chain.edges:
            self.out[edge.source].append(edge)
        self.mass: dict[int, Value] = {0: one}
        self.held_us: dict[View, Value] = {}

    def probability(self, edge: Edge) -> Value:
        """The probability of an edge."""
        _, _, _, lost, passed, weight = edge
        luck = self.known.get((lost, passed))
        if luck is None:
            luck = self.one
            for rate, gone, through in zip(self.rates, lost, passed, strict=True):
                luck = luck * rate**gone * (1 - rate) ** through
            self.known[lost, passed] = luck
        if weight == 1.0:
            return luck
        return luck * (Fraction(weight) if isinstance(self.one, Fraction) else weight)

    def run(self) -> Solution:
        """Every class in turn."""
        entered: dict[int, Value] = {}
        settled: dict[int, Value] = {}
        stay_us: dict[int, Value] = {}
        cut_states = set(self.chain.cut)
        cut = self.zero
        if self.chain.first_us:
            self.hold(self.chain.view[0], self.one * self.chain.first_us)
        for number, part in enumerate(self.parts):
            mass = self.mass.get(part.states[0], self.zero)
            for state in part.states[1:]:
                mass = mass + self.mass.get(state, self.zero)
            entered[number] = mass
            if part.bottom:
                settled[number] = mass
                if part.states[0] in cut_states:
                    cut = cut + mass
            elif part.cyclic:
                settled[number], stay_us[number] = self.round(part, mass)
            else:
                self.go_on(part.states[0], mass)
        return Solution(self.parts, entered, settled, stay_us, self.held_us, cut)

    def hold(self, view: View, us: Value) -> None:
        """Add expected time of looking like that."""
        known = self.held_us.get(view)
        self.held_us[view] = us if known is None else known + us

    def give(self, state: int, mass: Value) -> None:
        """Add probability to a state."""
        known = self.mass.get(state)
        self.mass[state] = mass if known is None else known + mass

    def go_on(self, state: int, mass: Value) -> None:
        """From a state that never comes again."""
        views = self.chain.view
        for edge in self.out[state]:
            share = mass * self.probability(edge)
            _, target, elapsed_us, _, _, _ = edge
            self.give(target, share)
            if elapsed_us:
                self.hold(views[target], share * elapsed_us)

    def round(self, part: Class, entered: Value) -> tuple[Value, Value]:
        """Through a class that goes round: what settles in it, and the expected stay."""
        wheel = _Wheel(self, part)
        given, held, stuck = wheel.turn()
        inside_us = sum(held.values(), self.zero)
        if isinstance(self.one, Fraction):
            mean_us = inside_us / entered if entered else self.zero
            stays = bool(stuck) or (self.horizon_us is not None and mean_us > self.horizon_us)
            here = entered if stays else stuck
        else:
            mean_us = np.divide(inside_us, entered, out=np.zeros_like(entered), where=entered > 0)
            mean_us = np.where(stuck > 0, np.inf, mean_us)
            stays = mean_us > (np.inf if self.horizon_us is None else self.horizon_us)
            stays = stays | (stuck > 0)
            here = np.where(stays, entered, self.zero)
        for target, mass in given.items():
            self.give(target, self._unless(stays, mass))
        for view, us in held.items():
            self.hold(view, self._unless(stays, us))
        return here, mean_us

    def _unless(self, stays: Any, value: Value) -> Value:
        if isinstance(self.one, Fraction):
            return self.zero if stays else value
        return np.where(stays, 0.0, value)


_STUCK = -1


class _Wheel:
    """The elimination of one cyclic class: each state in turn is made a passage between its neighbours."""

    def __init__(self, flow: _Pass, part: Class) -> None:
        self.flow = flow
        self.part = part
        members = set(part.states)
        self.rows: dict[int, dict[int, Value]] = {}
        self.costs: dict[int, dict[View, Value]] = {}
        self.sources: dict[int, set[int]] = {state: set() for state in members}
        for state in part.states:
            row: dict[int, Value] = {}
            cost: dict[View, Value] = {}
            for edge in flow.out[state]:
                share = flow.probability(edge)
                row[edge.target] = row.get(edge.target, flow.zero) + share
                view = flow.chain.view[edge.target]
                cost[view] = cost.get(view, flow.zero) + share * edge.elapsed_us
                if edge.target in members:
                    self.sources[edge.target].add(state)
            self.rows[state], self.costs[state] = row, cost

    def turn(self) -> tuple[dict[int, Value], dict[View, Value], Value]:
        """(probability given to states outside, expected time by view, what never gets out)."""
        flow = self.flow
        zero = flow.zero
        mass = {state: flow.mass.get(state, zero) for state in self.part.states}
        given: dict[int, Value] = {}
        held: dict[View, Value] = {}
        for state in self.part.states:
            row, cost = self.rows.pop(state), self.costs.pop(state)
            row.pop(state, None)
            self._leave(row, cost)
            here = mass.pop(state)
            for target, share in row.items():
                where = mass if target in mass else given
                where[target] = where.get(target, zero) + here * share
            for view, us in cost.items():
                held[view] = held.get(view, zero) + here * us
            for source in self.sources.pop(state):
                if source not in self.rows:
                    continue
                before = self.rows[source]
                share = before.pop(state)
                for target, further in row.items():
                    before[target] = before.get(target, zero) + share * further
                    if target in self.sources:
                        self.sources[target].add(source)
                for view, us in cost.items():
                    self.costs[source][view] = self.costs[source].get(view, zero) + share * us
        return given, held, given.pop(_STUCK, zero)

    def _leave(self, row: dict[int, Value], cost: dict[View, Value]) -> None:
        """A state's ways to elsewhere, made to add up to 1; where there is none it is stuck."""
        out = sum(row.values(), self.flow.zero)
        if isinstance(self.flow.one, Fraction):
            stuck = Fraction(out == 0)
            each = stuck or out
        else:
            stuck = (out == 0.0).astype(float)
            each = out + stuck
        for target in row:
            row[target] = row[target] / each
        for view in cost:
            cost[view] = cost[view] * (1 - stuck) / each
        if self.flow.one is not None and (stuck if isinstance(stuck, Fraction) else stuck.any()):
            row[_STUCK] = row.get(_STUCK, self.flow.zero) + stuck
