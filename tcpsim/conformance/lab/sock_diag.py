"""The sockets of a namespace, from the kernel's NETLINK_SOCK_DIAG (sock_diag(7)).

Owns: the messages' layout, and what a socket is called and who holds it. Refuses to know: when to look,
and what a change means (sampler).

Source: Linux include/uapi/linux/inet_diag.h, include/uapi/linux/tcp.h struct tcp_info, net/ipv4/inet_diag.c.
"""

from __future__ import annotations

import socket
import struct
from typing import Any, NamedTuple

_NETLINK_SOCK_DIAG, _DIAG_BY_FAMILY, _DESTROY = 4, 20, 21
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_ERROR, _DONE = 2, 3
_HEADER, _QUERY, _MESSAGE = struct.Struct("=IHHII"), struct.Struct("=BBBxI"), struct.Struct("=4B48sIIIII")
_ATTRIBUTE, _PORTS, _COOKIE = struct.Struct("=HH"), struct.Struct("!HH"), struct.Struct("=40xQ")
_INFO, _MEMORY = 2, 7  # INET_DIAG_INFO, INET_DIAG_SKMEMINFO
_ASKED = 1 << _INFO - 1 | 1 << _MEMORY - 1
_STATES = {
    1: "ESTABLISHED",
    2: "SYN_SENT",
    3: "SYN_RECV",
    4: "FIN_WAIT_1",
    5: "FIN_WAIT_2",
    6: "TIME_WAIT",
    8: "CLOSE_WAIT",
    9: "LAST_ACK",
    11: "CLOSING",
}
_REQUESTS = 12  # the kernel's own number for what it shows as SYN_RECV
_LISTEN = 10
_CONNECTIONS = sum(1 << state for state in (*_STATES, _REQUESTS))
_TIMERS = {0: None, 1: "retrans", 2: "keepalive", 3: "timewait", 4: "probe0"}
_EXPIRES_NOW = 1 << 31  # beyond it the kernel has subtracted below zero


class Seen(NamedTuple):
    """A socket at one moment, in the words of a trace; `facts` is everything else the kernel told."""

    cookie: int
    state: str
    kind: str
    timer: str | None
    retransmits: int
    expires_ms: int
    readable: int
    unacked: int
    ports: tuple[int, int]
    facts: dict[str, Any]


class Diag:
    """A netlink socket; it speaks of the namespace in which it was made, and keeps that alive."""

    def __init__(self, descriptor: int | None = None) -> None:
        if descriptor is None:
            kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
            self.socket = socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG)
        else:
            self.socket = socket.socket(fileno=descriptor)

    def sockets(self) -> list[Seen]:
        """Every connection of the namespace, listeners left out."""
        return [_seen(body) for body in self._dump(_CONNECTIONS, _ASKED)]

    def states(self) -> list[Seen]:
        """The same without what tcp_info says: cheap for thousands of connections."""
        return [_seen(body) for body in self._dump(_CONNECTIONS, 0)]

    def queues(self) -> dict[int, tuple[int, int]]:
        """Of each listening port: connections that wait for accept(), and how many it has room for."""
        found: dict[int, tuple[int, int]] = {}
        for family in (socket.AF_INET, socket.AF_INET6):
            for body in self._dump(1 << _LISTEN, 0, family):
                *_, identity, _, waiting, room, _, _ = _MESSAGE.unpack_from(body)
                port, _ = _PORTS.unpack_from(identity)
                found[port] = max((waiting, room), found.get(port, (0, 0)))
        return found

    def destroy_all(self) -> None:
        """End every socket without a word, orphans too: they would keep the namespace until they give up."""
        for body in self._dump(_CONNECTIONS | 1 << _LISTEN, 0):
            query = _QUERY.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFFFFFFF) + body[4:52]
            self._send(_DESTROY, _REQUEST | _ACK, query)
            self.socket.recv(1 << 16)  # done, gone by itself, or a kernel that cannot: nothing else to try

    def _dump(self, states: int, extensions: int, family: int = socket.AF_INET) -> list[bytes]:
        query = _QUERY.pack(family, socket.IPPROTO_TCP, extensions, states) + bytes(48)
        self._send(_DIAG_BY_FAMILY, _REQUEST | _DUMP, query)
        bodies: list[bytes] = []
        while True:
            data = self.socket.recv(1 << 16)
            place = 0
            while place < len(data):
                length, kind, *_ = _HEADER.unpack_from(data, place)
                if kind == _DONE:
                    return bodies
                if kind == _ERROR:
                    (number,) = struct.unpack_from("=i", data, place + _HEADER.size)
                    raise OSError(-number, "the kernel does not list sockets", "NETLINK_SOCK_DIAG")
                bodies.append(data[place + _HEADER.size : place + length])
                place += (length + 3) & ~3

    def _send(self, kind: int, flags: int, query: bytes) -> None:
        self.socket.send(_HEADER.pack(_HEADER.size + len(query), kind, flags, 1, 0) + query)


def _seen(body: bytes) -> Seen:
    """One inet_diag_msg."""
    _, state, timer, retransmits, identity, expires, readable, unacked, _, inode = _MESSAGE.unpack_from(body)
    local, remote = _PORTS.unpack_from(identity)
    (cookie,) = _COOKIE.unpack(identity)
    if _TIMERS.get(timer) == "timewait":
        kind = "minisock"
    elif state == 3:
        kind = "req"
    else:
        kind = "sock" if inode else "orphan"
    expires = 0 if expires >= _EXPIRES_NOW else expires
    facts = _info(body) if kind in ("sock", "orphan") else {}
    return Seen(
        cookie, _STATES[state], kind, _TIMERS.get(timer), retransmits, expires, readable, unacked,
        (local, remote), facts,
    )  # fmt: skip


def _info(body: bytes) -> dict[str, Any]:
    """What tcp_info says, times in milliseconds; what the receive queue is charged, and of how much."""
    place = _MESSAGE.size
    told: dict[str, Any] = {}
    while place + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, place)
        if kind == _INFO:
            info = body[place + _ATTRIBUTE.size : place + length]
            _, ca, _, probes, backoff = struct.unpack_from("=5B", info)
            (rto,) = struct.unpack_from("=I", info, 8)
            (unacked,) = struct.unpack_from("=I", info, 24)
            rtt, rttvar, _, cwnd = struct.unpack_from("=4I", info, 68)
            times = {"rto": rto / 1_000, "srtt": rtt / 1_000, "rttvar": rttvar / 1_000}
            counts = {"ca": ca, "probes": probes, "backoff": backoff, "unacked": unacked, "cwnd": cwnd}
            told |= times | counts
        elif kind == _MEMORY:
            told["rmem"], told["rcvbuf"] = struct.unpack_from("=2I", body, place + _ATTRIBUTE.size)
        place += (length + 3) & ~3
    return told
