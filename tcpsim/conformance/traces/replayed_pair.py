"""A pair in the time of a trace, and the record of what it does.

Owns: when each timer fires, between the time of the model and the latest time of a kernel, and the record of
segments, answers and states. Refuses to know: which calls are made (replay), and what differs (compare).

A look ahead decides whether a timer is late: a pair is a value, so a copy is advanced, examined and thrown
away. If the copy shows something that the trace shows later, within the bound, the timer waits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from tcpsim.conformance.traces.calls import said
from tcpsim.conformance.traces.lateness import LATE_US, Clocks, allowed_us, packet_time, state_time
from tcpsim.conformance.traces.not_compared import Exempt
from tcpsim.conformance.traces.observation import Answer, Life, Packet, Record, Stay, relative
from tcpsim.conformance.traces.recorded_acks import MERGED
from tcpsim.conformance.traces.schema import SIDES, Trace
from tcpsim.pair import (
    Action,
    Event,
    Lost,
    Machine,
    Oversleep,
    Pair,
    PutOff,
    Returned,
    Sent,
    advance,
    call,
    next_time,
)
from tcpsim.path import Quiet, Side
from tcpsim.path.rule import Lineage
from tcpsim.sockets import Call, System
from tcpsim.sockets.processes import Blocked, with_end
from tcpsim.tcp import deadlines
from tcpsim.tcp.endpoint import Endpoint
from tcpsim.tcp.segment import Segment, flag_letters
from tcpsim.tcp.state import Holder, State
from tcpsim.tcp.tcb import Tcb

_CHOOSER = Quiet()


class _Late(NamedTuple):
    """Something due on one side that comes later: of a socket, or of a call that waits."""

    side: Side
    of: int | Blocked
    until_us: int


class Stage:
    """The pair, its running timers, and what has been seen of it."""

    def __init__(self, trace: Trace, exempt: Exempt, pair: Pair, line: Lineage, besides_us: int = 0) -> None:
        self.trace = trace
        self.exempt = exempt
        self.pair = pair
        self.line = line  # of the last segment
        self._lines = {line[:2]: line}
        self.awaited: dict[int, tuple[Call, int]] = {}  # by identity of the call: the call, its row
        self.returned: list[tuple[Side, int, Returned]] = []  # answers that nobody has looked at
        self.packets: list[Packet] = []
        self.answers: dict[int, Answer] = {}
        self._clocks = Clocks(besides_us)
        self._ahead = {
            side: [packet for packet in trace.seen.packets if packet.sender == side]
            for side in SIDES.values()
        }
        self._known: dict[tuple[Side, int], Tcb] = {}
        self._stays: dict[tuple[Side, int], list[Stay]] = {}
        self._gone: dict[tuple[Side, int], int] = {}

    def record(self) -> Record:
        """What has happened."""
        lives = tuple(Life(key[0], tuple(stays), self._gone.get(key)) for key, stays in self._stays.items())
        return Record(tuple(self.packets), lives, self.answers)

    def expected(self, side: Side, now_us: int) -> Packet | None:
        """What the kernel of a side sends next: by number, or by time if the number may differ."""
        ahead = self._ahead[side]
        if self.exempt.acks:
            ahead = [packet for packet in ahead if packet.t_us >= now_us]
        return ahead[0] if ahead else None

    def expected_data(self, side: Side, now_us: int) -> Packet | None:
        """The next segment of a side that is no bare acknowledgement, for a call that makes one."""
        return next((each for each in self._ahead[side] if each.t_us >= now_us and not each.pure_ack), None)

    def opens(self, sender: Side, segment: Segment) -> None:
        """A SYN that neither end sent begins a connection of its ports, and its numbers count from it."""
        line = self.line
        self.line = Lineage(line.client_port, line.server_port, line.conn + 1).seen(sender, segment)
        self._lines[self.line[:2]] = self.line

    def system(self, side: Side) -> System:
        """The host of a side."""
        return _machine(self.pair, side).system

    # Time

    def until(self, t_us: int) -> None:
        """Let everything happen that is due before `t_us`."""
        while (due_us := next_time(self.pair)) is not None and due_us < t_us:
            self._step(due_us)

    def act(self, side: Side, action: Action, now_us: int) -> None:
        """The outside acts, and everything that follows in the same instant happens."""
        self._take(*self._look(side, action, now_us))

    def sends(self, side: Side, action: Action, now_us: int) -> Packet | None:
        """The first segment that an action would make its side send at once."""
        return self._first(side, self._look(side, action, now_us)[1])

    def sends_later(self, side: Side, action: Action, now_us: int) -> Packet | None:
        """The same if everything that is due then happens before it."""
        pair = self.pair
        while (due_us := next_time(pair)) is not None and due_us <= now_us:
            pair = advance(pair, _CHOOSER)
        return self._first(side, self._look(side, action, now_us, pair)[1])

    def _first(self, side: Side, events: list[Event]) -> Packet | None:
        """The first segment of a side in what may happen."""
        sent = next((each for each in events if isinstance(each, Sent) and each.side == side), None)
        return None if sent is None else _packet(sent, self._line_of(sent))

    def _look(
        self, side: Side, action: Action, now_us: int, pair: Pair | None = None
    ) -> tuple[Pair, list[Event]]:
        events: list[Event] = []
        return call(pair or self.pair, side, action, now_us, _CHOOSER, events.append), events

    def _step(self, due_us: int) -> None:
        """The next instant; or what is due in it and came late in the kernel is put off."""
        after, events = self._advanced()
        late = [
            _Late(side, sid, self._fires_us(side, sid, due_us, after, events))
            for side in SIDES.values()
            for sid, tcb in self._end(side).sockets.items()
            if deadlines.next_time(tcb) == due_us
        ]
        late += [
            _Late(side, blocked, self._wakes_us(blocked, due_us))
            for side in SIDES.values()
            for blocked in self.system(side).blocked
            if blocked.deadline_us == due_us
        ]
        late = [each for each in late if each.until_us > due_us]
        if not late:
            self._take(after, events)
        for side, of, until_us in late:
            if isinstance(of, Blocked):
                action: Action = Oversleep(of.caller, until_us)
            else:
                action = PutOff(of, until_us)
                self._clocks.put_off(side, of, due_us, until_us)
            self.pair = call(self.pair, side, action, self.pair.now_us, _CHOOSER)

    def _advanced(self) -> tuple[Pair, list[Event]]:
        """The next instant; an ACK of it waits if the kernel merged it with a later one."""
        events: list[Event] = []
        after = advance(self.pair, _CHOOSER, events.append)
        for side in SIDES.values():
            said = [each for each in events if isinstance(each, Sent) and each.side == side]
            lost = {id(each.segment) for each in events if isinstance(each, Lost) and each.why == MERGED}
            if said and all(id(each.segment) in lost for each in said):
                events = []
                after = advance(_waiting(self.pair, side, True), _CHOOSER, events.append)
                after = _waiting(after, side, False)
        return after, events

    def _fires_us(self, side: Side, sid: int, due_us: int, after: Pair, events: list[Event]) -> int:
        """When a socket's timer, due now, is to fire: now, or when the kernel's did."""
        latest_us = self._clocks.latest_us(side, sid, due_us)
        sent = self._sent_by(side, sid, events)
        if sent is not None:
            packet = self._alike(sent, due_us, latest_us) or self.expected(side, due_us)
            return packet_time(packet, due_us, latest_us)
        for event in events:
            if isinstance(event, Returned) and event.side == side and id(event.call) in self.awaited:
                row = self.awaited[id(event.call)][1]
                seen = self.trace.seen.answers.get(row)
                # the caller may be as late as any, after a timer that may be as late as any
                returns_us = latest_us + LATE_US + self.trace.rows[row].late_us
                if seen is not None and due_us <= seen.t_us <= returns_us:
                    return min(seen.t_us, latest_us)
        becomes = _stay(_machine(after, side).system.end, sid, due_us)
        if becomes[1:] != _stay(self._end(side), sid, due_us)[1:]:
            lives = [life for life in self.trace.seen.lives if life.side == side]
            return state_time(lives, becomes, latest_us, self.trace.sampled_within_us(due_us))
        return due_us

    def _wakes_us(self, blocked: Blocked, due_us: int) -> int:
        """When a call, whose own patience ends now, is to return: now, or when the kernel's did."""
        _, row = self.awaited.get(id(blocked.call), (None, -1))
        seen = self.trace.seen.answers.get(row)
        if seen is None:
            return due_us
        latest_us = due_us + allowed_us(due_us - self.trace.rows[row].t_us)
        return seen.t_us if due_us <= seen.t_us <= latest_us else due_us

    def _sent_by(self, side: Side, sid: int, events: list[Event]) -> Sent | None:
        """The first segment that a socket sent."""
        tcb = self._end(side).sockets[sid]
        ports = (tcb.local_port, tcb.remote_port)
        mine = [event for event in events if isinstance(event, Sent) and event.side == side]
        return next((each for each in mine if (each.segment[0], each.segment[1]) == ports), None)

    def _alike(self, sent: Sent, due_us: int, latest_us: int) -> Packet | None:
        """The same segment with text as the kernel sent it, if it did within the bound."""
        if not sent.segment.len:
            return None
        did = _packet(sent, self._line_of(sent))
        what = did.seq, did.len, did.conn
        for each in self._ahead[did.sender]:
            if due_us <= each.t_us <= latest_us and (each.seq, each.len, each.conn) == what:
                return each
        return None

    # What happened

    def _take(self, after: Pair, events: list[Event]) -> None:
        """A step is taken: note what it did."""
        before, self.pair = self.pair, after
        merged = {id(each.segment) for each in events if isinstance(each, Lost) and each.why == MERGED}
        for event in events:
            if isinstance(event, Sent) and id(event.segment) not in merged:
                self._note_segment(event)
            elif isinstance(event, Returned) and id(event.call) in self.awaited:
                made, row = self.awaited.pop(id(event.call))
                self.answers[row] = Answer(event.t_us, said(made, event.reply))
                self.returned.append((_end_of(event.side), row, event))
        for side in SIDES.values():
            self._watch(side, _machine(before, side).system.end, events)

    def _note_segment(self, event: Sent) -> None:
        self.line = self._line_of(event)
        self._lines[self.line[:2]] = self.line
        packet = _packet(event, self.line)
        self.packets.append(packet)
        if self._ahead[packet.sender] and not self.exempt.acks:
            self._ahead[packet.sender].pop(0)

    def _line_of(self, event: Sent) -> Lineage:
        """The connection that a segment belongs to; a SYN begins its numbers."""
        segment, side = event.segment, _end_of(event.side)
        if side == "client":
            ports = (segment.src_port, segment.dst_port)
        else:
            ports = (segment.dst_port, segment.src_port)
        line = self._lines.get(ports) or Lineage(*ports)
        return line.seen(side, segment) if segment.syn else line

    def _watch(self, side: Side, before: Endpoint, events: list[Event]) -> None:
        """Note the states, holders and timers of a side that are other than before."""
        end, now_us = self._end(side), self.pair.now_us
        for sid, tcb in end.sockets.items():
            if self._known.get((side, sid)) is tcb:
                continue
            stay = _stay(end, sid, now_us)
            unseen = sid in before.sockets and stay[1:] == _stay(before, sid, now_us)[1:]
            self._clocks.see(side, sid, tcb, now_us, unseen and self._sent_by(side, sid, events) is None)
            self._known[side, sid] = tcb
            if tcb.state is State.CLOSED:
                self._bury(side, sid)
                continue
            stays = self._stays.setdefault((side, sid), [])
            if not stays or stays[-1][1:] != stay[1:]:
                stays.append(stay)
        for key in [key for key in self._known if key[0] == side and key[1] not in end.sockets]:
            self._bury(*key)
            del self._known[key]

    def _bury(self, side: Side, sid: int) -> None:
        """A socket has come to its end."""
        self._clocks.forget(side, sid)
        if (side, sid) in self._stays:
            self._gone.setdefault((side, sid), self.pair.now_us)

    def _end(self, side: Side) -> Endpoint:
        return self.system(side).end


