"""A sweep is the same in any number of processes, and continues where it was interrupted."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tcpsim.errors import InputError
from tcpsim.measure.sweep import sweep
from tests.patience import PATIENCE_S


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


SLOW = """
import os, time
from pathlib import Path
from typing import NamedTuple
from tcpsim.measure.sweep import sweep

class Point(NamedTuple):
    number: int

def for_ever(point: Point) -> None:
    Path(f"{point.number}.pid").write_text(str(os.getpid()))
    while True:
        time.sleep(0.05)

if __name__ == "__main__":
    sweep([Point(0), Point(1)], for_ever, workers=2)
"""


def test_workers_do_not_outlive_their_parent(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    parent = subprocess.Popen([sys.executable, "slow.py"], cwd=tmp_path)
    pids: list[int] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(pids) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
        pids = [int(text) for path in tmp_path.glob("*.pid") if (text := path.read_text())]
    parent.kill()
    parent.wait()
    while any(map(_runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(pids) == 2
    assert not any(map(_runs, pids))


def _runs(pid: int) -> bool:
    """Whether there is such a process that has not ended: nobody may have waited for it yet."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_no_workers_are_refused() -> None:
    with pytest.raises(InputError, match="workers: found 0, allowed: a whole number from 1"):
        sweep(POINTS, roll, workers=0)
