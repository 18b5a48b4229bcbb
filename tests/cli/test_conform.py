"""`tcpsim conform`: verdicts, totals, exit status, and what lies among traces and is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.kernel import FOLDER, POPULATIONS, call, content

Tcpsim = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A trace that passes, one that does not, one that asks for too much, and a population."""
    fails, asks = content("traces/02a"), content("traces/02a")
    call(fails, "A", "send", -1)["err"] = "ECONNRESET"
    asks["meta"]["sysctls"] = {"A": {"tcp_mtu_probing": 1}}
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.json").write_bytes((FOLDER / "traces/01a.json").read_bytes())
    (tmp_path / "b.json").write_text(json.dumps(fails))
    (tmp_path / "sub" / "c.json").write_text(json.dumps(asks))
    (tmp_path / "sub" / "p00.json").write_text(json.dumps({"run": "p00", "series": {}}))
    return tmp_path


@pytest.fixture
def population(tmp_path: Path) -> Path:
    """The run without loss, as if only every twentieth second had been counted."""
    found = json.loads((POPULATIONS / "p00.json").read_bytes())
    for host in found["series"].values():
        host.update({name: values and values[::20] for name, values in host.items()})
    path = tmp_path / "population.json"
    path.write_text(json.dumps(found))
    return path


def test_a_trace_that_passes(tcpsim: Tcpsim) -> None:
    status, out, err = tcpsim("conform", str(FOLDER / "traces" / "01a.json"))
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == "1 trace: 1 PASS, 0 FAIL, 0 UNSUPPORTED"


def test_a_folder_with_everything(tcpsim: Tcpsim, folder: Path) -> None:
    status, out, err = tcpsim("conform", str(folder))
    assert status == 1
    assert err == f"left out 1 populations, which are not traces, in {folder / 'sub'}\n"
    assert out.splitlines()[-1] == "3 traces: 1 PASS, 1 FAIL, 1 UNSUPPORTED"
    assert f"UNSUPPORTED {folder / 'sub' / 'c.json'}" in out
    assert "sysctl tcp_mtu_probing: the profile has no such knob" in out
    (line,) = [line for line in out.splitlines() if line.startswith("! ")]
    assert line.split() == [
        "!",
        "6100.224",
        "c",
        "send",
        "=",
        "ECONNRESET",
        "│",
        "6100.219",
        "c",
        "send",
        "=",
        "EPIPE",
    ]


def test_json(tcpsim: Tcpsim, folder: Path, population: Path) -> None:
    status, out, _ = tcpsim("conform", "--json", "--exact", str(folder / "b.json"), str(population))
    assert status == 1
    fails, passes = json.loads(out)
    assert fails["path"] == str(folder / "b.json")
    assert (fails["verdict"], passes["verdict"]) == ("FAIL", "PASS")
    assert fails["reason"] == "at 6100.219 ms, client c send: send = ECONNRESET, simulated EPIPE"
    assert [(row["name"], row["counted"]) for row in passes["end"]] == [("A CW", 477)]


def test_a_population(tcpsim: Tcpsim, population: Path) -> None:
    status, out, err = tcpsim("conform", "--exact", str(population))
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[-1] == "1 population: 1 PASS, 0 FAIL"
    assert ["477", "477.0", "477..477", "fits", "A", "CW"] in [line.split() for line in lines]


def test_a_drawn_population(tcpsim: Tcpsim, population: Path) -> None:
    status, out, err = tcpsim("conform", "--replicates", "1", "--seed", "3", str(population))
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[1].strip() == "the kernel cached round-trip times per destination, and the model does too"
    assert lines[-1] == "1 population: 1 PASS, 0 FAIL"


def test_what_was_not_followed_is_said(tcpsim: Tcpsim, tmp_path: Path) -> None:
    found = json.loads((POPULATIONS / "plain_p20_or2.json").read_bytes())
    for host in found["series"].values():
        host.update({name: values and values[::100] for name, values in host.items()})
    path = tmp_path / "population.json"
    path.write_text(json.dumps(found))
    status, out, _ = tcpsim("conform", "--exact", "--limit", "100", str(path))
    assert status == 1
    assert "the intervals are wider by this number" in out
    assert out.startswith("OPEN")


def test_a_population_is_read_before_any_is_judged(tcpsim: Tcpsim, folder: Path) -> None:
    broken = folder / "sub" / "p00.json"
    status, out, err = tcpsim("conform", str(POPULATIONS / "p00.json"), str(broken))
    assert (status, out) == (2, "")
    assert err.startswith(f"tcpsim: {broken}: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("missing", ["nowhere.json", "."])
def test_no_traces_at_all(tcpsim: Tcpsim, tmp_path: Path, missing: str) -> None:
    status, out, err = tcpsim("conform", str(tmp_path / missing))
    assert (status, out) == (2, "")
    assert err.startswith(f"tcpsim: {tmp_path / missing}: found no")
    assert err.count("\n") == 1
