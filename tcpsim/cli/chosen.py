"""Which scenario a command is about: one of the catalogue by its name, or a file of the user's.

Owns: telling the two apart, and reading the file. Refuses to know: what is in it (scenario).
"""

from __future__ import annotations

from pathlib import Path

from tcpsim.errors import InputError
from tcpsim.host.clienteles import clienteles
from tcpsim.host.crowds import crowds
from tcpsim.scenario import Scenario, parse_scenario, scenario


def chosen_scenario(name: str) -> Scenario:
    """The scenario called `name`, or the one in the file of that name if it ends in .toml.

    Raises:
        InputError: there is none, or the file is not what it should be.
        OSError: the file cannot be read.
    """
    path = Path(name)
    if path.suffix != ".toml":
        if name in {each.name for each in crowds()}:
            raise InputError("scenario", f"{name!r}, a population", f"tcpsim exhaust {name}")
        if name in {each.name for each in clienteles()}:
            raise InputError("scenario", f"{name!r}, a story of users", f"tcpsim users {name}")
        return scenario(name)
    try:
        content = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(name, "bytes that are no UTF-8", "TOML, which is UTF-8") from None
    return parse_scenario(content, path.name, path.stem)
