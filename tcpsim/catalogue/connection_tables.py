"""The tables of a file that say what a machine or a path of a connection is, or what differs of one.

Owns: [client], [server], [[relay]], [path] and [middlebox], at the top of a file or within a kind or a
variant. Refuses to know: what else a file says (scenario_file, workload_file, user_group_file).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeVar

from tcpsim.app import Program, Step, find
from tcpsim.app.behaviour import DELAY, Behaviour, Kind
from tcpsim.app.behaviour import Side as Role
from tcpsim.app.step_words import parse_steps
from tcpsim.catalogue.relay import Relay
from tcpsim.catalogue.toml_values import (
    Reader,
    Table,
    at_field,
    list_of,
    one_of,
    probability,
    rule,
    scalar,
    text,
    time,
)
from tcpsim.errors import InputError
from tcpsim.path import Middlebox, middleboxes, parse_distribution
from tcpsim.path.middlebox import MIDDLEBOXES
from tcpsim.profile import Profile, Profiles
from tcpsim.tcp.stack import STACKS, names

T = TypeVar("T")


class Place(NamedTuple):
    """What a connection has by now, so that what differs from it can be read."""

    client: str | Program
    server: str | Program
    stack_client: str
    stack_server: str
    middlebox: str | Middlebox = "none"
    relay: str | None = None  # the program of the machines between, if there are any
    stack_relay: str = "linux"

    def after(self, overrides: Mapping[str, Any]) -> Place:
        """The same with some of it changed."""
        return self._replace(**{name: overrides[name] for name in self._fields if name in overrides})


def read_changes(table: Table, start: Place | None, known: bool = True) -> dict[str, Any]:
    """What a table changes of a connection, as overrides for `build`.

    Without a `start` both sides have to be there, unless it is not `known` because of a mistake.
    """
    overrides: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    knobs: dict[str, Any] = {}
    between: tuple[Role, ...] = ("relay",) if start is not None and start.relay is not None else ()
    sides: tuple[Role, ...] = ("client", "server")
    for side in (*sides, *between):
        reader = _party(side, start, known)
        party = table.take(side, reader) if start is None and known else table.take(side, reader, None)
        if party is not None:
            overrides |= {side: party.behaviour} if party.behaviour else {}
            overrides |= {f"stack_{side}": party.stack} if party.stack else {}
            parameters |= {f"{side}.{key}": value for key, value in party.arguments.items()}
            knobs |= {f"{side}.{key}": value for key, value in party.knobs.items()}
    box = table.take("middlebox", partial(read_middlebox, start), None)
    if box is not None:
        overrides |= {"middlebox": box[0]} if box[0] else {}
        knobs |= {f"middlebox.{key}": value for key, value in box[1].items()}
    overrides |= table.take("path", _path, {})
    overrides |= {"parameters": parameters} if parameters else {}
    return overrides | ({"knobs": knobs} if knobs else {})


def read_relays(value: Any, where: str) -> tuple[Relay, ...]:
    """The machines between, in order: `[[relay]]`, as often as one likes."""
    return list_of(_relay)(value, where)


def _relay(value: Any, where: str) -> Relay:
    """One of them, with the path behind it."""
    table = Table(value, where)
    path = table.take("path", partial(_path, boxed=True), {})
    said = _program(table, "relay", None, known=True)
    return Relay(str(said.behaviour), said.stack or "linux", said.arguments, said.knobs, **path)


class _Party(NamedTuple):
    """What is said of one side; of what is not said, None."""

    behaviour: str | Program | None
    stack: str | None
    arguments: dict[str, Any]
    knobs: dict[str, Any]


def _party(side: Role, start: Place | None, known: bool) -> Reader[_Party]:
    """A side: behaviour, stack, arguments, knobs."""

    return lambda value, where: _program(Table(value, where), side, start, known)


def _program(table: Table, side: Role, start: Place | None, known: bool) -> _Party:
    """The program and stack of a machine, and nothing else."""
    if side != "relay" and "steps" in table.left:
        return _written(table, side, start)
    said = "behaviour" in table.left
    one = lambda name, at: at_field(at, lambda: find(side, text(name, at)))  # noqa: E731
    needed = start is None and known
    behaviour = table.take("behaviour", one) if needed else table.take("behaviour", one, None)
    before = None if start is None else getattr(start, side)
    owner = behaviour if said or not isinstance(before, str) else find(side, before)
    profile, kernel = _stack(table, side, start)
    arguments = table.take("arguments", _with(owner, _arguments), {})
    knobs = table.take("knobs", _with(kernel, partial(_knobs, STACKS)), {})
    table.done()
    return _Party(None if behaviour is None else behaviour.name, profile, arguments, knobs)


def _written(table: Table, side: Role, start: Place | None) -> _Party:
    """A side whose program is told step by step."""
    steps = table.take("steps", _steps)
    on_error = table.take("on_error", _steps, None)
    program = None
    if steps is not None:
        made = lambda: at_field(table.path("steps"), lambda: Program(steps, on_error, "steps"))  # noqa: E731
        program = table.tried(made)
    profile, kernel = _stack(table, side, start)
    knobs = table.take("knobs", _with(kernel, partial(_knobs, STACKS)), {})
    table.done()
    return _Party(program, profile, {}, knobs)


def _stack(table: Table, side: Role, start: Place | None) -> tuple[str | None, str | None]:
    """The stack that a table names, and the one that its knobs are of; None after a mistake."""
    says = "stack" in table.left
    profile = table.take("stack", one_of(*names()), None)
    return profile, profile if says else "linux" if start is None else getattr(start, f"stack_{side}")


def _steps(value: Any, where: str) -> list[Step]:
    """Steps in words; a distribution may stand for a time that is waited."""
    texts = list_of(text)(value, where)
    if not texts:
        raise InputError(where, "[]", "at least one step")
    return parse_steps(texts, where, parse_distribution)


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


def _knobs(profiles: Profiles[Profile], chosen: str | Profile, value: Any, where: str) -> dict[str, Any]:
    """Knobs of a profile, each of which it takes."""
    profile = profiles.profile(chosen) if isinstance(chosen, str) else chosen
    table = Table(value, where)
    knobs, table.left = table.left, {}
    for knob, setting in knobs.items():
        table.tried(partial(profiles.turned, profile, {knob: setting}, table.path(""), written=True))
    table.done()
    return knobs


def read_middlebox(
    start: Place | None, value: Any, where: str
) -> tuple[str | Middlebox | None, dict[str, Any]]:
    """The box: its profile, and knobs of it; or a box of the file's own, which has no further knobs."""
    table = Table(value, where)
    if "name" in table.left:
        return MIDDLEBOXES.own(value, where)[0], {}
    says = "kind" in table.left
    there = start is not None and start.middlebox != "none"
    kinds = one_of("none", *middleboxes()) if there else one_of(*middleboxes())
    kind = table.take("kind", kinds, None) if there else table.take("kind", kinds)
    owner = kind if says or start is None else start.middlebox
    knobs = table.take("knobs", _with(owner, partial(_knobs, MIDDLEBOXES)), {})
    table.done()
    return kind, knobs


def _path(value: Any, where: str, boxed: bool = False) -> dict[str, Any]:
    """A path; that behind a relay names what stands on it, the client's has a table of its own for it."""
    table = Table(value, where)
    found: dict[str, Any] = {
        "loss": table.take("loss", probability, None),
        "delay": table.take("delay", time, None),
        "drops": table.take("drops", list_of(rule), None),
    }
    late = table.take("delays", list_of(lambda words, at: rule(f"delay {text(words, at)}", at)), None)
    if late is not None:
        found["drops"] = (*(found["drops"] or ()), *late)
    if boxed:
        found["middlebox"] = table.take("middlebox", one_of("none", *middleboxes()), "none")
    table.done()
    return {name: value for name, value in found.items() if value is not None}
