"""Round-trip times, retransmission timeouts, back-off, and what a retry count is worth in time."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tcpsim.tcp.rto import budget
from tcpsim.tcp.stack import stack
from tcpsim.tcp.tcb import SocketOptions
from tests.tcp.two_ends import CLIENT, MS, SERVER, Line, S, data, profile

AT_ONCE = SocketOptions(quickack=True)
BSD_TABLE = [1, 2, 4, 8, 16, 32, 64]


def measured(name: str, rtts_ms: list[int], **knobs: object) -> tuple[int, int]:
    """SRTT and RTO in microseconds after the handshake and the following exchanges took so long."""
    line = Line(profile(name, **knobs), profile(name, **knobs), delay_us=rtts_ms[0] * MS // 2)
    line.open(server=AT_ONCE)
    for rtt_ms in rtts_ms[1:]:
        line.delay_us = rtt_ms * MS // 2
        line.send(CLIENT, 100)
        line.run(5 * S)
    t = line.tcb(CLIENT)
    return t.srtt8 >> 3, t.rto_us


@pytest.mark.parametrize(
    ("rtts_ms", "srtt_us", "rto_ms"),
    [
        ([100], 100_000, 300),  # SRTT 100, RTTVAR 50: 100 + 4 * 50
        ([100, 200], 112_500, 363),  # RTTVAR 3/4 50 + 1/4 100 = 62.5, SRTT 112.5: 362.5
        ([100, 200, 60], 105_937, 346),  # RTTVAR 3/4 62.5 + 1/4 52.5 = 60, SRTT 105.9: 345.9
        ([100, 100, 100], 100_000, 213),  # RTTVAR 50, 37.5, 28.1: 212.5
    ],
)
def test_rfc_6298_by_hand(rtts_ms: list[int], srtt_us: int, rto_ms: int) -> None:
    """Equations 2.2 and 2.3, rounded up to the clock's millisecond, without the floor of 2.4."""
    assert measured("rfc9293", rtts_ms, rto_min_us="1ms") == (srtt_us, rto_ms * MS)


def test_rfc_6298_floor() -> None:
    assert measured("rfc9293", [100]) == (100_000, 1 * S)


def test_rfc_6298_granularity() -> None:
    """Equation 2.3: RTO is SRTT + max(G, 4 RTTVAR), so a steady RTT never becomes its own timeout."""
    assert measured("rfc9293", [2_000] * 80)[1] == 2_001 * MS


@pytest.mark.parametrize(
    ("rtts_ms", "rto_ms"),
    [
        ([20], 220),  # SRTT 20, RTTVAR max(10 * 4, 200)
        ([20, 20, 20, 20], 220),  # the floor is on the variance: it does not shrink further
        ([20, 120], 236),  # SRTT 32.5, variance still below 200: 232.5, up to 4 ms ticks
        ([100], 300),
        ([200], 600),  # SRTT 200, RTTVAR 100 * 4
        ([400, 100], 1176),  # SRTT 362.5; a falling RTT adds an eighth of 300 - 200: 812.5, sum 1175
    ],
)
def test_linux_estimator_by_hand(rtts_ms: list[int], rto_ms: int) -> None:
    """tcp_rtt_estimator. Traces say 224, 304, 604: their RTT is a little above 20, 100, 200 ms."""
    assert measured("linux", rtts_ms)[1] == rto_ms * MS


def test_a_round_trip_just_above_20_ms_makes_it_224() -> None:
    line = Line(delay_us=10_150).open()
    assert line.tcb(CLIENT).rto_us == 224 * MS


# Karn and back-off


@pytest.mark.parametrize("name", ["linux", "rfc9293"])
def test_karn(name: str) -> None:
    """Without timestamps an ACK of what was resent measures nothing, and the back-off stays till one does."""
    line = Line(profile(name, timestamps=False), profile(name, timestamps=False)).open(server=AT_ONCE)
    srtt8, rto_us = line.tcb(CLIENT).srtt8, line.tcb(CLIENT).rto_us
    line.loses = data(CLIENT, 1, 2)
    line.send(CLIENT, 100)
    line.run_until(lambda: line.tcb(CLIENT).unacked == 0)
    assert (line.tcb(CLIENT).srtt8, line.tcb(CLIENT).rto_us > rto_us) == (srtt8, True)
    line.send(CLIENT, 100)
    line.run(1 * S)
    assert line.tcb(CLIENT).rto_us == rto_us


