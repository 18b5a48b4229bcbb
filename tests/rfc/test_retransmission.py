"""Retransmission as RFC 9293 wants it: 3.8.2 (RFC 5681), 3.8.3 (R1 and R2)."""

from __future__ import annotations

import itertools

import pytest

from tcpsim.tcp.segment import NO_OPTIONS, Segment
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions
from tests.tcp.two_ends import CLIENT, MS, SERVER, Line, S, data, profile, segment_for
from tests.tcp.ways import reach

RFC = profile("rfc9293")
PLAIN = profile(RFC, timestamps=False)  # no timestamps: a retransmission's ACK says nothing of the time
HOUR = 3600 * S


def sent_at(line: Line, since_us: int) -> list[int]:
    """When the client sent data, in microseconds from `since_us`."""
    return [sent.t_us - since_us for sent in line.log(CLIENT, since_us) if sent.seg.len]


# 3.8.2


def flights(line: Line, octets: int, round_trips: int) -> list[int]:
    """Full segments sent in each round trip from now on."""
    since, round_trip = line.now, 2 * line.delay_us
    line.send(CLIENT, octets)
    line.run(round_trips * round_trip)
    bins = [0] * (round_trips + 1)
    for at in sent_at(line, since):
        bins[at // round_trip] += 1
    return bins[:round_trips]


def wide(**knobs: object) -> Line:
    """A line whose windows never limit, with an ACK for each segment."""
    space = 1 << 23
    stack = profile(RFC, wscale=8, rcv_space=space, snd_space=space, **knobs)
    line = Line(stack, stack, delay_us=50 * MS).open(server=SocketOptions(quickack=True))
    line.send(SERVER, 1)  # so that the client has heard a scaled window
    line.run(1 * S)
    return line


def test_slow_start_doubles_the_flight_each_round_trip() -> None:
    assert flights(wide(), 500_000, 6) == [4, 8, 16, 32, 64, 128]


def test_a_timeout_starts_over_with_one_segment_and_slow_start_ends_at_half_the_flight() -> None:
    line = wide()
    assert flights(line, 4_000_000, 4) == [4, 8, 16, 32]
    line.cut()
    line.run_until(lambda: "retransmission" in line.told("timer", CLIENT))
    line.heal()
    assert (line.tcb(CLIENT).cwnd, line.tcb(CLIENT).ssthresh) == (1, 64 // 2)


def test_congestion_avoidance_adds_one_segment_each_round_trip() -> None:
    line = wide()
    line.loses = data(CLIENT, 10)  # recovery halves the window, and from there on it grows slowly
    line.send(CLIENT, 4_000_000)
    line.run(4 * S)
    t = line.tcb(CLIENT)
    assert t.cwnd >= t.ssthresh
    assert "retransmission" not in line.told("timer", CLIENT)
    grown = []
    for _ in range(10):
        grown.append(line.tcb(CLIENT).cwnd)
        line.run(100 * MS)
    assert {b - a for a, b in itertools.pairwise(grown)} <= {0, 1, 2}
    assert 8 <= grown[-1] - grown[0] <= 10


# 3.8.3


def test_r2_is_at_least_100_seconds_and_closes_the_connection() -> None:
    line, side = reach("ESTABLISHED", RFC)
    since = line.now
    line.send(side, 100)
    line.run(HOUR)
    assert line.state(side) == State.CLOSED
    assert line.notes[-1].t_us - since >= 100 * S
    assert line.error(side) == "ETIMEDOUT"


@pytest.mark.parametrize("way", ["FIN-WAIT-1", "FIN-WAIT-1/orphan", "CLOSING", "LAST-ACK"])
def test_r2_holds_for_a_fin_too(way: str) -> None:
    line, side = reach(way, RFC)
    line.run(HOUR)
    assert line.state(side) == State.CLOSED
    assert line.rules(side)[-1].endswith("-gave-up")
    assert line.next() is None


@pytest.mark.parametrize("seconds", [7, 30, 1_000])
def test_a_program_sets_r2_of_its_connection(seconds: int) -> None:
    line, side = reach("ESTABLISHED", RFC)
    line.set(side, user_timeout_us=seconds * S)
    since = line.now
    line.send(side, 100)
    line.run(HOUR)
    assert line.notes[-1].t_us - since == seconds * S


def test_a_program_sets_r2_to_infinity() -> None:
    line, side = reach("ESTABLISHED", RFC)
    line.set(side, user_timeout_us=0)
    line.send(side, 100)
    line.run(24 * HOUR)
    assert line.state(side) == State.ESTABLISHED
    assert len(sent_at(line, line.now - HOUR)) == 60


def test_a_syn_is_sent_again_with_back_off_and_its_end_is_told_to_the_program() -> None:
    line, side = reach("SYN-SENT", RFC)
    line.run(HOUR)
    gaps = [b - a for a, b in itertools.pairwise([sent.t_us for sent in line.log(side)])]
    assert gaps[:6] == [gap * S for gap in (1, 2, 4, 8, 16, 32)]
    assert line.state(side) == State.CLOSED
    assert line.error(side) == "ETIMEDOUT"
    assert line.notes[-1].t_us >= 180 * S


def test_a_syn_ack_is_sent_again_with_back_off_for_three_minutes() -> None:
    line, side = reach("SYN-RECEIVED", RFC)
    line.run(HOUR)
    times = [sent.t_us for sent in line.log(side) if sent.flags == "SA"]
    assert [b - a for a, b in itertools.pairwise(times)][:6] == [gap * S for gap in (1, 2, 4, 8, 16, 32)]
    assert line.notes[-1].t_us - times[0] >= 180 * S
    assert line.state(side) == State.LISTEN


def test_a_retransmission_says_what_was_sent_before() -> None:
    line, side = reach("ESTABLISHED", RFC)
    line.send(side, 300)
    line.run(5 * S)
    first, *again = [sent.seg for sent in line.log(side) if sent.seg.len]
    assert len(again) == 2

    def plain(seg: Segment) -> Segment:
        return seg._replace(options=NO_OPTIONS)

    assert {plain(seg) for seg in again} == {plain(first)}
    assert line.inject(side, segment_for(line, side, "A")) == ()
    assert line.tcb(side).unacked == 0
