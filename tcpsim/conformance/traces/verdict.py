"""The verdict on one trace.

Owns: the verdicts and what goes with each. Refuses to know: how any of it is done.

A recorder that was late is judged as far as that goes: when it let each segment out is an input, when it
looked is known. What differs nevertheless may be its lateness or a mistake; nobody can tell, so the verdict
is LATE and neither PASS nor FAIL.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from tcpsim.conformance.traces.assumptions import Assumed, assumptions
from tcpsim.conformance.traces.compare import Match, compare
from tcpsim.conformance.traces.lateness import LATE_US
from tcpsim.conformance.traces.replay import replay
from tcpsim.conformance.traces.report import first_difference, ladders, reason
from tcpsim.conformance.traces.schema import Unsupported, read
from tcpsim.errors import InputError


class Verdict(NamedTuple):
    """What became of a trace: `reason` in one line, `ladders` around the first difference if there is one."""

    path: str
    verdict: Literal["PASS", "FAIL", "LATE", "UNSUPPORTED"]
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
    matches: list[Match] = []
    try:
        for assumed in assumptions(trace):
            exempt, knobs, order, apart, besides_us = assumed
            made = replay(trace, exempt, knobs, *order, apart, besides_us)
            found = compare(trace, made, assumed.exempt)
            if first_difference(found) is None:
                return Verdict(path, "PASS", assumed.reason(), trace.title)
            if assumed == Assumed(assumed.exempt):
                matches = found
    except Unsupported as lacks:
        return Verdict(path, "UNSUPPORTED", str(lacks), trace.title)
    except InputError as error:  # two ends that answer each other for ever without time passing
        return Verdict(path, "FAIL", str(error), trace.title)
    place = first_difference(matches)
    assert place is not None
    told = reason(matches[place]), trace.title, ladders(matches, place)
    if trace.late_us > LATE_US:
        return Verdict(path, "LATE", f"{cannot_judge(trace.late_us)}; {told[0]}", *told[1:])
    return Verdict(path, "FAIL", *told)


def cannot_judge(late_us: int) -> str:
    """Why there is no verdict, in words."""
    return f"cannot judge: the machine was {-(-late_us // 1_000)} ms late"
