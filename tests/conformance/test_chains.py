"""Lines of three real hosts, recorded on Linux 6.18, against the same lines in the simulator."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tcpsim
from tcpsim.catalogue import Scenario, as_toml, build, parse_scenario, play, run, scenario
from tcpsim.conformance.chains import differences
from tcpsim.conformance.lab.chain_plan import line_job, with_losses
from tcpsim.conformance.lab.linux import TUN
from tcpsim.errors import InputError
from tcpsim.pair import SIDES, Event, Lost, Sent
from tcpsim.path import Seeded

RECORDED = sorted((Path(__file__).parent.parent / "data" / "relays").glob("*.json"))


def loaded(path: Path) -> tuple[dict[str, Any], Scenario]:
    recorded = json.loads(path.read_text(encoding="utf-8"))
    return recorded, parse_scenario(recorded["story"], path.name, path.stem)


def test_there_are_enough_of_them() -> None:
    assert len(RECORDED) >= 12
    assert sum(any("lost" in row for row in loaded(each)[0]["segments"]) for each in RECORDED) >= 4


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_the_simulator_does_what_the_kernel_did(path: Path) -> None:
    recorded, story = loaded(path)
    assert differences(recorded, story, recorded["until_us"]) == []


WRONG: dict[str, dict[str, Any]] = {
    "waits-for-both": {"ends": "first"},
    "leaks-two-sockets": {"drain": "1s"},
    "drains": {"drain": "900ms"},
    "closes-both": {"ends": "both"},
    "drops-the-half-close": {"half_close": "passed"},
    "idles-out": {"idle": "1100ms"},
    "hands-a-reset-on": {"on_error": "close"},
    "makes-a-fin-of-a-reset": {"on_error": "reset"},
    "keepalive-ends-a-vanished-client": {"count": 3},
    "gives-up-connecting": {"connect_timeout": "none"},
    "aborts-with-its-client": {"abort_on_close": "no"},
}


@pytest.mark.parametrize("name", WRONG)
def test_another_rule_is_found_out(name: str) -> None:
    recorded, story = loaded(next(each for each in RECORDED if each.stem == name))
    relay = story.relays[0]
    other = replace(relay, arguments={**relay.arguments, **WRONG[name]})
    assert differences(recorded, replace(story, relays=(other,)), recorded["until_us"])


def test_another_loss_is_found_out() -> None:
    recorded, story = loaded(next(each for each in RECORDED if each.stem == "half-close-with-lost-fins"))
    assert differences(recorded, replace(story, drops=()), recorded["until_us"])


CHANGES: list[dict[str, Any]] = [
    {"relay": "nginx-stream", "loss": 0.15, "parameters": {"relay.idle": "2s", "client.after": "300ms"}},
    {"knobs": {"tcp_fin_timeout": "1s", "relay.tcp_fin_timeout": "2s"}, "parameters": {"relay.drain": "1s"}},
    {"drops": ("leg 2: client SYN 1", "client FIN 1"), "delay": "5ms", "client": "closes-on-eof"},
]


@pytest.mark.parametrize("asked", CHANGES, ids=str)
def test_a_recording_tells_its_story_whole(asked: dict[str, Any]) -> None:
    """What was changed is in the file: it plays as the scenario does with the changes, but for chance."""
    story = scenario("relay-waits-for-both-ends")
    job = line_job(story, asked, asked_us=3_000_000)
    told = parse_scenario(as_toml(with_losses(job.story, {})), "x.toml", "x")
    certain = {key: value for key, value in asked.items() if key != "loss"}
    assert play(told).events == play(story, **certain).events


def test_losses_by_chance_are_told_as_rules() -> None:
    """Segment by segment: the file loses what the seed lost."""
    story = scenario("relay-waits-for-both-ends")
    job = line_job(story, {"loss": 0.2}, seed=1, asked_us=3_000_000)
    events: list[Event] = []
    run(job.pair, Seeded(1), 3_000_000, events.append)
    sent: Counter[tuple[int, str]] = Counter()
    lost: dict[tuple[int, str], list[int]] = {}
    for event in events:
        if isinstance(event, Sent):
            way = event.leg, SIDES[event.side != ("client", "relay")[event.leg]]
            sent[way] += 1
            if not event.arrives_us:
                lost.setdefault(way, []).append(sent[way])
    assert {leg for leg, _ in lost} == {0, 1}
    again: list[Event] = []
    run(build(with_losses(job.story, lost)), Seeded(1), 3_000_000, again.append)
    assert [e for e in again if not isinstance(e, Lost)] == [e for e in events if not isinstance(e, Lost)]


@pytest.mark.parametrize(
    ("name", "asked", "complaint"),
    [
        ("sidecar-on-both-sides", {}, "lab sidecar-on-both-sides: found 2 relays, allowed: at most one"),
        ("relay-and-conntrack", {}, "lab path: found a middlebox"),
        ("relay-restarts", {}, "lab relay: found a program that kills others"),
        ("relay-waits-for-both-ends", {"jitter": "exp(1ms)"}, "lab relay-waits-for-both-ends: found jitter"),
        ("relay-waits-for-both-ends", {"stack_relay": "freebsd"}, "lab stack_relay: found freebsd"),
        (
            "relay-with-a-one-hour-idle-timeout",
            {},
            "lab relay-with-a-one-hour-idle-timeout: found a recording",
        ),
    ],
)
def test_what_cannot_be_recorded_is_refused_before_anything_is_set_up(
    name: str, asked: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        line_job(scenario(name), asked)


def test_conform_judges_lines_too(tmp_path: Path) -> None:
    path = next(each for each in RECORDED if each.stem == "nginx-stream-under-loss")
    recorded = json.loads(path.read_text(encoding="utf-8"))
    verdicts = []
    for late_us in (0, 9_000):
        recorded["calls"][5]["end_us"] += 2_000_000
        recorded["late_us"] = late_us
        (tmp_path / "late.json").write_text(json.dumps(recorded), encoding="utf-8")
        verdicts.append(tcpsim.conform([path, tmp_path / "late.json"]).traces)
    assert [each.verdict for found in verdicts for each in found] == ["PASS", "FAIL", "PASS", "LATE"]


@pytest.mark.verify
@pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists(TUN), reason="needs root and a TUN device")
@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_the_kernel_of_this_machine_does_it_again(path: Path) -> None:
    from tcpsim.conformance.lab.chain import record

    recorded, story = loaded(path)
    again = record(line_job(story, {}, asked_us=recorded["until_us"]))
    assert differences(again, story, recorded["until_us"]) == []
