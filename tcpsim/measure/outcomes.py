"""The outcomes of one set-up, exact or counted among simulated connections: a row for each quantity.

Owns: the list of quantities, and the two methods to compute them. Refuses to know: how a user selects a
set-up, and which others are asked for (api.sweep).

The quantities of a connection's end are `permanent` (a socket stays for ever), `metastable` (a socket stays
beyond the horizon), `clean` (no socket stays), and each remaining socket by side and state, such as `client
CLOSE-WAIT`. With times, the quantities are the numbers of sockets of each side and state at these times, for
one connection or for all connections of a host.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import NormalDist, fmean, stdev
from typing import Any, Literal, NamedTuple

import numpy as np

from tcpsim.errors import InputError
from tcpsim.explore.chain import LIMIT
from tcpsim.explore.curves import occupancy
from tcpsim.explore.explorable import obstacle
from tcpsim.explore.growth import Arrivals as Coming
from tcpsim.explore.growth import Stream
from tcpsim.explore.leaks import Answer, Kind, answer
from tcpsim.explore.over_time import over_time as held_over_time
from tcpsim.explore.tolerance import TOLERANCE
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.host.socket_accounting import sides
from tcpsim.measure.census_table import at_times, held
from tcpsim.measure.ends import Ends, ends
from tcpsim.measure.interval import wilson
from tcpsim.pair import Pair, Side
from tcpsim.tcp.state import State

Method = Literal["auto", "exact", "simulate"]
METHODS: tuple[Method, ...] = ("auto", "exact", "simulate")
Rows = list[dict[str, Any]]
CONFIDENCE = 0.95
WIDEST = 1e-3  # an exact answer that leaves more unexplored is no answer, where the method is chosen here
_KINDS = ("permanent", "metastable", "clean")


class Asked(NamedTuple):
    """What is asked of every set-up of a sweep; times in microseconds."""

    method: Method
    horizon_us: int
    limit: int = LIMIT
    tolerance: float = TOLERANCE  # of probability that an exact answer may leave unexplored
    at_us: tuple[int, ...] = ()
    rate: float | None = None
    for_us: int | None = None
    connections: int = 10_000
    seeds: tuple[int, ...] = (1,)


class SetUp(NamedTuple):
    """A pair whose loss is left open, and the loss rates to put in (to the client, to the server)."""

    pair: Pair
    losses: tuple[tuple[float, float], ...]
    lossy: tuple[Pair, ...]  # the same pair with each of the rates in place, to be simulated


def outcomes(setup: SetUp, asked: Asked) -> list[Rows]:
    """The rows of each loss rate of a set-up.

    Raises:
        InputError: the exact method, of what cannot be explored.
    """
    if asked.method != "simulate":
        why = obstacle(setup.pair)
        if why is None:
            losses = {
                "to client": [client for client, _ in setup.losses],
                "to server": [server for _, server in setup.losses],
            }
            found = answer(setup.pair, losses, asked.horizon_us, asked.limit, asked.tolerance)
            if asked.method == "exact" or float(found.error.max()) <= WIDEST:
                return _exact(found, losses, asked)
        elif asked.method == "exact":
            raise InputError("method", f"exact, of {why}", "simulate or auto: this can only be sampled")
    if asked.at_us:
        return [_held_simulated(pair, asked) for pair in setup.lossy]
    return _ends_simulated(setup.lossy, asked)


def _exact(found: Answer, losses: dict[str, list[float]], asked: Asked) -> list[Rows]:
    if asked.at_us:
        return _held_exactly(found, losses, asked)
    count = len(found.error)
    rows: list[Rows] = []
    for at in range(count):
        error = float(found.error[at])
        shares: dict[str, float] = dict.fromkeys(_KINDS, 0.0)
        stays: defaultdict[str, float] = defaultdict(float)
        for end in found.ends:
            if end.kind is Kind.CUT:
                continue
            p = float(end.probability[at])
            shares[str(end.kind)] += p
            if end.kind is not Kind.CLEAN:
                for quantity in _staying(end.client, end.server):
                    stays[quantity] += p
        exact = {"method": "exact", "unit": "probability", "states": found.chain.states}
        rows.append(
            [
                {"quantity": name, "value": value, "low": value, "high": min(1.0, value + error)} | exact
                for name, value in (*shares.items(), *sorted(stays.items()))
            ]
        )
    return rows


def _staying(client: str, server: str) -> list[str]:
    """The states that both sides stay in, each once: "2 CLOSE-WAIT + TIME-WAIT" is two."""
    names = {str(state) for state in State} - {str(State.CLOSED)}
    return [
        f"{side} {word}"
        for side, words in (("client", client), ("server", server))
        for word in dict.fromkeys(words.split())
        if word in names
    ]


def _held_exactly(found: Answer, losses: dict[str, list[float]], asked: Asked) -> list[Rows]:
    arrivals: Coming | None = None if asked.rate is None else Stream(asked.rate, asked.for_us)
    left = max(0.0, asked.tolerance - float(found.error.max()))  # of what may stay unknown
    seen = occupancy(found.chain, losses, max(1, asked.at_us[-1]), tolerance=left)
    told = held_over_time(seen, list(asked.at_us), arrivals, 0.99)
    rows: list[Rows] = []
    for place in range(len(found.error)):
        mine: Rows = []
        for number, (side, state) in enumerate(told.sockets):
            for at, t_us in enumerate(asked.at_us):
                mean = float(told.mean[number, at, place])
                band = [
                    mean if each is None else float(each[number, at, place]) for each in (told.low, told.high)
                ]
                mine.append(
                    {
                        "quantity": f"{side} {state}", "t_s": t_us / 1_000_000, "value": mean,
                        "low": band[0], "high": band[1], "method": "exact", "unit": "sockets",
                        "states": found.chain.states,
                    }
                )  # fmt: skip
        rows.append(mine)
    return rows


def _ends_simulated(pairs: Sequence[Pair], asked: Asked) -> list[Rows]:
    """Counted among `connections` for each seed, with Wilson's interval for all together."""
    arrivals = Arrivals(1.0, connections=asked.connections, poisson=False)
    counts: list[Counter[str]] = [Counter(dict.fromkeys(_KINDS, 0)) for _ in pairs]
    for seed in asked.seeds:
        for mine, found in zip(counts, ends(pairs, arrivals, asked.horizon_us, seed), strict=True):
            _count(mine, found)
    return [_counted(each, asked.connections * len(asked.seeds)) for each in counts]


