"""A pair at rest: two hosts, or more with relays, and the paths between neighbours.

Owns: what a pair is, the time of its next event, and what each host holds. Refuses to know: what happens then
(instant), TCP (tcp), calls (sockets), programs (app), and anything that several pairs share (host). There is
no RFC for this.

A pair without a next event never changes again. docs/decisions/15-relays.md describes relays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from tcpsim import path as lines
from tcpsim.app.program import Program, Running, start
from tcpsim.path import SIDES, Path
from tcpsim.sockets import kernel
from tcpsim.sockets.processes import System, held, new_system
from tcpsim.tcp.endpoint import new_end
from tcpsim.tcp.stack import Memory, Stack
from tcpsim.tcp.state import Holder, State

Side = str  # the name of a machine: "client", "server", "relay", "relay 1"
FIRST_PID = 1
_APART = 1 << 24  # the secrets of the ISN clocks of relays


class Machine(NamedTuple):
    """One host: its kernel, the programs on it by pid, whether it has power, when that comes back."""

    system: System
    programs: tuple[tuple[int, Running], ...]
    up: bool = True
    back_us: int | None = None


class Hop(NamedTuple):
    """A machine between: it accepts at `port` from the left, and connects over the path behind it."""

    machine: Machine
    path: Path
    port: int


class Pair(NamedTuple):
    """The machines and paths at `now_us`. `next_us` follows from the rest (see `next_time`).

    `path` leads from the client to its neighbour, which is the server unless there are `relays`: then each
    of them has the path behind it, in order. An end of a path is "client" or "server" of it, whoever it is.
    """

    now_us: int
    client: Machine
    server: Machine
    path: Path
    next_us: int | None
    relays: tuple[Hop, ...] = ()

    @property
    def machines(self) -> tuple[Machine, ...]:
        """All machines from the client to the server; the ends of `paths[i]` are numbers i and i + 1."""
        return (self.client, *[hop.machine for hop in self.relays], self.server)

    @property
    def paths(self) -> tuple[Path, ...]:
        """All paths, the client's first."""
        return (self.path, *[hop.path for hop in self.relays])

    @property
    def names(self) -> tuple[Side, ...]:
        """What the machines are called, from the client to the server."""
        return names(len(self.relays))

    def machine(self, side: Side) -> Machine:
        """The machine of that name."""
        if side == "client":
            return self.client
        return self.server if side == "server" else self.machines[self.names.index(side)]


def names(relays: int = 0) -> tuple[Side, ...]:
    """What machines in a line are called.

    >>> names(), names(1), names(2)
    (('client', 'server'), ('client', 'relay', 'server'), ('client', 'relay 1', 'relay 2', 'server'))
    """
    if relays < 2:
        return ("client", "relay", "server") if relays else SIDES
    return ("client", *[f"relay {number}" for number in range(1, relays + 1)], "server")


class Held(NamedTuple):
    """One socket of a host's table: what it is, who pays for it, bytes unread and unacknowledged."""

    state: State
    holder: Holder
    readable: int
    unacked: int
    fd: bool  # a descriptor refers to it
    behind: bool = False  # of a machine between, where that was asked for: it is on the leg behind it

    def bytes(self, memory: Memory) -> int:
        """What it costs its host: the kernel memory of its cost class, and what is queued in it."""
        return memory.of(self.holder) + self.readable + self.unacked


class Between(NamedTuple):
    """For `new_pair`: a machine between, and the path behind it."""

    program: Program
    stack: Stack
    path: Path


