"""`tcpsim population`: the census as table, JSON, CSV and picture; bad input before any work."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

Tcpsim = Callable[..., tuple[int, str, str]]
SMALL = ("population", "w1", "--rate", "5", "--for", "10min", "--loss", "0.01", "--seed", "7")


def test_the_census_as_json(tcpsim: Tcpsim) -> None:
    status, out, err = tcpsim(*SMALL, "--settle", "2min", "--json")
    assert (status, err) == (0, "")
    census = json.loads(out)
    assert 2_800 < census["connections"] < 3_200
    assert census["horizon_us"] == 720_000_000
    held = {(row["side"], row["state"]): row for row in census["sockets"]}
    stuck = held["client", "CLOSE-WAIT"]
    assert 200 < stuck["count"] <= stuck["peak"] < 400, "one client in ten never closes"
    assert stuck["bytes"] > stuck["count"] * 1_000
    fates = {(row["side"], row["state"]): row["fate"] for row in census["leaks"]}
    assert fates["client", "CLOSE-WAIT"] == "permanent"
    assert census["leaked_connections"] >= stuck["count"]


def test_one_seed_one_answer(tcpsim: Tcpsim) -> None:
    first, second = tcpsim(*SMALL, "--json"), tcpsim(*SMALL, "--json")
    assert first == second
    assert tcpsim(*SMALL[:-1], "8", "--json") != first


def test_the_census_as_table_csv_and_picture(tcpsim: Tcpsim, tmp_path: Path) -> None:
    csv, figure = tmp_path / "census.csv", tmp_path / "census.svg"
    status, out, err = tcpsim(*SMALL, "--csv", str(csv), "--figure", str(figure), "--every", "1min")
    assert (status, err) == (0, "")
    assert "CLOSE-WAIT" in out
    lines = csv.read_text().splitlines()
    assert "method" not in out, "few are run one by one, as always"
    assert lines[0] == "t_s,side,state,holder,count,bytes,caption,seed,version"
    assert {line.split(",")[0] for line in lines[1:]} == {f"{60 * minute}.0" for minute in range(11)}
    assert figure.read_bytes().startswith(b"<?xml")
    metrics = tmp_path / "census.prom"
    assert tcpsim(*SMALL, "--openmetrics", str(metrics), "--begins", "60", "--every", "1min")[0] == 0
    assert 'state="close_wait",host="client",holder="owned"' in metrics.read_text()
    assert metrics.read_text().endswith("# EOF\n")


def test_arrivals_of_a_file_and_a_day(tcpsim: Tcpsim, tmp_path: Path) -> None:
    times = tmp_path / "times.txt"
    times.write_text("# seconds, or times\n0.5\n90s\n\n2min  # the last\n")
    asked = ["population", "normal-close", "--arrivals", str(times), "--settle", "1min", "--json"]
    found = [json.loads(tcpsim(*asked, "--method", method)[1]) for method in ("simulate", "sample", "exact")]
    assert [each["connections"] for each in found] == [3, 3, 3]
    assert [each["horizon_us"] for each in found] == [180_000_001] * 3
    counts = [
        {(row["side"], row["state"]): row["count"] for row in each["sockets"] if row["count"]}
        for each in found
    ]
    assert counts[0] == counts[1] == counts[2], "without losses nothing is left to chance"
    day = ["population", "w1", "--rate", "2", "--for", "1d", "--daily", "8h=2,20h=0", "--fixed", "--json"]
    assert json.loads(tcpsim(*day)[1])["connections"] == 2 * 2 * 12 * 3_600


def test_a_large_one_is_drawn_and_says_so(tcpsim: Tcpsim) -> None:
    asked = ["population", "w1", "--rate", "1000", "--for", "2min", "--loss", "1%", "--seed", "7"]
    _, out, _ = tcpsim(*asked)
    assert "method sample: 120,000 connections share nothing" in out
    assert tcpsim(*asked) == tcpsim(*asked)
    document = json.loads(tcpsim(*asked, "--json")[1])
    assert (document["method"], document["states"] > 100) == ("sample", True)
    assert document["error"] < 1e-6


def test_limits_refuse(tcpsim: Tcpsim) -> None:
    _, out, _ = tcpsim(*SMALL, "--limit", "client.ports=50", "--json")
    assert json.loads(out)["refused"]["client ports"] > 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["w1", "--rate", "-5", "--for", "1h"], "--rate: found '-5', allowed: a number above 0"),
        (["w1", "--rate", "0", "--for", "1h"], "--rate: found '0'"),
        (["w1", "--rate", "5", "--for", "24"], "--for: found '24', allowed: a number with a unit"),
        (["w1", "--rate", "5", "--for", "0s"], "--for: found 0s, allowed: a time above zero"),
        (["w1", "--for", "1h"], "--rate: found nothing, allowed: a value, or arrivals instead"),
        (
            ["w1", "--rate", "10000", "--for", "1000d"],
            "--rate and --for: found 864,000,000,000 connections expected (10000 per second for 1000d), "
            "allowed: at most 100,000,000",
        ),
        (["w2", "--rate", "5", "--for", "1h"], "scenario: found 'w2'"),
        (["w1", "--rate", "5", "--for", "1h", "--daily", "noon=2"], "--daily: found 'noon=2'"),
        (["w1", "--rate", "5", "--for", "1h", "--daily", "25h=2"], "--daily: found [90000000000]"),
        (["w1", "--rate", "5", "--arrivals", "times.txt"], "--rate: found arrivals beside it"),
        (
            ["w1", "--for", "1h", "--rate", "5", "--method", "sample", "--limit", "server.workers=3"],
            "--method: found sample, with a limit on server.workers",
        ),
        (
            ["w1", "--rate", "5", "--for", "1h", "--limit", "server.worker=1"],
            "--limit: found 'server.worker' (did you mean server.workers",
        ),
        (
            ["w1", "--rate", "5", "--for", "1h", "--limit", "server.coffee=1"],
            "--limit: found 'server.coffee'",
        ),
        (["w1", "--rate", "5", "--for", "1h", "--csv", "no/where.csv"], "--csv: found 'no/where.csv'"),
        (["w1", "--rate", "5", "--for", "1h", "--figure", "x.csv"], "--figure: found 'x.csv'"),
        (["w1", "--rate", "5", "--for", "1h", "--every", "0s"], "--every: found 0s"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(tcpsim: Tcpsim, arguments: list[str], complaint: str) -> None:
    status, out, err = tcpsim("population", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("tcpsim: ")
    assert complaint in err
    assert err.count("\n") == 1


def test_ctrl_c_is_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    csv = tmp_path / "census.csv"
    program = Path(sysconfig.get_path("scripts")) / "tcpsim"
    arguments = ["population", "w1", "--rate", "500", "--for", "1d", "--csv", str(csv)]
    arguments += ["--method", "simulate"]
    # the interrupt is sent from inside once the run has begun, so that nothing here waits for a clock
    code = (
        "import os, signal, sys\n"
        "from tcpsim import cli\n"
        "from tcpsim.measure import population_record as population\n"
        "real = population.simulate\n"
        "def simulate(plan, progress=None):\n"
        "    signal.setitimer(signal.ITIMER_REAL, 0.2)\n"
        "    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))\n"
        "    return real(plan, progress)\n"
        "population.simulate = simulate\n"
        "cli.main(sys.argv[1:])\n"
    )
    assert program.exists()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "tcpsim: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_a_servers_own_limits_hold_unless_others_are_given(tcpsim: Tcpsim) -> None:
    asked = [
        "population",
        "vanished-client",
        "--rate",
        "1/s",
        "--for",
        "30s",
        "--settle",
        "1min",
        "--fixed",
        "--json",
    ]
    few = ["--set", "server.tcp_max_orphans=4"]
    refused = [
        json.loads(tcpsim(*asked, *more)[1])["refused"]
        for more in ([], few, [*few, "--limit", "server.orphans=9"])
    ]
    assert refused == [{}, {"server orphans": 26}, {"server orphans": 21}]


def test_the_sentence_tells_the_dead_descriptors_that_the_column_counts(tcpsim: Tcpsim) -> None:
    asked = [
        "population",
        "closewait-ignored-eof",
        "--rate",
        "5",
        "--for",
        "1min",
        "--limit",
        "server.orphans=0",
    ]
    leaks = json.loads(tcpsim(*asked, "--json")[1])["leaks"]
    dead = sum(row["count"] for row in leaks if row["state"] == "CLOSED")
    assert dead > 100, "the server resets what it cannot keep, and the client never closes"
    assert f"{dead:,} dead sockets (CLOSED) hold a descriptor" in tcpsim(*asked)[1]


def test_connections_refused_at_birth_are_connections_too(tcpsim: Tcpsim) -> None:
    asked = ["population", "normal-close", "--rate", "5", "--for", "1min", "--fixed", "--json"]
    census = json.loads(tcpsim(*asked, "--limit", "client.ports=0")[1])
    assert census["connections"] == census["refused"]["client ports"] == 300


def test_what_was_changed_is_told_as_it_was_given(tcpsim: Tcpsim, tmp_path: Path) -> None:
    asked = ["population", "w1", "--rate", "5", "--for", "1min", "--settle", "1min", "--fixed"]
    changes = ["--loss", "10%", "--drop", "server FIN 2", "--drop", "client #9", "--stack-client", "freebsd"]
    changes += ["--set", "server.tcp_fin_timeout=20s", "--limit", "server.orphans=4"]
    figure = tmp_path / "census.svg"
    document = json.loads(tcpsim(*asked, *changes, "--json")[1])
    assert document["changed"] == {
        "loss": "10%",
        "drop": ["server FIN 2", "client #9"],
        "stack-client": "freebsd",
        "set": ["server.tcp_fin_timeout=20s"],
        "limit": ["server.orphans=4"],
    }
    told = document["caption"].removeprefix("w1, changed: ").split(", ")
    assert sorted(told) == [
        "client's stack freebsd", 'drop "client #9"', 'drop "server FIN 2"', "limit server.orphans=4",
        "loss 10 %", "server.tcp_fin_timeout=20s",
    ]  # fmt: skip
    printed = tcpsim(*asked, *changes, "--figure", str(figure))[1].splitlines()
    assert " ".join(printed[:2]) == document["caption"]
    assert "loss 10 %" in figure.read_text()
    document = json.loads(tcpsim(*asked, "--json")[1])
    assert document["changed"] == {}
    assert tcpsim(*asked)[1].splitlines()[0] == document["caption"]
    assert document["caption"].startswith("w1: ")


def test_when_a_limit_was_first_met(tcpsim: Tcpsim) -> None:
    asked = ["population", "closewait-ignored-eof", "--rate", "5", "--for", "1min", "--fixed"]
    for limit, met_us, words in (
        ("client.ports=20", 3_800_000, "the limit of 20 first met after 3.8 s, {:,} refused"),
        ("server.orphans=0", 0, "the limit of 0 first met after 0 us, {:,} killed"),
    ):
        place = limit.partition("=")[0].replace(".", " ")
        document = json.loads(tcpsim(*asked, "--limit", limit, "--json")[1])
        assert document["first_met_us"] == {place: met_us}, "one connection every 200 ms"
        assert document["limits"][place] == int(limit.partition("=")[2])
        count = document["refused"][place]
        assert count > 100
        assert tcpsim(*asked, "--limit", limit)[1].endswith(f"\n{place}: {words.format(count)}\n")
    assert json.loads(tcpsim(*asked, "--json")[1])["first_met_us"] == {}


def test_a_kernel_that_crashes_is_told(tcpsim: Tcpsim) -> None:
    asked = ["population", "closewait-ignored-eof", "--rate", "1", "--for", "1min", "--fixed"]
    asked += ["--stack-server", "4.4bsd", "--limit", "server.bytes=10000"]
    document = json.loads(tcpsim(*asked, "--json")[1])
    assert document["crashed"] == "server bytes"
    assert list(document["first_met_us"]) == ["server bytes"]
    refused = document["refused"]["server bytes"]
    words = f"the kernel crashes, and {refused:,} later connections get no answer\n"
    assert tcpsim(*asked)[1].endswith(words)
    calm = json.loads(tcpsim(*asked, "--set", "server.out_of_memory=refuse", "--json")[1])
    assert calm["crashed"] is None
    assert calm["refused"] == {}, "the SYNs of a minute are still repeated"
