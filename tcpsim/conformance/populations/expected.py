"""The expected counts of a run: their distributions, from the histories of one connection.

Owns: the phases of the timer wheel and the strata of random times, arrivals, and the expectation and the
distribution of every count. Refuses to know: what the kernel counted (verdict).

It is known how many clients never close, and connections are independent. So a count is exactly the sum of
two binomial variables. Unknown values are averaged: the start of the last connection (n arrivals at a rate
have a Gamma time), and the phase of the timer wheel at the start of the run. The phase at which a connection
starts follows from both. Eight phases represent all, one in each eighth of every level of the wheel. For a
picture four do: of the 4,500 connections of the run with the most losses, no expectation by time differs by
more than 1.1 (of 2,100 in TIME-WAIT), nor by more than 0.2 in any other state. Of those that are left
half-open it is 460.4 with four and 460.5 with eight, at 20 % loss 129.0 and 131.5; two miss by a tenth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from math import sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcpsim.conformance.populations import KINDS, Kind, Run, connection
from tcpsim.conformance.populations.replay import Lives, Look, lives
from tcpsim.conformance.populations.setup import WHEEL_US
from tcpsim.explore.count_distribution import Law, independent
from tcpsim.explore.step_functions import Ints, Steps

Array = NDArray[np.float64]
Chosen = Callable[[Look], bool]

LIMIT: Final = 20_000  # states of one kind of connection for each phase at which it may begin
_FEW: Final = 20  # states of a node at least
PHASES: Final = 8  # any power of 2 divides the wheel
_DIGITS: Final = 7  # of a probability: of 4,500 connections less than a thousandth
_SECOND_US: Final = 1_000_000
_ORDERS: Final = ((0, 1), (3, 5), (1, 3), (6, 7))  # an order of the parts for each level of the wheel
_LAST: Final = ((0.0, 2 / 3), (sqrt(3.0), 1 / 6), (-sqrt(3.0), 1 / 6))  # Gauss-Hermite, in deviations
_THINKS: Final = 8  # draws of the think times for each phase
_WATCHED_US: Final = 12 * _SECOND_US  # connections younger than this when all vanishes are told apart by age


class Node(NamedTuple):
    """A connection that stands for others: its place in the wheel's turn, what it draws, what befalls it."""

    phase_us: int
    think_us: tuple[int, int]
    vanish_us: int | None  # on the connection's clock, which begins before it by `phase_us`


class Span(NamedTuple):
    """Arrivals from one time to another, and the node that stands for them."""

    begin_us: float
    end_us: float
    node: int


def nodes(run: Run, phases: int = PHASES) -> list[Node]:
    """All nodes of a run, so many for one draw of the think times."""
    config = run.config
    thinks = _THINKS if config.cthink or config.sthink else 1
    usual = [
        Node(_phase_us(number, phases), _think_us(run, number), None) for number in range(phases * thinks)
    ]
    if config.vanish is None:
        return usual
    late = []
    for number, (begin_us, end_us) in enumerate(_late(run, phases)):
        phase_us = _phase_us(number, phases)
        age_us = config.vanish * _SECOND_US - (begin_us + end_us) / 2
        late.append(Node(phase_us, _think_us(run, number), phase_us + round(age_us)))
    return usual + late


def _phase_us(number: int, phases: int) -> int:
    """A phase in the `number`th part of the turn, that takes each part of every finer level once, too."""
    share = 0.0
    for level, (first, step) in enumerate(_ORDERS, 1):
        share += ((first + step * number) % phases) / phases**level
    return int(share * WHEEL_US)


def _think_us(run: Run, number: int) -> tuple[int, int]:
    """Both drawn times: points that fill the square evenly (the R2 sequence of M. Roberts)."""
    golden = 1.324717957244746  # root of x^3 = x + 1
    shares = ((0.5 + number / golden) % 1, (0.5 + number / golden**2) % 1)
    return round(shares[0] * run.config.cthink * 1_000), round(shares[1] * run.config.sthink * 1_000)


def _arrivals_us(run: Run) -> float:
    """How long connections arrive, as expected."""
    config = run.config
    return (config.n / config.rate if config.arr_end is None else config.arr_end) * _SECOND_US


def _late(run: Run, phases: int) -> list[tuple[float, float]]:
    """Spans of arrivals that are young when everything vanishes."""
    last_us = min(_arrivals_us(run), (run.config.vanish or 0.0) * _SECOND_US)
    stratum_us = WHEEL_US // phases
    edges = np.arange(max(last_us - _WATCHED_US, 0.0), last_us, stratum_us)
    return [(edge, min(edge + stratum_us, last_us)) for edge in edges.tolist()]


