"""Starting the program beside starting Python alone, in turn, in one run (ratios of the shortest times).

python -m benchmarks.startup [TIMES]
"""

from __future__ import annotations

import os
import subprocess
import sys
from time import perf_counter

TIMES = 25
COMMANDS = {
    "python -c pass": ("-c", "pass"),
    "tcpsim --help": ("-m", "tcpsim", "--help"),
    "tcpsim run normal-close": ("-m", "tcpsim", "run", "normal-close"),
    "tcpsim states": ("-m", "tcpsim", "states"),
}


def main(times: int = TIMES) -> None:
    # Python writes bytecode unless it is told not to; a machine that forbids it would compile each time
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    shortest = dict.fromkeys(COMMANDS, float("inf"))
    for _ in range(1 + times):  # the first run of each compiles
        for name, arguments in COMMANDS.items():
            begun = perf_counter()
            subprocess.run(
                [sys.executable, *arguments], stdout=subprocess.DEVNULL, env=environment, check=True
            )
            shortest[name] = min(shortest[name], perf_counter() - begun)
    bare, *_ = shortest.values()
    for name, took in shortest.items():
        print(f"start-up, {name:<24} {took / bare:5.1f} times Python alone ({1000 * took:.0f} ms)")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
