"""`tcpsim run`: what the issue says of the leaks, through the front door; and the ladder's promises."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tcpsim.catalogue import scenario, scenarios
from tcpsim.draw.ladder import WIDTH, width

Tcpsim = Callable[..., tuple[int, str, str]]
SECOND = 1_000_000


@pytest.fixture
def run(tcpsim: Tcpsim) -> Callable[..., dict[str, Any]]:
    """`tcpsim run ... --json`, parsed."""

    def call(*arguments: str) -> dict[str, Any]:
        status, out, err = tcpsim("run", *arguments, "--json")
        assert (status, err) == (0, "")
        document: dict[str, Any] = json.loads(out)
        return document

    return call


Run = Callable[..., dict[str, Any]]


def test_close_wait_stays_and_the_orphan_goes_after_60_s(run: Run) -> None:
    end = run("closewait-ignored-eof")
    assert end["client"]["state"] == "CLOSE-WAIT"
    assert end["server"]["state"] == "CLOSED"
    assert 60 * SECOND <= end["server"]["last_change_us"] < 61 * SECOND
    assert (end["resets"], end["verdict"]) == (0, "permanent")


def test_without_a_fin_wait_2_limit_both_stay(run: Run) -> None:
    end = run("closewait-ignored-eof", "--stack-server", "rfc9293")
    assert (end["client"]["state"], end["server"]["state"]) == ("CLOSE-WAIT", "FIN-WAIT-2")
    assert end["verdict"] == "permanent"
    assert end["server"]["sockets"][0]["holder"] == "orphan"


def test_the_retry_oracle(run: Run) -> None:
    end = run(
        "closewait-ignored-eof", "--client", "closes-on-eof", "--drop", "every server FIN", "--delay", "10ms"
    )
    fins = [event for event in end["events"] if event["kind"] == "sent" and "F" in event["flags"]]
    assert len(fins) == 10
    first = fins[0]["t_us"]
    assert 112 * SECOND <= end["server"]["last_change_us"] - first <= 120 * SECOND
    assert (end["client"]["state"], end["server"]["state"]) == ("ESTABLISHED", "CLOSED")
    assert (end["verdict"], end["half_open"], end["resets"]) == ("permanent", True, 0)


def test_a_knob_and_a_parameter_change_the_outcome(run: Run) -> None:
    short = run("closewait-ignored-eof", "--set", "server.tcp_fin_timeout=20s")
    assert 20 * SECOND <= short["server"]["last_change_us"] < 21 * SECOND
    late = run("normal-close", "--with", "client.delay=7s")
    assert late["client"]["last_change_us"] > 7 * SECOND


def test_the_seed_decides_under_loss(run: Run) -> None:
    again = [run("many-segments-lossy", "--seed", "3") for _ in range(2)]
    assert again[0] == again[1]
    assert run("many-segments-lossy", "--seed", "4")["events"] != again[0]["events"]


def test_losses_per_direction(run: Run) -> None:
    end = run("normal-close", "--loss-to-client", "1", "--horizon", "5min")
    assert {event["side"] for event in end["events"] if event["kind"] == "lost"} == {"server"}


def test_every_scenario_is_listed(tcpsim: Tcpsim) -> None:
    _, out, _ = tcpsim("scenarios", "--json")
    listed = json.loads(out)
    assert [each["name"] for each in listed] == [each.name for each in scenarios()]
    _, out, _ = tcpsim("scenarios")
    assert all(each["name"] in out and each["title"] in out for each in listed)


def test_scenarios_are_found_by_what_one_sees(tcpsim: Tcpsim) -> None:
    symptom = ("--state", "CLOSE_WAIT", "--side", "server", "--owner", "none")
    status, out, _ = tcpsim("scenarios", *symptom)
    assert status == 0
    first, line, *_ = out.splitlines()
    assert first.startswith("accept-queue-never-drained: ")
    seen = "CLOSE-WAIT on the server, in the accept queue, held by no program, 100 bytes unread"
    assert line == f"  {seen}; stays for ever"
    assert "tcpsim compare accept-queue-never-drained" in out
    _, out, _ = tcpsim("scenarios", *symptom, "--json")
    found = json.loads(out)
    assert found[0]["symptoms"][0] == {
        "side": "server", "state": "CLOSE-WAIT", "owner": "queue", "sockets": 1, "unread": 100, "unacked": 0,
        "stays_us": found[0]["symptoms"][0]["stays_us"], "lasts": "for ever",
    }  # fmt: skip
    assert all(any(one["state"] == "CLOSE-WAIT" for one in each["symptoms"]) for each in found)
    _, out, _ = tcpsim("scenarios", "--state", "CLOSING", "--side", "client")
    assert out == "No scenario has such a socket (CLOSING, client) for long.\n"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--state", "CLOSE-WIAT"), "--state: found 'CLOSE-WIAT' (did you mean CLOSE-WAIT"),
        (("--side", "sever"), "--side: found 'sever' (did you mean server?)"),
        (("--owner", "init"), "--owner: found 'init'"),
    ],
)
def test_a_symptom_that_is_none_is_told(tcpsim: Tcpsim, words: tuple[str, ...], complaint: str) -> None:
    status, _, told = tcpsim("scenarios", *words)
    assert status == 2
    assert complaint in told


def test_every_behaviour_is_listed(tcpsim: Tcpsim) -> None:
    _, out, _ = tcpsim("behaviours", "--json")
    listed = json.loads(out)
    assert {each["side"] for each in listed} == {"client", "server", "relay"}
    _, out, _ = tcpsim("behaviours")
    assert all(each["name"] in out for each in listed)
    assert max(map(len, out.splitlines())) <= WIDTH


@pytest.mark.parametrize("name", [each.name for each in scenarios()])
def test_a_ladder_fits_its_page_and_tells_the_verdict(tcpsim: Tcpsim, name: str) -> None:
    status, out, err = tcpsim("run", name)
    assert (status, err) == (0, "")
    machines = scenario(name).sides
    assert max(map(len, out.splitlines())) <= max(WIDTH, width(len(machines)))
    for start in ("verdict", *machines, "wire"):
        assert any(line.startswith(start) for line in out.splitlines()[-3 - len(machines) :])


@pytest.mark.parametrize("suffix", ["svg", "png", "txt"])
def test_a_ladder_as_a_file(tcpsim: Tcpsim, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"ladder.{suffix}"
    status, printed, _ = tcpsim("run", "simultaneous-close", "--out", str(out))
    assert status == 0
    assert out.stat().st_size > 1_000
    assert printed.startswith("verdict")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nothing"], "scenario: found 'nothing'"),
        (["normal-clse"], "scenario: found 'normal-clse' (did you mean normal-close"),
        (["normal-close", "--client", "sleeps"], "client behaviour: found 'sleeps'"),
        (["normal-close", "--stack-server", "vms"], "stack: found 'vms', allowed: 4.3bsd, 4.4bsd"),
        (["normal-close", "--loss", "1.5"], "--loss: found '1.5', allowed: a number from 0 to 1"),
        (["normal-close", "--loss", "-0.1"], "--loss: found '-0.1', allowed: a number from 0 to 1"),
        (["normal-close", "--loss", "nan"], "--loss: found 'nan'"),
        (["normal-close", "--delay", "10"], "--delay: found '10', allowed: a number with a unit"),
        (["normal-close", "--horizon", "-5s"], "--horizon: found '-5s'"),
        (["normal-close", "--loss", "0.1", "--loss-to-client", "0.2"], "--loss-to-client: found 0.2 beside"),
        (["normal-close", "--drop", "server WIN 2"], "found 'server WIN 2'"),
        (["normal-close", "--set", "tcp_fin_timeout"], "--set: found 'tcp_fin_timeout', allowed: NAME=VALUE"),
        (["normal-close", "--set", "tcp_fin_tiemout=3s"], "tcp_fin_tiemout"),
        (["normal-close", "--with", "delay=1"], "a number with a unit"),
        (["normal-close", "--with", "dealy=1s"], "dealy"),
        (["normal-close", "--seed", "x"], "--seed: found 'x', allowed: an integer from 0"),
        (["normal-close", "--out", "a.jpeg"], "--out: found 'a.jpeg'"),
        ([], "Missing argument 'SCENARIO'"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_status_2(tcpsim: Tcpsim, arguments: list[str], complaint: str) -> None:
    status, out, err = tcpsim("run", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("tcpsim: ")
    assert complaint in err
    assert err.count("\n") == 1


FILE = """\
horizon = "10min"
[client]
behaviour = "never-closes"
[server]
behaviour = "responds-then-closes"
[expect]
client = "CLOSE-WAIT"
server = "gone"
verdict = "permanent"
rst = false
"""


def test_a_file_is_run_and_held_to_what_it_expects(tcpsim: Tcpsim, tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text(FILE, encoding="utf-8")
    status, out, _ = tcpsim("run", str(file))
    assert (status, out.splitlines()[-1]) == (0, "expect   met")
    status, out, _ = tcpsim("run", str(file), "--client", "closes-on-eof")
    assert (status, out.splitlines()[-1]) == (
        1, "expect   client: gone, not CLOSE-WAIT; verdict: clean, not permanent"
    )  # fmt: skip
    status, out, _ = tcpsim("run", str(file), "--stack-server", "rfc9293", "--json")
    assert (status, json.loads(out)["surprises"]) == (1, ["server: FIN-WAIT-2, not gone"])
    file.write_text(FILE.partition("[expect]")[0], encoding="utf-8")
    status, out, _ = tcpsim("run", str(file))
    assert (status, "expect" in out) == (0, False)


def test_a_file_serves_every_command(tcpsim: Tcpsim, tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    status, out, _ = tcpsim("scenarios", "--toml", "lingering-close-4.4bsd")
    assert status == 0
    file.write_text(out, encoding="utf-8")
    assert "second-arm-point" in tcpsim("explain", str(file))[1]
    assert "server free   no" in tcpsim("compare", str(file))[1]
    assert tcpsim("run", str(file))[0] == 0
    assert tcpsim("population", str(file), "--rate", "1/s", "--for", "10s")[0] == 0


def test_a_file_that_cannot_be_read_is_one_line(tcpsim: Tcpsim, tmp_path: Path) -> None:
    assert tcpsim("run", str(tmp_path / "none.toml"))[0::2] == (
        2, f"tcpsim: {tmp_path}/none.toml: No such file or directory\n"
    )  # fmt: skip
    file = tmp_path / "latin.toml"
    file.write_bytes(b"title = '\xe9'")
    assert "found bytes that are no UTF-8" in tcpsim("run", str(file))[2]
    file.write_text("horizon = 1", encoding="utf-8")
    assert tcpsim("explain", str(file))[2].startswith("tcpsim: latin.toml: client: found nothing")


@pytest.mark.parametrize("command", ["run", "explain"])
def test_a_narrow_terminal_gets_the_ladder_and_a_word(
    tcpsim: Tcpsim, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    status, out, err = tcpsim(command, "normal-close")
    assert status == 0
    assert "ESTABLISHED" in out
    assert "needs 100 columns, and the terminal has 80; use" in err
    assert err.count("\n") == 1
    monkeypatch.setenv("COLUMNS", "100")
    assert tcpsim(command, "normal-close")[2] == ""


def test_no_word_of_columns_where_nobody_looks(tcpsim: Tcpsim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert tcpsim("run", "normal-close")[2] == ""


def test_a_drop_rule_that_matched_nothing_is_told_on_stderr(tcpsim: Tcpsim) -> None:
    status, out, err = tcpsim("run", "normal-close", "--drop", "server FIN 7", "--drop", "server FIN 1")
    assert (status, err) == (0, "tcpsim: drop 'server FIN 7' matched nothing in this run\n")
    _, out, err = tcpsim(
        "exact", "closewait-ignored-eof", "--drop", "server FIN 70", "--limit", "50", "--json"
    )
    assert err == "tcpsim: drop 'server FIN 70' matched nothing in the 25 runs looked at\n"
    assert json.loads(out)["unmatched_drops"] == ["server FIN 70"]


def test_a_knob_that_is_never_read_says_so(tcpsim: Tcpsim, run: Run) -> None:
    asked = ("vanished-client", "--server", "closes-on-eof", "--set", "server.tcp_keepalive_time=30")
    _, out, err = tcpsim("run", *asked, "--horizon", "3h")
    note = " ".join(out[out.index("note") :].split())
    assert (
        "server.tcp_keepalive_time=30: never read in this run: no socket of the server has SO_KEEPALIVE"
        in note
    )
    assert err == ""
    [idle] = run(*asked, "--horizon", "3h")["idle"]
    assert idle["setting"] == "server.tcp_keepalive_time=30"


@pytest.mark.parametrize(
    "asked",
    [
        ("compare", "normal-close", "--fix", "pool-idle=1s"),
        ("population", "normal-close", "--rate", "5", "--for", "5s"),
        ("exact", "closewait-ignored-eof", "--loss", "0.1", "--limit", "50"),
        ("check", "closewait-ignored-eof", "--property", "orphan-has-timer", "--limit", "50"),
    ],
)
def test_every_command_that_takes_settings_says_so(tcpsim: Tcpsim, asked: tuple[str, ...]) -> None:
    _, out, _ = tcpsim(*asked, "--set", "server.tcp_keepalive_time=30")
    assert "no socket of the server has SO_KEEPALIVE" in " ".join(out.split())
    _, out, _ = tcpsim(*asked, "--set", "server.tcp_keepalive_time=30", "--json")
    assert [each["setting"] for each in json.loads(out)["idle"]] == ["server.tcp_keepalive_time=30"]
