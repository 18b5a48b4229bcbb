"""A sweep as a TOML file: the question, its axes, and its picture.

    scenario = "normal-close"        # a name, or the path of a scenario's file beside this one
    out = "leaks.csv"                # also: method, tolerance, horizon, at, rate, for, connections,
                                     # replications, seed
    [settings]                       # for every point; the names are those of tcpsim.Setting
    delay = "25ms"
    [grid]                           # every combination is a point; also [zip], or [[points]]
    loss = "0:0.3:20"
    client = ["closes-on-eof", "never-closes"]
    [plot]                           # also: by, panels, log, title
    x = "loss"
    y = "permanent"
    out = "leaks.svg"

Owns: the format of the file. Refuses to know: what an axis or a setting means (sweep_points, settings).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from tcpsim.errors import InputError, unknown

_TABLES = {"settings": dict, "grid": dict, "zip": dict, "points": list, "plot": dict}
_WORDS = (
    "scenario",
    "out",
    "method",
    "tolerance",
    "horizon",
    "at",
    "rate",
    "for",
    "connections",
    "replications",
    "seed",
)
_PLOT = ("x", "y", "by", "panels", "log", "title", "out")


def read_sweep(path: str | PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of `sweep` and of `plot` in a file.

    Raises:
        InputError: the file is no TOML, a key does not exist, or the scenario is missing.
        OSError: the file cannot be read.
    """
    place = Path(path)
    try:
        found = tomllib.loads(place.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(place.name, str(error), "TOML") from None
    for key, value in found.items():
        if key not in (*_WORDS, *_TABLES):
            raise unknown(place.name, key, [*_WORDS, *_TABLES])
        kind = _TABLES.get(key)
        if kind is not None and not isinstance(value, kind):
            raise InputError(f"{place.name}: {key}", repr(value), "a table" if kind is dict else "tables")
    if "scenario" not in found:
        raise InputError(place.name, "no scenario", 'scenario = "NAME"')
    drawing = found.pop("plot", {})
    for key in drawing:
        if key not in _PLOT:
            raise unknown(f"{place.name}: plot", key, list(_PLOT))
    given = {("for_" if key == "for" else key): value for key, value in found.items()}
    given |= given.pop("settings", {})
    for holder, key in ((given, "out"), (drawing, "out"), (given, "scenario")):
        _beside(holder, key, place)
    return given, drawing


def _beside(holder: dict[str, Any], key: str, place: Path) -> None:
    """The path of a file that another file names. It is relative to that file."""
    name = holder.get(key)
    if isinstance(name, str) and (key == "out" or name.endswith(".toml")):
        holder[key] = str(place.parent / name)


def is_sweep(path: str | PathLike[str]) -> bool:
    """Whether a TOML file is a sweep. A sweep has axes, and a scenario does not."""
    try:
        found: Mapping[str, Any] = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False
    return bool({"grid", "zip", "points"} & set(found))
