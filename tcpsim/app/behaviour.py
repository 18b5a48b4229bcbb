"""Behaviours: programs with a name, a description and parameters, so that a user can select them.

Owns: the registry, parameters with their kinds and ranges, and the errors for misspelt ones. Refuses to know:
any particular behaviour (clients, servers, and those that a user adds).

A behaviour is a function that returns steps. Its name, its description and its parameters come from the
function:

    >>> from tcpsim.app import behaviour, connect, receive, send, shutdown, vanish
    >>> from tcpsim.app.behaviour import Bytes, client
    >>> @client
    ... def hangs_up(request: Bytes = 100, response: Bytes = 1000):
    ...     '''Half-closes once it has its response, and loses power.'''
    ...     return [connect(), send(request), receive(response), shutdown("WR"), vanish()]
    >>> program = behaviour.make("client", "hangs-up", request=20)
    >>> program.describe()[1:3]
    ('send 20 bytes', 'receive 1000 bytes')

Nothing else is necessary. Scenarios and the command line can now use it.
    >>> behaviour.forget("client", "hangs-up")
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, TypeVar, get_type_hints

from tcpsim.app.program import Program, Step
from tcpsim.app.wait_steps import Distribution
from tcpsim.errors import InputError, unknown
from tcpsim.units import parse_duration, parse_probability

Side = str  # whose program it is: "client", "server", or "relay" for a machine between
ROLES: tuple[Side, ...] = ("client", "server", "relay")


class Kind(NamedTuple):
    """What a parameter may be: its unit, its range in words, and how it is read."""

    unit: str
    allowed: str
    read: Callable[[Any, str], Any]
    words: tuple[str, ...] = ()  # all that there are, where it is a word


def _read_count(least: int) -> Callable[[Any, str], int]:
    def read(value: Any, where: str) -> int:
        digits = value.strip() if isinstance(value, str) else ""
        number = int(digits) if digits.isascii() and digits.isdigit() else value
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            raise InputError(where, repr(value), f"an integer >= {least}")
        return number

    return read


BYTES = Kind("bytes", "an integer >= 1", _read_count(1))
COUNT = Kind("", "an integer >= 1", _read_count(1))


def _read_delay(value: Any, where: str) -> Any:
    return value if isinstance(value, Distribution) else parse_duration(value, where)


TIME = Kind("time", 'a time with a unit, such as "50ms" or "2h"', parse_duration)


def _read_seconds(value: Any, where: str) -> int:
    duration_us = parse_duration(value, where)
    if duration_us == 0 or duration_us % 1_000_000:
        raise InputError(where, repr(value), SECONDS.allowed)
    return duration_us


SECONDS = Kind("time", 'a whole number of seconds above zero, such as "75s"', _read_seconds)
DELAY = Kind("time", 'a time with a unit, such as "50ms", or a distribution', _read_delay)
PROBABILITY = Kind("probability", "a number from 0 to 1", parse_probability)


def _read_limit(value: Any, where: str) -> int | None:
    if value is None or value == "none":
        return None
    duration_us = parse_duration(value, where)
    if duration_us == 0:
        raise InputError(where, repr(value), LIMIT.allowed)
    return duration_us


LIMIT = Kind("time", 'a time above zero with a unit, such as "30s", or "none"', _read_limit)


def words(*allowed: str) -> Kind:
    """A parameter that is one of several words."""

    def read(value: Any, where: str) -> str:
        if value not in allowed:
            raise InputError(where, repr(value), ", ".join(allowed))
        return str(value)

    return Kind("word", " or ".join(allowed), read, allowed)


YES_OR_NO = words("yes", "no")

# For annotating a behaviour's parameters; in the function they are plain numbers (a time in microseconds).
Bytes = Annotated[int, BYTES]
Count = Annotated[int, COUNT]
Time = Annotated[str | int, TIME]
Seconds = Annotated[str | int, SECONDS]  # in microseconds like every time; for options that count in seconds
Delay = Annotated[str | int | Distribution, DELAY]  # a time that may be drawn anew for each connection
Probability = Annotated[float, PROBABILITY]
Limit = Annotated[str | int | None, LIMIT]
YesOrNo = Annotated[str, YES_OR_NO]


class Parameter(NamedTuple):
    """One parameter of a behaviour or scenario."""

    name: str
    kind: Kind
    default: Any


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a program on one side can be told to be."""

    name: str
    side: Side
    doc: str  # one sentence
    parameters: tuple[Parameter, ...]
    steps: Callable[..., Sequence[Step] | Program]
    source: str = ""  # of one that stands for a real program

    def program(self, where: str = "behaviour", **arguments: Any) -> Program:
        """The program, with these parameters in place of the defaults."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in arguments:
            if name not in known:
                raise unknown(f"{where}.{self.name}", name, known)
        values = {
            name: parameter.kind.read(arguments.get(name, parameter.default), f"{where}.{self.name}.{name}")
            for name, parameter in known.items()
        }
        made = self.steps(**values)
        if isinstance(made, Program):
            return Program(made.steps, made.on_error, self.name)
        return Program(made, name=self.name)


_REGISTRY: dict[tuple[Side, str], Behaviour] = {}

F = TypeVar("F", bound=Callable[..., Any])


def _register(side: Side, function: F) -> F:
    name = function.__name__.replace("_", "-")
    doc = (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ")
    if not doc:
        raise InputError(f"{side} behaviour {name}", "no docstring", "one sentence that says what it does")
    parameters = parameters_of(function)
    _REGISTRY[side, name] = Behaviour(name, side, doc, parameters, function)
    return function


def parameters_of(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    """The parameters of a function whose annotations are kinds and which has a default for each."""
    hints = get_type_hints(function, include_extras=True)
    found = []
    for name, each in inspect.signature(function).parameters.items():
        kinds = [extra for extra in getattr(hints.get(name), "__metadata__", ()) if isinstance(extra, Kind)]
        if not kinds or each.default is inspect.Parameter.empty:
            raise InputError(
                f"{function.__name__}.{name}", "no kind or no default", "for instance: delay: Time = '50ms'"
            )
        found.append(Parameter(name, kinds[0], each.default))
    return tuple(found)


def client(function: F) -> F:
    """Register a function as a behaviour of clients."""
    return _register("client", function)


def server(function: F) -> F:
    """Register a function as a behaviour of servers."""
    return _register("server", function)


def relay(function: F) -> F:
    """Register a function as a behaviour of machines between."""
    return _register("relay", function)


def variant(of: str, side: Side, name: str, doc: str, source: str, **defaults: Any) -> None:
    """Register a behaviour with other defaults as one of its own, and say where they come from."""
    whole = find(side, of)
    for each in defaults:
        if each not in {parameter.name for parameter in whole.parameters}:
            raise unknown(
                f"{side} behaviour {name}", each, [parameter.name for parameter in whole.parameters]
            )
    parameters = tuple(
        each._replace(default=defaults.get(each.name, each.default)) for each in whole.parameters
    )
    _REGISTRY[side, name] = Behaviour(name, side, doc, parameters, whole.steps, source)


def behaviours(side: Side | None = None) -> tuple[Behaviour, ...]:
    """All that are known, clients first and relays last, in the order in which they were added."""
    sides = ROLES if side is None else (side,)
    return tuple(each for where in sides for each in _REGISTRY.values() if each.side == where)


def find(side: Side, name: str) -> Behaviour:
    """The behaviour of that name.

    Raises:
        InputError: there is none; the message says so if it is one of the other side, and names what is
            spelt nearly so.
    """
    found = _REGISTRY.get((side, name))
    if found is None:
        for other in ROLES:
            if (other, name) in _REGISTRY:
                allowed = ", ".join(sorted(each.name for each in behaviours(side)))
                raise InputError(f"{side} behaviour", f"{name!r}, a {other} behaviour", allowed)
        raise unknown(f"{side} behaviour", name, [each.name for each in behaviours(side)])
    return found


def make(side: Side, name: str, **arguments: Any) -> Program:
    """The program of a named behaviour, with these parameters in place of the defaults."""
    return find(side, name).program(side, **arguments)


def forget(side: Side, name: str) -> None:
    """Take a behaviour out of the registry again."""
    del _REGISTRY[side, find(side, name).name]
