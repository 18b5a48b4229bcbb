"""`tcpsim check`: verdicts, ladders, and the status of a judge."""

from __future__ import annotations

import json
from collections.abc import Callable

Tcpsim = Callable[..., tuple[int, str, str]]
LATE = ("--with", "server.delay=1s", "--loss-from", "500ms")


def test_a_leak_is_shown_as_a_ladder(tcpsim: Tcpsim) -> None:
    status, out, err = tcpsim("check", "one-rst-stack", *LATE)
    assert (status, err) == (1, "")
    assert "holds                  orphan-has-timer" in out
    assert "fails                  no-permanent-leak" in out
    assert '--drop "server #4"' in out
    assert "server #4 X" in out, "the RST that is lost, in the ladder"


def test_the_same_as_json(tcpsim: Tcpsim) -> None:
    status, out, _ = tcpsim("check", "one-rst-stack", *LATE, "--json")
    document = json.loads(out)
    assert status == 1
    assert document["whole"]
    holds = {each["name"]: each["holds"] for each in document["properties"]}
    assert holds == {
        "orphan-has-timer": True,
        "no-permanent-leak": False,
        "one-side-at-most": True,
        "can-end-clean": True,
    }


def test_keepalive_leaves_nothing_for_ever(tcpsim: Tcpsim) -> None:
    status, out, _ = tcpsim("check", "keepalive-rescues", *LATE)
    assert status == 0
    assert "fails" not in out


def test_without_it_a_sound_client_can_stay_half_open(tcpsim: Tcpsim) -> None:
    """Who waits for a FIN of which every copy is lost waits for ever."""
    document = json.loads(tcpsim("check", "normal-close", *LATE, "--json")[1])
    leak = next(each for each in document["properties"] if each["name"] == "no-permanent-leak")
    assert not leak["holds"]
    assert "," in leak["way"]["drops"][0]


def test_a_limit_is_said(tcpsim: Tcpsim) -> None:
    status, out, _ = tcpsim("check", "normal-close", "--limit", "300")
    assert status == 0
    assert "holds as far as seen" in out
    assert "there are more" in out


def test_bad_input(tcpsim: Tcpsim) -> None:
    status, _, err = tcpsim("check", "no-such-scenario")
    assert status == 2
    assert err.count("\n") == 1
