"""An endpoint: the socket table of one host (RFC 9293 3.10.7.1 and 3.10.7.2, 3.9.1.1).

Owns: sockets by number, listeners with their queues, demultiplexing by port pair, the RST when nothing
matches, and several sockets one after the other on one pair of ports (TIME-WAIT, reuse). Refuses to
know: descriptors, the network, and every rule that concerns a single connection.

An `Endpoint` is immutable from outside: each function returns a new one. The peer's address is implicit: a
port is enough for it, so two ports identify a connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tcpsim.tcp import (
    acceptability,
    calls,
    deadlines,
    metrics,
    opening,
    output,
    segment_arrives,
    syn_received,
    timeouts,
    timewait,
)
from tcpsim.tcp import icmp as icmp_error
from tcpsim.tcp.event import Fact, Note
from tcpsim.tcp.lifecycle import follow
from tcpsim.tcp.run import run
from tcpsim.tcp.segment import ACK, FIN, RST, SYN, Segment
from tcpsim.tcp.seqnum import MASK
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import CLOSED, LISTEN, SYN_RECEIVED, TIME_WAIT, Holder
from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import SocketOptions, Tcb

NO_CHOICES = SocketOptions()  # a socket on which nothing was set

_REUSE_GAP = 65535 + 2  # Linux tcp_timewait_state_process: the ISN of a connection that follows another


class Listener(NamedTuple):
    """A socket in LISTEN; `accept_queue` holds the numbers of complete connections, oldest first."""

    port: int
    backlog: int
    options: SocketOptions = NO_CHOICES
    accept_queue: tuple[int, ...] = ()
    embryonic: int = 0

    def full(self, stack: Stack) -> bool:
        """No room for another complete connection: one more than the backlog, or than half as much again."""
        return len(self.accept_queue) > self.backlog * stack.accept_queue_percent // 100


class Endpoint:
    """One host's socket table; see the module."""

    __slots__ = ("_at", "cached_rtt8", "iss", "listeners", "next_id", "sockets", "stack", "ts_offset")

    def __init__(
        self,
        stack: Stack,
        iss: int,
        ts_offset: int,
        sockets: Mapping[int, Tcb],
        listeners: Mapping[int, Listener],
        next_id: int,
        cached_rtt8: metrics.Cache = 0,
    ) -> None:
        self.cached_rtt8 = cached_rtt8  # what is remembered of peers (Linux tcp_metrics); 0: nothing
        self.stack = stack
        self.iss = iss
        self.ts_offset = ts_offset
        self.sockets = sockets
        self.listeners = listeners
        self.next_id = next_id
        first: int | None = None
        for t in sockets.values():
            at = deadlines.next_time(t)
            if at is not None and (first is None or at < first):
                first = at
        self._at = first

    def __eq__(self, other: object) -> bool:
        """Equal tables in the same order: of two sockets on one pair of ports the newest comes last."""
        return isinstance(other, Endpoint) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((self.iss, self.ts_offset, self.next_id, *self.sockets))

    def __repr__(self) -> str:
        states = ", ".join(f"{number} {t.state}" for number, t in self.sockets.items()) or "no sockets"
        return f"Endpoint({self.stack.name}, {states})"

    def _values(self) -> tuple[object, ...]:
        tables = [*self.sockets.items()], [*self.listeners.items()]
        return self.iss, self.ts_offset, self.next_id, self.cached_rtt8, *tables, self.stack

    def replaced(
        self,
        *,
        stack: Stack | None = None,
        sockets: Mapping[int, Tcb] | None = None,
        listeners: Mapping[int, Listener] | None = None,
        next_id: int | None = None,
        cached_rtt8: metrics.Cache | None = None,
    ) -> Endpoint:
        """The same with some of its parts changed; None keeps a part."""
        return Endpoint(
            self.stack if stack is None else stack,
            self.iss,
            self.ts_offset,
            self.sockets if sockets is None else sockets,
            self.listeners if listeners is None else listeners,
            self.next_id if next_id is None else next_id,
            self.cached_rtt8 if cached_rtt8 is None else cached_rtt8,
        )

    def find(self, local_port: int, remote_port: int) -> int | None:
        """The socket on a pair of ports that is not CLOSED."""
        for number, t in self.sockets.items():
            if t.local_port == local_port and t.remote_port == remote_port and t.state is not CLOSED:
                return number
        return None


