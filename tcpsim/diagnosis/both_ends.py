"""Dumps of both ends: the two sockets of each connection side by side, and impossible combinations.

Owns: matching by addresses and ports, and the causes of a socket whose other end is gone. Refuses to know:
what a state alone means (findings).
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from tcpsim.diagnosis.host import Host
from tcpsim.dumps import Address, Socket
from tcpsim.tcp.state import State


class Way(NamedTuple):
    """The cause of a socket without a counterpart, and the scenarios that show it."""

    is_half_open: bool
    says: str
    shown_by: tuple[str, ...]


# A state whose other end has no socket at all
ALONE = {
    State.ESTABLISHED: Way(
        True,
        "half-open: the other end lost power or restarted, gave up its FIN before one arrived, or a"
        " firewall dropped its RST;"
        " only keepalive, a user timeout or a send will tell this end",
        ("vanished-clients-stay-established", "all-fins-lost", "load-balancer-forgets-an-idle-pool"),
    ),
    State.CLOSE_WAIT: Way(
        True,
        "half-open: the other end closed long ago and its kernel has dropped FIN-WAIT-2; this program still"
        " owes its close(),"
        " which now meets a RST",
        ("server-never-closes", "closewait-ignored-eof"),
    ),
    State.FIN_WAIT_2: Way(
        True,
        "half-open: the other end is gone and its FIN or RST did not arrive here (a firewall that forgot"
        " the connection, or a"
        " restart); a program that holds this socket waits for ever without keepalive",
        ("firewall-forgets-half-closed", "dial-up-client-vanishes"),
    ),
    State.FIN_WAIT_1: Way(
        False, "the other end is gone; this kernel retransmits the FIN, then gives up", ("all-fins-lost",)
    ),
    State.LAST_ACK: Way(
        False,
        "the other end is gone; this kernel retransmits the FIN, then gives up",
        ("last-ack-on-the-server",),
    ),
    State.CLOSING: Way(
        False,
        "the other end is gone; this kernel retransmits the FIN, then gives up",
        ("closing-on-a-one-way-path",),
    ),
    State.TIME_WAIT: Way(False, "normal: the other end has finished", ("normal-close",)),
    State.SYN_SENT: Way(False, "the other end has not accepted the SYN", ()),
    State.SYN_RECEIVED: Way(
        False, "the client is gone, or its SYN was forged", ("handshake-that-is-never-complete",)
    ),
}


class Matched(NamedTuple):
    """The number of connections with these states at the two ends (None: no socket)."""

    first: State | None
    second: State | None
    number: int
    way: Way | None


class Pairing(NamedTuple):
    """The connections of both dumps."""

    matched: tuple[Matched, ...]
    half_open: int
    connections: int


def reversed_pairs(first: Host, second: Host) -> int:
    """The number of connections that appear in both dumps."""
    theirs = {(each.peer, each.local) for each in second.dump.sockets if each.state is not State.LISTEN}
    return sum(
        (each.local, each.peer) in theirs for each in first.dump.sockets if each.state is not State.LISTEN
    )


def pairing(first: Host, second: Host) -> Pairing:
    """Match the sockets. A socket is alone only if the other dump is from the host of its peer."""
    ours, theirs = _by_pair(first), {(peer, local): each for (local, peer), each in _by_pair(second).items()}
    here, there = _hosts(first), _hosts(second)
    found: Counter[tuple[State | None, State | None]] = Counter()
    for key, each in ours.items():
        other = theirs.get(key)
        if other is not None or not there or each.peer.host in there:
            found[each.state, other.state if other is not None else None] += 1
    for key, each in theirs.items():
        if key not in ours and (not here or each.peer.host in here):
            found[None, each.state] += 1
    matched = [
        Matched(
            one, two, count, ALONE.get(one or two or State.CLOSED) if one is None or two is None else None
        )
        for (one, two), count in found.items()
    ]
    matched.sort(key=lambda each: (not (each.way and each.way.is_half_open), -each.number))
    half_open = sum(each.number for each in matched if each.way is not None and each.way.is_half_open)
    return Pairing(tuple(matched), half_open, sum(found.values()))


def _by_pair(host: Host) -> dict[tuple[Address, Address], Socket]:
    return {
        (each.local, each.peer): each
        for each in host.dump.sockets
        if each.state not in (State.LISTEN, State.CLOSED) and each.peer.port is not None
    }


def _hosts(host: Host) -> set[str]:
    """The addresses that are this host's own."""
    return {each.local.host for each in host.dump.sockets if not each.local.any}
