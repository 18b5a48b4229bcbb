"""The registry of behaviours: names, sentences, parameters, and what a mistake is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tcpsim.app import Program, behaviours, close, connect, find, ignore, make, receive_to_eof, send, wait
from tcpsim.app.behaviour import Bytes, Count, Delay, Probability, Time, client, forget, server
from tcpsim.errors import InputError
from tcpsim.path import Uniform


@pytest.fixture
def hesitates() -> Iterator[None]:
    """A behaviour that a user adds, and takes away again."""

    @client
    def hesitates(request: Bytes = 100, pause: Delay = "1s", again: Count = 2) -> Any:
        """Sends its request in pieces,
        with a pause after each.

        What follows the first paragraph is for the reader of the code.
        """
        return [connect(), *[send(request), wait(pause)] * again, close()]

    yield
    forget("client", "hesitates")


@pytest.mark.usefixtures("hesitates")
def test_a_users_behaviour_is_a_function_that_returns_steps() -> None:
    found = find("client", "hesitates")
    assert found.doc == "Sends its request in pieces, with a pause after each."
    assert [(p.name, p.default, p.kind.unit) for p in found.parameters] == [
        ("request", 100, "bytes"),
        ("pause", "1s", "time"),
        ("again", 2, ""),
    ]
    program = make("client", "hesitates", pause="20ms", again="1")
    assert program.describe() == ("connect", "send 100 bytes", "wait 20ms", "close")
    assert program.name == "hesitates"
    assert behaviours("client")[-1] is found
    drawn = make("client", "hesitates", pause=Uniform(0, 5), again=1)
    assert drawn.describe()[2] == "wait uniform(0s, 5us)"


def test_forgetting_it_makes_it_unknown_again() -> None:
    with pytest.raises(InputError, match=r"^client behaviour: found 'hesitates'"):
        find("client", "hesitates")


def test_what_is_promised_is_there() -> None:
    assert {each.name for each in behaviours("client")} >= {
        "closes-on-eof",
        "never-closes",
        "closes-with-next-work",
        "polls-its-socket",
        "half-closes",
        "vanishes",
        "crashes",
        "reboots",
        "keepalive-never-closes",
    }
    assert {each.name for each in behaviours("server")} >= {
        "closes-first",
        "responds-then-closes",
        "keep-alive-timeout",
        "drains",
        "never-closes",
    }


def test_every_parameter_changes_its_program() -> None:
    other = {"bytes": 77, "time": "77s", "probability": 0.77, "": 7}
    for behaviour in behaviours():
        for parameter in behaviour.parameters:
            kind = parameter.kind
            value = next((each for each in kind.words if each != parameter.default), other.get(kind.unit))
            needed = _NEEDS.get(parameter.name, {}) if behaviour.side == "relay" else {}
            changed = behaviour.program(**needed, **{parameter.name: value})
            assert changed != behaviour.program(**needed), f"{behaviour.name} {parameter.name}"


_NEEDS: dict[str, dict[str, Any]] = {
    "interval": {"keepalive_client": "9s"}, "count": {"keepalive_client": "9s"}, "idle_counts": {},
}  # fmt: skip


def test_a_program_may_say_what_it_does_on_errors() -> None:
    sound, leaky = make("client", "closes-on-eof"), make("client", "never-closes")
    assert sound.on_error is None
    assert leaky == Program([connect(), send(100), receive_to_eof(), ignore()], on_error=[ignore()])


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"request": 0}, "client.sometimes-forgets.request: found 0, allowed: an integer >= 1"),
    ({"request": "ten"}, "client.sometimes-forgets.request: found 'ten', allowed: an integer >= 1"),
    ({"request": True}, "client.sometimes-forgets.request: found True"),
    ({"delay": "50"}, "client.sometimes-forgets.delay: found '50', allowed: a number with a unit"),
    ({"never": 1.5}, "client.sometimes-forgets.never: found 1.5, allowed: a number from 0 to 1"),
    ({"nevr": 0.1}, "client.sometimes-forgets: found 'nevr' (did you mean never"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[message for _, message in MISTAKES])
def test_a_wrong_parameter_is_told_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        make("client", "sometimes-forgets", **arguments)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_an_option_in_seconds_takes_no_fraction_of_one() -> None:
    kept = make("client", "keepalive-never-closes", idle="60s").describe()
    assert kept[1:4] == ("set SO_KEEPALIVE to 1", "set TCP_KEEPIDLE to 60", "set TCP_KEEPINTVL to 75")
    with pytest.raises(InputError, match=r"keepalive-never-closes.idle: found '500ms', allowed: a whole"):
        make("client", "keepalive-never-closes", idle="500ms")


def test_a_behaviour_is_known_on_its_own_side_only() -> None:
    with pytest.raises(InputError, match=r"^server behaviour: found 'polls-its-socket'"):
        find("server", "polls-its-socket")


def test_a_behaviour_must_explain_itself() -> None:
    def silent(request: Bytes = 100) -> Any:
        return [connect(), send(request)]

    def bare(request=100) -> Any:  # type: ignore[no-untyped-def]
        """Has a parameter of no kind."""
        return [connect(), send(request)]

    def open_ended(p: Probability, t: Time = "1s") -> Any:
        """Has a parameter without a default."""
        return [wait(t)]

    with pytest.raises(InputError, match=r"^server behaviour silent: found no docstring"):
        server(silent)
    with pytest.raises(InputError, match=r"^bare.request: found no kind or no default"):
        client(bare)
    with pytest.raises(InputError, match=r"^open_ended.p: found no kind or no default"):
        client(open_ended)
    assert {"silent", "bare", "open-ended"}.isdisjoint(each.name for each in behaviours())
