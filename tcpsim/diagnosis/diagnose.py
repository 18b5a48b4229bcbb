"""The diagnosis of one dump: findings, the table of the connection tracker, and counters.

Owns: the parts of a diagnosis and their order. Refuses to know: several dumps (growth, both_ends).
"""

from __future__ import annotations

from typing import NamedTuple

from tcpsim.diagnosis.conntrack import Table, table
from tcpsim.diagnosis.counters import conclusions
from tcpsim.diagnosis.findings import Finding, badness, finding_of, queues_without_sockets
from tcpsim.diagnosis.host import Host
from tcpsim.diagnosis.relay import relays


class Judged(NamedTuple):
    """The diagnosis of one dump."""

    host: Host
    findings: tuple[Finding, ...]  # the worst first
    tracker: Table | None
    counters: tuple[tuple[str, bool], ...]

    @property
    def bad(self) -> bool:
        """True if a socket leaks or a limit is met."""
        met = any(limit for _, limit in self.counters)
        return (
            met or any(each.bad for each in self.findings) or (self.tracker is not None and self.tracker.bad)
        )


def judge(host: Host) -> Judged:
    """Everything that one dump says."""
    found, rest = relays(host)
    found += [finding_of(group, host) for group in rest]
    found += queues_without_sockets(host, found)
    return Judged(host, tuple(sorted(found, key=badness)), table(host), tuple(conclusions(host)))
