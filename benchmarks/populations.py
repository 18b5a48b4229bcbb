"""Workload W1 by every method, beside a bare heapq loop and beside ns-3, in one run.

Each row is a fresh process; seconds are those of the CPU, so that other programs on the machine count little.
A row of `sample` and `exact` includes the exploration. `simulate` and ns-3 are not run where that would take
longer than `--most` seconds, judged by the row before. ns-3 is built from ns3/w1.cc where its headers are
installed (Debian: libns3-dev).

    python -m benchmarks.populations
    python -m benchmarks.populations --n 10000 --loss 0.01
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import NamedTuple

import numpy as np

from benchmarks.w1 import heapq_loop, pair, plan
from tcpsim.explore.curves import occupancy
from tcpsim.explore.growth import Stream
from tcpsim.explore.over_time import over_time as expected_over_time
from tcpsim.explore.tolerance import explore_for
from tcpsim.host.population import Arrivals, simulate
from tcpsim.measure import census_table
from tcpsim.measure.sampled_census import sampled

RATE = 50
SETTLE_US = 120_000_000
EVERY_US = 1_000_000
NS3 = (("ns-3, tuned", ("--pairs=200", "--bare=1")), ("ns-3, one server", ("--pairs=1",)))
LIBRARIES = ("core", "network", "internet", "point-to-point", "stats", "traffic-control")


class Row(NamedTuple):
    """One measurement: seconds of the CPU in all, of them for exploring, peak memory, states."""

    method: str
    connections: int
    loss: float
    seconds: float
    explored_s: float = 0.0
    peak_mib: float | None = None
    states: int | None = None

    @property
    def us(self) -> float:
        """Microseconds per connection."""
        return self.seconds / self.connections * 1e6


def simulated(connections: int, loss: float) -> list[Row]:
    """Run every connection; then a heapq loop of as many events."""
    began = process_time()
    census = simulate(plan(connections, loss, 50_000, 1))
    census_table.over_time(census, EVERY_US)
    took = process_time() - began
    peak = _peak_mib()
    loop = heapq_loop(census.computed + census.recalled, in_flight=RATE * 60)
    return [
        Row("simulate", connections, loss, took, peak_mib=peak),
        Row("heapq, as many events", connections, loss, loop),
    ]


def drawn(connections: int, loss: float) -> list[Row]:
    """Draw every connection from the chain."""
    began = process_time()
    rates = {"to client": [loss], "to server": [loss]}
    tolerance = float(np.clip(0.1 / connections, 1e-9, 1e-5))
    chain = explore_for(pair(0.5), rates, tolerance, at_least=200)
    explored = process_time() - began
    census = sampled(chain, rates, Arrivals(RATE, connections=connections), SETTLE_US, 1, every_us=EVERY_US)
    kinds = census_table.kinds(census.views)
    counts = [census.totals(census_table.counted(census.views, kind)) for kind in kinds]
    assert len(counts[0]) > connections // RATE // 2
    return [Row("sample", connections, loss, process_time() - began, explored, _peak_mib(), chain.states)]


def expected(connections: int, loss: float) -> list[Row]:
    """The expected census and its band at 120 times."""
    began = process_time()
    rates = {"to client": [loss], "to server": [loss]}
    chain = explore_for(pair(0.5), rates)
    explored = process_time() - began
    for_us = connections * 1_000_000 // RATE
    times = np.linspace(0, for_us + SETTLE_US, 120).astype(int).tolist()
    told = expected_over_time(occupancy(chain, rates, times[-1]), times, Stream(RATE, for_us))
    assert told.mean.max() > 0
    return [Row("exact", connections, loss, process_time() - began, explored, _peak_mib(), chain.states)]


class Ns3:
    """The same workload on ns-3, where it can be built."""

    def __init__(self, folder: Path) -> None:
        self.program = folder / "w1"
        source = Path(__file__).parent / "ns3" / "w1.cc"
        compiler = shutil.which("g++")
        command = [compiler or "", "-O3", "-std=c++17", str(source), "-o", str(self.program)]
        command += ["-I/usr/include/libxml2", *[f"-lns3-{each}" for each in LIBRARIES]]
        self.there = (
            bool(compiler) and subprocess.run(command, capture_output=True, check=False).returncode == 0
        )

    def rows(self, name: str, words: Sequence[str], connections: int, loss: float) -> list[Row]:
        command = [str(self.program), f"--n={connections}", f"--loss={loss}", *words]
        said = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
        return [Row(name, connections, loss, float(said[1]))]


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fresh(function: Callable[[int, float], list[Row]], connections: int, loss: float) -> list[Row]:
    """In a process of its own, so that its peak memory is its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(function, connections, loss).result()


METHODS = (("simulate", simulated), ("sample", drawn), ("exact", expected))


def rows(
    numbers: Sequence[int], losses: Sequence[float], most_s: float, one_server: bool = False
) -> Iterator[Row]:
    """Every measurement, ns-3 first."""
    with TemporaryDirectory() as folder:
        ns3 = Ns3(Path(folder))
        for loss in losses:
            before: dict[str, float] = {}
            for connections in numbers:
                ways: list[tuple[str, Callable[[], list[Row]]]] = [
                    (name, partial(ns3.rows, name, words, connections, loss))
                    for name, words in (NS3 if one_server else NS3[:1])
                    if ns3.there
                ]
                ways += [(name, partial(fresh, function, connections, loss)) for name, function in METHODS]
                for name, measure in ways:
                    if name not in ("sample", "exact") and before.get(name, 0.0) * connections > most_s:
                        continue
                    for row in measure():
                        before.setdefault(row.method, row.seconds / row.connections)
                        yield row


HEAD = (
    "method",
    "loss",
    "connections",
    "times faster than ns-3",
    "µs/connection",
    "seconds",
    "exploring",
    "states",
    "MiB",
)


def table(found: Sequence[Row]) -> list[tuple[str, ...]]:
    """The rows, ratios first: how many times as fast as ns-3, tuned, at that loss."""
    tuned = {row.loss: row.us for row in found if row.method == "ns-3, tuned"}
    lines = [HEAD]
    for row in found:
        ratio = f"{tuned[row.loss] / row.us:,.3g}" if row.loss in tuned else "-"
        lines.append(
            (
                row.method, f"{row.loss:.0%}", f"{row.connections:,}", ratio, f"{row.us:,.3g}",
                f"{row.seconds:,.2f}", f"{row.explored_s:.2f}" if row.explored_s else "-",
                "-" if row.states is None else f"{row.states:,}",
                "-" if row.peak_mib is None else f"{row.peak_mib:,.0f}",
            )
        )  # fmt: skip
    return lines


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.populations", description="Workload W1.")
    parser.add_argument("--n", type=int, nargs="+", default=[10_000, 1_000_000, 10_000_000], metavar="N")
    parser.add_argument("--loss", type=float, nargs="+", default=[0.0, 0.01, 0.1], metavar="P")
    parser.add_argument("--most", type=float, default=60.0, help="seconds that a row may take")
    parser.add_argument("--one-server", action="store_true", help="ns-3 as a user would write it, too")
    chosen = parser.parse_args()
    found = []
    for row in rows(chosen.n, chosen.loss, chosen.most, chosen.one_server):
        found.append(row)
        print(
            f"{row.method:24}{row.loss:>5.0%}{row.connections:>12,}{row.us:>12.3g} us/connection", flush=True
        )
    for line in table(found):
        print("  ".join(line))


if __name__ == "__main__":
    main()
