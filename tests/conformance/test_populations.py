"""Real populations and their model: what is read, what is expected, and that a wrong model is rejected."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from math import sqrt
from typing import Any

import msgspec
import numpy as np
import pytest

from tcpsim.conformance.populations import Run, connection, read
from tcpsim.conformance.populations.expected import Expected, expected, nodes
from tcpsim.conformance.populations.replay import lives
from tcpsim.conformance.populations.verdict import Judgement, judge, judge_exactly
from tcpsim.errors import InputError
from tests.conformance.kernel import POPULATIONS

RUNS = sorted(path.stem for path in POPULATIONS.glob("*.json"))


def run_of(name: str) -> Run:
    path = POPULATIONS / f"{name}.json"
    return read(path.read_bytes(), path.name)


def with_sysctls(run: Run, **sysctls: int) -> Run:
    return run.altered(sysctls_written={**run.config.sysctls_written, **sysctls})


def outside(found: Judgement) -> set[str]:
    rows = {row.name for row in (*found.end, *found.outcomes) if row.verdict == "outside"}
    return rows | {f"{each.host} {each.state}" for each in found.series if each.verdict == "outside"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 0}, r"p: \$\.config\.n: found 0, allowed: at least 1 connection"),
        ({"p": 1.5}, r"p: \$\.config\.p: found 1\.5, allowed: a number from 0 to below 1"),
        ({"n_never_closers": -1}, r"p: \$\.config\.n_never_closers: found -1, allowed: 0 to n = 4500"),
        ({"n": 4_499}, r"p: \$\.outcomes: found 4500, allowed: counts that add up to n = 4499"),
        ({"rate": "fast"}, r"p: \$\.config\.rate: found `?str`?, allowed: `?float`?"),
        ({"colour": "blue"}, r"p: \$\.config: found that, allowed: Object contains unknown field `colour`"),
    ],
)
def test_a_file_that_is_none_is_told_in_one_line(change: dict[str, Any], message: str) -> None:
    content = json.loads((POPULATIONS / "p00.json").read_bytes())
    content["config"] |= change
    with pytest.raises(InputError, match=message):
        read(json.dumps(content).encode(), "p")


def test_a_sysctl_that_is_not_modelled_is_named() -> None:
    with pytest.raises(InputError, match="tcp_mtu_probing: the profile has no such knob"):
        connection(with_sysctls(run_of("p00"), tcp_mtu_probing=1), "closer", 0)


@pytest.mark.parametrize("count", [2, 4, 8])
def test_phases_take_each_part_of_every_level_of_the_wheel_once(count: int) -> None:
    phases = np.array([node.phase_us for node in nodes(run_of("p00"), count)])
    for level in range(4):
        bucket_us = 2_048_000 // count**level
        assert sorted(phases % bucket_us * count // bucket_us) == list(range(count))


def test_fewer_phases_expect_as_many_connections() -> None:
    run = run_of("p00").every(10)
    usual = expected(run, 500)
    phases = nodes(run, 2)
    found = {
        kind: tuple(
            [
                lives(connection(run, kind, node.phase_us), 0.0, 300_000_000 + node.phase_us, 500)
                for node in phases
            ]
        )
        for kind in usual.lives
    }
    few = Expected(run, tuple(phases), found, 2)
    held = {kind: lambda look: look.client == "CW" for kind in found}
    means = [
        [
            float(law.probability @ (law.low + np.arange(len(law.probability))))
            for law in model.laws(held, times)
        ]
        for times in [run.times_us]
        for model in (few, usual)
    ]
    assert max(means[0]) > 400
    assert means[0] == pytest.approx(means[1], abs=1)


def test_without_loss_every_count_is_the_number_of_its_kind() -> None:
    found = judge_exactly(run_of("p00").every(10), 500)
    assert found.fits
    assert [(row.counted, row.low, row.high) for row in found.outcomes] == [(4_023,) * 3, (477,) * 3]
    assert {f"{each.host} {each.state}": each.verdict for each in found.series} == {
        **dict.fromkeys(("A CW", "B FW2/ms", "B TW/ms"), "fits"),
        **dict.fromkeys(("A EST", "A LA/o", "A SS", "B FW1/o", "B SR"), "rare"),
    }


def test_intervals_are_as_wide_as_they_say() -> None:
    """When half have begun: 99 % for each second, 99.9 % for what is left, of 477 that never close."""
    run = run_of("p00").every(10)
    begun = {
        host: {name: values and values[:6] for name, values in each.items()}
        for host, each in run.series.items()
    }
    found = judge_exactly(msgspec.structs.replace(run, series=begun), 500)
    waits = next(each for each in found.series if (each.host, each.state) == ("A", "CW"))
    left = next(each for each in found.end if each.name == "A CW")
    share = waits.expected[-1] / 477
    deviation = sqrt(477 * share * (1 - share))
    assert 0.4 < share < 0.6
    assert 2.5 < (waits.high[-1] - waits.low[-1]) / 2 / deviation < 2.75
    assert 3.2 < (left.high - left.low) / 2 / deviation < 3.5


def test_another_fin_timeout_is_rejected() -> None:
    """The mutation: half of tcp_fin_timeout, and the kernel's FIN-WAIT-2 counts no longer fit."""
    found = judge_exactly(with_sysctls(run_of("p00"), tcp_fin_timeout=30).every(10), 500)
    assert outside(found) == {"B FW2/ms"}
    assert not found.fits


def test_the_ends_of_all_lives_add_up_to_one() -> None:
    run = run_of("plain_p20_or2")
    found = lives(connection(run, "closer", 77_000), run.config.p, 300_000_000, 300)
    assert sum(found.ended.values()) == pytest.approx(1, abs=1e-12)
    assert 0 < found.cut_short < 1


def test_intervals_are_wider_by_what_was_not_followed() -> None:
    """A model that follows few lives: where the others end up is anybody's guess."""
    run = run_of("plain_p20_or2").every(50)
    found = judge_exactly(run, 60)
    assert found.cut_short > 30
    slack = round(found.cut_short)
    sure = max(found.outcomes, key=lambda row: row.expected)
    deviation = sqrt(sure.expected * (1 - sure.expected / 4_023))
    assert 3.2 < (sure.high - sure.expected - slack) / deviation < 3.5
    assert 3.2 < (sure.expected - sure.low - slack) / deviation < 3.5
    waits = next(each for each in found.series if (each.host, each.state) == ("A", "CW"))
    assert waits.high[-1] > waits.expected[-1] + slack


@pytest.mark.verify
def test_another_number_of_orphan_retries_is_rejected() -> None:
    """The mutation: three retries where the kernel had one, and the half-open clients no longer fit."""
    run = with_sysctls(run_of("plain_p30_or1"), tcp_orphan_retries=3).every(50)
    with ProcessPoolExecutor(2) as executor:
        wrong = judge_exactly(run, executor=executor)
    assert "A EST" in outside(wrong)


@pytest.mark.verify
@pytest.mark.parametrize("name", RUNS)
def test_the_kernel_does_what_is_expected(name: str) -> None:
    with ProcessPoolExecutor(2) as executor:
        assert outside(judge(run_of(name), executor=executor)) == set()


@pytest.mark.verify
def test_processes_change_nothing() -> None:
    run = run_of("plain_p20_or2")
    with ProcessPoolExecutor(2) as executor:
        both = expected(run, 500, executor), expected(run, 500)
    assert [each.ended for each in both[0].lives["closer"]] == [
        each.ended for each in both[1].lives["closer"]
    ]
