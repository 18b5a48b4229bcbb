"""netstat of Linux (net-tools, busybox), FreeBSD, macOS and Windows.

Owns: their columns, headers in any language, "-" for an owner, and the name of a program with blanks.
Refuses to know: `netstat -s` (counters).
"""

from __future__ import annotations

import re

from tcpsim.dumps import state_names, timer_column
from tcpsim.dumps.addresses import with_colon, with_dot
from tcpsim.dumps.dump import Address, Dump, Owner, Socket, Timer
from tcpsim.tcp.state import State

_PROGRAM = re.compile(r"(\d+)/(.*)\Z", re.ASCII)
_MACOS = re.compile(r"(.+):(\d+)\Z", re.ASCII)  # process:pid, since macOS 14
_APPLE = ("%en", "%utun", "%awdl", "%llw")  # names of devices that only macOS has
_BSD = frozenset({"tcp4", "tcp46", "tcp6", "tcp"})
_TIMERS = frozenset({"on", "off", "keepalive", "timewait", "probe"})
_HEADERS = (
    "Proto",
    "Active",
    "Aktive",
    "Connexions",
    "Conexiones",
    "Connessioni",
    "Conexões",
    "Actieve",
    "Aktiva",
)
_UDP = frozenset(
    {"udp", "udp4", "udp6", "udp46", "udplite", "raw", "raw6", "icm4", "icm6", "unix", "sctp", "UDP"}
)
_NOT_ALL = ("Not all processes could be identified", "would have to be root", "will not be shown")


def other(parts: list[str]) -> bool:
    """A line about a socket that is not TCP's."""
    return parts[0] in _UDP and len(parts) > 2


def header(parts: list[str]) -> bool:
    """A title, or the line above the columns."""
    return parts[0] in _HEADERS or (parts[0] == "Proto" and len(parts) > 3)


def remark(line: str, dump: Dump) -> bool:
    """The warning that owners of other users' sockets are hidden."""
    if any(word in line for word in _NOT_ALL):
        dump.partly = True
        return True
    return False


def unix(parts: list[str], line: str, number: int, dump: Dump) -> Socket | None:
    """Linux and the BSDs: Proto Recv-Q Send-Q Local Foreign State ..."""
    if parts[0] not in _BSD or len(parts) < 6:
        return None
    recv_q, send_q = parts[1], parts[2]
    if not (recv_q.isascii() and recv_q.isdigit() and send_q.isascii() and send_q.isdigit()):
        return None
    state = state_names.state(parts[5])
    if state is None:
        return None
    local, peer = with_colon(parts[3]), with_colon(parts[4])
    if local is not None and peer is not None:
        owners, timer = _linux(parts[6:], dump)
        dump.system = dump.system or "linux"
        return Socket(number, state, local, peer, int(recv_q), int(send_q), owners, timer)
    local, peer = with_dot(parts[3]), with_dot(parts[4])
    if local is None or peer is None:
        return None
    if any(device in parts[3] or device in parts[4] for device in _APPLE):
        dump.system = "macos"
    dump.system = dump.system or "freebsd"
    return Socket(number, state, local, peer, int(recv_q), int(send_q), _bsd(parts[6:], dump))


def _linux(rest: list[str], dump: Dump) -> tuple[tuple[Owner, ...] | None, Timer | None]:
    """PID/Program name and Timer, both optional; a user and an inode may stand before (-e)."""
    owners: tuple[Owner, ...] | None = None
    timer = None
    at = next((n for n, word in enumerate(rest) if word in _TIMERS or word.startswith("unkn-")), None)
    if at is not None and at + 1 < len(rest) and rest[at + 1].startswith("("):
        timer = timer_column.of_netstat(rest[at], rest[at + 1])
        dump.shows.add("timers")
        rest = rest[:at]
    for n, word in enumerate(rest):
        if word == "-":
            dump.shows.add("owners")
            owners = ()
            break
        if found := _PROGRAM.match(word):
            dump.shows.add("owners")
            owners = (Owner(" ".join([found[2], *rest[n + 1 :]]).rstrip(":"), int(found[1])),)
            break
    return owners, timer


def _bsd(rest: list[str], dump: Dump) -> tuple[Owner, ...] | None:
    """macOS -v shows the process among many numbers; FreeBSD shows nobody."""
    for word in rest:
        if found := _MACOS.match(word):
            dump.shows.add("owners")
            dump.system = "macos"
            return (Owner(found[1], int(found[2])),)
    return None


def windows(parts: list[str], line: str, number: int, dump: Dump) -> Socket | None:
    """Proto Local Foreign State PID; the state in the language of the system."""
    if parts[0] != "TCP" or len(parts) < 4:
        return None
    state, rest = state_names.state(parts[3]), parts[4:]
    local, peer = with_colon(parts[1]), with_colon(parts[2])
    if state is None or local is None or peer is None:
        return None
    if state is State.LISTEN:
        peer = Address(peer.host, None)
    dump.system = "windows"
    owners: tuple[Owner, ...] | None = None
    if rest and rest[0].isascii() and rest[0].isdigit():
        dump.shows.add("owners")
        owners = () if rest[0] == "0" else (Owner("", int(rest[0])),)
    return Socket(number, state, local, peer, None, None, owners)


def windows_program(line: str) -> str | None:
    """`netstat -b` names the program on a line of its own."""
    text = line.strip()
    return text[1:-1] if len(text) < 80 and text.startswith("[") and text.lower().endswith(".exe]") else None
