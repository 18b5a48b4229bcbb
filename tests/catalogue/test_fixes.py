"""Fixes: what helps in which scenario, what does not, and the mistakes one can make in naming them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tcpsim.catalogue import changes, cured, fix, fixes, play, scenario, scenarios
from tcpsim.errors import InputError
from tcpsim.pair import SIDES, StateChanged

WITH_CURES = [each for each in scenarios() if each.cures or each.in_vain]


@pytest.mark.parametrize("name", [each.name for each in WITH_CURES])
def test_without_a_fix_it_is_not_cured(name: str) -> None:
    assert not cured(scenario(name), play(scenario(name)))


@pytest.mark.parametrize(
    ("name", "words"), [(each.name, words) for each in WITH_CURES for words in each.cures]
)
def test_what_cures(name: str, words: str) -> None:
    assert cured(scenario(name), play(scenario(name), **changes([words])))


@pytest.mark.parametrize(("name", "words"), [(each.name, fix) for each in WITH_CURES for fix in each.in_vain])
def test_what_is_in_vain(name: str, words: str) -> None:
    assert not cured(scenario(name), play(scenario(name), **changes([words])))


def test_every_fix_is_tried_somewhere() -> None:
    used = {fix(words).name for each in scenarios() for words in (*each.cures, *each.in_vain)}
    assert {each.name for each in fixes()} == used


@pytest.mark.parametrize("words", [each.spelled for each in fixes()])
def test_a_fix_is_spelled_with_its_default(words: str) -> None:
    assert changes([words]) == changes([words.partition("=")[0]])


def test_a_fix_of_a_stack_turns_both_or_the_one_that_is_named() -> None:
    assert changes(["fin-timeout=30s"]) == {"knobs": {"fin_wait_2_us": 30_000_000}}
    assert changes(["server.fin-timeout=30s"]) == {"knobs": {"server.fin_wait_2_us": 30_000_000}}
    both = changes(["client.fin-timeout=30s", "server.fin-timeout=60s"])
    assert both == {"knobs": {"client.fin_wait_2_us": 30_000_000, "server.fin_wait_2_us": 60_000_000}}


@pytest.mark.parametrize(
    ("name", "words"), [(each.name, words) for each in WITH_CURES for words in each.cures]
)
def test_a_cure_acts_in_a_state_that_the_scenario_has(name: str, words: str) -> None:
    """It changes the run on its side: in one of the states that it says, or where there is no state."""
    states, side = fix(words).states, fix(words).side
    every = (*SIDES, "relay")
    named = words.partition(".")[0]
    acts_on = [named] if named in every else every if side in ("either", "both") else [side]
    had = {
        event.new
        for event in play(scenario(name)).events
        if isinstance(event, StateChanged) and _acts_on(event.side, acts_on)
    }
    assert not states or had.intersection(states)


def _acts_on(machine: str, sides: Sequence[str]) -> bool:
    """ "relay" is each of several."""
    return machine in sides or ("relay" in sides and machine.startswith("relay"))


def test_what_a_fix_applies_to_in_words() -> None:
    assert fix("client-closes").applies_to == "client in CLOSE-WAIT"
    assert fix("keepalive").applies_to == "either side in ESTABLISHED, FIN-WAIT-2 or CLOSE-WAIT"
    assert fix("nat-timeout").applies_to == "the path"
    assert fix("backlog").applies_to == "server"


def test_every_fix_of_one_side_has_a_twin_or_a_reason() -> None:
    """The client's and the server's fixes mirror each other; `only` are the ones that cannot."""
    only = {"client-checks-sockets", "server-accepts"}  # a pool's habit; only servers have an accept queue
    names = {each.name for each in fixes()} - only
    for name in names:
        side, dash, rest = name.partition("-")
        if dash and side in SIDES:
            twin = "pool-idle" if name == "server-idle" else f"{SIDES[side == 'client']}-{rest}"
            assert twin in names, name


def test_fixes_add_up() -> None:
    both = changes(["client-checks-sockets=2s", "fin-timeout=30s", "keepalive=60s"])
    assert both == {
        "client": "polls-its-socket",
        "parameters": {"client.every": 2_000_000},
        "knobs": {"fin_wait_2_us": 30_000_000, "keep_idle_us": 60_000_000, "keepalive_default": True},
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["keepalife"], "fix: found 'keepalife' (did you mean keepalive"),
        (["fin-timeout=30"], "fix.fin-timeout: found '30', allowed: a number with a unit"),
        (["keepalive=50ms"], "fix.keepalive: found '50ms', allowed: a whole number of seconds"),
        (["close-on-exec=1"], "fix.close-on-exec: found '1', allowed: no value"),
        (["client-closes", "client-checks-sockets"], "fix: found 'client-checks-sockets' and another fix"),
        (["server.keepalife"], "fix: found 'keepalife' (did you mean keepalive"),
        (["sever.keepalive"], "fix: found 'sever' (did you mean server"),
        (["server.client-closes"], "fix: found 'server.client-closes', allowed: client-closes without a s"),
        (["client-linger=500ms"], "fix.client-linger: found '500ms', allowed: a whole number of seconds"),
        (["fin-timeout=1s", "fin-timeout=2s"], "fix: found 'fin-timeout=2s' and another fix for"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_one_line(words: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        changes(words)
    assert str(caught.value).startswith(message)
