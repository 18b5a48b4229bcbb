"""The traces in tests/data/kernel, changed copies of them, and where the populations are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tcpsim.conformance.traces import Verdict, judge

FOLDER = Path(__file__).parent.parent / "data" / "kernel"
POPULATIONS = FOLDER.parent / "population"
TRACES = sorted(FOLDER.rglob("*.json"))


def name(path: Path) -> str:
    """As people call it: "plain/06i"."""
    return f"{path.parent.name}/{path.stem}"


def content(trace: str) -> dict[str, Any]:
    """A trace, to be changed: packets, states and app rows are lists of dictionaries."""
    loaded: dict[str, Any] = json.loads((FOLDER / f"{trace}.json").read_bytes())
    return loaded


def judged(changed: dict[str, Any]) -> Verdict:
    """The verdict on a changed trace."""
    return judge(json.dumps(changed).encode(), "changed.json")


def packet(trace: dict[str, Any], direction: str, flags: str, nth: int = 0) -> dict[str, Any]:
    """One of the segments of a direction with these flags."""
    found = [p for p in trace["packets"] if (p["dir"], p["flags"]) == (direction, flags)]
    chosen: dict[str, Any] = found[nth]
    return chosen


def call(trace: dict[str, Any], who: str, called: str, nth: int = 0) -> dict[str, Any]:
    """One of the calls of this name on a host."""
    found = [row for row in trace["app"] if (row["who"], row["call"]) == (who, called)]
    chosen: dict[str, Any] = found[nth]
    return chosen


def state(trace: dict[str, Any], side: str, st: str, nth: int = 0) -> dict[str, Any]:
    """One of the sampled states of a host."""
    found = [row for row in trace["states"] if (row["side"], row["st"]) == (side, st)]
    chosen: dict[str, Any] = found[nth]
    return chosen
