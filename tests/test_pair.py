"""The closed system: order within an instant, the outside, forks in time, and what a log is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tcpsim.app import (
    Program,
    accept,
    choose,
    close,
    connect,
    crash,
    fork,
    ignore,
    listen,
    pause,
    reboot,
    receive,
    receive_to_eof,
    repeat,
    send,
    vanish,
    wait,
    wait_until,
)
from tcpsim.errors import InputError
from tcpsim.pair import (
    Arrived,
    Called,
    Event,
    Happened,
    Kill,
    Lost,
    Make,
    Pair,
    Reboot,
    Resume,
    Returned,
    Sent,
    StateChanged,
    TimerFired,
    Vanish,
    advance,
    call,
    census,
    new_pair,
    next_time,
)
from tcpsim.path import Choice, Chooser, Distribution, Quiet, Seeded, Uniform, make_path
from tcpsim.sockets import Accept, Close, Connect, Listen, Recv, Reply, SendAll
from tcpsim.tcp.segment import flag_letters
from tcpsim.tcp.stack import stack
from tcpsim.tcp.state import State

MS = 1_000
S = 1_000_000

CLIENT = [connect(), send(100), receive_to_eof(), close()]
SERVER = [listen(), accept(), receive(100), send(1000), close()]


def a_pair(client: Any = CLIENT, server: Any = SERVER, delay_us: int = 10 * MS, **line: Any) -> Pair:
    programs = [each if isinstance(each, Program) else Program(each) for each in (client, server)]
    return new_pair(*programs, stack("linux"), stack("linux"), make_path(delay_us, **line))


def moments(pair: Pair, chooser: Chooser, until_us: int, log: Any = None) -> Iterator[Pair]:
    """The pair after each instant up to `until_us`."""
    while (next_us := next_time(pair)) is not None and next_us <= until_us:
        pair = advance(pair, chooser, log)
        yield pair


def at(pair: Pair, t_us: int, log: Any = None) -> Pair:
    """The pair as it is at `t_us`, with nothing lost."""
    for later in moments(pair, Quiet(), t_us, log):
        pair = later
    return pair


def told(pair: Pair, until_us: int) -> list[Event]:
    story: list[Event] = []
    at(pair, until_us, story.append)
    return story


def state(pair: Pair, side: Any) -> list[str]:
    return [str(held.state) for held in census(pair, side)]


def portrait(pair: Pair) -> tuple[Any, ...]:
    """Everything about a pair by value: two ends of equal content are still two objects."""
    machines = []
    for machine in (pair.client, pair.server):
        end = machine.system.end
        above = machine.system._replace(end=end.iss)  # type: ignore[arg-type]
        machines.append((machine._replace(system=above), end.sockets, end.listeners))
    return (pair.now_us, pair.next_us, pair.path, *machines)


class Scripted:
    """Answers from a list, then passes; remembers what it was asked."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.asked: list[Choice] = []

    def choose(self, choice: Choice) -> int:
        self.asked.append(choice)
        return self.answers.pop(0) if self.answers else 0

    def draw(self, distribution: Distribution) -> int:
        return distribution.mean_us


# --- time -------------------------------------------------------------------------------------------


def test_a_connection_from_beginning_to_end() -> None:
    pair = a_pair()
    assert next_time(pair) == 0
    pair = at(pair, 35 * MS)
    assert (state(pair, "client"), state(pair, "server")) == (["ESTABLISHED"], ["FIN-WAIT-1"])
    pair = at(pair, S)
    assert (state(pair, "client"), state(pair, "server")) == ([], ["TIME-WAIT"])
    pair = at(pair, 120 * S)
    assert next_time(pair) is None
    assert pair.client.system.end.sockets == pair.server.system.end.sockets == {}


def test_advance_goes_to_the_next_time_and_no_further() -> None:
    before = a_pair()
    for pair in moments(before, Quiet(), 120 * S):
        assert pair.now_us == next_time(before)
        assert pair.now_us >= before.now_us
        later = next_time(pair)
        assert later is None or later > pair.now_us
        before = pair


def test_a_parked_pair_does_not_advance() -> None:
    pair = at(a_pair(), 120 * S)
    with pytest.raises(ValueError, match="no next event"):
        advance(pair, Quiet())


