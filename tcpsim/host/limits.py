"""The resources that a host may run out of, and what happens then.

Owns: limits, the acts that follow from a limit or a restart, and the consequence of each, which depends on
the stack:

===========  ==================================  ===========================================================
resource     is used by                          when the limit is met
===========  ==================================  ===========================================================
descriptors  sockets that a program holds        client: socket() fails (EMFILE), the connection fails;
                                                 server: accept() fails (EMFILE), the connection waits in the
                                                 accept queue until a descriptor is free; relay: both
ports        client sockets in any state but     connect() fails (EADDRNOTAVAIL), the connection fails;
             CLOSED: TIME-WAIT and CLOSE-WAIT    a free port is used again (client_ports)
             hold a port too                     of a relay its program is told (full_relay)
workers      server programs between accept()    the connection waits in the accept queue
             and the end of their work
backlog      connections in the accept queue,    one more fits (Linux); then SYNs are dropped, and the final
             which nobody has accepted yet       ACK of a handshake is dropped, or reset if the stack does so
orphans      full sockets without a program      RST to the peer, and the socket is gone
minis        TIME-WAIT and orphaned FIN-WAIT-2   the timewait socket is dropped silently
bytes        sockets, and what is queued in      by the stack's out_of_memory: SYNs are dropped ("refuse");
             them: the mbufs of a BSD            the oldest orphan makes room, else the same ("reset"); the
                                                 kernel panics, and all its sockets are gone ("crash")
flows        what a box between the hosts      what would begin a flow is dropped in silence: a SYN, and on
             remembers, by its profile         Linux a segment from the middle of a connection
pages        what is queued in sockets, unread   an orphan with more queued than a FIN is reset, and send()
             or unacknowledged (Linux tcp_mem)   waits for more than 4096 octets in a socket, until half is
                                                 free again; a FIN is queued all the same
===========  ==================================  ===========================================================

The last value of tcp_mem is the limit. The first value, half of it, is where memory pressure ends. In
between, the kernel refuses memory to a socket that has more than its share, and here to every socket. It also
drops data behind unread data (tcp_data_queue). This is not modelled, because it changes who is slow, not what
is held.

Refuses to know: who is affected and when (admission), and what a leak is. Sources: Linux accept(2), ip(7),
listen(2), net/ipv4/tcp.c (tcp_check_oom: "too many orphaned sockets", "out of memory"), tcp_minisocks.c
(TCPTimeWaitOverflow); of the BSDs and lwIP, their profiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from tcpsim.app import Program, accept, listen
from tcpsim.app.program import start
from tcpsim.errors import InputError, checked, unknown
from tcpsim.host.socket_accounting import GATE, at_gate
from tcpsim.pair import FIRST_PID, SIDES, Befall, Kill, Machine, Pair, Resume, Side, Vanish, call, names
from tcpsim.path import Chooser
from tcpsim.path.path import with_room
from tcpsim.sockets.processes import FIRST_FD, Returned, System, after, with_end
from tcpsim.tcp.endpoint import abort, granted
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import Holder

RESOURCES: Final[dict[Side, tuple[str, ...]]] = {
    "client": ("descriptors", "ports", "orphans", "minis", "pages"),
    "server": ("descriptors", "workers", "backlog", "orphans", "minis", "bytes", "pages"),
    "relay": ("descriptors", "ports", "orphans", "minis", "pages"),
}


Limited = Mapping[str, int | None]  # "server.descriptors": how many; None: as many as are asked for
_LISTEN: Any = type(listen())
_ACCEPT = type(accept())
SEND_FLOOR: Final = 4_096  # Linux tcp_wmem[0]: a socket may queue so much whatever the others do


@checked
class HostLimits(NamedTuple):
    """What one host has of each resource; None: as much as is asked for.

    A server's `backlog` is never without end: None is what its listen() was granted (see `with_backlog`).
    """

    descriptors: int | None = None
    ports: int | None = None
    workers: int | None = None
    backlog: int | None = None
    orphans: int | None = None
    minis: int | None = None
    bytes: int | None = None
    pages: int | None = None

    def check(self) -> None:
        """Raises InputError for what is no number of anything."""
        for resource, limit in zip(self._fields, self, strict=True):
            if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
                raise InputError(f"limits.{resource}", repr(limit), "an integer >= 0")


def own_limits(stack: Stack) -> HostLimits:
    """What a kernel limits by itself: the orphans, timewait sockets and pages of its profile."""
    return HostLimits(orphans=stack.max_orphans, minis=stack.max_mini, pages=stack.memory_pages)


def usual_limits(stack: Stack, side: Side) -> HostLimits:
    """All that a profile says of a host whose one process holds its connections, to one server and port."""
    ports = None if side == "server" else stack.ephemeral_ports
    return own_limits(stack)._replace(descriptors=stack.nofile - FIRST_FD, ports=ports)


@checked
class Limits(NamedTuple):
    """The limits of the server, of the one host that all clients share (None: each its own host), of a box.

    `flows`: how many the box between them holds (None: as many as come). `clients`: how many hosts the
    connections come from in turn, each with the client's limit on ports. `relays`: the hosts between, in
    order; () if nobody asks how much they have.
    """

    server: HostLimits = HostLimits()
    client: HostLimits | None = None
    flows: int | None = None
    clients: int = 1
    relays: tuple[HostLimits, ...] = ()

    @property
    def sides(self) -> tuple[Side, ...]:
        """The hosts that may have limits."""
        return (*SIDES, *names(len(self.relays))[1:-1])

    def of(self, side: Side) -> HostLimits:
        """One side's limits."""
        if side == "server":
            return self.server
        return self.relays[self.sides.index(side) - 2] if side not in SIDES else self.client or HostLimits()

    @property
    def gate(self) -> bool:
        """Whether the host decides when a server may accept."""
        return self.server.workers is not None or self.server.descriptors is not None

    def check(self) -> None:
        """Raises InputError for a limit that this side's hosts do not have."""
        given = (self.server, self.client or HostLimits(), *self.relays)
        if not all(isinstance(each, HostLimits) for each in given):
            raise InputError("limits", f"{self.server!r}, {self.client!r}, {self.relays!r}", "HostLimits")
        others = self.client is None or self.client != HostLimits(ports=self.client.ports)
        if not isinstance(self.clients, int) or self.clients < 1:
            raise InputError("clients", repr(self.clients), "an integer >= 1")
        if self.clients > 1 and (self.client is None or self.client.ports is None or others):
            raise InputError(
                "clients", self.clients, "beside a limit on client.ports, and no other of clients"
            )
        if self.flows is not None and (not isinstance(self.flows, int) or not self.flows >= 0):
            raise InputError("limits.flows", repr(self.flows), "an integer >= 0")
        for side in self.sides:
            known = RESOURCES[side if side in SIDES else "relay"]
            for resource, limit in self.of(side)._asdict().items():
                if limit is not None and resource not in known:
                    allowed = f"one of {', '.join(known)}"
                    raise InputError(f"limits.{side}.{resource}", limit, allowed)


