"""Keepalive, the user timeout, and a window that stays shut."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions
from tests.tcp.two_ends import CLIENT, SERVER, Line, S, profile
from tests.tcp.ways import half_open, reach

BOTH = pytest.mark.parametrize("stack", ["linux", "rfc9293"])
HOUR = 3600 * S
DAY = 24 * HOUR
PROBING = SocketOptions(keepalive=True, keep_idle_us=100 * S, keep_intvl_us=10 * S, keep_cnt=3)


def probes(line: Line, side: str, since_us: int) -> list[int]:
    """When `side` probed, in seconds from `since_us`: segments one octet to the left of what is expected."""
    edge = line.tcb(side).snd_nxt
    return [(s.t_us - since_us) // S for s in line.log(side, since_us) if s.seg.seq == edge - 1]


# Keepalive (3.8.4)


@BOTH
def test_keepalive_is_off_unless_asked_for(stack: str) -> None:
    line = Line(stack, stack).open()
    assert line.next() is None


@pytest.mark.parametrize(
    ("stack", "resets", "error"), [("linux", ["RA"], "ETIMEDOUT"), ("rfc9293", [], "ETIMEDOUT")]
)
def test_keepalive_gives_up_on_a_silent_peer(stack: str, resets: list[str], error: str) -> None:
    line = Line(stack, stack).open(client=PROBING)
    since = line.tcb(CLIENT).last_ack_us
    line.cut()
    line.run(DAY)
    assert probes(line, CLIENT, since) == [100, 110, 120]
    assert [s.flags for s in line.log(CLIENT, since + 121 * S)] == resets
    assert line.rules(CLIENT)[-1] == "established-gave-up"
    assert line.notes[-1].t_us - since == 130 * S
    assert line.error(CLIENT) == error


@pytest.mark.parametrize(("stack", "seconds"), [("linux", 7200 + 9 * 75), ("rfc9293", 7200 + 8 * 75)])
def test_keepalive_with_the_stacks_own_numbers(stack: str, seconds: int) -> None:
    """tcp(7), tcp(4): Linux learns of a dead peer after 7875 s, 4.4BSD's numbers give 7800 s."""
    line = Line(stack, stack).open(client=SocketOptions(keepalive=True))
    since = line.tcb(CLIENT).last_ack_us
    line.cut()
    line.run(DAY)
    assert line.notes[-1].t_us - since == seconds * S


@BOTH
def test_one_answer_starts_the_count_anew(stack: str) -> None:
    line = Line(stack, stack).open(client=PROBING)
    since = line.tcb(CLIENT).last_ack_us
    line.cut()
    line.run(since + 115 * S - line.now)
    line.heal()
    line.run(10 * S)  # the third probe is answered
    line.cut()
    line.run(since + 230 * S - line.now)
    assert line.state(CLIENT) == State.ESTABLISHED
    line.run(30 * S)
    assert line.rules(CLIENT)[-1] == "established-gave-up"
    assert probes(line, CLIENT, since) == [100, 110, 120, 220, 230, 240]


@BOTH
def test_a_live_peer_answers_for_ever(stack: str) -> None:
    line = Line(stack, stack).open(client=PROBING)
    line.run(DAY)
    assert line.state(CLIENT) == line.state(SERVER) == State.ESTABLISHED
    assert len(probes(line, CLIENT, 0)) > 500


@BOTH
def test_a_rebooted_peer_answers_the_first_probe_with_a_reset(stack: str) -> None:
    line = half_open(stack)
    line.set(SERVER, keepalive=True, keep_idle_us=100 * S)
    line.run(101 * S)
    assert line.state(SERVER) == State.CLOSED
    assert line.error(SERVER) == "ECONNRESET"


@BOTH
@pytest.mark.parametrize("way", ["SYN-SENT", "FIN-WAIT-2/orphan", "TIME-WAIT"])
def test_no_keepalive_here(way: str, stack: str) -> None:
    line, side = reach(way, stack)
    line.set(side, keepalive=True, keep_idle_us=1 * S)
    assert line.tcb(side).keep_at_us is None


@BOTH
@pytest.mark.parametrize("way", ["ESTABLISHED", "FIN-WAIT-2", "CLOSE-WAIT"])
def test_keepalive_here(way: str, stack: str) -> None:
    line, side = reach(way, stack)
    line.set(side, keepalive=True, keep_idle_us=1 * S, keep_cnt=2)
    line.run(DAY)
    assert line.state(side) == State.CLOSED
    assert line.tcb(side).closed_by == "keepalive"


