"""Reads a text line by line into a dump.

Owns: which reader a line belongs to, lines that were wrapped or cut, and the count: every line is of one kind
(dump.KINDS), and a line that no reader accepts is counted as unread, with its number. Refuses to know:
columns.

A reader returns None for a line that is not in its format, and never raises an error. So a mixture of
commands, a text that was cut, and noise are all read as far as possible.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tcpsim.dumps import conntrack, counters, netstat, proc_and_lsof, ss, state_names
from tcpsim.dumps.dump import (
    BLANK,
    CONTINUED,
    FLOW,
    HEADER,
    OTHER,
    REMARK,
    SOCKET,
    UNREAD,
    Dump,
    Owner,
    Socket,
)
from tcpsim.tcp.state import State

_TOLD = 5  # unread lines that are kept as examples
_LONGEST = 20_000  # characters of a line that are looked at
_WRAPPED = 3  # lines that one socket's columns may be spread over
_PROMPT = re.compile(r"(?:[\w.~@:/\[\]()-]*\s?[$#%>])\s+(?:sudo\s+)?[\w./-]+|[$#]\s*\Z", re.ASCII)
_COMMAND = re.compile(r"\b(ss|netstat)\s+(-[a-zA-Z46]+)", re.ASCII)
_MORE = re.compile(r"\.\.\.\D{0,3}(\d[\d.,']*)", re.ASCII)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DATE = re.compile(
    r"\[?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d)(?: +[AP]M)?(?:"
    r" +[A-Z]{3,5})? +(\d{4})",
    re.ASCII,
)
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)", re.ASCII)


def decoded(data: bytes) -> str:
    """Bytes as text: UTF-8, what PowerShell writes (UTF-16), or else a Windows code page."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp850", errors="replace")


def read(text: str | bytes, name: str = "dump") -> Dump:
    """Everything that can be read of a text.

    >>> dump = read("State Recv-Q Send-Q Local Address:Port\\nESTAB 0 0 10.0.0.1:22 10.0.0.2:5000\\n?!")
    >>> dump.lines["sockets"], dump.lines["unread"], str(dump.sockets[0].state)
    (1, 1, 'ESTABLISHED')
    """
    lines = (text if isinstance(text, str) else decoded(text)).splitlines()
    reading = _Reading(Dump(name))
    for number, line in enumerate(lines, 1):
        reading.line(number, line if len(line) <= _LONGEST else line[:_LONGEST])
    return reading.end()


