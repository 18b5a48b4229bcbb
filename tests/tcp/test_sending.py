"""Sending and acknowledging: Nagle, silly windows, PSH, delayed ACKs, windows offered, zero-window probes."""

from __future__ import annotations

import itertools

import pytest

from tcpsim.tcp.segment import ACK, FIN, PSH
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions
from tests.tcp.two_ends import CLIENT, MS, SERVER, Line, S, profile, segment_for
from tests.tcp.ways import reach

BOTH = pytest.mark.parametrize("stack", ["linux", "rfc9293"])
MSS = 1448


def payloads(line: Line, side: str = CLIENT) -> list[int]:
    return [sent.seg.len for sent in line.log(side) if sent.seg.len]


# Nagle (3.7.4) and its variants


@BOTH
def test_a_small_write_waits_for_the_ack_of_another(stack: str) -> None:
    line = Line(stack, stack).open()
    line.send(CLIENT, 10)
    line.send(CLIENT, 20)
    line.send(CLIENT, 30)
    assert payloads(line) == [10]
    line.run(1 * S)
    assert payloads(line) == [10, 50]


@BOTH
def test_nodelay(stack: str) -> None:
    line = Line(stack, stack).open(client=SocketOptions(nodelay=True))
    line.send(CLIENT, 10)
    line.send(CLIENT, 20)
    assert payloads(line) == [10, 20]


@BOTH
def test_setting_nodelay_lets_go_what_waits(stack: str) -> None:
    line = Line(stack, stack).open()
    line.send(CLIENT, 10)
    line.send(CLIENT, 20)
    line.set(CLIENT, nodelay=True)
    assert payloads(line) == [10, 20]


@pytest.mark.parametrize(("stack", "sent"), [("linux", [MSS, 10]), ("rfc9293", [MSS])])
def test_minshall_lets_a_small_one_follow_a_full_one(stack: str, sent: list[int]) -> None:
    line = Line(stack, stack).open()
    line.send(CLIENT, MSS)
    line.send(CLIENT, 10)
    assert payloads(line) == sent


@BOTH
def test_the_last_small_one_goes_with_the_fin(stack: str) -> None:
    """A close pushes what Nagle holds."""
    line = Line(stack, stack).open()
    line.send(CLIENT, 10)
    line.send(CLIENT, 20)
    line.close(CLIENT)
    assert payloads(line) == [10, 20]
    assert line.log(CLIENT)[-1].seg.flags & FIN


@BOTH
def test_push_marks_the_end_of_a_write(stack: str) -> None:
    line = Line(stack, stack).open()
    line.send(CLIENT, 3 * MSS + 10)
    line.run(1 * S)
    line.send(CLIENT, 100)
    line.run(1 * S)
    sent = [(s.seg.len, bool(s.seg.flags & PSH)) for s in line.log(CLIENT) if s.seg.len]
    assert sent[-2:] == [(10, True), (100, True)]
    assert [push for size, push in sent[:3]] == ([False, True, False] if stack == "linux" else [False] * 3)


@BOTH
def test_the_first_burst_is_the_initial_window(stack: str) -> None:
    line = Line(stack, stack).open()
    line.send(CLIENT, 40 * MSS)
    assert len(payloads(line)) == (10 if stack == "linux" else 4)
    line.run(20 * MS)
    assert len(payloads(line)) > 10 if stack == "linux" else 4


@BOTH
def test_the_peers_window_is_never_overrun(stack: str) -> None:
    line, side = reach("ESTABLISHED", profile(stack, timestamps=False, window_scaling=False))
    line.inject(side, segment_for(line, side, "A", wnd=2_000))
    line.send(side, 10_000)
    assert sum(payloads(line)) <= 2_000


def test_the_rfcs_sender_sends_no_silly_segment() -> None:
    """3.8.6.2.1: a full segment, all there is, or half the largest window; not what is left."""
    line, side = reach("ESTABLISHED", "rfc9293")
    line.inject(side, segment_for(line, side, "A", wnd=2 * MSS + 540))
    line.send(side, 10_000)
    assert payloads(line) == [MSS, MSS]


