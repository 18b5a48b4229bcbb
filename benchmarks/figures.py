"""What the figures cost, experiment by experiment: seconds of CPU, the most expensive last.

With another checkout beside it, an earlier one for example, both are measured in turn and their ratio is
told; each uses the interpreter of its own `.venv`. Seconds are those of the CPU of all processes, one worker
at a time, so that other programs on the machine count little; start-up and drawing are included.

    python -m benchmarks.figures
    python -m benchmarks.figures --beside ../older leaks_against_loss kernel_on_the_exact_curve
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory

from experiments.__main__ import NAMES

ROOT = Path(__file__).parent.parent


def cpu_s(checkout: Path, name: str) -> float:
    """Seconds of CPU of one experiment of a checkout, from its points to its picture."""
    own = checkout / ".venv" / "bin" / "python"
    python = str(own) if checkout != ROOT else sys.executable
    began = _children_s()
    with TemporaryDirectory() as out:
        command = [python, "-m", "experiments", name, "--workers", "1", "--out", out]
        subprocess.run(command, cwd=checkout, check=True, stdout=subprocess.DEVNULL)
    return _children_s() - began


def _children_s() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """One line per experiment, and their sum."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figures", description="Cost of the figures.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--beside", type=Path, metavar="DIR", help="another checkout, with its .venv")
    chosen = parser.parse_args()
    checkouts = [ROOT] if chosen.beside is None else [chosen.beside.resolve(), ROOT]
    heads = ["this one"] if chosen.beside is None else ["beside", "this one", "ratio"]
    print(f"{'seconds of CPU':40}" + "".join(f"{head:>10}" for head in heads))
    total = [0.0] * len(checkouts)
    for name in chosen.names or NAMES:
        each = [cpu_s(checkout, name) for checkout in checkouts]
        total = [before + one for before, one in zip(total, each, strict=True)]
        _line(name, each)
    _line("all", total)


def _line(name: str, each: list[float]) -> None:
    cells = [f"{one:10.1f}" for one in each] + [f"{each[0] / each[1]:10.2f}"] * (len(each) == 2)
    print(f"{name:40}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
