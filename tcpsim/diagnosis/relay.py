"""Relays in a dump: a process with as many sockets in CLOSE-WAIT on one leg as in FIN-WAIT-2 on the other.

Owns: finding such processes, and matching the legs. Refuses to know: what a relay should do (kinds).

A relay copies data between two connections, its legs. When one leg ends, it half-closes the other leg and
waits. So a process has equal numbers of both, and the leg in FIN-WAIT-2 shows who does not close.
"""

from __future__ import annotations

from collections import defaultdict

from tcpsim.diagnosis.classify import CERTAIN, LIKELY, Case
from tcpsim.diagnosis.findings import FEW, Finding, Group, Key, finding_of, groups
from tcpsim.diagnosis.host import Host
from tcpsim.dumps import Socket

_APART = 0.1  # the two numbers may differ by so much of the larger: connections end while a dump is taken
_CLOSE_WAITS = ("close-wait-eof-read", "close-wait-fin-unread", "close-wait-data-unread", "close-wait")
Legs = tuple[tuple[Socket, Socket], ...]


def relays(host: Host) -> tuple[list[Finding], list[Group]]:
    """A finding for each relay, and the groups that are no part of one."""
    found = groups(host)
    by_process: dict[int, dict[str, list[Group]]] = defaultdict(lambda: defaultdict(list))
    for group in found:
        pids = {owner.pid for each in group.sockets for owner in each.owners or ()}
        leg = "close-wait" if group.key.kind in _CLOSE_WAITS else group.key.kind
        if len(pids) == 1 and (pid := pids.pop()) is not None and leg in ("close-wait", "fin-wait-2-owned"):
            by_process[pid][leg].append(group)
    made = []
    for legs in by_process.values():
        ended, waiting = legs["close-wait"], legs["fin-wait-2-owned"]
        one, other = (sum(len(each.sockets) for each in leg) for leg in (ended, waiting))
        if min(one, other) < FEW or abs(one - other) > _APART * max(one, other):
            continue
        made.append(_finding(ended, waiting, host))
        found = [group for group in found if group not in ended and group not in waiting]
    return made, found


def _finding(ended: list[Group], waiting: list[Group], host: Host) -> Finding:
    """One finding of both legs, seen from the leg that waits."""
    sockets = [each for group in (*ended, *waiting) for each in group.sockets]
    first = waiting[0].key
    one, other = (sum(len(each.sockets) for each in leg) for leg in (ended, waiting))
    why = f"one process has {one:,} sockets in CLOSE-WAIT and {other:,} half-closed ones"
    key = Key("relay", first.role, first.port, first.owner)
    found = finding_of(
        Group(key, sockets, Case("relay", CERTAIN if one == other else LIKELY, why), waiting[0].role_known),
        host,
    )
    ports = ", ".join(sorted({str(each.key.port) for each in ended}))
    note = (
        f"The legs in CLOSE-WAIT are those of port {ports}, the ones in FIN-WAIT-2 those of port {first.port}"
    )
    return found._replace(notes=(note,))


def legs(finding: Finding) -> Legs:
    """The legs of each connection, matched in the order of their descriptors: a relay opens them in turn."""
    sides: tuple[list[Socket], list[Socket]] = [], []
    for each in finding.sockets:
        sides[each.state.name == "FIN_WAIT_2"].append(each)
    ended, waiting = (sorted(side, key=_descriptor) for side in sides)
    return tuple(zip(ended, waiting, strict=False))


def _descriptor(socket: Socket) -> int:
    return (socket.owners[0].fd or 0) if socket.owners else 0
