"""Plans beside what they are about: simulated populations, closed forms, and the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import tcpsim
from tcpsim import cli
from tcpsim.app import Program, accept, choose, close, ignore, listen, receive, receive_to_eof, send
from tcpsim.errors import InputError
from tcpsim.planning.alerts import CHANCE

Program_ = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Program_:
    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ending:
            cli.main(arguments)
        out, err = capsys.readouterr()
        return int(ending.value.code or 0), out, err

    return call


def test_the_numbers_are_those_of_a_simulated_population() -> None:
    """A server that forgets one connection in ten, at 2 % loss: every state lies in its band."""
    found = tcpsim.plan(rate=20, never_close=0.1, loss="2%", for_="4min", limits={"nofile": 100_000})
    forgetful = choose([(0.9, [receive_to_eof(), close()]), (0.1, [ignore()])], "forgets")
    server = Program([listen(), accept(), receive(100), send(1000), forgetful])
    inside = rows = 0
    for seed in range(2):
        crowd = tcpsim.population(
            "server-never-closes", server=server, rate=20, for_="4min", loss="2%", seed=seed
        )
        counted = {
            (row["state"], row["holder"]): row["count"]
            for row in crowd.to_dict()["sockets"]
            if row["side"] == "server"
        }
        for row in found.rows:
            rows += 1
            inside += row.low <= counted.get((row.state, row.holder), 0) <= row.high
    assert rows > 6
    assert inside >= rows - 2


def test_the_time_to_a_limit_is_the_closed_form() -> None:
    """Without loss a leak is a Poisson process: the k-th leaked connection comes at a Gamma time."""
    found = tcpsim.plan(rate=10, never_close=0.5, for_="10min", limits={"nofile": 1_004})
    first = found.first
    assert first is not None
    early, usual, late = first.times_us
    assert usual is not None
    assert early is not None
    assert late is not None
    assert usual / 1e6 == pytest.approx(1_001 / 5, rel=0.005)
    spread = 1.96 * 1_001**0.5 / 5
    assert (late - early) / 2e6 == pytest.approx(spread, rel=0.05)


def test_what_is_bounded_is_said_to_be() -> None:
    """The server closes first: TIME-WAIT is rate times a minute, and nothing grows."""
    found = tcpsim.plan("normal-close", rate=100, for_="1d")
    assert found.bounded
    assert found.first is None
    (time_wait,) = [row for row in found.rows if row.state == "TIME-WAIT"]
    assert time_wait.mean == pytest.approx(6_000, rel=0.001)
    assert time_wait.low < 6_000 < time_wait.high
    small = tcpsim.plan("normal-close", rate=100, for_="1d", limits={"tw": 5_000})
    assert small.first is not None
    assert small.first.name == "tw"
    assert any("tw=" in each.what for each in small.remedies)


def test_remedies_are_just_enough() -> None:
    asked = {"rate": 50, "loss": 0.0, "for_": "1h"}
    found = tcpsim.plan(never_close=0.05, limits={"nofile": 1_024}, **asked)  # type: ignore[arg-type]
    told = {each.what.partition(":")[0].partition("=")[0]: each for each in found.remedies}
    assert told["server-closes"].keeps
    assert told["server-idle"].keeps
    assert not told["server.keepalive"].keeps  # the descriptor stays
    enough = next(each for each in found.remedies if each.what.startswith("nofile="))
    number = int(enough.what.removeprefix("nofile=").replace(",", ""))
    assert tcpsim.plan(never_close=0.05, limits={"nofile": number + 300}, **asked).first is None  # type: ignore[arg-type]
    assert tcpsim.plan(never_close=0.05, limits={"nofile": number - 600}, **asked).first is not None  # type: ignore[arg-type]
    share = next(each for each in found.remedies if "forget at most" in each.what)
    one_in = int(share.what.split("1 in ")[1].split(" ")[0].replace(",", ""))
    assert tcpsim.plan(never_close=1 / one_in / 1.2, limits={"nofile": 1_024}, **asked).first is None  # type: ignore[arg-type]
    assert tcpsim.plan(never_close=1.3 / one_in, limits={"nofile": 1_024}, **asked).first is not None  # type: ignore[arg-type]


def test_a_threshold_is_the_quantile_of_a_sound_server() -> None:
    found = tcpsim.plan(rate=100, never_close=0.01, loss="1%", hold="2s", for_="1d", limits={"nofile": 10**7})
    shares = [1.0, 0.0]
    for alert in found.alerts:
        sound = found.load.with_shares(shares)
        value = lambda look, state=alert.state: look.sockets("server", state, None, None)  # noqa: E731
        law = sound.law(value, sound.until_us)
        assert law.at_least(alert.above + 1) <= CHANCE
        assert alert.above == 0 or law.at_least(alert.above) > CHANCE
    established = next(each for each in found.alerts if str(each.state) == "ESTABLISHED")
    assert established.mean == pytest.approx(100 * 2.1, rel=0.05)
    rules = found.prometheus()
    assert 'node_tcp_connection_states{state="close_wait"} > ' in rules
    assert rules.count("- alert:") == len(found.alerts) + 1


def test_the_command(run: Program_, tmp_path: Path) -> None:
    words = ("plan", "--rate", "5/s", "--never-close", "10%", "--for", "1h", "--limit", "nofile=512")
    status, out, _ = run(*words, "--prometheus", str(tmp_path / "rules.yml"))
    assert status == 0
    assert "First limit: nofile=512 is met after" in out
    assert "Alerts (--prometheus" in out
    assert (tmp_path / "rules.yml").read_text(encoding="utf-8").startswith("groups:\n")
    _, out, _ = run(*words, "--json")
    found = json.loads(out)
    assert found["bounded"] is False
    assert found["limits"][0]["name"] == "nofile"
    assert {"caption", "sockets", "remedies", "alerts", "prometheus", "memory_bytes"} <= set(found)


def test_a_scenario_file(run: Program_, tmp_path: Path) -> None:
    _, text, _ = run("scenarios", "--toml", "normal-close")
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    status, out, _ = run("plan", str(path), "--rate", "5", "--for", "1h")
    assert status == 0
    assert "TIME-WAIT" in out
    assert "Bounded" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"rate": 0}, "above 0"),
        ({"rate": 1, "never_close": 2}, "from 0 to 1"),
        ({"rate": 1, "for_": "0s"}, "a time above zero"),
        ({"rate": 1, "server": "beos"}, "beos"),
        ({"rate": 1, "limits": {"files": 3}}, "nofile"),
        ({"rate": 1, "limits": {"nofile": 0}}, "above 0"),
        ({"rate": 1, "scenario": "normal-close", "hold": "1s"}, "scenario beside it"),
    ],
)
def test_mistakes(words: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        tcpsim.plan(**words)  # type: ignore[arg-type]
