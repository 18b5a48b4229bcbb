"""The claims of the two documents, and the scenario that shows each (claims.toml).

Owns: the claims and their numbers ("J6" is Rick Jones's sixth). Refuses to know: the page (tests print
docs/claims.md from here) and whether a claim is true (the tests that it names).
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

VERDICTS = {"holds": "holds", "on": "holds only on", "refined": "refined"}


class Claim(NamedTuple):
    """One claim; `verdict` is a key of VERDICTS. `scenario` and `tests` as claims.toml explains."""

    number: str
    document: str
    quote: str
    scenario: str
    tests: tuple[str, ...]
    verdict: str
    stacks: tuple[str, ...] = ()
    note: str = ""
    figure: str = ""

    def judgement(self) -> str:
        """The verdict in words, with what has to be added."""
        words = VERDICTS[self.verdict] + (f" {', '.join(self.stacks)}" if self.stacks else "")
        return f"{words}. {self.note}" if self.note else f"{words}."


@cache
def claims() -> tuple[Claim, ...]:
    """All of them, document by document."""
    text = Path(__file__).with_name("claims.toml").read_text(encoding="utf-8")
    found = []
    for key, document in tomllib.loads(text).items():
        for number, entry in enumerate(document["claims"], start=1):
            tests, stacks = tuple(entry.pop("tests")), tuple(entry.pop("stacks", ()))
            name = f"{key[0].upper()}{number}"
            found.append(Claim(name, document["title"], **entry, tests=tests, stacks=stacks))
    return tuple(found)


def claims_of(scenario: str) -> tuple[Claim, ...]:
    """The claims that a scenario, or a population, shows."""
    return tuple(claim for claim in claims() if claim.scenario == scenario)