class _Reading:
    """The moving parts of one `read`."""

    def __init__(self, dump: Dump) -> None:
        self.dump = dump
        self.pending: list[tuple[int, str]] = []  # a socket whose columns go on on the next line
        self.last = ""  # the format of the line before, where a line may belong to the one before
        self.statistics = False  # inside `netstat -s`

    def line(self, number: int, line: str) -> None:
        parts = line.split()
        if not parts:
            self._flush()
            self._count(BLANK)
            self.last = ""
            return
        if self.pending and self._joined(number, line):
            return
        kind = self._socket(number, line, parts)
        if kind is None:
            kind = self._belongs(number, line, parts) or self._elsewhere(number, line, parts)
        if kind is None:
            return
        if kind is UNREAD:
            self._unread(number, line)
        else:
            self._count(kind)

    def _socket(self, number: int, line: str, parts: list[str]) -> str | None:
        """Most lines: a socket by its first word."""
        dump, first, found, name = self.dump, parts[0], None, ""
        if state_names.state(first) is not None:
            found, name = ss.socket(parts, line, number, dump), "ss"
        elif first.startswith("tcp"):
            if len(parts) > 1 and state_names.state(parts[1]) is not None:
                found, name = ss.socket(parts, line, number, dump), "ss"
            else:
                found, name = netstat.unix(parts, line, number, dump), "netstat"
        elif first == "TCP":
            found, name = netstat.windows(parts, line, number, dump), "netstat"
        elif first[-1] == ":" and first[:-1].isdigit():
            found, name = proc_and_lsof.proc(parts, line, number, dump), "/proc/net/tcp"
        elif "TCP" in parts:
            found, name = proc_and_lsof.lsof(parts, line, number, dump), "lsof"
        if found is None:
            return None
        self._flush()
        dump.sockets.append(found)
        dump.formats[name] += 1
        self.last, self.statistics = name, False
        return SOCKET

    def _belongs(self, number: int, line: str, parts: list[str]) -> str | None:
        """A line that makes sense because of the one before."""
        dump = self.dump
        if self.last == "ss" and ss.continues(line):
            dump.sockets[-1] = ss.continued(dump.sockets[-1], line, dump)
            return CONTINUED
        if self.last == "netstat" and (name := netstat.windows_program(line)) and dump.sockets[-1].owners:
            dump.sockets[-1] = dump.sockets[-1]._replace(
                owners=(Owner(name, dump.sockets[-1].owners[0].pid),)
            )
            return CONTINUED
        if counters.titled(line):
            self.statistics = True
        if self.statistics:
            kind = counters.read(parts, line, dump) or counters.section(line, dump)
            if kind is not None:
                return kind
            self.statistics = False
        return None

    def _elsewhere(self, number: int, line: str, parts: list[str]) -> str | None:
        """Everything that is not a socket; None: kept until it is known how it goes on."""
        dump = self.dump
        if (flow := conntrack.flow(parts, line, number)) is not None:
            dump.flows.append(flow)
            dump.formats["conntrack"] += 1
            kind: str | None = FLOW
        elif (
            conntrack.other(parts, line)
            or ss.other(parts)
            or netstat.other(parts)
            or proc_and_lsof.lsof_other(parts, dump)
        ):
            kind = OTHER
        elif (
            ss.header(parts)
            or netstat.header(parts)
            or proc_and_lsof.proc_header(parts)
            or proc_and_lsof.lsof_header(parts)
        ):
            kind = HEADER
        elif netstat.remark(line, dump) or conntrack.trailer(line, dump):
            kind = REMARK
        else:
            kind = counters.read(parts, line, dump) or self._said(line)
        if kind is not None:
            self._flush()
            self.last = ""
            return kind
        if ss.begins(parts) or _netstat_begins(parts):
            self._flush()
            self.pending.append((number, line))
            return None
        self._flush()
        self.last = ""
        return UNREAD

    def _said(self, line: str) -> str | None:
        """What a person or a shell wrote between: a command, a date."""
        text = line.strip()
        taken = _date(text)
        if taken is not None and len(text) < 60:
            if self.dump.taken_us is None:
                self.dump.taken_us = taken
            return REMARK
        if text.startswith(("# HELP", "# TYPE")) or _PROMPT.match(text):
            if (found := _COMMAND.search(text)) and "p" in found[2]:
                self.dump.shows.add("owners")
            if found and "o" in found[2]:
                self.dump.shows.add("timers")
            return REMARK
        return None

    def _joined(self, number: int, line: str) -> bool:
        """Whether this line completes the columns that went before."""
        together = " ".join(each.strip() for _, each in [*self.pending, (number, line)])
        first = self.pending[0][0]
        held, self.pending = self.pending, []
        if state_names.state(line.split()[0]) is not None and not _NETSTAT_TAIL.match(line.strip()):
            self.pending = held
            self._flush()
            return False
        if self._socket(first, together, together.split()) is not None:
            self._count(SOCKET)
            for _ in held:
                self._count(CONTINUED)
            return True
        self.pending = held
        if len(held) < _WRAPPED - 1 and line[:1].isspace():
            self.pending.append((number, line))
            return True
        self._flush()
        return False

    def _flush(self) -> None:
        """What was waiting for more is unread after all."""
        for number, line in self.pending:
            self._unread(number, line)
        self.pending = []

    def _unread(self, number: int, line: str) -> None:
        self._count(UNREAD)
        found = _MORE.search(line)
        if found:
            self.dump.more += int(re.sub(r"\D", "", found[1])[:12])
            self.dump.more_at = number
        if len(self.dump.unread) < _TOLD:
            self.dump.unread.append((number, line.strip()[:100]))

    def _count(self, kind: str) -> None:
        self.dump.lines[kind] += 1

    def end(self) -> Dump:
        """The dump, when the text is over."""
        self._flush()
        dump = self.dump
        for key in [key for key in dump.settings if key.startswith("names of ")]:
            del dump.settings[key]
        if "owners" in dump.shows and dump.formats["ss"]:
            dump.sockets = [
                each if each.owners is not None else each._replace(owners=()) for each in dump.sockets
            ]
        if len(dump.formats) > 1 or dump.formats["lsof"]:
            dump.sockets = _merged(dump.sockets)
        for each in dump.sockets:
            if each.state is State.LISTEN:
                dump.shows.add("listeners")
                dump.partly |= each.owners == ()
        dump.system = dump.system or ("linux" if dump.formats["ss"] or dump.flows else None)
        return dump


_NETSTAT_TAIL = re.compile(r"[A-Z_0-9]+(?:\s+(?:\d+/\S+|-))?(?:\s+\w+ \([\d./]+\))?\Z", re.ASCII)


def _netstat_begins(parts: list[str]) -> bool:
    """The first columns of a netstat line that was wrapped behind its addresses."""
    numbers = parts[1:3]
    return (
        parts[0] in ("tcp", "tcp4", "tcp6", "tcp46")
        and len(numbers) == 2
        and all(each.isascii() and each.isdigit() for each in numbers)
    )


def _merged(sockets: list[Socket]) -> list[Socket]:
    """One for each connection: two commands, or two processes, told of the same."""
    found: dict[object, Socket] = {}
    for each in sockets:
        key: object = (each.local, each.peer)
        if each.state is State.LISTEN:
            key = each.local, "listens"
        elif each.peer.port is None:
            key = each.local, each.owners, each.line
        old = found.get(key)
        found[key] = each if old is None else _both(old, each)
    return list(found.values())


def _both(old: Socket, new: Socket) -> Socket:
    """What either says."""
    told = {name: value for name, value in new._asdict().items() if getattr(old, name) is None}
    owners = old.owners
    if new.owners:
        owners = tuple(dict.fromkeys((*(old.owners or ()), *new.owners)))
    return old._replace(**told)._replace(owners=new.owners if owners is None else owners)


def _date(text: str) -> int | None:
    """The time of a line that `date` printed, in microseconds.

    The zone is the host's own and the same in both dumps.
    """
    try:
        if found := _DATE.match(text):
            month = _MONTHS.index(found[1]) + 1
            day, hour, minute, second, year = (int(found[n]) for n in range(2, 7))
        elif found := _ISO.match(text):
            year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
        else:
            return None
        return round(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()) * 1_000_000
    except ValueError:
        return None
