"""Fixes: what helps in which scenario, what does not, and the mistakes one can make in naming them."""

from __future__ import annotations

import pytest

from tcpsim.catalogue import changes, cured, fixes, play, scenario, scenarios
from tcpsim.errors import InputError

WITH_CURES = [each for each in scenarios() if each.cures or each.in_vain]


@pytest.mark.parametrize("name", [each.name for each in WITH_CURES])
def test_without_a_fix_it_is_not_cured(name: str) -> None:
    assert not cured(scenario(name), play(scenario(name)))


@pytest.mark.parametrize(("name", "words"), [(each.name, fix) for each in WITH_CURES for fix in each.cures])
def test_what_cures(name: str, words: str) -> None:
    assert cured(scenario(name), play(scenario(name), **changes([words])))


@pytest.mark.parametrize(("name", "words"), [(each.name, fix) for each in WITH_CURES for fix in each.in_vain])
def test_what_is_in_vain(name: str, words: str) -> None:
    assert not cured(scenario(name), play(scenario(name), **changes([words])))


def test_every_fix_is_tried_somewhere() -> None:
    used = {fix.partition("=")[0] for each in scenarios() for fix in (*each.cures, *each.in_vain)}
    of_populations = {"persistent-connections"}  # tests/host/test_crowds.py
    assert {fix.name for fix in fixes()} - used == of_populations


@pytest.mark.parametrize("words", [each.spelled for each in fixes()])
def test_a_fix_is_spelled_with_its_default(words: str) -> None:
    assert changes([words]) == changes([words.partition("=")[0]])


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
        (["fin-timeout=1s", "fin-timeout=2s"], "fix: found 'fin-timeout=2s' and another fix for"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_one_line(words: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        changes(words)
    assert str(caught.value).startswith(message)
