"""The list of RFC 9293's requirements is complete, its page is up to date, and the tests it names exist."""

from __future__ import annotations

import ast
import csv

import pytest

from tests.rfc.page import PAGE, ROOT, Requirement, page, requirements

# From the RFC's text: the labels of Appendix B in its order, each with its section and heading
LABELS = ROOT / "tests" / "data" / "rfc9293_labels.csv"

EVERY = requirements()
NAMED = sorted({test for r in EVERY for test in r.tests})

# Sections on states, resets, acknowledgement, retransmission, closing, keepalive and windows
CORE = ("3.4", "3.5", "3.6", "3.8.1", "3.8.2", "3.8.3", "3.8.4", "3.8.6", "3.10")


def test_every_label_of_the_rfc_is_there_in_its_order() -> None:
    with LABELS.open(encoding="utf-8", newline="") as file:
        labels = [(row["label"], row["section"], row["topic"]) for row in csv.DictReader(file)]
    assert [(r.label, r.section, r.topic) for r in EVERY] == labels
    kinds = [label.partition("-")[0] for label, _, _ in labels]
    assert [kinds.count(kind) for kind in ("MUST", "SHLD", "MAY", "REC")] == [69, 31, 18, 1]


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


@pytest.mark.parametrize("requirement", EVERY, ids=[r.label for r in EVERY])
def test_a_requirement_has_what_its_verdict_needs(requirement: Requirement) -> None:
    assert requirement.says.endswith(".")
    assert (requirement.verdict == "kept") == bool(requirement.tests)
    assert requirement.verdict == "kept" or requirement.reason.endswith(".")


def in_core(r: Requirement) -> bool:
    return any(r.section == section or r.section.startswith(section + ".") for section in CORE)


def test_every_must_of_the_core_is_kept() -> None:
    """But for the secrecy of the ISN, which is about somebody who guesses it."""
    musts = [r for r in EVERY if r.label.startswith("MUST") and in_core(r)]
    assert len(musts) == 28
    assert {r.label for r in musts if r.verdict != "kept"} == {"MUST-9"}


def functions(path: str) -> dict[str, ast.FunctionDef]:
    """The test functions of a module, by name."""
    body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
    return {
        node.name: node for node in body if isinstance(node, ast.FunctionDef) and node.name[:5] == "test_"
    }


@pytest.mark.parametrize("test", NAMED)
def test_a_test_that_is_named_is_one_that_runs(test: str) -> None:
    """It is a function of a module that pytest collects, and nothing skips it or expects it to fail."""
    path, _, name = test.partition("::")
    assert path.startswith("tests/")
    assert path.rpartition("/")[2].startswith("test_")
    found = functions(path)
    assert name in found, f"{path} has no {name}"
    marks = " ".join(ast.unparse(mark) for mark in found[name].decorator_list)
    assert "skip" not in marks
    assert "xfail" not in marks
