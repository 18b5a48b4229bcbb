"""Acknowledgement as RFC 9293 wants it: 3.8.6.3 and the general remarks of 3.10.7.4."""

from __future__ import annotations

import pytest

from tcpsim.tcp.segment import Segment
from tcpsim.tcp.seqnum import add
from tcpsim.tcp.state import State
from tests.tcp.two_ends import CLIENT, MS, Line, S, profile, segment_for
from tests.tcp.ways import reach

RFC = profile("rfc9293")
FULL = 1_448  # Eff.snd.MSS beside a timestamp


def heard(*pieces: tuple[int, int], fin: bool = False) -> tuple[Line, list[Segment]]:
    """A client in ESTABLISHED that hears segments, (offset from RCV.NXT, length); its answers."""
    line, side = reach("ESTABLISHED", RFC)
    segments = [segment_for(line, side, "A", at=at, length=length) for at, length in pieces]
    if fin:
        segments[-1] = segments[-1]._replace(flags=segments[-1].flags | 1)
    return line, [answer for seg in segments for answer in line.inject(side, seg)]


def test_no_ack_is_delayed_by_half_a_second() -> None:
    """A trickle of small segments, each of which could put the ACK off again."""
    line, side = reach("ESTABLISHED", RFC)
    came: list[int] = []
    acked: list[int] = []
    for _ in range(50):
        came.append(line.now)
        before = len(line.sent)
        line.inject(side, segment_for(line, side, "PA", length=10))
        line.run(90 * MS)
        for ack in line.sent[before:]:
            acked += [ack.t_us] * (len([t for t in came if t <= ack.t_us]) - len(acked))
    waits = [ack - t for t, ack in zip(came, acked, strict=False)]
    assert len(waits) >= 45
    assert 0 < max(waits) < 500 * MS


def test_acks_of_small_segments_are_aggregated() -> None:
    """Ten segments of 100 octets need one ACK, not ten."""
    line, answers = heard(*((at * 100, 100) for at in range(10)))
    assert answers == []
    line.run(1 * S)
    assert line.log(CLIENT)[-1].seg.ack == line.tcb(CLIENT).rcv_nxt
    assert len(line.log(CLIENT, line.now - 1 * S)) == 1


def test_an_ack_rides_on_an_answer() -> None:
    line, answers = heard((0, 100))
    assert answers == []
    since = line.now
    line.send(CLIENT, 50)
    line.run(900 * MS)  # not as long as the retransmission takes
    (answer,) = line.log(CLIENT, since)
    assert (answer.seg.len, answer.seg.ack) == (50, line.tcb(CLIENT).rcv_nxt)


def test_text_and_fin_of_one_segment_get_one_ack() -> None:
    line, answers = heard((0, 100), fin=True)
    assert [seg.ack for seg in answers] == [line.tcb(CLIENT).rcv_nxt]
    assert line.state(CLIENT) == State.CLOSE_WAIT


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_segments_that_come_early_are_kept_and_all_processed_before_the_ack(order: tuple[int, ...]) -> None:
    """The gap is filled: one ACK speaks for everything that waited."""
    line, early = heard(*((at * FULL, FULL) for at in order))
    t = line.tcb(CLIENT)
    assert t.readable == 0
    first = add(t.rcv_nxt, 0)
    assert {seg.ack for seg in early} == {first}
    filled = line.inject(CLIENT, segment_for(line, CLIENT, "A", length=FULL))
    assert [seg.ack for seg in filled] == [add(first, 4 * FULL)]
    assert line.tcb(CLIENT).readable == 4 * FULL


def test_a_segment_out_of_order_is_answered_at_once() -> None:
    line, answers = heard((FULL, FULL))
    assert [(seg.seq, seg.ack) for seg in answers] == [(line.tcb(CLIENT).snd_nxt, line.tcb(CLIENT).rcv_nxt)]


def test_what_lies_outside_the_window_is_trimmed() -> None:
    """Left and right of it; what is inside is taken."""
    line, side = reach("ESTABLISHED", RFC)
    line.inject(side, segment_for(line, side, "A", at=-1_000, length=1_500))
    assert line.tcb(side).readable == 500
    line.inject(side, segment_for(line, side, "A", at=65_000, length=1_000))  # 35 octets of it fit
    line.inject(side, segment_for(line, side, "A", length=65_000))
    assert line.tcb(side).readable == 500 + 65_000 + 35


def test_an_ack_far_in_the_past_is_challenged_and_its_text_not_taken() -> None:
    """RFC 5961 5.2: a blind injection has to guess SEG.ACK too."""
    line, side = reach("ESTABLISHED", RFC)
    window = line.tcb(side).max_window
    blind = segment_for(line, side, "A", ack=-window - 2, length=100)
    (answer,) = line.inject(side, blind)
    t = line.tcb(side)
    assert (answer.seq, answer.ack, answer.len) == (t.snd_nxt, t.rcv_nxt, 0)
    assert t.readable == 0
