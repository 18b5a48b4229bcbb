"""The table of a connection tracker: its entries, how long they stay, and when the table is full.

Owns: the conclusions from `conntrack -L`, its sysctls and the kernel's log. Refuses to know: sockets. A state
of the tracker describes the segments that it has seen. No host needs to have a socket in this state.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from tcpsim.diagnosis.host import Host
from tcpsim.path import middlebox
from tcpsim.path.middlebox import Middlebox

_FIELDS = {
    "SYN_SENT": "syn_sent_us", "SYN_SENT2": "syn_sent_us", "SYN_RECV": "syn_recv_us",
    "ESTABLISHED": "established_us",
    "FIN_WAIT": "fin_wait_us", "CLOSE_WAIT": "close_wait_us", "LAST_ACK": "last_ack_us",
    "TIME_WAIT": "time_wait_us",
    "CLOSE": "close_us",
}  # fmt: skip
_NEAR = 0.7
_CLOSE = 0.8  # entries that have so much of a round timeout left were refreshed lately
_FULL = "table full"
COMPARE = "tcpsim compare firewall-forgets-half-closed"


class Tracked(NamedTuple):
    """The entries in one state, and how long an entry stays without traffic."""

    state: str
    number: int
    longest_left_s: int
    timeout_us: int
    source: str  # where the timeout was read


class Table(NamedTuple):
    """The tracker of a host."""

    states: tuple[Tracked, ...]
    entries: int
    limit: int | None
    full: bool
    dropping: bool  # the log says so

    @property
    def bad(self) -> bool:
        """True if new connections are dropped or soon will be."""
        return self.full or self.dropping


def table(host: Host) -> Table | None:
    """The table of the tracker, if the dump shows one."""
    dump = host.dump
    settings, counters = dump.settings, dump.counters
    limit_text = settings.get("net.netfilter.nf_conntrack_max") or settings.get("net.nf_conntrack_max") or ""
    limit = int(limit_text) if limit_text.isdigit() else counters.get("conntrack.limit")
    entries = counters.get("conntrack.entries", counters.get("flows shown", len(dump.flows)))
    if not dump.flows and not (entries and limit):
        return None
    box = middlebox("linux-conntrack")
    found: dict[str, list[int]] = defaultdict(list)
    for flow in dump.flows:
        found[flow.state].append(flow.left_s or 0)
    states = [_tracked(state, left, box, settings) for state, left in found.items()]
    dropping = any(_FULL in remark for remark in dump.remarks)
    full = limit is not None and entries >= _NEAR * limit
    return Table(tuple(sorted(states, key=lambda each: -each.number)), entries, limit, full, dropping)


def _tracked(state: str, left: list[int], box: Middlebox, settings: dict[str, str]) -> Tracked:
    field = _FIELDS.get(state, "close_us")
    name = f"net.netfilter.nf_conntrack_tcp_timeout_{field.removesuffix('_us')}"
    text = settings.get(name, "")
    if text.isdigit():
        return Tracked(state, len(left), max(left), int(text) * 1_000_000, "its sysctl says so")
    profile_us, longest = getattr(box, field) or 0, max(left)
    guess_us = _round(longest) * 1_000_000
    if len(left) > 1 and longest * 1_000_000 >= _CLOSE * guess_us:
        return Tracked(
            state, len(left), longest, guess_us, f"the longest that an entry still has is {longest:,} s"
        )
    whole_us = max(profile_us, guess_us)
    return Tracked(state, len(left), longest, whole_us, "the kernel's default, or more")


def _round(seconds: int) -> int:
    """A timeout is a round number above what an entry still has."""
    for step in (60, 300, 600, 3_600, 86_400):
        if seconds <= step:
            return step
    return -(-seconds // 86_400) * 86_400
