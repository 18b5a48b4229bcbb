"""What a host may run out of, and what happens then.

Owns: limits, the acts by which running out shows, and the consequence of each, which is the stack's:

===========  ==================================  ===========================================================
resource     is used by                          when the limit is met
===========  ==================================  ===========================================================
descriptors  sockets that a program holds        client: socket() fails (EMFILE), the connection is not born;
                                                 server: accept() fails (EMFILE), the connection waits in the
                                                 accept queue until a descriptor is free
ports        client sockets in any state but     connect() fails (EADDRNOTAVAIL), the connection is not born
             CLOSED: TIME-WAIT and CLOSE-WAIT
             hold a port too
workers      server programs between accept()    the connection waits in the accept queue
             and the end of their work
backlog      connections in the accept queue     one more fits (Linux); then SYNs are dropped, and the final
                                                 ACK of a handshake is dropped, or reset if the stack does so
orphans      full sockets without a program      RST to the peer, and the socket is gone
minis        TIME-WAIT and orphaned FIN-WAIT-2   the mini-socket is gone without a word
===========  ==================================  ===========================================================

Refuses to know: who is affected and when (governor), and what a leak is. Sources: Linux accept(2), ip(7),
listen(2), net/ipv4/tcp.c (tcp_check_oom, "too many orphaned sockets"), tcp_minisocks.c (TCPTimeWaitOverflow).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tcpsim.app import Program, accept
from tcpsim.app.program import start
from tcpsim.errors import InputError
from tcpsim.host.view import GATE
from tcpsim.pair import SIDES, Machine, Pair, Resume, Side, advance, call
from tcpsim.path import Chooser, send
from tcpsim.tcp.end import End, abort
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import Holder

_HAS: Final[dict[Side, tuple[str, ...]]] = {
    "client": ("descriptors", "ports", "orphans", "minis"),
    "server": ("descriptors", "workers", "backlog", "orphans", "minis"),
}


class HostLimits(NamedTuple):
    """What one host has of each resource; None: as much as is asked for."""

    descriptors: int | None = None
    ports: int | None = None
    workers: int | None = None
    backlog: int | None = None
    orphans: int | None = None
    minis: int | None = None


def own_limits(stack: Stack) -> HostLimits:
    """What a kernel limits by itself: the orphans and mini-sockets of its profile."""
    return HostLimits(orphans=stack.max_orphans, minis=stack.max_mini)


class Limits(NamedTuple):
    """The limits of the server, and of the one host that all clients share (None: each its own host)."""

    server: HostLimits = HostLimits()
    client: HostLimits | None = None

    def of(self, side: Side) -> HostLimits:
        """One side's limits."""
        return self.server if side == "server" else self.client or HostLimits()

    @property
    def gate(self) -> bool:
        """Whether the host decides when a server may accept."""
        server = self.server
        return any(limit is not None for limit in (server.workers, server.descriptors, server.backlog))

    def check(self) -> None:
        """Raises InputError for a negative limit, or one that this side's hosts do not have."""
        for side in SIDES:
            for resource, limit in self.of(side)._asdict().items():
                if limit is not None and resource not in _HAS[side]:
                    raise InputError(f"limits.{side}.{resource}", limit, f"one of {', '.join(_HAS[side])}")
                if limit is not None and limit < 0:
                    raise InputError(f"limits.{side}.{resource}", limit, "an integer >= 0")


class Serve(NamedTuple):
    """A connection gets what it waits for: its server's program goes on to accept()."""

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        return call(pair, "server", Resume(), now_us, chooser)


class Reclaim(NamedTuple):
    """A kernel takes back a socket that no program holds."""

    side: Side
    holder: Holder

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        machine, path = pair.client if self.side == "client" else pair.server, pair.path
        end = machine.system.end
        number = max(n for n, tcb in end.sockets.items() if tcb.holder(end.stack) is self.holder)
        result = abort(end, number, now_us)
        if self.holder is Holder.ORPHAN:
            for segment in result.segments:
                path, _ = send(path, self.side, segment, now_us, chooser)
        return _changed(pair._replace(path=path), self.side, machine, result.end, now_us, chooser)


class Door(NamedTuple):
    """The accept queue that all connections share is full, or has room again: each listener learns of it."""

    shut: bool

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        end = pair.server.system.end
        backlog = -1 if self.shut else 0  # below zero even an empty queue is full
        listeners = {number: each._replace(backlog=backlog) for number, each in end.listeners.items()}
        end = End(end.stack, end.iss, end.ts_offset, end.sockets, listeners, end.next_id)
        return _changed(pair, "server", pair.server, end, now_us, chooser)


def _changed(pair: Pair, side: Side, machine: Machine, end: End, now_us: int, chooser: Chooser) -> Pair:
    """The pair with another end in one machine, at `now_us`; nothing is due then but to see what is next."""
    machine = machine._replace(system=machine.system._replace(end=end))
    pair = pair._replace(next_us=now_us)
    pair = pair._replace(client=machine) if side == "client" else pair._replace(server=machine)
    return advance(pair, chooser)


def gated(pair: Pair) -> Pair:
    """The pair before its birth, its server waiting for the host's leave before it accepts.

    Raises:
        InputError: the server's program accepts nothing.
    """
    changed = []
    for pid, running in pair.server.programs:
        steps = list(running.program.steps)
        places = [place for place, step in enumerate(steps) if isinstance(step, type(accept()))]
        if not places:
            raise InputError("limits.server", "a server program without accept()", "one that accepts")
        steps.insert(places[0], GATE)
        program = Program(steps, running.program.on_error, running.program.name)
        changed.append((pid, start(program, running.client_port, running.server_port)))
    return pair._replace(server=pair.server._replace(programs=tuple(changed)))
