"""Each term of a key is there for something: left out, it makes one state of two with different futures.

Owns: what has to hold of the witnesses (`key_witnesses`).
"""

from __future__ import annotations

import gc
from functools import cache
from types import FunctionType, ModuleType

import pytest

from tcpsim.pair import advance
from tcpsim.pair.equivalence import Keys
from tcpsim.path import Seeded
from tcpsim.tcp.event import Timer
from tcpsim.tcp.state import State
from tests.explore.key_mutants import Mutant, terms
from tests.explore.key_walks import ALL
from tests.explore.key_witnesses import flaw, name_of, read

WITNESSES = read()


@cache
def _mutants() -> dict[str, Mutant]:
    every = terms()
    return {name_of(each, every): each for each in every}


@pytest.mark.parametrize("name", WITNESSES)
def test_a_term_that_is_left_out_is_noticed(name: str) -> None:
    assert flaw(WITNESSES[name], _mutants()[name]) is None


def test_what_is_in_no_key_follows_from_what_is() -> None:
    """In every state of the walks, of every socket; see tcp/equivalence/connection.py."""
    seen = set()
    for name in ALL:
        for seed in range(2):
            pair, chooser = ALL[name](), Seeded(seed)
            for _ in range(60):
                for machine in pair.machines:
                    end = machine.system.end
                    live = [t for t in end.sockets.values() if t.state is not State.CLOSED]
                    assert len({(t.local_port, t.remote_port) for t in live}) == len(live), (name, seed)
                    for t in end.sockets.values():
                        assert t.ts_offset == end.ts_offset, (name, seed)
                        if t.state is State.FIN_WAIT_2 and end.stack.fin_wait_2_us is not None:
                            assert t.fw2_armed == (t.wait is Timer.FIN_WAIT_2), (name, seed, pair.now_us)
                            seen.add((end.stack.name, t.fw2_armed))
                if pair.next_us is None:
                    break
                pair = advance(pair, chooser)
    assert {armed for _, armed in seen} == {True, False}


@pytest.mark.parametrize("name", ["forks", "ports again and again", "bulk with jitter"])
def test_what_is_known_by_its_identity_is_kept(name: str) -> None:
    """Otherwise another value may be in its place one day, with the same identity."""
    keys, pair, chooser = Keys(), ALL[name](), Seeded(1)
    for _ in range(40):
        keys.key(pair)
        if pair.next_us is None:
            break
        known: list[object] = [each.segment for each in pair.path.flights]
        for machine in pair.machines:
            system = machine.system
            known += machine.programs, system.tables, system.files, system.blocked, system.end.listeners
        keys._machines.clear()  # which keep whole machines
        assert {id(each) for each in known} <= _reached(keys)
        pair = advance(pair, chooser)


def _reached(start: object) -> set[int]:
    """The identities of all objects that lead on from an object, but for what modules and classes hold."""
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        one = waiting.pop()
        if id(one) not in seen and not isinstance(one, type | ModuleType | FunctionType):
            seen.add(id(one))
            waiting += gc.get_referents(one)
    return seen


def test_every_term_has_a_witness() -> None:
    """Of a term without one nobody has shown what it is there for, nor that it is redundant."""
    assert set(_mutants()) == set(WITNESSES)
