"""Windows as RFC 9293 wants them: 3.1, 3.8.6, 3.8.6.1 (zero-window probes), 3.8.6.2 (silly windows)."""

from __future__ import annotations

import itertools

import pytest

from tcpsim.tcp.segment import ACK, NO_OPTIONS, RST, Segment
from tcpsim.tcp.seqnum import add, diff
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions
from tests.tcp.two_ends import CLIENT, SERVER, Line, S, data, nth, profile, segment_for

RFC = profile("rfc9293")
MINUTE, HOUR = 60 * S, 3600 * S


def open_line(**knobs: object) -> Line:
    stack = profile(RFC, **knobs)
    return Line(stack, stack).open()


def small_buffer(octets: int) -> Line:
    """A connection whose server reads through a buffer of so many octets."""
    return Line(RFC, RFC).open(server=SocketOptions(rcvbuf=octets))


def shut_window(octets: int = 4_000) -> Line:
    """The client has filled the server's buffer and has more to send; the server does not read."""
    line = small_buffer(octets)
    line.send(CLIENT, 3 * octets)
    line.run(MINUTE)
    assert line.tcb(SERVER).readable >= octets - 1
    return line


def probes(line: Line, since_us: int = 0) -> list[int]:
    """When the client sent its segments of one octet."""
    return [sent.t_us for sent in line.log(CLIENT, since_us) if sent.seg.len == 1]


def windows(line: Line, side: str) -> list[int]:
    """The window of each segment with ACK that a side sent, SYNs apart."""
    return [sent.seg.wnd for sent in line.log(side) if "S" not in sent.flags and "R" not in sent.flags]


# 3.1


@pytest.mark.parametrize("iss", [1_000, 0x7FFF_F000, 0xFFFF_F000], ids=["low", "middle", "wraps"])
def test_a_window_with_its_highest_bit_set_is_a_large_window(iss: int) -> None:
    """65535 is no negative number, wherever the sequence numbers are."""
    line = Line(RFC, RFC, iss=iss).open()
    line.cut()
    line.inject(CLIENT, segment_for(line, CLIENT, "A", wnd=65_535))
    line.heal()
    line.send(CLIENT, 60_000)
    line.run(10 * S)
    assert line.receive(SERVER) == 60_000
    assert line.told("timer", CLIENT) == []


def test_windows_are_counted_in_32_bits() -> None:
    """The largest window there is, 65535 << 14, is used beyond what 16 bits say."""
    big = profile(RFC, wscale=14, rcv_space=65_535 << 14, snd_space=8_000_000, initial_window=1_000)
    line = Line(big, big).open()
    line.send(SERVER, 1)  # the window of a SYN is not scaled, that of data is
    line.run(1 * S)
    line.send(CLIENT, 690 * 1_448)
    assert sum(sent.seg.len for sent in line.log(CLIENT)) == 690 * 1_448
    line.run(1 * S)
    assert line.receive(SERVER) == 690 * 1_448


# 3.8.6: a window that shrinks


def shrunk(to: int, flight: int = 4) -> Line:
    """The client has four segments of a thousand octets in flight when the server takes its window back."""
    line = Line(RFC, RFC).open(client=SocketOptions(nodelay=True))
    line.cut()
    for _ in range(flight):
        line.send(CLIENT, 1_000)
    t = line.tcb(CLIENT)
    assert diff(t.snd_nxt, t.snd_una) == flight * 1_000
    line.inject(CLIENT, segment_for(line, CLIENT, "A", ack=-flight * 1_000, wnd=to))
    return line


@pytest.mark.parametrize("to", [0, 500, 1_500])
def test_a_sender_survives_a_window_that_shrinks(to: int) -> None:
    """The usable window is negative; when it opens again everything arrives."""
    line = shrunk(to)
    t = line.tcb(CLIENT)
    assert diff(add(t.snd_una, t.snd_wnd), t.snd_nxt) < 0
    line.send(CLIENT, 5_000)
    line.heal()
    line.run(MINUTE)
    assert line.state(CLIENT) == State.ESTABLISHED
    assert line.receive(SERVER) == 9_000


def test_nothing_new_is_sent_into_a_window_that_shrank() -> None:
    line = shrunk(1_500)
    highest = line.tcb(CLIENT).snd_nxt
    line.send(CLIENT, 5_000)
    line.run(MINUTE)
    assert all(diff(add(s.seg.seq, s.seg.len), highest) <= 0 for s in line.log(CLIENT) if s.seg.len)