def _end_of(name: str) -> Side:
    """A machine of a trace: it has two."""
    return "client" if name == "client" else "server"


def _machine(pair: Pair, side: Side) -> Machine:
    return pair.client if side == "client" else pair.server


def _packet(event: Sent, line: Lineage) -> Packet:
    """A segment in the words of a trace."""
    segment, side = event.segment, _end_of(event.side)
    own, peer = line.client_isn, line.server_isn
    if side == "server":
        own, peer = peer, own
    ack = relative(segment.ack, peer) if segment.has_ack else None
    flags, seq = flag_letters(segment.flags), relative(segment.seq, own)
    return Packet(event.t_us, side, flags, seq, ack, segment.len, not event.arrives_us, line.conn)


def _waiting(pair: Pair, side: Side, waits: bool) -> Pair:
    """The pair while a program of a side holds its sockets, so that ACKs wait; and after that."""
    machine = _machine(pair, side)
    end = machine.system.end
    stack = replace(end.stack, acks_wait=waits)
    machine = machine._replace(system=with_end(machine.system, end.replaced(stack=stack)))
    return pair._replace(client=machine) if side == "client" else pair._replace(server=machine)


def _stay(end: Endpoint, sid: int, now_us: int) -> Stay:
    """A socket as a dump of the host's sockets shows it.

    A connection that nobody has accepted yet has no owner there, as one that was closed; and a dump does not
    tell an active opener in SYN-RECEIVED (a simultaneous open) from a request.
    """
    tcb = end.sockets.get(sid)
    if tcb is None or tcb.state is State.CLOSED:
        return Stay(now_us, State.CLOSED, Holder.OWNED)
    holder = tcb.holder(end.stack)
    if holder is Holder.OWNED and tcb.state is State.SYN_RECEIVED and not tcb.parent:
        holder = Holder.REQUEST
    elif holder is Holder.QUEUE:
        holder = Holder.ORPHAN
    return Stay(now_us, tcb.state, holder)
