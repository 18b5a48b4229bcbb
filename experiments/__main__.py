"""`python -m experiments [NAME ...] [--full] [--workers N] [--out DIR]`: run, tabulate, draw.

A run that is interrupted continues where it was: finished points are kept in build/experiments until the
picture is drawn.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from importlib import import_module
from pathlib import Path
from time import perf_counter

import polars as pl

from tcpsim.draw.sheet import save
from tcpsim.errors import InputError
from tcpsim.measure.results import Table, write_table
from tcpsim.measure.sweep import on_stderr, sweep

NAMES = (
    "kernel_on_the_exact_curve",
    "leaks_against_loss",
    "exact_leaks_against_loss",
    "losses_it_takes",
    "growth_in_a_day",
    "growth_in_thirty_days",
    "timeout_and_keepalive",
    "with_and_without_timeout",
    "mbufs_until_the_crash",
    "worker_until_emfile",
    "which_limit_first",
    "buggy_share_and_keepalivetimeout",
    "lingering_processes_and_lost_responses",
    "page_time_and_connections",
)
UNFINISHED = Path("build") / "experiments"


def perform(name: str, full: bool, workers: int, out: Path) -> None:
    """One experiment, from its points to its three files."""
    experiment = import_module(f"experiments.{name}")
    store = UNFINISHED / name
    points = experiment.points(full)
    answers = sweep(points, experiment.answer, workers, store, on_stderr(name))
    table = Table.of_rows(row for rows in answers for row in rows)
    write_table(table, out / f"{name}.csv")
    written = pl.read_csv(out / f"{name}.csv", infer_schema_length=None)
    drawn = experiment.figure(written)  # it shows what the table says
    save(drawn, out / f"{name}.svg", out / f"{name}.png")
    shutil.rmtree(store)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m experiments", description="Tables and figures.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(NAMES)}")
    parser.add_argument("--full", action="store_true", help="larger samples, finer grids")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("figures"))
    chosen = parser.parse_args()
    try:
        for name in chosen.names or NAMES:
            if name not in NAMES:
                raise InputError("experiment", repr(name), ", ".join(NAMES))
            chosen.out.mkdir(parents=True, exist_ok=True)
            began = perf_counter()
            perform(name, chosen.full, chosen.workers, chosen.out)
            print(f"{chosen.out / name}.csv .svg .png  ({perf_counter() - began:.0f} s)", flush=True)
    except InputError as problem:
        print(f"experiments: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("experiments: interrupted; the next run continues here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