def _spans(run: Run, phases: int, turn: int, last_us: float, count: int) -> list[Span]:
    """Who stands for whom, if the wheel stood at so many parts of its `turn` when the first second began."""
    late = [] if run.config.vanish is None else _late(run, phases)
    stratum_us = WHEEL_US // phases
    usual = count - len(late)
    until_us = late[0][0] if late else last_us
    spans = []
    for number, begin_us in enumerate(np.arange(0.0, until_us, stratum_us).tolist()):
        node = (number + turn) % phases + phases * (number // phases % (usual // phases))
        spans.append(Span(begin_us, min(begin_us + stratum_us, until_us), node))
    return spans + [Span(begin, end, usual + number) for number, (begin, end) in enumerate(late)]


class Expected(NamedTuple):
    """The lives at each node, for both kinds."""

    run: Run
    nodes: tuple[Node, ...]
    lives: dict[Kind, tuple[Lives, ...]]
    phases: int = PHASES

    @property
    def numbers(self) -> dict[Kind, int]:
        """How many connections there are of each kind."""
        never = self.run.config.n_never_closers
        return {"closer": self.run.config.n - never, "never-closer": never}

    @property
    def cut_short(self) -> float:
        """How many connections are expected among those that were not followed through every loss."""
        mean = {kind: np.mean([life.cut_short for life in self.lives[kind]]) for kind in KINDS}
        return float(sum(n * mean[kind] for kind, n in self.numbers.items()))

    def looks(self) -> set[tuple[Kind, Look]]:
        """Every look that a connection may have, by kind."""
        return {(kind, look) for kind in KINDS for each in self.lives[kind] for look in each.looks}

    def laws(self, chosen: Mapping[Kind, Chosen], times_us: Sequence[int]) -> list[Law]:
        """For each time the law of the count of connections that look as chosen.

        A mixture over what nobody knows: where the wheel stood, and when the last connection began.
        """
        at_us = np.array(times_us, dtype=float)
        curves = {kind: self._integrals(kind, wanted) for kind, wanted in chosen.items()}
        counts = np.array([self.numbers[kind] for kind in chosen], dtype=np.int64)
        found: list[dict[tuple[float, ...], float]] = [{} for _ in times_us]
        for turn in range(self.phases):
            for last_us, weight in self._lasts():
                spans = _spans(self.run, self.phases, turn, last_us, len(self.nodes))
                shares = np.array([_share(curves[kind], spans, at_us, last_us) for kind in chosen])
                for each, share in zip(found, shares.T.round(_DIGITS).tolist(), strict=True):
                    each[tuple(share)] = each.get(tuple(share), 0.0) + weight / self.phases
        return [_mixed(each, counts) for each in found]

    def _lasts(self) -> list[tuple[float, float]]:
        """When arrivals end, with weights."""
        mean_us = _arrivals_us(self.run)
        if self.run.config.arr_end is not None:
            return [(mean_us, 1.0)]
        deviation_us = sqrt(self.run.config.n) / self.run.config.rate * _SECOND_US
        return [(mean_us + times * deviation_us, weight) for times, weight in _LAST]

    def _integrals(self, kind: Kind, wanted: Chosen) -> list[Callable[[Array], Array]]:
        """For each node the integral of the probability from age 0 to an age."""
        each = zip(self.lives[kind], self.nodes, strict=True)
        return [partial(_integral, life.curve(wanted), node.phase_us) for life, node in each]


def _integral(curve: Steps, phase_us: int, age_us: Array) -> Array:
    clock_us = np.maximum(age_us, 0.0).astype(np.int64) + phase_us
    return np.asarray(curve.integral_us(clock_us)[..., 0] - curve.integral_us(phase_us)[0], dtype=float)


def _mixed(weights: Mapping[tuple[float, ...], float], counts: Ints) -> Law:
    """The law of a count whose probabilities, by kind, are these with their weights."""
    one = np.ones(1, dtype=np.int64)
    laws = [(independent(counts, one, np.array(each)[:, None]), weight) for each, weight in weights.items()]
    low = min(law.low for law, _ in laws)
    probability = np.zeros(max(law.low + len(law.probability) for law, _ in laws) - low)
    for law, weight in laws:
        probability[law.low - low : law.low - low + len(law.probability)] += weight * law.probability
    return Law(low, 1, probability)


def _share(
    curves: Sequence[Callable[[Array], Array]], spans: Iterable[Span], at_us: Array, last_us: float
) -> Array:
    """For each time the probability that one connection looks as chosen, its arrival being anywhere."""
    total = np.zeros_like(at_us)
    for number, curve in enumerate(curves):
        own = [span for span in spans if span.node == number]
        if own:
            begin = np.array([span.begin_us for span in own])
            end = np.array([span.end_us for span in own])
            total += (curve(at_us[:, None] - begin) - curve(at_us[:, None] - end)).sum(axis=1)
    return np.clip(total / last_us, 0.0, 1.0)


def expected(run: Run, limit: int = LIMIT, executor: Executor | None = None) -> Expected:
    """The lives of all nodes; `executor` shares them out. More nodes than phases share the states of these.

    Raises:
        InputError: what was set is not modelled.
    """
    chosen = nodes(run)
    each = max(limit * PHASES // len(chosen), _FEW)
    work = [(run, kind, node, each) for kind in KINDS for node in chosen]
    found = list(map(_lives, work) if executor is None else executor.map(_lives, work))
    middle = len(chosen)
    return Expected(
        run, tuple(chosen), {"closer": tuple(found[:middle]), "never-closer": tuple(found[middle:])}
    )


def _lives(work: tuple[Run, Kind, Node, int]) -> Lives:
    run, kind, node, limit = work
    pair = connection(run, kind, node.phase_us, node.think_us, node.vanish_us, alone=True)
    until_us = round(run.config.t_end * _SECOND_US) + node.phase_us
    return lives(pair, run.config.p, until_us, limit)