class Result(NamedTuple):
    """What a function of this module did: the new end, what to send, what to log, and a number."""

    end: Endpoint
    segments: tuple[Segment, ...] = ()
    notes: tuple[Note, ...] = ()
    value: int = 0


def new_end(stack: Stack, iss: int = 0, ts_offset: int = 0, peers: int = 1) -> Endpoint:
    """An end without sockets. `iss` and `ts_offset` (in us) are the secrets of its ISN and timestamp clocks.

    Of several `peers` it remembers apart what Linux remembers of a peer.
    """
    return Endpoint(stack, iss & MASK, ts_offset, {}, {}, 1, 0 if peers == 1 else ())


def next_time(end: Endpoint) -> int | None:
    """The earliest deadline of any timer, or None."""
    return end._at


def _isn(end: Endpoint, now: int) -> int:
    """RFC 9293 3.4.1: a clock of 4 us plus a secret; the same connection later starts further on."""
    return (end.iss + now // 4) & MASK


# From the network and the clock


def deliver(end: Endpoint, seg: Segment, now: int) -> Result:
    """A segment arrives."""
    number = end.find(seg.dst_port, seg.src_port)
    if number is not None:
        t = end.sockets[number]
        if timewait.reopens(t, seg, end.stack):
            heard = _listener_on(end, seg.dst_port)
            if heard is not None or end.stack.time_wait_yields == "always":
                return _reopen(end, number, heard, seg, now)
        completes = t.parent and t.state is SYN_RECEIVED and seg.flags & (ACK | SYN | RST) == ACK
        if completes and t.parent not in end.listeners:
            return _acted(end, number, now, acceptability.answer_with_reset, seg, "the listener is gone")
        if completes and syn_received.defers(t, seg):
            return _acted(end, number, now, syn_received.defer)
        if completes and _overflows(end, t):
            if end.stack.accept_overflow == "forget":
                return _acted(end, number, now, _forget, "accept queue full")
            if end.stack.accept_overflow == "drop":
                note = Note(number, "drop", t.state, t.state, str(Holder.REQUEST), "accept queue full")
                return Result(end, (), (note,))
            return _acted(end, number, now, acceptability.answer_with_reset, seg, "accept queue full")
        return _acted(end, number, now, segment_arrives.segment_arrives, seg)
    listener = _listener_on(end, seg.dst_port)
    if listener is None:
        answer = output.rst_for(seg, end.stack.rst_answer_has_ack)
        return Result(end, (answer,) if answer else ())
    return _listen_arrives(end, listener, seg, now, _isn(end, now))


def _overflows(end: Endpoint, t: Tcb) -> bool:
    """Whether the accept queue has no room for this child."""
    listener = end.listeners.get(t.parent)
    return listener is not None and listener.full(end.stack)


def _listener_on(end: Endpoint, port: int) -> int | None:
    return next((number for number, listener in end.listeners.items() if listener.port == port), None)


def _listen_arrives(end: Endpoint, number: int, seg: Segment, now: int, iss: int) -> Result:
    """A segment for a listener (3.10.7.2): RST is ignored, ACK is refused, SYN makes a child."""
    listener = end.listeners[number]
    if seg.flags & RST or not seg.flags & (ACK | SYN):
        return Result(end)
    if seg.flags & ACK:
        dropped = seg.flags & SYN and end.stack.syn_ack_at_listener == "drop"
        answer = None if dropped else output.rst_for(seg, end.stack.rst_answer_has_ack)
        return Result(end, (answer,) if answer else ())
    refused = seg.flags & FIN and end.stack.syn_fin != "accept"
    full = end.stack.syn_meets_full_queue == "drop" and listener.full(end.stack)
    if refused or full or listener.embryonic >= end.stack.syn_backlog:
        why = "SYN with FIN" if refused else "queue full"
        return Result(end, (), (Note(number, "drop", LISTEN, LISTEN, str(Holder.OWNED), why),))
    child = opening.new_tcb(
        end.stack, seg.dst_port, seg.src_port, iss, now, listener.options, end.ts_offset, number
    )
    done = run(child, now, end.stack, end.next_id, opening.passive_open, seg)
    sockets = {**end.sockets, end.next_id: done.t}
    listeners = {**end.listeners, number: listener._replace(embryonic=listener.embryonic + 1)}
    grown = end.replaced(sockets=sockets, listeners=listeners, next_id=end.next_id + 1)
    return Result(grown, tuple(done.out), tuple(done.notes))


def _reopen(end: Endpoint, number: int, listener: int | None, seg: Segment, now: int) -> Result:
    """TIME-WAIT gives way to a new SYN (3.6.1); the new ISN lies beyond the old sequence."""
    iss = (end.sockets[number].snd_nxt + _REUSE_GAP) & MASK
    gone = _acted(end, number, now, lambda done: done.end(Fact.SUPERSEDED, "a new connection", None))
    if listener is None:
        opened = deliver(gone.end, seg, now)
    else:
        opened = _listen_arrives(gone.end, listener, seg, now, iss)
    return opened._replace(notes=gone.notes + opened.notes)


def icmp(
    end: Endpoint,
    local_port: int,
    remote_port: int,
    seq: int,
    message: str,
    now: int,
    room: int | None = None,
) -> Result:
    """An ICMP error arrives that quotes a segment of ours; `message` is one of `messages.MESSAGES`.

    `room`: the octets of a segment that the path takes, where the message says its MTU.
    """
    number = end.find(local_port, remote_port)
    return Result(end) if number is None else _acted(end, number, now, icmp_error.arrives, seq, message, room)


def expire(end: Endpoint, now: int) -> Result:
    """Every timer that is due at `now` fires, socket by socket in their order."""
    after = end
    segments: tuple[Segment, ...] = ()
    notes: tuple[Note, ...] = ()
    for number, t in end.sockets.items():
        at = deadlines.next_time(t)
        if at is not None and at <= now:
            if _forsaken(end, t):
                after, sent, told, _ = _acted(after, number, now, _forget, "the listener is gone")
            else:
                after, sent, told, _ = _acted(after, number, now, timeouts.fire)
            segments, notes = segments + sent, notes + told
    return Result(after, segments, notes)


def _forsaken(end: Endpoint, t: Tcb) -> bool:
    """A record whose listener is gone; its next timer finds out (Linux reqsk_timer_handler)."""
    return t.parent != 0 and t.state is SYN_RECEIVED and t.parent not in end.listeners


def _forget(work: Step, why: str) -> None:
    work.end(Fact.GAVE_UP, why, None)


def _acted(end: Endpoint, number: int, now: int, act: Any, *arguments: Any) -> Result:
    """Do one step on one socket and put the outcome in the table."""
    before = end.sockets[number]
    done = run(before, now, end.stack, number, act, *arguments)
    return _settled(end, number, before, done)


def _settled(end: Endpoint, number: int, before: Tcb, done: Step, value: int = 0) -> Result:
    t = done.t
    if t.mini and not before.mini and _minis_full(end):
        over = Fact.TWO_MSL_OVER if t.state is TIME_WAIT else Fact.FIN_WAIT_2_OVER
        done.end(over, "no room for another timewait socket", None)  # Linux tcp_time_wait: closed in silence
        deadlines.stop_all(t)
    metrics.begin(end.cached_rtt8, before, t, end.stack)
    sockets = dict(end.sockets)
    listeners, left = end.listeners, False
    leaves = before.state is SYN_RECEIVED and t.state is not SYN_RECEIVED
    if leaves and t.parent and not before.accepted:
        listeners, left = _left_embryo(end, number, t), True
    if t.state is CLOSED and (t.orphaned or (not t.accepted and left)):
        del sockets[number]
    else:
        sockets[number] = t
    cached = metrics.after(end.cached_rtt8, before, t, end.stack)
    after = Endpoint(end.stack, end.iss, end.ts_offset, sockets, listeners, end.next_id, cached)
    return Result(after, tuple(done.out), tuple(done.notes), value)


def _minis_full(end: Endpoint) -> bool:
    """Whether there are as many timewait sockets as the stack allows."""
    most = end.stack.max_mini
    return most is not None and sum([t.mini for t in end.sockets.values()]) >= most


def _left_embryo(end: Endpoint, number: int, t: Tcb) -> dict[int, Listener]:
    """A child leaves SYN-RECEIVED: into the accept queue, or gone."""
    listeners = dict(end.listeners)
    listener = listeners.get(t.parent)
    if listener is not None:
        queue = listener.accept_queue if t.state is CLOSED else (*listener.accept_queue, number)
        listeners[t.parent] = listener._replace(embryonic=listener.embryonic - 1, accept_queue=queue)
    return listeners


# From the program


def granted(stack: Stack, backlog: int) -> int:
    """The backlog that listen() sets: at most the system's (Linux __sys_listen, BSD solisten_proto).

    Both read a negative one as the largest.
    """
    most = stack.somaxconn
    return backlog if most is None or 0 <= backlog <= most else most


def listen(
    end: Endpoint, port: int, backlog: int, options: SocketOptions = NO_CHOICES
) -> tuple[Endpoint, int]:
    """A passive OPEN; returns the listener's number. Whether the port is free is the caller's business."""
    number = end.next_id
    backlog = granted(end.stack, backlog)
    listeners = {**end.listeners, number: Listener(port, backlog, options)}
    grown = end.replaced(listeners=listeners, next_id=number + 1)
    return grown, number


def connect(
    end: Endpoint, local_port: int, remote_port: int, now: int, options: SocketOptions = NO_CHOICES
) -> tuple[Result, int]:
    """An active OPEN; returns what it did and the socket's number, 0 if the pair of ports is in use.

    A pair in TIME-WAIT is free again when timestamps can tell the two connections apart (RFC 6191).
    """
    iss = _isn(end, now)
    old = end.find(local_port, remote_port)
    notes: tuple[Note, ...] = ()
    if old is not None:
        t = end.sockets[old]
        if t.state is not TIME_WAIT or not t.ts_on or not end.stack.time_wait_reuse:
            return Result(end), 0
        iss = (t.snd_nxt + _REUSE_GAP) & MASK
        gone = _acted(end, old, now, lambda done: done.end(Fact.SUPERSEDED, "a new connection", None))
        end, notes = gone.end, gone.notes
    fresh = opening.new_tcb(end.stack, local_port, remote_port, iss, now, options, end.ts_offset)
    number = end.next_id
    done = run(fresh, now, end.stack, number, opening.active_open)
    sockets = {**end.sockets, number: done.t}
    grown = end.replaced(sockets=sockets, next_id=number + 1)
    return Result(grown, tuple(done.out), notes + tuple(done.notes)), number


def accept(end: Endpoint, listener: int) -> tuple[Endpoint, int | None]:
    """Take the oldest complete connection from a listener's queue."""
    waiting = end.listeners[listener].accept_queue
    if not waiting:
        return end, None
    number = waiting[0]
    t = end.sockets[number].copy()
    t.accepted = True
    listeners = {**end.listeners, listener: end.listeners[listener]._replace(accept_queue=waiting[1:])}
    return end.replaced(sockets={**end.sockets, number: t}, listeners=listeners), number


def send(end: Endpoint, socket: int, octets: int, now: int) -> Result:
    """SEND; `value` is how many octets the send buffer took."""
    return _called(end, socket, now, calls.send, octets)


def receive(end: Endpoint, socket: int, octets: int, now: int) -> Result:
    """RECEIVE; `value` is how many octets were taken."""
    return _called(end, socket, now, calls.receive, octets)


def _called(end: Endpoint, socket: int, now: int, act: Any, octets: int) -> Result:
    """A call that returns a number."""
    before = end.sockets[socket]
    done = run(before, now, end.stack, socket, act, octets)
    return _settled(end, socket, before, done, done.value)


def shutdown(end: Endpoint, socket: int, now: int, rd: bool, wr: bool) -> Result:
    """Half-close."""
    return _acted(end, socket, now, calls.shutdown, rd, wr)


def close(end: Endpoint, socket: int, now: int) -> Result:
    """The last descriptor is gone: of a connection, or of a listener, whose queue is thrown away."""
    if socket in end.listeners:
        return _stop_listening(end, socket, now, Fact.CLOSE_CALLED)
    return _acted(end, socket, now, calls.close)


def abort(end: Endpoint, socket: int, now: int) -> Result:
    """ABORT: RST, and nothing is left but what a descriptor may still ask."""
    if socket in end.listeners:
        return _stop_listening(end, socket, now, Fact.ABORTED)
    return _acted(end, socket, now, calls.abort)


def destroy(end: Endpoint, socket: int, now: int) -> Result:
    """An operator's kill: like ABORT of a socket that somebody else holds, whose program learns ECONNABORTED.

    BSD's reaches connections alone: neither a listener nor an embryo of the syncache.
    """
    drop = end.stack.destroy_rule == "drop"
    if socket in end.listeners:
        return Result(end) if drop else _stop_listening(end, socket, now, Fact.ABORTED)
    t = end.sockets[socket]
    syn_received = drop and t.parent and t.state is SYN_RECEIVED and end.stack.requests
    return Result(end) if syn_received or t.state is CLOSED else _acted(end, socket, now, calls.destroy)


def _stop_listening(end: Endpoint, number: int, now: int, fact: Fact) -> Result:
    """LISTEN ends: complete connections are reset (Linux inet_csk_listen_stop).

    Embryonic ones that are reduced records stay until an ACK or their timer finds no listener; full TCBs go.
    """
    row = follow(LISTEN, fact)
    notes = (Note(number, "state", LISTEN, row.next_state, str(Holder.OWNED), row.rule),)
    result = Result(end, (), notes)
    for child in end.listeners[number].accept_queue:
        if end.sockets[child].state is not CLOSED:
            did = _acted(result.end, child, now, calls.abort)
            result = Result(did.end, result.segments + did.segments, result.notes + did.notes)
    gone = end.listeners[number].accept_queue
    sockets = {
        n: t
        for n, t in result.end.sockets.items()
        if n not in gone and (t.parent != number or t.accepted or end.stack.requests)
    }
    listeners = {n: kept for n, kept in result.end.listeners.items() if n != number}
    return result._replace(end=result.end.replaced(sockets=sockets, listeners=listeners))


def set_options(end: Endpoint, socket: int, now: int, **changes: Any) -> Result:
    """Change fields of `SocketOptions`, of a connection or of a listener (whose children inherit them)."""
    if socket in end.listeners:
        listener = end.listeners[socket]
        changed = listener._replace(options=listener.options._replace(**changes))
        return Result(end.replaced(listeners={**end.listeners, socket: changed}))
    return _acted(end, socket, now, calls.set_options, changes)


def take_error(end: Endpoint, socket: int) -> tuple[Endpoint, str | None]:
    """The pending error, once."""
    before = end.sockets[socket]
    error = before.so_error or (before.soft_error if end.stack.soft_error_is_told else None)
    if error is None:
        return end, None
    t = before.copy()
    t.so_error = t.soft_error = None
    return end.replaced(sockets={**end.sockets, socket: t}), error
