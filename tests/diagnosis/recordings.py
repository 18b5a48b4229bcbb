"""The recordings of real leaks, judged: is the culprit named?

python -m tests.diagnosis.recordings          prints the table of docs/diagnose.md
python -m tests.diagnosis.recordings --write  puts it there
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tcpsim.diagnosis.diagnose import judge
from tcpsim.diagnosis.findings import Finding
from tcpsim.diagnosis.host import Host
from tcpsim.dumps import read
from tests.diagnosis import clearing

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "tests" / "data" / "diagnose"
PAGE = ROOT / "docs" / "diagnose.md"
BEGIN, END = "<!-- recordings: python -m tests.diagnosis.recordings --write -->", "<!-- end of recordings -->"
_PART = re.compile(r"^=== (server|client) ([0-9.]+)s\n", re.MULTILINE)


class Truth(NamedTuple):
    """Who has the next move in a dump, and of which sockets."""

    story: str
    side: str
    age: float
    state: str
    move: str
    program: str | None
    leak: bool

    def __str__(self) -> str:
        return f"{self.story}-{self.side}-{self.age:g}s"


def dumps(story: str) -> dict[tuple[str, float], str]:
    """The texts of a story, by side and age."""
    parts = _PART.split((DATA / f"{story}.txt").read_text(encoding="utf-8"))[1:]
    return {
        (side, float(age)): text for side, age, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    }


def truths() -> Iterator[Truth]:
    """Every dump in which somebody has a move, and the others: none."""
    for story, sides in tomllib.loads((DATA / "culprits.toml").read_text(encoding="utf-8")).items():
        for side, entry in sides.items():
            for age in entry["ages"]:
                yield Truth(
                    story,
                    side,
                    float(age),
                    entry["state"],
                    entry["move"],
                    entry.get("program"),
                    entry["leak"],
                )


def answer(truth: Truth) -> Finding | None:
    """What is said first of a dump."""
    text = dumps(truth.story)[truth.side, truth.age]
    found = judge(Host(read(text), "linux")).findings
    return found[0] if found else None


def wrong(truth: Truth) -> str:
    """In what the answer is not the truth; nothing if it is."""
    found = answer(truth)
    if found is None:
        return "nothing is found"
    parts = []
    if truth.state not in found.states:
        parts.append(f"is about {'/'.join(found.states)}")
    if found.move != truth.move:
        parts.append(f"says {found.move}")
    if truth.program is not None and found.owner != truth.program:
        parts.append(f"names {found.owner}")
    if found.leak != truth.leak:
        parts.append("says leak" if found.leak else "says no leak")
    return ", ".join(parts)


def table() -> str:
    """A row for each story and side: how many of its dumps are judged right."""
    rows = ["| recorded | seen at | sockets | next move | right | else |", "|---|---|---|---|---|---|"]
    every = list(truths())
    for story, side in dict.fromkeys((each.story, each.side) for each in every):
        group = [each for each in every if (each.story, each.side) == (story, side)]
        first = group[0]
        misses = [(each, problem) for each in group if (problem := wrong(each))]
        ages = ", ".join(f"{each.age:g}" for each in group)
        who = f"{first.move}, {first.program}" if first.program else first.move
        said = "; ".join(dict.fromkeys(problem for _, problem in misses))
        rows.append(
            f"| {story} | {side}, {ages} s | {first.state} | {who} | {len(group) - len(misses)} of"
            f" {len(group)} | {said} |"
        )
    good = sum(not wrong(each) for each in every)
    return "\n".join([*rows, "", f"{good} of {len(every)} right ({good / len(every):.1%}).", "", *_ends()])


def _ends() -> list[str]:
    """For each state and timer: how many sockets ended within the interval that their line let one expect."""
    kinds: dict[tuple[str, str], list[bool]] = {}
    widths: dict[tuple[str, str], list[int]] = {}
    for row in clearing.stored(DATA / "clearing.csv"):
        found, held = row.predicted(), row.holds()
        if found.latest_us is not None and held is not None:
            kind = row.line.split()[0], row.line.partition("timer:(")[2].partition(",")[0]
            kinds.setdefault(kind, []).append(held)
            widths.setdefault(kind, []).append(found.latest_us - found.earliest_us)
    lines = [
        "| state | timer | lines | ended within the interval | its mean length |",
        "|---|---|---|---|---|",
    ]
    for (state, timer), held in sorted(kinds.items()):
        mean_s = sum(widths[state, timer]) / len(held) / 1e6
        share = f"{sum(held)} ({sum(held) / len(held):.0%})"
        lines.append(f"| {state} | {timer} | {len(held)} | {share} | {mean_s:,.0f} s |")
    return lines


def page_with_table(page: str) -> str:
    """The page, its table replaced."""
    head, rest = page.split(BEGIN)
    return f"{head}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(table())
