"""The module `tcpsim.lab`: it records a scenario on two real hosts and compares it with the simulator.

    tcpsim.lab.record("closewait-ignored-eof", horizon="3s").save("trace.json")
    tcpsim.lab.compare("normal-close", loss="20%", seed=7)

Both functions need Linux, root, /dev/net/tun and network namespaces. They run in real time. They accept the
scenarios of the catalogue and the situations of the lab (`tcpsim.lab.situations()`, and `random-N` for a seed
N).

Owns: the two functions and their results. Refuses to know: how hosts are made and watched
(conformance.lab), and how a trace is judged (conformance.traces).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from tcpsim.api.result import Result
from tcpsim.api.settings import Named, Settings, chosen, settings
from tcpsim.catalogue import Setting, build, scenarios
from tcpsim.conformance.chains import judge_line
from tcpsim.conformance.lab import Job, chain, job, late_us, small
from tcpsim.conformance.lab import record as on_real_hosts
from tcpsim.conformance.lab.chain_plan import LineJob, line_job
from tcpsim.conformance.lab.situations import find
from tcpsim.conformance.lab.situations import names as situations
from tcpsim.conformance.traces import Verdict, judge
from tcpsim.conformance.traces.lateness import LATE_US
from tcpsim.conformance.traces.verdict import cannot_judge
from tcpsim.draw.caption import Caption
from tcpsim.units import parse_duration

if TYPE_CHECKING:
    from tcpsim.measure.results import Table

__all__ = ["Comparison", "Recording", "compare", "record", "situations"]

RETRIES = 2  # further recordings if the machine was too slow
_FOUND = {
    "PASS": "same",
    "FAIL": "not the same",
    "LATE": "inconclusive",
    "UNSUPPORTED": "cannot be replayed",
}
Trace = dict[str, Any]
Progress = Callable[[dict[str, Any]], None]  # called with the time and the states of both hosts
Began = Callable[[Job | LineJob, int], None]  # called with the job and the number of recordings before


def record(
    scenario: Named,
    setting: Setting | None = None,
    *,
    seed: int = 1,
    horizon: str | int | None = None,
    retries: int = RETRIES,
    progress: Progress | None = None,
    began: Began | None = None,
    **changes: Unpack[Settings],
) -> Recording:
    """Run the two programs of a scenario on two real hosts, and record what happens as a trace.

    Args:
        scenario: a scenario's name, the path of a TOML file, a `Scenario`, or a situation of the lab.
        setting: changes of the scenario as one value; keywords override it.
        seed: the seed of the losses.
        horizon: record until this time; required if the scenario takes longer than ten minutes.
        retries: how often to record again if the machine was too slow for a verdict.
        progress: a function that is called with the sockets of each host during the recording.
        began: a function that is called when a recording begins.
        **changes: any other setting (`tcpsim.Setting`).

    Raises:
        InputError: a scenario that cannot be recorded, or a machine that cannot record.
    """
    asked = _job(scenario, setting, seed, horizon, changes)
    for trace in _recordings(asked, retries, progress, began):
        if _late_us(trace) <= LATE_US:
            break
    return Recording(asked, trace)


def compare(
    scenario: Named,
    setting: Setting | None = None,
    *,
    seed: int = 1,
    horizon: str | int | None = None,
    retries: int = RETRIES,
    progress: Progress | None = None,
    began: Began | None = None,
    **changes: Unpack[Settings],
) -> Comparison:
    """Record a scenario on two real hosts, replay the trace, and compare the simulator with it.

    The arguments and the errors are those of `record`.
    """
    asked = _job(scenario, setting, seed, horizon, changes)
    for trace in _recordings(asked, retries, progress, began):
        document = _document(trace).encode()
        verdict = judge_line(document, asked.name) or judge(document, asked.name)
        if verdict.verdict != "LATE":
            break
    return Comparison(Recording(asked, trace), verdict)


class Recording(Result):
    """What two real hosts did, or three. `save("x.json")` writes it for `conform` to judge."""

    def __init__(self, job: Job | LineJob, trace: Trace) -> None:
        self.job = job
        self.trace = trace

    @property
    def late_us(self) -> int:
        """The longest time in microseconds by which the machine forwarded a segment too late."""
        return _late_us(self.trace)

    @property
    def late(self) -> str:
        """The reason why this recording allows no verdict; empty if it does."""
        return cannot_judge(self.late_us) if self.late_us > LATE_US else ""

    def small(self) -> Recording:
        """A copy with only the fields that a replay needs."""
        return self if "segments" in self.trace else Recording(self.job, small(self.trace))

    def caption(self) -> Caption:
        return Caption(self.job.name, self.job.title)

    def headline(self) -> str:
        return f"{self.job.name}: {self.totals()}"

    def totals(self) -> str:
        """The numbers of segments, losses, calls and states."""
        rows = self._segments
        lost = sum("drop" in each or "lost" in each for each in rows)
        calls = len(self.trace["calls" if "calls" in self.trace else "app"])
        words = f"{len(rows)} segments, {lost or 'none'} lost, {calls} calls"
        return f"{words}, {len(self.trace['states'])} states seen"

    def text(self) -> str:
        return self.headline() + "\n"

    def _table(self) -> Table:
        from tcpsim.measure.results import Table

        return Table.of_rows(self._segments)

    @property
    def _segments(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.trace["segments" if "segments" in self.trace else "packets"]
        return found

    def to_dict(self) -> Trace:
        return self.trace

    def json(self) -> str:
        return _document(self.trace)


class Comparison(Result):
    """A recording and its replay: they are the same, or their first difference is shown as two ladders."""

    def __init__(self, recording: Recording, verdict: Verdict) -> None:
        self.recording = recording
        self.verdict = verdict

    @property
    def same(self) -> bool:
        """The simulator did what the hosts did."""
        return self.verdict.verdict == "PASS"

    @property
    def inconclusive(self) -> bool:
        """They differ, but the machine was too slow to blame the simulator."""
        return self.verdict.verdict == "LATE"

    def caption(self) -> Caption:
        return self.recording.caption()

    def headline(self) -> str:
        return f"{_FOUND[self.verdict.verdict]}: {self.recording.job.name}, {self.recording.totals()}"

    def text(self) -> str:
        reason = f"{self.verdict.reason}\n" if self.verdict.reason else ""
        ladders = f"\n{self.verdict.ladders}" if self.verdict.ladders else ""
        return f"{self.headline()}\n{reason}{ladders}"

    def _table(self) -> Table:
        from tcpsim.measure.results import Table

        return Table.of_rows([self.to_dict()])

    def to_dict(self) -> dict[str, Any]:
        return self.verdict._asdict()


def _job(
    scenario: Named, setting: Setting | None, seed: int, horizon: str | int | None, changes: Settings
) -> Job | LineJob:
    """A scenario, or a situation of the lab, with its settings."""
    asked = settings(changes, setting)
    asked_us = None if horizon is None else parse_duration(horizon, "horizon")
    own = isinstance(scenario, str) and Path(scenario).suffix != ".toml"
    if own and scenario not in {each.name for each in scenarios()}:
        situation = find(str(scenario))
        pair = situation.pair(asked)
        return job(
            str(scenario),
            situation.title,
            pair,
            seed=seed,
            horizon_us=situation.horizon_us,
            asked_us=asked_us,
        )
    story = chosen(scenario)
    if story.relays:
        return line_job(story, asked, seed=seed, asked_us=asked_us)
    pair = build(story, **asked)
    return job(story.name, story.title, pair, seed=seed, horizon_us=story.horizon_us, asked_us=asked_us)


def _late_us(trace: Trace) -> int:
    late: int = trace["late_us"] if "segments" in trace else late_us(trace)
    return late


def _recordings(
    asked: Job | LineJob, retries: int, progress: Progress | None, began: Began | None
) -> Iterator[Trace]:
    """As many recordings as somebody asks for, at most `retries` after the first."""
    for made in range(1 + retries):
        if began is not None:
            began(asked, made)
        tell = progress or (lambda message: None)
        yield chain.record(asked, tell) if isinstance(asked, LineJob) else on_real_hosts(asked, tell)


def _document(trace: Trace) -> str:
    """A trace as a file, one row to a line."""
    fields = []
    for key, value in trace.items():
        if isinstance(value, list) and value:
            rows = ",\n  ".join(json.dumps(row) for row in value)
            fields.append(f"{json.dumps(key)}: [\n  {rows}\n ]")
        else:
            fields.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{" + ",\n ".join(fields) + "}\n"
