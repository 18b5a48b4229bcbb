"""The closed system, at rest: two machines and the path between them.

Owns: what a pair is, when anything happens to it next, and what each side holds. Refuses to know: what
happens then (instant), TCP (tcp), calls (sockets), programs (app), and anything that several pairs share
(host). No RFC.

A pair without a next time stays as it is for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import NamedTuple

from tcpsim import path as lines
from tcpsim.app.program import Program, Running, start
from tcpsim.path import Path, Side
from tcpsim.sockets import kernel
from tcpsim.sockets.processes import System, held, new_system
from tcpsim.tcp.endpoint import new_end
from tcpsim.tcp.stack import Memory, Stack
from tcpsim.tcp.state import Holder, State

FIRST_PID = 1


class Machine(NamedTuple):
    """One host: its kernel, the programs on it by pid, whether it has power, when that comes back."""

    system: System
    programs: tuple[tuple[int, Running], ...]
    up: bool = True
    back_us: int | None = None


class Pair(NamedTuple):
    """Both machines and the path at `now_us`. `next_us` follows from the rest (see `next_time`)."""

    now_us: int
    client: Machine
    server: Machine
    path: Path
    next_us: int | None


class Held(NamedTuple):
    """One socket of a host's table: what it is, who pays for it, bytes unread and unacknowledged."""

    state: State
    holder: Holder
    readable: int
    unacked: int
    fd: bool  # a descriptor refers to it

    def bytes(self, memory: Memory) -> int:
        """What it costs its host: the kernel memory of its cost class, and what is queued in it."""
        return memory.of(self.holder) + self.readable + self.unacked


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
) -> Pair:
    """Two machines at time 0, each about to begin its one program as process 1.

    `operators`: what an operator of a machine does beside it, as process 2.
    """
    machines = []
    for side, program, stack, iss in (
        ("client", client, client_stack, client_iss),
        ("server", server, server_stack, server_iss),
    ):
        beside = [each for at, each in (operators or {}).items() if at == side]
        running = [start(each, client_port, server_port) for each in (program, *beside)]
        machines.append(Machine(new_system(new_end(stack, iss=iss)), tuple(enumerate(running, FIRST_PID))))
    return Pair(0, machines[0], machines[1], path, 0)


def next_time(pair: Pair) -> int | None:
    """When something is due next; None: never again, unless the outside acts."""
    return pair.next_us


def lose(pair: Pair, gone: Set[int]) -> Pair:
    """The same pair without the segments under way at these places, which will never arrive."""
    now_us, client, server, path, _ = pair
    path = path._replace(flights=tuple([each for at, each in enumerate(path.flights) if at not in gone]))
    return Pair(now_us, client, server, path, wakes_us(client, server, path))


def wakes_us(client: Machine, server: Machine, path: Path) -> int | None:
    """When anything happens next."""
    return earliest(lines.next_time(path), machine_wakes_us(client), machine_wakes_us(server))


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
    return holding(pair.client if side == "client" else pair.server)


def numbered(pair: Pair, side: Side) -> dict[int, Held]:
    """The same by the numbers that events give to sockets."""
    machine = pair.client if side == "client" else pair.server
    with_fd = held(machine.system)
    numbers = [
        n for n, t in machine.system.end.sockets.items() if t.state is not State.CLOSED or n in with_fd
    ]
    return dict(zip(numbers, holding(machine), strict=True))


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
