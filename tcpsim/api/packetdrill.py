"""The function `packetdrill`: it runs scripts against the simulated endpoint, and tests mutants of them.

Owns: the functions, and their results as text, rows and JSON. Refuses to know: the language, and how a
script is judged (conformance.packetdrill).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcpsim.api.result import Result
from tcpsim.conformance.packetdrill import (
    Judged,
    Mutant,
    Verdict,
    find_scripts,
    judge_files,
    ladder,
    reasons,
    survey_files,
)
from tcpsim.draw.caption import Caption
from tcpsim.errors import InputError
from tcpsim.tcp.stack import stack as profile

if TYPE_CHECKING:
    from tcpsim.measure.results import Table

_DETAIL = 12  # columns that a verdict takes
Progress = Callable[[int, int], None]


def packetdrill(
    paths: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    stack: str | None = None,
    define: Mapping[str, str] | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Scripts:
    """Run packetdrill scripts (files, or folders with *.pkt files) against the simulated endpoint.

    >>> import tcpsim
    >>> tcpsim.packetdrill("no-such-script.pkt")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tcpsim.errors.InputError: PATH: found 'no-such-script.pkt', which does not exist, allowed: a script ...

    Args:
        paths: a file or a folder, or several.
        stack: the TCP implementation (default: the one for which the script is written).
        define: words that are replaced in the scripts, such as {"CC": "reno"}.
        jobs: the number of processes.
        progress: a function that is called with the numbers of finished and of all scripts.

    Raises:
        InputError: a file or folder without scripts, a stack that does not exist, or a word that is no name.
    """
    if stack is not None:
        profile(stack)
    words = dict(define or {})
    for name in words:
        if not name.isidentifier():
            raise InputError("define", repr(name), "NAME=VALUE, such as CC=reno")
    several = [paths] if isinstance(paths, str | PathLike) else paths
    found = find_scripts(tuple(str(path) for path in several))
    judged = judge_files(found, stack, words, jobs, progress)
    return Scripts(judged, stack, words)


class Scripts(Result):
    """A verdict for each script. `print()` shows a line for each, and the totals."""

    def __init__(self, judged: Sequence[Judged], stack: str | None, define: Mapping[str, str]) -> None:
        self.judged = tuple(judged)
        self.stack = stack
        self.define = define

    @property
    def passed(self) -> bool:
        """True if all scripts pass."""
        return all(each.verdict is Verdict.PASS for each in self.judged)

    def mutants(self, jobs: int = 1, progress: Progress | None = None) -> Mutants:
        """Change one expectation at a time in each script that passes, and collect what still passes."""
        passed = [Path(each.path) for each in self.judged if each.verdict is Verdict.PASS]
        surveys = survey_files(passed, self.stack, self.define, jobs, progress)
        found = [
            (str(path), result.tried, result.alive)
            for path, result in zip(passed, surveys, strict=True)
            if result is not None
        ]
        return Mutants(self, found)

    def caption(self) -> Caption:
        return Caption("packetdrill", f"{len(self.judged)} scripts")

    def headline(self) -> str:
        return self.totals().rstrip("\n").rsplit("\n", 1)[-1]

    def text(self, ladders: bool = False, quiet: bool = False) -> str:
        lines = "" if quiet else "".join(_line(each, ladders) for each in self.judged)
        return lines + self.totals()

    def totals(self) -> str:
        """The reasons of those that did not pass, and the number of each verdict."""
        count = Counter(each.verdict for each in self.judged)
        words = ", ".join(f"{count[verdict]} {verdict}" for verdict in Verdict)
        told = "".join(
            f"{each.times:5} x {each.verdict:{_DETAIL}}{each.reason} ({each.example})\n"
            for each in reasons(self.judged)
        )
        return (told if len(self.judged) > 1 else "") + f"{len(self.judged)} scripts: {words}\n"

    def _table(self) -> Table:
        from tcpsim.measure.results import Table

        return Table.of_rows([{**row, "ladder": None} for row in self.to_dict()])

    def to_dict(self) -> list[dict[str, Any]]:
        return [_record(each) for each in self.judged]


def _line(judged: Judged, with_ladder: bool) -> str:
    """One line. With `with_ladder`, a failure also shows what was expected and the last segments."""
    place = f":{judged.place}" if judged.place else ""
    reason = f": {judged.reason}" if judged.reason else ""
    line = f"{judged.verdict:{_DETAIL}}{judged.path}{place}{reason}\n"
    if not with_ladder or judged.verdict is Verdict.PASS:
        return line
    if judged.expected:
        line += f"{'':{_DETAIL}}expected {judged.expected}\n{'':{_DETAIL}}actual   {judged.actual}\n"
    return line + ladder(judged)


def _record(judged: Judged) -> dict[str, Any]:
    return {
        "path": judged.path,
        "verdict": str(judged.verdict),
        "reason": judged.reason,
        "line": judged.line,
        "column": judged.place.column if judged.place else None,
        "expected": judged.expected,
        "actual": judged.actual,
        "stack": judged.stack,
        "told_by": judged.told_by,
        "ladder": ladder(judged).splitlines() if judged.verdict is not Verdict.PASS else [],
    }


class Mutants(Result):
    """Changed expectations, and those that no script noticed. `print()` shows the latter."""

    def __init__(self, scripts: Scripts, found: Sequence[tuple[str, int, tuple[Mutant, ...]]]) -> None:
        self.scripts = scripts
        self.found = tuple(found)

    @property
    def tried(self) -> int:
        """The number of expectations that were changed."""
        return sum(tried for _, tried, _ in self.found)

    @property
    def alive(self) -> int:
        """The number of changed scripts that still pass."""
        return sum(len(alive) for _, _, alive in self.found)

    def caption(self) -> Caption:
        return Caption("packetdrill", f"{self.tried} mutants of {len(self.found)} scripts")

    def headline(self) -> str:
        share = f"{100 * self.alive / self.tried:.1f} %" if self.tried else "none to try"
        return f"{len(self.found)} scripts, {self.tried} mutants: {self.alive} alive ({share})"

    def text(self) -> str:
        lines = [f"ALIVE       {path}:{mutant}\n" for path, _, alive in self.found for mutant in alive]
        lines += [_line(each, False) for each in self.scripts.judged if each.verdict is not Verdict.PASS]
        return "".join(lines) + self.headline() + "\n"

    def _table(self) -> Table:
        from tcpsim.measure.results import Table

        rows = [{"path": path, "tried": tried, "alive": len(alive)} for path, tried, alive in self.found]
        return Table.of_rows(rows, ("path", "tried", "alive"))

    def to_dict(self) -> dict[str, Any]:
        rows = [
            {
                "path": path,
                "tried": tried,
                "alive": [
                    {"line": m.place.line, "field": m.field, "was": m.was, "became": m.became} for m in alive
                ],
            }
            for path, tried, alive in self.found
        ]
        return {"tried": self.tried, "alive": self.alive, "scripts": rows}
