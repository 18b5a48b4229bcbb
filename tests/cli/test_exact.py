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


def test_table_csv_and_picture(tcpsim: Tcpsim, tmp_path: Path) -> None:
    csv, figure = tmp_path / "ends.csv", tmp_path / "ends.svg"
    status, out, _ = tcpsim(*EXACT, "--loss", "1%,10%", "--csv", str(csv), "--figure", str(figure))
    assert status == 0
    assert "permanent  CLOSE-WAIT" in out
    assert '--drop "server #' in out
    assert csv.read_text().splitlines()[0] == "loss,kind,client,server,permanent,probability"
    assert len(csv.read_text().splitlines()) == 1 + 2 * 3
    assert "CLOSE-WAIT" in figure.read_text()


def test_what_is_cut_is_said(tcpsim: Tcpsim) -> None:
    status, out, _ = tcpsim(*EXACT, "--limit", "15")
    assert status == 0
    assert "not explored" in out


def test_one_way_only(tcpsim: Tcpsim) -> None:
    document = json.loads(tcpsim(*EXACT, "--loss", "0.5", "--loss-to-client", "0", "--json")[1])
    leaks = [end for end in document["ends"] if end["permanent"]]
    assert sum(end["probability"][0] for end in leaks) == pytest.approx(0.5**3)  # every ACK was lost


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--loss", "0:1"), "FIRST:LAST:COUNT"),
        (("--loss", "0:0.3:1"), "a COUNT from 2"),
        (("--loss", "2"), "--loss"),
        (("--limit", "0"), "--limit"),
        (("--with", "server.delay=exp(2s)"), "fixed times"),
    ],
)
def test_bad_input(tcpsim: Tcpsim, arguments: tuple[str, ...], says: str) -> None:
    status, out, err = tcpsim("exact", "closewait-ignored-eof", *arguments)
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
