"""The results of a population of users: pages and requests, errors, connections, and peaks of sockets.

Owns: the measures by name, and how each is computed from a census. Refuses to know: who the users are (host),
and how a number is printed (cli, draw).

A measure is a name in `MEASURES`, or one of these texts: "server TIME-WAIT" (the maximum), "client CLOSE-WAIT
left" (at the horizon), "server workers" (the maximum of a resource, see `Usage`), "mean server descriptors"
(the mean over the run).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from tcpsim.host.census import Census
from tcpsim.host.socket_accounting import Usage
from tcpsim.measure.census_table import held, used
from tcpsim.pair import SIDES, Side
from tcpsim.tcp.state import parse_state

_GOOD: Final = ("complete", "answered")
NEVER_US: Final = -1


def quantile_us(census: Census, share: float) -> int:
    """The time within which this share of all pages or requests was there; NEVER_US if fewer ever were."""
    experience = census.experience
    took = sorted(
        us for us, outcome in zip(experience.took_us, experience.outcomes, strict=True) if outcome in _GOOD
    )
    place = max(0, math.ceil(share * experience.asked) - 1)
    return took[place] if place < len(took) else NEVER_US


def _good(census: Census) -> int:
    return sum(outcome in _GOOD for outcome in census.experience.outcomes)


MEASURES: Final[Mapping[str, Callable[[Census], float]]] = {
    "asked": lambda census: census.experience.asked,
    "done": _good,
    "failed": lambda census: len(census.experience.outcomes) - _good(census),
    "waiting": lambda census: census.experience.waiting,
    "errors": lambda census: sum(census.experience.stumbles.values()),
    "connections": lambda census: census.connections,
    "median": lambda census: quantile_us(census, 0.5),
    "95 % within": lambda census: quantile_us(census, 0.95),
}
TIMES: Final = ("median", "95 % within")  # in microseconds; all other measures are counts


def measure(census: Census, name: str) -> float:
    """One number about a run; the name is one of `MEASURES`, or in the words above."""
    if name in MEASURES:
        return MEASURES[name](census)
    mean = name.startswith("mean ")
    side_name, _, what = name.removeprefix("mean ").partition(" ")
    side: Side = SIDES[SIDES.index(side_name)]
    left = what.endswith(" left")
    what = what.removesuffix(" left")
    t_us, value = used(census, side, what) if what in Usage._fields else held(census, side, parse_state(what))
    if mean:
        return float(np.sum(value * np.diff(t_us, append=census.horizon_us)) / max(census.horizon_us, 1))
    return int(value[-1] if left else value.max())
