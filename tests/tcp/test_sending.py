"""Sending: Nagle and its variants, silly segments, PSH, the first flight, buffers."""

from __future__ import annotations

import pytest

from tcpsim.tcp.segment import FIN, PSH
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


def test_the_send_buffer_has_an_end() -> None:
    line = Line("rfc9293", "rfc9293").open(client=SocketOptions(sndbuf=10_000))
    line.cut()
    assert line.send(CLIENT, 8_000) == 8_000
    assert line.send(CLIENT, 8_000) == 2_000
    assert line.send(CLIENT, 8_000) == 0
    assert line.tcb(CLIENT).unacked == 10_000


def test_linux_asks_for_memory_once_for_each_buffer() -> None:
    """tcp_sendmsg_locked, sk_stream_memory_free: the last one is filled, whatever the others hold."""
    line = Line("linux", "linux").open(client=SocketOptions(sndbuf=6_000))  # doubled (socket(7))
    line.cut()
    assert [line.send(CLIENT, 8_000) for _ in range(7)] == [8_000] * 5 + [5_648, 0]


@pytest.mark.parametrize("sndbuf", [1_000, 4_500, 20_000])
def test_a_small_send_buffer_does_not_cut_the_first_write(sndbuf: int) -> None:
    """Measured on 6.18, with 60,000 octets and any of these buffers: the first buffer takes 31,856 octets and
    is pushed when it is 34,752; the rest of it is filled again, and then there is no memory."""
    line = Line("linux", "linux").open(client=SocketOptions(sndbuf=sndbuf))
    line.cut()
    assert line.send(CLIENT, 60_000) == 46_336


def test_a_send_buffer_grows_with_the_congestion_window() -> None:
    """tcp_sndbuf_expand: two windows of 2,304 for a segment, where a writer waits and the window has room."""
    line = Line("linux", "linux").open()
    assert line.tcb(CLIENT).snd_space == 46_080
    line.send(CLIENT, 20_000)
    line.run(100 * MS)
    assert line.tcb(CLIENT).snd_space == 46_080  # nobody waited
    assert line.send(CLIENT, 1 << 20) < 1 << 20
    while line.tcb(CLIENT).no_space:
        line.run(10 * MS)
    t = line.tcb(CLIENT)
    assert t.snd_space % (2 * 2_304) == 0
    assert 46_080 < t.snd_space <= 2 * 2_304 * t.cwnd


def test_a_send_buffer_that_a_program_has_set_does_not_grow() -> None:
    line = Line("linux", "linux").open(client=SocketOptions(sndbuf=20_000))
    for _ in range(20):
        line.send(CLIENT, 1 << 20)
        line.run(50 * MS)
    assert line.tcb(CLIENT).snd_space == 40_000


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
