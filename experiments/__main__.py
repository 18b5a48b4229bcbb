"""`python -m experiments [NAME ...] [--full] [--workers N] [--out DIR]`: run, tabulate, draw.

A run that is interrupted continues where it was: finished points are kept in build/experiments until the
picture is drawn. A figure with a fault (`tcpsim.draw.figure_faults`) is written all the same, each fault is
a line on stderr, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl

from experiments import Task, answer, identity, module
from tcpsim.draw.figure_faults import faults
from tcpsim.draw.figure_style import save
from tcpsim.errors import InputError
from tcpsim.measure.results import Table, write_table
from tcpsim.measure.sweep import as_finished, on_stderr

NAMES = (  # the quickest first; what has many small points comes last, so that no process is left alone
    "worker_until_emfile",
    "mbufs_until_the_crash",
    "growth_in_thirty_days",
    "lingering_processes_and_lost_responses",
    "with_and_without_timeout",
    "buggy_share_and_keepalivetimeout",
    "which_limit_first",
    "timeout_and_keepalive",
    "growth_in_a_day",
    "page_time_and_connections",
    "exact_leaks_against_loss",
    "losses_it_takes",
    "kernel_on_the_exact_curve",
    "leaks_against_loss",
)
UNFINISHED = Path("build") / "experiments"


def perform(names: Sequence[str], full: bool, workers: int, out: Path) -> Iterator[tuple[str, list[str]]]:
    """Every experiment, from its points to its three files; the name of each, and what is wrong with it.

    Points are handed out in the order of `names`, and no process waits at the end of an experiment.
    """
    tasks = [Task(name, point) for name in names for point in module(name).points(full)]
    rows: dict[str, dict[int, list[dict[str, Any]]]] = {name: {} for name in names}
    left = Counter(task.experiment for task in tasks)
    store = UNFINISHED / blake2b(" ".join(names).encode(), digest_size=8).hexdigest()
    done = as_finished(tasks, answer, workers, store, on_stderr("points"), identity=identity)
    for number, found in done:
        name = tasks[number].experiment
        rows[name][number] = found
        left[name] -= 1
        if not left[name]:
            of_points = rows.pop(name)
            table = Table.of_rows(row for each in sorted(of_points) for row in of_points[each])
            yield name, draw(name, table, out)
    shutil.rmtree(store)


def draw(name: str, table: Table, out: Path) -> list[str]:
    """The three files of an experiment: the figure shows what the table on disk says. Its faults."""
    write_table(table, out / f"{name}.csv")
    written = pl.read_csv(out / f"{name}.csv", infer_schema_length=None)
    drawn = module(name).figure(written)
    save(drawn, out / f"{name}.svg", out / f"{name}.png")
    return faults(drawn)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m experiments", description="Tables and figures.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(NAMES)}")
    parser.add_argument("--full", action="store_true", help="larger samples, finer grids")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("figures"))
    chosen = parser.parse_args()
    try:
        for name in chosen.names:
            if name not in NAMES:
                raise InputError("experiment", repr(name), ", ".join(NAMES))
        chosen.out.mkdir(parents=True, exist_ok=True)
        began = perf_counter()
        wrong = 0
        for name, found in perform(chosen.names or NAMES, chosen.full, chosen.workers, chosen.out):
            print(f"{chosen.out / name}.csv .svg .png  (after {perf_counter() - began:.0f} s)", flush=True)
            for fault in found:
                print(f"{chosen.out / name}.svg: {fault}", file=sys.stderr)
            wrong += len(found)
    except InputError as problem:
        print(f"experiments: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("experiments: interrupted; the next run continues here", file=sys.stderr)
        return 130
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
