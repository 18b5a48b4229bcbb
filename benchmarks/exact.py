"""Exact exploration: what a state costs, and how many simulated connections would say as much.

Seconds of CPU: of the exploration, which states/s and us/state are about, and of everything: the exploration,
its classes, 31 loss rates.

A sample of N connections gives a leak of probability P with a standard error of sqrt(P (1 - P) / N). The
last columns say how many would be needed for 1 % of P, and how long ns-3.48, tuned by hand, would take for
them at 208 us each (10 % loss; its time on the machine where it was measured).

    python -m benchmarks.exact
"""

from __future__ import annotations

from time import process_time
from typing import Any

from tcpsim.catalogue import build, scenario
from tcpsim.explore.chain import explore
from tcpsim.explore.leaks import answer

WEEK_US = 7 * 86_400_000_000
NS3_US = 208
RATES = [at / 100 for at in range(31)]
AT = 10  # the rate, 10 %, at which samples are compared
LATE = {"parameters": {"server.delay": "1s"}, "loss_from": "500ms"}

CASES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("close, client ignores it", "closewait-ignored-eof", LATE),
    ("close, both sides", "normal-close", LATE),
    ("close, one RST", "one-rst-stack", LATE),
    ("whole connection, 15 retries, uncut", "closewait-ignored-eof", {}),
)


def main() -> None:
    """One line per case."""
    print(f"{'31 loss rates':37}{'states':>7}{'edges':>7}{'explored':>9}{'states/s':>9}", end="")
    print(f"{'us/state':>9}{'all s':>7}{'cut':>8}", end="")
    print(f"{'leak at 10 %':>14}{'connections':>13}{'ns-3 s':>10}")
    for title, name, changes in CASES:
        pair = build(scenario(name), loss=0.5, **changes)
        began = process_time()
        explore(pair)
        explored = process_time() - began
        began = process_time()
        found = answer(pair, RATES, WEEK_US)
        seconds = process_time() - began
        leak = sum(float(end.probability[AT]) for end in found.ends if end.permanent)
        needed = (1 - leak) / leak * 1e4 if leak else 0.0
        states = found.chain.states
        print(f"{title:37}{states:>7,}{len(found.chain.edges):>7,}{explored:>8.2f}s", end="")
        print(f"{states / explored:>9,.0f}{explored / states * 1e6:>9.0f}{seconds:>7.2f}", end="")
        print(f"{found.error[AT]:>8.1g}{leak:>14.3g}", end="")
        print(f"{needed:>13.3g}{needed * NS3_US / 1e6:>10.3g}")


if __name__ == "__main__":
    main()
