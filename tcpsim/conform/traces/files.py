"""Which files are traces.

Owns: walking folders, and what is said of files that hold something else. Refuses to know: what is in a
trace (schema).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tcpsim.errors import InputError

SUFFIX = ".json"


class Found(NamedTuple):
    """Traces to be judged, and the files of folders that are populations, not traces."""

    traces: tuple[Path, ...]
    populations: tuple[Path, ...]


def find(paths: Iterable[Path]) -> Found:
    """Every JSON file that is named or lies under a folder that is named.

    A population (counts of sockets without segments) that lies in a folder is set apart; one that is
    named is judged, that is, told to be no trace.

    Raises:
        InputError: a path does not exist, or a folder holds no JSON file.
    """
    traces: list[Path] = []
    populations: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.rglob(f"*{SUFFIX}"))
            if not inside:
                raise InputError(str(path), "no file *.json", "traces, or folders that hold some")
            for each in inside:
                (populations if _is_population(each) else traces).append(each)
        elif path.exists():
            traces.append(path)
        else:
            raise InputError(str(path), "nothing", "traces, or folders that hold some")
    return Found(tuple(dict.fromkeys(traces)), tuple(dict.fromkeys(populations)))


def _is_population(path: Path) -> bool:
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return False  # it will be judged, and the error told
    return isinstance(content, dict) and "series" in content and "packets" not in content
