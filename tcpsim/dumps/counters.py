"""Counters: sockstat, `ss -s`, nstat, `netstat -s`, node_exporter, sysctl, and the kernel's log.

Owns: one name for each number, whatever prints it: nstat's ("TcpExtListenOverflows"), "sockstat.TCP.orphan",
"conntrack.entries". Refuses to know: what a number means.
"""

from __future__ import annotations

import re

from tcpsim.dumps.dump import COUNTER, HEADER, REMARK, SETTING, Dump

_SOCKSTAT = re.compile(
    r"(sockets|TCP|TCP6|UDP|UDP6|UDPLITE|UDPLITE6|RAW|RAW6|FRAG|FRAG6):((?: +[a-z]+ \d+)+)\s*\Z", re.ASCII
)
_SUMMARY = re.compile(
    r"TCP:\s+(\d+) \(estab (\d+), closed (\d+), orphaned (\d+)(?:, synrecv \d+)?, timewait (\d+)(?:/\d+)?\)",
    re.ASCII,
)
_SUMMARY_REST = re.compile(
    r"(?:Total: \d+|Transport\s+Total|\*\s+\d+|(?:RAW|UDP|TCP|INET|FRAG)(?:\s+\d+){3})", re.ASCII
)
_NSTAT = re.compile(r"([A-Z][A-Za-z0-9]+)\s+(\d+)\s+\d+\.\d+\s*\Z", re.ASCII)
_EXPORTER = re.compile(
    r"(node_(?:netstat|sockstat|nf_conntrack|filefd)_\w+)(?:\{[^}]*\})?\s+([0-9.eE+]+)\s*\Z", re.ASCII
)
_SYSCTL = re.compile(r"(?:sysctl )?((?:net|fs|kernel)\.[a-z0-9_.]+)\s*=\s*(.*?)\s*\Z", re.ASCII)
_PROC_SYS = re.compile(r"/proc/sys/(net/[a-z0-9_/]+):\s*(.*?)\s*\Z", re.ASCII)
_OPEN_FILES = re.compile(r"(?:open files\s+\(?.*-n\)|Max open files)\s+(\d+)", re.ASCII)
_SECTION = re.compile(r"[A-Za-z][A-Za-z0-9-]*:\s*\Z", re.ASCII)
_PHRASE = re.compile(r"\s+(\d+) (.+?)\s*\Z", re.ASCII)
_NAMED = re.compile(r"\s+([A-Za-z][A-Za-z0-9]+): (\d+)\s*\Z", re.ASCII)
_PAIRS = re.compile(r"(TcpExt|Tcp|IpExt|Ip|MPTcpExt|Udp|UdpLite|Icmp|IcmpMsg):\s+(\S.*)\Z", re.ASCII)
_LOG = (
    "nf_conntrack: table full", "too many orphaned sockets", "out of memory -- consider tuning tcp_mem",
    "Out of socket memory", "time wait bucket table overflow", "Possible SYN flooding", "Too many open files",
    "Too many of orphaned sockets", "Cannot assign requested address",
)  # fmt: skip
# net-tools statistics.c, and FreeBSD's netstat
_PHRASES = {
    "times the listen queue of a socket overflowed": "TcpExtListenOverflows",
    "SYNs to LISTEN sockets dropped": "TcpExtListenDrops",
    "SYNs to LISTEN sockets ignored": "TcpExtListenDrops",
    "listen queue overflows": "TcpExtListenOverflows",
    "listen queue overflow": "TcpExtListenOverflows",
    "connections aborted due to timeout": "TcpExtTCPAbortOnTimeout",
    "connections aborted due to memory pressure": "TcpExtTCPAbortOnMemory",
    "connections reset due to early user close": "TcpExtTCPAbortOnClose",
    "connections reset due to unexpected data": "TcpExtTCPAbortOnData",
    "connections established": "TcpCurrEstab",
    "segments retransmitted": "TcpRetransSegs",
    "segments retransmited": "TcpRetransSegs",
    "passive connection openings": "TcpPassiveOpens",
    "active connection openings": "TcpActiveOpens",
    "active connections openings": "TcpActiveOpens",
    "connection resets received": "TcpEstabResets",
    "resets sent": "TcpOutRsts",
}


