"""What a host can see of one connection: its sockets, their cost, and whether a program waits for it.

Owns: the view of a pair (all equal views are one object), including the flows of a middlebox, and what a view
uses of each resource that a host or a middlebox may run out of. Refuses to know: when a view changes
(shared_history), and what happens when a resource is used up (limits). Listening sockets are left out,
because all connections share one.

A socket costs the kernel memory of its cost class, from the stack's profile, and the bytes queued in it,
unread or unacknowledged. If the stack counts queues in pages, a FIN is a queued segment too: the peer's FIN
until a read has returned zero (measured on Linux: a page for each such CLOSE-WAIT), and our FIN and SYN until
they are acknowledged.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final, Literal, NamedTuple

from tcpsim.app import Program, close, fork, pause, receive_to_eof
from tcpsim.app.driven import awaits_order
from tcpsim.app.program import END
from tcpsim.pair import FIRST_PID, SIDES, Held, Machine, Pair, Side, holding, names, numbered
from tcpsim.path.conntrack import Tracked
from tcpsim.path.path import tracker
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import Holder, State

Place = Side | Literal["middlebox"]  # who has something that may run out
_CHILD = next(type(op) for op in Program([fork([close()])]).ops if hasattr(op, "pc"))
_READS_ZERO = type(receive_to_eof())
_FIN_QUEUED = (State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK)  # the peer's, unless it was read
_CONTROL_OUTSTANDING = (State.SYN_SENT, State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK)  # our SYN or FIN
GATE = pause("a worker is free")  # where a server's program waits for the host to let it accept


class Seen(NamedTuple):
    """One socket, as its host sees it."""

    state: State
    holder: Holder
    fd: bool
    bytes: int
    pages: int
    accepted: bool = False  # on a machine between: it has the port at which that accepts, and none of its own


class Work(IntEnum):
    """Whether a connection keeps a worker of its server busy; IDLE also where no worker is asked for."""

    IDLE = 0
    WANTED = 1
    BUSY = 2


class View(NamedTuple):
    """Everything that a population counts of one connection."""

    client: tuple[Seen, ...]
    server: tuple[Seen, ...]
    work: Work
    ready: bool = False  # the client's program stands where it takes an order
    flows: tuple[Tracked, ...] = ()  # that the box between them remembers, by state
    busy: int = 0  # workers of the server
    relays: tuple[tuple[Seen, ...], ...] = ()  # what machines between hold; () where none holds anything
    wanted: Side = ""  # the machine between whose accept() waits for its host

    @property
    def waits_at(self) -> Side:
        """Where the connection waits in an accept queue for the host's leave; "": nowhere."""
        return "server" if self.work is Work.WANTED else self.wanted

    def of(self, side: Side) -> tuple[Seen, ...]:
        if side == "client":
            return self.client
        if side == "server":
            return self.server
        place = int(side.removeprefix("relay") or 1) - 1
        return self.relays[place] if self.relays else ()


NOTHING = View((), (), Work.IDLE)


def view(pair: Pair, before: tuple[Pair, View] | None = None) -> View:
    """The view of a pair as it is now.

    `before`: a pair that it may share machines with, and the view of that. In most steps one machine rests.
    """
    old, known = before or (None, NOTHING)
    if old is not None and pair.client is old.client:
        ready, client = known.ready, known.client
    else:
        running = dict(pair.client.programs).get(FIRST_PID)
        ready, client = running is not None and awaits_order(running), _seen(pair.client)
    if old is not None and pair.server is old.server:
        work, busy, server = known.work, known.busy, known.server
    else:
        work, busy = _work(pair.server)
        server = _seen(pair.server)
    box = tracker(pair.path) if pair.path.shared else None
    flows = () if box is None else box.remembered(pair.now_us)
    held = client, server
    if not pair.relays:
        return View(*held, work, ready, flows, busy)
    return View(*held, work, ready, flows, busy, _all_between(pair), _wanted(pair))


def forgets_us(pair: Pair) -> int | None:
    """When the box on the path next forgets a flow if no segment passes; None: never, or there is none."""
    box = tracker(pair.path) if pair.path.shared else None
    return None if box is None else box.forgets_us(pair.now_us)


def sides(views: Sequence[View]) -> tuple[Side, ...]:
    """The hosts that views tell of: the client's, the server's, and those between."""
    return (*SIDES, *names(max([len(view.relays) for view in views], default=0))[1:-1])


def _seen(machine: Machine) -> tuple[Seen, ...]:
    return tuple(sorted([_socket(machine, held) for held in holding(machine)]))


def _all_between(pair: Pair) -> tuple[tuple[Seen, ...], ...]:
    found = [_between(pair, side, hop.port) for side, hop in zip(pair.names[1:], pair.relays, strict=False)]
    return tuple(found) if any(found) else ()


