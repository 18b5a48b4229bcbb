"""The function `diagnose`: it explains the sockets of a dump.

Owns: the function, and its result as text, rows and JSON. Refuses to know: formats (dumps), and the
judgement (diagnosis).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcpsim.api.result import Result
from tcpsim.diagnosis.as_values import document, rows
from tcpsim.diagnosis.diagnose import Judged, judge
from tcpsim.diagnosis.findings import Finding, badness
from tcpsim.diagnosis.host import Host
from tcpsim.diagnosis.live import live as take
from tcpsim.diagnosis.report import head, page
from tcpsim.diagnosis.two_dumps import Together, together
from tcpsim.draw.caption import Caption
from tcpsim.dumps import Dump, read
from tcpsim.errors import InputError
from tcpsim.explore.chain import no_collection
from tcpsim.units import parse_duration

if TYPE_CHECKING:
    from tcpsim.measure.results import Table

_MOST_BYTES = 1 << 30


def diagnose(
    *dumps: str | bytes | Path,
    live: bool = False,
    after: str | int | None = None,
    ends: bool = False,
    limits: Mapping[str, int] | None = None,
    stack: str | None = None,
    knobs: Mapping[str, str] | None = None,
    addresses: bool = False,
    everything: bool = False,
) -> Diagnosis:
    """Explain the sockets in a dump: what happened, who must act, when they will end, and what helps.

    >>> import tcpsim
    >>> line = "CLOSE-WAIT 1 0 192.0.2.1:8080 192.0.2.7:{} users:((\\"java\\",pid=41,fd=9))\\n"
    >>> found = tcpsim.diagnose("".join(line.format(port) for port in range(50_000, 50_040)))
    >>> found
    <Diagnosis 40 CLOSE-WAIT, server of port 8080 (by its ports), java, 1 peer host: only the FIN is unread>
    >>> found.leaks, found.findings[0].move
    (True, 'this program')

    Args:
        *dumps: texts (of `ss -tanop`, netstat, ...) or paths of files. Two dumps of one host show what grows.
            Two dumps of different hosts are matched as the ends of the same connections.
        live: read the sockets of this machine (Linux only).
        after: the time between two dumps of one host, if the texts do not contain it.
        ends: the two dumps are from the two ends, even if no connection appears in both.
        limits: limits of the host: nofile, ports, orphans, tw, conntrack (default: the profile's).
        stack: the TCP implementation of the host, if the format does not show it (`tcpsim.stacks()`).
        knobs: sysctls of the host, such as tcp_fin_timeout.
        addresses: print the addresses of the peers.
        everything: print the details of all groups.

    Raises:
        InputError: there is nothing to read, a file cannot be read, no line has a known format, or a setting
            is wrong.
    """
    with no_collection():  # of garbage: there is none, and there may be a million values
        return _diagnosed(dumps, live, after, ends, limits, stack, knobs, addresses, everything)


def _diagnosed(
    dumps: Sequence[str | bytes | Path],
    live: bool,
    after: str | int | None,
    ends: bool,
    limits: Mapping[str, int] | None,
    stack: str | None,
    knobs: Mapping[str, str] | None,
    addresses: bool,
    everything: bool,
) -> Diagnosis:
    read_in = [_dump(each, number) for number, each in enumerate(dumps, 1)]
    if live:
        read_in.append(take())
    if not read_in:
        raise InputError("diagnose", "no dump", "a text, a path, or live=True (--live)")
    for each in read_in:
        _check(each)
    answers = [judge(Host(each, stack, knobs)) for each in read_in]
    after_us = None if after is None else parse_duration(after, "after")
    related = together(answers, after_us, ends, limits or {})
    return Diagnosis(tuple(answers), related, addresses, everything)


def _dump(given: str | bytes | Path, number: int) -> Dump:
    if not isinstance(given, Path):
        return read(given, f"dump {number}")
    try:
        size = given.stat().st_size
        if size > _MOST_BYTES:
            raise InputError(f"file {given}", f"{size:,} bytes", f"at most {_MOST_BYTES:,}")
        return read(given.read_bytes(), given.name)
    except OSError as error:
        raise InputError(f"file {given}", error.strerror or "an error", "a file that can be read") from None


def _check(dump: Dump) -> None:
    known = dump.total - dump.lines["unread"] - dump.lines["blank"]
    if known == 0:
        number, text = dump.unread[0] if dump.unread else (0, "")
        found = (
            f"{dump.total:,} lines in no known format, line {number}: {text[:60]!r}"
            if text
            else "an empty text"
        )
        raise InputError(
            dump.name, found, "output of ss, netstat, /proc/net/tcp, lsof -i, conntrack -L, or counters"
        )


class Diagnosis(Result):
    """The diagnosis. `print()` shows it."""

    def __init__(
        self, answers: tuple[Judged, ...], related: Together | None, addresses: bool, everything: bool
    ) -> None:
        self.answers = answers
        self.related = related
        self.addresses = addresses
        self.everything = everything

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings. The worst is the first."""
        return tuple(sorted((each for answer in self.answers for each in answer.findings), key=badness))

    @property
    def leaks(self) -> bool:
        """True if a socket leaks or a limit is met."""
        return any(answer.bad for answer in self.answers) or (self.related is not None and self.related.bad)

    def caption(self) -> Caption:
        return Caption("diagnosis", " and ".join(answer.host.dump.name for answer in self.answers))

    def headline(self) -> str:
        found = self.findings
        return head(found[0]) if found else "no connection is listed"

    def text(self) -> str:
        return page(self.answers, self.related, self.everything, self.addresses)

    def _table(self) -> Table:
        from tcpsim.measure.results import Table

        return Table.of_rows(rows(self.findings))

    def to_dict(self) -> dict[str, Any]:
        return self.document() | document(self.answers, self.related, self.leaks, self.addresses)
