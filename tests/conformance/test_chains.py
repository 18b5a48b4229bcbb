"""Lines of three real hosts, recorded on Linux 6.18, against the same lines in the simulator."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tcpsim.catalogue import Scenario, parse_scenario
from tcpsim.conformance.chains import differences
from tcpsim.conformance.lab.linux import TUN

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


@pytest.mark.verify
@pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists(TUN), reason="needs root and a TUN device")
@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_the_kernel_of_this_machine_does_it_again(path: Path) -> None:
    from tcpsim.conformance.lab.chain import record

    recorded, story = loaded(path)
    again = record(story, {}, recorded["until_us"])
    assert differences(again, story, recorded["until_us"]) == []
