"""Two real ends on a deterministic line, and the ways into each state: what every test of this room drives.

Nothing here writes a field of a TCB. A connection gets into a state because segments arrive, programs call
and timers fire; `reach` keeps one way per state, and then cuts the line so that a test can go on by hand.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, NamedTuple

from tcpsim.tcp import endpoint as tcp
from tcpsim.tcp.endpoint import Endpoint, Result
from tcpsim.tcp.event import Note
from tcpsim.tcp.segment import ACK, NO_OPTIONS, Options, Segment, flag_letters, parse_flags
from tcpsim.tcp.seqnum import add
from tcpsim.tcp.stack import Stack, stack
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions, Tcb

MS, S = 1_000, 1_000_000
CLIENT, SERVER = "client", "server"
PORTS = {CLIENT: 40_000, SERVER: 80}
NOTHING_SET = SocketOptions()


class Sent(NamedTuple):
    """One segment that an end sent; `lost` if the line lost it."""

    t_us: int
    side: str
    seg: Segment
    lost: bool

    @property
    def flags(self) -> str:
        return flag_letters(self.seg.flags)


class Noted(NamedTuple):
    """One note of an end."""

    t_us: int
    side: str
    note: Note


def profile(name: Stack | str, **knobs: Any) -> Stack:
    """A stack with knobs turned, by the names of its fields."""
    return (stack(name) if isinstance(name, str) else name).with_knobs(knobs)


def other(side: str) -> str:
    return SERVER if side == CLIENT else CLIENT


class Line:
    """A client and a server, `delay_us` apart. `loses` says which segments the line loses."""

    def __init__(
        self,
        client: Stack | str = "linux",
        server: Stack | str = "linux",
        *,
        delay_us: int = 10 * MS,
        iss: int = 1_000,
    ) -> None:
        self.ends: dict[str, Endpoint] = {
            CLIENT: tcp.new_end(profile(client), iss, 7),
            SERVER: tcp.new_end(profile(server), iss + 1_000_000, 9_000),
        }
        self.ids: dict[str, int] = {}
        self.listener = 0
        self.now = 0
        self.delay_us = delay_us
        self.loses: Callable[[str, Segment], bool] = lambda side, seg: False
        self.sent: list[Sent] = []
        self.notes: list[Noted] = []
        self._flying: list[tuple[int, int, str, Segment]] = []

    # What a program does

    def listen(self, backlog: int = 16, options: SocketOptions = NOTHING_SET) -> None:
        self.ends[SERVER], self.listener = tcp.listen(self.ends[SERVER], PORTS[SERVER], backlog, options)

    def connect(
        self, side: str = CLIENT, options: SocketOptions = NOTHING_SET, port: int | None = None
    ) -> int:
        """An active open; returns the socket's number, 0 if the pair of ports is taken."""
        local = port or PORTS[side]
        result, number = tcp.connect(self.ends[side], local, PORTS[other(side)], self.now, options)
        self._take(side, result)
        if number and port is None:
            self.ids[side] = number
        return number

    def accept(self) -> int | None:
        self.ends[SERVER], number = tcp.accept(self.ends[SERVER], self.listener)
        if number is not None:
            self.ids[SERVER] = number
        return number

    def open(self, client: SocketOptions = NOTHING_SET, server: SocketOptions = NOTHING_SET) -> Line:
        """A connection, accepted, with nothing in flight; returns itself."""
        if not self.listener:
            self.listen(options=server)
        self.connect(options=client)
        self.run_until(lambda: self.accept() is not None)
        self.run(2 * self.delay_us)
        return self

    def send(self, side: str, octets: int) -> int:
        return self._take(side, tcp.send(self.ends[side], self.ids[side], octets, self.now)).value

    def receive(self, side: str, octets: int = 1 << 30) -> int:
        return self._take(side, tcp.receive(self.ends[side], self.ids[side], octets, self.now)).value

    def shutdown(self, side: str, rd: bool = False, wr: bool = True) -> None:
        self._take(side, tcp.shutdown(self.ends[side], self.ids[side], self.now, rd, wr))

    def close(self, side: str) -> None:
        self._take(side, tcp.close(self.ends[side], self.ids[side], self.now))

    def abort(self, side: str) -> None:
        self._take(side, tcp.abort(self.ends[side], self.ids[side], self.now))

    def close_listener(self, abort: bool = False) -> None:
        act = tcp.abort if abort else tcp.close
        self._take(SERVER, act(self.ends[SERVER], self.listener, self.now))

    def set(self, side: str, **changes: Any) -> None:
        self._take(side, tcp.set_options(self.ends[side], self.ids[side], self.now, **changes))

    def error(self, side: str) -> str | None:
        self.ends[side], error = tcp.take_error(self.ends[side], self.ids[side])
        return error

    # What the line and the clock do

    def inject(self, side: str, seg: Segment) -> tuple[Segment, ...]:
        """Deliver a made-up segment to `side` now; returns its answers."""
        return self._take(side, tcp.deliver(self.ends[side], seg, self.now)).segments

    def run(self, for_us: int) -> None:
        """Let time pass."""
        until = self.now + for_us
        while (due := self.next()) is not None and due <= until:
            self._instant(due)
        self.now = until

    def run_until(self, holds: Callable[[], bool], within_us: int = 24 * 3600 * S) -> None:
        """Let time pass until something holds; fails when it never does."""
        until = self.now + within_us
        while not holds():
            due = self.next()
            assert due is not None, "nothing will ever happen again"
            assert due <= until, f"not within {within_us} us"
            self._instant(due)

    def next(self) -> int | None:
        times = [tcp.next_time(end) for end in self.ends.values()]
        times += [self._flying[0][0]] if self._flying else []
        return min((time for time in times if time is not None), default=None)

    def cut(self) -> None:
        """Lose what is on the way and everything from now on."""
        self._flying = []
        self.loses = lambda side, seg: True

    def heal(self) -> None:
        self.loses = lambda side, seg: False

    def _instant(self, at: int) -> None:
        assert at >= self.now, "time runs backwards"
        self.now = at
        while self._flying and self._flying[0][0] <= at:
            _, _, side, seg = heapq.heappop(self._flying)
            self._take(side, tcp.deliver(self.ends[side], seg, at))
        for side in (CLIENT, SERVER):
            timer = tcp.next_time(self.ends[side])
            if timer is not None and timer <= at:
                self._take(side, tcp.expire(self.ends[side], at))
                timer = tcp.next_time(self.ends[side])
                assert timer is None or timer > at, "a timer that is due again at once"

    def _take(self, side: str, result: Result) -> Result:
        self.ends[side] = result.end
        self.notes += [Noted(self.now, side, note) for note in result.notes]
        for seg in result.segments:
            lost = self.loses(side, seg)
            self.sent.append(Sent(self.now, side, seg, lost))
            if not lost:
                heapq.heappush(self._flying, (self.now + self.delay_us, len(self.sent), other(side), seg))
        return result

    # What a test asks

    def tcb(self, side: str) -> Tcb:
        """The socket under test: the program's, or the one a listener is making."""
        sockets = self.ends[side].sockets
        return sockets[self.ids[side]] if side in self.ids else sockets[max(sockets)]

    def gone(self, side: str) -> bool:
        """Nothing is left of the connection, not even an error to ask for."""
        return self.ids.get(side, -1) not in self.ends[side].sockets

    def state(self, side: str) -> State:
        sockets = self.ends[side].sockets
        if side in self.ids:
            return sockets[self.ids[side]].state if not self.gone(side) else State.CLOSED
        if sockets:
            return self.tcb(side).state
        return State.LISTEN if self.ends[side].listeners else State.CLOSED

    def holder(self, side: str) -> str:
        return str(self.tcb(side).holder(self.ends[side].stack))

    def log(self, side: str, since_us: int = 0) -> list[Sent]:
        """What an end has sent."""
        return [sent for sent in self.sent if sent.side == side and sent.t_us >= since_us]

    def flags(self, side: str, since_us: int = 0) -> list[str]:
        return [sent.flags for sent in self.log(side, since_us)]

    def times(self, side: str, flags: str, since_us: int = 0) -> list[int]:
        """When an end sent segments with exactly these flags, in milliseconds from `since_us`."""
        wanted = flag_letters(parse_flags(flags))
        return [(sent.t_us - since_us) // MS for sent in self.log(side, since_us) if sent.flags == wanted]

    def rules(self, side: str | None = None) -> list[str]:
        """The rows of the lifecycle table that were followed, in order."""
        return [n.note.what for n in self.notes if n.note.kind == "state" and side in (None, n.side)]

    def told(self, kind: str, side: str | None = None, since_us: int = 0) -> list[str]:
        """What the notes of one kind say."""
        kept = (n for n in self.notes if n.t_us >= since_us and side in (None, n.side))
        return [n.note.what for n in kept if n.note.kind == kind]


def nth(side: str, flags: int, *numbers: int) -> Callable[[str, Segment], bool]:
    """A loss rule: of `side`'s segments that have all of `flags`, those with these numbers (none: all)."""
    seen = 0

    def loses(sender: str, seg: Segment) -> bool:
        nonlocal seen
        if sender != side or seg.flags & flags != flags:
            return False
        seen += 1
        return not numbers or seen in numbers

    return loses


def data(side: str, *numbers: int) -> Callable[[str, Segment], bool]:
    """A loss rule: these of `side`'s segments with payload, counted from one (none: all)."""
    seen = 0

    def loses(sender: str, seg: Segment) -> bool:
        nonlocal seen
        if sender != side or not seg.len:
            return False
        seen += 1
        return not numbers or seen in numbers

    return loses


def segment_for(
    line: Line,
    side: str,
    flags: str,
    *,
    at: int = 0,
    ack: int = 0,
    length: int = 0,
    wnd: int = 65_535,
    sack: tuple[tuple[int, int], ...] = (),
    ts_age: int = 0,
) -> Segment:
    """A segment for `side` as its peer would send it: `at` octets from RCV.NXT, `ack` from SND.NXT."""
    t = line.tcb(side)
    control = parse_flags(flags)
    options = NO_OPTIONS
    if t.ts_on:
        options = Options(ts_val=add(t.ts_recent, -ts_age), ts_ecr=0)
    if sack:
        options = options._replace(sack=sack)
    return Segment(
        t.remote_port,
        t.local_port,
        control,
        add(t.rcv_nxt, at),
        add(t.snd_nxt, ack) if control & ACK else 0,
        length,
        wnd,
        options,
    )
