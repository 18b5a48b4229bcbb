"""A random judge: situations drawn from a seed, recorded on this machine's kernel, and replayed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tcpsim.conformance.lab import job, missing, record
from tcpsim.conformance.lab.random_situations import situation
from tcpsim.conformance.lab.situation import Situation
from tcpsim.conformance.traces import Verdict, judge
from tcpsim.errors import InputError

SEEDS = range(40)
TRIES = 3
AT_LEAST = 0.9  # what is known to differ: compressed SACKs, how a resent burst is cut, readers in a burst


def verdict_of(chosen: Situation) -> Verdict:
    """The kernel's answer and ours, tried again where the machine was too late."""
    made = job(chosen.name, chosen.title, chosen.pair({}), seed=1, horizon_us=chosen.horizon_us)
    for _ in range(TRIES):
        verdict = judge(json.dumps(record(made)).encode(), chosen.name)
        if verdict.verdict != "LATE":
            break
    return verdict


def smaller(chosen: Situation) -> Iterator[Situation]:
    """The same without one of its losses, knobs, or steps behind the first two."""
    parts = {name: getattr(chosen, name) for name in Situation.__slots__}
    for place in range(len(chosen.drops)):
        yield Situation(**parts | {"drops": (*chosen.drops[:place], *chosen.drops[place + 1 :])})
    for knob in chosen.knobs:
        yield Situation(**parts | {"knobs": {k: v for k, v in chosen.knobs.items() if k != knob}})
    for side in ("client", "server"):
        steps = list(parts[side])
        for place in range(len(steps) - 1, 1, -1):
            yield Situation(**parts | {side: [*steps[:place], *steps[place + 1 :]]})


def minimised(chosen: Situation) -> tuple[Situation, Verdict]:
    """A smaller situation that still differs, and how."""
    verdict = verdict_of(chosen)
    found = True
    while found:
        found = False
        for other in smaller(chosen):
            try:
                told = verdict_of(other)
            except InputError:
                continue  # what is left is no program
            if told.verdict == "FAIL":
                chosen, verdict, found = other, told, True
                break
    return chosen, verdict


def test_a_seed_draws_the_same_situation() -> None:
    assert situation(17) == situation(17)
    assert situation(17) != situation(18)
    assert {situation(seed).delay for seed in SEEDS} == {"1ms", "5ms", "10ms", "30ms"}


@pytest.mark.parametrize("seed", [0, 7])
def test_a_smaller_situation_is_one_part_smaller(seed: int) -> None:
    chosen = situation(seed)

    def size(each: Situation) -> int:
        return len(each.drops) + len(each.knobs) + len(each.client) + len(each.server)

    assert {size(each) for each in smaller(chosen)} == {size(chosen) - 1}


@pytest.mark.verify
@pytest.mark.skipif(missing() is not None, reason=f"the lab needs Linux, root and TUN: {missing()}")
def test_the_kernel_does_what_tcpsim_does() -> None:
    verdicts = {seed: verdict_of(situation(seed)) for seed in SEEDS}
    judged = {seed: each for seed, each in verdicts.items() if each.verdict != "LATE"}
    if not judged:
        pytest.skip("the machine was late every time")
    failed = [seed for seed, each in judged.items() if each.verdict != "PASS"]
    if len(failed) > (1 - AT_LEAST) * len(judged):
        smallest, told = minimised(situation(failed[0]))
        pytest.fail(f"random-{failed}; of the first, {smallest}:\n{told.reason}\n{told.ladders}")
