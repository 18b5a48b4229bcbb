"""The lessons of docs/lessons run to the last cell, and their exercises know right from wrong."""

from __future__ import annotations

import json
import re
import subprocess
import venv
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE_S

ROOT = Path(__file__).parent.parent.parent
LESSONS = sorted((ROOT / "docs" / "lessons").glob("*.ipynb"))


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


def test_there_are_six_short_ones_without_output() -> None:
    assert len(LESSONS) == 6
    for path in LESSONS:
        found = cells(path)
        assert len(found) < 10
        assert not any(cell.get("outputs") for cell in found)
        assert found[-1]["metadata"]["tags"] == ["answer"]
        assert "**Exercise.**" in source(found[-2])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs(path: Path, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed (the extra lessons)")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed (the extra lessons)")
    book = nbformat.read(path, as_version=4)
    last = book.cells[-1]
    for which in ("right", "wrong"):
        again = nbformat.v4.new_code_cell(re.sub(r"\bNone\b", last.metadata[which], last.source, count=1))
        book.cells.append(again)
    nbclient.NotebookClient(book, timeout=PATIENCE_S, kernel_name="python3").execute(cwd=str(tmp_path))
    told = ["".join(output.get("text", "") for output in cell.outputs) for cell in book.cells[-3:]]
    assert told[0].startswith("Not yet"), "before there is an answer"
    assert told[1].startswith("Right"), "the right answer"
    assert told[2].startswith("Not yet"), "a wrong answer"
    shown = [output for cell in book.cells for output in cell.get("outputs", ()) if "data" in output]
    assert any({"image/png", "image/svg+xml", "text/html"} & set(output["data"]) for output in shown)


@pytest.mark.verify
def test_lessons_run_in_a_fresh_environment(tmp_path: Path) -> None:
    """What the documented extra installs is enough."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"{ROOT}[lessons]"]
    subprocess.run(install, check=True, timeout=PATIENCE_S)
    program = (
        "import sys, nbformat, nbclient\n"
        "for path in sys.argv[1:]:\n"
        f"    nbclient.NotebookClient(nbformat.read(path, as_version=4), timeout={PATIENCE_S}).execute()\n"
    )
    subprocess.run([python, "-c", program, *map(str, LESSONS)], check=True, cwd=tmp_path, timeout=PATIENCE_S)
