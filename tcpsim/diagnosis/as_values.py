"""A diagnosis as plain values, for JSON and tables.

Owns: the keys of docs/json.md. Refuses to know: how they are printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tcpsim.diagnosis.diagnose import Judged
from tcpsim.diagnosis.findings import Finding
from tcpsim.diagnosis.relay import legs
from tcpsim.diagnosis.two_dumps import Together


def document(
    answers: Sequence[Judged], related: Together | None, leaks: bool, addresses: bool
) -> dict[str, Any]:
    """The whole diagnosis."""
    return {
        "leaks": leaks,
        "dumps": [_dump(each) for each in answers],
        "findings": [
            {"dump": number, **_finding(each, addresses)}
            for number, answer in enumerate(answers)
            for each in answer.findings
        ],
        "trackers": [_tracker(each) for each in answers if each.tracker is not None],
        "counters": [
            {"dump": number, "says": says, "limit": limit}
            for number, answer in enumerate(answers)
            for says, limit in answer.counters
        ],
        **({} if related is None else related.record()),
    }


def _dump(answer: Judged) -> dict[str, Any]:
    host, dump = answer.host, answer.host.dump
    return {
        "name": dump.name,
        "system": dump.system,
        "stack": host.profile,
        "settings": dict(host.turned),
        "formats": dict(dump.formats),
        "lines": {"total": dump.total, **{kind: count for kind, count in dump.lines.items() if count}},
        "unread": [{"line": number, "text": text} for number, text in dump.unread],
        "cut_out": dump.more,
        "shows": sorted(dump.shows),
        "hides_owners": dump.partly,
    }


def _finding(found: Finding, addresses: bool) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "count": found.number,
        "states": list(found.states),
        "leak": found.leak,
        "limit": found.limit or None,
        "role": found.role,
        "role_certain": found.role_known,
        "port": found.port,
        "owner": found.owner,
        "pids": list(found.pids),
        "peer_hosts": len(found.hosts),
        **({"addresses": list(found.hosts)} if addresses else {}),
        "recv_q": found.recv_q,
        "send_q": found.send_q,
        "happened": found.happened,
        "move": found.move,
        "owes": found.owes,
        "certainty": found.certainty,
        "why": found.why,
        "ends": {
            "by": found.ends.by or None,
            "earliest_us": None if found.ends.never else found.ends.earliest_us,
            "expected_us": found.ends.expected_us,
            "latest_us": None if found.ends.never else found.ends.latest_us,
        },
        "lasts_by": list(found.knobs.own),
        "helps": list(found.knobs.helps),
        "in_vain": list(found.knobs.in_vain),
        "compare": found.knobs.compare,
        "next": found.look,
        "notes": list(found.notes),
        "lines": [each.line for each in found.sockets[:_LINES]],
        **({"legs": [[a.line, b.line] for a, b in legs(found)]} if found.kind == "relay" else {}),
    }


_LINES = 20  # numbers of lines that stand for a group


def _tracker(answer: Judged) -> dict[str, Any]:
    table = answer.tracker
    assert table is not None
    return {
        "entries": table.entries,
        "limit": table.limit,
        "full": table.full,
        "dropping": table.dropping,
        "states": [
            {
                "state": each.state,
                "count": each.number,
                "longest_left_s": each.longest_left_s,
                "timeout_us": each.timeout_us,
                "source": each.source,
            }
            for each in table.states
        ],
    }


def rows(found: Sequence[Finding]) -> list[dict[str, Any]]:
    """One row for each finding."""
    return [
        {
            "kind": each.kind,
            "count": each.number,
            "state": "/".join(each.states),
            "role": each.role,
            "port": each.port,
            "owner": each.owner,
            "leak": each.leak,
            "limit": each.limit or None,
            "move": each.move,
            "certainty": each.certainty,
            "earliest_us": None if each.ends.never else each.ends.earliest_us,
            "expected_us": each.ends.expected_us,
            "latest_us": None if each.ends.never else each.ends.latest_us,
        }
        for each in found
    ]
