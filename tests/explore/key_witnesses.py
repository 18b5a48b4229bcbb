"""For each term of a key, two pairs that show what it is there for.

    python -m tests.explore.key_witnesses --write    looks for those that are missing (key_search)

Owns: what a witness is, what may be wrong with one, and the file in which they are kept. Refuses to know: how
they are found (key_search), and what is done about a term that has none (test_key_terms).

One of the two pairs is a state of a walk (`key_walks`). The other is the same with a value that is replaced
(`altered`), or a state of another walk through the same world.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import NamedTuple

from tcpsim.pair import Pair, advance
from tcpsim.pair.equivalence import Keys
from tcpsim.path import Seeded
from tests.explore.altered import STEPS, altered
from tests.explore.bisimulation import course
from tests.explore.key_mutants import Mutant, applied
from tests.explore.key_walks import ALL, walked
from tests.explore.stand_ins import notice

FILE = Path(__file__).with_suffix(".json")
SEEDS = 6  # of courses of events
INSTEAD = (None, 0)  # of a term; the second where only a number can be
WALK = "another walk"
NO_KEY, NEEDLESS, FORGOTTEN, STANDS_IN = "no key", "needless", "forgotten", "stands in"


class Witness(NamedTuple):
    """A state (world, seed, steps), another one, and what shows that a term is missing.

    The other one: `where` a value is replaced, and by what; or the seed and steps of another walk.

    `shows` says what happens to the two pairs without the term:

    - the seed of a course of events: they become one, and this course shows that their futures differ;
    - "needless": they have one key and the same future, and become two. So the term saves states;
    - "no key": their keys can no longer be made or compared with nothing (None) in its place;
    - "forgotten": `Keys` that have seen the one take the other for what it is not: a copy of the other, which
      shares no values with the one, has another key.

    A machine that stands in for another has more in common with it than its key (`context.witnessed`). Why is
    shown by "stands in": in so many states of that world somebody stands in and changes the key.
    """

    world: str
    seed: int
    steps: int
    where: str
    value: str
    shows: int | str

    def pairs(self) -> tuple[Pair, Pair]:
        """The state, and the other one."""
        if self.where == WALK:
            return self._walks()
        pair = walked(self.world, self.seed, self.steps)
        for each in altered(pair, self.where):
            if (each.where, repr(each.value)) == (self.where, self.value):
                return pair, each.make()
        raise KeyError(self)

    def _walks(self) -> tuple[Pair, Pair]:
        """Of one walk, if the seeds are equal: then the two share values."""
        seed, steps = json.loads(self.value)
        if seed != self.seed:
            return walked(self.world, self.seed, self.steps), walked(self.world, seed, steps)
        pair, chooser = ALL[self.world](), Seeded(seed)
        found = [pair]
        while len(found) <= max(self.steps, steps):
            found.append(advance(found[-1], chooser))
        return found[self.steps], found[steps]


def read() -> dict[str, Witness]:
    """By mutant."""
    return {name: Witness(*values) for name, values in json.loads(FILE.read_text()).items()}


def name_of(mutant: Mutant, among: list[Mutant]) -> str:
    """A mutant without its number in its function, which changes with what stands before it."""
    where = f"{mutant.module.removeprefix('tcpsim.')}.{mutant.function}"
    same = [each for each in among if each[:2] == mutant[:2] and each.what == mutant.what]
    place = f" ({same.index(mutant) + 1})" if len(same) > 1 else ""
    return f"{where}: {mutant.what}{place}"


class Said(NamedTuple):
    """What keys say of two pairs: whether they are one, and whether the second and its copy are."""

    one: bool
    copied: bool


def said(one: Pair, other: Pair, copy: bytes | None = None) -> Said:
    """Of the two, in this order; a pickled `copy` of the other is asked for too."""
    keys = Keys()
    key = keys.key(one)
    its = keys.key(other)
    return Said(key == its, copy is None or its == keys.key(pickle.loads(copy)))


def shown(one: Pair, other: Pair, shows: int | str, seeds: int = SEEDS) -> bool:
    """Whether the futures are as they have to be."""
    if shows == NEEDLESS:
        return all(course(one, seed, STEPS) == course(other, seed, STEPS) for seed in range(seeds))
    if isinstance(shows, int):
        return course(one, shows, STEPS) != course(other, shows, STEPS)
    return True


def flaw(witness: Witness, mutant: Mutant) -> str | None:
    """What is wrong with a witness; None: it shows what it says (see there)."""
    if witness.shows == STANDS_IN:
        return _unnoticed(witness, mutant)
    try:
        one, other = witness.pairs()
    except KeyError:
        return "there is no such state, or no such value in it"
    copy = pickle.dumps(other)
    with_it = said(one, other, copy)
    if not with_it.copied:
        return "a copy has another key than what it is a copy of"
    if with_it.one != (witness.shows == NEEDLESS) and witness.shows not in (NO_KEY, FORGOTTEN):
        return "the two states have one key" if with_it.one else "the two states have two keys"
    without = None
    for instead in INSTEAD:
        try:
            with applied(mutant, instead):
                without = said(one, other, copy)
            break
        except Exception:  # whatever a key without this term leads to
            if witness.shows == NO_KEY:
                return None
    if without is None:
        return "a key without this term cannot be made"
    if witness.shows == NO_KEY:
        return "a key without this term can be made"
    if witness.shows == FORGOTTEN:
        return "the copy has the same key without this term" if without.copied else None
    if without.one == with_it.one:
        return "the two states stay one" if with_it.one else "another term tells the two states apart"
    if shown(one, other, witness.shows):
        return None
    return "the two states have different futures" if with_it.one else "the two states have the same future"


def _unnoticed(witness: Witness, mutant: Mutant) -> str | None:
    if noticed(witness.world, witness.steps):
        return "somebody who stands in changes the key"
    with applied(mutant):
        return None if noticed(witness.world, witness.steps) else "nobody notices who stands in"


def noticed(world: str, states: int) -> bool:
    """Whether it is noticed that somebody stands in, or nobody can."""
    try:
        return notice(ALL[world](), states)
    except Exception:  # whatever a key without a term leads to
        return True


def write(found: dict[str, Witness], names: list[str]) -> None:
    """The file, in the order of the terms."""
    FILE.write_text(json.dumps({name: found[name] for name in names if name in found}, indent=1) + "\n")


if __name__ == "__main__" and "--write" in sys.argv:
    from tests.explore import key_search

    key_search.main()
