"""docs/rfc9293.md, printed from requirements.toml: `python -m tests.rfc.page`, or `make docs`.

Owns: reading the requirements, and the page. Refuses to know: whether what it says is true
(test_requirements asks the tests it names).
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PAGE = ROOT / "docs" / "rfc9293.md"
VERDICTS = {"kept": "kept", "not_applicable": "not applicable", "not_kept": "not kept"}

INTRODUCTION = """\
# RFC 9293, requirement by requirement

Appendix B of RFC 9293 lists {total} labelled requirements. This page says whether tcpsim keeps each of them
under its profile `rfc9293`. There are three verdicts:

- *kept*: the tests in the last column show it.
- *not applicable*: the requirement is about something that a simulator does not have.
- *not kept*: the last column gives the reason.

`make docs` writes this page from [tests/rfc/requirements.toml](../tests/rfc/requirements.toml). A test
compares this list with the labels of the RFC, and this page with the list. It also checks that every test
exists.
"""


class Requirement(NamedTuple):
    """One label; `verdict` is a key of VERDICTS, `tests` are node ids, `reason` why not or what lacks."""

    label: str
    topic: str
    section: str
    says: str
    verdict: str
    tests: tuple[str, ...]
    reason: str


def requirements() -> list[Requirement]:
    """All of them, in the order of Appendix B.

    Raises:
        ValueError: an entry has no verdict, several, or a field that is none.
    """
    found = []
    for topic, labels in tomllib.loads((HERE / "requirements.toml").read_text(encoding="utf-8")).items():
        for label, entry in labels.items():
            verdicts = [key for key in VERDICTS if entry.get(key)]
            odd = entry.keys() - {"section", "says", "note", *VERDICTS}
            if len(verdicts) != 1 or odd or ("note" in entry and verdicts != ["kept"]):
                raise ValueError(f"{label}: needs one verdict of {', '.join(VERDICTS)}, has {sorted(entry)}")
            verdict = verdicts[0]
            tests = tuple(entry[verdict]) if verdict == "kept" else ()
            reason = entry.get("note", "") if verdict == "kept" else entry[verdict]
            found.append(Requirement(label, topic, entry["section"], entry["says"], verdict, tests, reason))
    return found


def page() -> str:
    """The whole page."""
    every = requirements()
    lines = [INTRODUCTION.format(total=len(every)), *_counts(every)]
    for topic in dict.fromkeys(r.topic for r in every):
        lines += [
            "",
            f"## {topic}",
            "",
            "| label | section | requirement | verdict | shown by, or why |",
            "|---|---|---|---|---|",
        ]
        lines += [_row(r) for r in every if r.topic == topic]
    return "\n".join(lines) + "\n"


def _counts(every: list[Requirement]) -> list[str]:
    """How many labels of each kind have which verdict."""
    kinds = ("MUST", "SHLD", "MAY", "REC")
    lines = [f"| verdict | {' | '.join(kinds)} | all |", "|---|---:|---:|---:|---:|---:|"]
    for verdict, words in VERDICTS.items():
        of = [r.label.partition("-")[0] for r in every if r.verdict == verdict]
        lines.append(f"| {words} | {' | '.join(str(of.count(kind)) for kind in kinds)} | {len(of)} |")
    return lines


def _row(r: Requirement) -> str:
    shown = ", ".join(_link(test) for test in r.tests)
    why = f"{shown}. {r.reason}" if shown and r.reason else shown or r.reason
    return f"| {r.label} | {r.section} | {r.says} | *{VERDICTS[r.verdict]}* | {why} |"


def _link(test: str) -> str:
    """A node id as pytest takes it, and a link to its file."""
    return f"[`{test}`](../{test.partition('::')[0]})"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
