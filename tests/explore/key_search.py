"""The search for witnesses of the terms of a key (see key_witnesses).

Owns: where it is looked for two pairs that only one term tells apart. Refuses to know: what a witness is.

There is a collection of pairs of states, from everywhere, in which every kind of value is replaced. A term is
tried on those first in which a value is replaced that it reads, then on all others, and then on many more of
the first kind.
"""

from __future__ import annotations

import json
import pickle
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations
from random import Random
from time import process_time
from typing import NamedTuple

from tcpsim.pair import Pair, advance
from tcpsim.pair.equivalence import Keys
from tcpsim.path import Seeded
from tcpsim.tcp.state import CLOSED
from tcpsim.tcp.tcb import Tcb
from tests.explore.altered import Altered, altered, told_apart
from tests.explore.key_mutants import Mutant, applied, terms
from tests.explore.key_walks import ALL
from tests.explore.key_witnesses import (
    FILE,
    FORGOTTEN,
    INSTEAD,
    NEEDLESS,
    NO_KEY,
    SEEDS,
    STANDS_IN,
    WALK,
    Said,
    Witness,
    flaw,
    name_of,
    noticed,
    read,
    said,
    shown,
    write,
)

_STATES = 90  # of a walk
_WALKS = 3
_EACH = 16  # pairs of one kind in the collection
_STAND_INS = 250  # states of a world
_MEETINGS = 12  # of walks through one world
_BATCH = 200
_SECONDS = 25.0  # for one term and one way to look

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
    "asleep": ["wake_us", "until_us", "asleep"], "held": ["memory", "idle_at_us", "held"],
    "deadlines": ["idle_at_us"], "echoed_us": ["echoed"], "forks": ["edge_us"],
    "number": ["sid", "files", "sockets"], "pid": ["tables", "programs"],
    "named": ["sid", "parent", "sockets", "listeners"], "to": ["receiver"],
    "parts": ["snd_nxt"], "files": ["refs", "phase", "nonblocking", "rcvtimeo_us"], "call": ["n", "fd"],
    "blocked": ["n", "fd", "deadline_us", "done"], "listeners": ["backlog", "accept_queue", "embryonic"],
    "programs": ["pc", "phase", "got", "wake_us"], "running": ["pc", "phase", "got"],
    "expiries_left": ["retrans_since_us", "slot_at_us", "clock"], "phase": ["clock"], "now_us": ["clock"],
    "stamped": ["clock"], "to_come": ["clock"], "SocketOptions": ["clock"], "options": ["clock"],
    "sockets": ["parent"], "_line": ["p", "until_us", "delay_us"], "opens": ["ts_recent", "iss", "pc"],
    "alive": ["state"], "more": ["pc", "wake_us"], "once": ["pc"], "rest": ["seq", "end", "unsent", "sent"],
    "first": ["ts_recent", "ts_val", "ts_ecr", "handshake_sent_us"], "copy": ["clock"],
    "up": ["back_us"], "back_us": ["up"], "n": ["sockets"],
    "meeting": ["ts_recent", "iss"], "busy": ["so_error", "soft_error"], "sends": ["cwnd"],
    "tunes": ["last_ack_us", "retrans_since_us", "probes_since_us"],
}  # fmt: skip


class Candidate(NamedTuple):
    """Two pairs, the second as a `Witness` has it, and what keys say of them."""

    state: State
    where: str
    value: str
    other: Pair
    name: str  # of what is replaced
    said: Said

    def witness(self, shows: int | str) -> Witness:
        """With these two."""
        return Witness(*self.state[:3], self.where, self.value, shows)


def _walk(name: str, seed: int, steps: int) -> Iterator[State]:
    pair, chooser = ALL[name](), Seeded(seed)
    for step in range(steps):
        yield name, seed, step, pair
        if pair.next_us is None:
            return
        pair = advance(pair, chooser)


def _states(random: Random) -> list[State]:
    """States of all walks, in random order."""
    found = [state for name in ALL for seed in range(_WALKS) for state in _walk(name, seed, _STATES)]
    random.shuffle(found)
    return found


def _candidate(state: State, each: Altered) -> Candidate | None:
    """A state and another one; None where there is no such pair."""
    try:
        other = each.make()
        if other.next_us is not None and other.next_us < other.now_us:
            return None
        return Candidate(state, each.where, repr(each.value), other, each.name, said(state[3], other))
    except Exception:  # no such pair, or none that has a key
        return None


def _collected(states: list[State], random: Random) -> list[Candidate]:
    """Some of every kind of value, and of each kind some that have one key and some that have two."""
    found: list[Candidate] = []
    many: Counter[tuple[str, bool]] = Counter()
    tried: Counter[str] = Counter()
    for state in states[:1_500]:
        by_name: defaultdict[str, list[Altered]] = defaultdict(list)
        for each in altered(state[3]):
            if tried[each.name] < 5 * _EACH:
                by_name[each.name].append(each)
        for name, each in by_name.items():
            tried[name] += 1
            one = _candidate(state, random.choice(each))
            if one is not None and many[name, one.said.one] < _EACH:
                many[name, one.said.one] += 1
                found.append(one)
    random.shuffle(found)
    return [*found, *_meetings()]


def _meetings() -> Iterator[Candidate]:
    """States of two walks that have one key, and are not the very same."""
    for name in ALL:
        keys, first, met = Keys(), {}, 0
        for seed in range(8):
            for state in _walk(name, seed, 60):
                known = first.setdefault(keys.key(state[3]), state)
                if met < _MEETINGS and (known[3] != state[3] or known[3].now_us != state[3].now_us):
                    met += 1
                    place = json.dumps(state[1:3])
                    yield Candidate(known, WALK, place, state[3], WALK, Said(True, True))


