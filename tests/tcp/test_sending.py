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
