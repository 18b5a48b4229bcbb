"""Statements about every future of a connection: which hold, and how the others fail.

Owns: the named properties, and the verdict on each with the fewest losses that break it. Refuses to know:
how likely anything is (leaks).

*Always* is asked of every state, *in the end* of every class of states without a way out, *possible* of some
such class. Losses may strike at any time; that they strike for ever is not a future that counts (an end has
to come with probability 1 for every loss below 1).
"""

from __future__ import annotations

from typing import NamedTuple

from tcpsim.explore.chain import LIMIT, Chain, View, explore
from tcpsim.explore.solve import Class, classes
from tcpsim.explore.ways import Way, fewest_losses
from tcpsim.pair import Pair
from tcpsim.tcp import timers
from tcpsim.tcp.state import State

_LOSS = 0.1  # among ways of equally few losses the likeliest at this rate is shown


class Finding(NamedTuple):
    """Whether a property holds; `way` leads to the shortest counterexample, or to what is possible."""

    name: str
    kind: str  # "always", "in the end" or "possible"
    says: str
    holds: bool
    way: Way | None


class Checked(NamedTuple):
    """What was found over `chain`; where that was cut, what holds does so as far as it goes."""

    chain: Chain
    findings: tuple[Finding, ...]

    @property
    def whole(self) -> bool:
        """Every state was explored."""
        return not self.chain.cut


def orphans_have_timers(pair: Pair) -> bool:
    """Something will end every connection that no program holds."""
    for machine in (pair.client, pair.server):
        for t in machine.system.end.sockets.values():
            if t.orphaned and t.state != State.CLOSED and timers.next_time(t) is None:
                return False
    return True


def check(pair: Pair, limit: int = LIMIT) -> Checked:
    """Every property of every future of `pair`, up to `limit` states.

    Raises:
        InputError: see `explore`.
    """
    chain = explore(pair, limit, rule=orphans_have_timers)
    bottoms = [part for part in classes(chain) if part.bottom and part.states[0] not in set(chain.cut)]
    found = (
        _always(chain, "orphan-has-timer", "a connection that no program holds has a timer", chain.broken),
        _in_the_end(chain, bottoms, "no-permanent-leak", "no socket stays for ever", 1),
        _in_the_end(chain, bottoms, "one-side-at-most", "at most one side is left with a connection", 2),
        _possible(chain, bottoms, "can-end-clean", "there is a way for both sides to be done"),
    )
    return Checked(chain, found)


def _sides_alive(view: View) -> int:
    return sum(any(held.state is not State.CLOSED for held in side) for side in view)


def _always(chain: Chain, name: str, says: str, broken: tuple[int, ...]) -> Finding:
    way = fewest_losses(chain, broken, _LOSS) if broken else None
    return Finding(name, "always", says, not broken, way)


def _in_the_end(chain: Chain, bottoms: list[Class], name: str, says: str, sides: int) -> Finding:
    """Fewer than `sides` sides have a connection in any class without a way out."""
    bad = [
        state for part in bottoms for state in part.states if _sides_alive(chain.view[state]) >= sides
    ]  # fmt: skip
    way = fewest_losses(chain, bad, _LOSS) if bad else None
    return Finding(name, "in the end", says, not bad, way)


def _possible(chain: Chain, bottoms: list[Class], name: str, says: str) -> Finding:
    good = [state for part in bottoms for state in part.states if not _sides_alive(chain.view[state])]
    way = fewest_losses(chain, good, _LOSS) if good else None
    return Finding(name, "possible", says, bool(good), way)
