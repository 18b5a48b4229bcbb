"""/proc/net/tcp and tcp6, and `lsof -i`.

Owns: their columns. Refuses to know: who the inode belongs to (live).
"""

from __future__ import annotations

import re

from tcpsim.dumps import state_names
from tcpsim.dumps.addresses import of_hex, with_colon
from tcpsim.dumps.dump import Address, Dump, Owner, Socket, Timer
from tcpsim.tcp.state import State, parse_state

_SLOT = re.compile(r"\d+:\Z", re.ASCII)
_TIMERS = {"01": "on", "02": "keepalive", "03": "timewait", "04": "persist"}
_USER_HZ = 100  # /proc writes times in these ticks, whatever the kernel's own HZ is
_NEVER = 0xFFFF_FFFF
_PID = re.compile(r"\d+\Z", re.ASCII)


def proc_header(parts: list[str]) -> bool:
    """The first line of /proc/net/tcp."""
    return parts[0] == "sl" and "local_address" in parts


def proc(parts: list[str], line: str, number: int, dump: Dump) -> Socket | None:
    """One entry: slot, addresses, state, queues, timer, retransmissions, uid, probes, inode."""
    if not _SLOT.match(parts[0]) or len(parts) < 10:
        return None
    local, peer = of_hex(parts[1]), of_hex(parts[2])
    send_q, _, recv_q = parts[4].partition(":")
    kind, _, when = parts[5].partition(":")
    try:
        state = parse_state(parts[3]) if len(parts[3]) == 2 else None
        queues = int(recv_q, 16), int(send_q, 16)
        left, again = int(when, 16), int(parts[6], 16)
        probes, inode = int(parts[8]), int(parts[9])
    except ValueError:
        return None
    if state is None or local is None or peer is None:
        return None
    if state is State.LISTEN:
        peer = Address(peer.host, None)
    timer = None
    if kind in _TIMERS and left < _NEVER:
        dump.shows.add("timers")
        step_us = 1_000_000 // _USER_HZ
        timer = Timer(_TIMERS[kind], left * step_us, step_us, max(again, probes))
    dump.system = "linux"
    return Socket(number, state, local, peer, *queues, None, timer, inode)


def lsof_header(parts: list[str]) -> bool:
    """The first line of lsof."""
    return parts[0] == "COMMAND" and "PID" in parts


def lsof_other(parts: list[str], dump: Dump) -> bool:
    """A file of a process that is not a TCP connection; a TCP socket without one is counted."""
    if len(parts) < 8 or not _PID.match(parts[1]):
        return False
    if parts[-2:] == ["protocol:", "TCP"] or parts[-2:] == ["protocol:", "TCPv6"]:
        dump.counters["lsof.dead"] = dump.counters.get("lsof.dead", 0) + 1
    return "UDP" in parts[5:9] or bool({"REG", "DIR", "CHR", "FIFO", "unix", "sock"} & {*parts[4:6]})


def lsof(parts: list[str], line: str, number: int, dump: Dump) -> Socket | None:
    """COMMAND PID [TID] USER FD TYPE DEVICE SIZE/OFF NODE NAME: `TCP a:1->b:2 (STATE)`."""
    try:
        at = parts.index("TCP", 5)
    except ValueError:
        return None
    if len(parts) < at + 3 or not _PID.match(parts[1]) or "IPv" not in " ".join(parts[3:at]):
        return None
    state = state_names.state(parts[at + 2].strip("()"))
    local_text, arrow, peer_text = parts[at + 1].partition("->")
    local = with_colon(local_text)
    peer = with_colon(peer_text) if arrow else Address("*", None)
    if state is None or local is None or peer is None:
        return None
    dump.shows.add("owners")
    digits = "".join(c for c in parts[3] if c.isdigit()) if len(parts) > 3 else ""
    name = parts[0].replace("\\x20", " ")
    return Socket(
        number, state, local, peer, None, None, (Owner(name, int(parts[1]), int(digits or 0) or None),)
    )
