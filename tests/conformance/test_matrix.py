"""The matrix of segments and states: it is complete, the files are the generator's, and every one passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tcpsim.conformance.packetdrill import Verdict, judge, judge_file, ladder, survey
from tcpsim.tcp.state import State, parse_state
from tests.conformance import matrix, matrix_kills
from tests.conformance.matrix_cells import COLUMNS, KINDS, NO_SUCH_SEGMENT, STACKS, cells
from tests.conformance.matrix_ways import WAYS

WANTED = matrix.scripts()


def test_every_state_meets_every_segment_under_every_stack() -> None:
    found = [(cell.stack, cell.kind, cell.way) for cell in cells() if cell.stack in STACKS[:3]]
    assert sorted(found) == sorted((s, k, w) for s in STACKS[:3] for k in KINDS for w in COLUMNS)
    assert {parse_state(way.state) for way in WAYS.values()} == set(State)


def test_a_cell_that_cannot_exist_has_a_reason() -> None:
    assert {cell.way for cell in cells() if cell.answer == "x"} == set(NO_SUCH_SEGMENT)


def test_the_files_are_what_the_generator_writes() -> None:
    files = {
        str(path.relative_to(matrix.SCRIPTS)): path.read_text(encoding="utf-8")
        for path in matrix.SCRIPTS.rglob("*.pkt")
        if path.name.startswith(matrix.GENERATED)
    }
    assert files == WANTED, "python -m tests.conformance.matrix --write"


def test_the_page_is_what_the_generator_writes() -> None:
    text = matrix.PAGE.read_text(encoding="utf-8")
    assert matrix.page(text) == text, "python -m tests.conformance.matrix --write"


@pytest.mark.parametrize("way", COLUMNS)
@pytest.mark.parametrize("stack", STACKS)
def test_the_scripts_pass(stack: str, way: str) -> None:
    for cell in cells():
        if (cell.stack, cell.way) == (stack, way) and cell.answer != "x":
            judged = judge(matrix.script(cell), matrix.name(cell))
            assert judged.stack == stack.partition("-")[0]
            assert judged.verdict is Verdict.PASS, f"{judged.path} {judged.reason}\n{ladder(judged)}"


@pytest.mark.parametrize("path", matrix_kills.scripts())
def test_the_scripts_of_kills_pass_and_can_fail(path: str) -> None:
    text = matrix_kills.scripts()[path]
    judged = judge(text, path)
    assert judged.verdict is Verdict.PASS, f"{judged.path} {judged.reason}\n{ladder(judged)}"
    found = survey(text)
    assert found is not None
    assert found.alive == ()


@pytest.mark.parametrize("path", matrix.others(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_other_scripts_pass(path: Path) -> None:
    judged = judge_file(path)
    assert judged.stack == path.parent.name.partition("-")[0]
    assert judged.verdict is Verdict.PASS, f"{judged.place} {judged.reason}\n{ladder(judged)}"
