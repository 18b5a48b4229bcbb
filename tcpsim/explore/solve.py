"""Inserts loss rates into a chain: the probability of each state, and the time on the way.

Owns: the forward pass over classes of states in topological order, for any number of loss rates together
(floats) or for one in exact fractions, and the elimination of cycles. Refuses to know: what a class means to
a host (leaks).

All states of one level are computed together, each for all loss rates: what comes to them comes from levels
that are done.

A cycle (a keepalive probe that is answered, a RST that is lost while a timer continues) is eliminated state
by state without subtraction. With 1 minus the probability that the cycle repeats, an exit that needs nine
losses in a row at 0.1 % would disappear in rounding (Grassmann, Taksar and Heyman 1985).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tcpsim.explore.branch import View
from tcpsim.explore.chain import Chain
from tcpsim.explore.classes import Class, Classes
from tcpsim.explore.edge_columns import Ints, columns
from tcpsim.explore.edges import Kind
from tcpsim.explore.step_functions import Masses

Value = Any  # a numpy array over loss rates, or one Fraction
_Place = TypeVar("_Place")


class Solution(NamedTuple):
    """What became of a connection, per class of states.

    `mass[s]`: the probability of ever coming to state s, if it is on no way back; else of coming to it from
    outside its class. `entered[c]`: of ever coming to class c. `settled[c]`: of staying: the class has no way
    out, its future was cut off, or the expected stay is beyond the horizon. `stay_us[c]`: the expected stay
    in a cyclic class, from the event that enters it to the last one inside it; infinite where settled at
    certainty. `held_us[view]`: the expected time of looking like that before settling. `cut`: what was not
    explored.
    """

    classes: Classes
    mass: Masses
    entered: Mapping[int, Value]
    settled: Mapping[int, Value]
    stay_us: Mapping[int, Value]
    held_us: Mapping[View, Value]
    cut: Value


def solve(
    chain: Chain, parts: Classes, losses: Mapping[str, Masses], horizon_us: int | None = None
) -> Solution:
    """For many loss rates at once: `losses` by class of loss, in floats, as `rates` checks them."""
    each = [losses[known.name] for known in chain.classes]
    return _Pass(chain, parts, each, horizon_us).run()


def solve_exactly(
    chain: Chain, parts: Classes, losses: Mapping[str, Fraction], horizon_us: int | None = None
) -> Solution:
    """The same for one loss rate, in fractions: arrays of one."""
    each = [np.array([losses[known.name]], dtype=object) for known in chain.classes]
    found = _Pass(chain, parts, each, horizon_us, exact=True).run()
    return found._replace(
        mass=found.mass[:, 0],
        entered=_only(found.entered),
        settled=_only(found.settled),
        stay_us=_only(found.stay_us),
        held_us=_only(found.held_us),
        cut=found.cut[0],
    )


def _only(many: Mapping[_Place, Value]) -> dict[_Place, Value]:
    return {place: value[0] for place, value in many.items()}


def probabilities(chain: Chain, parts: Classes, losses: Mapping[str, Masses]) -> Masses:
    """The probability of ever coming to each state (rows) that is on no way back; of others, from outside."""
    return solve(chain, parts, losses).mass


def luck_of(kinds: Sequence[Kind], each: Sequence[Masses], one: Masses) -> Masses:
    """The probability of each kind of edge (rows) at each loss rate (columns): one list for each class."""
    exact = one.dtype == object
    rows = []
    for lost, passed, weight in kinds:
        row = one * (Fraction(weight) if exact else weight)
        for rate, gone, through in zip(each, lost, passed, strict=True):
            row = row * rate**gone * (1 - rate) ** through
        rows.append(row)
    return np.array(rows, dtype=one.dtype).reshape(len(rows), len(one))


class _Pass:
    """The forward pass."""

    def __init__(
        self, chain: Chain, parts: Classes, each: list[Masses], horizon_us: int | None, exact: bool = False
    ) -> None:
        self.chain = chain
        self.parts = parts
        self.horizon_us = horizon_us
        self.exact = exact or any(rate.dtype == object for rate in each)
        length = len(each[0]) if each else 1
        self.one = np.array([Fraction(1)] * length, dtype=object) if self.exact else np.ones(length)
        self.zero = self.one * 0
        (self.source, self.target, self.elapsed_us, self.kind), kinds = columns(chain.edges)
        self.luck = luck_of(kinds, each, self.one)
        self.mass = np.repeat(self.zero[None], chain.states, axis=0)
        self.held_us: dict[View, Value] = {}
        looks: dict[View, int] = {}
        self.look = np.array([looks.setdefault(view, len(looks)) for view in chain.view], dtype=np.int64)
        self.looks = tuple(looks)
        self.held = np.repeat(self.zero[None], len(looks), axis=0)

    def run(self) -> Solution:
        """Every level in turn."""
        parts = self.parts
        stay_us: dict[int, Value] = {}
        stuck: dict[int, Value] = {}
        if self.chain.first_us:
            self.held[self.look[0]] += self.one * self.chain.first_us
        self.mass[0] = self.one
        cyclic = [number for number, part in enumerate(parts) if part.cyclic and not part.bottom]
        inside = np.array([part.cyclic for part in parts])[parts.of]
        ways: dict[int, list[int]] = {}
        for edge in np.flatnonzero(inside[self.source]).tolist():
            ways.setdefault(int(self.source[edge]), []).append(edge)
        plain = np.flatnonzero(~inside[self.source])
        at = parts.level[parts.of[self.target[plain]]]
        order = np.lexsort((self.target[plain], at))
        arrives, at = plain[order], at[order]
        turning: dict[int, list[int]] = {}
        for number in cyclic:
            turning.setdefault(int(parts.level[number]), []).append(number)
        ends = np.searchsorted(at, np.arange(1, int(parts.level.max()) + 2)).tolist()
        for level, (begin, end) in enumerate(pairwise([0, *ends])):
            self.arrive(arrives[begin:end])
            for number in turning.get(level, ()):
                stuck[number], stay_us[number] = self.round(parts[number], ways)
        entered: dict[int, Value] = dict(enumerate(self.mass[[part.states[0] for part in parts]]))
        settled, cut = {number: stuck[number] for number in cyclic}, self.zero
        cut_states = set(self.chain.cut)
        for number, part in enumerate(parts):
            if len(part.states) > 1:
                entered[number] = self.mass[list(part.states)].sum(axis=0)
            if part.bottom:
                settled[number] = entered[number]
                if part.states[0] in cut_states:
                    cut = cut + entered[number]
        held_us = dict(zip(self.looks, self.held, strict=True))
        return Solution(parts, self.mass, entered, settled, stay_us, held_us, cut)

    def arrive(self, edges: Ints) -> None:
        """What comes to the states of one level over these edges, which are in the order of their targets."""
        if not len(edges):
            return
        target = self.target[edges]
        share = self.mass[self.source[edges]] * self.luck[self.kind[edges]]
        begins = np.flatnonzero(np.diff(target, prepend=-1))
        states = target[begins]
        self.mass[states] += np.add.reduceat(share, begins, axis=0)
        held = np.add.reduceat(share * self.elapsed_us[edges, None], begins, axis=0)
        looks = self.look[states]
        for look in np.unique(looks).tolist():
            self.held[look] += held[looks == look].sum(axis=0)

    def round(self, part: Class, ways: Mapping[int, Sequence[int]]) -> tuple[Value, Value]:
        """Through a class that goes round: what settles in it, and the expected stay."""
        entered = self.mass[list(part.states)].sum(axis=0)
        given, held, stuck = _Wheel(self, part, ways).turn()
        inside_us = sum(held.values(), self.zero)
        mean_us = np.divide(inside_us, entered, out=entered * 0, where=entered > 0)
        stays = stuck > 0
        if self.horizon_us is not None:
            stays = stays | (mean_us > self.horizon_us)
        for target, mass in given.items():
            self.mass[target] += np.where(stays, self.zero, mass)
        for look, us in held.items():
            self.held[look] += np.where(stays, self.zero, us)
        return np.where(stays, entered, self.zero), np.where(stuck > 0, np.inf, mean_us)


_STUCK = -1


class _Wheel:
    """The elimination of one cyclic class: each state in turn is made a passage between its neighbours."""

    def __init__(self, flow: _Pass, part: Class, ways: Mapping[int, Sequence[int]]) -> None:
        self.flow = flow
        self.part = part
        members = set(part.states)
        self.rows: dict[int, dict[int, Value]] = {}
        self.costs: dict[int, dict[int, Value]] = {}  # by look
        self.sources: dict[int, set[int]] = {state: set() for state in members}
        for state in part.states:
            row: dict[int, Value] = {}
            cost: dict[int, Value] = {}
            for edge in ways[state]:
                share = flow.luck[flow.kind[edge]]
                target = int(flow.target[edge])
                row[target] = row.get(target, flow.zero) + share
                look = int(flow.look[target])
                cost[look] = cost.get(look, flow.zero) + share * int(flow.elapsed_us[edge])
                if target in members:
                    self.sources[target].add(state)
            self.rows[state], self.costs[state] = row, cost

    def turn(self) -> tuple[dict[int, Value], dict[int, Value], Value]:
        """(probability given to states outside, expected time by look, what never gets out)."""
        flow = self.flow
        zero = flow.zero
        mass = {state: flow.mass[state] for state in self.part.states}
        given: dict[int, Value] = {}
        held: dict[int, Value] = {}
        for state in self.part.states:
            row, cost = self.rows.pop(state), self.costs.pop(state)
            row.pop(state, None)
            self._leave(row, cost)
            here = mass.pop(state)
            for target, share in row.items():
                where = mass if target in mass else given
                where[target] = where.get(target, zero) + here * share
            for look, us in cost.items():
                held[look] = held.get(look, zero) + here * us
            for source in self.sources.pop(state):
                if source not in self.rows:
                    continue
                before = self.rows[source]
                share = before.pop(state)
                for target, further in row.items():
                    before[target] = before.get(target, zero) + share * further
                    if target in self.sources:
                        self.sources[target].add(source)
                for look, us in cost.items():
                    self.costs[source][look] = self.costs[source].get(look, zero) + share * us
        return given, held, given.pop(_STUCK, zero)

    def _leave(self, row: dict[int, Value], cost: dict[int, Value]) -> None:
        """A state's ways to elsewhere, made to add up to 1; where there is none it is stuck."""
        out = sum(row.values(), self.flow.zero)
        stuck = (out == 0) * self.flow.one
        each = out + stuck
        for target in row:
            row[target] = row[target] / each
        for look in cost:
            cost[look] = cost[look] * (1 - stuck) / each
        if (out == 0).any():
            row[_STUCK] = row.get(_STUCK, self.flow.zero) + stuck
