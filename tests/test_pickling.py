"""A pair is a value: it survives being pickled, here and on the way to another process."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tcpsim.catalogue import build, scenario, scenarios
from tcpsim.explore.branch import Steps
from tcpsim.pair import Event, Pair, advance
from tcpsim.path import Seeded
from tcpsim.tcp.endpoint import listen, new_end
from tcpsim.tcp.stack import stack

ROOT = Path(__file__).parent.parent


def lived(name: str, steps: int, **changes: Any) -> Pair:
    pair, chooser = build(scenario(name), **{"loss": 0.2, **changes}), Seeded(3)
    for _ in range(steps):
        if pair.next_us is not None:
            pair = advance(pair, chooser)
    return pair


@pytest.mark.parametrize("name", [each.name for each in scenarios()])
def test_a_pair_comes_back_equal_and_lives_on_alike(name: str) -> None:
    for steps in (0, 7, 25, 60):
        pair = lived(name, steps)
        again: Pair = pickle.loads(pickle.dumps(pair))
        assert again == pair
        assert hash(again.client.system.end) == hash(pair.client.system.end)
        keys = Steps(pair)
        assert keys.key(again) == keys.key(pair)
        events: tuple[list[Event], list[Event]] = [], []
        for one, told in zip((pair, again), events, strict=True):
            chooser = Seeded(5)
            for _ in range(20):
                one = advance(one, chooser, told.append) if one.next_us is not None else one
        assert events[0] == events[1]


def test_a_program_is_equal_and_found_in_another_process() -> None:
    """Python hashes words differently there; what was hashed here would not be found."""
    pair = lived("normal-close", 12)
    code = (
        "import pickle, sys; one, other = pickle.load(sys.stdin.buffer), None;"
        "from tcpsim.catalogue import build, scenario;"
        "program = build(scenario('normal-close'), loss=0.2).client.programs[0][1].program;"
        "print({program: 'found'}.get(one.client.programs[0][1].program))"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=pickle.dumps(pair),
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        assert done.stdout.split() == [b"found"]


def test_ends_are_equal_by_what_is_in_them() -> None:
    one, other = (new_end(stack("linux"), iss=7) for _ in range(2))
    assert one == other != new_end(stack("linux"), iss=8)
    assert one != new_end(stack("freebsd"), iss=7)
    heard = [listen(each, 80, 4)[0] for each in (one, other)]
    assert heard[0] == heard[1] != one
    assert repr(one) == "Endpoint(linux, no sockets)"
