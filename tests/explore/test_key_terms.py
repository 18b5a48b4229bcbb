"""Each term of a key is there for something: left out, it makes one state of two with different futures.

Owns: what has to hold of the witnesses (`key_witnesses`), and the terms that have none yet.
"""

from __future__ import annotations

import json
from functools import cache

import pytest

from tcpsim.pair import advance
from tcpsim.path import Seeded
from tcpsim.tcp.event import Timer
from tcpsim.tcp.state import State
from tests.explore.key_mutants import Mutant, terms
from tests.explore.key_walks import ALL
from tests.explore.key_witnesses import NONE_FILE, flaw, name_of, read

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
                    for t in end.sockets.values():
                        if t.state is State.FIN_WAIT_2 and end.stack.fin_wait_2_us is not None:
                            assert t.fw2_armed == (t.wait is Timer.FIN_WAIT_2), (name, seed, pair.now_us)
                            seen.add((end.stack.name, t.fw2_armed))
                if pair.next_us is None:
                    break
                pair = advance(pair, chooser)
    assert {armed for _, armed in seen} == {True, False}


def test_a_new_term_has_a_witness() -> None:
    """A term without one is listed: nobody has shown what it is there for, nor that it is redundant."""
    assert set(_mutants()) == {*WITNESSES, *json.loads(NONE_FILE.read_text())}