def test_timestamps_measure_what_was_resent() -> None:
    """RFC 7323 4.1: the echo tells which transmission arrived."""
    line = Line(profile("linux", loss_probe=False)).open(server=AT_ONCE)
    line.loses = data(CLIENT, 1)
    line.send(CLIENT, 100)
    line.run_until(lambda: line.tcb(CLIENT).unacked == 0)
    assert line.tcb(CLIENT).rto_us == 220 * MS


def gaps(line: Line) -> list[int]:
    """Seconds between the transmissions of one segment that is never acknowledged."""
    line.open().cut()
    since = line.now
    line.send(CLIENT, 100)
    line.run(3600 * S)
    return [(b.t_us - a.t_us) // S for a, b in pairwise(line.log(CLIENT, since))]


def test_back_off_doubles_up_to_the_largest() -> None:
    """RFC 6298 5.5 and 2.5; the user timeout of five minutes ends it."""
    assert gaps(Line("rfc9293", "rfc9293")) == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_back_off_by_a_table() -> None:
    """4.4BSD tcp_backoff: after 12 retransmissions at RTO 1 s the connection is dropped, 511 s in all."""
    knobs = {"backoff": BSD_TABLE, "retries": 12, "rto_max_us": "64s", "user_timeout_us": "never"}
    line = Line(profile("rfc9293", **knobs), "rfc9293")
    assert gaps(line) == [1, 2, 4, 8, 16, 32, 64, 64, 64, 64, 64, 64]
    first = next(sent.t_us for sent in line.log(CLIENT) if sent.seg.len)
    assert line.notes[-1].note.what == "established-gave-up"
    assert line.notes[-1].t_us - first == 511 * S


def test_the_table_begins_anew_after_a_measurement() -> None:
    line = Line(profile("rfc9293", backoff=BSD_TABLE), "rfc9293").open()
    for _ in range(2):
        line.loses = data(CLIENT, 1, 2, 3)
        since = line.now
        line.send(CLIENT, 100)
        line.run(60 * S)
        times = [sent.t_us for sent in line.log(CLIENT, since)]
        assert [(b - a) // S for a, b in pairwise(times)] == [1, 2, 4]


def test_a_count_begins_anew_after_progress() -> None:
    line = Line(profile("rfc9293", retries=3), "rfc9293").open()
    for _ in range(3):
        line.loses = data(CLIENT, 1, 2, 3)
        line.send(CLIENT, 100)
        line.run(60 * S)
    assert line.receive(SERVER) == 300


# Budgets (Linux)


@pytest.mark.parametrize(
    ("retries", "ms"),
    [
        (0, 200),
        (1, 600),
        (3, 3_000),  # 200 + 400 + 800 + 1600
        (8, 102_200),  # ip-sysctl.rst tcp_orphan_retries
        (9, 204_600),
        (15, 924_600),  # ip-sysctl.rst tcp_retries2
    ],
)
def test_budget_by_hand(retries: int, ms: int) -> None:
    assert budget(retries, 200 * MS, stack("linux")) == ms * MS


def test_a_budget_with_a_smaller_largest_rto() -> None:
    """tcp_rto_max_ms caps the terms: 200 + 400 + 800 + 1600 + 2000 + 2000 (trace 15k)."""
    assert budget(5, 200 * MS, profile("linux", tcp_rto_max_ms=2_000)) == 7_000 * MS


@pytest.mark.parametrize(("retries", "dead_ms"), [(3, 3_965), (5, 15_240)])
def test_data_into_silence(retries: int, dead_ms: int) -> None:
    """tcp_retries2: a time budget that only an expiry looks at (trace 15; kernels are late)."""
    line = Line(profile("linux", tcp_retries2=retries)).open()
    line.cut()
    since = line.now
    line.send(CLIENT, 100)
    line.run(3600 * S)
    took_ms = (line.notes[-1].t_us - since) / MS
    assert took_ms <= dead_ms <= took_ms * 1.125 + 8


def test_the_default_is_about_a_quarter_of_an_hour() -> None:
    line = Line().open()
    line.cut()
    since = line.now
    line.send(CLIENT, 100)
    line.run(3600 * S)
    assert line.error(CLIENT) == "ETIMEDOUT"
    assert 924 * S <= line.notes[-1].t_us - since <= 1_044 * S


def test_further_writes_do_not_prolong_it() -> None:
    line = Line(profile("linux", tcp_retries2=3)).open()
    line.cut()
    since = line.now
    for _ in range(30):
        line.send(CLIENT, 100)
        line.run(100 * MS)
    line.run(3600 * S)
    assert line.notes[-1].t_us - since <= 3_965 * MS
    assert line.loses(SERVER, line.sent[0].seg)
