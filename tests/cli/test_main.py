"""The program itself: one line for a mistake, the right status, quiet when nobody listens."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tcpsim.app.behaviour import behaviours
from tcpsim.cli import COMMANDS
from tcpsim.tcp.lifecycle import TABLE
from tests.patience import PATIENCE_S

TCPSIM = Path(sysconfig.get_path("scripts")) / "tcpsim"


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """The installed program, as a user starts it."""
    command = [str(TCPSIM), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, **options)  # type: ignore[call-overload, no-any-return]


Tcpsim = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["stats"], "tcpsim: command: found 'stats' (did you mean states or stacks?)"),
        (["states", "--out", "x.gif"], "tcpsim: --out: found 'x.gif', allowed: a name that ends in .svg"),
        (
            ["states", "--out", "no/where.svg"],
            "tcpsim: --out: found 'no/where.svg', in a directory that does not",
        ),
        (["states", "--nope"], "tcpsim: No such option"),
        (["states", "--out"], "tcpsim: Option '--out' requires an argument"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(tcpsim: Tcpsim, arguments: list[str], complaint: str) -> None:
    status, out, err = tcpsim(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(complaint)
    assert err.count("\n") == 1


def test_without_arguments_it_says_how_to_use_it(tcpsim: Tcpsim) -> None:
    status, out, _ = tcpsim()
    assert status == 2
    assert "population" in out


def test_states_as_json_is_the_table(tcpsim: Tcpsim) -> None:
    status, out, _ = tcpsim("states", "--json")
    assert status == 0
    assert [row["rule"] for row in json.loads(out)] == [row.rule for row in TABLE]
    assert set(json.loads(out)[0]) == {"rule", "state", "fact", "next_state", "source"}


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf", "txt"])
def test_states_as_a_file(tcpsim: Tcpsim, tmp_path: Path, suffix: str) -> None:
    status, out, err = tcpsim("states", "--out", str(tmp_path / f"states.{suffix}"))
    assert (status, out, err) == (0, "", "")
    assert (tmp_path / f"states.{suffix}").stat().st_size > 1_000


def test_output_that_is_not_a_terminal_has_no_colour(tcpsim: Tcpsim) -> None:
    assert "\x1b" not in tcpsim("states")[1]


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = f"'{TCPSIM}' states | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert done.stdout == "CLOSED\n"
    assert done.stderr == ""


def test_a_terminal_that_knows_ascii_only_gets_ascii() -> None:
    done = run("states", env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()


def test_a_terminal_gets_colour_unless_it_says_no() -> None:
    terminal = {**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    terminal.pop("NO_COLOR", None)
    assert "\x1b[" in run("states", env=terminal).stdout
    assert "\x1b" not in run("states", env={**terminal, "NO_COLOR": "1"}).stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_names_every_command_and_its_json(tcpsim: Tcpsim, name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `tcpsim ")]
    assert any(f"`tcpsim {name}" in row for row in rows)
    reference = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
    titles = [line for line in reference.splitlines() if line.startswith("## ")]
    takes_json = "--json" in tcpsim(name, "--help")[1]
    assert takes_json == any(f"`tcpsim {name} " in title for title in titles)


def test_every_behaviour_stands_beside_what_it_does(tcpsim: Tcpsim) -> None:
    lines = tcpsim("behaviours")[1].splitlines()
    names = [each.name for each in behaviours()]
    width = max(len(name) for name in names)
    starts = [line for line in lines if line.startswith("  ") and line[2] != " "]
    assert [line.split()[0] for line in starts] == names
    assert {line[2 + width] for line in starts} == {" "}
    assert all(line[3 + width] != " " for line in starts)


def test_the_help_of_make_is_aligned() -> None:
    recipe = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
    told = re.findall(r'@echo "(make \S+ +)', recipe)
    assert len(told) > 5
    assert {len(words) for words in told} == {len("make figures-full  ")}
