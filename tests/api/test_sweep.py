"""A sweep: its axes, its rows, and that nothing changes them: workers, interruptions, dask."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tcpsim
from tcpsim.api import sweep_points as studies
from tcpsim.api.sweep import load
from tcpsim.measure.grid import axis, points

QUICK: dict[str, Any] = {"method": "simulate", "connections": 30, "horizon": "10min"}
GRID = {"loss": "0:0.4:3", "client": "closes-on-eof,never-closes"}


def value(found: Any, quantity: str, **where: Any) -> float:
    (row,) = [
        row
        for row in found.table()
        if row["quantity"] == quantity and all(row[name] == each for name, each in where.items())
    ]
    return float(row["value"])


@pytest.mark.parametrize(
    ("name", "values", "complaint"),
    [
        ("loss", "", "values with commas between"),
        ("loss", "0:0.3:1", "a COUNT of at least 2"),
        ("loss", "0.1,0.1", "0.1 twice"),
        ("delay", "1ms:soon:3", "a number with a unit"),
        ("loss", [], "values with commas between"),
    ],
)
def test_a_wrong_axis_is_one_line(name: str, values: Any, complaint: str) -> None:
    with pytest.raises(tcpsim.InputError, match=complaint):
        axis(name, values)


def test_points_are_combined_zipped_or_listed() -> None:
    assert len(points({"a": "1,2", "b": "x,y,z"}, {"c": "5,6", "d": "7,8"})) == 12
    assert points(listed=[{"a": 1}, {"b": 2}]) == [{"a": 1}, {"b": 2}]
    for wrong, complaint in (
        ({"grid": {"a": "1"}, "listed": [{"a": 1}]}, "points one by one, or axes"),
        ({"together": {"a": "1,2", "b": "1"}}, "axes of one length"),
        ({"grid": {"a": "1"}, "together": {"a": "1"}}, "each axis once"),
        ({}, "no axis"),
    ):
        with pytest.raises(tcpsim.InputError, match=complaint):
            points(**wrong)  # type: ignore[arg-type]


def test_a_larger_tolerance_explores_less_and_says_so() -> None:
    fine, coarse = (
        tcpsim.sweep("normal-close", {"loss": [0.02, 0.2]}, tolerance=each, method="exact", horizon="1h")
        for each in (1e-6, "1%")
    )
    for loss in (0.02, 0.2):
        rows = [[row for row in each.table() if row["loss"] == loss] for each in (fine, coarse)]
        assert rows[0][0]["states"] > rows[1][0]["states"]
        for exact, rough in zip(*rows, strict=False):
            assert rough["low"] <= exact["high"] + 1e-12
            assert rough["high"] >= exact["low"] - 1e-12
            assert rough["high"] - rough["low"] <= 0.01
    with pytest.raises(tcpsim.InputError, match="tolerance: found '2'"):
        tcpsim.sweep("normal-close", {"loss": [0.1]}, tolerance="2")


def test_rows_are_tidy_and_those_of_exact() -> None:
    found = tcpsim.sweep("one-rst-stack", {"loss": [0.1, 0.3]}, loss_from="300ms")
    exact = tcpsim.exact("one-rst-stack", loss=[0.1, 0.3], loss_from="300ms")
    for at, loss in enumerate((0.1, 0.3)):
        assert value(found, "permanent", loss=loss) == exact.permanent[at]
        assert value(found, "clean", loss=loss) == pytest.approx(1 - exact.permanent[at] - exact.error[at])
    row = found.table()[0]
    assert list(row)[:5] == ["loss", "quantity", "value", "low", "high"]
    assert (row["method"], row["unit"], row["seed"], row["error"]) == ("exact", "probability", 1, None)
    assert row["version"] == tcpsim.__version__


def test_loss_rates_of_one_set_up_share_one_exploration() -> None:
    asked = tcpsim.study("one-rst-stack", {"loss": "0:0.3:20", "fix": "none,client-closes"})
    assert (len(asked.points), len(asked.tasks)) == (40, 2)


def test_axes_of_every_kind_change_what_they_name() -> None:
    """The setting, the knob of one side, the parameter of a program, the fix, the scenario."""
    base: dict[str, Any] = {**QUICK, "connections": 2}
    for name, values in (
        ("server.fin_wait_2_us", "30s,none"),
        ("tcp_fin_timeout", "30s,31s"),
        ("client.request", "10,20"),
        ("stack_server", "linux,rfc9293"),
        ("fix", "none,client-closes"),
        ("scenario", "closewait-ignored-eof,normal-close"),
        ("drops", "server FIN 1,server FIN 1-3"),
    ):
        asked = tcpsim.study("closewait-ignored-eof", {name: values}, **base)
        first, second = (task.setup for task in asked.tasks)
        assert first is not None
        assert second is not None
        assert first.pair != second.pair, name


def test_processes_change_nothing() -> None:
    alone = tcpsim.sweep("closewait-ignored-eof", GRID, **QUICK)
    assert tcpsim.sweep("closewait-ignored-eof", GRID, workers=2, **QUICK)._table() == alone._table()
    assert value(alone, "permanent", client="never-closes", loss=0.0) == 1.0
    assert value(alone, "permanent", client="closes-on-eof", loss=0.0) == 0.0


def test_a_point_that_fails_is_a_row_and_a_mistake_everywhere_is_an_error() -> None:
    found = tcpsim.sweep(
        "normal-close", {"client.every": "1s,2s", "client": "closes-on-eof,polls-its-socket"}, **QUICK
    )
    assert {(row["client"], bool(row["error"])) for row in found.table()} == {
        ("closes-on-eof", True),
        ("polls-its-socket", False),
    }
    assert "parameter" in found.errors[0]["error"]
    with pytest.raises(tcpsim.InputError, match="a mistake at every one of them"):
        tcpsim.sweep("normal-close", {"client": "closes-on-oef,never-close"})
    with pytest.raises(tcpsim.InputError, match=r"axis: found 'los' \(did you mean"):
        tcpsim.sweep("normal-close", {"los": "0,1"})


def test_what_is_held_over_time_is_in_its_band() -> None:
    asked: dict[str, Any] = {"at": "1min,5min", "rate": "2/s", "for_": "5min"}
    exact = tcpsim.sweep("closewait-ignored-eof", {"loss": [0.0]}, method="exact", **asked)
    counted = tcpsim.sweep(
        "closewait-ignored-eof", {"loss": [0.0]}, method="simulate", replications=5, seed=3, **asked
    )
    held = value(exact, "client CLOSE-WAIT", t_s=300.0)
    assert held == pytest.approx(600, rel=0.01)
    (row,) = [r for r in counted.table() if r["quantity"] == "client CLOSE-WAIT" and r["t_s"] == 300.0]
    assert row["low"] - 30 < held < row["high"] + 30
    assert row["unit"] == "sockets"


STUDY = """
import sys
import tcpsim
tcpsim.sweep("closewait-ignored-eof", {grid!r}, out="rows.csv", progress=tell, **{quick!r})
"""


def test_killed_in_the_middle_it_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    """The process kills itself without a word behind its second and its third set-up."""
    whole = tcpsim.sweep("closewait-ignored-eof", GRID | {"delay": "5ms,10ms"}, **QUICK)
    whole.save(tmp_path / "whole.csv")
    for enough in (2, 3, 99):
        program = (
            "import os, signal\n"
            f"def tell(done, total):\n    if done == {enough}: os.kill(os.getpid(), signal.SIGKILL)\n"
        ) + STUDY.format(grid=GRID | {"delay": "5ms,10ms"}, quick=QUICK)
        done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False)
        assert done.returncode == (0 if enough == 99 else -signal.SIGKILL)
        parts = tmp_path / "rows.csv.parts"
        assert parts.exists() == (enough != 99)
        if enough != 99:
            assert len(list(parts.glob("[!.]*.json"))) == enough
    assert (tmp_path / "rows.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv", "whole.csv"]


def test_a_place_that_cannot_be_written_is_known_before_the_work(tmp_path: Path) -> None:
    for name, complaint in (("no/where.csv", "cannot be written"), ("x.doc", "a name that ends in")):
        with pytest.raises(tcpsim.InputError, match=complaint):
            tcpsim.sweep("normal-close", GRID, out=tmp_path / name, **QUICK)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was finished before stays, and the sweep goes on when there is room again."""
    from tcpsim.measure import sweep as sweeping

    real = Path.write_text

    def full(self: Path, text: str, *arguments: Any, **options: Any) -> int:
        if self.suffix == ".json":
            with open("/dev/full", "w") as disk:
                disk.write(text)
        return real(self, text, *arguments, **options)

    assert sweeping
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left on device"):
        tcpsim.sweep("closewait-ignored-eof", GRID, out=tmp_path / "x.csv", **QUICK)
    monkeypatch.undo()
    assert not (tmp_path / "x.csv").exists()
    tcpsim.sweep("closewait-ignored-eof", GRID, out=tmp_path / "x.csv", **QUICK)
    assert len(load(tmp_path / "x.csv").table()) > 10


