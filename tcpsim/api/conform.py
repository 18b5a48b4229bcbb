"""The function `conform`: it compares traces and populations of a real kernel with the simulation.

Owns: the function, and its result as text, rows and JSON. Refuses to know: what a trace or a population is,
and how each is judged (conformance.traces, conformance.populations).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcpsim.api.result import Result
from tcpsim.conformance.chains import judge_line
from tcpsim.conformance.populations import read, stack_of
from tcpsim.conformance.populations.sampled_replay import REPLICATES
from tcpsim.conformance.populations.transitions import pooled
from tcpsim.conformance.populations.verdict import Judgement, Row, judge, judge_exactly
from tcpsim.conformance.traces import Found, Verdict, find, judge_file
from tcpsim.draw.caption import Caption

if TYPE_CHECKING:
    from tcpsim.measure.results import Table

_VERDICTS = ("PASS", "FAIL", "LATE", "UNSUPPORTED")
# By whether the kernel cached metrics, and whether the model did
_CACHE = {
    (False, False): "the kernel cached no metrics (tcp_no_metrics_save)",
    (True, True): "the kernel cached round-trip times per destination, and the model does too",
    (True, False): "the kernel cached round-trip times per destination, but the model does not",
}
Progress = Callable[[int, int], None]
Judged = tuple[Path, Judgement]


def conform(
    paths: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    replicates: int = REPLICATES,
    seed: int = 1,
    exact: bool = False,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Conform:
    """Compare recordings of a real kernel with the simulation: traces, lines of hosts, and populations.

    >>> import tcpsim
    >>> tcpsim.conform("no-such-trace.json")
    Traceback (most recent call last):
    tcpsim.errors.InputError: no-such-trace.json: found nothing, allowed: traces, or folders that hold some

    Args:
        paths: a file or a folder of *.json, or several. Populations in a folder of traces are left out.
        replicates: how many populations are simulated for each recorded one.
        seed: the seed of these simulations.
        exact: compare with exact probabilities instead; this takes minutes.
        limit: with `exact`, the largest number of states for each phase of the timer wheel.
        progress: a function that is called with the numbers of finished and of all recordings.

    Raises:
        InputError: a path that does not exist, a folder without JSON, or a population that cannot be read.
    """
    several = [paths] if isinstance(paths, str | PathLike) else paths
    found = find(tuple(Path(path) for path in several))
    runs = [read(path.read_bytes(), str(path)) for path in found.populations]
    for run in runs:
        stack_of(run)
    told = progress or (lambda done, everything: None)
    everything = len(found.traces) + len(runs)
    verdicts = []
    for path in found.traces:
        verdicts.append(judge_line(path.read_bytes(), str(path)) or judge_file(path))
        told(len(verdicts), everything)
    judged: list[Judged] = []
    if runs:
        with ProcessPoolExecutor(os.cpu_count()) as executor:
            for path, run in zip(found.populations, runs, strict=True):
                if exact:
                    judged.append((path, judge_exactly(run, limit, executor)))
                else:
                    judged.append((path, judge(run, replicates, seed, executor)))
                told(len(verdicts) + len(judged), everything)
    return Conform(found, verdicts, judged)


class Conform(Result):
    """A verdict for each trace and each population. `print()` shows the verdicts and the totals."""

    def __init__(self, found: Found, traces: Sequence[Verdict], populations: Sequence[Judged]) -> None:
        self.left_out = found.left_out
        self.traces = tuple(traces)
        self.populations = tuple(populations)

    @property
    def passed(self) -> bool:
        """Every trace and every population passes."""
        return all(each.verdict == "PASS" for each in self.traces) and all(
            judged.fits for _, judged in self.populations
        )

    @property
    def late(self) -> bool:
        """Nothing failed, but some traces cannot be judged because the recorder was late."""
        verdicts = {each.verdict for each in self.traces}
        fits = all(judged.fits for _, judged in self.populations)
        return fits and "LATE" in verdicts and verdicts <= {"PASS", "LATE"}

    def caption(self) -> Caption:
        return Caption("conform", f"{len(self.traces)} traces, {len(self.populations)} populations")

    def headline(self) -> str:
        return "; ".join(self.totals().splitlines())

    def text(self) -> str:
        traces = "".join(map(_trace_text, self.traces))
        populations = "".join(_population_text(*each) for each in self.populations)
        return traces + populations + self._transitions() + self.totals()

    def _transitions(self) -> str:
        """The transitions of all populations together."""
        rows = pooled(judged.transitions for _, judged in self.populations)
        if not rows:
            return ""
        head = "transitions, all populations together"
        lines = [f"  {'kernel':>8}{'expected':>10}{'z':>7}{'p (Holm)':>10}  {head}"]
        lines += [
            f"  {row.counted:>8}{row.expected:>10.1f}{row.z:>+7.2f}{row.p:>10.2f}  {row.name}" for row in rows
        ]
        return "\n".join([*lines, "", ""])

    def totals(self) -> str:
        """The number of each verdict: a line for traces and a line for populations."""
        lines = []
        if self.traces:
            counts = Counter[str](verdict.verdict for verdict in self.traces)
            names = [name for name in _VERDICTS if name != "LATE" or counts[name]]
            lines.append(_total(len(self.traces), "trace", counts, names))
        if self.populations:
            counts = Counter[str](judged.verdict for _, judged in self.populations)
            names = [name for name in ("PASS", "FAIL", "OPEN") if name != "OPEN" or counts[name]]
            lines.append(_total(len(self.populations), "population", counts, names))
        return "\n".join([*lines, ""])

    def _table(self) -> Table:
        from tcpsim.measure.results import Table

        rows: list[dict[str, Any]] = [
            {"path": each.path, "kind": "trace", "verdict": each.verdict, "reason": each.reason}
            for each in self.traces
        ]
        rows += [
            {"path": str(path), "kind": "population", "verdict": judged.verdict, "reason": ""}
            for path, judged in self.populations
        ]
        return Table.of_rows(rows, ("path", "kind", "verdict", "reason"))

    def to_dict(self) -> list[dict[str, Any]]:
        return [*map(Verdict._asdict, self.traces), *(_record(*each) for each in self.populations)]


def _total(number: int, what: str, counts: Counter[str], names: Sequence[str]) -> str:
    each = what if number == 1 else f"{what}s"
    return f"{number} {each}: {', '.join(f'{counts[name]} {name}' for name in names)}"


def _trace_text(verdict: Verdict) -> str:
    title = f"  {verdict.title}" if verdict.title else ""
    head = f"{verdict.verdict:<11} {verdict.path}{title}\n"
    if verdict.reason:
        why = "" if verdict.verdict != "PASS" or verdict.reason.startswith("with ") else "exempt: "
        head += f"{'':<11} {why}{verdict.reason}\n"
    return head + (f"\n{verdict.ladders}\n" if verdict.ladders else "")


def _population_text(path: Path, found: Judgement) -> str:
    """Sockets at the end, ends of connections, and the series by state."""
    lines = [f"{found.verdict:<11} {path}  {found.run.config.n} connections"]
    lines.append(f"{'':<11} {_CACHE[found.caches_metrics, found.knows]}")
    for title, rows in (("left at the end", found.end), ("how connections ended", found.outcomes)):
        lines += ["", f"  {title:<21}{'kernel':>7}{'expected':>10}  {'99.9 %':<13} verdict"]
        for row in rows:
            band = f"{row.low}..{row.high}"
            lines.append(f"{row.counted:>30}{row.expected:>10.1f}  {band:<13} {row.verdict:<8} {row.name}")
    lines += ["", "  counted each second       seconds inside the 99 % band"]
    for series in found.series:
        place = f"{series.host} {series.state}"
        lines.append(f"  {place:<28}{100 * series.inside:>5.1f} %{'':<18} {series.verdict}")
    if found.cut_short:
        more = (
            "; the intervals are wider by this number; a larger --limit makes it smaller"
            if found.cut_short >= 1
            else ""
        )
        lines += [
            "",
            f"  expected connections that were not followed through every loss: {found.cut_short:.2g}{more}",
        ]
    return "\n".join([*lines, "", ""])


def _record(path: Path, found: Judgement) -> dict[str, Any]:
    def told(rows: Sequence[Row]) -> list[dict[str, Any]]:
        return [{**row._asdict(), "verdict": row.verdict} for row in rows]

    return {
        "path": str(path),
        "verdict": found.verdict,
        "caches_metrics": found.caches_metrics,
        "knows": found.knows,
        "end": told(found.end),
        "outcomes": told(found.outcomes),
        "series": [
            {"host": each.host, "state": each.state, "inside": each.inside, "verdict": each.verdict}
            for each in found.series
        ],
        "transitions": [each._asdict() for each in found.transitions],
        "cut_short": found.cut_short,
    }
