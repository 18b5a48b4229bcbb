"""The situations of the lab, which are not in the catalogue: special cases where a simulator may fail.

Owns: how a situation is found by its name. Refuses to know: each of them (situations_opening,
situations_closing), and what Linux does with them, which the recordings show. Those in tests/data/kernel/lab
were made with `tcpsim lab record NAME --small`. `random-17` is drawn from this seed (random_situations).
"""

from __future__ import annotations

import re

from tcpsim.catalogue import scenarios
from tcpsim.conformance.lab import random_situations
from tcpsim.conformance.lab.situation import Situation
from tcpsim.conformance.lab.situations_closing import ENDINGS
from tcpsim.conformance.lab.situations_opening import OPENINGS
from tcpsim.errors import unknown

_DRAWN = re.compile(r"random-([0-9]+)", re.ASCII)
_BY_NAME = {situation.name: situation for situation in (*OPENINGS, *ENDINGS)}


def names() -> tuple[str, ...]:
    """All of them."""
    return tuple(_BY_NAME)


def find(name: str) -> Situation:
    """The situation of that name.

    Raises:
        InputError: there is none, nor a scenario of that name.
    """
    drawn = _DRAWN.fullmatch(name)
    if drawn is not None:
        return random_situations.situation(int(drawn[1]))
    if name not in _BY_NAME:
        raise unknown("scenario", name, [*_BY_NAME, *(each.name for each in scenarios())])
    return _BY_NAME[name]
