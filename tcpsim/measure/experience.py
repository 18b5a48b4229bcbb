"""The results of a population of users: pages and requests, errors, connections, and peaks of sockets.

Owns: how each measure is computed from a census. Refuses to know: their names (host.measures), who the users
are (host), and how a number is printed (cli, draw).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from tcpsim.host.census import Census
from tcpsim.host.measures import measured
from tcpsim.measure.census_table import held, used

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


_OF_USERS: Final[Mapping[str, Callable[[Census], float]]] = {
    "asked": lambda census: census.experience.asked,
    "done": _good,
    "failed": lambda census: len(census.experience.outcomes) - _good(census),
    "waiting": lambda census: census.experience.waiting,
    "errors": lambda census: sum(census.experience.stumbles.values()),
    "connections": lambda census: census.connections,
    "median": lambda census: quantile_us(census, 0.5),
    "95 % within": lambda census: quantile_us(census, 0.95),
}


def measure(census: Census, name: str) -> float:
    """One number about a run; for the name see `tcpsim.host.measures`."""
    asked = measured(name)
    if isinstance(asked, str):
        return _OF_USERS[asked](census)
    what = asked.what
    t_us, value = used(census, asked.side, what) if isinstance(what, str) else held(census, asked.side, what)
    if asked.mean:
        return float(np.sum(value * np.diff(t_us, append=census.horizon_us)) / max(census.horizon_us, 1))
    return int(value[-1] if asked.left else value.max())
