"""The census of a population as its chain has it: expected numbers, with the exact band of each time.

Owns: a host's expected sockets by side, state and holder, and how many are expected to stay, from the curves
of one connection. Refuses to know: curves and laws (explore.curves, growth), and drawn populations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from tcpsim.errors import InputError
from tcpsim.explore import growth as coming
from tcpsim.explore.branch import View as Pairview
from tcpsim.explore.chain import Chain
from tcpsim.explore.curves import Look, occupancy
from tcpsim.explore.edge_columns import Ints
from tcpsim.explore.edges import Edge
from tcpsim.explore.outlook import NEVER, outlook
from tcpsim.explore.transient import graph
from tcpsim.host.census import Left
from tcpsim.host.limits import RESOURCES, Limits
from tcpsim.host.population import Arrivals
from tcpsim.host.socket_accounting import View, usage
from tcpsim.measure.census_table import Kind, counted, kinds, weighed
from tcpsim.measure.leaks import leaked_connections, leaks
from tcpsim.measure.results import Table
from tcpsim.measure.sampled_census import as_view, stacks_of
from tcpsim.pair import SIDES
from tcpsim.tcp.stack import Stack

CONFIDENCE: Final = 0.99
_MOST_TIMES: Final = 2_001
_SURELY: Final = 8  # standard deviations: beyond these a limit is not met
_PATIENCE_US: Final = 86_400_000_000
Series = Mapping[Kind, Any]


class ExpectedCensus(NamedTuple):
    """By side, state and holder: the expected number and bytes at each time, and the band of the number.

    `may_meet`: a limit that some hosts would meet. `leaks` and `leaked` are expected numbers, too.
    """

    at_us: Ints
    mean: Series
    bytes: Series
    low: Series
    high: Series
    now: Mapping[Kind, tuple[float, float]]
    leaks: Table
    leaked: float
    may_meet: str | None


def expected(
    chain: Chain,
    losses: Mapping[str, Sequence[float]],
    arrivals: Arrivals,
    settle_us: int,
    every_us: int,
    limits: Limits,
) -> ExpectedCensus:
    """The expected census: `losses` has one rate for each class of loss of the chain.

    Raises:
        InputError: arrivals without an end in time, or too many times for a band at each.
    """
    if arrivals.for_us is None:
        raise InputError("arrivals.for_us", None, "a time to go on for: the horizon has to be known")
    horizon_us = arrivals.for_us + settle_us
    if horizon_us // every_us >= _MOST_TIMES:
        raise InputError(
            "every", f"{horizon_us // every_us:,} times", f"at most {_MOST_TIMES:,} for the exact method"
        )
    at_us = np.arange(0, horizon_us + 1, every_us, dtype=np.int64)
    chain, ends = _in_time(chain, max(horizon_us, _PATIENCE_US))
    net = graph(chain)
    seen = occupancy(chain, losses, horizon_us, net=net, ends=ends)
    # whether a look is for ever plays no part here: looks that count alike are one value
    stacks = stacks_of(chain)
    looks = {look: as_view((look.client, look.server), stacks) for look in seen.looks}
    stream = _stream(arrivals, horizon_us)
    views = list(dict.fromkeys(looks.values()))
    place = {view: number for number, view in enumerate(views)}
    mean, size, low, high = {}, {}, {}, {}
    now = {}
    last = np.array([horizon_us], dtype=np.int64)
    for kind in kinds(views):
        number = _value(counted(views, kind), looks, place)
        weight = seen.curve(_value(weighed(views, kind), looks, place))
        told = coming.growth(seen, stream, number, at_us, CONFIDENCE)
        mean[kind], low[kind], high[kind] = told.mean[:, 0], told.low[:, 0], told.high[:, 0]
        size[kind] = stream.mean(weight, at_us)[:, 0]
        now[kind] = (
            float(stream.mean(seen.curve(number), last)[0, 0]), float(stream.mean(weight, last)[0, 0])
        )  # fmt: skip
    standing = _standing(
        seen.looks, looks, lambda look: float(stream.mean(seen.curve(_is(look)), last)[0, 0]), stacks
    )
    may_meet = None
    for side in SIDES:
        for resource in RESOURCES[side]:
            limit = getattr(limits.of(side), resource)
            if limit is not None:
                used = [getattr(usage(view, side), resource) for view in views]
                most = float(stream.mean(seen.curve(_value(used, looks, place)), at_us).max(initial=0.0))
                if most + _SURELY * most**0.5 + 1 >= limit:
                    may_meet = may_meet or f"{side} {resource}"
    return ExpectedCensus(
        at_us, mean, size, low, high, now, leaks(standing), leaked_connections(standing), may_meet
    )


def _in_time(chain: Chain, patience_us: int) -> tuple[Chain, list[Pairview | None]]:
    """The chain, and what each state holds in the end; None: it goes on, or for longer than `patience_us`.

    A state that is waited in for long is two: before its outlook comes within patience, and from then on.
    """
    ahead = outlook(graph(chain))
    end, after_us = ahead.end.tolist(), ahead.after_us.tolist()
    cut = set(chain.cut)
    nothing: Pairview = ((), ())
    ends = [
        None if each == NEVER or after > patience_us else nothing if each in cut else chain.view[each]
        for each, after in zip(end, after_us, strict=True)
    ]
    long: dict[int, int] = {}
    edges = []
    for edge in chain.edges:
        spare_us = patience_us - after_us[edge.target]
        if ends[edge.target] is None or edge.elapsed_us <= spare_us:
            edges.append(edge)
            continue
        before = long.setdefault(edge.target, chain.states + len(long))
        edges.append(edge._replace(target=before, elapsed_us=edge.elapsed_us - spare_us))
    none = (0,) * len(chain.classes)
    edges += [
        Edge(before, state, patience_us - after_us[state], none, none, 1.0) for state, before in long.items()
    ]
    longer = chain._replace(
        view=chain.view + tuple([chain.view[state] for state in long]),
        rests=chain.rests + bytes(len(long)),
        edges=tuple(edges),
    )
    return longer, ends + [None] * len(long)


class _Standing(NamedTuple):
    """What `leaks` counts, in expected numbers."""

    views: list[View]
    left: Mapping[Left, Any]


def _standing(
    every: Sequence[Look],
    looks: Mapping[Look, View],
    number: Callable[[Look], float],
    stacks: Sequence[Stack],
) -> _Standing:
    numbers: dict[View, int] = {}
    left: dict[Left, float] = {}
    for look in every:
        if not (look.client or look.server):
            continue
        end = None if look.end is None else as_view(look.end, stacks)
        now = numbers.setdefault(looks[look], len(numbers))
        key = Left(now, None if end is None else numbers.setdefault(end, len(numbers)))
        left[key] = left.get(key, 0.0) + number(look)
    return _Standing(list(numbers), left)


def _value(
    worth: Sequence[int], looks: Mapping[Look, View], place: Mapping[View, int]
) -> Callable[[Look], int]:
    return lambda look: worth[place[looks[look]]]


def _is(look: Look) -> Callable[[Look], int]:
    return lambda other: int(other == look)


def _stream(arrivals: Arrivals, horizon_us: int) -> coming.Arrivals:
    """The same arrivals as those of a simulated host."""
    assert arrivals.for_us is not None
    if arrivals.given is not None or not arrivals.poisson:
        return coming.Given(np.array(list(arrivals.times_us(seed=0)), dtype=np.int64))
    if arrivals.daily is None:
        return coming.Stream(arrivals.per_second, arrivals.for_us)
    pieces = arrivals.daily.pieces(arrivals.for_us)
    return coming.Varying(tuple((begin, end, arrivals.per_second * factor) for begin, end, factor in pieces))
