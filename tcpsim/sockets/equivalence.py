"""When two hosts are equal except for the clock.

Owns: descriptors, open files and blocked calls without the clock, and which connections a process can
reach. Refuses to know: the key of a connection (tcp), and what programs do next.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from tcpsim.sockets.processes import System, pid_of
from tcpsim.tcp import equivalence as tcp
from tcpsim.tcp.equivalence.connection import EVER, Instant

Key = tuple[object, ...]
_NONE: frozenset[int] = frozenset()


def key(system: System, named: Mapping[int, int]) -> tuple[Key, tuple[Instant, ...]]:
    """What a host is besides its connections, at any moment, and the instants whose distance counts."""
    blocked = tuple(
        [
            (each.caller, each.call.__class__, each.call, each.files, each.deadline_us is None, each.done)
            for each in system.blocked
        ]
    )
    instants = tuple([(each.deadline_us, EVER) for each in system.blocked if each.deadline_us is not None])
    tables = tuple([(pid, tuple(table.items())) for pid, table in system.tables.items()])
    files = tuple(
        [
            (number, None if each.sid is None else named.get(each.sid, tcp.GONE), *each[1:])
            for number, each in system.files.items()
        ]
    )
    return (tcp.key(system.end, named), tables, files, blocked, system.next_port), instants


def reached(system: System, pids: Set[int]) -> frozenset[int]:
    """The sockets on which one of these processes may make a call, or has one that waits.

    A connection that waits in an accept queue is reached through its listener.
    """
    sockets = system.end.sockets
    if not pids or not sockets:
        return _NONE
    files = {each for pid, table in system.tables.items() if pid in pids for each in table.values()}
    for blocked in system.blocked:
        if pid_of(blocked.caller) in pids:
            files.update(blocked.files)
    direct = {system.files[each].sid for each in files}
    return frozenset(
        [number for number, tcb in sockets.items() if (number if tcb.accepted else tcb.parent) in direct]
    )


def untimed(system: System, pid: int, fd: int | None) -> frozenset[int]:
    """The socket behind a descriptor, if reading it fails only when the connection is dead."""
    number = None if fd is None else system.tables.get(pid, {}).get(fd)
    file = None if number is None else system.files[number]
    if file is None or file.sid is None or file.nonblocking or file.rcvtimeo_us:
        return _NONE
    return frozenset((file.sid,))
