"""Reads a user's scenario from TOML. Every mistake is reported with the path of its field.

Owns: the form of the file. Refuses to know: where the text comes from (cli), single values (toml_values), and
what a behaviour, a knob or a rule means; their own parsers read them.

    horizon = "1h"                      # also: name, title, theme, question, story, watch, source,
                                        # concerns, within, cures, in_vain
    [client]
    behaviour = "never-closes"
    stack = "linux"
    arguments = { request = 200 }       # of the behaviour
    knobs = { tcp_fin_timeout = "30s" } # of the stack
    [[relay]]                           # a machine between; any number, from the client to the server
    behaviour = "nginx-stream"          # also: stack, arguments, knobs, and the path behind it:
    path = { delay = "5ms", loss = "1%" }
    [server]
    steps = ["listen", "accept", "receive 200", "send 1000", "close"]  # in place of a behaviour: step_words
    on_error = ["ignore"]               # default: close what is open
    [path]
    loss = "1%"
    delay = "25ms"
    drops = ["server FIN 2"]
    delays = ["client DATA 2 by 300ms"]
    [middlebox]                         # a NAT or a firewall between
    kind = "linux-conntrack"
    knobs = { close_wait = "90s" }
    [expect]                            # also: settled, reads
    client = "CLOSE-WAIT"
    server = "gone"
    verdict = "permanent"
    rst = false

`[path]` is the path of the client. In its rules, and in those of a relay's path, "client" is the end that
connects.

Only `horizon` and a behaviour on each side are required. `expect` checks only the fields that it has. All
mistakes in a file are reported at once, each in one line.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from tcpsim.app import Program, Step, find
from tcpsim.app.behaviour import DELAY, Behaviour, Kind, Side
from tcpsim.app.step_words import parse_steps
from tcpsim.catalogue.relay import Relay
from tcpsim.catalogue.run import Verdict
from tcpsim.catalogue.scenario import Expect, Scenario
from tcpsim.catalogue.toml_values import (
    Reader,
    Table,
    a_fix,
    at_field,
    boolean,
    count_or_errno,
    list_of,
    one_of,
    probability,
    rule,
    scalar,
    span,
    text,
    time,
)
from tcpsim.errors import InputError
from tcpsim.pair import SIDES
from tcpsim.pair import names as machines
from tcpsim.path import middleboxes, parse_distribution
from tcpsim.path.middlebox import MIDDLEBOXES
from tcpsim.profile import Profile, Profiles
from tcpsim.tcp.stack import STACKS, names

T = TypeVar("T")
Party = tuple[str | Program, str, dict[str, Any], dict[str, Any]]


def parse_scenario(content: str, where: str, name: str) -> Scenario:
    """The scenario of a file's content; `where` is the file's name, `name` that of a scenario without one.

    Raises:
        InputError: no TOML, an unknown or a missing key, or a value out of range; with the field's path.
    """
    try:
        document = tomllib.loads(content)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(where, str(error) or "tables too deep", "TOML") from None
    top = Table(document, f"{where}: ")
    sides = {side: top.take(side, _party(side)) for side in SIDES}
    box, turned = top.take("middlebox", _middlebox, ("none", {}))
    path = top.take("path", _path, {})
    relays = top.take("relay", _relays, ())
    words: dict[str, Any] = {
        "name": top.take("name", text, name),
        "theme": top.take("theme", text, "yours"),
        "title": top.take("title", text, name),
        "story": top.take("story", text, ""),
        "watch": top.take("watch", text, ""),
    }
    expect = top.take("expect", _expect, None)
    horizon = top.take("horizon", time)
    about: dict[str, Any] = {
        "concerns": top.take("concerns", one_of(*machines(len(relays or ()))), None),
        "cures": top.take("cures", list_of(a_fix), ()),
        "in_vain": top.take("in_vain", list_of(a_fix), ()),
        "question": top.take("question", text, ""),
        "source": top.take("source", text, ""),
        "within": top.take("within", time, None),
    }
    top.done()
    knobs = {f"{side}.{key}": value for side in SIDES for key, value in sides[side][3].items()}
    return Scenario(
        **words,
        client=sides["client"][0],
        server=sides["server"][0],
        expect=expect,
        horizon=horizon,
        arguments={f"{side}.{key}": value for side in SIDES for key, value in sides[side][2].items()},
        knobs=knobs | {f"middlebox.{key}": value for key, value in turned.items()},
        middlebox=box,
        stack_client=sides["client"][1],
        stack_server=sides["server"][1],
        relays=relays,
        **about,
        **path,
    )


def _relays(value: Any, where: str) -> tuple[Relay, ...]:
    """The machines between, in order: `[[relay]]`, as often as one likes."""
    return list_of(_relay)(value, where)


def _relay(value: Any, where: str) -> Relay:
    """One of them, with the path behind it."""
    table = Table(value, where)
    path = table.take("path", partial(_path, boxed=True), {})
    behaviour, profile, arguments, knobs = _program(table, "relay")
    return Relay(behaviour, profile, arguments, knobs, **path)


def _party(side: Side) -> Reader[Party]:
    """A side: behaviour or steps, stack, arguments, knobs."""

    def read(value: Any, where: str) -> Party:
        if isinstance(value, dict) and "steps" in value:
            return _written(value, where)
        return _program(Table(value, where), side)

    return read


def _written(value: Any, where: str) -> Party:
    """A side whose program is told step by step."""
    table = Table(value, where)
    steps = table.take("steps", _steps)
    on_error = table.take("on_error", _steps, None)
    program = None
    if steps is not None:
        made = lambda: at_field(table.path("steps"), lambda: Program(steps, on_error, "steps"))  # noqa: E731
        program = table.tried(made)
    profile = table.take("stack", one_of(*names()), "linux")
    knobs = table.take("knobs", _with(profile, partial(_knobs, STACKS)), {})
    table.done()
    assert program is not None
    return program, profile, {}, knobs


def _steps(value: Any, where: str) -> list[Step]:
    """Steps in words; a distribution may stand for a time that is waited."""
    texts = list_of(text)(value, where)
    if not texts:
        raise InputError(where, "[]", "at least one step")
    return parse_steps(texts, where, parse_distribution)


def _program(table: Table, side: Side) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    """The program and stack of a machine, and nothing else."""
    behaviour = table.take("behaviour", lambda name, at: at_field(at, lambda: find(side, text(name, at))))
    profile = table.take("stack", one_of(*names()), "linux")
    arguments = table.take("arguments", _with(behaviour, _arguments), {})
    knobs = table.take("knobs", _with(profile, partial(_knobs, STACKS)), {})
    table.done()
    return behaviour.name, profile, arguments, knobs


def _with(owner: T | None, read: Callable[[T, Any, str], dict[str, Any]]) -> Reader[dict[str, Any]]:
    """What reads the values of an owner; of one that is a mistake nothing can be said."""
    return lambda given, at: {} if owner is None else read(owner, given, at)


def _arguments(behaviour: Behaviour, value: Any, where: str) -> dict[str, Any]:
    table = Table(value, where)
    given = {}
    for parameter in behaviour.parameters:
        if parameter.name in table.left:
            value = table.take(parameter.name, lambda one, at: one)
            at = table.path(parameter.name)
            table.tried(lambda one=value, kind=parameter.kind, at=at: _argument(one, kind, at))  # type: ignore[misc]
            given[parameter.name] = value
        else:
            table.known.append(parameter.name)
    table.done()
    return given


def _argument(value: Any, kind: Kind, where: str) -> None:
    """One argument of a behaviour, which its kind takes."""
    if kind is DELAY and isinstance(value, str) and "(" in value:
        parse_distribution(value, where)
        return
    scalar(value, where, kind.allowed)
    if kind.unit == "time" and not isinstance(value, str):
        raise InputError(where, repr(value), kind.allowed)
    kind.read(value, where)


def _knobs(profiles: Profiles[Profile], name: str, value: Any, where: str) -> dict[str, Any]:
    """Knobs of a profile, each of which it takes."""
    profile = profiles.profile(name)
    table = Table(value, where)
    knobs, table.left = table.left, {}
    for knob, setting in knobs.items():
        table.tried(partial(profiles.turned, profile, {knob: setting}, table.path(""), written=True))
    table.done()
    return knobs


def _middlebox(value: Any, where: str) -> tuple[str, dict[str, Any]]:
    """The box: its profile, and knobs of it."""
    table = Table(value, where)
    kind = table.take("kind", one_of(*middleboxes()))
    knobs = table.take("knobs", _with(kind, partial(_knobs, MIDDLEBOXES)), {})
    table.done()
    return kind, knobs


def _path(value: Any, where: str, boxed: bool = False) -> dict[str, Any]:
    """A path; that behind a relay names what stands on it, the client's has a table of its own for it."""
    table = Table(value, where)
    found: dict[str, Any] = {
        "loss": table.take("loss", probability, 0.0),
        "delay": table.take("delay", time, "10ms"),
        "drops": table.take("drops", list_of(rule), ()),
    }
    late = table.take("delays", list_of(lambda words, at: rule(f"delay {text(words, at)}", at)), ())
    found["drops"] = (*(found["drops"] or ()), *(late or ()))
    if boxed:
        found["middlebox"] = table.take("middlebox", one_of("none", *middleboxes()), "none")
    table.done()
    return found


def _expect(value: Any, where: str) -> Expect:
    table = Table(value, where)
    verdict = one_of(*(str(each) for each in Verdict))
    wanted = table.take("verdict", verdict, None)
    found = Expect(
        client=table.take("client", text, None),
        server=table.take("server", text, None),
        verdict=None if wanted is None else Verdict(wanted),
        rst=table.take("rst", boolean, None),
        settled=table.take("settled", span, None),
        reads=table.take("reads", list_of(count_or_errno), None),
        relays=table.take("relays", list_of(text), None),
    )
    table.done()
    return found
