"""The verdict on one trace.

Owns: the verdicts and what goes with each. Refuses to know: how any of it is done.

A recorder that was late is judged as far as that goes: when it let each segment out is an input, when it
looked is known. What differs nevertheless may be its lateness or a mistake; nobody can tell, so the verdict
is LATE and neither PASS nor FAIL.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

from tcpsim.conformance.traces.compare import compare
from tcpsim.conformance.traces.lateness import LATE_US
from tcpsim.conformance.traces.not_compared import NOTHING, exempt_of, of_readers
from tcpsim.conformance.traces.replay import replay
from tcpsim.conformance.traces.report import first_difference, ladders, reason
from tcpsim.conformance.traces.schema import Unsupported, read
from tcpsim.errors import InputError

# What decides in the kernel and is not in a trace: where its ticks began, and which of two round trips that
# the line made equal was longer by microseconds. Where a trace differs, each is tried.
_UNTOLD: tuple[dict[str, Any], ...] = tuple(
    {key: value for key, value in (("ticks_begin", begin), ("rtt_noise_us", noise)) if value}
    for noise in (0, 200)
    for begin in ("", "early", "late")
)[1:]


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
    exempt = NOTHING
    try:
        matches = compare(trace, replay(trace, exempt), exempt)
        excused = exempt_of(trace.id) if exempt_of(trace.id) != NOTHING else of_readers(trace)
        if first_difference(matches) is not None and excused != NOTHING:
            exempt = excused
            matches = compare(trace, replay(trace, exempt), exempt)
        for untold in _UNTOLD if first_difference(matches) is not None else ():
            other = compare(trace, replay(trace, exempt, untold), exempt)
            if first_difference(other) is None:
                knobs = ", ".join(f"{knob} = {value}" for knob, value in untold.items())
                return Verdict(path, "PASS", f"with {knobs}, which a trace does not tell", trace.title)
    except Unsupported as missing:
        return Verdict(path, "UNSUPPORTED", str(missing), trace.title)
    except InputError as error:  # two ends that answer each other for ever without time passing
        return Verdict(path, "FAIL", str(error), trace.title)
    place = first_difference(matches)
    if place is None:
        return Verdict(path, "PASS", exempt.reason, trace.title)
    told = reason(matches[place]), trace.title, ladders(matches, place)
    if trace.late_us > LATE_US:
        return Verdict(path, "LATE", f"{cannot_judge(trace.late_us)}; {told[0]}", *told[1:])
    return Verdict(path, "FAIL", *told)


def cannot_judge(late_us: int) -> str:
    """Why there is no verdict, in words."""
    return f"cannot judge: the machine was {-(-late_us // 1_000)} ms late"
