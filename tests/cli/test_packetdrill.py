"""`tcpsim packetdrill`: a line per script, totals, JSON, exit statuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tcpsim.conformance.packetdrill import Mutant, Survey
from tcpsim.conformance.packetdrill.script import Place

Program = Callable[..., tuple[int, str, str]]

GOOD = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = 0\n"
BAD = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 < S 0:0(0) win 9\n+0 > S. 0:0(0) ack 1 <...>\n"
MISSING = "0 splice() = 3\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "good.pkt").write_text(GOOD)
    (tmp_path / "deeper" / "bad.pkt").write_text(BAD)
    (tmp_path / "missing.pkt").write_text(MISSING)
    (tmp_path / "readme.txt").write_text("no script")
    return tmp_path


def test_a_line_per_script_and_totals(tcpsim: Program, folder: Path) -> None:
    status, out, err = tcpsim("packetdrill", str(folder))
    assert (status, err) == (1, "")
    assert out.splitlines() == [
        f"FAIL        {folder}/deeper/bad.pkt:3:1: error handling packet: live packet field tcp_syn: "
        "expected: 1 (0x1) vs actual: 0 (0x0)",
        f"PASS        {folder}/good.pkt",
        f"UNSUPPORTED {folder}/missing.pkt:1:1: system call splice()",
        "    1 x FAIL        error handling packet: live packet field tcp_syn: "
        f"expected: 1 (0x1) vs actual: 0 (0x0) ({folder}/deeper/bad.pkt:3:1)",
        f"    1 x UNSUPPORTED system call splice() ({folder}/missing.pkt:1:1)",
        "3 scripts: 1 PASS, 1 FAIL, 1 UNSUPPORTED",
    ]


def test_the_status_is_0_only_if_all_pass(tcpsim: Program, folder: Path) -> None:
    assert tcpsim("packetdrill", str(folder / "good.pkt"))[0] == 0
    assert tcpsim("packetdrill", str(folder / "missing.pkt"))[0] == 1
    assert tcpsim("packetdrill", str(folder / "good.pkt"), str(folder / "deeper"))[0] == 1


def test_the_same_reason_is_one_line_with_a_count(tcpsim: Program, folder: Path) -> None:
    for number in range(12):
        (folder / f"again{number}.pkt").write_text(GOOD.replace("close(3) = 0", f"close(3) = {number + 1}"))
    status, out, _ = tcpsim("packetdrill", "--quiet", str(folder))
    assert status == 1
    assert out.splitlines() == [
        "   12 x FAIL        runtime error in close call: Expected result 1 but got 0 "
        f"({folder}/again0.pkt:2:1)",
        *out.splitlines()[1:3],
        "15 scripts: 1 PASS, 13 FAIL, 1 UNSUPPORTED",
    ]


@pytest.mark.parametrize("arguments", [(), ("--mutate",), ("--json",)])
def test_several_processes_say_the_same(tcpsim: Program, folder: Path, arguments: tuple[str, ...]) -> None:
    for number in range(5):
        (folder / f"more{number}.pkt").write_text(GOOD)
    one = tcpsim("packetdrill", str(folder), *arguments)
    assert tcpsim("packetdrill", str(folder), "--jobs", "2", *arguments) == one


def test_no_process_is_no_number_of_processes(tcpsim: Program, folder: Path) -> None:
    assert tcpsim("packetdrill", str(folder), "--jobs", "0")[0] == 2


def test_json(tcpsim: Program, folder: Path) -> None:
    status, out, _ = tcpsim("packetdrill", "--json", str(folder))
    found = json.loads(out)
    assert status == 1
    assert [(each["path"], each["verdict"], each["line"]) for each in found] == [
        (f"{folder}/deeper/bad.pkt", "FAIL", 3),
        (f"{folder}/good.pkt", "PASS", None),
        (f"{folder}/missing.pkt", "UNSUPPORTED", 1),
    ]
    assert found[0]["expected"] == "> S. 0:0(0) ack 1 <...>"
    assert found[0]["actual"].startswith("> R. 0:0(0) ack 1")
    assert len(found[0]["ladder"]) == 2


def test_ladder(tcpsim: Program, folder: Path) -> None:
    _, out, _ = tcpsim("packetdrill", "--ladder", str(folder / "deeper"))
    assert "expected > S. 0:0(0) ack 1 <...>" in out
    assert "< S 0:0(0) win 9   line 2" in out


def test_the_stack_and_words_are_given(tcpsim: Program, folder: Path) -> None:
    script = folder / "words.pkt"
    script.write_text("0 socket(..., SOCK_STREAM, PROTOCOL) = 3\n#ifdef STANDARD\n0 close(9) = 0\n#endif\n")
    assert tcpsim("packetdrill", "-D", "PROTOCOL=6", "--stack", "linux", str(script))[0] == 0
    assert tcpsim("packetdrill", "-D", "PROTOCOL=6", "--stack", "rfc9293", str(script))[0] == 1
    assert tcpsim("packetdrill", str(script))[0] == 1


def test_mutants(tcpsim: Program, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loose = folder / "good.pkt"
    status, out, _ = tcpsim("packetdrill", "--mutate", str(loose))
    assert (status, out) == (0, "1 scripts, 2 mutants: 0 alive (0.0 %)\n")
    alive = Survey(2, (Mutant(Place(1, 1), "result", "3", "4"),))
    monkeypatch.setattr("tcpsim.conformance.packetdrill.folder.survey", lambda *arguments: alive)
    status, out, _ = tcpsim("packetdrill", "--mutate", str(loose))
    assert status == 1
    assert out.startswith(f"ALIVE       {loose}:1:1: result 3 -> 4\n")
    _, out, _ = tcpsim("packetdrill", "--mutate", "--json", str(loose))
    assert json.loads(out)["scripts"][0]["alive"] == [
        {"line": 1, "field": "result", "was": "3", "became": "4"}
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere.pkt",), "does not exist"),
        (("--stack", "minix", "."), "stack"),
        (("-D", "x", "."), "-D"),
        ((), "PATH"),
    ],
)
def test_bad_arguments_are_one_line_and_status_2(
    tcpsim: Program, arguments: tuple[str, ...], words: str
) -> None:
    status, out, err = tcpsim("packetdrill", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_a_folder_without_scripts(tcpsim: Program, tmp_path: Path) -> None:
    status, _, err = tcpsim("packetdrill", str(tmp_path))
    assert status == 2
    assert "without scripts" in err


def test_bytes_that_are_no_text(tcpsim: Program, tmp_path: Path) -> None:
    (tmp_path / "odd.pkt").write_bytes(b"\xff\x00\xfe0 close(3) = 0")
    status, out, _ = tcpsim("packetdrill", str(tmp_path))
    assert status == 1
    assert out.startswith("FAIL")
