"""Replays the calls and injected segments of a trace at their times, on a pair without programs.

Owns: when each row takes effect, which descriptor a name stands for, and the relay's segments. Refuses to
know: TCP, system calls and the path (the pair has them), how late timers are (replayed_pair), and what
differs (compare).

A row says when a call began and when it returned. Its effect happens in between: if the call makes its host
send, at the time of that segment, and otherwise at the beginning. If a burst arrives meanwhile, the ACK in
that segment tells which part of the burst came before. The rows of a host keep their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from tcpsim.conformance.traces.calls import BACKLOG, calls_of
from tcpsim.conformance.traces.not_compared import Exempt, slept
from tcpsim.conformance.traces.observation import Packet, Record
from tcpsim.conformance.traces.recorded_acks import as_acknowledged
from tcpsim.conformance.traces.replayed_pair import Stage
from tcpsim.conformance.traces.schema import SIDES, Row, Trace, Unsupported, injected, us
from tcpsim.conformance.traces.setup import path_of, stack_of
from tcpsim.pair import Inject, Machine, Make, Pair
from tcpsim.path import Element, Side
from tcpsim.path.rule import Lineage
from tcpsim.sockets import (
    Accept,
    Bind,
    Call,
    Close,
    Dup,
    Listen,
    Recv,
    SetSockOpt,
    Socket,
    Thread,
    new_system,
)
from tcpsim.tcp.endpoint import new_end
from tcpsim.tcp.segment import ACK, Segment

_PID, _SERVER_PORT, _CLIENT_PORT = 1, 5_000, 40_000
_ISS = {"client": 1_000_000, "server": 5_000_000}
_LISTENER = "listener"
_NOTHING: Mapping[str, Any] = {}
_RETURNS_US = 1_000  # a segment may be seen a little after the call that made it has returned


def replay(
    trace: Trace,
    exempt: Exempt,
    untold: Mapping[str, Any] = _NOTHING,
    first: frozenset[int] = frozenset(),
    last: frozenset[int] = frozenset(),
    apart: bool = False,
    besides_us: int = 0,
) -> Record:
    """What tcpsim does when it is called and treated as the kernel was; `untold` turns knobs besides.

    The rows in `first` take effect when they begin, before what arrives while they run; those in `last` when
    they end, behind it. The segments of a burst arrive as one, or `apart`. Timers may be `besides_us` later
    than they usually are.

    Raises:
        Unsupported: the trace needs something that is not known here.
    """
    stacks = {side: stack_of(trace, host).with_knobs(dict(untold)) for host, side in SIDES.items()}
    client, server = (
        Machine(new_system(new_end(its, iss=_ISS[side], ts_offset=-trace.ms_began_us)), ())
        for side, its in stacks.items()
    )
    merged: tuple[Element, ...] = ()
    if exempt.merged:
        merged = tuple(as_acknowledged(side, trace) for side in SIDES.values())
    pair = Pair(0, client, server, path_of(trace, merged, apart), None)
    play = _Play(Stage(trace, exempt, pair, Lineage(_CLIENT_PORT, _SERVER_PORT), besides_us))
    play.starts = _starts(trace.rows)
    play.first, play.last = first, last
    listens = next((row.place for row in trace.rows if row.sock == _LISTENER), None)
    if listens not in play.starts:
        play.listen()
    play.run(trace.rows)
    play.stage.until(trace.end_us)
    return play.stage.record()


def _starts(rows: tuple[Row, ...]) -> set[int]:
    """The rows with which a server is started anew: a bind() of the listener, or options set before it."""
    found: set[int] = set()
    first: int | None = None
    for row in (row for row in rows if row.sock == _LISTENER):
        if row.call in ("setsockopt", "setblocking"):
            first = row.place if first is None else first
            continue
        if row.call == "bind":
            found.add(row.place if first is None else first)
        first = None
    return found


def contested(trace: Trace) -> tuple[int, ...]:
    """The rows during which something arrived at the caller's host: which of them came first is not told."""
    return tuple(
        row.place
        for row in trace.rows
        if row.who != "relay" and row.end_us is not None and not slept(trace, row) and _meets(trace, row)
    )


