"""Many scripts: they are found, judged in several processes, and counted by the reason of their verdict.

Owns: which files a path stands for, the order of the verdicts (that of the files, whatever the number of
processes), and which reasons count as the same. Refuses to know: a single script (judge, mutate), and how the
counts are printed (cli).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from tcpsim.conformance.packetdrill.judge import judge_file, read_script
from tcpsim.conformance.packetdrill.mutate import Survey, survey
from tcpsim.conformance.packetdrill.verdict import Judged, Verdict
from tcpsim.errors import InputError

Progress = Callable[[int, int], None]
_NUMBER = re.compile(r"0x[0-9a-f]+|[0-9]+(?:\.[0-9]+)?")
_CHUNKS = 8  # for each process: small enough that none waits long for another
_Result = TypeVar("_Result")


class Reason(NamedTuple):
    """Scripts that ended alike: how many, and the first of them."""

    verdict: Verdict
    times: int
    reason: str
    example: str


def find_scripts(names: Iterable[str]) -> tuple[Path, ...]:
    """Files as they are named, folders with all that is in them (``*.pkt``), sorted.

    Raises:
        InputError: a name that is neither, or a folder without scripts.
    """
    files: list[Path] = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            found = sorted(each for each in path.rglob("*.pkt") if each.is_file())
            if not found:
                raise InputError("PATH", f"{name!r}, a folder without scripts", "a folder with *.pkt files")
            files += found
        elif path.is_file():
            files.append(path)
        else:
            raise InputError("PATH", f"{name!r}, which does not exist", "a script or a folder of scripts")
    return tuple(files)


def judge_files(
    files: Sequence[Path],
    stack_name: str | None = None,
    define: Mapping[str, str] | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> tuple[Judged, ...]:
    """The verdict on each file, in `jobs` processes; `progress` is told (finished, all)."""
    return _each(partial(judge_file, stack_name=stack_name, define=define), files, jobs, progress)


def survey_files(
    files: Sequence[Path],
    stack_name: str | None = None,
    define: Mapping[str, str] | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> tuple[Survey | None, ...]:
    """The mutants of each file that passes; None for one that has to fail, or does."""
    return _each(partial(_survey_file, stack_name=stack_name, define=define), files, jobs, progress)


def _survey_file(path: Path, stack_name: str | None, define: Mapping[str, str] | None) -> Survey | None:
    return survey(read_script(path), stack_name, define)


def _each(
    act: Callable[[Path], _Result], files: Sequence[Path], jobs: int, progress: Progress | None
) -> tuple[_Result, ...]:
    if jobs <= 1 or len(files) <= 1:
        return _told(map(act, files), len(files), progress)
    with ProcessPoolExecutor(min(jobs, len(files))) as executor:
        chunk = max(len(files) // (jobs * _CHUNKS), 1)
        return _told(executor.map(act, files, chunksize=chunk), len(files), progress)


def _told(results: Iterable[_Result], count: int, progress: Progress | None) -> tuple[_Result, ...]:
    """The results, in the order of the files, and how far they are."""
    found: list[_Result] = []
    for result in results:
        found.append(result)
        if progress is not None:
            progress(len(found), count)
    return tuple(found)


def reasons(judged: Iterable[Judged]) -> tuple[Reason, ...]:
    """What ended those that did not pass, the most frequent first; numbers do not make another reason.

    >>> from tcpsim.conformance.packetdrill import judge
    >>> texts = ["0 close(3) = 0", "0 close(4) = 0", "0 splice() = 1", "0 close(3) = -1 EBADF (none)"]
    >>> [(str(each.verdict), each.times) for each in reasons(map(judge, texts))]
    [('FAIL', 2), ('UNSUPPORTED', 1)]
    """
    count: Counter[tuple[Verdict, str]] = Counter()
    first: dict[tuple[Verdict, str], Judged] = {}
    for each in judged:
        if each.verdict is not Verdict.PASS:
            key = each.verdict, _NUMBER.sub("N", each.reason)
            count[key] += 1
            first.setdefault(key, each)
    return tuple(
        Reason(key[0], number, first[key].reason, _where(first[key])) for key, number in count.most_common()
    )


def _where(judged: Judged) -> str:
    return f"{judged.path}:{judged.place}" if judged.place else judged.path
