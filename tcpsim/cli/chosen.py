"""Which scenario a command is about: one of the catalogue by its name, or a file of the user's.

Owns: telling the two apart, reading the file, and the command for a name that is on another command's list.
Refuses to know: what is in a file (scenario).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tcpsim.errors import InputError
from tcpsim.host.clienteles import clienteles
from tcpsim.host.crowds import crowds
from tcpsim.scenario import Scenario, parse_scenario, scenario, scenarios

Story = TypeVar("Story")


def named(name: str, where: str, find: Callable[[str], Story]) -> Story:
    """What `find` has under a name.

    Raises:
        InputError: nothing; the message says which command knows the name, if one does.
    """
    try:
        return find(name)
    except InputError:
        for kind, stories, command in (
            ("a scenario", scenarios(), "explain"),
            ("a population", crowds(), "exhaust"),
            ("a story of users", clienteles(), "users"),
        ):
            if name in {each.name for each in stories}:
                raise InputError(where, f"{name!r}, {kind}", f"tcpsim {command} {name}") from None
        raise


def chosen_scenario(name: str) -> Scenario:
    """The scenario called `name`, or the one in the file of that name if it ends in .toml.

    Raises:
        InputError: there is none, or the file is not what it should be.
        OSError: the file cannot be read.
    """
    path = Path(name)
    if path.suffix != ".toml":
        return named(name, "scenario", scenario)
    try:
        content = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(name, "bytes that are no UTF-8", "TOML, which is UTF-8") from None
    return parse_scenario(content, path.name, path.stem)
