"""docs/claims.md, printed from tcpsim/catalogue/claims.toml: `python -m tests.catalogue.page`.

Owns: the page, and what the short names of tests in that file stand for. Refuses to know: whether the
claims are true (the tests they name) and whether those exist (test_claims).
"""

from __future__ import annotations

from pathlib import Path

from tcpsim.catalogue import Scenario, scenario
from tcpsim.catalogue.claims import VERDICTS, Claim, claims
from tcpsim.catalogue.index import USERS, WORKLOAD, kind_of
from tcpsim.catalogue.user_group import UserGroup
from tcpsim.catalogue.user_group_file import user_group
from tcpsim.catalogue.workload import Workload
from tcpsim.catalogue.workload_file import workload
from tests.catalogue.stories import link

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "claims.md"
HERE = "tests/catalogue"

INTRODUCTION = """\
# The claims, and what a run shows

This project began with two documents: Rick Jones's mail on CLOSE_WAIT, and Apache's page on FIN_WAIT_2 with
Roy Fielding's appendix. This page lists each claim in them that a simulated connection can show. Together
with further claims, there are {total}. Each claim has:

- the scenario that shows it (see `tcpsim explain NAME`, for a population `tcpsim exhaust NAME`, and for
  browsers and pools `tcpsim users NAME`),
- a verdict: *holds*, *holds only on* certain stacks, or *refined*,
- the test that checks it, and its picture or its ladder.

The Apache page has two lists: what ends FIN_WAIT_2, and which systems have a timeout. Their claims are in our
words.

`make docs` writes this page from [claims.toml](../tcpsim/catalogue/claims.toml). A test checks that every
scenario, test and figure exists, and runs the claims about stacks on all stacks.
"""


def node_id(claim: Claim, words: str) -> str:
    """The test that a short name stands for, as pytest takes it."""
    kind, _, rest = words.partition(" ")
    if words == "ends":
        return f"{HERE}/test_catalogue.py::test_it_ends_as_it_says[{claim.scenario}]"
    if kind == "contrast":
        return f"{HERE}/test_catalogue.py::test_its_contrasts_end_as_they_say[{claim.scenario}-{rest}]"
    if kind == "cure":
        return f"{HERE}/test_fixes.py::test_what_cures[{claim.scenario}-{rest}]"
    if words.startswith("in vain "):
        return f"{HERE}/test_fixes.py::test_what_is_in_vain[{claim.scenario}-{rest.partition(' ')[2]}]"
    if words == "runs out":
        return f"{HERE}/test_workloads.py::test_it_runs_out_as_it_says[{claim.scenario}]"
    if kind == "variant":
        return f"{HERE}/test_user_groups.py::test_it_comes_out_as_it_says[{claim.scenario}-{rest}]"
    module, _, function = words.partition("::")
    if module.startswith("../"):
        return f"tests/{module.removeprefix('../')}.py::{function}"
    return f"{HERE}/{module}.py::{function}"


def subject(name: str) -> Scenario | Workload | UserGroup:
    """What a claim's scenario is: a scenario, a workload, or a user group."""
    if kind_of(name) is USERS:
        return user_group(name)
    return workload(name) if kind_of(name) is WORKLOAD else scenario(name)


def page() -> str:
    """The whole page."""
    every = claims()
    lines = [INTRODUCTION.format(total=len(every)), *_counts(every)]
    for document in dict.fromkeys(claim.document for claim in every):
        lines += [
            "",
            f"## {document}",
            "",
            "| | claim | scenario | verdict | shown by |",
            "|---|---|---|---|---|",
        ]
        lines += [_row(claim) for claim in every if claim.document == document]
    return "\n".join(lines) + "\n"


def _counts(every: tuple[Claim, ...]) -> list[str]:
    documents = list(dict.fromkeys(claim.document for claim in every))
    lines = [f"| verdict | {' | '.join(documents)} |", "|---" + "|---:" * len(documents) + "|"]
    for verdict, words in VERDICTS.items():
        of = [claim.document for claim in every if claim.verdict == verdict]
        lines.append(f"| {words} | {' | '.join(str(of.count(document)) for document in documents)} |")
    return lines


def _row(claim: Claim) -> str:
    shown = [_link(node_id(claim, words)) for words in claim.tests]
    chosen = subject(claim.scenario)
    if claim.figure:
        shown.append(f"[picture]({claim.figure})")
    if isinstance(chosen, Scenario):
        shown.append(f"[ladder]({link(chosen)})")
    title = chosen.title
    cells = (claim.number, claim.quote, f"`{claim.scenario}`: {title}", claim.judgement(), ", ".join(shown))
    return f"| {' | '.join(cells)} |"


def _link(test: str) -> str:
    path, _, function = test.partition("::")
    return f"[`{function}`](../{path})"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
