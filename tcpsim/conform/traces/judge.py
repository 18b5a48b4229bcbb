"""The verdict on one trace.

Owns: the three verdicts and what goes with each. Refuses to know: how any of it is done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from tcpsim.conform.traces.compare import compare
from tcpsim.conform.traces.exempt import NOTHING, exempt_of
from tcpsim.conform.traces.replay import replay
from tcpsim.conform.traces.report import first_difference, ladders, reason
from tcpsim.conform.traces.schema import Unsupported, read
from tcpsim.errors import InputError


class Verdict(NamedTuple):
    """What became of a trace: `reason` in one line, `ladders` around the first difference of a FAIL."""

    path: str
    verdict: Literal["PASS", "FAIL", "UNSUPPORTED"]
    reason: str = ""
    title: str = ""
    ladders: str = ""


def judge_file(path: Path) -> Verdict:
    """Judge the trace in a file."""
    return judge(path.read_bytes(), str(path))


def judge(content: bytes, path: str) -> Verdict:
    """Judge a trace; `path` is for messages. What is no trace is UNSUPPORTED, with what is wrong with it."""
    try:
        trace = read(content, path)
    except Unsupported as missing:
        return Verdict(path, "UNSUPPORTED", str(missing))
    except InputError as error:
        return Verdict(path, "UNSUPPORTED", f"not a trace: {error}")
    exempt = NOTHING
    try:
        matches = compare(trace, replay(trace, exempt), exempt)
        if first_difference(matches) is not None and exempt_of(trace.id) != NOTHING:
            exempt = exempt_of(trace.id)
            matches = compare(trace, replay(trace, exempt), exempt)
    except Unsupported as missing:
        return Verdict(path, "UNSUPPORTED", str(missing), trace.title)
    except InputError as error:  # two ends that answer each other for ever without time passing
        return Verdict(path, "FAIL", str(error), trace.title)
    place = first_difference(matches)
    if place is None:
        return Verdict(path, "PASS", exempt.reason, trace.title)
    return Verdict(path, "FAIL", reason(matches[place]), trace.title, ladders(matches, place))
