"""A scenario as a TOML file, which `scenario_file` reads back.

Owns: the spelling of values in TOML. Refuses to know: contrasts, which are a matter of the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from textwrap import wrap
from typing import Any, Final

from tcpsim.app import Program, find
from tcpsim.app.behaviour import Side
from tcpsim.catalogue.scenario import Expect, Scenario
from tcpsim.pair import SIDES
from tcpsim.path import Middlebox
from tcpsim.path.middlebox import MIDDLEBOXES

_PROSE: Final = ("title", "story", "watch", "question", "source")
_WIDTH: Final = 100


def as_toml(scenario: Scenario) -> str:
    """A scenario as a TOML file without its contrasts."""
    top = {key: getattr(scenario, key) for key in ("name", "theme", "title", "story", "watch", "horizon")}
    optional = {
        key: getattr(scenario, key)
        for key in ("question", "source", "concerns", "within", "cures", "in_vain")
    }
    lines = _lines({**top, **{key: value for key, value in optional.items() if value}})
    side: Side
    for side in SIDES:
        program = getattr(scenario, side)
        lines += ["", f"[{side}]", *_lines({**_told(program), "stack": getattr(scenario, f"stack_{side}")})]
        parameters = () if isinstance(program, Program) else find(side, program).parameters
        own = {each.name for each in parameters}
        for title, given in (("arguments", scenario.arguments), ("knobs", scenario.knobs)):
            chosen = _of_side(given, side)
            if title == "arguments":
                chosen = {key: value for key, value in chosen.items() if key in own}
            lines += ["", f"[{side}.{title}]", *_lines(chosen)] if chosen else []
    for each in scenario.relays:
        path = {"delay": each.delay, "loss": each.loss, "drops": each.drops, "middlebox": each.middlebox}
        tables = {"arguments": each.arguments, "knobs": each.knobs, "path": path}
        lines += ["", "[[relay]]", *_lines({"behaviour": each.behaviour, "stack": each.stack})]
        for title, table in tables.items():
            lines += ["", f"[relay.{title}]", *_lines(table)] if table else []
    lines += ["", "[path]", f"loss = {scenario.loss}", *_lines({"delay": scenario.delay})]
    lines += _lines({"drops": scenario.drops} if scenario.drops else {})
    if scenario.middlebox != "none":
        lines += _box(scenario.middlebox, _named(scenario.knobs, "middlebox"))
    if scenario.expect is not None:
        expect = {field.name: getattr(scenario.expect, field.name) for field in fields(Expect)}
        if expect["verdict"] is not None:
            expect["verdict"] = str(expect["verdict"])
        lines += ["", "[expect]", *_lines({key: value for key, value in expect.items() if value is not None})]
    return "\n".join(lines) + "\n"


def _told(program: str | Program) -> dict[str, Any]:
    """A side's program: its name, or its steps in words."""
    if isinstance(program, str):
        return {"behaviour": program}
    steps = {"steps": program.describe()}
    if program.on_error is not None:
        steps["on_error"] = tuple(step.describe() for step in program.on_error)
    return steps


def _box(box: str | Middlebox, turned: dict[str, Any]) -> list[str]:
    """A box of the catalogue by its name, any other with all that it has."""
    if isinstance(box, str):
        knobs = ["", "[middlebox.knobs]", *_lines(turned)] if turned else []
        return ["", "[middlebox]", *_lines({"kind": box}), *knobs]
    box = box.with_knobs(turned)
    values = {field: MIDDLEBOXES.spelled(box, field) for field in MIDDLEBOXES.domains}
    return ["", "[middlebox]", *_lines({"name": box.name, **values})]


def _of_side(given: Mapping[str, Any], side: Side) -> dict[str, Any]:
    """The values that hold on one side; a qualified name wins."""
    plain = {key: value for key, value in given.items() if "." not in key}
    return {**plain, **_named(given, side)}


def _named(given: Mapping[str, Any], party: str) -> dict[str, Any]:
    """The values with the name of one party in front."""
    return {name.removeprefix(f"{party}."): given[name] for name in given if name.startswith(f"{party}.")}


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_prose(value) if key in _PROSE else _spelled(value)}" for key, value in table.items()]


def _prose(value: str) -> str:
    """Text in lines of a bearable width; the reader puts them together again."""
    one_line = _spelled(value)
    if len(one_line) <= _WIDTH:
        return one_line
    lines = wrap(one_line[1:-1], _WIDTH, break_on_hyphens=False, break_long_words=False)
    return "\n".join(['"""', *lines, '"""'])


def _spelled(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(_spelled(each) for each in value)}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value)
