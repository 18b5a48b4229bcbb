"""What is said of a case's knobs is what its scenario shows when it is run, on this side."""

from __future__ import annotations

import shlex

import pytest

from tcpsim.api.compare import compare
from tcpsim.catalogue import Played
from tcpsim.diagnosis.kinds import Shown, kinds
from tcpsim.diagnosis.knobs import knobs
from tcpsim.pair import Side
from tcpsim.tcp.state import State

SHOWN = sorted({each for kind in kinds().values() for each in kind.shown.values()}, key=str)
_SOONER = 0.9  # of the time that it takes without the fix


def freed_us(played: Played, side: Side) -> float:
    """When the side had no connection any more; infinite if it never is so."""
    if any(each.state is not State.CLOSED for each in getattr(played.ended, side)):
        return float("inf")
    return played.settled_on_us(side)


def words(shown: Shown) -> tuple[str, dict[str, object], list[str]]:
    """The scenario, the settings and the fixes of the command line that the answer prints."""
    scenario, *rest = shlex.split(knobs(shown).compare)[2:]
    settings: dict[str, object] = {}
    fixes: list[str] = []
    for option, value in zip(rest[::2], rest[1::2], strict=True):
        if option == "--fix":
            fixes.append(value)
        elif option == "--with":
            name, _, given = value.partition("=")
            settings.setdefault("parameters", {})[name] = given  # type: ignore[index]
        elif option == "--drop":
            settings["drops"] = (value,)
        else:
            settings[option.removeprefix("--")] = value
    return scenario, settings, fixes


@pytest.mark.parametrize("shown", SHOWN, ids=lambda each: f"{each.scenario}-{each.here}")
def test_the_knobs_do_what_is_said_of_them(shown: Shown) -> None:
    scenario, settings, fixes = words(shown)
    found = compare(scenario, fixes, **settings)  # type: ignore[arg-type]
    before = freed_us(found.runs[0].played, shown.here)
    assert before > 0, "nothing to be seen on this side"
    after = {run.title: freed_us(run.played, shown.here) for run in found.runs[1:] if run.played is not None}
    if shown.cures is not None:
        for fix in shown.cures:
            assert after[fix] < _SOONER * before, fix
        for fix in shown.in_vain or ():
            assert after[fix] >= _SOONER * before, fix


def test_every_kind_has_words_for_what_it_says() -> None:
    for kind in kinds().values():
        for text in (kind.happened, kind.owes, kind.look):
            text.format(program="p", peer="q", pid="1", where="port 1")
        for shown in kind.shown.values():
            told = knobs(shown)
            assert told.helps or told.in_vain
            assert not any("{" in each for each in (*told.helps, *told.in_vain))
