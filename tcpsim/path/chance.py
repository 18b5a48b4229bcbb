"""Random events: choices, and the choosers that decide them.

Owns: what a choice is, the chooser protocol, and two choosers: `Seeded` (simulation) and `Quiet`
(teaching: nothing happens unless a script says so). A third, which follows every branch of a choice,
belongs to exploration and needs only the protocol. Refuses to know: what is being chosen.

A finite event is a `Choice`. Its first outcome is always "pass", which means that nothing special happens. A
continuous quantity is a distribution. An element asks only if more than one outcome is possible.

`Seeded` is counter-based (the idea of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
SC'11): block k of a connection is a hash of (seed, connection index, k). So a connection's random
numbers depend only on these, and not on other connections, their order, or the process.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple, Protocol

from tcpsim.errors import InputError
from tcpsim.path.distribution import Distribution

_WORDS = Struct("<8Q").unpack
_COUNTER = Struct("<Q").pack
_SALT = Struct("<2Q").pack
_TO_UNIT = 2.0**-53


class Choice(NamedTuple):
    """One of several outcomes; `weights` are probabilities that add up to 1, "pass" comes first."""

    what: str
    outcomes: tuple[str, ...]
    weights: tuple[float, ...]


@lru_cache(maxsize=1024)
def chance(what: str, outcome: str, p: float) -> Choice:
    """The usual choice: `outcome` with probability p, else nothing.

    >>> chance("loss", "lost", 0.25)
    Choice(what='loss', outcomes=('pass', 'lost'), weights=(0.75, 0.25))
    """
    return Choice(what, ("pass", outcome), (1.0 - p, p))


class Chooser(Protocol):
    """Says what becomes of things. `choose` returns an index into `choice.outcomes`."""

    def choose(self, choice: Choice) -> int: ...

    def draw(self, distribution: Distribution) -> int: ...


class Quiet:
    """Nothing happens, and every duration is its mean.

    >>> from tcpsim.path.distribution import Uniform
    >>> Quiet().choose(chance("loss", "lost", 0.99)), Quiet().draw(Uniform(10, 20))
    (0, 15)
    """

    def choose(self, choice: Choice) -> int:
        return choice.outcomes.index("pass")

    def draw(self, distribution: Distribution) -> int:
        return distribution.mean_us


class Seeded:
    """The draws of one connection: the same for the same (seed, pair_index, purpose), whoever else runs.

    `purpose` (up to 16 bytes) separates streams that share a seed, for instance the arrivals at a host
    from the paths of its connections. The object is a cursor into the stream and holds no other state.

    >>> Seeded(1, 7).uniform() == Seeded(1, 7).uniform()
    True
    """

    __slots__ = ("_block", "_person", "_salt", "_words")

    def __init__(self, seed: int, pair_index: int = 0, purpose: bytes = b"pair") -> None:
        for where, value in (("seed", seed), ("pair_index", pair_index)):
            if not 0 <= value < 1 << 64:
                raise InputError(where, value, "an integer from 0 to 2^64 - 1")
        self._salt = _SALT(seed, pair_index)
        self._person = purpose
        self._block = 0
        self._words: list[int] = []

    def uniform(self) -> float:
        """The next number in [0, 1), a multiple of 2^-53."""
        words = self._words
        if not words:
            digest = blake2b(_COUNTER(self._block), salt=self._salt, person=self._person).digest()
            self._block += 1
            words.extend(_WORDS(digest))
        return (words.pop() >> 11) * _TO_UNIT

    def choose(self, choice: Choice) -> int:
        rest = self.uniform()
        weights = choice.weights
        for index, weight in enumerate(weights):
            rest -= weight
            if rest < 0.0:
                return index
        # Weights that add up to a hair under 1: the last outcome that can happen at all.
        return max(index for index, weight in enumerate(weights) if weight > 0.0)

    def draw(self, distribution: Distribution) -> int:
        return distribution.quantile_us(self.uniform())
