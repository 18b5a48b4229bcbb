"""What every result can do: one line, a page, rows, JSON, files, and what a notebook shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import tcpsim
from tcpsim.api.result import Result
from tcpsim.measure.results import Table

KERNEL = Path(__file__).parents[1] / "data" / "kernel" / "traces"
MAKE: dict[str, Callable[[], Result]] = {
    "run": lambda: tcpsim.run("closewait-ignored-eof"),
    "compare": lambda: tcpsim.compare("closewait-ignored-eof", "client-closes"),
    "exact": lambda: tcpsim.exact("unread-data-reset", loss=[0.0, 0.1], limit=300),
    "check": lambda: tcpsim.check("unread-data-reset", "orphan-has-timer", limit=300),
    "population": lambda: tcpsim.population("closewait-ignored-eof", rate=1, for_="20s"),
    "exhaust": lambda: tcpsim.exhaust("mbufs-without-a-timer", for_="2min"),
    "users": lambda: tcpsim.users("three-idle-timeouts", variant="pool, server, firewall"),
    "explain": lambda: tcpsim.explain("closewait-ignored-eof"),
    "states": tcpsim.states,
    "sweep": lambda: tcpsim.sweep(
        "unread-data-reset", {"loss": [0.0, 0.1]}, method="simulate", connections=20
    ),
}


@cache
def made(name: str) -> Result:
    return MAKE[name]()


@pytest.mark.parametrize("name", MAKE)
def test_it_is_one_line_a_page_and_rows(name: str) -> None:
    found = made(name)
    assert repr(found).startswith(f"<{type(found).__name__} ")
    assert "\n" not in repr(found)
    assert len(repr(found)) < 200
    assert str(found).count("\n") >= 2
    rows = found.table()
    assert rows
    assert all(isinstance(row, dict) for row in rows)
    json.dumps(found.to_dict())


@pytest.mark.parametrize("name", MAKE)
def test_a_notebook_shows_something(name: str) -> None:
    found = made(name)
    page = found._repr_html_()
    assert found.headline().split(":")[0] in page
    if found.pictured:
        picture = found._repr_svg_()  # type: ignore[attr-defined]
        assert ElementTree.fromstring(picture).tag.endswith("svg")
        assert "<svg" in page
    else:
        assert "<table>" in page


@pytest.mark.parametrize("name", MAKE)
def test_it_is_saved_as_its_suffix_says(name: str, tmp_path: Path) -> None:
    found = made(name)
    for suffix in (".json", ".txt", ".csv", *([".svg"] if found.pictured else [])):
        path = found.save(tmp_path / f"x{suffix}")
        assert path.stat().st_size > 10
    assert json.loads((tmp_path / "x.json").read_text()) == json.loads(json.dumps(found.to_dict()))
    with pytest.raises(tcpsim.InputError, match=r"found '\.doc', allowed: a name that ends in"):
        found.save(tmp_path / "x.doc")
    assert not (tmp_path / "x.doc").exists()


def test_a_run_is_also_a_script(tmp_path: Path) -> None:
    made("run").save(tmp_path / "x.pkt")
    assert "socket(" in (tmp_path / "x.pkt").read_text()


@pytest.mark.parametrize("kind", ["polars", "pandas", "xarray"])
def test_rows_become_what_is_asked_for(kind: str) -> None:
    pytest.importorskip(kind)
    assert type(made("exact").table(kind)).__module__.split(".")[0] == kind


def test_what_a_notebook_shows_is_escaped() -> None:
    page = Table.of_rows([{"<b>": "<script>alert(1)</script>"}]).html()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_long_table_says_how_much_is_left_out() -> None:
    assert "<p>5 more rows</p>" in Table({"a": range(25)}).html()


def test_what_the_command_line_prints_is_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    from tcpsim.cli import main

    def printed(*words: str) -> str:
        with pytest.raises(SystemExit):
            main(words)
        return capsys.readouterr().out

    assert printed("run", "closewait-ignored-eof") == made("run").text()
    assert json.loads(printed("run", "closewait-ignored-eof", "--json")) == json.loads(made("run").json())
    assert printed("compare", "closewait-ignored-eof", "--fix", "client-closes") == made("compare").text()
    assert printed("states") == made("states").text()


def test_settings_of_every_kind_reach_the_run() -> None:
    asked: dict[str, Any] = {"drop": "server FIN 1", "set": {"server.fin_wait_2_us": "7s"}, "loss_from": "1s"}
    found = tcpsim.run("closewait-ignored-eof", **asked)
    assert any(type(event).__name__ == "Lost" for event in found.events)
    assert found.played.begun.server.system.end.stack.fin_wait_2_us == 7_000_000


# Judges


def test_a_trace_of_a_kernel_is_judged_from_python(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    found = tcpsim.conform(KERNEL / "01a.json", progress=lambda *each: told.append(each))
    assert repr(found) == "<Conform 1 trace: 1 PASS, 0 FAIL, 0 UNSUPPORTED>"
    assert (found.passed, found.late, told) == (True, False, [(1, 1)])
    assert found.table()[0]["verdict"] == "PASS"
    assert json.loads(found.save(tmp_path / "verdicts.json").read_text())[0]["verdict"] == "PASS"


def test_the_lab_records_and_compares_from_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trace = json.loads((KERNEL / "01a.json").read_text())
    monkeypatch.setattr(tcpsim.lab, "on_real_hosts", lambda *_: trace)
    recording = tcpsim.lab.record("normal-close", horizon="300ms")
    assert recording.save(tmp_path / "trace.json").read_text().startswith('{"id"')
    assert tcpsim.conform(tmp_path / "trace.json").passed
    found = tcpsim.lab.compare("syn-cookies")
    assert found.same
    assert repr(found).startswith("<Comparison same: syn-cookies, ")
    with pytest.raises(tcpsim.InputError, match="did you mean normal-close"):
        tcpsim.lab.compare("normal-closes")
