"""Conclusions from the counters of a host.

Owns: the few conclusions that counters allow. A counter since the start of the host says nothing about the
present, so it is reported, but not as a limit that is met. Refuses to know: whose sockets are counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tcpsim.diagnosis.findings import FEW
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
            f"{overflows:,} connections found an accept queue full since the host started"
            f" (ListenOverflows): a"
            " program does not keep up with accept(), now or then",
            False,
        )
    for name, said in (
        (
            "TcpExtTCPAbortOnMemory",
            "sockets were reset because memory was short or there were too many orphans (TCPAbortOnMemory)",
        ),
        (
            "TcpExtTCPTimeWaitOverflow",
            "connections ended without TIME-WAIT because tcp_max_tw_buckets was met (TCPTimeWaitOverflow)",
        ),
    ):
        if c.get(name):
            yield f"{c[name]:,} {said}, since the host started", False
    if dead := c.get("lsof.dead", 0):
        yield (
            f"{dead:,} descriptors no longer have a connection: a program does not call close() after an"
            f" error",
            dead >= FEW,
        )
    elif dead := _dead(c):
        yield (
            f"{dead:,} sockets are allocated and in no table (the first number is of the whole machine, the"
            f" second"
            " of this network namespace): descriptors whose connection is over, or sockets that never"
            " connected",
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


def _dead(c: Mapping[str, int]) -> int:
    """Sockets that exist and are not hashed."""
    if "summary.closed" in c:
        return max(c["summary.closed"] - c["summary.timewait"], 0)
    if "sockstat.TCP.alloc" in c and "sockstat.TCP.inuse" in c:
        inuse = c["sockstat.TCP.inuse"] + c.get("sockstat.TCP6.inuse", 0)
        return max(c["sockstat.TCP.alloc"] - inuse, 0)
    return 0
