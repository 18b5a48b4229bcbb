"""A user's scenario in TOML: what it becomes, how it comes back, and what a mistake is told."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpsim.catalogue import as_toml, build, changes, cured, parse_scenario, play, scenarios, surprises
from tcpsim.errors import InputError
from tcpsim.pair import Arrived
from tcpsim.path import Tracker

SMALL = """\
horizon = "1h"
[client]
behaviour = "never-closes"
[server]
behaviour = "responds-then-closes"
"""
WHOLE = """\
title = "A leak of my own"
horizon = "2h"
concerns = "client"
cures = ["keepalive=10min"]
[client]
behaviour = "never-closes"
arguments = { request = 200, think = "uniform(1s,2s)" }
[server]
behaviour = "responds-then-closes"
stack = "linux"
arguments = { request = 200 }
knobs = { tcp_fin_timeout = 30, retries = 3, rto_min_us = "300ms", sack = false, fin_wait_2_us = "none" }
[path]
loss = "0%"
delay = "25ms"
drops = ["server RST 1"]
[expect]
client = "CLOSE-WAIT"
server = "gone"
verdict = "permanent"
rst = false
settled = ["30s", "90s"]
reads = [1000, 0]
"""


def read(text: str) -> Any:
    return parse_scenario(text, "my.toml", "my")


def test_the_least_file_is_a_scenario() -> None:
    found = read(SMALL)
    assert (found.name, found.title, found.stack_server, found.expect) == ("my", "my", "linux", None)
    assert play(found).ended.describe() == "permanent: client CLOSE-WAIT, server gone"


def test_everything_in_a_file_arrives() -> None:
    whole = WHOLE.replace(', fin_wait_2_us = "none"', "")
    found = read(whole)
    assert surprises(found.expect, play(found)) == ()
    pair = build(found)
    stack = pair.server.system.end.stack
    assert (stack.fin_wait_2_us, stack.retries, stack.rto_min_us, stack.sack) == (
        30_000_000,
        3,
        300_000,
        False,
    )
    assert pair.client.programs[0][1].program.describe()[1] == "wait uniform(1s, 2s)"
    assert [rule.name for rule in pair.path.shared[0].rules] == ["server RST 1"]  # type: ignore[attr-defined]
    assert read(WHOLE).knobs["server.fin_wait_2_us"] == "none"


def test_the_file_that_the_documentation_shows_ends_as_it_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    found = read(page.partition("```toml\n")[2].partition("```")[0])
    played = play(found)
    assert surprises(found.expect, played) == ()
    assert all(cured(found, play(found, **changes([fix]))) for fix in found.cures)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('server = "gone"', ()),
        ('client = "gone"', ("client: CLOSE-WAIT, not gone",)),
        ("rst = true", ("a RST was sent: False, not True",)),
        ('verdict = "clean"', ("verdict: permanent, not clean",)),
        ("", ()),
    ],
)
def test_an_expectation_judges_what_it_names(line: str, told: tuple[str, ...]) -> None:
    text = (
        'horizon = "1h"\n[client]\nbehaviour = "never-closes"\n[server]\nbehaviour = "responds-then-closes"\n'
    )
    found = parse_scenario(f"{text}[expect]\n{line}\n", "my.toml", "my")
    assert found.expect is not None
    assert surprises(found.expect, play(found)) == told
    assert parse_scenario(as_toml(found), "again.toml", "my").expect == found.expect


@pytest.mark.parametrize("chosen", scenarios(), ids=lambda chosen: chosen.name)
def test_every_scenario_comes_back_from_its_file(chosen: Any) -> None:
    again = read(as_toml(chosen))
    assert play(again).events == play(chosen).events
    same = ("name", "theme", "title", "story", "watch", "expect", "horizon", "concerns", "cures", "in_vain")
    assert [getattr(again, key) for key in same] == [getattr(chosen, key) for key in same]


MISTAKES = [
    ("horizon", 'horizons = "1h"\nhorizon', "horizons: found 'horizons' (did you mean horizon"),
    ('"1h"', "3600", "horizon: found '3600', allowed: a number with a unit"),
    ('"1h"', '"1 fortnight"', "horizon: found '1 fortnight', allowed: a number with a unit"),
    ('horizon = "1h"', "", "horizon: found nothing, allowed: it is required"),
    ('[server]\nbehaviour = "responds-then-closes"', "", "server: found nothing, allowed: it is required"),
    (
        "[server]",
        "[relay]\nbehaviour = 'copies'\n[server]",
        "relay: found one table, allowed: a list of tables: write [[relay]]",
    ),
    ('"never-closes"', '"never-close"', "client.behaviour: found 'never-close' (did you mean never-closes"),
    ('"never-closes"', "7", "client.behaviour: found 7, allowed: text"),
    ("[client]", "[path]\nloss = 1.5\n[client]", "path.loss: found 1.5, allowed: a number from 0 to 1"),
    ("[client]", "[path]\ndelay = 10\n[client]", "path.delay: found '10', allowed: a number with a unit"),
    (
        "[client]",
        "[path]\ndrops = ['server WIN']\n[client]",
        "path.drops[0]: found 'server WIN' (did you mean 'server FIN'?)",
    ),
    ("[client]", "cures = ['keepalife']\n[client]", "cures[0]: found 'keepalife' (did you mean keepalive"),
    ("[client]", "path = 3\n[client]", "path: found 3, allowed: a table"),
    ("[client]", "[middlebox]\n[client]", "middlebox.kind: found nothing, allowed: it is required"),
    (
        "[client]",
        "[middlebox]\nkind = 'junes'\n[client]",
        "middlebox.kind: found 'junes' (did you mean junos",
    ),
    (
        "[client]",
        "[middlebox]\nkind = 'junos'\nloss = 1\n[client]",
        "middlebox.loss: found 'loss', allowed: ",
    ),
]
IN_BOX = [
    ("close_wiat = '1s'", "close_wiat: found 'close_wiat' (did you mean close_wait"),
    ("close_wait = 60", "close_wait: found 60, allowed: a time with a unit"),
    ("close_wait = '60'", "close_wait: found '60', allowed: a number with a unit"),
    ("loose = 'maybe'", "loose: found 'maybe', allowed: true or false"),
    ("max_retrans = 0", "max_retrans: found 0, allowed: an integer from 1 to 255"),
    ("max_retrans = -3", "max_retrans: found -3, allowed: an integer from 1 to 255"),
    ("nf_conntrack_tcp_timeout_close_wait = []", "nf_conntrack_tcp_timeout_close_wait: found [], allowed: "),
]
IN_SERVER = [
    ("stack = 'linus'", "stack: found 'linus' (did you mean linux"),
    ("port = 3", "port: found 'port', allowed: "),
    ("arguments = { dely = '1s' }", "arguments.dely: found 'dely' (did you mean delay"),
    ("arguments = { delay = 5 }", "arguments.delay: found 5, allowed: a time with"),
    ("arguments = { delay = '5' }", "arguments.delay: found '5', allowed: a number with a unit"),
    ("arguments = { request = '1s' }", "arguments.request: found '1s', allowed: an integer"),
    (
        "knobs = { tcp_fin_timeot = 3 }",
        "knobs.tcp_fin_timeot: found 'tcp_fin_timeot' (did you mean tcp_fin_timeout",
    ),
    ("knobs = { tcp_fin_timeout = '3 years' }", "knobs.tcp_fin_timeout: found '3 years'"),
    ("knobs = { fin_wait_2_us = 30 }", "knobs.fin_wait_2_us: found 30, allowed: a time with a unit"),
    ("knobs = { rto_rule = 'fast' }", "knobs.rto_rule: found 'fast', allowed: floor"),
    ("knobs = { backoff = [1, 0] }", "knobs.backoff: found 0, allowed: an integer from 1 to 65536"),
    ("knobs = { backoff = '1 two' }", "knobs.backoff: found 'two', allowed: an integer from 1 to 65536"),
    ("knobs = { backoff = {} }", "knobs.backoff: found {}, allowed: doubling, or a list"),
    ("knobs = { retries = -1 }", "knobs.retries: found -1"),
    ("knobs = { retries = true }", "knobs.retries: found True, allowed: an integer from 0 to 255, or none"),
]


def complaint(text: str) -> str:
    with pytest.raises(InputError) as caught:
        read(text)
    assert all(line.startswith("my.toml: ") for line in str(caught.value).split("\n"))
    return str(caught.value)


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES, ids=[message for *_, message in MISTAKES])
def test_a_mistake_is_told_with_its_path(old: str, new: str, message: str) -> None:
    assert complaint(SMALL.replace(old, new)).startswith(f"my.toml: {message}")


@pytest.mark.parametrize(("line", "message"), IN_SERVER, ids=[line for line, _ in IN_SERVER])
def test_a_mistake_in_a_party_is_told_with_its_path(line: str, message: str) -> None:
    assert complaint(f"{SMALL}{line}\n").startswith(f"my.toml: server.{message}")


def test_what_a_middlebox_takes_is_told_once() -> None:
    found = complaint(f"{SMALL}[middlebox]\nkind = 'junos'\nknobs = {{ nothing = 1 }}\n")
    allowed = found.partition("allowed: ")[2].split(", ")
    assert len(allowed) == len(set(allowed)) > 10


@pytest.mark.parametrize(("line", "message"), IN_BOX, ids=[line for line, _ in IN_BOX])
def test_a_mistake_in_a_middlebox_is_told_with_its_path(line: str, message: str) -> None:
    box = f"[middlebox]\nkind = 'linux-conntrack'\nknobs = {{ {line} }}\n"
    assert complaint(f"{SMALL}{box}").startswith(f"my.toml: middlebox.knobs.{message}")


def test_a_middlebox_of_a_file_arrives() -> None:
    knobs = "nf_conntrack_tcp_timeout_close_wait = 90, loose = false"
    found = read(f"{SMALL}[middlebox]\nkind = 'linux-conntrack'\nknobs = {{ {knobs} }}\n")
    (tracker,) = build(found).path.shared
    assert isinstance(tracker, Tracker)
    assert (tracker.box.name, tracker.box.close_wait_us, tracker.box.loose) == (
        "linux-conntrack",
        90_000_000,
        False,
    )


def test_what_is_no_toml_is_told_with_its_place() -> None:
    assert complaint("[client").startswith("my.toml: found Expected ']' at the end of a table declaration")


ANYTHING = st.recursive(
    st.text(max_size=6) | st.integers() | st.floats() | st.booleans(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
PLACES = st.sampled_from(
    [
        *(
            "horizon",
            "cures",
            "concerns",
            "client",
            "server",
            "path",
            "expect",
            "nonsense",
            "client.nonsense",
        ),
        *("client.behaviour", "client.stack", "client.arguments.request", "client.arguments.think"),
        *("server.arguments.delay", "server.knobs.tcp_fin_timeout", "server.knobs.retries"),
        *("server.knobs.fin_wait_2_us", "server.knobs.sack", "server.knobs.rto_rule", "server.knobs.memory"),
        *("middlebox.kind", "middlebox.knobs.close_wait", "middlebox.knobs.loose", "middlebox"),
        *("path.loss", "path.delay", "path.drops", "expect.reads", "expect.settled", "expect.verdict"),
    ]
)
NEEDED = {
    "horizon": 'horizon = "1h"',
    "client.behaviour": 'client.behaviour = "never-closes"',
    "server.behaviour": 'server.behaviour = "closes-first"',
}


def spelled(value: Any) -> str:
    """Any value of hypothesis as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{spelled(key)} = {spelled(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(spelled, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(letter):08x}" for letter in value) + '"'
    return str(value).lower()


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: raw.decode("latin-1")))
def test_garbage_is_one_line(text: str) -> None:
    complaint(text)


