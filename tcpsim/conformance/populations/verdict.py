"""The verdict on a real population: each count is compared with the distribution of the model.

Owns: which counts are judged, their intervals, and the verdict. Refuses to know: how a distribution is
computed (expected).

A count with an expectation of `LEAST` or more must lie in its 99.9 % interval. Smaller counts are shown but
not judged. The series of a state must lie in its 99 % band in 95 % of the seconds. Both are wider by the
number of connections that were not followed through every loss. If this number is larger than an expected
count, an interval says nothing, and the verdict is OPEN.

There are two models. `judge` simulates populations (sampled_replay), so that connections may depend on each
other. `judge_exactly` follows all histories of one connection (expected), and then they do not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from tcpsim.conformance.populations import KINDS, Kind, Run, stack_of
from tcpsim.conformance.populations.expected import LIMIT, Expected, expected
from tcpsim.conformance.populations.replay import Look
from tcpsim.conformance.populations.sampled_replay import REPLICATES, Sampled, sampled
from tcpsim.conformance.populations.transitions import TRANSITIONS, Counted, Ending, ending
from tcpsim.explore.count_distribution import Law

LEAST: Final = 5.0
_ROW: Final = 0.999
_BAND: Final = 0.99
_SHARE: Final = 0.95
_FEW: Final = 2.0  # connections not followed that no count would notice
_MORE: Final = 3  # times as many states where there were more of them


Model = Expected | Sampled


class Row(NamedTuple):
    """One count at the end: of sockets in a state, or of connections that ended in one way."""

    name: str
    counted: int
    expected: float
    low: int
    high: int
    unfollowed: int = 0

    @property
    def verdict(self) -> str:
        """ "fits", "outside", "rare": expected too seldom to be judged, or "open": more were not followed."""
        if self.expected < LEAST:
            return "rare"
        if self.unfollowed and self.unfollowed >= self.expected and self.low <= self.counted <= self.high:
            return "open"
        return "fits" if self.low <= self.counted <= self.high else "outside"


class Series(NamedTuple):
    """The counts of one state on one host by time: the kernel's, the expectation and its 99 % band."""

    host: str
    state: str
    counts: tuple[int, ...]
    expected: tuple[float, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]
    unfollowed: int = 0

    @property
    def inside(self) -> float:
        """The share of times at which the count is in the band."""
        each = zip(self.low, self.counts, self.high, strict=True)
        return sum(low <= count <= high for low, count, high in each) / len(self.counts)

    @property
    def verdict(self) -> str:
        """ "fits", "outside", "rare": expected too seldom at any time, or "open": more were not followed."""
        if max(self.expected) < LEAST:
            return "rare"
        if self.unfollowed and self.unfollowed >= max(self.expected) and self.inside >= _SHARE:
            return "open"
        return "fits" if self.inside >= _SHARE else "outside"


class Judgement(NamedTuple):
    """All of one run. `cut_short`: how many connections were not followed through every loss.

    `caches_metrics`: whether the kernel's connections knew each other's round-trip times; `knows`: whether
    the model's did.
    """

    run: Run
    end: tuple[Row, ...]
    outcomes: tuple[Row, ...]
    series: tuple[Series, ...]
    cut_short: float
    caches_metrics: bool = False
    knows: bool = False
    transitions: tuple[Counted, ...] = ()

    @property
    def verdict(self) -> str:
        """PASS, FAIL where something that is judged is outside, or OPEN where nothing is and not all was."""
        verdicts = [row.verdict for row in (*self.end, *self.outcomes)]
        verdicts += [series.verdict for series in self.series]
        if "outside" in verdicts:
            return "FAIL"
        return "OPEN" if "open" in verdicts else "PASS"

    @property
    def fits(self) -> bool:
        """Everything that is to be judged was, and nothing is outside."""
        return self.verdict == "PASS"


def judge(
    run: Run, replicates: int = REPLICATES, seed: int = 1, executor: Executor | None = None
) -> Judgement:
    """Every count of a run beside what is counted in so many drawn ones.

    Raises:
        InputError: what was set is not modelled.
    """
    return _judged(run, sampled(run, replicates, seed, executor), True)


