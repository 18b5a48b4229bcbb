"""One file for all commands, the index of the catalogue, and the files that it prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tcpsim.catalogue.index import KINDS, names
from tcpsim.catalogue.setup_file import parse_setup

Tcpsim = Callable[..., tuple[int, str, str]]
FILE = """\
[client]
behaviour = "never-closes"
[server]
behaviour = "responds-then-closes"
[middlebox]
name = "our-nat"
base = "linux-conntrack"
role = "NAT"
close_wait = { value = "90s", source = "our wiki" }
[arrivals]
rate = "2/s"
for = "20s"
fixed = true
[limits]
client.descriptors = 10
[host]
after = ["4s", "5s"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_every_command_reads_the_same_file(tcpsim: Tcpsim, file: Path) -> None:
    status, out, _ = tcpsim("exhaust", str(file))
    assert (status, "expect: met\n" in out) == (0, True)
    assert "after 4.5 s: EMFILE" in out
    assert "Look for" not in out, "the file says nothing to look for"
    _, out, _ = tcpsim("population", str(file))
    assert "40 connections in 20 s" in out
    assert "client descriptors: the limit of 10 first met after 4.5" in out
    _, out, _ = tcpsim("population", str(file), "--rate", "1/s", "--limit", "client.descriptors=3")
    assert "20 connections" in out
    assert "the limit of 3" in out
    status, out, _ = tcpsim("run", str(file))
    assert (status, "verdict  permanent" in out) == (0, True)
    _, out, _ = tcpsim("middleboxes", str(file))
    assert "our-nat close_wait_us = 90s\n    our wiki\n" in out
    assert "our-nat answers = nobody\n    the usual rules" in out


def test_what_does_not_come_out_so_is_status_1(tcpsim: Tcpsim, file: Path) -> None:
    file.write_text(FILE.replace('["4s", "5s"]', '["6s", "7s"]'), encoding="utf-8")
    status, out, _ = tcpsim("exhaust", str(file), "--json")
    assert status == 1
    (surprise,) = json.loads(out)["surprises"]
    assert surprise.startswith("runs out after 4.5")
    group = '[arrivals]\nrate = "1/s"\nfor = "5s"\n[pool]\n[[variant]]\nname = "a"\nexpect = { failed = 3 }\n'
    file.write_text(group, encoding="utf-8")
    status, out, _ = tcpsim("users", str(file))
    assert (status, out.endswith("\nexpect: a: failed 0, not 3 to 3\n")) == (1, True)


def test_the_wrong_command_names_the_right_one(tcpsim: Tcpsim, file: Path) -> None:
    assert tcpsim("users", str(file))[2].startswith(
        "tcpsim: my.toml: found a workload, allowed: a user group: a"
    )
    file.write_text('base = "normal-close"\n', encoding="utf-8")
    assert tcpsim("exhaust", str(file))[2].startswith(
        "tcpsim: my.toml: found a scenario, allowed: a workload: a"
    )
    file.write_text('[arrivals]\nrate = 1\nfor = "1s"\n[pool]\n', encoding="utf-8")
    for command in ("run", "exhaust"):
        told = tcpsim(command, str(file))[2]
        assert told == f"tcpsim: my.toml: found a user group, allowed: tcpsim users {file}\n"


def test_every_mistake_of_a_file_is_a_line(tcpsim: Tcpsim, file: Path) -> None:
    file.write_text(
        FILE.replace("never-closes", "never").replace("2/s", "x").replace("90s", "90"), encoding="utf-8"
    )
    status, out, err = tcpsim("exhaust", str(file))
    assert (status, out) == (2, "")
    assert [line.split(": ")[2] for line in err.splitlines()] == [
        "arrivals.rate",
        "client.behaviour",
        "middlebox.close_wait",
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_index_by_kind(tcpsim: Tcpsim, kind: object) -> None:
    _, out, _ = tcpsim("scenarios", "--kind", kind.name, "--json")  # type: ignore[attr-defined]
    assert [each["name"] for each in json.loads(out)] == [*names(kind)]  # type: ignore[arg-type]
    _, text, _ = tcpsim("scenarios", "--kind", kind.name)  # type: ignore[attr-defined]
    told = {line.split()[0] for line in text.splitlines() if line.startswith("  ")}
    assert told == {*names(kind)}  # type: ignore[arg-type]


def test_symptoms_are_of_scenarios(tcpsim: Tcpsim) -> None:
    assert tcpsim("scenarios", "--state", "LAST-ACK", "--kind", "scenario")[1].startswith(
        "last-ack-on-the-server"
    )
    _, _, err = tcpsim("scenarios", "--state", "LAST-ACK", "--kind", "users")
    assert (
        err == "tcpsim: --kind: found users, allowed: scenario: --state, --side and --owner find scenarios\n"
    )


def test_one_file_of_each_kind_is_printed_and_read_back(tcpsim: Tcpsim) -> None:
    _, out, _ = tcpsim("scenarios", "--toml")
    parts = [f"# {part}" for part in out.removeprefix("# ").split("\n# a ")]
    assert [part.split(": tcpsim ")[1].split()[0] for part in parts] == [
        "run",
        "exhaust",
        "users",
        "middleboxes",
    ]
    kinds = [type(parse_setup(part, "x.toml", "x")).__name__ for part in parts[:3]]
    assert kinds == ["Scenario", "Workload", "UserGroup"]
    box = parse_setup(f'base = "normal-close"\n{parts[3]}', "x.toml", "x").middlebox  # type: ignore[union-attr]
    assert getattr(box, "name", None) == "our-nat"
    for name in ("three-idle-timeouts", "orphan-storm"):
        assert parse_setup(tcpsim("scenarios", "--toml", name)[1], "x.toml", name).name == name
    assert "found 'orphans-storm'" in tcpsim("scenarios", "--toml", "orphans-storm")[2]
