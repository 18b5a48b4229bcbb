"""Exact exploration: what a state costs, and how many simulated connections would say as much.

Seconds of CPU: of the exploration, which states/s and us/state are about, and of all: the exploration, its
classes, 31 loss rates. The second table has all up to the tolerance, and how many times that is faster.

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
from tcpsim.explore.tolerance import TOLERANCE

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


TO_TOLERANCE = (0.05, 0.3)  # the largest of 31 loss rates from 0 on


def main() -> None:
    """Both tables."""
    whole_s = everything()
    print()
    print(f"{f'31 loss rates, tolerance {TOLERANCE:g}':37}{'up to':>7}{'states':>8}{'all s':>7}", end="")
    print(f"{'cut':>9}{'all states, s':>15}{'ratio':>7}")
    for title, name, changes in CASES:
        for most in TO_TOLERANCE:
            pair = build(scenario(name), loss=0.5, **changes)
            began = process_time()
            found = answer(pair, [most * at / 30 for at in range(31)], WEEK_US)
            seconds = process_time() - began
            print(f"{title:37}{most:>7.0%}{found.chain.states:>8,}{seconds:>7.2f}", end="")
            print(f"{found.error.max():>9.1g}{whole_s[title]:>15.2f}{whole_s[title] / seconds:>7.1f}")


def everything() -> dict[str, float]:
    """One line per case, explored to the end; the seconds of each."""
    took = {}
    print(f"{'31 loss rates':37}{'states':>7}{'edges':>7}{'explored':>9}{'states/s':>9}", end="")
    print(f"{'us/state':>9}{'all s':>7}{'cut':>8}", end="")
    print(f"{'leak at 10 %':>14}{'connections':>13}{'ns-3 s':>10}")
    for title, name, changes in CASES:
        pair = build(scenario(name), loss=0.5, **changes)
        began = process_time()
        explore(pair)
        explored = process_time() - began
        began = process_time()
        found = answer(pair, RATES, WEEK_US, tolerance=0)
        seconds = took[title] = process_time() - began
        leak = sum(float(end.probability[AT]) for end in found.ends if end.permanent)
        needed = (1 - leak) / leak * 1e4 if leak else 0.0
        states = found.chain.states
        print(f"{title:37}{states:>7,}{len(found.chain.edges):>7,}{explored:>8.2f}s", end="")
        print(f"{states / explored:>9,.0f}{explored / states * 1e6:>9.0f}{seconds:>7.2f}", end="")
        print(f"{found.error[AT]:>8.1g}{leak:>14.3g}", end="")
        print(f"{needed:>13.3g}{needed * NS3_US / 1e6:>10.3g}")
    return took


if __name__ == "__main__":
    main()