def test_old_data_within_the_shrunken_window_is_sent_again() -> None:
    line = shrunk(1_500)
    una = line.tcb(CLIENT).snd_una
    since = line.now
    line.run(10 * S)
    again = [sent.seg for sent in line.log(CLIENT, since + 1) if sent.seg.len]
    assert again
    assert again[0].seq == una


def answering_with(line: Line, wnd: int, for_us: int) -> None:
    """A peer that answers whatever the client sends with its old ACK and this window."""
    until = line.now + for_us
    while (due := line.next()) is not None and due <= until:
        sent = len(line.sent)
        line.run(due - line.now)
        for _ in line.sent[sent:]:
            t = line.tcb(CLIENT)
            line.inject(CLIENT, segment_for(line, CLIENT, "A", ack=diff(t.snd_una, t.snd_nxt), wnd=wnd))
    line.run(until - line.now)


@pytest.mark.parametrize("to", [0, 500])
def test_data_beyond_the_right_edge_does_not_time_the_connection_out(to: int) -> None:
    line = shrunk(to)
    answering_with(line, to, HOUR)
    assert line.state(CLIENT) == State.ESTABLISHED


def test_a_window_that_shrank_to_zero_is_probed_with_back_off() -> None:
    line = shrunk(0)
    since = line.now
    answering_with(line, 0, 5 * MINUTE)
    times = [sent.t_us for sent in line.log(CLIENT, since + 1) if sent.seg.len]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert len(times) >= 5
    assert all(b >= a for a, b in itertools.pairwise(gaps))
    assert gaps[-1] <= MINUTE


# 3.8.6.1


def test_a_zero_window_is_probed_and_the_first_probe_waits_for_the_rto() -> None:
    line = small_buffer(4_000)
    line.send(CLIENT, 12_000)
    line.run(10 * S)
    shut_at = next(s.t_us for s in line.log(SERVER) if s.seg.wnd == 0) + line.delay_us
    assert probes(line)[0] - shut_at == RFC.rto_min_us
    assert "persist" in line.told("timer", CLIENT)


def test_zero_window_probes_back_off_exponentially() -> None:
    line = shut_window()
    line.run(10 * MINUTE)
    gaps = [b - a for a, b in itertools.pairwise(probes(line))]
    round_trip = 2 * line.delay_us  # each answer starts the wait again
    assert gaps[:5] == [wait * S + round_trip for wait in (2, 4, 8, 16, 32)]
    assert set(gaps[5:]) == {RFC.persist_max_us + round_trip}


def test_the_connection_stays_as_long_as_probes_are_answered() -> None:
    line = shut_window()
    line.run(24 * HOUR)
    assert line.state(CLIENT) == line.state(SERVER) == State.ESTABLISHED
    line.receive(SERVER)
    line.run(2 * MINUTE)
    assert line.receive(SERVER) > 0


def test_probes_that_nobody_answers_end_the_connection() -> None:
    line = shut_window()
    line.cut()
    line.run(HOUR)
    assert line.state(CLIENT) == State.CLOSED
    assert line.error(CLIENT) == "ETIMEDOUT"


def test_a_lost_window_update_does_not_stop_the_transfer() -> None:
    line = shut_window()
    line.loses = nth(SERVER, ACK, 1)
    line.run(2 * MINUTE)
    assert line.receive(SERVER) > 0


def test_a_probe_that_is_taken_counts_as_sent() -> None:
    """The window update is lost; the receiver has room for the next probe's octet, and acknowledges it."""
    line = shut_window()
    una = line.tcb(CLIENT).snd_una
    line.loses = nth(SERVER, ACK, 1)
    line.receive(SERVER)
    line.heal()
    line.run(2 * MINUTE)
    assert diff(line.tcb(CLIENT).snd_una, una) > 1_000
    assert line.receive(SERVER) == diff(line.tcb(CLIENT).snd_una, una)


def test_a_fin_behind_a_shut_window_is_the_probe() -> None:
    line = small_buffer(4_000)
    line.send(CLIENT, 4_000)
    line.shutdown(CLIENT)
    line.run(2 * MINUTE)
    assert "persist" in line.told("timer", CLIENT)
    assert line.receive(SERVER) == 4_000
    line.run(2 * MINUTE)
    assert line.state(CLIENT) == State.FIN_WAIT_2
    assert line.tcb(SERVER).eof