def _count(counts: Counter[str], found: Ends) -> None:
    """Add what is left to the counts."""
    hosts = sides(found.views)
    for left, count in found.left.items():
        view = found.views[left.now if left.finally_ is None else left.finally_]
        alive = {
            f"{side} {one.state}" for side in hosts for one in view.of(side) if one.state is not State.CLOSED
        }
        if alive:
            counts["metastable" if left.finally_ is None else "permanent"] += count
            counts.update(dict.fromkeys(alive, count))


def _counted(counts: Counter[str], total: int) -> Rows:
    counts["clean"] = total - counts["permanent"] - counts["metastable"]
    rows: Rows = []
    for name, hits in (*((kind, counts[kind]) for kind in _KINDS), *sorted(_others(counts).items())):
        low, high = wilson(hits, total, CONFIDENCE)
        sampled = {"method": "simulate", "unit": "probability", "connections": total}
        rows.append({"quantity": name, "value": hits / total, "low": low, "high": high} | sampled)
    return rows


def _others(counts: Counter[str]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if name not in _KINDS}


def _held_simulated(pair: Pair, asked: Asked) -> Rows:
    """A realisation for each seed; of several the mean, and its interval."""
    if asked.rate is None:
        raise InputError("method", "simulate, of ages of one connection", "a rate beside the times")
    for_us = asked.at_us[-1] if asked.for_us is None else asked.for_us
    settle_us = max(0, asked.at_us[-1] - for_us)
    runs = []
    connections = 0
    for seed in asked.seeds:
        census = simulate(Plan(((1.0, pair),), Arrivals(asked.rate, for_us=for_us), settle_us, seed))
        connections += census.connections
        seen: dict[tuple[Side, State], Sequence[int]] = {}
        hosts = sides(census.views)
        kinds = {(side, one.state) for view in census.views for side in hosts for one in view.of(side)}
        for side, state in sorted(kinds):
            if state is not State.CLOSED:
                seen[side, state] = at_times(*held(census, side, state), np.array(asked.at_us)).tolist()
        runs.append(seen)
    rows: Rows = []
    for whose, state in sorted({kind for run in runs for kind in run}):
        for at, t_us in enumerate(asked.at_us):
            values = [run[whose, state][at] if (whose, state) in run else 0 for run in runs]
            half = _half_width(values)
            mean = fmean(values)
            rows.append(
                {
                    "quantity": f"{whose} {state}", "t_s": t_us / 1_000_000, "value": mean,
                    "low": None if half is None else mean - half,
                    "high": None if half is None else mean + half,
                    "method": "simulate", "unit": "sockets", "connections": connections,
                }
            )  # fmt: skip
    return rows


def _half_width(values: Sequence[int]) -> float | None:
    """Half of the interval of a mean of several realisations; None where there is one."""
    if len(values) < 2:
        return None
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    return float(z * stdev(values) / len(values) ** 0.5)