def new_pair(
    client: Program,
    server: Program,
    client_stack: Stack,
    server_stack: Stack,
    path: Path,
    *,
    client_port: int = 40_000,
    server_port: int = 5_000,
    client_iss: int = 1_000_000,
    server_iss: int = 5_000_000,
    operators: Mapping[Side, Program] | None = None,
    relays: Sequence[Between] = (),
) -> Pair:
    """Machines at time 0, each about to begin its one program as process 1.

    `operators`: what an operator of a machine does beside it, as process 2. With `relays` the first of them
    accepts at `server_port`, and whoever is behind it at the next one. To a relay's program "client_port" is
    the port where it accepts itself, "server_port" the one to which it connects.
    """
    last = server_port + len(relays)
    parties = [
        (client, client_stack, client_iss, client_port, server_port),
        *[
            (each.program, each.stack, server_iss + (number + 1) * _APART, port, port + 1)
            for number, each in enumerate(relays)
            for port in (server_port + number,)
        ],
        (server, server_stack, server_iss, client_port, last),
    ]
    machines: list[Machine] = []
    for side, (program, stack, iss, near, far) in zip(names(len(relays)), parties, strict=True):
        beside = [each for at, each in (operators or {}).items() if at == side]
        running = [start(each, near, far) for each in (program, *beside)]
        end = new_end(stack, iss=iss, peers=1 + (0 < len(machines) < len(parties) - 1))
        machines.append(Machine(new_system(end), tuple(enumerate(running, FIRST_PID))))
    hops = tuple(
        [
            Hop(machine, each.path, server_port + number)
            for number, (machine, each) in enumerate(zip(machines[1:-1], relays, strict=True))
        ]
    )
    return Pair(0, machines[0], machines[-1], path, 0, hops)


def next_time(pair: Pair) -> int | None:
    """When something is due next; None: never again, unless the outside acts."""
    return pair.next_us


def lose(pair: Pair, gone: Set[int]) -> Pair:
    """The same pair without the segments under way at these places, which will never arrive.

    Places count through all paths, the client's first.
    """
    now_us, client, server, path, _, relays = pair
    begin = len(path.flights)
    path = _without(path, gone)
    hops = []
    for hop in relays:
        here = {place - begin for place in gone if place >= begin}
        begin += len(hop.path.flights)
        hops.append(hop._replace(path=_without(hop.path, here)))
    left = Pair(now_us, client, server, path, None, tuple(hops))
    return left._replace(next_us=wakes_us(left))


def _without(path: Path, gone: Set[int]) -> Path:
    return path._replace(flights=tuple([each for at, each in enumerate(path.flights) if at not in gone]))


def wakes_us(pair: Pair) -> int | None:
    """When anything happens next, from all that can happen."""
    times = [lines.next_time(path) for path in pair.paths]
    return earliest(*times, *map(machine_wakes_us, pair.machines))


def earliest(*times: int | None) -> int | None:
    """The first of some times, of which any may be never."""
    first: int | None = None
    for each in times:
        if each is not None and (first is None or each < first):
            first = each
    return first


def machine_wakes_us(machine: Machine) -> int | None:
    """When a machine acts by itself next."""
    system, programs, up, back_us = machine
    if not up:
        return back_us
    earliest = kernel.next_time(system)
    for _, running in programs:
        wake_us = running.wake_us
        if wake_us is not None and (earliest is None or wake_us < earliest):
            earliest = wake_us
    return earliest


def census(pair: Pair, side: Side) -> tuple[Held, ...]:
    """The sockets that a host has: see `holding`."""
    return holding(pair.machine(side))


def numbered(pair: Pair, side: Side) -> dict[int, Held]:
    """The same by the numbers that events give to sockets."""
    machine = pair.machine(side)
    with_fd = held(machine.system)
    numbers = [
        n for n, t in machine.system.end.sockets.items() if t.state is not State.CLOSED or n in with_fd
    ]
    return dict(zip(numbers, holding(machine), strict=True))


def holding_between(hop: Hop) -> tuple[Held, ...]:
    """The sockets of a machine between; each says on which of its legs it is."""
    end = hop.machine.system.end
    with_fd = held(hop.machine.system)
    return tuple(
        [
            each._replace(behind=tcb.local_port != hop.port)
            for each, tcb in zip(
                holding(hop.machine),
                [t for sid, t in end.sockets.items() if t.state is not State.CLOSED or sid in with_fd],
                strict=True,
            )
        ]
    )


def holding(machine: Machine) -> tuple[Held, ...]:
    """The sockets of a machine: every one not CLOSED, and CLOSED ones that hold a descriptor."""
    end = machine.system.end
    if not end.sockets:
        return ()
    with_fd = held(machine.system)
    return tuple(
        [
            Held(tcb.state, tcb.holder(end.stack), tcb.readable, tcb.unacked, sid in with_fd)
            for sid, tcb in end.sockets.items()
            if tcb.state is not State.CLOSED or sid in with_fd
        ]
    )