def test_rows_come_back_from_every_format(tmp_path: Path) -> None:
    found = tcpsim.sweep("closewait-ignored-eof", GRID, **QUICK)
    for suffix in (".csv", ".json", ".parquet"):
        if suffix == ".parquet":
            pytest.importorskip("polars")
        again = load(found.save(tmp_path / f"x{suffix}") if suffix != ".json" else rows_of(found, tmp_path))
        assert again.axes == found.axes
        assert [row["value"] for row in again.table()] == pytest.approx(
            [row["value"] for row in found.table()]
        )
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(tcpsim.InputError, match="rows that tcpsim sweep has written"):
        load(tmp_path / "other.csv")


def rows_of(found: Any, folder: Path) -> Path:
    from tcpsim.measure.results import write_table

    write_table(found._table(), folder / "x.json")
    return folder / "x.json"


def test_arrays_have_named_axes_and_units() -> None:
    pytest.importorskip("xarray")
    pytest.importorskip("pandas")
    found = tcpsim.sweep("closewait-ignored-eof", GRID, **QUICK)
    arrays = found.to_xarray()
    assert dict(arrays.sizes) == {"loss": 3, "client": 2, "quantity": len(found.quantities)}
    assert arrays["value"].attrs["units"] == "probability"
    chosen = arrays["value"].sel(loss=0.0, client="never-closes", quantity="permanent")
    assert float(chosen) == 1.0
    assert len(found.to_pandas()) == len(found.table())


