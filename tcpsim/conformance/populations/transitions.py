"""The transitions that decide how a connection ends, each with its counts from several runs together.

Owns: which transitions there are, and their z-scores with Holm's correction. Refuses to know: where a
distribution comes from (verdict). One count in a hundred lies outside its 99 % interval by chance; a wrong
transition shows in every run, so the counts of all runs are added up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from math import erfc, sqrt
from typing import Final, NamedTuple

from tcpsim.conformance.populations.words import CLOSED, GONE

_SIGNIFICANT: Final = 0.05


class Counted(NamedTuple):
    """How often a transition happened in one run, and what was expected of it."""

    name: str
    counted: int
    expected: float
    variance: float


class Pooled(NamedTuple):
    """The same in several runs; `p` is two-sided, corrected for the number of transitions (Holm)."""

    name: str
    counted: int
    expected: float
    z: float
    p: float

    @property
    def verdict(self) -> str:
        """ "fits", or "outside"."""
        return "fits" if self.p >= _SIGNIFICANT else "outside"


class Ending(NamedTuple):
    """How a connection ended, from the words of a file: what each side held, and what programs saw."""

    client: str
    response: bool
    eof: bool
    error: str
    server: str
    server_last: str


def ending(outcome: str) -> Ending:
    """An outcome as the files have it, taken apart.

    >>> ending("EST,closer,open,resp=none,no EOF,err=- | GONE,last=FW1/o,responded+closed,err=-")
    Ending(client='EST', response=False, eof=False, error='-', server='GONE', server_last='FW1/o')
    """
    one, _, other = outcome.partition(" | ")
    client, _, _, response, read, error = one.split(",")
    server, last, *_ = other.split(",")
    told = error.removeprefix("err="), server, last.removeprefix("last=")
    return Ending(client, response == "resp=full", read == "EOF", *told)


def _gave_up(end: Ending) -> bool:
    return end.server == GONE and end.server_last == "FW1/o"


# How a socket may end otherwise than by both FINs and their ACKs, and what the other side then saw
TRANSITIONS: Final[dict[str, Callable[[Ending], bool]]] = {
    "client: SYN-SENT, connect() gives up": lambda end: end.error == "connect:ETIMEDOUT",
    "server: SYN-RECEIVED, the handshake never ends": lambda end: (
        end.server == GONE and end.server_last == "SR"
    ),
    "server: FIN-WAIT-1, the orphan gives up": _gave_up,
    "the same, and the client read neither response nor end-of-file": lambda end: (
        _gave_up(end) and not end.response and not end.eof
    ),
    "the same, and the client read the response but no end-of-file": lambda end: (
        _gave_up(end) and end.response and not end.eof
    ),
    "the same, and the client read end-of-file": lambda end: _gave_up(end) and end.eof,
    "client: ESTABLISHED for ever": lambda end: end.client == "EST" and end.server == GONE,
    "client: LAST-ACK gives up, the server ends in FIN-WAIT-2": lambda end: (
        end.client == GONE and end.eof and end.server_last == "FW2/ms"
    ),
    "client: recv() returns ECONNRESET": lambda end: end.error == "recv:ECONNRESET",
    "client: CLOSE-WAIT, keepalive ends it": lambda end: (
        end.client == CLOSED and end.error.startswith("idle:")
    ),
}


def pooled(runs: Iterable[Sequence[Counted]]) -> list[Pooled]:
    """The transitions of several runs together.

    >>> one = [Counted("a", 12, 10.0, 8.0), Counted("b", 5, 5.0, 4.0)]
    >>> [(each.name, each.counted, round(each.z, 2), round(each.p, 2)) for each in pooled([one, one])]
    [('a', 24, 1.0, 0.63), ('b', 10, 0.0, 1.0)]
    """
    by_name: dict[str, list[Counted]] = defaultdict(list)
    for run in runs:
        for each in run:
            by_name[each.name].append(each)
    found = []
    for name, each_run in by_name.items():
        counted = sum(each.counted for each in each_run)
        expected = sum(each.expected for each in each_run)
        variance = sum(each.variance for each in each_run)
        z = (counted - expected) / sqrt(variance) if variance else 0.0
        found.append(Pooled(name, counted, expected, z, erfc(abs(z) / sqrt(2))))
    return _holm(found)


def _holm(rows: list[Pooled]) -> list[Pooled]:
    """S. Holm (1979): the smallest p times their number, the next times one less, never falling."""
    corrected: dict[str, float] = {}
    least = 0.0
    for rank, row in enumerate(sorted(rows, key=lambda row: row.p)):
        least = max(least, min(1.0, row.p * (len(rows) - rank)))
        corrected[row.name] = least
    return [row._replace(p=corrected[row.name]) for row in rows]
