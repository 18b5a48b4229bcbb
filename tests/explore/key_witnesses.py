"""For each term of a key, two pairs that only this term tells apart, and that have different futures.

    python -m tests.explore.key_witnesses --write    looks for those of new terms
    python -m tests.explore.key_witnesses --again    and for those that were not found before (an hour)

Owns: the search, and the file in which the witnesses are kept. Refuses to know: what is done about a term
that has none (test_key_terms).

A witness is a state of a walk (`key_walks`), a value inside it that is replaced (`altered`), and the seed of
a course of events that shows the difference.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import process_time
from typing import NamedTuple

from tcpsim.pair import Pair, advance
from tcpsim.pair.equivalence import Keys
from tcpsim.path import Seeded
from tcpsim.tcp.state import CLOSED
from tcpsim.tcp.tcb import Tcb
from tests.explore.altered import STEPS, Altered, altered, told_apart
from tests.explore.bisimulation import course
from tests.explore.key_mutants import Mutant, applied, terms
from tests.explore.key_walks import ALL, walked

FILE = Path(__file__).with_suffix(".json")
NONE_FILE = FILE.with_name("key_terms_without_a_witness.json")
SEEDS = 6  # of courses of events
_STATES = 90  # of a walk
_WALKS = 3
_BATCH = 12

_FRESH = Tcb()
State = tuple[str, int, int, Pair]

# What a term is made of, where its name does not say so
_ALIASES = {
    "length": ["len"], "wnd": ["wnd"], "val": ["ts_val"], "ecr": ["ts_ecr"], "probe": ["tlp_high_seq"],
    "counted": ["retransmits"], "since_us": ["retrans_since_us"], "_backoff": ["backoff"],
    "_probes": ["probes_out"], "rack": ["sent_us", "rack_us"], "newer": ["sent_us", "rack_us"],
    "error": ["so_error", "soft_error"], "_window": ["snd_wnd", "snd_wl1"], "pacing": ["quick", "ato_us"],
    "_estimate": ["rto_us", "srtt8"], "_estimator": ["mdev4", "rttvar4"],
    "opening": ["handshake_resent", "wscale_on"], "instants": ["deadlines"], "stamp": ["ts_recent", "ts_on"],
    "fin": ["ooo"], "a": ["ooo", "sack", "sack_order"], "b": ["ooo", "sack"],
    "asleep": ["wake_us", "until_us"], "held": ["memory", "idle_at_us", "held"], "deadlines": ["idle_at_us"],
    "number": ["sid"], "pid": ["tables", "programs"], "named": ["sid", "parent"], "to": ["receiver"],
    "parts": ["snd_nxt"], "files": ["refs", "phase", "nonblocking", "rcvtimeo_us"], "call": ["n", "fd"],
    "blocked": ["n", "fd", "deadline_us", "done"], "listeners": ["backlog", "accept_queue", "embryonic"],
    "programs": ["pc", "phase", "got", "wake_us"], "running": ["pc", "phase", "got"],
}  # fmt: skip


class Witness(NamedTuple):
    """A state: world, seed, steps; what is replaced in it: where, by what; the seed of a course of events."""

    world: str
    seed: int
    steps: int
    where: str
    value: str
    course: int

    def pairs(self) -> tuple[Pair, Pair]:
        """The state, and the other one."""
        pair = walked(self.world, self.seed, self.steps)
        for each in altered(pair, self.where):
            if (each.where, repr(each.value)) == (self.where, self.value):
                return pair, each.make()
        raise KeyError(self)


def read() -> dict[str, Witness]:
    """By mutant."""
    return {name: Witness(*values) for name, values in json.loads(FILE.read_text()).items()}


def name_of(mutant: Mutant, among: list[Mutant]) -> str:
    """A mutant without its number in its function, which changes with what stands before it."""
    where = f"{mutant.module.removeprefix('tcpsim.')}.{mutant.function}"
    same = [each for each in among if each[:2] == mutant[:2] and each.what == mutant.what]
    place = f" ({same.index(mutant) + 1})" if len(same) > 1 else ""
    return f"{where}: {mutant.what}{place}"


def one_key(one: Pair, other: Pair) -> bool:
    """Whether two pairs have one key."""
    keys = Keys()
    return keys.key(one) == keys.key(other)


def flaw(witness: Witness, mutant: Mutant) -> str | None:
    """What is wrong with a witness; None: its two states are one without this term, and differ later."""
    try:
        one, other = witness.pairs()
    except KeyError:
        return "there is no such state, or no such value in it"
    if one_key(one, other):
        return "the two states have one key"
    with applied(mutant):
        if witness.course < 0:
            return None if _fails(one, other) else "a key without this term can be made"
        if not one_key(one, other):
            return "another term tells the two states apart"
    if course(one, witness.course, STEPS) == course(other, witness.course, STEPS):
        return "the two states have the same future"
    return None


def _fails(one: Pair, other: Pair) -> bool:
    """Whether a key can no longer be made or compared."""
    try:
        one_key(one, other)
    except Exception:  # whatever a key without this term leads to
        return True
    return False


def _states(random: Random) -> Iterator[State]:
    """States of all walks, in random order."""
    found = []
    for name in ALL:
        for seed in range(_WALKS):
            pair, chooser = ALL[name](), Seeded(seed)
            for steps in range(_STATES):
                found.append((name, seed, steps, pair))
                if pair.next_us is None:
                    break
                pair = advance(pair, chooser)
    random.shuffle(found)
    yield from found


def _wanted(mutant: Mutant) -> set[str]:
    """Names of values that a term may be made of."""
    words = set(re.findall(r"\w+", mutant.what.removeprefix("no ")))
    for word in list(words):
        words.update(_ALIASES.get(word, ()))
    return words


def _alive(pair: Pair, wanted: set[str]) -> bool:
    """Whether a socket has a value that matters here and is no longer the one that it began with."""
    fields = [name for name in Tcb.__slots__ if name in wanted]
    return not fields or any(
        t.state is not CLOSED and any(getattr(t, name) != getattr(_FRESH, name) for name in fields)
        for machine in pair.machines
        for t in machine.system.end.sockets.values()
    )


def find(mutant: Mutant, states: list[State], random: Random, seconds: float) -> Witness | None:
    """A witness; None: none was found in that time."""
    began, wanted = process_time(), _wanted(mutant)
    states = [state for state in states if _alive(state[3], wanted)] or states
    for at in range(0, len(states), _BATCH):
        found: list[tuple[State, Altered, Pair | None]] = []
        with applied(mutant):
            for state in states[at : at + _BATCH]:
                mine = list(altered(state[3], fields=wanted)) or list(altered(state[3]))
                for each in random.sample(mine, min(6, len(mine))):
                    try:
                        other = each.make()
                        if other.next_us is not None and other.next_us < other.now_us:
                            continue
                    except Exception:  # no such pair
                        continue
                    try:
                        if one_key(state[3], other):
                            found.append((state, each, other))
                    except Exception:  # a key without this term cannot be made
                        found.append((state, each, None))
        for (world, seed, steps, pair), each, made in found:
            if made is None:
                try:
                    one_key(pair, each.make())
                except Exception:  # nor can the key of such a pair
                    continue
                return Witness(world, seed, steps, each.where, repr(each.value), -1)
            try:
                if one_key(pair, made):
                    continue
                shows = told_apart(pair, made, SEEDS)
            except Exception:  # such a pair cannot go on
                continue
            if shows is not None:
                return Witness(world, seed, steps, each.where, repr(each.value), shows)
        if process_time() - began > seconds:
            return None
    return None


def main(again: bool, seconds: float = 20.0) -> None:
    """Look for what is missing, and write what was found and what was not.

    `again`: also for what was not found when it was looked for last.
    """
    skipped = set() if again else set(json.loads(NONE_FILE.read_text()))
    random = Random(7)
    states = list(_states(random))
    every = terms()
    kept = read() if FILE.exists() else {}
    names = {name_of(each, every): each for each in every}
    found = {
        name: kept[name] for name, mutant in names.items() if name in kept and not flaw(kept[name], mutant)
    }
    for name, mutant in names.items():
        if name in found or name in skipped:
            continue
        witness = find(mutant, states, random, seconds)
        print(name, "|", witness, flush=True)
        if witness is not None:
            found[name] = witness
    write(found, list(names))


def write(found: dict[str, Witness], names: list[str]) -> None:
    """Both files, in the order of the terms."""
    FILE.write_text(json.dumps({name: found[name] for name in names if name in found}, indent=1) + "\n")
    NONE_FILE.write_text(json.dumps([name for name in names if name not in found], indent=1) + "\n")


if __name__ == "__main__" and {"--write", "--again"} & {*sys.argv}:
    main("--again" in sys.argv)