def test_data_in_flight_is_no_idle_connection() -> None:
    line = Line().open(client=PROBING)
    line.cut()
    line.send(CLIENT, 10)
    line.run(300 * S)
    assert line.told("timer", CLIENT).count("keepalive") == 0


# The user timeout (3.10.8; Linux TCP_USER_TIMEOUT)


def test_the_rfcs_user_timeout_is_a_timer() -> None:
    line = Line("rfc9293", "rfc9293").open()
    line.cut()
    since = line.now
    line.send(CLIENT, 10)
    line.run(HOUR)
    assert line.notes[-1].t_us - since == 300 * S
    assert line.error(CLIENT) == "ETIMEDOUT"


def test_progress_starts_the_users_timeout_anew() -> None:
    line = Line("rfc9293", "rfc9293").open(client=SocketOptions(user_timeout_us=20 * S))
    for _ in range(8):
        line.send(CLIENT, 10)
        line.run(5 * S)
    assert line.state(CLIENT) == State.ESTABLISHED


def test_linux_checks_the_users_timeout_when_a_timer_fires() -> None:
    """From the first retransmission on: 2000 ms ends at about 2463 ms after send() (trace 16)."""
    line = Line().open(client=SocketOptions(user_timeout_us=2 * S))
    line.run(5 * S)
    line.cut()
    since = line.now
    line.send(CLIENT, 100)
    line.run(HOUR)
    assert line.rules(CLIENT)[-1] == "established-gave-up"
    took = line.notes[-1].t_us - since
    assert took <= 2_463_000 <= took * 1.125 + 8_000


def test_the_users_timeout_replaces_the_count_of_keepalive_probes() -> None:
    options = PROBING._replace(user_timeout_us=125 * S, keep_cnt=10)
    line = Line().open(client=options)
    since = line.tcb(CLIENT).last_ack_us
    line.cut()
    line.run(DAY)
    assert line.notes[-1].t_us - since == 130 * S


# A window that stays shut (3.8.6.1)


def shut_window(stack: str, **knobs: object) -> Line:
    """The server's program reads nothing; the client has more to send than fits."""
    line = Line(profile(stack, **knobs), stack).open()
    while line.send(CLIENT, 1 << 20):
        line.run(1 * S)
    line.run(HOUR)
    return line


@BOTH
def test_probes_back_off_and_go_on_while_they_are_answered(stack: str) -> None:
    line = shut_window(stack)
    assert line.tcb(CLIENT).snd_wnd == 0
    since = line.now
    line.run(DAY)
    assert line.state(CLIENT) == State.ESTABLISHED
    ceiling_s = 120 if stack == "linux" else 60
    sent = [s.t_us // S for s in line.log(CLIENT, since)]
    assert len(sent) == pytest.approx(86_400 / ceiling_s, rel=0.02)
    assert {b - a for a, b in pairwise(sent)} <= {ceiling_s, ceiling_s + 1}


@BOTH
def test_a_window_that_opens_is_used(stack: str) -> None:
    line = shut_window(stack)
    total = line.receive(SERVER)
    while line.tcb(CLIENT).unacked:
        line.run(200 * S)
        total += line.receive(SERVER)
    line.run(HOUR)
    total += line.receive(SERVER)
    assert line.tcb(CLIENT).unacked == 0
    assert total == (line.tcb(CLIENT).snd_una - line.tcb(CLIENT).iss - 1) % 2**32


def test_unanswered_probes_end_it_on_linux() -> None:
    line = shut_window("linux")
    line.cut()
    line.run(DAY)
    assert line.rules(CLIENT)[-1] == "established-gave-up"
    assert line.tcb(CLIENT).closed_by == "zero-window probe limit"


def test_an_orphan_in_a_shut_window_ends_when_back_off_is_at_its_end() -> None:
    """Linux: although every probe is answered, 359 s to 360 s (trace 20); a program could wait for ever."""
    line = Line().open()
    while line.send(CLIENT, 1 << 20):
        line.run(1 * S)
    since = line.now
    line.close(CLIENT)
    assert line.state(CLIENT) == State.FIN_WAIT_1
    line.run(DAY)
    assert line.gone(CLIENT)
    assert line.notes[-1].t_us - since < 400 * S
    assert line.flags(CLIENT)[-1] == "A"
