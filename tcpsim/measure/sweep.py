"""A sweep: one function at many points in any number of processes, with the same result.

Owns: the division of points among processes, the order of the answers (that of the points), the store of
finished points with which an interrupted sweep continues, and progress. Refuses to know: what a point is. The
result of a point depends only on the point (its seed is a field of it). So processes divide points and runs,
and never one population.

A stored answer is found by the question: the name of the function, the point, and the source code of the
package and of the function's module. So a changed line of code makes every stored answer invalid, on purpose.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

import tcpsim
from tcpsim.errors import InputError
from tcpsim.measure.results import whole_or_nothing

Point = TypeVar("Point", bound=tuple[Any, ...])
Identity = Callable[[Any], Any]  # what tells a point from others, as a value that JSON can hold
Answer = Any  # whatever JSON can hold: rows of a table, as a rule
Progress = Callable[[int, int], None]


def sweep(
    points: Sequence[Point],
    function: Callable[[Point], Answer],
    workers: int = 1,
    store: Path | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
    identity: Identity | None = None,
) -> list[Answer]:
    """The answer at every point, in the order of the points.

    Args:
        points: named tuples; of plain values (numbers, text, None, tuples of those) where no `identity`
            is given.
        function: importable by name, and a function of the point alone; answers what JSON can hold.
        workers: processes on this machine; 1 means this process.
        store: a directory that keeps every finished answer; a sweep that finds them continues there.
        progress: told (finished, all) whenever a point is finished.
        executor: runs the points elsewhere instead, for example on a dask cluster.
        identity: what a stored answer is found by, where a point is more than plain values.

    Raises:
        InputError: fewer than one worker, or a function that a process of its own cannot find.
    """
    found = dict(as_finished(points, function, workers, store, progress, executor, identity))
    return [found[i] for i in range(len(points))]


def as_finished(
    points: Sequence[Point],
    function: Callable[[Point], Answer],
    workers: int = 1,
    store: Path | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
    identity: Identity | None = None,
) -> Iterator[tuple[int, Answer]]:
    """The number of each point and the answer there, as they are finished: for the rest see `sweep`."""
    if workers < 1:
        raise InputError("workers", workers, "a whole number from 1")
    if store is not None:
        store.mkdir(parents=True, exist_ok=True)
    told = [point._asdict() if identity is None else identity(point) for point in points]  # type: ignore[attr-defined]
    stored = [None if store is None else store / f"{_name(function, each)}.json" for each in told]
    missing = []
    for i, path in enumerate(stored):
        if path is not None and path.exists():
            yield i, json.loads(path.read_text())["answer"]
        else:
            missing.append(i)
    if executor is None and workers > 1 and missing:
        _check_importable(function)
    done = len(points) - len(missing)
    for i, answer in _answered(points, function, missing, workers, executor):
        path = stored[i]
        if path is not None:
            with whole_or_nothing(path) as partial:
                partial.write_text(json.dumps({"point": told[i], "answer": answer}))
        done += 1
        if progress:
            progress(done, len(points))
        yield i, json.loads(json.dumps(answer))  # as a stored answer would come back


def _answered(
    points: Sequence[Point],
    function: Callable[[Point], Answer],
    missing: Sequence[int],
    workers: int,
    executor: Executor | None,
) -> Iterator[tuple[int, Answer]]:
    if executor is None and workers == 1:
        for i in missing:
            yield i, function(points[i])
    elif missing:
        # spawn: a forked child inherits the locks of threads that it does not have
        context = multiprocessing.get_context("spawn")
        own = None if executor else ProcessPoolExecutor(workers, context, _belong_to_the_parent)
        pool = executor or own
        assert pool is not None
        try:
            futures = {pool.submit(function, points[i]): i for i in missing}
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            if own:
                own.shutdown(cancel_futures=True)


def _belong_to_the_parent() -> None:
    """A worker leaves interrupts to its parent, and does not outlive it: a point may take minutes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def on_stderr(label: str) -> Progress:
    """Progress as one line that rewrites itself; silent where nobody watches."""

    def show(finished: int, total: int) -> None:
        if sys.stderr.isatty():
            end = "\n" if finished == total else ""
            print(f"\r{label}: {finished} of {total}", end=end, file=sys.stderr, flush=True)

    return show


def _check_importable(function: Callable[..., Any]) -> None:
    """A process of its own imports the function by its name, which a notebook's cell does not have."""
    main = sys.modules["__main__"]
    nested = "<" in function.__qualname__
    if nested or (function.__module__ == "__main__" and not hasattr(main, "__file__")):
        where = "inside another function" if nested else "in a notebook or at the prompt"
        allowed = "one of a module or a script, or workers=1"
        raise InputError("function", f"{function.__qualname__}, defined {where}", allowed)


def _name(function: Callable[..., Answer], told: Any) -> str:
    where = inspect.getsourcefile(function)
    code = [_package_source(), Path(where).read_text() if where else ""]
    asked = [f"{function.__module__}.{function.__qualname__}", told, code]
    return hashlib.blake2b(json.dumps(asked).encode(), digest_size=16).hexdigest()


@cache
def _package_source() -> str:
    root = Path(tcpsim.__file__).parent
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted([*root.rglob("*.py"), *root.rglob("*.toml")]):  # code, and profiles
        digest.update(path.read_bytes())
    return digest.hexdigest()
