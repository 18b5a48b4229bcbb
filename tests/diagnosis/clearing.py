"""How sockets of a real kernel ended, beside when a line of `ss` let one expect that.

    python -m tests.diagnosis.clearing FOLDER > tests/data/diagnose/clearing.csv

FOLDER is what `tests.diagnosis.leaks` has recorded. A row is one socket at one moment: its line, and
between which two looks it was gone. Sockets that changed their state in between are left out: somebody
acted on them.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tcpsim.diagnosis.expiry import Ends, ends
from tcpsim.diagnosis.host import Host
from tcpsim.dumps import Address, Socket, read
from tcpsim.tcp.state import State

SETTINGS = {"unanswered-data": {"tcp_retries2": "8"}}  # what the story changed of its hosts
_LOOK = re.compile(r"^# ([0-9.]+)\n", re.MULTILINE)
_EVERY = 7  # looks; neighbours say the same
_SOCKETS = 2  # of a story and state


class Row(NamedTuple):
    """A socket's line at `at_s`; it was seen until `seen_s`, and gone at `gone_s`."""

    story: str
    side: str
    at_s: float
    seen_s: float
    gone_s: float
    line: str

    def predicted(self) -> Ends:
        """What the line lets one expect."""
        dump = read(self.line)
        host = Host(dump, "linux", SETTINGS.get(self.story))
        return ends(dump.sockets[0], host.stack, None)

    @property
    def left_us(self) -> tuple[int, int]:
        """When it really ended, from the line on: between these."""
        return round((self.seen_s - self.at_s) * 1e6), round((self.gone_s - self.at_s) * 1e6)

    def holds(self) -> bool | None:
        """Whether the interval contains the real end; None: the line says that nothing ends it."""
        found = self.predicted()
        if found.latest_us is None:
            return None
        first, last = self.left_us
        return found.earliest_us <= last and first <= found.latest_us


def rows(folder: Path) -> Iterator[Row]:
    """All rows of a folder, thinned out."""
    for path in sorted(folder.glob("*.series.txt")):
        story, side, *_ = path.name.split(".")
        yield from _of(story, side, path.read_text(encoding="utf-8"))


def _of(story: str, side: str, text: str) -> Iterator[Row]:
    parts = _LOOK.split(text)[1:]
    looks = [(float(at), body) for at, body in zip(parts[::2], parts[1::2], strict=True)]
    seen: dict[tuple[Address, Address], list[tuple[int, Socket, str]]] = {}
    for number, (_, body) in enumerate(looks):
        dump = read(body)
        lines = body.splitlines()
        for each in dump.sockets:
            if each.state is not State.LISTEN:
                seen.setdefault((each.local, each.peer), []).append((number, each, lines[each.line - 1]))
    told: dict[State, int] = {}
    for history in seen.values():
        last, final, _ = history[-1]
        if last + 1 >= len(looks):
            continue  # it outlived the recording
        told[final.state] = told.get(final.state, 0) + 1
        if told[final.state] > _SOCKETS:
            continue
        same = [(number, line) for number, each, line in history if each.state is final.state]
        for number, line in same[::_EVERY]:
            yield Row(
                story, side, looks[number][0], looks[last][0], looks[last + 1][0], " ".join(line.split())
            )


def stored(path: Path) -> list[Row]:
    """The rows of a file."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(
                row["story"],
                row["side"],
                float(row["at_s"]),
                float(row["seen_s"]),
                float(row["gone_s"]),
                row["line"],
            )
            for row in csv.DictReader(file)
        ]


if __name__ == "__main__":
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows(rows(Path(sys.argv[1])))
