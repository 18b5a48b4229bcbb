"""A dump of this machine: /proc/net/tcp and tcp6, the owners of the sockets, limits and counters.

Owns: reading /proc, and which process holds which socket. Refuses to know: what the files' lines mean
(dumps). Linux only. /proc does not say how much room an accept queue has; sock_diag does, where the
kernel has it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from tcpsim.dumps.dump import Dump, Owner
from tcpsim.dumps.read import read
from tcpsim.errors import InputError
from tcpsim.tcp.state import State

_SOCKET = re.compile(r"socket:\[(\d+)\]\Z", re.ASCII)
_NET = Path("/proc/net")
_COUNTERS = ("sockstat", "sockstat6", "netstat")
_SETTINGS = (
    "net/ipv4/tcp_fin_timeout", "net/ipv4/tcp_orphan_retries", "net/ipv4/tcp_retries2",
    "net/ipv4/tcp_syn_retries",
    "net/ipv4/tcp_synack_retries", "net/ipv4/tcp_keepalive_time", "net/ipv4/tcp_keepalive_intvl",
    "net/ipv4/tcp_keepalive_probes", "net/ipv4/tcp_max_orphans", "net/ipv4/tcp_max_tw_buckets",
    "net/ipv4/tcp_mem",
    "net/ipv4/ip_local_port_range",
)  # fmt: skip


def live() -> Dump:
    """The sockets of this network namespace.

    Raises:
        InputError: this is not Linux, or /proc is not mounted.
    """
    if not (_NET / "tcp").exists():
        raise InputError("live", "no /proc/net/tcp", "Linux with /proc")
    dump = read("".join(_texts()), "this machine")
    owners, hidden = _owners()
    dump.sockets = [
        each._replace(owners=owners.get(each.inode or 0, each.owners or ()))
        if each.inode is not None
        else each
        for each in dump.sockets
    ]
    queues = _queues()
    dump.sockets = [
        each._replace(recv_q=queues[each.local.port][0], send_q=queues[each.local.port][1])
        if each.state is State.LISTEN and each.local.port in queues
        else each
        for each in dump.sockets
    ]
    dump.shows |= {"owners"}
    dump.partly |= hidden
    return dump


def _texts() -> Iterator[str]:
    for name in ("tcp", "tcp6", *_COUNTERS):
        yield _content(_NET / name)
    for name in _SETTINGS:
        text = _content(Path("/proc/sys") / name).strip()
        if text:
            yield f"{name.replace('/', '.')} = {' '.join(text.split())}\n"


def _queues() -> dict[int, tuple[int, int]]:
    """Of each listening port, what waits for accept() and how much room there is; empty without sock_diag."""
    from tcpsim.conformance.lab.sock_diag import Diag  # nobody else needs what the lab loads

    try:
        diag = Diag()
    except OSError:
        return {}
    try:
        return diag.queues()
    except OSError:
        return {}
    finally:
        diag.socket.close()


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _owners() -> tuple[dict[int, tuple[Owner, ...]], bool]:
    """Which process has which inode open, and whether some processes hide it."""
    found: dict[int, list[Owner]] = {}
    hidden = False
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            descriptors = list(os.scandir(entry / "fd"))
            name = (entry / "comm").read_text(encoding="utf-8", errors="replace").strip()
        except PermissionError:
            hidden = True
            continue
        except OSError:
            continue  # it has ended meanwhile
        for each in descriptors:
            match = _SOCKET.match(_target(each.path))
            if match:
                found.setdefault(int(match[1]), []).append(Owner(name, int(entry.name), int(each.name)))
    return {inode: tuple(owners) for inode, owners in found.items()}, hidden


def _target(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
