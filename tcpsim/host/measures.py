"""What can be measured of a population of users: the names of the measures.

Owns: the names, and what each is about. Refuses to know: how a measure is computed (measure.experience).

A measure is one of `COUNTS` or `TIMES`, or in words: "server TIME-WAIT" (the high-water mark), "client
CLOSE-WAIT left" (at the horizon), "relay 1 FIN-WAIT-2", "server workers" (the high-water mark of a resource,
see `Usage`), "mean server descriptors" (the mean over the run).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tcpsim.errors import unknown
from tcpsim.host.socket_accounting import Usage
from tcpsim.pair import SIDES, Side
from tcpsim.tcp.state import State, parse_state

COUNTS: Final = ("asked", "done", "failed", "waiting", "errors", "connections")
_HOST: Final = re.compile(r"(?P<side>client|server|relay( [1-9][0-9]*)?) (?P<what>[A-Za-z].*)")
TIMES: Final = ("median", "95 % within")  # in microseconds; all other measures are counts


class OfHost(NamedTuple):
    """A number of sockets in a state, or of a resource in use: the most, at the horizon, or the mean."""

    side: Side
    what: State | str
    left: bool = False
    mean: bool = False


def measured(name: str, where: str = "measure") -> str | OfHost:
    """What a name stands for: itself, or something of a host.

    >>> measured("median")
    'median'
    >>> measured("mean server workers")
    OfHost(side='server', what='workers', left=False, mean=True)

    Raises:
        InputError: there is no such measure.
    """
    if name in (*COUNTS, *TIMES):
        return name
    mean = name.startswith("mean ")
    host = _HOST.fullmatch(name.removeprefix("mean "))
    side, what = (host["side"], host["what"]) if host is not None else ("", "")
    left = what.endswith(" left")
    what = what.removesuffix(" left")
    found: State | str | None = what if what in Usage._fields else None
    if found is None:
        try:
            found = parse_state(what)
        except ValueError:
            found = None
    if found is None or (left and mean):
        known = [
            f"{side} {each}" for side in (*SIDES, "relay") for each in (*map(str, State), *Usage._fields)
        ]
        raise unknown(where, name, [*COUNTS, *TIMES, *known, *(f"{each} left" for each in known)])
    return OfHost(side, found, left, mean)
