"""The middlebox of a user's file, with the source of each of its values.

Owns: which values of a box are the file's. Refuses to know: the rest of the file (setup_file), and how a
profile is read (profile).
"""

from __future__ import annotations

from tcpsim.catalogue.connection_tables import read_middlebox
from tcpsim.catalogue.scenario_file import opened
from tcpsim.path.middlebox import MIDDLEBOXES, Middlebox, middlebox, sources
from tcpsim.profile import Knob


def parse_middlebox(content: str, where: str) -> tuple[Middlebox, tuple[Knob, ...]]:
    """The box of a file's [middlebox], and where each of its values comes from, in the order of the fields.

    Raises:
        InputError: the file has none, or one that cannot be.
    """
    top = opened(content, where)
    table = top.left.get("middlebox", {})
    if isinstance(table, dict) and "name" in table:
        return MIDDLEBOXES.own(table, top.path("middlebox"))
    found = top.take("middlebox", lambda value, at: read_middlebox(None, value, at))
    top.left = {}  # the rest of the file is not looked at
    top.done()
    kind, knobs = found
    plain = middlebox(str(kind))
    box = plain.with_knobs(knobs)
    return box, tuple(
        knob if getattr(plain, knob.field) == getattr(box, knob.field) else knob._replace(source=where)
        for knob in sources(plain.name)
    )
