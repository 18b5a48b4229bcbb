"""Everything the README and docs/ show is run: python blocks, console blocks, and the make targets they name.

A console block is `$ command` lines, each followed by what it prints; a line `...` stands for any lines. A
python block prints what the text block behind it says.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.patience import PATIENCE_S

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md"]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    """A command or a program, and what it must print."""

    page: str
    line: int
    source: str
    expected: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> list[tuple[int, str, str]]:
    """(line, language, content) of each fenced block."""
    text = page.read_text(encoding="utf-8")
    return [(text[: found.start()].count("\n") + 1, found[1], found[2]) for found in _BLOCK.finditer(text)]


def commands() -> Iterator[Example]:
    """Every `$ command` of every page, with its output."""
    for page in PAGES:
        for line, language, content in blocks(page):
            if language != "console":
                continue
            for part in re.split(r"^\$ ", content, flags=re.MULTILINE)[1:]:
                command, _, expected = part.partition("\n")
                yield Example(page.name, line, command, expected)


def programs() -> Iterator[Example]:
    """Every python block of every page, with the text block behind it."""
    for page in PAGES:
        found = blocks(page)
        for (line, language, content), behind in zip(found, [*found[1:], (0, "", "")], strict=False):
            if language == "python":
                yield Example(page.name, line, content, behind[2] if behind[1] == "text" else "")


def agrees(printed: str, expected: str) -> bool:
    """Whether the output is what the page says, `...` alone on a line standing for any lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line) + r"\n"
        for line in expected.rstrip().splitlines()
    )
    return re.fullmatch(pattern, printed.rstrip() + "\n") is not None


def run(command: list[str] | str, where: Path) -> str:
    """What it prints, started in a directory of its own with the project's programs first on the PATH."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    done = subprocess.run(
        command, shell=isinstance(command, str), cwd=where, env={**os.environ, "PATH": path, "NO_COLOR": "1"},
        capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("example", [*commands()], ids=str)
def test_a_command_prints_what_the_page_shows(example: Example, tmp_path: Path) -> None:
    if example.source.startswith("pip install "):
        return  # tests/test_install.py installs the wheel into an environment of its own
    if example.source.startswith("make "):
        assert shutil.which("make"), "the project needs make"
        run(["make", "--dry-run", *example.source.split()[1:]], ROOT)
        return
    printed = run(example.source, tmp_path)
    assert agrees(printed, example.expected), printed


@pytest.mark.parametrize("example", [*programs()], ids=str)
def test_a_program_prints_what_the_page_shows(example: Example, tmp_path: Path) -> None:
    printed = run([sys.executable, "-c", example.source], tmp_path)
    assert agrees(printed, example.expected), printed


def test_the_readme_shows_something() -> None:
    """A page without blocks would pass every test above."""
    shown = [example for example in [*commands(), *programs()] if example.page == "README.md"]
    assert len(shown) >= 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize(
    ("printed", "expected", "same"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\nb\nc\n", "a\n...\nc\n", True),
        ("a\nb\n", "a\n", False),
        ("a\n", "b\n", False),
    ],
)
def test_agreement_can_fail(printed: str, expected: str, same: bool) -> None:
    assert agrees(printed, expected) is same
