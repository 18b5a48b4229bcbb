"""Delayed ACKs, windows offered and heard, zero-window probes, and answers that are rationed."""

from __future__ import annotations

import itertools

import pytest

from tcpsim.tcp.segment import ACK
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions
from tests.tcp.two_ends import CLIENT, MS, SERVER, Line, S, profile, segment_for
from tests.tcp.ways import reach

BOTH = pytest.mark.parametrize("stack", ["linux", "rfc9293"])
MSS = 1448


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


def test_linux_is_quick_sixteen_times() -> None:
    """TCP_MAX_QUICKACKS; what comes later, at a pace between the delay and the RTO, waits 40 ms."""
    line = Line().open()
    delays = []
    for _ in range(20):
        since = line.now
        line.send(CLIENT, 10)
        line.run(100 * MS)
        delays += ack_times(line, since)
    assert delays == [10] * 16 + [50] * 4


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


def test_a_segment_sent_earlier_does_not_change_the_window() -> None:
    """SND.WL1: a bare ACK from before the data that has arrived, acknowledging just as much."""
    line, side = reach("ESTABLISHED", "rfc9293")
    for window in (5_000, 6_000):
        line.inject(side, segment_for(line, side, "PA", length=10, wnd=window))
    line.inject(side, segment_for(line, side, "A", at=-20, wnd=40))
    assert line.tcb(side).snd_wnd == 6_000


@BOTH
def test_a_fin_stays_inside_the_window(stack: str) -> None:
    line, side = reach("ESTABLISHED", profile(stack, window_scaling=False))
    line.inject(side, segment_for(line, side, "A", wnd=0))
    line.send(side, 500)
    line.close(side)
    since = len(line.sent)
    line.inject(side, segment_for(line, side, "A", wnd=500))
    line.run(1 * S)
    assert all(sent.seg.seq + sent.seg.seg_len <= line.tcb(side).snd_una + 500 for sent in line.sent[since:])
    line.inject(side, segment_for(line, side, "A", wnd=501))
    line.run(1 * S)
    assert any(sent.flags in ("FA", "FPA") for sent in line.sent[since:])


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