def test_a_picture_says_which_axis_has_no_place() -> None:
    few = QUICK | {"connections": 3}
    found = tcpsim.sweep("closewait-ignored-eof", GRID | {"delay": "5ms,10ms"}, **few)
    figure = found.plot("loss", "permanent", "client", "delay")
    assert len([panel for panel in figure.axes if panel.axison]) == 2
    more = GRID | {"delay": "5ms,9ms", "server.hz": "100,250"}
    with pytest.raises(tcpsim.InputError, match=r"server\.hz has 2 values but is not shown"):
        tcpsim.sweep("closewait-ignored-eof", more, **few).plot("loss")
    wrongs = (
        ({"x": "los"}, "x: found 'los'"),
        ({"y": "leaks"}, "y: found 'leaks'"),
        ({"log": "z"}, "log: found"),
    )
    for wrong, complaint in wrongs:
        with pytest.raises(tcpsim.InputError, match=complaint):
            found.plot(**wrong)


def test_a_sweep_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tcpsim.cli import main

    (tmp_path / "leaks.toml").write_text(
        'scenario = "closewait-ignored-eof"\nout = "leaks.csv"\nmethod = "simulate"\nconnections = 30\n'
        'horizon = "10min"\n[grid]\nloss = "0:0.4:3"\nclient = ["closes-on-eof", "never-closes"]\n'
        '[plot]\nx = "loss"\nby = "client"\nout = "leaks.svg"\n'
    )
    with pytest.raises(SystemExit) as ending:
        main(["sweep", str(tmp_path / "leaks.toml")])
    assert not ending.value.code
    assert "6 points of loss x client, simulate" in capsys.readouterr().out
    tcpsim.sweep("closewait-ignored-eof", GRID, out=tmp_path / "again.csv", **QUICK)
    assert (tmp_path / "leaks.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()
    assert (tmp_path / "leaks.svg").exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("x = 1\n[grid]\nloss = '0,1'", "'x'"),
        ("[grid]\nloss = '0,1'", "no scenario"),
        ("scenario = 'normal-close'\ngrid = 3", "grid: found 3"),
        ("scenario = 'normal-close'\n[grid]\nloss='0,1'\n[plot]\nz = 1", "plot: found 'z'"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, content: str, complaint: str) -> None:
    from tcpsim.api.sweep_file import read_sweep

    (tmp_path / "x.toml").write_text(content)
    with pytest.raises(tcpsim.InputError, match=complaint):
        read_sweep(tmp_path / "x.toml")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sockets of the killed worker
def test_dask_gives_the_same_rows() -> None:
    """Two workers on loopback; one is killed in the middle."""
    distributed = pytest.importorskip("distributed")
    alone = tcpsim.sweep("closewait-ignored-eof", GRID, **QUICK)
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0", "processes": True}
    with (
        distributed.LocalCluster(host="127.0.0.1", **settings) as cluster,
        distributed.Client(cluster) as client,
    ):
        killed: list[int] = []

        def kill(done: int, total: int) -> None:
            if not killed:
                pid = next(iter(cluster.workers.values())).pid
                killed.append(pid)
                os.kill(pid, signal.SIGKILL)

        found = tcpsim.sweep(
            "closewait-ignored-eof", GRID, executor=client.get_executor(retries=3), progress=kill, **QUICK
        )
    assert killed
    assert found._table() == alone._table()
    assert studies.answer