def test_nothing_is_ever_changed_in_place() -> None:
    pairs = [a_pair(), *moments(a_pair(), Quiet(), 120 * S)]
    before = [repr(portrait(pair)) for pair in pairs]
    again = [advance(pair, Quiet()) for pair in pairs[:-1]]
    assert [repr(portrait(pair)) for pair in pairs] == before
    assert [portrait(pair) for pair in again] == [portrait(pair) for pair in pairs[1:]]


def test_a_pair_is_a_function_of_the_choosers_answers() -> None:
    lossy = a_pair(loss_to_client=0.3, loss_to_server=0.3, jitter=Uniform(0, 5 * MS))
    for index in range(5):
        runs = [[portrait(p) for p in moments(lossy, Seeded(1, index), 600 * S)] for _ in range(2)]
        assert runs[0] == runs[1]


def test_a_pair_can_be_forked_at_every_choice() -> None:
    pair = a_pair(loss_to_server=0.5)  # the SYN is the first segment that can be lost
    lost, passed = advance(pair, Scripted(1)), advance(pair, Scripted(0))
    assert next_time(passed) == 10 * MS
    assert next_time(lost) == 1 * S  # RFC 6298: the first RTO
    assert portrait(advance(pair, Scripted(1))) == portrait(lost)


def test_in_one_instant_segments_come_before_timers_before_programs() -> None:
    # The SYN-ACK arrives at 1 s, when the SYN's timer is due: it is in time. And the program that wakes
    # then finds the connection established.
    pair = a_pair([connect(), send(1), ignore()], [listen(), ignore()], delay_us=500 * MS)
    story = told(pair, S)
    sent = [flag_letters(e.segment.flags) for e in story if isinstance(e, Sent) and e.side == "client"]
    assert sent == ["S", "A", "PA"]
    assert [e for e in story if isinstance(e, TimerFired)] == []

    pair = a_pair([wait("10ms"), ignore()], [wait("10ms"), ignore()])
    assert next_time(at(pair, 9 * MS)) == 10 * MS
    assert next_time(at(pair, 10 * MS)) is None


def test_a_program_that_wakes_as_data_arrives_finds_it() -> None:
    server = [listen(), accept(), send(100), ignore()]
    ready = [connect(), wait_until("40ms"), receive(100), ignore()]  # the data arrive at 40 ms
    story = told(a_pair(ready, server), 40 * MS)
    assert [e.reply for e in story if isinstance(e, Returned) and isinstance(e.call, Recv)] == [Reply(100)]


def test_without_delay_everything_happens_at_once() -> None:
    pair = at(a_pair(delay_us=0), 0)
    assert (state(pair, "client"), state(pair, "server")) == ([], ["TIME-WAIT"])
    assert pair.now_us == 0


def test_an_exchange_that_lets_no_time_pass_is_one_line_of_error() -> None:
    ping = [connect(), repeat([send(1), receive(1)])]
    pong = [listen(), accept(), repeat([receive(1), send(1)])]
    with pytest.raises(InputError, match=r"^pair: found .* rounds at 0 us, allowed: .*let time pass$"):
        at(a_pair(ping, pong, delay_us=0), 0)


# --- programs ---------------------------------------------------------------------------------------


def test_a_programs_choice_goes_to_the_chooser() -> None:
    pair = a_pair([choose([(0.9, [ignore()]), (0.1, [wait("1s")])], "mood")])
    chooser = Scripted(1)
    assert next_time(advance(pair, chooser)) == S
    assert chooser.asked == [Choice("mood", ("pass", "branch 2"), (0.9, 0.1))]
    assert next_time(advance(pair, Quiet())) is None, "the first branch is the usual one"


def test_a_programs_wait_is_drawn_by_the_chooser() -> None:
    pair = a_pair([wait(Uniform(0, 2 * S)), ignore()])
    assert next_time(advance(pair, Quiet())) == S


def test_a_crash_closes_what_the_process_held() -> None:
    pair = a_pair([connect(), send(100), receive_to_eof(), crash()])
    pair = at(pair, 59 * MS)
    assert state(pair, "client") == ["LAST-ACK"]
    assert pair.client.programs == ()


def test_an_inherited_descriptor_keeps_the_connection_open() -> None:
    server = [listen(), accept(), fork([wait("10s"), close()]), receive(100), send(1000), close()]
    pair = at(a_pair(server=server), 5 * S)
    assert (state(pair, "client"), state(pair, "server")) == (["ESTABLISHED"], ["ESTABLISHED"])
    assert [pid for pid, _ in pair.server.programs] == [1, 2]
    assert state(at(pair, 11 * S), "server") == ["TIME-WAIT"]


