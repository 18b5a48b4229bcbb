"""Distinguishes files with traces from files with populations.

Owns: walking folders, and the distinction. Refuses to know: what a trace (schema) or a population contains.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tcpsim.conformance.populations.schema import looks_like_one
from tcpsim.errors import InputError

SUFFIX = ".json"


class Found(NamedTuple):
    """Traces and populations to be judged, and populations that lie in a folder of traces: minutes each."""

    traces: tuple[Path, ...]
    populations: tuple[Path, ...]
    left_out: tuple[Path, ...]


def find(paths: Iterable[Path]) -> Found:
    """Every JSON file that is named or lies under a folder that is named.

    A population (counts of sockets without segments) is to be judged if it is named, or lies in a named
    folder that holds nothing else.

    Raises:
        InputError: a path does not exist, or a folder holds no JSON file.
    """
    traces: list[Path] = []
    populations: list[Path] = []
    left_out: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.rglob(f"*{SUFFIX}"))
            if not inside:
                raise InputError(str(path), "no file *.json", "traces, or folders that hold some")
            counts = [each for each in inside if _is_population(each)]
            traces += [each for each in inside if each not in counts]
            (populations if len(counts) == len(inside) else left_out).extend(counts)
        elif path.exists():
            (populations if _is_population(path) else traces).append(path)
        else:
            raise InputError(str(path), "nothing", "traces, or folders that hold some")
    rest = dict.fromkeys(each for each in left_out if each not in populations)
    return Found(tuple(dict.fromkeys(traces)), tuple(dict.fromkeys(populations)), tuple(rest))


def _is_population(path: Path) -> bool:
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return False  # it will be judged, and the error told
    return looks_like_one(content)
