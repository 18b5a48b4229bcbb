"""A title stands over the story that it tells; else the caption says what was changed."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import tcpsim
from tcpsim.app import Program, connect
from tcpsim.catalogue import scenario
from tcpsim.draw.caption import caption_of

CLOSE = scenario("normal-close")
CHANGED = "normal-close, changed: client never-closes, loss 1 %"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, f"normal-close: {CLOSE.title}"),
        ({"client": "never-closes", "loss": 0.01}, CHANGED),
        ({"client": "closes-on-eof", "delay": "10ms", "loss": 0.0}, f"normal-close: {CLOSE.title}"),
        ({"middlebox": "none"}, f"normal-close: {CLOSE.title}"),
        ({"delay": 10_000, "loss_to_client": None}, f"normal-close: {CLOSE.title}"),
        ({"delay": 25_000, "loss_to_client": "5%"}, "normal-close, changed: delay 25ms, loss to client 5 %"),
        (
            {"stack_server": "rfc9293", "knobs": {"client.fin_wait_2_us": 30_000_000, "server.mss": 500}},
            "normal-close, changed: server's stack rfc9293, client.fin_wait_2_us=30s, server.mss=500",
        ),
        (
            {"drops": ("server FIN 1",), "parameters": {"client.delay": "2s"}},
            'normal-close, changed: drop "server FIN 1", client.delay=2s',
        ),
        ({"client": Program([connect()], name="mine")}, "normal-close, changed: client mine"),
    ],
)  # fmt: skip
def test_what_is_changed_is_named(changes: dict[str, object], told: str) -> None:
    assert str(caption_of(CLOSE, changes)) == told


RESULTS = [
    lambda: tcpsim.run("normal-close", client="never-closes", loss="1%"),
    lambda: tcpsim.compare("normal-close", "keepalive=1min", client="never-closes", loss=0.01),
    lambda: tcpsim.population("normal-close", client="never-closes", loss=0.01, rate=5, for_="5s"),
]


@pytest.mark.parametrize("make", RESULTS)
def test_one_caption_for_text_and_files(make: object, tmp_path: Path) -> None:
    found = make()  # type: ignore[operator]
    assert found.text().splitlines()[0] == CHANGED
    document = json.loads(found.json())
    assert (document["caption"], document["seed"], document["version"]) == (CHANGED, 1, tcpsim.__version__)
    with found.save(tmp_path / "found.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            assert (row["caption"], row["seed"], row["version"]) == (CHANGED, "1", tcpsim.__version__)
    origin = f"{CHANGED}; seed 1; tcpsim {tcpsim.__version__}"
    assert found.save(tmp_path / "found.txt").read_text(encoding="utf-8").splitlines()[-1] == origin
    if found.pictured:
        drawn = found.save(tmp_path / "found.svg").read_text(encoding="utf-8")
        assert f"<dc:title>{CHANGED}</dc:title>" in drawn
        assert origin in drawn
        raw = found.save(tmp_path / "found.png").read_bytes()
        assert CHANGED.encode() in raw
        assert origin.encode() in raw
        assert found.save(tmp_path / "found.pdf").stat().st_size > 1_000


def test_exact_and_check_name_what_was_asked_and_not_the_losses_they_stand_for() -> None:
    limit = {"limit": 60}
    plain = tcpsim.exact("closewait-ignored-eof", loss=0.1, **limit)
    assert str(plain.caption()) == f"closewait-ignored-eof: {plain.scenario.title}"
    one_way = tcpsim.exact("closewait-ignored-eof", loss=0.1, loss_to_client=0.2, **limit)
    assert str(one_way.caption()) == "closewait-ignored-eof, changed: loss to client 20 %"
    assert one_way.to_dict()["caption"] == str(one_way.caption())
    asked = tcpsim.check("closewait-ignored-eof", "orphan-has-timer", delay="5ms", **limit)
    assert asked.text().splitlines()[0] == "closewait-ignored-eof, changed: delay 5ms"


def test_populations_that_run_out_say_what_was_changed() -> None:
    found = tcpsim.exhaust("mbufs-with-a-timer", rate="2/s", for_="1min", limit=512, fix="client-closes")
    assert found.text().splitlines()[0] == (
        "mbufs-with-a-timer, changed: rate 2/s, for 1min, limit 512, fix client-closes"
    )


def test_a_long_caption_has_its_own_lines_above_a_ladder() -> None:
    many = {
        f"server.{name}": 3
        for name in ("tcp_retries2", "tcp_syn_retries", "tcp_synack_retries", "tcp_orphan_retries")
    }
    long = tcpsim.run("normal-close", client="never-closes", loss="1%", knobs=many)
    short = tcpsim.run("normal-close", client="never-closes", loss="1%")
    assert long.figure().get_figheight() > short.figure().get_figheight()
    assert max(map(len, long.text().splitlines())) <= 100
