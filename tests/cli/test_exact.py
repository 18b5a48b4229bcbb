"""`tcpsim exact`: the numbers of the closed form, the ways in replayed by `tcpsim run`, bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Tcpsim = Callable[..., tuple[int, str, str]]
STACK = ("--set", "fin_wait_2_us=60s", "--set", "fin_wait_2_rst=true", "--set", "retry_rule=count")
SCENARIO = (
    "closewait-ignored-eof", "--stack-client", "rfc9293", "--stack-server", "rfc9293", *STACK,
    "--set", "fin_wait_2_on_close=true", "--set", "retries=2", "--set", "orphan_retries=2",
    "--set", "user_timeout_us=never", "--with", "server.delay=1s",
)  # fmt: skip
EXACT = ("exact", *SCENARIO, "--loss-from", "500ms")


def test_the_closed_form_as_json(tcpsim: Tcpsim) -> None:
    status, out, err = tcpsim(*EXACT, "--loss", "0:0.5:11", "--json")
    assert (status, err) == (0, "")
    document = json.loads(out)
    assert document["states"] > 20
    assert document["loss"] == [at / 20 for at in range(11)]
    assert not any(document["error"])
    held = next(end for end in document["ends"] if end["client"] == "CLOSE-WAIT")
    assert (held["server"], held["permanent"]) == ("gone", True)
    for p, probability in zip(document["loss"], held["probability"], strict=True):
        g, h = (1 - (1 - p) ** 2) ** 3, p**3
        assert probability == pytest.approx(p * (1 - g) + g - h, abs=1e-12)
    for each in zip(*[end["probability"] for end in document["ends"]], strict=True):
        assert sum(each) == pytest.approx(1, abs=1e-12)


def test_the_way_in_is_a_run(tcpsim: Tcpsim) -> None:
    document = json.loads(tcpsim(*EXACT, "--loss", "0.05", "--json")[1])
    for end in document["ends"]:
        for way in (end["likeliest"], end["fewest_losses"]):
            rules = [word for rule in way["drops"] for word in ("--drop", rule)]
            run = json.loads(tcpsim("run", *SCENARIO, *rules, "--horizon", "7d", "--json")[1])
            assert (run["client"]["state"], run["verdict"]) == (
                end["client"] if end["permanent"] else "CLOSED",
                end["kind"],
            )
            assert run["lost"] == sum(rule.count(",") + 1 for rule in way["drops"])


def test_the_way_in_as_a_ladder(tcpsim: Tcpsim) -> None:
    """The very ladder of the run that loses this."""
    out = tcpsim(*EXACT, "--loss", "0.05", "--ladders")[1]
    run = tcpsim("run", *SCENARIO, "--drop", "server #4")[1]
    ladder = run[run.index("     0 ms socket()") : run.index("verdict")].rstrip()
    assert "server #4 X" in ladder
    assert ladder in out
    assert "ladder" not in tcpsim(*EXACT, "--loss", "0.05")[1]


def test_table_csv_and_picture(tcpsim: Tcpsim, tmp_path: Path) -> None:
    csv, figure = tmp_path / "ends.csv", tmp_path / "ends.svg"
    status, out, _ = tcpsim(*EXACT, "--loss", "1%,10%", "--csv", str(csv), "--figure", str(figure))
    assert status == 0
    assert "permanent  CLOSE-WAIT" in out
    assert '--drop "server #' in out
    head = csv.read_text().splitlines()[0]
    assert head == "loss,kind,client,server,permanent,probability,caption,seed,version"
    rows = [line.split(",") for line in csv.read_text().splitlines()[1:]]
    assert len(rows) == 2 * 3
    assert all((row[1] == "permanent") == (row[4] == "true") for row in rows)
    assert "CLOSE-WAIT" in figure.read_text()


def test_what_is_cut_is_said(tcpsim: Tcpsim, tmp_path: Path) -> None:
    status, out, _ = tcpsim(*EXACT, "--limit", "15", "--at", "0s,1h")
    assert status == 0
    assert "is unexplored" in out
    assert "was not followed" in out
    picture = tmp_path / "ends.svg"
    out = tcpsim(*EXACT, "--limit", "15", "--times", "--figure", str(picture))[1]
    assert "-: not within the horizon; at most" in out
    assert "of the probability is unexplored" in picture.read_text()
    times = json.loads(tcpsim(*EXACT, "--limit", "15", "--loss", "0.3", "--times", "--json")[1])["times"]
    assert all(each["error"][0] > 0 for each in times)


def test_one_way_only(tcpsim: Tcpsim) -> None:
    document = json.loads(tcpsim(*EXACT, "--loss", "0.5", "--loss-to-client", "0", "--json")[1])
    leaks = [end for end in document["ends"] if end["permanent"]]
    assert sum(end["probability"][0] for end in leaks) == pytest.approx(0.5**3)  # every ACK was lost


def test_a_host_over_time(tcpsim: Tcpsim, tmp_path: Path) -> None:
    """Little's law in the table, the same numbers as JSON and CSV, a band around each, a picture."""
    csv, figure = tmp_path / "held.csv", tmp_path / "held.svg"
    asked = (*EXACT, "--loss", "0,0.3", "--rate", "50/s", "--for", "10min", "--at", "5min,10min,1h")
    out = tcpsim(*asked, "--figure", str(figure))[1]
    assert "50 per second for 10 min, at 0 % loss" in out
    assert "3,000.0 (2,860-3,142)" in out
    assert "FIN-WAIT-2" in figure.read_text()
    held = json.loads(tcpsim(*asked, "--json", "--csv", str(csv))[1])["over_time"]
    assert (held["at_us"], held["arrivals"]) == ([300_000_000, 600_000_000, 3_600_000_000], "poisson")
    waits = next(each for each in held["sockets"] if each["state"] == "FIN-WAIT-2")
    assert waits["mean"][0] == pytest.approx([3_000, 3_000, 0], abs=1e-6)
    assert (waits["low"][0], waits["high"][0]) == ([2_860, 2_860, 0], [3_142, 3_142, 0])
    assert all(
        low <= mean <= high
        for low, mean, high in zip(*[waits[key][1] for key in ("low", "mean", "high")], strict=True)
    )
    rows = [line.split(",") for line in csv.read_text().splitlines()]
    assert rows[0][:-3] == ["loss", "t_s", "side", "state", "mean", "low", "high", "bytes"]
    assert len(rows) == 1 + 2 * 3 * len(held["sockets"])
    even = json.loads(tcpsim(*asked, "--fixed", "--json")[1])["over_time"]["sockets"]
    certain = next(each for each in even if each["state"] == "FIN-WAIT-2")
    assert certain["low"][0] == certain["high"][0] == [3_000, 3_000, 0]