def _one_after_another() -> Iterator[Candidate]:
    """Two states of one walk, which share machines: what is remembered of one may be told of the other."""
    for name in ALL:
        for seed in range(_WALKS):
            walk = [state for state in _walk(name, seed, 12) if state[3].next_us is not None]
            for one, other in combinations(walk, 2):
                place = json.dumps(other[1:3])
                yield Candidate(one, WALK, place, other[3], WALK, said(one[3], other[3]))


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


def _more(wanted: set[str], states: list[State], random: Random) -> Iterator[Candidate]:
    """Many pairs in which a value of these names is replaced."""
    if {"held", "up"} & wanted:  # which count where nothing is to come
        states = sorted(states, key=lambda state: state[3].next_us is not None)
        wanted = wanted | {"state", "accepted", "orphaned"}
    for state in [state for state in states if _alive(state[3], wanted)]:
        mine = list(altered(state[3], fields=wanted))
        for each in random.sample(mine, min(30, len(mine))):
            one = _candidate(state, each)
            if one is not None:
                yield one


def _batches(candidates: Iterable[Candidate]) -> Iterator[list[Candidate]]:
    batch: list[Candidate] = []
    for each in candidates:
        batch.append(each)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    yield batch


class _Search:
    """For the witness of one term."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant
        self.remembers = mutant.module.startswith("tcpsim.pair")
        self.second: dict[str, Witness] = {}  # the first of each kind but the best

    def among(self, candidates: Iterable[Candidate], seconds: float, brief: bool = False) -> Witness | None:
        """One with different futures, within that time; `brief`: or until there is another one."""
        began = process_time()
        for batch in _batches(candidates):
            copies = [pickle.dumps(each.other) if self.remembers else None for each in batch]
            found: list[Said | None] = [None] * len(batch)
            for instead in INSTEAD:
                with applied(self.mutant, instead):
                    for at, (each, copy) in enumerate(zip(batch, copies, strict=True)):
                        found[at] = found[at] or self._said(each, copy)
            for each, now in zip(batch, found, strict=True):
                witness = self._witness(each, now)
                if witness is not None:
                    return witness
            if process_time() - began > seconds or (brief and self.second):
                break
        return None

    def _said(self, each: Candidate, copy: bytes | None) -> Said | None:
        try:
            return said(each.state[3], each.other, copy)
        except Exception:  # a key without this term cannot be made
            self.second.setdefault(NO_KEY, each.witness(NO_KEY))
            return None

    def _witness(self, each: Candidate, now: Said | None) -> Witness | None:
        if now is None:
            return None
        if now.one and not each.said.one:
            try:
                seed = told_apart(each.state[3], each.other, SEEDS)
            except Exception:  # such a pair cannot go on
                return None
            return None if seed is None else each.witness(seed)
        if each.said.one and not now.one:
            if NEEDLESS not in self.second and shown(each.state[3], each.other, NEEDLESS):
                self.second[NEEDLESS] = each.witness(NEEDLESS)
        elif not now.copied:
            self.second.setdefault(FORGOTTEN, each.witness(FORGOTTEN))
        return None


def find(mutant: Mutant, aimed: Iterable[Candidate], others: Iterable[Candidate]) -> Witness | None:
    """A witness, if possible one with different futures; None: none was found in that time."""
    if mutant.function == "witnessed":
        return _stands_in(mutant)
    search = _Search(mutant)
    found = search.among(aimed, _SECONDS) or search.among(others, _SECONDS, brief=True)
    if found is None and not search.second and search.remembers:
        search.among(_one_after_another(), 3 * _SECONDS, brief=True)
    second = [search.second[kind] for kind in (NEEDLESS, FORGOTTEN, NO_KEY) if kind in search.second]
    good = [each for each in (found, *second) if each is not None and flaw(each, mutant) is None]
    return good[0] if good else None


def _stands_in(mutant: Mutant) -> Witness | None:
    """A world in which somebody who stands in for another is noticed."""
    for name in ALL:
        with applied(mutant):
            found = noticed(name, _STAND_INS)
        if found:
            return Witness(name, 0, _STAND_INS, "", "", STANDS_IN)
    return None


def main() -> None:
    """Look for what is missing, and write what was found."""
    random = Random(7)
    every = terms()
    kept = read() if FILE.exists() else {}
    names = {name_of(each, every): each for each in every}
    found = {
        name: kept[name] for name, mutant in names.items() if name in kept and not flaw(kept[name], mutant)
    }
    for name, mutant in names.items():  # another term of the function may have had it
        if name not in found:
            its = [w for other, w in kept.items() if other.partition(": ")[0] == name.partition(": ")[0]]
            good = next((each for each in its if flaw(each, mutant) is None), None)
            if good is not None:
                found[name] = good
    missing = [name for name in names if name not in found]
    states = _states(random) if missing else []
    collected = _collected(states, random)
    print(f"{len(missing)} terms, {len(collected)} pairs", flush=True)
    for far in (False, True):
        for name in [name for name in missing if name not in found]:
            wanted = _wanted(names[name])
            aimed = [each for each in collected if each.name.rstrip("[]-").rpartition(".")[2] in wanted]
            witness = find(
                names[name],
                _more(wanted, states, random) if far else aimed,
                () if far else collected,
            )
            print(name, "|", witness, flush=True)
            if witness is not None:
                found[name] = witness
                write(found, list(names))
    write(found, list(names))
