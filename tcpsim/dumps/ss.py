"""`ss` of iproute2: -tan, -tano, -tanop, -tanopie, with or without a header and a Netid column.

Owns: the columns, the users, the timer, and the lines that belong to the one before (-i, and columns that
a narrow terminal or a mail wrapped). Refuses to know: all other formats.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tcpsim.dumps import state_names, timer_column
from tcpsim.dumps.addresses import with_colon
from tcpsim.dumps.dump import Address, Dump, Owner, Socket, Timer
from tcpsim.tcp.state import State

_USER = re.compile(r'\("((?:[^"\\]|\\.)*)",(?:pid=)?(\d+),(?:fd=)?(\d+)', re.ASCII)
_ONE = re.compile(r'users:\(\("([^"\\]*)",pid=(\d+),fd=(\d+)\)\)', re.ASCII)
_TIMER = re.compile(r"timer:\(([a-z]+),([^,)]*),(\d+)\)", re.ASCII)
_INODE = re.compile(r"\bino:(\d+)", re.ASCII)
_RTO = re.compile(r"\brto:(\d+(?:\.\d+)?)", re.ASCII)
_NETIDS = frozenset({"tcp", "tcp4", "tcp6", "mptcp"})
_OTHERS = frozenset({
    "udp", "udp6", "raw", "icmp", "icmp6", "u_str", "u_dgr", "u_seq", "nl", "p_raw", "p_dgr", "dccp", "sctp",
    "v_str",
    "v_dgr", "xdp", "tipc", "vsock", "packet",
})  # fmt: skip
_DETAIL = ("users:((", "timer:(", "ino:", "skmem:(", "uid:", "sk:")


def other(parts: list[str]) -> bool:
    """A line about a socket that is not TCP's."""
    return parts[0] in _OTHERS and len(parts) > 3


def header(parts: list[str]) -> bool:
    """The line above the columns, in any of its spellings."""
    return parts[0] in ("State", "Netid", "Recv-Q") and any(part.startswith("Local") for part in parts)


def socket(parts: list[str], line: str, number: int, dump: Dump) -> Socket | None:
    """A socket's line, if it is one."""
    at = 1 if parts[0] in _NETIDS else 0
    if len(parts) < at + 5:
        return None
    state = state_names.state(parts[at])
    recv_q, send_q = parts[at + 1], parts[at + 2]
    if state is None or not (recv_q.isdigit() and send_q.isdigit() and recv_q.isascii() and send_q.isascii()):
        return None
    local, next_at = _address(parts, at + 3)
    peer, next_at = _address(parts, next_at)
    if local is None or peer is None:
        return None
    shown = _shown(line, dump)
    found = Socket(number, state, local, peer, int(recv_q), int(send_q), *shown)
    if state is State.CLOSED and peer.port is None:
        return None if at == 0 and "UNCONN" in parts[0] else found
    return found


def _address(parts: list[str], at: int) -> tuple[Address | None, int]:
    """The address that begins at a word; old versions put a blank behind the colon."""
    if at >= len(parts):
        return None, at
    found = with_colon(parts[at])
    if found is None and parts[at].endswith(":") and at + 1 < len(parts):
        return with_colon(parts[at] + parts[at + 1]), at + 2
    return found, at + 1


class _Shown(NamedTuple):
    """Whatever stands behind the addresses."""

    owners: tuple[Owner, ...] | None = None
    timer: Timer | None = None
    inode: int | None = None
    rto_us: int | None = None


def _shown(line: str, dump: Dump) -> _Shown:
    owners = timer = inode = rto_us = None
    if "users:((" in line:
        owners = _owners(line)
        dump.shows.add("owners")
    if "timer:(" in line:
        found = _TIMER.search(line)
        timer = timer_column.of_ss(*found.groups()) if found else None
        dump.shows.add("timers")
    if "ino:" in line and (found := _INODE.search(line)):
        inode = int(found[1])
    if "rto:" in line and (found := _RTO.search(line)):
        rto_us = round(float(found[1]) * 1_000)
    return _Shown(owners, timer, inode, rto_us)


def _owners(line: str) -> tuple[Owner, ...]:
    found = _ONE.search(line)
    if found is not None:  # nearly always
        return (Owner(found[1], int(found[2]), int(found[3])),)
    text = line[line.index("users:((") :].partition("))")[0]
    return tuple(Owner(name, int(pid), int(fd)) for name, pid, fd in _USER.findall(text))


def begins(parts: list[str]) -> bool:
    """The first columns of a socket whose line was wrapped."""
    at = 1 if parts[0] in _NETIDS else 0
    numbers = parts[at + 1 : at + 3]
    return (
        len(numbers) == 2
        and all(each.isascii() and each.isdigit() for each in numbers)
        and state_names.state(parts[at]) is not None
    )


def continues(line: str) -> bool:
    """Something that stands behind the addresses of the socket before."""
    return line[:1].isspace() and (
        any(word in line for word in _DETAIL) or _RTO.search(line) is not None or "cwnd:" in line
    )


def continued(last: Socket, line: str, dump: Dump) -> Socket:
    """The socket before, with what this line adds."""
    owners, timer, inode, rto_us = _shown(line, dump)
    return last._replace(
        owners=last.owners if owners is None else owners,
        timer=last.timer if timer is None else timer,
        inode=last.inode if inode is None else inode,
        rto_us=last.rto_us if rto_us is None else rto_us,
    )