def _alike(one: Packet, other: Packet) -> bool:
    """Whether two segments say the same."""
    return (one.flags, one.seq, one.ack, one.len) == (other.flags, other.seq, other.ack, other.len)


def _meets(trace: Trace, row: Row) -> bool:
    """Whether a segment came out, for the host of the caller, while a call ran."""
    return any(row.t_us < out_us <= (row.end_us or 0) for out_us in _arrivals_us(trace, row))


def _arrivals_us(trace: Trace, row: Row) -> Iterator[int]:
    """When segments came out for the host of the caller."""
    return (each.out_us for each in trace.carried if each.sender != row.who)


class _Play:
    """The rows of a trace on their way into a pair."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.fds: dict[tuple[Side, str], int] = {}
        self.threads = 0
        self.accepted = 0
        self.starts: set[int] = set()
        self.first: frozenset[int] = frozenset()
        self.last: frozenset[int] = frozenset()

    def run(self, rows: tuple[Row, ...]) -> None:
        """Every row, each host's in their order, the hosts by time."""
        queues = {
            who: deque(sorted((row for row in rows if row.who == who), key=self.begins_us))
            for who in dict.fromkeys(row.who for row in rows)
        }
        at_us = {who: self.begins_us(queue[0]) for who, queue in queues.items()}
        settled: set[str] = set()
        while queues:
            who = min(queues, key=lambda each: at_us[each])
            row = queues[who][0]
            self.stage.until(at_us[who])
            if who not in settled:
                later_us = self.takes_effect_us(row, at_us[who])
                arrives_us = self.meets_us(row, at_us[who], later_us)
                if arrives_us is None:
                    settled.add(who)
                if later_us > at_us[who]:
                    at_us[who] = later_us if arrives_us is None else arrives_us
                    continue
            self.play(row, at_us[who])
            settled.discard(who)
            queues[who].popleft()
            if queues[who]:
                at_us[who] = max(at_us[who], self.begins_us(queues[who][0]))
            else:
                del queues[who]

    def begins_us(self, row: Row) -> int:
        """The earliest time at which a row takes effect.

        A bind() row sets options before it binds; a reader that is exempt runs when it ran.
        """
        runs_at_end = row.call == "bind" or row.place in self.last or self.reads_late(row)
        return row.end_us if row.end_us is not None and runs_at_end else row.t_us

    def reads_late(self, row: Row) -> bool:
        """Whether a row is a reader that was woken while a burst arrived, and is exempt."""
        reads = self.stage.exempt.late_readers and row.call == "recv" and row.took_data
        return reads and slept(self.stage.trace, row)

    def takes_effect_us(self, row: Row, now_us: int) -> int:
        """`now_us`, or when the segment was seen that the call makes its host send.

        `now_us` as well if that segment acknowledges all but what arrives now.
        """
        if row.who == "relay" or row.end_us is None or row.place in self.first:
            return now_us
        self.name_accepted()
        fd = self.fds.get((row.who, row.sock))
        expected = self.stage.expected(row.who, now_us)
        if fd is None or expected is None or expected.t_us > row.end_us + _RETURNS_US:
            return now_us
        make = Make(Thread(_PID, -1), calls_of(row, fd)[-1])
        made = self.stage.sends(row.who, make, now_us)
        if made is None:
            return now_us
        if not made.pure_ack:  # a bare ACK before it is that of a timer
            expected = self.stage.expected_data(row.who, now_us) or expected
        if not now_us < expected.t_us <= row.end_us + _RETURNS_US:
            return now_us
        if _alike(made, expected):
            later = self.stage.sends_later(row.who, make, now_us)
            if later is not None and not _alike(later, expected):
                return now_us
        return expected.t_us

    def meets_us(self, row: Row, now_us: int, until_us: int) -> int | None:
        """When the next segment arrives at the host of a row, if that is before it takes effect."""
        arrivals = _arrivals_us(self.stage.trace, row)
        return min((out_us for out_us in arrivals if now_us < out_us < until_us), default=None)

    def play(self, row: Row, now_us: int) -> None:
        """One row of `app`."""
        if row.who == "relay":
            self.inject(row)
            return
        self.name_accepted()
        fd = self.descriptor(row.who, row, now_us)
        if fd is None:
            return  # the connection was never accepted here: the missing answer tells
        *before, last = calls_of(row, fd)
        if self.reads_late(row) and row.answer is not None:
            last = Recv(fd, int(row.answer.said))
        for made in before:
            self.make(row.who, made, now_us)
        self.make(row.who, last, now_us, row)

    def listen(self) -> None:
        """The server's listener is there before the trace begins."""
        fd = self.open("server", _LISTENER, 0)
        for made in (SetSockOpt(fd, "SO_REUSEADDR", 1), Bind(fd, _SERVER_PORT), Listen(fd, BACKLOG)):
            self.make("server", made, 0)

    def descriptor(self, side: Side, row: Row, now_us: int) -> int | None:
        """The descriptor behind a name; a new name is a new socket, but for one that accept() returns."""
        fd = self.fds.get((side, row.sock))
        if row.place in self.starts:
            if fd is not None:
                self.make(side, Close(fd), now_us)
            return self.open(side, row.sock, now_us)
        if fd is None and (side == "client" or row.call in ("bind", "connect")):
            return self.open(side, row.sock, now_us)
        return fd

    def open(self, side: Side, name: str, now_us: int) -> int:
        """A new socket under a name."""
        before = set(self.stage.system(side).tables.get(_PID, {}))
        self.make(side, Socket(), now_us)
        (fd,) = set(self.stage.system(side).tables[_PID]) - before
        self.fds[side, name] = fd
        return fd

    def make(self, side: Side, made: Call, now_us: int, row: Row | None = None) -> None:
        """A call, by a thread of its own: in a trace several calls may wait on one socket."""
        if row is not None:
            self.stage.awaited[id(made)] = (made, row.place)
        self.threads += 1
        self.stage.act(side, Make(Thread(_PID, self.threads), made), now_us)

    def name_accepted(self) -> None:
        """Connections that were accepted have names: s, s2, s3 in the order of their accept() calls."""
        for side, place, event in self.stage.returned:
            if isinstance(event.call, Accept) and isinstance(event.reply.value, int):
                self.accepted += 1
                self.fds[side, "s" if self.accepted == 1 else f"s{self.accepted}"] = event.reply.value
            elif isinstance(event.call, Dup) and isinstance(event.reply.value, int):
                self.fds[side, str(self.stage.trace.rows[place].arg)] = event.reply.value
        self.stage.returned.clear()

    def inject(self, row: Row) -> None:
        """The relay sends: numbers count from the latest ISNs, and the segment arrives one delay later."""
        given, flags = injected(row)
        line = self.stage.line
        isn, peer_isn, source, target = line.client_isn, line.server_isn, line.client_port, line.server_port
        receiver: Side = "server"
        if given.dir == "B>A":
            isn, peer_isn, source, target, receiver = peer_isn, isn, target, source, "client"
        if isn is None or (flags & ACK and peer_isn is None):
            raise Unsupported(f"app[{row.place}]: an injected segment before the ISNs are known")
        seq = (given.seq + isn) % 2**32
        ack = (given.ack + (peer_isn or 0)) % 2**32 if flags & ACK else 0
        segment = Segment(source, target, flags, seq, ack, given.len, given.win)
        if given.newconn:
            self.stage.opens(SIDES[given.dir[0]], segment)
        self.stage.act(receiver, Inject(segment, row.t_us + us(self.stage.trace.meta.delay_ms)), row.t_us)
