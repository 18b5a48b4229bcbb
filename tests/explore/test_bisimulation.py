"""Chains are exact: no two histories that lead to one state can be told apart.

    python -m tests.explore.test_bisimulation    prints what happens where a term of the key is left out

For each term of the code that makes keys it says one of:

- `noticed in WORLD`: two states of that world (one of those that are listed to their end) that can be told
  apart become one;
- `fails in WORLD`: keys can no longer be made or compared;
- `only where it makes no difference`: states become one that cannot be told apart in any world here;
- `never alone`: no two states of any world differ in this term and in no other.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tcpsim.catalogue import build, scenario
from tcpsim.explore.branch import Steps, in_full
from tcpsim.explore.chain import explore
from tests.explore.bisimulation import Listing, check
from tests.explore.key_mutants import Mutant, applied, terms
from tests.explore.key_worlds import WORLDS
from tests.explore.test_equivalence import CASES

STATES = 250  # of a world
# Of a scenario, where not 400: each of its states is a long step; or two ways meet only later
FIRST = {"many-segments-lossy": 120, "port-reuse-into-close-wait": 800}


@pytest.mark.parametrize(("name", "changes"), CASES, ids=lambda value: str(value))
def test_a_chain_is_a_bisimulation(name: str, changes: dict[str, Any]) -> None:
    found = check(build(scenario(name), **changes), FIRST.get(name, 400))
    assert found.difference is None
    assert found.merges > 0 or name == "many-segments-lossy"


@pytest.mark.verify
@pytest.mark.parametrize(("name", "changes"), CASES, ids=lambda value: str(value))
def test_a_chain_is_a_bisimulation_far_in(name: str, changes: dict[str, Any]) -> None:
    found = check(build(scenario(name), **changes), 600 if name == "many-segments-lossy" else 8_000)
    assert found.difference is None


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_is_a_bisimulation(name: str) -> None:
    assert check(WORLDS[name](), STATES).difference is None


@cache
def listed(name: str) -> Listing:
    return Listing(WORLDS[name](), STATES)


@cache
def _whole() -> tuple[str, ...]:
    """The worlds that are listed to their end: there a state that looks alike is alike."""
    whole = [name for name in WORLDS if listed(name).complete]
    return tuple(sorted(whole, key=lambda name: len(listed(name).pairs)))


@pytest.mark.parametrize(
    ("term", "world"),
    [
        ("no head", "server closes linux 0"),
        ("no t.remote_port", "server closes linux 0"),
        ("no t.rd_shut", "client reads linux 2"),
        ("no t.readable", "client closes rfc9293 0"),
        ("no resending", "nagle-rfc"),
    ],
)
def test_a_term_that_is_left_out_is_noticed(term: str, world: str) -> None:
    (mutant,) = [each for each in terms() if each.function == "connection_key" and each.what == term]
    assert _found(mutant, world) == "noticed"


def _found(mutant: Mutant, world: str) -> str:
    """What a mutant does to a world."""
    listing = listed(world)
    with applied(mutant):
        try:
            merged, told_apart = listing.merged()
        except Exception:  # whatever a key without this term leads to
            return "fails"
    return "noticed" if told_apart else "merges" if merged else "nothing"


def _said(mutant: Mutant) -> str:
    """The first world that notices, or why none does."""
    merges = False
    for world in _whole():
        found = _found(mutant, world)
        if found in ("noticed", "fails"):
            return f"{found} in {world}"
        merges = merges or found == "merges"
    return "only where it makes no difference" if merges else "never alone"


if __name__ == "__main__":
    for each in terms():
        print(f"{each} | {_said(each)}", flush=True)


@pytest.mark.parametrize("name", ["probed", "probed-limit", "probed-orphan"])
def test_probes_without_end_come_to_a_known_state(name: str) -> None:
    """What counts probes and doubles their distance counts no further than a rule can read."""
    steps = Steps(WORLDS[name]())
    known, state = set(), steps.start
    while state.next_us is not None and steps.key(state) not in known:
        known.add(steps.key(state))
        state = next(in_full(steps.branches(state))).pair
        assert len(known) < 1_000


def test_a_window_that_stays_shut_has_an_end_with_losses_too() -> None:
    chain = explore(build(scenario("so-linger-broken"), loss=0.5, loss_from="10min"), limit=1_000)
    assert (chain.cut, chain.states < 200) == ((), True)
