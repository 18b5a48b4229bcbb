"""When two hosts are the same but for the clock: the key of a host at a moment.

Owns: descriptors, open files and blocked calls seen from a moment, and which connections a process can
reach. Refuses to know: what a key of a connection consists of (tcp) and what programs do next.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from tcpsim.sockets.system import System, pid_of
from tcpsim.tcp import key as tcp

Key = tuple[object, ...]
_NONE: frozenset[int] = frozenset()


def key(system: System, now_us: int, around: Mapping[int, tcp.Around]) -> Key:
    """Hosts of equal key answer the same from `now_us` on."""
    blocked = tuple(
        [
            (
                each.caller,
                each.call.__class__,
                each.call,
                each.files,
                None if each.deadline_us is None else each.deadline_us - now_us,
                each.done,
            )
            for each in system.blocked
        ]
    )
    tables = tuple([(pid, tuple(table.items())) for pid, table in system.tables.items()])
    end = tcp.key(system.end, now_us, around)
    return end, tables, tuple(system.files.items()), blocked, system.next_port


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
        [number for number, t in sockets.items() if (number if t.accepted else t.parent) in direct]
    )