@given(st.lists(st.tuples(PLACES, ANYTHING), max_size=3, unique_by=lambda each: each[0]))
def test_garbage_in_a_field_is_one_line_or_a_scenario_that_builds(changed: list[tuple[str, Any]]) -> None:
    lines = [f"{place} = {spelled(value)}" for place, value in changed]
    replaced = {place for place, _ in changed}
    lines += [line for place, line in NEEDED.items() if not replaced & {place, place.partition(".")[0]}]
    try:
        build(read("\n".join(lines)))
        told = "my.toml: "
    except InputError as error:
        told = str(error)
    assert all(line.startswith("my.toml: ") for line in told.split("\n"))
    assert len(told.split("\n")) <= max(len(changed) + 3, 1), "a line for each mistake"


def test_all_mistakes_are_told_at_once() -> None:
    text = """
horizon = 3
storry = "x"
cures = ["fin-timeout=30s", "client-close", "keepalive=1ms"]
[client]
behaviour = "closes-on-eof"
arguments = { request = "lots", think = 5, wait = "1s" }
knobs = { tcp_fin_timeout = "x", tcp_nonsense = 1 }
[server]
behaviour = "never"
arguments = { request = "not looked at" }
[path]
loss = 2
"""
    told = complaint(text).split("\n")
    assert [line.split(": found")[0].removeprefix("my.toml: ") for line in told] == [
        "client.arguments.request",
        "client.arguments.think",
        "client.arguments.wait",
        "client.knobs.tcp_fin_timeout",
        "client.knobs.tcp_nonsense",
        "server.behaviour",
        "path.loss",
        "horizon",
        "cures[1]",
        "cures[2].keepalive",
        "storry",
    ]


def test_mistakes_survive_a_worker_process() -> None:
    with pytest.raises(InputError) as caught:
        read("horizon = 3")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (type(caught.value), str(caught.value))
    assert len(str(again).split("\n")) == 3


def test_a_file_may_delay_a_segment() -> None:
    late = SMALL + '[path]\ndrops = ["server FIN 1"]\ndelays = ["client SYN 1 by 500ms"]\n'
    found = read(late)
    assert found.drops == ("server FIN 1", "delay client SYN 1 by 500ms")
    syns = [e.t_us for e in play(found).events if isinstance(e, Arrived) and e.segment.syn]
    assert syns[0] == 510_000
    assert read(as_toml(found)).drops == found.drops
    with pytest.raises(InputError, match=r"^my.toml: path.delays\[0\]: found 'delay client SYN 1'"):
        read(late.replace(" by 500ms", ""))
