"""Loss rates, as they are inserted into a chain.

Owns: the values that a user may give, as floats or as exact fractions, and their check. Refuses to know: how
they are used (solve, transient).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Protocol

import numpy as np

from tcpsim.errors import InputError
from tcpsim.explore.branch import LossClass
from tcpsim.explore.step_functions import Masses


class Lossy(Protocol):
    """A chain, or the steps that one is made of."""

    @property
    def classes(self) -> Sequence[LossClass]: ...


def rates(chain: Lossy, losses: Sequence[float] | Mapping[str, Sequence[float]]) -> dict[str, Masses]:
    """Loss rates for each class of loss: one list for all, or one each; all of one length.

    What is given for "to server" holds also for the next path that way, "to server 2", unless that has its
    own.

    Raises:
        InputError: a class without rates, lists of different lengths, a rate outside 0 to 1, or a path that
            loses nothing by chance where something should be lost.
    """
    each = losses if isinstance(losses, Mapping) else {known.name: losses for known in chain.classes}
    if not (chain.classes or isinstance(losses, Mapping) or np.all(np.equal(losses, 0))):
        raise InputError(
            "losses", losses, "only 0: the path loses nothing by chance (build it with any loss)"
        )
    found = {}
    for name in [known.name for known in chain.classes]:
        given = each.get(name, each.get(name.rstrip("0123456789 ")))
        if given is None:
            raise InputError("losses", f"none for {name!r}", "rates for every class of loss")
        found[name] = _checked(name, given)
    if len({len(rate) for rate in found.values()}) > 1:
        raise InputError("losses", "lists of different lengths", "as many rates for each class of loss")
    return found


def _checked(name: str, given: Sequence[float]) -> Masses:
    rate: Masses = np.array(given)
    if rate.ndim == 1 and any(isinstance(one, Fraction) for one in given):
        rate = np.array(given, dtype=object)
    elif np.issubdtype(rate.dtype, np.number):
        rate = rate.astype(float)
    if (
        rate.ndim != 1
        or not len(rate)
        or rate.dtype.kind not in "fO"
        or not ((rate >= 0) & (rate <= 1)).all()
    ):
        raise InputError(f"losses {name}", given, "a list of numbers from 0 to 1")
    return rate
