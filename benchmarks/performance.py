"""docs/performance.md: what is measured in one run, ratios first.

python -m benchmarks.performance            about five minutes of an idle machine
python -m benchmarks.performance --most 15  rows that would take longer than 15 s are left out
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import process_time

from benchmarks.exact import CASES, WEEK_US
from benchmarks.populations import Row, rows, table
from tcpsim import __version__
from tcpsim.catalogue import build, scenario
from tcpsim.explore.chain import explore
from tcpsim.explore.leaks import answer
from tcpsim.explore.tolerance import TOLERANCE

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
LOSSES = (0.0, 0.01, 0.1)
NUMBERS = (10_000, 1_000_000, 10_000_000)
UP_TO = (0.05, 0.3)

BEGIN = """# Performance

`python -m benchmarks.performance` writes this page. All rows are of one run on one machine, so look at
the ratios: the seconds are of the processor time of that machine{load}. tcpsim {version}, Python
{python}.

## Populations

Workload W1: {rate} connections a second on a path of 10 ms each way that loses every packet with the
same probability, 100 bytes up, 1000 bytes down. The server closes first, one client in ten never
closes, TIME-WAIT lasts 60 s. Sockets are counted by state once a second until 120 s after the last
arrival ([sweeps.md](sweeps.md#when-exact-answers-end-and-sampling-begins) explains the methods).
`sample` and `exact` include the exploration, `exact` gives 120 times with their 99 % bands. ns-3 is
Debian's `libns3-dev` with a program of our own ([w1.cc](../benchmarks/ns3/w1.cc)), tuned: 200 pairs of
nodes, no queue disciplines. A heapq loop of as many events as the simulation had shows what Python
alone needs.

"""
EXPLORATION = """
## Exploration

Thirty-one loss rates from 0 on, until what is not explored is no likelier than {tolerance:g} at any of
them. The ratio compares with the exploration of all states, and the last column is the cost of a state
there.

"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.performance", description="docs/performance.md"
    )
    parser.add_argument("--most", type=float, default=60.0, help="seconds that a row may take")
    parser.add_argument("--n", type=int, nargs="+", default=NUMBERS, metavar="N")
    chosen = parser.parse_args()
    found: list[Row] = []
    for row in rows(chosen.n, LOSSES, chosen.most):
        found.append(row)
        print(f"{row.method} {row.loss:.0%} {row.connections:,}: {row.us:.3g} us/connection", flush=True)
    load = f", which had a load of {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    page = BEGIN.format(load=load, version=__version__, python=platform.python_version(), rate=50)
    page += markdown(table(found)) + EXPLORATION.format(tolerance=TOLERANCE) + markdown(explorations())
    PAGE.write_text(page, encoding="utf-8")
    print(page)


def explorations() -> list[tuple[str, ...]]:
    """For each case and largest loss: how many times as fast as exploring everything."""
    lines: list[tuple[str, ...]] = [
        ("scenario", "loss up to", "times faster", "states", "of", "seconds", "unexplored", "µs/state")
    ]
    for title, name, changes in CASES:
        pair = build(scenario(name), loss=0.5, **changes)
        began = process_time()
        chain = explore(pair)
        each_us = (process_time() - began) / chain.states * 1e6
        began = process_time()
        answer(pair, [0.3 * at / 30 for at in range(31)], WEEK_US, tolerance=0)
        whole_s = process_time() - began
        for most in UP_TO:
            began = process_time()
            found = answer(pair, [most * at / 30 for at in range(31)], WEEK_US)
            took = process_time() - began
            lines.append(
                (
                    title, f"{most:.0%}", f"{whole_s / took:.3g}", f"{found.chain.states:,}",
                    f"{chain.states:,}", f"{took:.2f}", f"{found.error.max():.1g}", f"{each_us:.0f}",
                )
            )  # fmt: skip
    return lines


def markdown(lines: Iterable[Sequence[str]]) -> str:
    """A table; its first line is the head."""
    head, *rest = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([head, "|" + "---|" * (head.count("|") - 1), *rest]) + "\n"


if __name__ == "__main__":
    main()
