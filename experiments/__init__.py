"""Experiments: one file, one question, one CSV and one picture of the same name in figures/.

`python -m experiments` runs them all. A module here has a `STEM` (the name of its files), `points(full)`
(what to simulate; named tuples), `answer(point)` (rows of the table, a function of the point alone) and
`figure(table)`. Points are divided among processes; no result depends on how many there are.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple


class Task(NamedTuple):
    """One point of an experiment."""

    experiment: str
    point: Any


def module(experiment: str) -> ModuleType:
    """The file of an experiment."""
    return import_module(f"experiments.{experiment}")


def answer(task: Task) -> list[dict[str, Any]]:
    """The rows of one point."""
    rows: list[dict[str, Any]] = module(task.experiment).answer(task.point)
    return rows


def identity(task: Task) -> dict[str, Any]:
    """What the stored answer of a point is found by: the code of the experiment is part of it."""
    of = module(task.experiment)
    return {"experiment": of.STEM, "code": inspect.getsource(of), "point": task.point._asdict()}


def memory_words(octets: int) -> str:
    """An amount of memory as a label says it.

    >>> [memory_words(octets) for octets in (256, 15_800, 4_924_000, 4_230_000_000)]
    ['256 B', '15.4 KiB', '4.7 MiB', '3.94 GiB']
    """
    for unit, size in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if octets >= size:
            return f"{octets / size:.3g} {unit}"
    return f"{octets} B"
