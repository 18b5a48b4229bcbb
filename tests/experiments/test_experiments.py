"""Each experiment, in small: its points, its table, its figure, and that processes change nothing."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from experiments import __main__ as runner
from tcpsim.draw.figure_style import render
from tcpsim.measure.sweep import sweep

SMALL: dict[str, dict[str, Any]] = {
    "kernel_on_the_exact_curve": {"states": 20, "every": 300},
    "leaks_against_loss": {"connections": 12},
    "exact_leaks_against_loss": {"rates": 3, "connections": 1},
    "losses_it_takes": {"states": 12, "closing": 12},
    "growth_in_a_day": {"per_second": 0.01},
    "growth_in_thirty_days": {"times": 3, "rates": 3},
    "timeout_and_keepalive": {"every_us": 4 * 3_600_000_000},
    "with_and_without_timeout": {"per_second": 0.01},
    "mbufs_until_the_crash": {"rate": 0.02},
    "worker_until_emfile": {"per_second": 0.02},
    "which_limit_first": {"per_second": 0.1},
    "buggy_share_and_keepalivetimeout": {"per_second": 0.02},
    "lingering_processes_and_lost_responses": {"connections": 4},
    "page_time_and_connections": {"visitors": 1},
}


FEWER = {"exact_leaks_against_loss": 5, "losses_it_takes": 3}  # every so many


def small(name: str) -> list[Any]:
    points = import_module(f"experiments.{name}").points(False)[:: FEWER.get(name, 1)]
    return [point._replace(**SMALL[name]) for point in points]


def test_every_experiment_is_in_the_list() -> None:
    files = {path.stem for path in Path(runner.__file__).parent.glob("*.py")} - {"__init__", "__main__"}
    assert files == set(runner.NAMES) == set(SMALL)


@pytest.mark.parametrize("name", runner.NAMES)
def test_the_docstring_asks_one_question(name: str) -> None:
    first = (import_module(f"experiments.{name}").__doc__ or "").partition("\n\n")[0]
    assert first.count("?") == 1


@pytest.mark.parametrize("name", runner.NAMES)
def test_full_asks_more(name: str) -> None:
    experiment = import_module(f"experiments.{name}")
    default, full = experiment.points(False), experiment.points(True)
    assert len(set(default)) == len(default)
    assert len(full) >= len(default)
    assert set(full).isdisjoint(default)


@pytest.mark.parametrize("name", runner.NAMES)
def test_it_tabulates_and_draws(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "UNFINISHED", tmp_path / "unfinished")
    points = small(name)
    monkeypatch.setattr(import_module(f"experiments.{name}"), "points", lambda full: points)
    assert [done for done, _ in runner.perform([name], full=False, workers=1, out=tmp_path)] == [name]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        f"{name}.csv",
        f"{name}.png",
        f"{name}.svg",
    ]
    table = pl.read_csv(tmp_path / f"{name}.csv", infer_schema_length=None)
    assert len(table) > 0
    again = render(import_module(f"experiments.{name}").figure(table), "svg")
    assert again == (tmp_path / f"{name}.svg").read_bytes()
    assert re.search(rb"<text|<path|<use", again)


def test_processes_change_no_table() -> None:
    name = "leaks_against_loss"
    points = small(name)[::3]
    answer = import_module(f"experiments.{name}").answer
    alone = sweep(points, answer)
    assert pl.DataFrame([row for rows in alone for row in rows])["leaked"].sum() > 0
    assert sweep(points, answer, workers=3) == alone


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["growth"], f"experiment: found 'growth', allowed: {', '.join(runner.NAMES)}\n"),
        (["growth_in_a_day", "--workers", "0"], "workers: found 0, allowed: a whole number from 1"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str],
    complaint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["experiments", *arguments, "--out", str(tmp_path / "out")])
    monkeypatch.chdir(tmp_path)
    assert runner.main() == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1
