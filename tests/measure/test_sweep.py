"""A sweep is the same in any number of processes, and continues where it was interrupted."""

import json
import random
from pathlib import Path
from typing import NamedTuple

import pytest

from tcpsim.errors import InputError
from tcpsim.measure.sweep import sweep


class Roll(NamedTuple):
    seed: int
    sides: int
    diary: str | None = None


def roll(point: Roll) -> dict[str, object]:
    """Rolls a die 100 times; writes into the point's diary that it was asked."""
    if point.diary:
        with open(point.diary, "a") as diary:
            diary.write(f"{point.seed}\n")
    if point.sides == 0:
        raise RuntimeError("power cut")
    die = random.Random(point.seed)
    return {"seed": point.seed, "sum": sum(die.randint(1, point.sides) for _ in range(100))}


POINTS = [Roll(seed, 6) for seed in range(7)]


@pytest.mark.parametrize("workers", [2, 3])
def test_processes_change_nothing(workers: int) -> None:
    alone = sweep(POINTS, roll)
    assert [row["seed"] for row in alone] == [point.seed for point in POINTS]
    assert json.dumps(sweep(POINTS, roll, workers=workers)) == json.dumps(alone)


def test_an_interrupted_sweep_continues(tmp_path: Path) -> None:
    diary, store = tmp_path / "diary", tmp_path / "store"
    points = [Roll(seed, 6, str(diary)) for seed in range(5)]
    with pytest.raises(RuntimeError, match="power cut"):
        sweep([*points[:3], Roll(99, 0, str(diary)), *points[3:]], roll, store=store)
    assert diary.read_text().split() == ["0", "1", "2", "99"]
    assert sweep(points, roll, store=store) == sweep([Roll(seed, 6) for seed in range(5)], roll)
    assert diary.read_text().split() == ["0", "1", "2", "99", "3", "4"]


def test_a_stored_answer_belongs_to_its_point(tmp_path: Path) -> None:
    first = sweep([Roll(1, 6)], roll, store=tmp_path)
    assert sweep([Roll(1, 8)], roll, store=tmp_path) != first
    assert sweep([Roll(1, 6)], roll, store=tmp_path) == first


def test_progress_counts_to_the_end() -> None:
    seen: list[tuple[int, int]] = []
    sweep(POINTS, roll, progress=lambda finished, total: seen.append((finished, total)))
    assert seen == [(i, 7) for i in range(1, 8)]


def test_no_workers_are_refused() -> None:
    with pytest.raises(InputError, match="workers: found 0, allowed: a whole number from 1"):
        sweep(POINTS, roll, workers=0)
