"""`tcpsim check`: verdicts, ladders, and the status of a judge."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

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
    assert {name for name, held in holds.items() if not held} == {
        "no-permanent-leak",
        "every-connection-ends",
    }
    assert {"orphan-has-timer", "time-wait-answers-fin", "one-side-at-most", "can-end-clean"} <= holds.keys()
    assert all(each["source"] for each in document["properties"])


def test_one_property_is_asked_alone(tcpsim: Tcpsim) -> None:
    chosen = ("--property", "orphan-has-timer", "--property", "can-end-clean")
    status, out, _ = tcpsim("check", "one-rst-stack", *LATE, *chosen, "--json")
    assert status == 0
    assert [each["name"] for each in json.loads(out)["properties"]] == ["orphan-has-timer", "can-end-clean"]


def test_what_there_is_to_ask(tcpsim: Tcpsim) -> None:
    status, out, err = tcpsim("check", "--list")
    assert (status, err) == (0, "")
    assert "time-wait-answers-fin: at every step, a FIN that comes again in TIME-WAIT is acknowledged" in out
    assert "RFC 9293 3.10.7.4" in out


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


def test_any_order_shows_moves_and_says_what_it_is(tcpsim: Tcpsim) -> None:
    few = ("--any-order", "--in-flight", "1", "--limit", "4000", "--property", "no-permanent-leak")
    status, out, err = tcpsim("check", "one-rst-stack", *few)
    assert (status, err) == (1, "")
    assert "reachability only" in out
    assert "1. client: process 1 goes on" in out
    assert "2. server: process 1 goes on" in out
    document = json.loads(tcpsim("check", "one-rst-stack", *few, "--json")[1])
    assert document["in_flight"] == 1
    assert not document["whole"]


def test_any_order_behind_a_relay(tcpsim: Tcpsim) -> None:
    few = ("--any-order", "--in-flight", "1", "--limit", "500", "--property", "no-permanent-leak")
    status, out, err = tcpsim("check", "relay-waits-for-both-ends", *few)
    assert (status, err) == (0, "")
    assert "holds as far as seen" in out
    assert "1 under way on each leg at most" in out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("no-such-scenario",), "no-such-scenario"),
        (("normal-close", "--in-flight", "3"), "--any-order"),
        (("normal-close", "--any-order", "--loss-from", "300ms"), "--loss-from"),
        (("relay-restarts", "--any-order", "--property", "legs-end-together"), "without a time"),
        (("normal-close", "--property", "orphan-has-timers"), "did you mean orphan-has-timer?"),
    ],
)
def test_bad_input(tcpsim: Tcpsim, words: tuple[str, ...], complaint: str) -> None:
    status, _, err = tcpsim("check", *words)
    assert status == 2
    assert err.count("\n") == 1
    assert complaint in err