def test_a_vanished_machine_does_nothing_and_has_nothing() -> None:
    story: list[Event] = []
    pair = at(a_pair([connect(), send(100), vanish()]), 21 * MS, story.append)
    assert census(pair, "client") == ()
    assert [e.what for e in story if isinstance(e, Happened)] == ["vanishes"]
    pair = at(pair, 60 * S, story.append)
    after = [e for e in story if e.side == "client" and e.t_us > 21 * MS]
    assert after == []
    lost = [e for e in story if isinstance(e, Lost)]
    assert {(e.side, e.why) for e in lost} == {("server", "receiver is down")}


def test_a_rebooted_machine_answers_with_a_reset_once_it_is_back() -> None:
    client = [connect(), send(100), reboot("5s")]
    server = [listen(), accept(), receive(100), wait_until("10s"), send(1000), close()]
    story: list[Event] = []
    pair = at(a_pair(client, server), 11 * S, story.append)
    assert [(e.t_us, e.what) for e in story if isinstance(e, Happened)] == [
        (20 * MS, "reboots"),
        (20 * MS + 5 * S, "is back"),
    ]
    resets = [(e.t_us, e.side) for e in story if isinstance(e, Sent) and e.segment.rst]
    assert resets == [(10 * S + 10 * MS, "client")] * 2, "one to the data, one to the FIN behind them"
    assert state(pair, "server") == []


def test_the_steps_behind_a_reboot_are_those_of_a_new_process() -> None:
    again = [connect("again", local_port=0), send(5, "again"), ignore()]
    client = [connect(), send(100), wait("1min"), close(), *again]
    server = [listen(), accept(), receive(100), reboot("5s"), listen(), accept(), receive(5), ignore()]
    story: list[Event] = []
    pair = at(a_pair(client, server), 120 * S, story.append)
    listens = [(e.t_us, e.pid) for e in story if isinstance(e, Called) and isinstance(e.call, Listen)]
    back_us = next(e.t_us for e in story if isinstance(e, Happened) and e.what == "is back")
    assert listens == [(0, 1), (back_us, 1)]
    assert state(pair, "server") == ["ESTABLISHED"]
    returned = [e.reply.errno for e in story if isinstance(e, Returned) and e.side == "server"]
    assert set(returned) == {None}


def test_a_socket_from_before_a_reboot_is_none_behind_it() -> None:
    story: list[Event] = []
    pair = at(a_pair([connect(), send(100), reboot("5s"), send(1), ignore()]), 11 * S, story.append)
    found = [e for e in story if isinstance(e, Returned) and e.side == "client" and e.t_us > 5 * S]
    assert [each.reply.errno for each in found] == ["EBADF"]
    assert [each.t_us for each in found] == [20 * MS + 5 * S]
    assert pair.client.programs


# --- the outside ------------------------------------------------------------------------------------


def test_a_killed_server_sends_its_fin() -> None:
    pair = at(a_pair(server=[listen(), accept(), receive(100), ignore()]), S)
    pair = call(pair, "server", Kill(1), 2 * S, Quiet())
    assert (pair.now_us, pair.server.programs) == (2 * S, ())
    assert next_time(pair) == 2 * S + 10 * MS
    assert state(pair, "server") == ["FIN-WAIT-1"]


def test_only_a_process_that_exists_is_killed() -> None:
    pair = call(at(a_pair(), S), "client", Kill(1), S, Quiet())
    with pytest.raises(ValueError, match="the client has no process 1"):
        call(pair, "client", Kill(1), S, Quiet())


def test_a_machine_that_nothing_happens_to_stays_the_same_object() -> None:
    pair = at(a_pair([connect(), wait("1s"), close()], [listen(), accept(), ignore()]), 900 * MS)
    later = advance(pair, Quiet())  # the client closes; the server hears of it 10 ms later
    assert later.server is pair.server
    assert later.client is not pair.client


def test_a_paused_program_is_resumed_by_the_outside() -> None:
    server = [listen(), pause("a worker is free"), accept(), receive(100), send(1000), close()]
    pair = at(a_pair(server=server), S)
    assert next_time(pair) is None
    pair = call(pair, "server", Resume(), 3 * S, Quiet())
    assert state(pair, "server") == ["FIN-WAIT-1"]
    assert [held.fd for held in census(pair, "server")] == [False]