def read(parts: list[str], line: str, dump: Dump) -> str | None:
    """The kind of a line that has numbers of a whole host, which the dump has then.

    None if it is no such line.
    """
    first = parts[0]
    if "=" in line and (found := _SYSCTL.match(line.strip())):
        dump.settings[found[1]] = found[2]
        return SETTING
    if first.startswith("/proc/sys/") and (found := _PROC_SYS.match(line)):
        dump.settings[found[1].replace("/", ".")] = found[2]
        return SETTING
    if found := _OPEN_FILES.search(line):
        dump.settings["nofile"] = found[1]
        return SETTING
    if first.endswith(":") and (kind := _colon(line, dump)):
        return kind
    if (found := _NSTAT.match(line)) and len(parts) == 3:
        dump.counters[found[1]] = int(found[2])
        return COUNTER
    if first.startswith("node_") and (found := _EXPORTER.match(line)):
        return _exported(found[1], found[2], dump)
    if any(words in line for words in _LOG):
        dump.remarks.append(line.strip())
        return REMARK
    return HEADER if first == "#kernel" or _SUMMARY_REST.match(line.strip()) else None


def section(line: str, dump: Dump) -> str | None:
    """A line of `netstat -s`, which makes sense under its title only."""
    if _SECTION.match(line):
        return HEADER
    if found := _PHRASE.match(line):
        if found[2] in _PHRASES:
            dump.counters[_PHRASES[found[2]]] = int(found[1])
        return COUNTER
    if found := _NAMED.match(line):
        dump.counters[f"TcpExt{found[1]}"] = int(found[2])
        return COUNTER
    return COUNTER if line[:1].isspace() and line.strip() else None


def titled(line: str) -> bool:
    """Whether a section of `netstat -s` begins here."""
    return _SECTION.match(line) is not None and line.rstrip(": \n") in (
        "Ip", "Icmp", "IcmpMsg", "Tcp", "Udp", "UdpLite", "TcpExt", "IpExt", "MPTcpExt", "tcp", "udp", "ip",
        "icmp",
        "ip6", "icmp6",
    )  # fmt: skip


def _colon(line: str, dump: Dump) -> str | None:
    if found := _SUMMARY.match(line):
        names = ("summary.TCP", "summary.estab", "summary.closed", "summary.orphaned", "summary.timewait")
        dump.counters |= {name: int(number) for name, number in zip(names, found.groups(), strict=True)}
        return COUNTER
    if found := _SOCKSTAT.match(line):
        words = found[2].split()
        for name, number in zip(words[::2], words[1::2], strict=True):
            dump.counters[f"sockstat.{found[1]}.{name}"] = int(number)
        return COUNTER
    if found := _PAIRS.match(line):
        return _pair(found[1], found[2].split(), dump)
    return None


def _pair(group: str, words: list[str], dump: Dump) -> str:
    """/proc/net/netstat and snmp: a line of names, then one of numbers."""
    key = f"names of {group}"
    if all(word.lstrip("-").isdigit() for word in words):
        names = dump.settings.pop(key, "").split()
        for name, number in zip(names, words, strict=False):
            if not number.startswith("-"):
                dump.counters[f"{group}{name}"] = int(number)
        return COUNTER
    dump.settings[key] = " ".join(words)
    return HEADER


def _exported(name: str, number: str, dump: Dump) -> str | None:
    try:
        value = int(float(number))
    except (ValueError, OverflowError):
        return None
    kind, _, rest = name.removeprefix("node_").partition("_")
    if kind == "netstat":
        dump.counters[rest.replace("_", "", 1)] = value
    elif kind == "sockstat":
        dump.counters[f"sockstat.{rest.replace('_', '.')}"] = value
    elif name.startswith("node_nf_conntrack_entries"):
        limit = name.endswith("_limit")
        dump.counters["conntrack.limit" if limit else "conntrack.entries"] = value
    else:
        dump.counters[name.removeprefix("node_").replace("_", ".", 1)] = value
    return COUNTER