def test_an_opened_window_is_used_at_once() -> None:
    """A probe octet that was refused does not hold up what follows: no wait for its retransmission."""
    line = shut_window()
    line.run(5 * MINUTE)
    since = line.now
    line.receive(SERVER)
    line.run(1 * S)
    sent = [s for s in line.log(CLIENT, since) if s.seg.len > 1]
    assert sent[0].t_us - since == line.delay_us
    assert line.receive(SERVER) > 1_000


def test_a_receiver_may_keep_its_window_shut() -> None:
    line = shut_window()
    since = line.now
    line.run(HOUR)
    answers = [sent.seg.wnd for sent in line.log(SERVER, since)]
    assert len(answers) >= 59
    assert set(answers) == {0}


# 3.4: RST and ACK are read though the window is zero


def test_a_reset_is_obeyed_though_the_window_is_zero() -> None:
    line = shut_window()
    assert windows(line, SERVER)[-1] == 0
    t = line.tcb(SERVER)
    line.inject(SERVER, Segment(t.remote_port, t.local_port, RST, t.rcv_nxt, 0, 0, 0, NO_OPTIONS))
    assert line.state(SERVER) == State.CLOSED


def test_an_ack_is_taken_though_the_window_is_zero() -> None:
    line = shut_window()
    line.send(SERVER, 500)
    line.run(1 * S)
    assert line.receive(CLIENT) == 500
    line.run(1 * S)
    assert line.tcb(SERVER).unacked == 0


# 3.8.6.2.1: the sender


def test_half_the_largest_window_is_worth_a_segment() -> None:
    """A peer whose buffer is smaller than a segment is not starved."""
    line = Line(RFC, RFC).open(server=SocketOptions(rcvbuf=1_000))
    line.send(CLIENT, 5_000)
    line.cut()
    assert [sent.seg.len for sent in line.log(CLIENT) if sent.seg.len] == [1_000]
    line.inject(CLIENT, segment_for(line, CLIENT, "A", wnd=499))
    assert len([sent for sent in line.log(CLIENT) if sent.seg.len]) == 1
    line.inject(CLIENT, segment_for(line, CLIENT, "A", wnd=500))
    assert [sent.seg.len for sent in line.log(CLIENT) if sent.seg.len] == [1_000, 500]


def test_a_window_that_stays_silly_is_used_after_a_while() -> None:
    """The override: nothing is outstanding, and a small window is all there is."""
    line = Line(RFC, RFC).open()
    line.cut()
    line.inject(CLIENT, segment_for(line, CLIENT, "A", wnd=65_535))
    line.inject(CLIENT, segment_for(line, CLIENT, "A", wnd=100))
    line.send(CLIENT, 20_000)
    since = line.now
    line.run(1 * S)
    sent = [(s.t_us - since, s.seg.len) for s in line.log(CLIENT, since) if s.seg.len]
    assert sent == [(1 * S, 100)]


# 3.8.6.2.2: the receiver


def test_a_receiver_does_not_offer_a_window_in_little_pieces() -> None:
    """A program that reads octet by octet opens the window by a segment or half the buffer, not before."""
    line = shut_window(20_000)
    since = len(line.sent)
    for _ in range(1_400):
        line.receive(SERVER, 1)
    assert [sent for sent in line.sent[since:] if sent.side == SERVER] == []
    offered = [0]
    while line.receive(SERVER, 100):
        offered += [sent.seg.wnd for sent in line.sent[since:] if sent.side == SERVER]
        since = len(line.sent)
    assert len(offered) > 1
    assert all(b - a >= 1_448 for a, b in itertools.pairwise(offered))


def test_probes_do_not_open_a_window_in_little_pieces() -> None:
    line = shut_window(20_000)
    line.receive(SERVER, 700)
    since = line.now
    line.run(5 * MINUTE)
    assert {sent.seg.wnd for sent in line.log(SERVER, since)} == {0}


def test_losses_do_not_make_windows_silly() -> None:
    """Each time the right edge moves there is room for a segment at least."""
    line = small_buffer(6_000)
    line.loses = data(CLIENT, *range(1, 100, 2))
    line.send(CLIENT, 30_000)
    read = 0
    while read < 30_000:
        line.run(MINUTE)
        read += line.receive(SERVER, 900)
        assert line.now < 2 * HOUR
    acks = [sent.seg for sent in line.log(SERVER) if "S" not in sent.flags]
    moved = [b.wnd for a, b in itertools.pairwise(acks) if add(a.ack, a.wnd) != add(b.ack, b.wnd)]
    assert len(moved) >= 10
    assert min(moved) >= 1_448