def own_of_relays(pair: Pair) -> dict[Side, HostLimits]:
    """What the kernels of the machines between limit by themselves."""
    return {side: own_limits(pair.machine(side).system.end.stack) for side in pair.names[1:-1]}


def named_limits(
    given: Limited,
    own: HostLimits | None = None,
    where: str = "limit",
    clients: int = 1,
    relays: Mapping[Side, HostLimits] | None = None,
) -> Limits:
    """Limits by name ("server.descriptors", "middlebox.flows"), over what the server has by itself.

    If any limit of the client is named, even as None, all clients share one host, or so many. If any limit
    of a relay is named, each of `relays` has limits: its own, and those of "relay" or of its name.

    >>> named_limits({"client.ports": 1_000}).client.ports
    1000

    Raises:
        InputError: a name that is no resource of a host or a box, or what is no number of anything.
    """
    between = dict.fromkeys(("relay", *relays) if relays else ())
    known = [f"{side}.{resource}" for side in SIDES for resource in RESOURCES[side]]
    known += ["middlebox.flows", *[f"{side}.{each}" for side in between for each in RESOURCES["relay"]]]
    found: dict[str, dict[str, int | None]] = {side: {} for side in (*SIDES, "middlebox", *between)}
    for place, number in given.items():
        side, _, resource = place.partition(".")
        if place not in known:
            raise unknown(where, place, known)
        if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 0):
            raise InputError(where, repr(f"{place}={number}"), "an integer >= 0")
        found[side][resource] = number
    client = HostLimits(**found["client"]) if found["client"] else None
    server = (own or HostLimits())._replace(**found["server"])
    flows = found["middlebox"].get("flows")
    hosts = tuple(
        [each._replace(**{**found["relay"], **found[side]}) for side, each in (relays or {}).items()]
        if any(found[side] for side in between)
        else ()
    )
    return Limits(server=server, client=client, flows=flows, clients=clients, relays=hosts)


class Room(NamedTuple):
    """The box between the hosts has so many places left in its table; None: nobody else uses it."""

    flows: int | None

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        return pair._replace(path=with_room(pair.path, self.flows))


@checked
class Restart(NamedTuple):
    """An operator's cure: the process of one side is killed at a clock time, and again every so often."""

    side: Side
    at_us: int
    every_us: int | None = None

    def check(self) -> None:
        """Raises InputError for a side that is none, or a time that never comes."""
        if self.side not in SIDES and self.side.partition(" ")[0] != "relay":
            raise InputError("restart.side", repr(self.side), "client, server or the name of a relay")
        if self.at_us < 0 or (self.every_us is not None and self.every_us <= 0):
            raise InputError("restarts", self.every_us, "a time above zero")