def test_one_connection_by_age(tcpsim: Tcpsim, tmp_path: Path) -> None:
    document = json.loads(tcpsim(*EXACT, "--loss", "0.3", "--at", "0s:2min:5", "--times", "--json")[1])
    leak = next(end for end in document["ends"] if end["client"] == "CLOSE-WAIT")
    held = next(each for each in document["over_time"]["sockets"] if each["state"] == "CLOSE-WAIT")
    assert held["mean"][0][-1] == pytest.approx(leak["probability"][0])
    assert (held["low"], held["high"]) == (None, None)
    stays = next(each for each in document["times"] if each["state"] == "CLOSE-WAIT")
    assert stays["for_ever"][0] == pytest.approx(leak["probability"][0])
    assert stays["quantiles_us"]["0.99"] == [None]
    picture = tmp_path / "begin.svg"
    assert tcpsim(*EXACT, "--loss", "0.3", "--at", "0s", "--figure", str(picture))[0] == 0
    assert "SYN-SENT" in picture.read_text()
    server = next(each for each in document["ended"] if each["side"] == "server")
    assert server["by_horizon"] == pytest.approx([1])
    assert 60_000_000 < server["quantiles_us"]["0.5"][0] < 70_000_000


def test_times_as_a_table(tcpsim: Tcpsim) -> None:
    status, out, _ = tcpsim(*EXACT, "--loss", "0.3", "--times")
    assert status == 0
    assert "age at which it has ended" in out
    assert next(line for line in out.splitlines() if "FIN-WAIT-2" in line and "50 %" in line).endswith("60 s")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--for", "1h"), "--for: found no rate"),
        (("--fixed", "--at", "1h"), "--fixed: found no rate"),
        (("--rate", "5"), "neither at nor for"),
        (("--rate", "5", "--for", "0s"), "a time above zero"),
        (("--rate", "50000/s", "--for", "30d"), "at most 100,000,000"),
        (("--at", "1h:1s:5"), "FIRST before LAST"),
        (("--at", "1h:5"), "FIRST:LAST:COUNT"),
        (("--loss", "0:1"), "FIRST:LAST:COUNT"),
        (("--loss", "0:0.3:1"), "a COUNT from 2"),
        (("--loss", "2"), "--loss"),
        (
            ("--loss-to-client", "0.1", "--loss-to-server", "0.1"),
            "--loss-to-client: found --loss-to-server beside it",
        ),
        (("--limit", "0"), "--limit"),
        (("--with", "server.delay=exp(2s)"), "fixed times"),
    ],
)
def test_bad_input(tcpsim: Tcpsim, arguments: tuple[str, ...], says: str) -> None:
    status, out, err = tcpsim("exact", "closewait-ignored-eof", *arguments)
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_the_horizon_is_until_when_to_watch_and_the_longest_stay_is_another_thing(tcpsim: Tcpsim) -> None:
    """At half of all lost, nine unanswered probes in a row end FIN-WAIT-2 after a day or so."""
    probed = ("--client", "never-closes", "--server", "keepalive-half-closes")
    asked = ("exact", "normal-close", *probed, "--loss", "0.5", "--limit", "1500", "--json")
    found = {}
    for more in (("--longest-stay", "1h"), ("--longest-stay", "60d"), ("--horizon", "1h")):
        document = json.loads(tcpsim(*asked, *more)[1])
        kinds = {end["kind"] for end in document["ends"]}
        found[more] = "metastable" in kinds, document["horizon_us"], document["longest_stay_us"]
    hour, week = 3_600_000_000, 7 * 86_400_000_000
    assert list(found.values()) == [(True, week, hour), (False, week, 60 * week // 7), (True, hour, hour)]


def test_the_way_into_the_leak_of_each_leg_is_a_run(tcpsim: Tcpsim) -> None:
    status, out, _ = tcpsim("exact", "relay-waits-for-both-ends", "--loss", "5%", "--limit", "200", "--json")
    assert status == 0
    near, far = json.loads(out)["legs"]
    assert near["probability"] == far["probability"]
    assert near["fewest_losses"]["drops"] == []  # nothing has to be lost for it
    _, out, _ = tcpsim("exact", "relay-waits-for-both-ends", "--loss", "5%", "--limit", "200")
    assert "relay - server leaks: nothing lost" in out
