"""Programs in words: what is told of a program can be read back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tcpsim.app import behaviours
from tcpsim.app.program import Program
from tcpsim.app.step_words import parse_steps
from tcpsim.catalogue import as_toml, build, parse_scenario, play, scenario, surprises
from tcpsim.errors import InputError
from tcpsim.pair import Returned
from tcpsim.path import parse_distribution

BY_ORDER = ("obeys", "keepalive-obeys")  # what they do, others decide
ALL = [each for each in behaviours() if each.side != "relay" and each.name not in BY_ORDER]


@pytest.mark.parametrize("behaviour", ALL, ids=lambda each: f"{each.side} {each.name}")
def test_what_is_told_of_a_behaviour_is_the_behaviour(behaviour: object) -> None:
    program: Program = behaviour.program()  # type: ignore[attr-defined]
    read = parse_steps(program.describe())
    assert [step.describe() for step in read] == list(program.describe())
    if behaviour.name != "sometimes-forgets":  # type: ignore[attr-defined]  # its choice has a name of its own
        assert Program(read, program.on_error) == program


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("Connect", "connect"),
        ("send 1", "send 1 bytes"),
        ("receive to eof", "receive to EOF"),
        ("receive 10 within 5s, else {send 1, leave}, at eof {}", None),
        ("wait 1500ms", "wait 1.5s"),
        ("shutdown wr", "shut down WR"),
        ("every 2s send 50", "every 2s until it fails {send 50 bytes}"),
        ("every 2s {send 50, receive 50 within 1s}", None),
        ("3 times {send 1}", None),
        ("reboot 20s", "the machine reboots (20s down)"),
        ("connect from port 0 with SO_LINGER=(1, 0), SO_KEEPALIVE=1 (second)", None),
        ("listen with a backlog of 1", "listen with a backlog of 1"),
        ("connect, send 1 (second), close", None),
    ],
)
def test_other_spellings(words: str, told: str | None) -> None:
    step, *more = parse_steps([words])
    assert told is None or (step.describe() == told and not more)
    again = [step.describe(), *(each.describe() for each in more)]
    assert [each.describe() for each in parse_steps(again)] == again


def test_a_distribution_may_stand_for_a_time() -> None:
    (step,) = parse_steps(["wait uniform(1s, 2s)"], "steps", parse_distribution)
    assert "uniform" in step.describe().lower()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("sned 100", "steps[1]: found 'sned 100', allowed: connect, listen, accept, send N"),
        (
            "choose {close; 0.5: ignore}",
            "steps[1]: found 'close', allowed: a probability, a colon, and steps",
        ),
        ("send 0", "send: found 0, allowed: an integer >= 1"),
        ("every 0s send 1", "until_it_fails.every: found 0s, allowed: a time above zero"),
        ("connect {", "steps[1]: found 'connect {', allowed: "),
    ],
)
def test_a_mistake_names_its_step(words: str, complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_steps(["connect", words])
    assert str(caught.value).startswith(complaint)


FILE = """\
horizon = "10min"
[client]
steps = ["connect", "send 100", "receive to eof", "every 2s send 50", "wait 5s", "close"]
[server]
steps = ["listen", "accept", "receive 100", "send 1000", "close"]
on_error = ["ignore"]
[expect]
client = "gone"
server = "gone"
reads = [1000, 0]
"""


def test_a_file_tells_both_programs_step_by_step() -> None:
    """The server is gone: the first heartbeat meets a RST, the second fails, and the client goes on."""
    found = parse_scenario(FILE, "my.toml", "my")
    played = play(found)
    calls = [each for each in played.events if isinstance(each, Returned) and each.side == "client"]
    ends = [(each.t_us, type(each.call).__name__, each.reply.errno) for each in calls[-3:]]
    assert ends == [(40_000, "SendAll", None), (2_040_000, "SendAll", "EPIPE"), (7_040_000, "Close", None)]
    assert surprises(found.expect, played) == ()
    assert parse_scenario(as_toml(found), "my.toml", "my") == replace(found, theme=found.theme)


def test_steps_and_a_behaviour_make_the_same_pair() -> None:
    told = FILE.replace('"every 2s send 50", "wait 5s", ', '"wait 50ms", ').replace(
        'on_error = ["ignore"]\n', ""
    )
    told = told.replace('"send 1000", "close"', '"send 1000", "close"')
    ours, named = build(parse_scenario(told, "my.toml", "my")), build(scenario("normal-close"))
    assert ours.client.programs == named.client.programs
    assert ours.server.programs == named.server.programs


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"send 100"', '"send a lot"', "my.toml: client.steps[1]: found 'send a lot', allowed: connect"),
        ('steps = ["listen"', 'behaviour = "httpd"\nsteps = ["listen"', "my.toml: server.behaviour: found"),
        ('["ignore"]', "[]", "my.toml: server.on_error: found [], allowed: at least one step"),
        (
            '"wait 5s", "close"',
            '"ignore", "close"',
            "my.toml: client.steps: found 'close' behind 'ignore the socket for ever'",
        ),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_field(old: str, new: str, complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_scenario(FILE.replace(old, new), "my.toml", "my")
    assert str(caught.value).startswith(complaint)