class Serve(NamedTuple):
    """A connection gets what it waits for: the program of its server, or of a relay, goes on to accept()."""

    side: Side = "server"

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        return call(pair, self.side, Resume(at_gate(pair.machine(self.side))), now_us, chooser)


class Reclaim(NamedTuple):
    """A kernel takes back a socket that no program holds, if there is one: an orphan with a RST."""

    side: Side
    holder: Holder

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        system = _system(pair, self.side)
        end = system.end
        found = [n for n, tcb in end.sockets.items() if tcb.holder(end.stack) is self.holder]
        if not found:
            return pair
        result = abort(end, max(found), now_us)
        if self.holder is not Holder.ORPHAN:
            result = result._replace(segments=())
        return call(pair, self.side, Befall(after(system, result, None)), now_us, chooser)


class Door(NamedTuple):
    """Whether the host takes further connections: each listener learns of it.

    Below zero a backlog is full; its complement is the one to come back to.
    """

    shut: bool

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        system = _system(pair, "server")
        end = system.end
        listeners = {
            number: each._replace(backlog=~each.backlog) if self.shut is (each.backlog >= 0) else each
            for number, each in end.listeners.items()
        }
        end = end.replaced(listeners=listeners)
        return call(pair, "server", Befall(Returned(with_end(system, end), None)), now_us, chooser)


class Moderate(NamedTuple):
    """A host without memory takes no more than `octets` of what a socket sends; None: it has memory again.

    Sockets to come are meant too (Linux tcp_wmem_schedule, sk_stream_moderate_sndbuf).
    """

    side: Side
    octets: int | None

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        system = _system(pair, self.side)
        end = system.end.replaced(stack=replace(system.end.stack, snd_limit=self.octets))
        return call(pair, self.side, Befall(Returned(with_end(system, end), None)), now_us, chooser)


class Crash(NamedTuple):
    """The kernel of a host panics: nothing is left of it, and nobody is told."""

    side: Side

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        return call(pair, self.side, Vanish(), now_us, chooser)


class Stop(NamedTuple):
    """Somebody kills the process of one side, if it still runs: its kernel closes what it held."""

    side: Side

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        if FIRST_PID not in dict(pair.machine(self.side).programs):
            return pair
        return call(pair, self.side, Kill(FIRST_PID), now_us, chooser)


def _system(pair: Pair, side: Side) -> System:
    return pair.machine(side).system


def with_backlog(limits: Limits, pair: Pair) -> Limits:
    """The limits with the accept queue that the server has where none is asked for.

    It is what listen() was granted: the program's backlog, cut to the system's. A server of which each
    connection is accepted as soon as it is complete never has one in the queue, and needs no limit.
    """
    server, program = limits.server, pair.server.programs[0][1].program
    ops: tuple[Any, ...] = program.ops
    asked = [op.backlog for op in ops if isinstance(op, _LISTEN)]
    if server.backlog is not None or not asked or (_accepts_at_once(program) and not limits.gate):
        return limits
    backlog = max(granted(pair.server.system.end.stack, each) for each in asked)
    return limits._replace(server=server._replace(backlog=backlog))


def _accepts_at_once(program: Program) -> bool:
    """Whether nothing but the accept() of its one connection stands behind each listen()."""
    places = [place for place, op in enumerate(program.ops) if isinstance(op, _LISTEN)]
    return all(isinstance(program.ops[place + 1], _ACCEPT) for place in places)


def gated(pair: Pair, limits: Limits) -> Pair:
    """The pair before its birth: whoever has a limit on what accept() takes waits for the host's leave.

    Raises:
        InputError: the program accepts nothing.
    """
    hops = [
        hop if limits.of(side).descriptors is None else hop._replace(machine=_gated(hop.machine, side))
        for side, hop in zip(limits.sides[2:], pair.relays, strict=False)
    ]
    server = _gated(pair.server, "server") if limits.gate else pair.server
    return pair._replace(server=server, relays=tuple(hops) or pair.relays)


def _gated(machine: Machine, side: Side) -> Machine:
    changed = []
    for pid, running in machine.programs:
        steps = list(running.program.steps)
        places = [place for place, step in enumerate(steps) if isinstance(step, _ACCEPT)]
        if not places:
            raise InputError(f"limits.{side}", f"a {side} program without accept()", "one that accepts")
        steps.insert(places[0], GATE)
        program = Program(steps, running.program.on_error, running.program.name)
        changed.append((pid, start(program, running.client_port, running.server_port)))
    return machine._replace(programs=tuple(changed))
