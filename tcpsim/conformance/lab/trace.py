"""A recording as a trace, which is the document that `tcpsim conform` reads.

Owns: the fields of a trace, the names of sockets, and rules as data. Refuses to know: how anything was
observed.

The name of a socket says what it became: "c" opened a connection, "listener" listens, "s" was accepted, "s'"
is another descriptor of "s". A random loss is written as a rule, so that a replay loses the same segment.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any, NamedTuple

from tcpsim.conformance.lab.recording_plan import BASE_SYSCTLS, MTU, Job
from tcpsim.conformance.lab.relay import DIRECTION, LETTER, Relay
from tcpsim.conformance.lab.sampler import Watch
from tcpsim.path import SIDES, Path, Rule, Side
from tcpsim.path.rule import Script
from tcpsim.tcp.segment import flag_letters

_DIRECTIONS = {"client": "A>B", "server": "B>A", "both": "*"}


class Told(NamedTuple):
    """A call that a process told of. `made` is the name of the descriptor that it returned."""

    t: float
    who: str
    sock: str | None
    call: str
    arg: Any = None
    t_end: float | None = None
    ret: int | str | None = None
    err: str | None = None
    late_us: int | None = None  # how long it was ready to run and had no processor
    made: str | None = None


def trace_of(
    job: Job,
    relay: Relay,
    watch: Watch,
    told: Iterable[Told],
    counters: dict[str, dict[str, int]],
    over: str,
) -> dict[str, Any]:
    """Everything that was observed; `over` says why the recording ended."""
    told = list(told)
    late_us = [row["late_us"] for row in relay.rows if "late_us" in row] or [0]
    read_us = [row["read_us"] for row in relay.rows if "read_us" in row] or [0]
    return {
        "id": job.name,
        "run": 1,
        "title": job.title,
        "meta": {
            "delay_ms": job.delay_us / 1_000,
            "rules": [*_rules(job.path, relay.cut), *_losses(relay.lost_by_chance)],
            "sysctls": {LETTER[side]: dict(job.sysctls[side]) for side in SIDES if job.sysctls[side]},
            "period_ms": watch.period_ms,
            "mtu": MTU,
            "base_sysctls": BASE_SYSCTLS,
        },
        "stats": {
            "packets": len(relay.rows),
            "late_us": {"n": len(late_us), "median": statistics.median(late_us), "max": max(late_us)},
            "read_us": {"n": len(read_us), "median": statistics.median(read_us), "max": max(read_us)},
            "calls_late_us": max((row.late_us or 0 for row in told), default=0),
            "sampler": watch.stats,
            "watched_ms": watch.looked_us / 1_000,
        },
        "app": rows_of(told),
        "packets": relay.rows,
        "states": watch.rows,
        "end_states": watch.end_states,
        "counters": counters,
        "notes": [f"recorded by tcpsim lab, seed {job.seed}; ended by {over}"],
    }


def late_us(trace: dict[str, Any]) -> int:
    """How late the recorder was at worst: a packet, a call kept from running, or a look at the states."""
    late: list[int] = [row.get("late_us", 0) for rows in ("packets", "app") for row in trace[rows]]
    missed_ms: float = trace["stats"]["sampler"].get("max_gap_ms", 0) - trace["meta"].get("period_ms", 0)
    return max([0, round(missed_ms * 1_000), *late])


_COMPARED = {
    "packets": ("t", "t_out", "late_us", "dir", "conn", "flags", "seq", "ack", "len", "drop", "proto"),
    "states": ("t", "since", "side", "id", "st", "kind"),
    "stats": ("sampler", "watched_ms"),
}


def small(trace: dict[str, Any]) -> dict[str, Any]:
    """A trace with nothing but what a replay needs and a judge compares."""
    kept = {key: trace[key] for key in ("id", "title", "meta", "app", "notes")}
    kept["stats"] = {key: trace["stats"][key] for key in _COMPARED["stats"]}
    for rows in ("packets", "states"):
        kept[rows] = [{key: row[key] for key in _COMPARED[rows] if key in row} for row in trace[rows]]
    for segment, row in zip(kept["packets"], trace["packets"], strict=True):
        if "ts" in row.get("opt", {}):  # they tell of the clock (traces.timestamp_clock)
            segment["opt"] = {"ts": row["opt"]["ts"]}
    known: dict[tuple[str, int], tuple[str, str]] = {}
    changes = []
    for row in kept["states"]:
        if known.get((row["side"], row["id"])) != (row["st"], row["kind"]):
            known[row["side"], row["id"]] = row["st"], row["kind"]
            changes.append(row)
    return kept | {"states": changes}


def rows_of(told: Iterable[Told]) -> list[dict[str, Any]]:
    """The rows of `app` in the order of time, each socket under its name.

    >>> rows = [Told(2.0, "A", "7.1", "bind", 40000), Told(1.0, "A", None, "socket", made="7.1")]
    >>> rows_of(rows)
    [{'t': 2.0, 'who': 'A', 'sock': 'c', 'call': 'bind', 'arg': 40000}]
    """
    ordered = sorted(told, key=lambda row: row.t)
    names = _names(ordered)
    return [
        {key: value for key, value in row._asdict().items() if value is not None and key != "made"}
        | {"sock": names[row.sock]}
        | ({"arg": names[row.made]} if row.call == "dup" and row.made is not None else {})
        for row in ordered
        if row.sock is not None  # socket() itself makes a name and nothing else
    ]


def _names(ordered: list[Told]) -> dict[str, str]:
    """What each descriptor is called."""
    listening = {row.sock for row in ordered if row.call == "listen"}
    names: dict[str, str] = {}
    taken: dict[tuple[str, str], int] = {}

    def give(row: Told, stem: str) -> None:
        assert row.made is not None
        number = taken[row.who, stem] = taken.get((row.who, stem), 0) + 1
        names[row.made] = stem if number == 1 else f"{stem}{number}"

    for row in sorted(ordered, key=lambda row: row.t if row.t_end is None else row.t_end):
        if row.made is None:
            continue
        if row.call == "socket":
            give(row, "listener" if row.made in listening else "c")
        elif row.call == "accept":
            give(row, "s")
        elif row.call == "dup" and row.sock is not None:
            give(row, f"{names[row.sock]}'")
    return names


def _rules(path: Path, more: Iterable[Rule]) -> list[dict[str, Any]]:
    """The rules of a path, and those that came later."""
    rules = [rule for element in path.shared if isinstance(element, Script) for rule in element.rules]
    return [rule_as_data(rule) for rule in (*rules, *more)]


def rule_as_data(rule: Rule) -> dict[str, Any]:
    """A rule as a trace writes it; what `tcpsim.path.rule_from_trace` reads.

    >>> from tcpsim.path import parse_rule
    >>> rule_as_data(parse_rule("server FIN 1,3"))
    {'name': 'server FIN 1,3', 'action': 'drop', 'dir': 'B>A', 'has': 'F', 'nth': [1, 3]}
    """
    data: dict[str, Any] = {"name": rule.name, "action": rule.action, "dir": _DIRECTIONS[rule.sender]}
    for key, flags in (("has", rule.has), ("lacks", rule.lacks)):
        if flags:
            data[key] = flag_letters(flags)
    for key, number, unit in (
        ("min_len", rule.min_len or None, 1),
        ("max_len", rule.max_len, 1),
        ("after", rule.after_us or None, 1_000),
        ("before", rule.before_us, 1_000),
        ("conn", rule.conn, 1),
        ("seq", rule.seq, 1),
        ("delay_ms", rule.delay_us or None, 1_000),
    ):
        if number is not None:
            data[key] = number if unit == 1 else number / unit
    if rule.nth:
        data["nth"] = sorted({n for first, last in rule.nth for n in range(first, last + 1)})
    return data


def _losses(lost: dict[Side, list[int]]) -> list[dict[str, Any]]:
    """What chance lost: the n-th segments of a direction."""
    return [
        {"name": "loss", "action": "drop", "dir": DIRECTION[side], "nth": numbers}
        for side, numbers in lost.items()
        if numbers
    ]
