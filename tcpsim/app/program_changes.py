"""Changes that apply to any program, such as closing on errors, SO_LINGER and a restart.

Owns: three changes that apply to every program: it closes its sockets on an error, its sockets have
SO_LINGER, and it is restarted at some time. Refuses to know: which programs need them (catalogue), and how
steps are run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

from tcpsim.app.control_flow import fork, kill_others
from tcpsim.app.program import Program
from tcpsim.app.steps import with_option
from tcpsim.app.wait_steps import wait_until
from tcpsim.errors import InputError


def closing_on_error(program: Program) -> Program:
    """The same program with the sound way out of an error: it closes what is open.

    >>> from tcpsim.app import make
    >>> closing_on_error(make("client", "never-closes")).on_error is None
    True
    """
    return Program(program.steps, None, program.name)


def lingering(program: Program, linger_us: int) -> Program:
    """The same program with SO_LINGER on each of its sockets. Zero makes close() send a RST.

    An accepted connection has the options of its listener.
    """
    seconds, rest = divmod(linger_us, 1_000_000)
    if rest:
        raise InputError("linger", f"{linger_us} us", "whole seconds, as SO_LINGER counts")
    option = ("SO_LINGER", (1, seconds))
    return _each_step(program, lambda step: with_option(step, option))


def restarted(program: Program, at_us: int) -> Program:
    """The same program, killed with all its children at `at_us`. What is started then has no part in it."""
    watchdog = fork([wait_until(at_us), kill_others()])
    return Program([watchdog, *program.steps], program.on_error, program.name)


def _each_step(program: Program, change: Callable[[Any], Any]) -> Program:
    """The program with every step changed, also those inside others."""

    def walk(value: Any) -> Any:
        if type(value) is tuple:
            return tuple(walk(each) for each in value)
        if not is_dataclass(value) or isinstance(value, type):
            return value
        inner = {each.name: getattr(value, each.name) for each in fields(value)}
        inner = {name: walk(each) for name, each in inner.items() if type(each) is tuple}
        return change(replace(value, **inner) if inner else value)

    on_error = None if program.on_error is None else walk(program.on_error)
    return Program(walk(program.steps), on_error, program.name)