def judge_exactly(run: Run, limit: int | None = None, executor: Executor | None = None) -> Judgement:
    """Every count of a run beside what the exact model of one connection expects of it.

    Without a `limit` of states it is `LIMIT`, or three times that where it leaves too much unfollowed.

    Raises:
        InputError: what was set is not modelled.
    """
    model = expected(run, limit or LIMIT, executor)
    if limit is None and model.cut_short > _FEW:
        model = expected(run, _MORE * LIMIT, executor)
    return _judged(run, model, False)


def _judged(run: Run, model: Model, knows: bool) -> Judgement:
    end_us = run.times_us[-1]
    found = []
    for host in ("A", "B"):
        seen = {_of(host, look) for _, look in model.looks()}
        states = {state for state in seen if state not in ("GONE", "CLOSE(fd kept)")}
        for state in sorted(states | set(run.counts(host))):
            found.append(series(model, host, state))
    laws = {(each.host, each.state): _law(model, each.host, each.state, [end_us])[0] for each in found}
    slack = _slack(model)
    end = [
        _row(f"{host} {state}", run.end[host].get(state, 0), law, slack)
        for (host, state), law in laws.items()
        if run.end[host].get(state, 0) or _mean(law) > _NEVER
    ]
    caches = stack_of(run).caches_metrics
    outcomes = _outcomes(model, end_us)
    counted = _transitions(model, end_us)
    return Judgement(
        run, tuple(end), outcomes, tuple(found), model.cut_short, caches, knows and caches, counted
    )


_RARE: Final = 0.6  # a law of two kinds that never occurred has a mean of about half
_NEVER: Final = 0.05  # what is expected less often, and was not seen, is left out


def _of(host: str, look: Look) -> str:
    return look.client if host == "A" else look.server


def _law(model: Model, host: str, state: str, times_us: list[int]) -> list[Law]:
    return model.laws({kind: lambda look: _of(host, look) == state for kind in KINDS}, times_us)


def series(model: Model, host: str, state: str) -> Series:
    """The counts of one state beside the law that they have at each time."""
    times_us = model.run.times_us
    counts = model.run.counts(host).get(state, [0] * len(times_us))
    laws = _law(model, host, state, times_us)
    slack = _slack(model)
    bands = [_wider(law.between(_BAND), slack) for law in laws]
    means = tuple(_mean(law) for law in laws)
    lows, highs = zip(*bands, strict=True)
    return Series(host, state, tuple(counts), means, lows, highs, slack)


def _outcomes(model: Model, end_us: int) -> tuple[Row, ...]:
    """A row for each way to end, the likeliest first."""
    ways: dict[tuple[str, Kind], set[Look]] = defaultdict(set)
    for kind, look in model.looks():
        ways[look.outcome(kind), kind].add(look)
    counted = dict(model.run.outcomes)
    rows = []
    for (name, kind), looks in ways.items():
        law = model.laws({kind: looks.__contains__}, [end_us])[0]
        if name in counted or _mean(law) > _NEVER:
            rows.append(_row(name, counted.pop(name, 0), law, _slack(model)))
    rows += [Row(name, count, 0.0, 0, 0) for name, count in counted.items()]
    return tuple(sorted(rows, key=lambda row: -row.expected))


def _transitions(model: Model, end_us: int) -> tuple[Counted, ...]:
    """How often each transition happened, those left out that cannot in this run."""
    rows = []
    for name, happened in TRANSITIONS.items():
        chosen = {kind: partial(_happened, happened, kind) for kind in KINDS}
        (law,) = model.laws(chosen, [end_us])
        mean = _mean(law)
        spread = float(law.probability @ (law.low + np.arange(len(law.probability)) - mean) ** 2)
        seen = sum(count for outcome, count in model.run.outcomes if happened(ending(outcome)))
        if seen or mean > _RARE:
            rows.append(Counted(name, seen, mean, spread))
    return tuple(rows)


def _happened(wanted: Callable[[Ending], bool], kind: Kind, look: Look) -> bool:
    return wanted(ending(look.outcome(kind)))


def _slack(model: Model) -> int:
    """Connections that may be anywhere."""
    return round(model.cut_short)


def _wider(interval: tuple[int, int], slack: int) -> tuple[int, int]:
    low, high = interval
    return max(low - slack, 0), high + slack


def _row(name: str, count: int, law: Law, slack: int) -> Row:
    return Row(name, count, _mean(law), *_wider(law.between(_ROW), slack), slack)


def _mean(law: Law) -> float:
    return float(law.probability @ (law.low + np.arange(len(law.probability))))
