"""`conntrack -L` and /proc/net/nf_conntrack: the table of a connection tracker.

Owns: its columns. Refuses to know: what its states mean. They are the tracker's own, not those of a socket.
"""

from __future__ import annotations

import re

from tcpsim.dumps.dump import Address, Dump, Flow

_KEYED = re.compile(r"\b(src|dst|sport|dport)=(\S+)", re.ASCII)
_STATES = frozenset({
    "NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE",
    "SYN_SENT2", "LISTEN",
})  # fmt: skip
_SHOWN = re.compile(r"(\d+) flow entries have been shown", re.ASCII)


def flow(parts: list[str], line: str, number: int) -> Flow | None:
    """One TCP flow: protocol, seconds left, state, both directions' addresses."""
    if parts[0] in ("ipv4", "ipv6") and len(parts) > 4:
        parts = parts[2:]
    if parts[0] != "tcp" or len(parts) < 7 or "src=" not in line:
        return None
    left = int(parts[2]) if parts[2].isascii() and parts[2].isdigit() else None
    state = parts[3] if left is not None else parts[2]
    if state not in _STATES:
        return None
    found = _KEYED.findall(line)
    first = dict(reversed(found[:4]))
    ports = first.get("sport", ""), first.get("dport", "")
    if len(first) < 4 or not all(port.isascii() and port.isdigit() for port in ports):
        return None
    source, target = (
        Address(first[host], int(port)) for host, port in zip(("src", "dst"), ports, strict=True)
    )
    return Flow(number, state, left, source, target, "[UNREPLIED]" not in line)


def other(parts: list[str], line: str) -> bool:
    """A flow of another protocol."""
    return "src=" in line and "dst=" in line and parts[0] != "tcp"


def trailer(line: str, dump: Dump) -> bool:
    """The line that says how many there are."""
    found = _SHOWN.search(line)
    if found:
        dump.counters["flows shown"] = int(found[1])
    return found is not None