def _between(pair: Pair, side: Side, accepts_at: int) -> tuple[Seen, ...]:
    """The sockets of a machine between, which accepts at that port."""
    machine = pair.machine(side)
    sockets = machine.system.end.sockets
    found = [
        _socket(machine, held)._replace(accepted=sockets[number].local_port == accepts_at)
        for number, held in numbered(pair, side).items()
    ]
    return tuple(sorted(found))


def _socket(machine: Machine, held: Held) -> Seen:
    stack = machine.system.end.stack
    queued = pages(held, stack, not has_read_zero(machine)) if stack.memory.page else 0
    return Seen(held.state, held.holder, held.fd, held.bytes(stack.memory), queued)


def pages(held: Held, stack: Stack, unread_fin: bool) -> int:
    """Of the queues of one socket, its segments of full size; the peer's FIN is one until it was read."""
    segments = -(-held.readable // stack.mss) + -(-held.unacked // stack.mss)
    unread = held.holder is Holder.QUEUE or (held.holder is Holder.OWNED and unread_fin)
    if unread and held.state in _FIN_QUEUED:
        segments += 1
    if held.holder is not Holder.REQUEST and held.state in _CONTROL_OUTSTANDING:
        segments += 1
    return stack.memory.pages(held.readable + held.unacked, segments)


def has_read_zero(machine: Machine) -> bool:
    """Whether a program has been told of end-of-file; of several sockets of a machine, the first."""
    return any(_places(running.program).reads_zero < running.pc for _, running in machine.programs)


def _wanted(pair: Pair) -> Side:
    found = (
        side
        for side, hop in zip(pair.names[1:], pair.relays, strict=False)
        if _work(hop.machine)[0] is Work.WANTED
    )
    return next(found, "")


def _work(server: Machine) -> tuple[Work, int]:
    """Whether a connection waits for a worker or has one, and how many it has (two on a port used again)."""
    waits, busy = False, 0
    for _, running in server.programs:
        _, place, children, _ = _places(running.program)
        if place is None or running.finished or running.pc in children:
            continue
        busy += running.pc > place
        waits = waits or running.pc <= place
    if waits and any(listener.accept_queue for listener in server.system.end.listeners.values()):
        return Work.WANTED, busy
    return (Work.BUSY if busy else Work.IDLE), busy


def at_gate(server: Machine) -> int:
    """The process that waits for the host's leave to accept; of several the oldest."""
    return next(pid for pid, each in server.programs if each.paused and each.pc == _places(each.program).gate)


class _Places(NamedTuple):
    """What stands where in a program."""

    program: Program
    gate: int | None  # where it waits for the host's leave, if it does
    children: frozenset[int]  # the places at which its children are, and not the process that accepts
    reads_zero: int  # where it is first told of end-of-file


# by identity: to compare long programs takes longer than to look through them
_KNOWN: dict[int, _Places] = {}
_MOST: Final = 256


def _places(program: Program) -> _Places:
    found = _KNOWN.get(id(program))
    if found is None or found.program is not program:
        if len(_KNOWN) >= _MOST:
            _KNOWN.clear()
        ops: tuple[Any, ...] = program.ops
        begins = [op.pc for op in ops if isinstance(op, _CHILD)]
        children = frozenset(place for begin in begins for place in range(begin, ops.index(END, begin) + 1))
        reads = (place for place, op in enumerate(ops) if isinstance(op, _READS_ZERO))
        gate = ops.index(GATE) if GATE in ops else None
        found = _KNOWN[id(program)] = _Places(program, gate, children, next(reads, len(ops)))
    return found


class Usage(NamedTuple):
    """What one side of a connection uses of its host."""

    descriptors: int
    ports: int
    workers: int
    backlog: int  # connections in the accept queue, one that was reset there included if that is seen
    orphans: int
    minis: int
    bytes: int
    pages: int  # of the sockets' queues, where the stack counts them


def usage(seen: View, side: Side) -> Usage:
    """What a view uses of one side's host. A port is held by every socket that is not CLOSED, nor
    accepted.
    """
    held = seen.of(side)
    return Usage(
        descriptors=sum(socket.fd for socket in held),
        ports=sum(socket.state is not State.CLOSED and not socket.accepted for socket in held),
        workers=seen.busy if side == "server" else 0,
        backlog=max(
            sum(socket.holder is Holder.QUEUE for socket in held),
            int(side == "server" and seen.work is Work.WANTED),
        ),
        orphans=sum(socket.holder is Holder.ORPHAN for socket in held),
        minis=sum(socket.holder is Holder.MINI for socket in held),
        bytes=sum(socket.bytes for socket in held),
        pages=sum(socket.pages for socket in held),
    )
