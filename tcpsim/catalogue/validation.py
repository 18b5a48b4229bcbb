"""Checks the fields of a scenario, a setting or an expectation when it is created.

Owns: what each field may be on its own. Refuses to know: what only shows when a pair is built of both (a
parameter that neither behaviour has, a knob that a stack does not have).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tcpsim.app import Program, find
from tcpsim.catalogue.fixes import changes
from tcpsim.catalogue.relay import Relay
from tcpsim.errors import InputError, unknown
from tcpsim.pair import SIDES, names
from tcpsim.path import Distribution, Middlebox, middleboxes, parse_distribution, parse_rule
from tcpsim.path.rule import Rule
from tcpsim.path.rule_syntax import leg_of
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.stack import names as stacks
from tcpsim.units import parse_duration, parse_probability, parse_rate

_TEXTS = ("name", "theme", "title", "story", "watch", "question", "source")
_SHARES = ("loss", "loss_to_client", "loss_to_server", "duplicate", "reorder")
_TIMES = ("loss_from", "delay", "reorder_extra")
_INTEGERS = {
    "client_port": (1, 65_535), "server_port": (1, 65_535), "rate_bps": (1, None), "queue_packets": (0, None),
}  # fmt: skip


def check_scenario(it: Any) -> None:
    """Raises InputError for a field of a `Scenario` that cannot be so."""
    at = f"{it.name}." if isinstance(it.name, str) else ""
    for name in _TEXTS:
        if not isinstance(getattr(it, name), str):
            raise InputError(f"scenario.{name}", repr(getattr(it, name)), "text")
    _check_shared(it, at)
    parse_duration(it.horizon, f"{at}horizon")
    if it.within is not None:
        parse_duration(it.within, f"{at}within")
    if not isinstance(it.relays, tuple) or not all(isinstance(each, Relay) for each in it.relays):
        raise InputError(f"{at}relays", repr(it.relays), "a tuple of Relay(...)")
    known = names(len(it.relays))
    if it.concerns not in (None, *known):
        raise unknown(f"{at}concerns", str(it.concerns), list(known))
    for where in ("cures", "in_vain"):
        for words in getattr(it, where):
            changes([words], f"{at}{where}")
    for name in ("arguments", "knobs"):
        _check_mapping(f"{at}{name}", getattr(it, name))


def check_setting(it: Any) -> None:
    """Raises InputError for a field of a `Setting` that cannot be so, whatever scenario it is for."""
    for name, (least, most) in _INTEGERS.items():
        value = getattr(it, name)
        if value is None and most is None:
            continue
        integer = isinstance(value, int) and not isinstance(value, bool)
        if not integer or value < least or (most is not None and value > most):
            allowed = f"an integer >= {least}" if most is None else f"an integer from {least} to {most}"
            raise InputError(name, repr(value), allowed)
    _check_shared(it, "")
    if it.loss_side not in (None, *SIDES):
        raise InputError("loss_side", repr(it.loss_side), " or ".join(SIDES))
    for name in ("knobs", "parameters", "close_on_error", "linger", "restart", "kill_sockets"):
        _check_mapping(name, getattr(it, name))
    for name in ("close_on_error", "linger", "restart", "kill_sockets"):
        for side in getattr(it, name):
            if side not in (*SIDES, "relay") and not side.startswith("relay "):
                raise unknown(name, side, [*SIDES, "relay"])
    if isinstance(it.jitter, str):
        parse_distribution(it.jitter, "jitter")
    elif not isinstance(it.jitter, Distribution | None):
        raise InputError("jitter", repr(it.jitter), "a distribution, or its text")


def check_load(it: Any) -> None:
    """Raises InputError for the texts or the arrivals of a `Workload` or a `UserGroup` that cannot be so."""
    for name in ("name", "title", "story", "watch"):
        if not isinstance(getattr(it, name), str):
            raise InputError(name, repr(getattr(it, name)), "text")
    parse_rate(it.rate, f"{it.name}.rate")
    if not parse_duration(it.for_, f"{it.name}.for"):
        raise InputError(f"{it.name}.for", "0s", "a time above zero")
    parse_duration(it.settle, f"{it.name}.settle")
    _check_mapping(f"{it.name}.overrides", it.overrides)


def check_expect(it: Any) -> None:
    """Raises InputError for a field of an `Expect` that no run can meet."""
    from tcpsim.catalogue.run import Verdict

    checks: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
        ("client", lambda value: isinstance(value, str), "text such as CLOSE-WAIT or gone"),
        ("server", lambda value: isinstance(value, str), "text such as CLOSE-WAIT or gone"),
        ("relays", lambda value: isinstance(value, tuple), "a tuple of texts, one for each relay"),
        ("verdict", lambda value: isinstance(value, Verdict), "a Verdict"),
        ("rst", lambda value: isinstance(value, bool), "True or False"),
        ("settled", lambda value: isinstance(value, tuple) and len(value) == 2, "two times"),
        ("reads", lambda value: isinstance(value, tuple), "a tuple of counts and errnos"),
    )
    for name, fits, allowed in checks:
        value = getattr(it, name)
        if value is not None and not fits(value):
            raise InputError(f"expect.{name}", repr(value), allowed)
    for time in it.settled or ():
        parse_duration(time, "expect.settled")


def _check_shared(it: Any, at: str) -> None:
    """What scenarios and settings have in common; None in a setting leaves the scenario's own."""
    for side in (*SIDES, "relay"):
        program, profile = getattr(it, side, None), getattr(it, f"stack_{side}", None)
        if isinstance(program, str):
            find(side, program)
        elif not isinstance(program, Program | None):
            raise InputError(f"{at}{side}", repr(program), "the name of a behaviour, or a Program")
        _check_named(f"{at}stack_{side}", profile, Stack, stacks, "the name of a stack, or a Stack", "stack")
    boxes = lambda: ("none", *middleboxes())  # noqa: E731
    allowed = "the name of a middlebox, or a Middlebox"
    _check_named(f"{at}middlebox", it.middlebox, Middlebox, boxes, allowed, "middlebox")
    for name in _SHARES:
        value = getattr(it, name, None)
        if value is not None and (isinstance(value, bool) or not isinstance(value, str | int | float)):
            raise InputError(f"{at}{name}", repr(value), 'a number from 0 to 1, such as 0.01 or "1%"')
        if value is not None:
            parse_probability(value, f"{at}{name}")
    for name in _TIMES:
        if getattr(it, name, None) is not None:
            parse_duration(getattr(it, name), f"{at}{name}")
    if not isinstance(it.drops, tuple | list):
        raise InputError(f"{at}drops", repr(it.drops), 'a tuple of rules, such as ("server FIN 2",)')
    for each in it.drops:
        rule = leg_of(each)[1] if isinstance(each, str | Rule) else repr(each)
        if not isinstance(rule, Rule):
            parse_rule(rule, f"{at}drop")


def _check_named(
    where: str, value: Any, kind: type, known: Callable[[], tuple[str, ...]], allowed: str, what: str
) -> None:
    if isinstance(value, str):
        if value not in known():
            raise unknown(what, value, list(known()))
    elif not isinstance(value, kind | None):
        raise InputError(where, repr(value), allowed)


def _check_mapping(where: str, value: Any) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise InputError(where, repr(value), "values by name")