def test_resuming_a_program_that_ignores_changes_nothing() -> None:
    pair = at(a_pair([connect(), ignore()]), S)
    assert portrait(call(pair, "client", Resume(), pair.now_us, Quiet())) == portrait(pair)


def test_only_a_paused_program_is_resumed() -> None:
    pair = at(a_pair([connect(), wait("9s"), close()]), S)
    for side in ("client", "server"):  # one sleeps, one is blocked in recv()
        with pytest.raises(ValueError, match=f"process 1 of the {side} does not stand at a pause"):
            call(pair, side, Resume(), S, Quiet())  # type: ignore[arg-type]


def test_the_outside_makes_a_process_call() -> None:
    pair = at(a_pair([connect(), ignore()], [listen(), accept(), ignore()]), S)
    story: list[Event] = []
    pair = call(pair, "client", Make(1, Close(3)), S, Quiet(), story.append)
    assert [type(event) for event in story] == [Called, StateChanged, Sent, Returned]
    assert state(pair, "client") == ["FIN-WAIT-1"]


def test_the_outside_cuts_the_power() -> None:
    pair = at(a_pair([connect(), ignore()], [listen(), accept(), ignore()]), S)
    assert census(call(pair, "client", Vanish(), S, Quiet()), "client") == ()
    back = call(pair, "client", Reboot(0), S, Quiet())
    assert back.client.up
    assert census(back, "client") == ()


def test_the_outside_does_not_act_in_the_past_nor_leave_out_an_event() -> None:
    pair = at(a_pair(), 25 * MS)
    with pytest.raises(ValueError, match="call at 0"):
        call(pair, "client", Kill(1), 0, Quiet())
    with pytest.raises(ValueError, match="its next event at"):
        call(pair, "client", Kill(1), 31 * MS, Quiet())


# --- census and log ---------------------------------------------------------------------------------


def test_the_census_says_who_holds_what() -> None:
    idle = at(a_pair([connect(), send(100), ignore()], [listen(), accept(), ignore()]), S)
    (held,) = census(idle, "server")
    assert (held.state, str(held.holder), held.readable, held.fd) == (State.ESTABLISHED, "owned", 100, True)
    sending = at(a_pair([connect(), send(100), ignore()]), 20 * MS)
    assert [held.unacked for held in census(sending, "client")] == [100]
    half = at(a_pair([connect(), send(100), ignore()]), S)
    assert [(str(h.state), str(h.holder), h.fd) for h in census(half, "server")] == [
        ("FIN-WAIT-2", "mini", False)
    ]


def test_a_log_is_told_everything_in_the_order_of_cause_and_effect() -> None:
    story = told(a_pair(), 30 * MS)
    client = [
        (event.t_us // MS, type(event).__name__, getattr(event, "what", ""))
        for event in story
        if event.side == "client"
        and not (isinstance(event, Called | Returned) and not isinstance(event.call, Connect | SendAll))
    ]
    names = [(t_ms, name) for t_ms, name, _ in client]
    assert names[:3] == [(0, "Called"), (0, "StateChanged"), (0, "Sent")]
    assert names[3:] == [
        (20, "Arrived"),
        (20, "StateChanged"),
        (20, "Sent"),
        (20, "Returned"),
        (20, "Called"),
        (20, "Sent"),
        (20, "Returned"),
    ]
    blocked = [
        event for event in story if isinstance(event, Called | Returned) and isinstance(event.call, Accept)
    ]
    assert [(type(event).__name__, event.t_us) for event in blocked] == [("Called", 0), ("Returned", 30 * MS)]


def test_a_log_pairs_each_departure_with_its_arrivals() -> None:
    story = told(a_pair(duplicate=1.0), 30 * MS)
    due = sorted(t_us for e in story if isinstance(e, Sent) for t_us in e.arrives_us if t_us <= 30 * MS)
    assert due == [e.t_us for e in story if isinstance(e, Arrived)]
    assert all(len(e.arrives_us) == 2 for e in story if isinstance(e, Sent))


def test_a_lost_segment_is_told_where_it_was_sent() -> None:
    story = told(a_pair(drops=["client SYN 1"]), 2 * S)
    (lost,) = [event for event in story if isinstance(event, Lost)]
    (first, *_) = [event for event in story if isinstance(event, Sent)]
    assert (lost.t_us, lost.side, lost.segment) == (0, "client", first.segment)
    assert first.arrives_us == ()
