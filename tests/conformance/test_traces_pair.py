"""What a replay asks of a pair: threads, segments from nowhere, and timers and calls that are late."""

from __future__ import annotations

import pytest

from tcpsim.pair import (
    Arrived,
    Event,
    Inject,
    Machine,
    Make,
    Oversleep,
    Pair,
    PutOff,
    Returned,
    Sent,
    StateChanged,
    TimerFired,
    advance,
    call,
    next_time,
)
from tcpsim.path import Quiet, make_path
from tcpsim.sockets import Bind, Call, Connect, Listen, Recv, SetSockOpt, Socket, Thread, new_system
from tcpsim.tcp.endpoint import new_end
from tcpsim.tcp.segment import RST, Segment
from tcpsim.tcp.stack import stack

MS = 1_000
CLIENT = 3  # the client's descriptor, and the server's listening one


class Told:
    """A pair without programs, driven from outside, and all that it said."""

    def __init__(self, *drops: str) -> None:
        machine = Machine(new_system(new_end(stack("linux"))), ())
        self.pair = Pair(0, machine, machine, make_path(10 * MS, drops=drops), None)
        self.events: list[Event] = []
        for made in (Socket(), Bind(CLIENT, 80), Listen(CLIENT, 5)):
            self.do("server", Make(1, made), 0)
        self.make(Socket())

    def do(self, side: str, action: object, now_us: int) -> None:
        self.pair = call(self.pair, side, action, now_us, Quiet(), self.events.append)  # type: ignore[arg-type]

    def make(self, made: Call, thread: int = 0) -> None:
        self.do("client", Make(Thread(1, thread), made), self.pair.now_us)

    def until(self, t_us: int) -> None:
        while (due_us := next_time(self.pair)) is not None and due_us <= t_us:
            self.pair = advance(self.pair, Quiet(), self.events.append)

    def times(self, kind: type, side: str) -> list[int]:
        return [event.t_us for event in self.events if isinstance(event, kind) and event.side == side]


def connected() -> Told:
    told = Told()
    told.make(Connect(CLIENT, 80))
    told.until(100 * MS)
    return told


def test_two_threads_wait_on_one_socket() -> None:
    told = connected()
    told.make(Recv(CLIENT, 100), thread=1)
    told.make(Recv(CLIENT, 100), thread=2)
    assert [blocked.caller for blocked in told.pair.client.system.blocked] == [Thread(1, 1), Thread(1, 2)]


def test_an_injected_segment_arrives_and_nobody_sent_it() -> None:
    told = connected()
    tcb = next(iter(told.pair.client.system.end.sockets.values()))
    sent = len(told.times(Sent, "server"))
    reset = Segment(80, tcb.local_port, RST, tcb.rcv_nxt, 0, 0, 0)
    told.do("client", Inject(reset, 150 * MS), told.pair.now_us)
    told.until(150 * MS)
    assert told.times(Arrived, "client")[-1] == 150 * MS
    assert told.times(StateChanged, "client")[-1] == 150 * MS
    assert len(told.times(Sent, "server")) == sent


def test_a_timer_fires_when_it_was_put_off_to() -> None:
    told = Told("client SYN 1")
    told.make(Connect(CLIENT, 80))
    (sid,) = told.pair.client.system.end.sockets
    assert next_time(told.pair) == 1_000 * MS
    told.do("client", PutOff(sid, 1_020 * MS), 0)
    told.until(1_500 * MS)
    assert told.times(TimerFired, "client") == [1_020 * MS]
    assert told.times(Sent, "client")[:2] == [0, 1_020 * MS]
    with pytest.raises(ValueError, match="the socket's next deadline is None"):
        told.do("client", PutOff(sid, 2_000 * MS), told.pair.now_us)


def test_a_timer_is_never_moved_forward() -> None:
    told = Told("client SYN 1")
    told.make(Connect(CLIENT, 80))
    (sid,) = told.pair.client.system.end.sockets
    with pytest.raises(ValueError, match="put off to 999000: the socket's next deadline is 1000000"):
        told.do("client", PutOff(sid, 999 * MS), 0)


def test_a_call_oversleeps() -> None:
    told = connected()
    told.make(SetSockOpt(CLIENT, "SO_RCVTIMEO", 200 * MS))
    now_us = told.pair.now_us
    told.make(Recv(CLIENT, 100), thread=1)
    told.make(SetSockOpt(CLIENT, "SO_RCVTIMEO", 0))
    told.make(Recv(CLIENT, 100), thread=2)
    told.do("client", Oversleep(Thread(1, 1), now_us + 230 * MS), now_us)
    told.do(
        "client", Oversleep(Thread(1, 2), now_us + 230 * MS), now_us
    )  # it waits for ever: nothing to be late
    told.until(1_000_000 * MS)
    assert told.times(Returned, "client")[-1] == now_us + 230 * MS
    assert [blocked.caller for blocked in told.pair.client.system.blocked] == [Thread(1, 2)]
