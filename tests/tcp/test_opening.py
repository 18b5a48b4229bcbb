"""Opening: retry schedules of SYN and SYN,ACK, queues of a listener, wrapping sequence numbers, PAWS."""

from __future__ import annotations

import pytest

from tcpsim.tcp.segment import ACK, SYN, Segment
from tcpsim.tcp.seqnum import add, diff, le, lt
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions
from tests.tcp.two_ends import CLIENT, MS, SERVER, Line, S, nth, profile, segment_for
from tests.tcp.ways import reach

BOTH = pytest.mark.parametrize("stack", ["linux", "rfc9293"])
HOUR = 3600 * S


# Retries of a handshake


def silent(stack: str, **knobs: object) -> tuple[list[int], int, str | None]:
    """A SYN into nothing: seconds of the transmissions, when it ended, and what the program is told."""
    line, side = reach("SYN-SENT", profile(stack, **knobs))
    line.run(HOUR)
    assert line.state(side) == State.CLOSED
    return [ms // 1000 for ms in line.times(side, "S")], line.notes[-1].t_us // S, line.error(side)


def test_linux_syns_are_even_then_double() -> None:
    """tcp_syn_retries 6 and tcp_syn_linear_timeouts 4: eleven SYNs in 131 s (ip-sysctl.rst)."""
    assert silent("linux") == ([0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67], 131, "ETIMEDOUT")


def test_linux_syns_with_three_retries() -> None:
    """Seven retransmissions (1, 2, 3, 4, 5, 7, 11 s), dead at 19 s (trace 14)."""
    assert silent("linux", tcp_syn_retries=3) == ([0, 1, 2, 3, 4, 5, 7, 11], 19, "ETIMEDOUT")


def test_linux_syns_without_the_linear_ones() -> None:
    knobs = {"tcp_syn_retries": 3, "tcp_syn_linear_timeouts": 0}
    assert silent("linux", **knobs) == ([0, 1, 3, 7], 15, "ETIMEDOUT")


def test_the_rfc_gives_a_syn_three_minutes() -> None:
    """3.8.3 MUST-23: R2 for a SYN is at least three minutes; RFC 6298 doubles up to 60 s."""
    assert silent("rfc9293") == ([0, 1, 3, 7, 15, 31, 63, 123], 180, "ETIMEDOUT")


def test_a_handshakes_limit_does_not_outlive_it() -> None:
    line = Line("rfc9293", "rfc9293").open()
    assert line.next() is None


def test_linux_syn_acks_give_up_silently() -> None:
    """tcp_synack_retries 5: five retransmissions, 63 s (ip-sysctl.rst)."""
    line, side = reach("SYN-RECEIVED", "linux")
    since = line.now
    line.run(HOUR)
    assert [ms // 1000 for ms in line.times(side, "SA", since)] == [0, 1, 3, 7, 15, 31]
    over_us = next(n.t_us for n in line.notes if n.note.what == "synack-gave-up")
    assert (over_us - since) // S == 63
    assert not line.ends[SERVER].sockets
    assert line.ends[SERVER].listeners[line.listener].embryonic == 0


@BOTH
def test_a_lost_syn_costs_a_second(stack: str) -> None:
    line = Line(stack, stack)
    line.loses = nth(CLIENT, SYN, 1)
    line.listen()
    line.connect()
    line.run_until(lambda: line.state(CLIENT) == State.ESTABLISHED)
    assert line.now == 1 * S + 20 * MS


@BOTH
def test_a_lost_final_ack_is_made_good_by_data(stack: str) -> None:
    line = Line(stack, stack)
    line.loses = nth(CLIENT, ACK, 1)
    line.listen()
    line.connect()
    line.run(100 * MS)
    assert line.tcb(SERVER).state == State.SYN_RECEIVED
    line.send(CLIENT, 10)
    line.run(100 * MS)
    line.accept()
    assert line.receive(SERVER) == 10


@BOTH
def test_a_lost_final_ack_is_made_good_by_the_next_syn_ack(stack: str) -> None:
    line = Line(stack, stack)
    line.loses = nth(CLIENT, ACK, 1)
    line.listen()
    line.connect()
    line.run(2 * S)
    assert line.flags(SERVER) == ["SA", "SA"]
    assert line.accept() is not None


# A listener's queues


def crowd(stack: str, backlog: int, clients: int, **knobs: object) -> Line:
    """A listener nobody accepts from, and so many connections, one after the other."""
    line = Line("linux", profile(stack, **knobs))
    line.listen(backlog)
    for number in range(clients):
        line.connect(port=41_000 + number)
        line.run(100 * MS)
    return line


@BOTH
def test_the_accept_queue_holds_one_more_than_the_backlog(stack: str) -> None:
    line = crowd(stack, 2, 4)
    listener = line.ends[SERVER].listeners[line.listener]
    assert len(listener.accept_queue) == 3
    assert listener.full(line.ends[SERVER].stack)
    assert listener.embryonic == 0
    assert line.told("drop", SERVER) == ["queue full"]


@BOTH
def test_there_is_room_again_after_accept(stack: str) -> None:
    line = crowd(stack, 2, 4)
    assert line.accept() is not None
    line.run(2 * S)
    assert len(line.ends[SERVER].listeners[line.listener].accept_queue) == 3


def overtaken(**knobs: object) -> Line:
    """The queue fills between the SYN and the final ACK of the last connection."""
    line = Line("linux", profile("linux", **knobs))
    line.listen(0)
    line.connect(port=41_000)
    line.connect(port=41_001)
    line.run(100 * MS)
    return line


def test_a_final_ack_into_a_full_queue_is_dropped() -> None:
    """Linux: the client is ESTABLISHED, the server is not, and its SYN,ACK is sent again."""
    line = overtaken()
    assert line.told("drop", SERVER) == ["accept queue full"]
    late = line.ends[CLIENT].sockets[max(line.ends[CLIENT].sockets)]
    assert late.state == State.ESTABLISHED
    assert [str(t.state) for t in line.ends[SERVER].sockets.values()] == ["ESTABLISHED", "SYN-RECEIVED"]
    line.accept()
    line.run(2 * S)
    assert line.accept() is not None


def test_a_final_ack_into_a_full_queue_is_reset_where_the_stack_does_so() -> None:
    line = overtaken(accept_overflow="reset")
    assert [str(t.state) for t in line.ends[SERVER].sockets.values()] == ["ESTABLISHED"]
    late = line.ends[CLIENT].sockets[max(line.ends[CLIENT].sockets)]
    assert late.so_error == "ECONNRESET"


def test_embryonic_connections_are_limited() -> None:
    line = Line("linux", profile("linux", syn_backlog=2))
    line.loses = lambda side, seg: side == SERVER
    line.listen(16)
    for number in range(3):
        line.connect(port=41_000 + number)
    line.run(100 * MS)
    assert line.ends[SERVER].listeners[line.listener].embryonic == 2


@BOTH
@pytest.mark.parametrize("abort", [False, True])
def test_a_closed_listener_resets_whom_nobody_accepted(stack: str, abort: bool) -> None:
    line = crowd(stack, 5, 3)
    line.connect(port=42_000)
    line.run_until(lambda: line.ends[SERVER].listeners[line.listener].embryonic == 1)
    since = line.now
    line.close_listener(abort)
    assert len(line.log(SERVER, since)) == 4  # the last SYN,ACK, and three resets
    left = [t.state for t in line.ends[SERVER].sockets.values()]
    assert left == ([State.SYN_RECEIVED] if stack == "linux" else [])  # a record stays until its ACK comes
    assert not line.ends[SERVER].listeners
    line.run(1 * S)
    assert not line.ends[SERVER].sockets
    assert [t.so_error for t in line.ends[CLIENT].sockets.values()] == ["ECONNRESET"] * 4


def test_a_record_whose_listener_and_peer_are_gone_ends_with_its_timer() -> None:
    line = crowd("linux", 5, 0)
    line.connect(port=42_000)
    line.run_until(lambda: line.ends[SERVER].listeners[line.listener].embryonic == 1)
    line.cut()
    line.close_listener(False)
    since = line.now
    line.run(5 * S)
    assert not line.ends[SERVER].sockets
    assert not line.log(SERVER, since + 1)  # no SYN,ACK for nobody (Linux reqsk_timer_handler)


def test_a_pair_of_ports_is_used_once() -> None:
    line = Line().open()
    assert line.connect(CLIENT) == 0


# Sequence numbers


def test_sequence_arithmetic() -> None:
    assert add(0xFFFF_FFFF, 2) == 1
    assert diff(5, 0xFFFF_FFFF) == 6
    assert diff(0xFFFF_FFFF, 5) == -6
    assert lt(0xFFFF_FFF0, 5)
    assert not lt(5, 0xFFFF_FFF0)
    assert le(7, 7)
    assert not lt(7, 7)


@BOTH
@pytest.mark.parametrize("iss", [0xFFFF_FFFF, 0xFFFF_FFFE, 0xFFFF_0000, 0xFFF0_BDC0 - 1])
def test_sequence_numbers_wrap(stack: str, iss: int) -> None:
    """Everything happens across 2**32, in one direction or the other, with losses."""
    line = Line(stack, stack, iss=iss).open()
    line.loses = lambda side, seg: len(line.sent) % 5 == 0
    got = {CLIENT: 0, SERVER: 0}
    taken = {CLIENT: 0, SERVER: 0}
    for _ in range(10):
        for side in (CLIENT, SERVER):
            taken[side] += line.send(side, 20_000)
            line.run(5 * S)
            got[CLIENT] += line.receive(CLIENT)
            got[SERVER] += line.receive(SERVER)
    for _ in range(10):  # what a timeout has held up, a window at a time
        line.run(HOUR)
        got[CLIENT] += line.receive(CLIENT)
        got[SERVER] += line.receive(SERVER)
    assert got == {CLIENT: taken[SERVER], SERVER: taken[CLIENT]}
    assert min(got.values()) > 100_000
    line.close(CLIENT)
    line.run(10 * S)
    line.close(SERVER)
    line.run(HOUR)
    assert line.gone(CLIENT)
    assert line.gone(SERVER)


# PAWS (RFC 7323 5)


@BOTH
def test_an_old_timestamp_is_answered_and_dropped(stack: str) -> None:
    line, side = reach("ESTABLISHED", stack)
    answers = line.inject(side, segment_for(line, side, "PA", length=10, ts_age=1_000))
    assert [seg.flags for seg in answers] == [ACK]
    assert line.tcb(side).readable == 0


@BOTH
def test_an_old_timestamp_does_not_save_from_a_reset(stack: str) -> None:
    line, side = reach("ESTABLISHED", stack)
    line.inject(side, segment_for(line, side, "R", ts_age=1_000))
    assert line.state(side) == State.CLOSED


@BOTH
def test_a_timestamp_older_than_24_days_proves_nothing(stack: str) -> None:
    line, side = reach("ESTABLISHED", stack)
    line.run(25 * 24 * HOUR)
    line.inject(side, segment_for(line, side, "PA", length=10, ts_age=1_000))
    assert line.tcb(side).readable == 10


def test_without_timestamps_there_is_no_such_check() -> None:
    line, side = reach("ESTABLISHED", profile("linux", tcp_timestamps=0))
    assert not line.tcb(side).ts_on
    line.inject(side, segment_for(line, side, "PA", length=10, ts_age=1_000))
    assert line.tcb(side).readable == 10


@pytest.mark.parametrize("knob", ["tcp_timestamps", "tcp_sack", "tcp_window_scaling"])
def test_an_option_is_on_only_if_both_offer_it(knob: str) -> None:
    line = Line(profile("linux", **{knob: 0}), "linux").open()
    for side in (CLIENT, SERVER):
        t = line.tcb(side)
        on = {"tcp_timestamps": t.ts_on, "tcp_sack": t.sack_on, "tcp_window_scaling": t.wscale_on}
        assert [name for name, value in on.items() if not value] == [knob]


def test_option_layouts_of_linux() -> None:
    """net/ipv4/tcp_output.c tcp_options_write, as the traces show them."""
    line = Line().open()
    syn, syn_ack, ack = (sent.seg.options for sent in line.sent[:3])
    assert syn.layout == syn_ack.layout == ("mss", "sackOK", "TS", "nop", "wscale")
    assert ack.layout == ("nop", "nop", "TS")
    assert (syn.mss, syn.wscale, syn.ts_ecr) == (1460, 10, 0)
    assert syn_ack.ts_ecr == syn.ts_val


def test_the_smaller_mss_holds_and_timestamps_take_their_room() -> None:
    line = Line().open(client=SocketOptions(maxseg=1000))
    assert line.tcb(SERVER).snd_mss == 988
    assert line.tcb(CLIENT).snd_mss == 988


def test_the_isn_is_a_clock_of_four_microseconds() -> None:
    """3.4.1."""
    line = Line(iss=1_000)
    line.run(1 * S)
    line.connect()
    assert isinstance(line.sent[0].seg, Segment)
    assert line.sent[0].seg.seq == 1_000 + 250_000