@BOTH
def test_the_send_buffer_has_an_end(stack: str) -> None:
    set_by_hand = 5_000 if stack == "linux" else 10_000  # Linux doubles it (socket(7))
    line = Line(stack, stack).open(client=SocketOptions(sndbuf=set_by_hand))
    line.cut()
    assert line.send(CLIENT, 8_000) == 8_000
    assert line.send(CLIENT, 8_000) == 2_000
    assert line.send(CLIENT, 8_000) == 0
    assert line.tcb(CLIENT).unacked == 10_000


@BOTH
@pytest.mark.parametrize("way", ["FIN-WAIT-1", "FIN-WAIT-2", "CLOSING", "LAST-ACK", "TIME-WAIT"])
def test_nothing_is_sent_behind_our_fin(way: str, stack: str) -> None:
    line, side = reach(way, stack)
    assert line.send(side, 10) == 0


@BOTH
def test_what_is_written_before_the_handshake_is_sent_after_it(stack: str) -> None:
    line = Line(stack, stack)
    line.listen()
    line.connect()
    assert line.send(CLIENT, 500) == 500
    line.run(100 * MS)
    line.accept()
    assert line.receive(SERVER) == 500


# Delayed ACKs (3.8.6.3)


def ack_times(line: Line, since: int) -> list[int]:
    return [(s.t_us - since) // MS for s in line.log(SERVER, since) if s.seg.flags == ACK]


def test_the_rfc_delays_the_ack_of_a_lone_segment() -> None:
    line = Line("rfc9293", "rfc9293").open()
    since = line.now
    line.send(CLIENT, 100)
    line.run(1 * S)
    assert ack_times(line, since) == [10 + 200]


def test_the_rfc_acknowledges_every_second_full_segment() -> None:
    line = Line("rfc9293", "rfc9293").open()
    since = line.now
    line.send(CLIENT, 4 * MSS)
    line.run(1 * S)
    assert ack_times(line, since) == [10, 10]


def test_linux_is_quick_at_first_and_delays_in_a_dialogue() -> None:
    """Sixteen quick ACKs; once the server answers what it reads, 40 ms (traces: 40.3 to 45.6)."""
    line = Line().open()
    since = line.now
    line.send(CLIENT, 100)
    line.run(1 * S)
    assert ack_times(line, since) == [10]
    line.receive(SERVER)
    line.send(CLIENT, 100)
    line.run(10 * MS)
    line.receive(SERVER)
    line.send(SERVER, 200)
    line.run(1 * S)
    since = line.now
    line.send(CLIENT, 100)
    line.run(1 * S)
    assert ack_times(line, since) == [50]


def test_the_fin_is_acknowledged_after_the_delay_on_linux_at_once_by_the_rfc() -> None:
    for stack, ms in (("linux", 50), ("rfc9293", 10)):
        line = Line(stack, stack).open()
        for side in (CLIENT, SERVER):
            line.send(side, 100)
            line.run(20 * MS)
            line.receive(SERVER)
        line.run(1 * S)
        since = line.now
        line.shutdown(CLIENT)
        line.run(1 * S)
        assert ack_times(line, since) == [ms]


@pytest.mark.parametrize("how", ["route", "socket"])
def test_quickack(how: str) -> None:
    stack = profile("linux", quickack=1) if how == "route" else profile("linux")
    line = Line(stack, stack).open(server=SocketOptions(quickack=True if how == "socket" else None))
    for side in (CLIENT, SERVER):
        line.send(side, 100)
        line.run(1 * S)
    since = line.now
    line.shutdown(CLIENT)
    line.run(1 * S)
    assert ack_times(line, since) == [10]


@BOTH
def test_an_answer_carries_the_ack(stack: str) -> None:
    line = Line(stack, profile(stack, quick_acks=0)).open()
    since = line.now
    line.send(CLIENT, 100)
    line.run(10 * MS)
    line.send(SERVER, 50)
    line.run(5 * MS)
    assert [s.seg.len for s in line.log(SERVER, since) if s.seg.ack == line.tcb(CLIENT).snd_nxt][-1] == 50


# The window on offer (3.8.6.2.2)


@BOTH
def test_the_window_shrinks_with_what_is_unread_and_a_read_opens_it(stack: str) -> None:
    line = Line(stack, stack).open()
    while line.send(CLIENT, 1 << 20):
        line.run(2 * S)
    line.run(60 * S)
    assert line.log(SERVER)[-1].seg.wnd == 0
    unread, since = line.tcb(SERVER).readable, line.now
    assert line.receive(SERVER, 100) == 100
    assert line.log(SERVER, since) == []  # no silly update
    assert line.receive(SERVER) == unread - 100
    (update,) = line.log(SERVER, since)
    assert update.flags == "A"
    assert update.seg.wnd > 0
    line.run(1 * S)
    assert line.tcb(SERVER).readable > 0


@BOTH
def test_the_right_edge_never_moves_back(stack: str) -> None:
    """3.8.6: the total of RCV.NXT and RCV.WND is not reduced."""
    line = Line(stack, stack).open()
    for _ in range(30):
        line.send(CLIENT, 3_333)
        line.run(300 * MS)
    scale = line.tcb(SERVER).rcv_wscale
    unit = (1 << scale) - 1
    edges = [s.seg.ack + (s.seg.wnd << scale) for s in line.log(SERVER) if s.flags == "A"]
    assert all(b >= a - unit for a, b in itertools.pairwise(edges))


@BOTH
def test_octets_beyond_a_shut_window_are_answered_not_taken(stack: str) -> None:
    line = Line(stack, stack).open()
    while line.send(CLIENT, 1 << 20):
        line.run(2 * S)
    line.run(60 * S)
    unread = line.tcb(SERVER).readable
    (answer,) = line.inject(SERVER, segment_for(line, SERVER, "PA", length=10))
    assert (answer.flags, answer.wnd, line.tcb(SERVER).readable) == (ACK, 0, unread)


@pytest.mark.parametrize(("stack", "probe"), [("linux", (-1, 0)), ("rfc9293", (0, 1))])
def test_what_a_zero_window_probe_is(stack: str, probe: tuple[int, int]) -> None:
    """3.8.6.1: one octet beyond the window. Linux: none, one number below (tcp_xmit_probe_skb)."""
    line, side = reach("ESTABLISHED", stack)
    line.inject(side, segment_for(line, side, "A", wnd=0))
    line.send(side, 100)
    line.run(2 * S)
    sent = line.log(side)[-1].seg
    assert (sent.seq - line.tcb(side).snd_una, sent.len) == probe
    assert line.told("timer", side)[-1] == "persist"


@BOTH
def test_a_fin_waits_in_front_of_a_shut_window(stack: str) -> None:
    line, side = reach("ESTABLISHED", stack)
    line.inject(side, segment_for(line, side, "A", wnd=0))
    line.close(side)
    assert line.state(side) == State.FIN_WAIT_1
    assert "FA" not in line.flags(side)
    line.inject(side, segment_for(line, side, "A", wnd=1_000))
    assert line.flags(side)[-1] == "FA"


@BOTH
def test_an_old_ack_does_not_change_the_window(stack: str) -> None:
    """3.10.7.4 fifth: SND.WL1 and SND.WL2 keep old segments out."""
    line, side = reach("ESTABLISHED", stack)
    line.send(side, 100)
    line.inject(side, segment_for(line, side, "A", wnd=60))
    window = line.tcb(side).snd_wnd
    line.inject(side, segment_for(line, side, "A", ack=-100, wnd=40))
    assert line.tcb(side).snd_wnd == window


def test_an_ancient_ack_is_challenged() -> None:
    """RFC 5961 5.2: older than the largest window."""
    line, side = reach("ESTABLISHED", "rfc9293")
    far = -line.tcb(side).max_window - 1
    assert [seg.flags for seg in line.inject(side, segment_for(line, side, "A", ack=far))] == [ACK]


def test_linux_limits_answers_to_one_in_half_a_second() -> None:
    """tcp_invalid_ratelimit: pure answers, per socket."""
    line, side = reach("ESTABLISHED", "linux")
    syn = segment_for(line, side, "S", at=5_000)
    assert len(line.inject(side, syn)) == 1
    assert len(line.inject(side, syn)) == 0
    line.run(500 * MS)
    assert len(line.inject(side, syn)) == 1
