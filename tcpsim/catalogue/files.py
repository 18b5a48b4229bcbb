"""A user's scenario, written in TOML: read strictly, every mistake told with the path of its field.

Owns: the form of the file. Refuses to know: where the text comes from (cli), single values (written), and
what a behaviour, a knob or a rule means; their own parsers read them.

    horizon = "1h"                      # also: name, title, theme, question, story, watch, source,
                                        # concerns, within, cures, in_vain
    [client]
    behaviour = "never-closes"
    stack = "linux"
    arguments = { request = 200 }       # of the behaviour
    knobs = { tcp_fin_timeout = "30s" } # of the stack
    [server]
    behaviour = "responds-then-closes"
    [path]
    loss = "1%"
    delay = "25ms"
    drops = ["server FIN 2"]
    [middlebox]                         # a NAT or a firewall between
    kind = "linux-conntrack"
    knobs = { close_wait = "90s" }
    [expect]                            # also: settled, reads
    client = "CLOSE-WAIT"
    server = "gone"
    verdict = "permanent"
    rst = false

Only `horizon` and a behaviour on each side have to be there; `expect` judges what it names. All mistakes of
a file are told at once, a line for each.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

from tcpsim.app import find
from tcpsim.app.behaviour import DELAY, Behaviour, Kind, Side
from tcpsim.catalogue.run import Verdict
from tcpsim.catalogue.scenario import Expect, Scenario
from tcpsim.catalogue.written import (
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
from tcpsim.errors import InputError, unknown
from tcpsim.pair import SIDES
from tcpsim.path import middlebox, middleboxes, parse_distribution
from tcpsim.path.middlebox import FIELDS, sources
from tcpsim.tcp.stack import Stack, knob_names, names, stack

T = TypeVar("T")
_KINDS = {field.name: str(field.type) for field in fields(Stack) if field.name != "name"}


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
        "concerns": top.take("concerns", one_of(*SIDES), None),
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
        **about,
        **path,
    )


def _party(side: Side) -> Reader[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """A side: behaviour, stack, arguments, knobs."""

    def read(value: Any, where: str) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
        table = Table(value, where)
        behaviour = table.take("behaviour", lambda name, at: at_field(at, lambda: find(side, text(name, at))))
        profile = table.take("stack", one_of(*names()), "linux")
        arguments = table.take("arguments", _with(behaviour, _arguments), {})
        knobs = table.take("knobs", _with(profile, _knobs), {})
        table.done()
        return behaviour.name, profile, arguments, knobs

    return read


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


def _knobs(profile: str, value: Any, where: str) -> dict[str, Any]:
    table = Table(value, where)
    knobs, table.left = table.left, {}
    for knob, setting in knobs.items():
        table.tried(lambda knob=knob, setting=setting: _turned(profile, knob, setting, table.path(knob)))  # type: ignore[misc]
    table.done()
    return knobs


def _turned(profile: str, knob: str, setting: Any, at: str) -> None:
    """One knob of a stack, which takes that value."""
    own = knob_names(profile).get(knob)
    turned = [each.field for each in own] if own else [knob]
    if turned[0] not in _KINDS:
        raise unknown(at, knob, [*knob_names(profile), *_KINDS])
    for field in turned:
        _knob(field, setting, at, bool(own))
    at_field(at, lambda: stack(profile).with_knobs({knob: setting}))


def _knob(field: str, value: Any, where: str, own: bool) -> None:
    """What `Stack.with_knobs` takes for granted of a value that a program wrote."""
    kind = _KINDS[field]
    none = value == "none" and "None" in kind
    if not none and field.endswith("_us") and not own and not isinstance(value, str):
        raise InputError(where, repr(value), 'a time with a unit, such as "30s"')
    scalar(value, where, "text, a number from 0 on or a boolean")
    if kind.startswith("str"):
        spellings = sorted({str(getattr(stack(name), field)) for name in names()})
        one_of(*spellings)(value, where)
    elif not kind.startswith(("int", "bool")):
        raise InputError(where, "a knob that is no single value", "one that is")
    elif kind.startswith("int") and not none and isinstance(value, bool):
        raise InputError(where, repr(value), "a number, or a time with a unit")


def _middlebox(value: Any, where: str) -> tuple[str, dict[str, Any]]:
    """The box: its profile, and knobs of it."""
    table = Table(value, where)
    kind = table.take("kind", one_of(*middleboxes()))
    knobs = table.take("knobs", _with(kind, _box_knobs), {})
    table.done()
    return kind, knobs


def _box_knobs(kind: str, value: Any, where: str) -> dict[str, Any]:
    table = Table(value, where)
    own = {knob.own_name for knob in sources(kind)}
    short = dict.fromkeys(field.removesuffix("_us") for field in FIELDS)  # of max_retrans the count
    for knob, setting in table.left.items():
        at = table.path(knob)
        if knob not in (*own, *FIELDS, *short):
            raise unknown(at, knob, [*filter(None, own), *short])
        timed = (knob if knob in FIELDS else f"{knob}_us").endswith("_us") and knob not in own
        if timed and not isinstance(setting, str):
            raise InputError(at, repr(setting), 'a time with a unit, such as "30s"')
        scalar(setting, at, "text, a number from 0 on or a boolean")
        at_field(at, lambda knob=knob, setting=setting: middlebox(kind).with_knobs({knob: setting}))  # type: ignore[misc]
    return dict(table.left)


def _path(value: Any, where: str) -> dict[str, Any]:
    table = Table(value, where)
    found = {
        "loss": table.take("loss", probability, 0.0),
        "delay": table.take("delay", time, "10ms"),
        "drops": table.take("drops", list_of(rule), ()),
    }
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
    )
    table.done()
    return found
