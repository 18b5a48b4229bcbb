"""`tcpsim explain` and `tcpsim compare`: every scenario tells its story, and fixes stand side by side."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tcpsim.catalogue import scenario, scenarios
from tcpsim.catalogue.claims import claims
from tcpsim.draw.ladder import WIDTH

Tcpsim = Callable[..., tuple[int, str, str]]
NAMES = [each.name for each in scenarios()]


@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_explains_itself(tcpsim: Tcpsim, name: str) -> None:
    status, out, err = tcpsim("explain", name)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    wide = 25 + 3 * WIDTH // 4 * (1 + len(scenario(name).relays))  # a ladder has a column for each machine
    assert max(map(len, lines)) <= max(WIDTH, wide)
    assert len(lines) < 125
    story = lines[2 : lines.index("", 2)]
    assert len(story) <= 10
    for part in ("Look for: ", "verdict ", "client ", "server ", "Try: tcpsim "):
        assert any(line.startswith(part) for line in lines), part
    numbers = [each.number for each in claims() if each.scenario == name]
    assert [
        line.split()[0] for line in lines if line.startswith("  ") and line.split()[0] in numbers
    ] == numbers


def test_it_says_why_a_stack_with_a_timer_leaks(tcpsim: Tcpsim) -> None:
    _, out, _ = tcpsim("explain", "lingering-close-4.4bsd")
    text = " ".join(out.split())
    assert "has a FIN-WAIT-2 timer of 600 s, but arms it in one place only" in text
    assert "shutdown(4, WR)" in text
    assert "FIN-WAIT-2 since 110 ms, an orphan" in text
    assert "second-arm-point the kernel arms the FIN-WAIT-2 timer also when close() comes" in text
    assert text.index("What helps") < text.index("What does not help fin-timeout=60s")


def test_a_long_ladder_loses_its_middle(tcpsim: Tcpsim) -> None:
    _, out, _ = tcpsim("explain", "many-segments-lossy")
    assert "more lines: tcpsim run many-segments-lossy" in out


def test_explain_as_json(tcpsim: Tcpsim) -> None:
    _, out, _ = tcpsim("explain", "one-rst-stack", "--json")
    document = json.loads(out)
    assert document["name"] == "one-rst-stack"
    assert {"number": "J10", "verdict": "holds"}.items() <= document["claims"][1].items()
    assert set(document["contrasts"][0]) == {"title", "verdict", "client", "server"}


def test_before_and_after_side_by_side(tcpsim: Tcpsim) -> None:
    fixes = ("--fix", "client-checks-sockets", "--fix", "keepalive", "--fix", "fin-timeout=30s")
    status, out, _ = tcpsim("compare", "keepalive-timeout-buggy-client", *fixes)
    assert status == 0
    assert max(map(len, out.splitlines())) <= WIDTH
    rows = {line[:14].strip(): re.split(r" {2,}", line[14:]) for line in out.splitlines()}
    assert rows["server"] == ["FIN-WAIT-2", "gone", "FIN-WAIT-2", "gone", "gone"]
    assert rows["client"] == ["CLOSE-WAIT", "gone", "CLOSE-WAIT", "CLOSE-WAIT", "gone"]
    free = ["no", "after 4m15.050s", "not in 1 day", "after 45.09 s", "after 4m15.050s"]
    assert rows["server free"] == free, "a probe that is answered goes on for ever"


def rows_of(out: str) -> dict[str, list[str]]:
    return {
        line[:14].strip(): re.split(r" {2,}", line[14:].strip())
        for line in out.splitlines()
        if line[:1] != " "
    }


def test_free_is_the_side_concerned_and_waits_for_no_other(tcpsim: Tcpsim) -> None:
    asked = ("compare", "closewait-ignored-eof", "--fix", "client-closes", "--fix", "keepalive")
    short, long = (rows_of(tcpsim(*asked, *more)[1]) for more in ((), ("--horizon", "3h")))
    assert short["client free"][1:3] == short["client over"][1:3] == ["after 110 ms", "not in 1 h"]
    assert long["client over"][1:3] == ["after 110 ms", "after 2h00m00s"]
    assert long["client free"][1] == "after 110 ms"
    assert long["client free"][2].startswith("no: 1 dead"), "a descriptor is the program's to close"
    document = json.loads(tcpsim(*asked, "--horizon", "3h", "--json")[1])
    assert [each["descriptors"] for each in document["runs"]] == [0, 0, 1, 0]
    document = json.loads(tcpsim(*asked, "--json")[1])
    assert [each["cured_us"] for each in document["runs"]] == [None, 110_000, None, 110_000]


def test_where_a_read_fails_the_row_is_about_reads_too(tcpsim: Tcpsim) -> None:
    rows = rows_of(tcpsim("compare", "post-without-authorisation")[1])
    assert rows["read, free"] == ["no", "after 1m00.230s"]
    assert rows["requests lost"] == ["1 of 1", "0 of 1"]


def test_a_fix_that_makes_it_worse_is_marked(tcpsim: Tcpsim) -> None:
    waits = ("--client", "closes-first", "--server", "closes-on-eof")
    _, out, _ = tcpsim("compare", "normal-close", *waits, "--fix", "client-closes")
    effect = " ".join(out[out.index("effect") :].split())
    told = "does not apply (the client was never in CLOSE-WAIT), and makes it worse: the client keeps"
    assert told in effect
    _, out, _ = tcpsim("compare", "normal-close", *waits, "--fix", "keepalive=30s")
    effect = " ".join(out[out.index("effect") :].split())
    assert "does not apply: the run without it has the same" in effect
    assert effect.endswith(
        "keepalive=30s: a peer that does not answer is given up after 30 s + 9 x 75 s = 705 s"
    )
    document = json.loads(tcpsim("compare", "normal-close", *waits, "--fix", "client-closes", "--json")[1])
    assert [each["effect"] for each in document["runs"]] == [None, "worse"]
    assert document["runs"][1]["why"][1] == "the client keeps ESTABLISHED for ever"


def test_a_useless_cure_of_a_file_is_not_listed_as_help(tcpsim: Tcpsim, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'horizon = "1h"\nconcerns = "client"\ncures = ["fin-timeout=30s", "client-closes", "backlog=3"]\n'
        'in_vain = ["client-checks-sockets=2s"]\n[client]\nbehaviour = "never-closes"\n'
        '[server]\nbehaviour = "responds-then-closes"\n'
    )
    _, out, _ = tcpsim("explain", str(mine))
    helps, useless = out[out.index("What helps") :].split("Named as help, but no help in this run")
    useless, surprising = useless.split("Named as no help, but a help in this run")
    assert "client-closes" in helps
    assert "fin-timeout=30s" in useless
    assert "backlog=3" in useless
    assert "does not apply" in useless
    assert "client-checks-sockets=2s" in surprising
    document = json.loads(tcpsim("explain", str(mine), "--json")[1])
    assert {each["fix"]: each["helps"] for each in document["tried"]} == {
        "fin-timeout=30s": False,
        "client-closes": True,
        "backlog=3": False,
        "client-checks-sockets=2s": True,
    }


@pytest.mark.parametrize("name", [each.name for each in scenarios() if each.cures or each.in_vain])
def test_without_a_fix_it_tries_those_of_the_scenario(tcpsim: Tcpsim, name: str) -> None:
    status, out, _ = tcpsim("compare", name, "--json")
    assert status == 0
    document = json.loads(out)
    (chosen,) = (each for each in scenarios() if each.name == name)
    tried = [each["fix"] for each in document["runs"]]
    assert tried == ["as it is", *chosen.cures, *chosen.in_vain]
    assert [each["cured"] for each in document["runs"]] == [each in chosen.cures for each in tried]
    status, out, _ = tcpsim("compare", name)
    assert max(map(len, out.splitlines())) <= WIDTH


def test_fixes_that_exclude_each_other_are_still_compared(tcpsim: Tcpsim) -> None:
    status, out, _ = tcpsim(
        "compare", "lingering-close-4.4bsd", "--fix", "no-lingering-close", "--fix", "lingering-close"
    )
    assert status == 0
    assert "not possible" in out


def test_the_options_of_run_hold_for_every_column(tcpsim: Tcpsim) -> None:
    arguments = ("keepalive-timeout-buggy-client", "--stack-server", "linux", "--set", "server.keep_cnt=3")
    _, out, _ = tcpsim("compare", *arguments, "--fix", "keepalive=60s", "--json")
    assert [each["server"] for each in json.loads(out)["runs"]] == ["gone", "gone"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["explain", "normal-clse"], "scenario: found 'normal-clse' (did you mean normal-close"),
        (["compare", "normal-clse"], "scenario: found 'normal-clse' (did you mean normal-close"),
        (
            ["compare", "normal-close", "--fix", "keep-alive"],
            "--fix: found 'keep-alive' (did you mean keepalive",
        ),
        (
            ["compare", "normal-close", "--fix", "keepalive=1"],
            "--fix.keepalive: found '1', allowed: a number with",
        ),
        (["compare", "normal-close"], "--fix: found none, and normal-close names none, allowed: client-"),
        (
            ["compare", "normal-close", "--fix", "backlog=3"],
            "--fix backlog=3, normal-close parameter: found 'server.backlog'",
        ),
    ],
)
def test_a_mistake_is_one_line(tcpsim: Tcpsim, arguments: list[str], complaint: str) -> None:
    status, out, err = tcpsim(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"tcpsim: {complaint}")
    assert err.count("\n") == 1
