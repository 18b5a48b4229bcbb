"""An exploration that stops when the unexplored probability is small enough.

Owns: the tolerance, and the loop of exploring and checking the unexplored probability. Refuses to know: how
states are explored (chain), in which order (frontier), and how probability flows through a chain (solve).

During the exploration, the unexplored probability is estimated at a few of the rates. The estimate is a
little too low, because paths back into explored states are not followed again. So when it is small enough,
the probability of every state is computed at all rates. If more than the tolerance is unexplored anywhere,
the exploration continues from there, at the rates with the largest rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from tcpsim.errors import InputError
from tcpsim.explore.branch import Steps
from tcpsim.explore.chain import LIMIT, Chain, Exploration, Progress, Watch
from tcpsim.explore.classes import classes
from tcpsim.explore.frontier import ByMass
from tcpsim.explore.loss_rates import rates
from tcpsim.explore.solve import probabilities
from tcpsim.explore.step_functions import Masses
from tcpsim.pair import Pair

TOLERANCE: Final = 1e-9
SMALL: Final = (
    2_000  # states are explored whatever the tolerance: they cost little, and rare ends keep digits
)
_POINTS: Final = 3  # loss rates at which states are ranked


def explore_for(
    pair: Pair,
    losses: Sequence[float] | Mapping[str, Sequence[float]],
    tolerance: float = TOLERANCE,
    limit: int = LIMIT,
    watch: Watch[Pair] | None = None,
    progress: Progress | None = None,
    at_least: int | None = None,
) -> Chain:
    """The futures of `pair` until what is not explored is no likelier than `tolerance` at any of the losses.

    `losses`: for every class of loss on its path, or for each by name. With a tolerance of 0 everything is
    explored. `limit` states are a ceiling: `unexplored` says what was left. `at_least`: so many states are
    explored whatever the tolerance (`SMALL`).

    Raises:
        InputError: see `explore` and `rates`; a tolerance outside 0 to 1.
    """
    if not 0 <= tolerance < 1:
        raise InputError("tolerance", tolerance, "a probability from 0 to below 1")
    each = rates(Steps(pair), losses)
    points = np.array([rate.astype(float) for rate in each.values()]).T if each else np.zeros((1, 0))
    spread = np.argsort(points.sum(axis=1), kind="stable")
    some = spread[np.linspace(0, len(spread) - 1, min(_POINTS, len(spread))).round().astype(int)]
    work = Exploration(pair, ByMass(points[some].tolist()), watch)
    target, least = tolerance, SMALL if at_least is None else at_least
    while True:
        work.run(limit, _enough(target, least) if tolerance else None, progress)
        chain = work.chain()
        if not chain.cut or chain.states >= limit:
            return chain
        waits = probabilities(chain, classes(chain), each)[list(chain.cut)].astype(float)
        left = waits.sum(axis=0)
        if left.max() <= tolerance:
            return chain
        some = np.argsort(-left, kind="stable")[:_POINTS]
        work.take(ByMass(points[some].tolist(), dict(zip(chain.cut, waits[:, some].tolist(), strict=True))))
        target = tolerance / 2  # so that one more look will do


def _enough(target: float, at_least: int) -> Callable[[int, float | None], bool]:
    return lambda states, left: states >= at_least and left is not None and left <= target


def unexplored(chain: Chain, losses: Sequence[float] | Mapping[str, Sequence[float]]) -> Masses:
    """How likely it is, at each of the losses, to come to a state that was not explored.

    Raises:
        InputError: see `rates`.
    """
    found: Masses = probabilities(chain, classes(chain), rates(chain, losses))[list(chain.cut)].sum(axis=0)
    return found
