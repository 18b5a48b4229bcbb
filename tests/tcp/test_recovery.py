"""Loss recovery: duplicates, partial ACKs, SACK, RACK, tail-loss probes, the timeout; any finite losses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpsim.tcp.seqnum import add, diff
from tests.tcp.two_ends import CLIENT, MS, SERVER, Line, S, Sent, data, profile, segment_for
from tests.tcp.ways import reach

BOTH = pytest.mark.parametrize("stack", ["linux", "rfc9293"])
MSS = 1448  # with timestamps


def line_for(stack: str, *lost: int, **knobs: object) -> Line:
    """A connection on which the client's data segments with these numbers are lost."""
    line = Line(profile(stack, **knobs), profile(stack, **knobs)).open()
    line.loses = data(CLIENT, *lost) if lost else line.loses
    return line


def resent(line: Line, side: str = CLIENT) -> list[Sent]:
    """Data segments that begin where an earlier one began."""
    seen: set[int] = set()
    again = []
    for sent in line.log(side):
        if sent.seg.len and sent.seg.seq in seen:
            again.append(sent)
        if sent.seg.len:
            seen.add(sent.seg.seq)
    return again


def segment_numbers(line: Line, found: list[Sent], mss: int) -> list[int]:
    """Which full segments of the client's stream these are, counted from one."""
    return [diff(sent.seg.seq, line.tcb(CLIENT).iss + 1) // mss + 1 for sent in found]


# Without SACK: RFC 5681 3.2, RFC 6582


@BOTH
def test_fast_retransmit_at_the_third_duplicate(stack: str) -> None:
    line = line_for(stack, 1, sack=False, initial_window=10)
    since = line.now
    line.send(CLIENT, 10 * MSS)
    line.run_until(lambda: bool(resent(line)))
    assert segment_numbers(line, resent(line), MSS) == [1]
    assert line.now == since + 20 * MS
    duplicates = [s for s in line.log(SERVER, since) if s.seg.ack == line.tcb(CLIENT).snd_una]
    assert len(duplicates) >= 3
    line.run(5 * S)
    assert line.receive(SERVER) == 10 * MSS
    assert "retransmission" not in line.told("timer", CLIENT)


@BOTH
def test_two_duplicates_are_not_enough(stack: str) -> None:
    line = line_for(stack, 1, sack=False, initial_window=3)
    line.send(CLIENT, 3 * MSS)
    line.run(5 * S)
    assert line.receive(SERVER) == 3 * MSS
    assert "retransmission" in line.told("timer", CLIENT)


@BOTH
def test_progress_forgets_duplicates(stack: str) -> None:
    line, side = reach("ESTABLISHED", profile(stack, sack=False, initial_window=10))
    line.send(side, 10 * MSS)
    nothing, one = (segment_for(line, side, "A", ack=ack * MSS) for ack in (-10, -9))
    for heard in (nothing, nothing, one, one, one):  # two duplicates, progress, two duplicates
        line.inject(side, heard)
    assert not resent(line, side)
    line.inject(side, one)
    assert segment_numbers(line, resent(line, side), MSS) == [2]


@BOTH
def test_a_partial_ack_resends_the_next_hole(stack: str) -> None:
    """NewReno: the second hole is filled a round trip after the first, without a timeout."""
    line = line_for(stack, 1, 4, sack=False, initial_window=10)
    since = line.now
    line.send(CLIENT, 10 * MSS)
    line.run(1 * S)
    assert segment_numbers(line, resent(line), MSS)[:2] == [1, 4]
    assert [s.t_us - since for s in resent(line)[:2]] == [20 * MS, 40 * MS]
    assert line.receive(SERVER) == 10 * MSS
    assert "retransmission" not in line.told("timer", CLIENT)


# SACK: RFC 2018, RFC 2883, RFC 6675


def blocks(line: Line, side: str, at: int, length: int) -> list[tuple[int, int]]:
    """Deliver octets out of order; the SACK blocks of the answer, relative to RCV.NXT."""
    nxt = line.tcb(side).rcv_nxt
    (answer,) = line.inject(side, segment_for(line, side, "A", at=at, length=length))
    return [(diff(left, nxt), diff(right, nxt)) for left, right in answer.options.sack]


@BOTH
def test_the_block_that_changed_last_comes_first(stack: str) -> None:
    line, side = reach("ESTABLISHED", profile(stack, comp_sack_nr=0))
    assert blocks(line, side, 100, 100) == [(100, 200)]
    assert blocks(line, side, 500, 100) == [(500, 600), (100, 200)]
    assert blocks(line, side, 300, 100) == [(300, 400), (500, 600), (100, 200)]
    assert blocks(line, side, 200, 100) == [(100, 400), (500, 600)]
    assert blocks(line, side, 700, 100) == [(700, 800), (100, 400), (500, 600)]
    assert blocks(line, side, 900, 100) == [
        (900, 1000),
        (700, 800),
        (100, 400),
    ]  # no room


def test_four_blocks_fit_without_timestamps() -> None:
    line, side = reach("ESTABLISHED", profile("linux", timestamps=False, comp_sack_nr=0))
    for at in (100, 300, 500, 700):
        found = blocks(line, side, at, 100)
    assert len(found) == 4


@pytest.mark.parametrize(
    ("stack", "first"),
    [("linux", [(100, 200), (100, 200)]), ("rfc9293", [(100, 200)])],
)
def test_a_duplicate_out_of_order_is_reported_once(stack: str, first: list[tuple[int, int]]) -> None:
    line, side = reach("ESTABLISHED", stack)
    blocks(line, side, 100, 100)
    assert blocks(line, side, 100, 100) == first
    assert blocks(line, side, 300, 50) == [(300, 350), (100, 200)]


def test_a_duplicate_below_rcv_nxt_is_reported_on_linux() -> None:
    line, side = reach("ESTABLISHED", "linux")
    line.inject(side, segment_for(line, side, "A", length=100))
    nxt = line.tcb(side).rcv_nxt
    (answer,) = line.inject(side, segment_for(line, side, "A", at=-100, length=100))
    assert answer.options.sack == ((add(nxt, -100), nxt),)


def test_a_filled_gap_is_acknowledged_at_once() -> None:
    """RFC 5681 4.2."""
    line, side = reach("ESTABLISHED", "rfc9293")
    blocks(line, side, 100, 100)
    nxt = line.tcb(side).rcv_nxt
    (answer,) = line.inject(side, segment_for(line, side, "A", length=100))
    assert (answer.ack, answer.options.sack) == (add(nxt, 200), ())


@BOTH
def test_two_holes_are_filled_without_a_timeout(stack: str) -> None:
    line = line_for(stack, 2, 5, initial_window=10)
    line.send(CLIENT, 10 * MSS)
    line.run(1 * S)
    assert segment_numbers(line, resent(line), MSS) == [2, 5]  # and nothing that had arrived
    assert line.receive(SERVER) == 10 * MSS
    assert "retransmission" not in line.told("timer", CLIENT)


def test_linux_fills_both_holes_in_one_round_trip() -> None:
    line = line_for("linux", 2, 5, initial_window=10)
    since = line.now
    line.send(CLIENT, 10 * MSS)
    line.run(1 * S)
    assert {s.t_us - since for s in resent(line)} == {20 * MS}


# RACK and tail-loss probes: RFC 8985


def test_rack_waits_for_reordering_before_it_resends() -> None:
    """A quarter of the RTT, and Linux's 2 ms of slack, after the SACK of what was sent later."""
    line = line_for("linux", 1)
    since = line.now
    line.send(CLIENT, 2 * MSS)
    line.run(1 * S)
    assert line.told("timer", CLIENT) == ["reordering"]
    (again,) = resent(line)
    wait_us = again.t_us - since - 20 * MS
    assert 20 * MS // 8 <= wait_us <= 11 * MS  # trace 06o: 11 ms
    assert line.receive(SERVER) == 2 * MSS


def test_rack_off_waits_for_three_marks() -> None:
    line = line_for("linux", 1, rack=False, loss_probe=False)
    line.send(CLIENT, 2 * MSS)
    line.run(1 * S)
    assert line.told("timer", CLIENT) == ["retransmission"]


def probe_times(line: Line, octets: int) -> list[int]:
    """Milliseconds after the write at which segments are sent again into silence."""
    line.cut()
    since = line.now
    line.send(CLIENT, octets)
    line.run(1_200 * MS)
    return [(sent.t_us - since) / MS for sent in resent(line)]


def test_a_probe_for_one_segment_comes_with_the_rto_and_does_not_back_off() -> None:
    """min(2 SRTT + 200, RTO) = 220: transmissions at 1, 1, 2 RTO, not 1, 2, 4 (surprise 2 of the traces)."""
    assert probe_times(line_for("linux"), 100) == [220, 440, 880]


def test_a_probe_for_two_segments_comes_after_two_round_trips() -> None:
    """2 SRTT + 2 ms, and it repeats the last segment only (trace 06p: about 46 ms)."""
    line = line_for("linux")
    times = probe_times(line, 2 * MSS)
    assert times[0] == 42
    assert segment_numbers(line, resent(line), MSS)[:2] == [2, 1]


def test_without_probes_the_text_book_holds() -> None:
    assert probe_times(line_for("linux", loss_probe=False), 100) == [220, 660]


def test_a_probe_takes_new_data_if_there_is_some() -> None:
    line = line_for("linux", initial_window=2)
    line.cut()
    line.send(CLIENT, 5 * MSS)
    line.run(43 * MS)
    assert [s.seg.len for s in line.log(CLIENT) if s.seg.len] == [MSS] * 3
    assert not resent(line)


def test_a_lost_tail_is_repaired_by_the_probe() -> None:
    line = line_for("linux", 4)
    line.send(CLIENT, 4 * MSS)
    line.run(1 * S)
    assert line.told("timer", CLIENT) == ["loss-probe"]
    assert line.receive(SERVER) == 4 * MSS


# The timeout


@BOTH
def test_after_a_timeout_everything_is_sent_again(stack: str) -> None:
    line = line_for(stack, *range(1, 5), initial_window=4, loss_probe=False)
    line.send(CLIENT, 4 * MSS)
    line.run(5 * S)
    assert segment_numbers(line, resent(line), MSS) == [1, 2, 3, 4]
    assert line.told("timer", CLIENT) == ["retransmission"]
    assert line.receive(SERVER) == 4 * MSS


def test_a_timeout_starts_with_one_segment() -> None:
    """RFC 5681 3.1: the loss window is one segment."""
    line = line_for("rfc9293", *range(1, 5))
    line.send(CLIENT, 4 * MSS)
    line.run_until(lambda: bool(resent(line)))
    assert len(resent(line)) == 1
    line.run(19 * MS)
    assert len(resent(line)) == 1


def test_linux_collapses_small_segments_when_it_resends() -> None:
    """Surprise 5: a resent data segment swallows the FIN queued behind it."""
    line = line_for("linux", loss_probe=False)
    line.cut()
    line.send(CLIENT, 100)
    line.shutdown(CLIENT)
    line.run(1 * S)
    assert [s.flags for s in line.log(CLIENT)][-3:] == ["FA", "FPA", "FPA"]


# Any finite pattern of losses


@settings(max_examples=60)
@given(
    lost=st.sets(st.tuples(st.sampled_from([CLIENT, SERVER]), st.integers(3, 160)), max_size=60),
    delay_ms=st.integers(1, 60),
)
@BOTH
def test_a_hundred_segments_arrive_whatever_is_lost(
    stack: str, lost: set[tuple[str, int]], delay_ms: int
) -> None:
    """All octets arrive in time, and both ends close cleanly; `lost` names segments by sender and number."""
    line = Line(stack, stack, delay_us=delay_ms * MS).open()
    line.loses = lambda side, seg: (side, len(line.log(side)) + 1) in lost
    left, got = 100 * MSS, 0
    while got < 100 * MSS:
        left -= line.send(CLIENT, left)
        line.run(50 * MS)
        assert line.now < 3600 * S
        got += line.receive(SERVER)
    line.close(CLIENT)
    line.run_until(lambda: line.tcb(SERVER).eof)
    line.close(SERVER)
    line.run(3600 * S)
    assert (got, line.gone(CLIENT), line.gone(SERVER)) == (100 * MSS, True, True)
    assert line.told("cause", SERVER) == []
    assert line.rules(CLIENT)[-1] == "two-msl"
