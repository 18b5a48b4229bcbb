"""What the counters of a whole host say beside its sockets.

Owns: the few conclusions that numbers alone allow. Refuses to know: whose sockets they count.
"""

from __future__ import annotations

from collections.abc import Iterator

from tcpsim.diagnosis.host import Host

_NEAR = 0.7


def conclusions(host: Host) -> list[tuple[str, bool]]:
    """Sentences, and whether each is a limit that is met or near."""
    return list(_conclusions(host))


def _conclusions(host: Host) -> Iterator[tuple[str, bool]]:
    c, stack = host.dump.counters, host.stack
    overflows = c.get("TcpExtListenOverflows", 0)
    if overflows:
        yield (
            f"{overflows:,} connections found an accept queue full since boot (ListenOverflows): a program"
            f" does not keep up with accept()",
            True,
        )
    for name, said in (
        (
            "TcpExtTCPAbortOnMemory",
            "sockets were reset for want of memory or because there were too many orphans (TCPAbortOnMemory)",
        ),
        (
            "TcpExtTCPTimeWaitOverflow",
            "connections ended without TIME-WAIT because tcp_max_tw_buckets was met (TCPTimeWaitOverflow)",
        ),
    ):
        if c.get(name):
            yield f"{c[name]:,} {said}", True
    dead = _dead(host)
    if dead:
        yield (
            f"{dead:,} sockets are allocated and in no table: descriptors whose connection is over (a"
            f" program forgets close() after an error), or sockets that never connected",
            False,
        )
    for name, limit, knob in (
        ("sockstat.TCP.orphan", stack.max_orphans, "tcp_max_orphans"),
        ("sockstat.TCP.tw", stack.max_mini, "tcp_max_tw_buckets"),
        ("sockstat.TCP.mem", stack.memory_pages, "tcp_mem"),
    ):
        used = c.get(name, 0)
        if limit and used >= _NEAR * limit:
            yield f"{used:,} of {limit:,} ({knob})", True
    for remark in host.dump.remarks:
        if "table full" not in remark:
            yield f"the kernel's log: {remark[:120]}", True


def _dead(host: Host) -> int:
    """Sockets that exist and are not hashed."""
    c = host.dump.counters
    if "summary.closed" in c:
        return max(c["summary.closed"] - c["summary.timewait"], 0)
    if "sockstat.TCP.alloc" in c and "sockstat.TCP.inuse" in c:
        inuse = c["sockstat.TCP.inuse"] + c.get("sockstat.TCP6.inuse", 0)
        return max(c["sockstat.TCP.alloc"] - inuse, 0)
    return c.get("lsof.dead", 0)
