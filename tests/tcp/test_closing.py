"""How connections end: the retry oracle, fewer retries, and every limit that FIN-WAIT-2 may have."""

from __future__ import annotations

import pytest

from tcpsim.tcp.segment import FIN
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions
from tests.tcp.two_ends import CLIENT, MS, SERVER, Line, S, nth, profile
from tests.tcp.ways import reach

BOTH = pytest.mark.parametrize("stack", ["linux", "rfc9293"])
HOUR = 3600 * S
WEEK = 7 * 24 * HOUR


# Retries


def test_retry_oracle() -> None:
    """Every FIN of the server is lost: ten of them, then silence between 112 s and 120 s."""
    line = Line("linux", "linux").open()
    line.loses = nth(SERVER, FIN)
    closed_us = line.now
    line.close(SERVER)
    line.run(HOUR)
    fins = line.times(SERVER, "FA", closed_us)
    assert len(fins) == 10
    over_us = next(n.t_us for n in line.notes if n.note.what == "fin-wait-1-gave-up") - closed_us
    assert 112 * S <= over_us <= 120 * S
    assert line.log(SERVER)[-1].flags == "FA"  # no RST
    assert line.gone(SERVER)
    assert line.state(CLIENT) == State.ESTABLISHED


def test_an_orphan_with_fewer_retries() -> None:
    """tcp_orphan_retries=3 at RTT 20: a budget of 3.0 s, four retransmissions, gone at 3.7 s (trace 06d)."""
    line = Line("linux", profile("linux", tcp_orphan_retries=3)).open()
    line.loses = nth(SERVER, FIN)
    closed_us = line.now
    line.close(SERVER)
    line.run(HOUR)
    assert len(line.times(SERVER, "FA", closed_us)) == 5
    over_us = next(n.t_us for n in line.notes if n.note.what == "fin-wait-1-gave-up") - closed_us
    assert 3_000 * MS <= over_us <= 3_700 * MS


def test_zero_orphan_retries_mean_none_once_the_rto_is_at_its_largest() -> None:
    """tcp_orphan_retries=0 with tcp_rto_max_ms=2000: gone 5.7 s after the FIN (trace 06)."""
    line = Line("linux", profile("linux", tcp_rto_max_ms=2_000)).open()
    line.loses = nth(SERVER, FIN)
    closed_us = line.now
    line.close(SERVER)
    line.run_until(lambda: line.gone(SERVER))
    took_ms = (line.now - closed_us) / MS
    assert took_ms <= 5_687 <= took_ms * 1.125 + 8


def test_a_count_of_retries() -> None:
    """Where retries are counted, three means three."""
    line = Line("rfc9293", profile("rfc9293", orphan_retries=3)).open()
    line.loses = nth(SERVER, FIN)
    line.close(SERVER)
    line.run(HOUR)
    assert line.flags(SERVER).count("FA") == 4
    assert line.gone(SERVER)


# FIN-WAIT-2


def test_an_orphan_waits_60_s_and_goes_silently() -> None:
    line, side = reach("FIN-WAIT-2/orphan", "linux")
    since, sent = line.now, len(line.sent)
    line.run(59_999 * MS)
    assert line.state(side) == State.FIN_WAIT_2
    line.run(2 * MS)
    assert line.gone(side)
    assert (line.notes[-1].t_us - since, len(line.sent)) == (60 * S, sent)


@BOTH
def test_an_owned_fin_wait_2_has_no_limit(stack: str) -> None:
    line, side = reach("FIN-WAIT-2", stack)
    line.run(WEEK)
    assert line.state(side) == State.FIN_WAIT_2
    assert line.next() is None


def test_plain_rfc_has_no_limit_for_an_orphan() -> None:
    line, side = reach("FIN-WAIT-2/orphan", "rfc9293")
    assert line.next() is None
    assert line.holder(side) == "orphan"


def test_close_in_fin_wait_2_starts_the_clock() -> None:
    line, side = reach("FIN-WAIT-2", "linux")
    line.run(HOUR)
    line.close(side)
    line.run(60 * S)
    assert line.gone(side)


@pytest.mark.parametrize(("seconds", "lives_us"), [(61, 2 * S), (65, 10 * S), (120, 120 * S)])
def test_a_tcp_fin_timeout_above_a_minute_is_served_twice(seconds: int, lives_us: int) -> None:
    """A full socket waits for the excess over 60 s, then a mini-socket does (traces 18: 61 lives 2.0 s)."""
    line, side = reach("FIN-WAIT-2/orphan", profile("linux", tcp_fin_timeout=seconds))
    since = line.now
    assert line.holder(side) == "orphan"
    line.run(lives_us // 2)
    assert line.holder(side) == "mini"
    line.run(HOUR)
    assert line.notes[-1].t_us - since == lives_us


def test_tcp_fin_timeout_zero_lasts_three_and_a_half_rto() -> None:
    line, side = reach("FIN-WAIT-2/orphan", profile("linux", tcp_fin_timeout=0))
    assert line.tcb(side).rto_us == 220 * MS
    since = line.now
    line.run(HOUR)
    assert line.notes[-1].t_us - since == 770 * MS


@pytest.mark.parametrize(("asked_us", "lives_us"), [(2 * S, 2 * S), (130 * S, 120 * S)])
def test_linger2_shortens_and_is_capped(asked_us: int, lives_us: int) -> None:
    line = Line("linux", "linux").open(client=SocketOptions(linger2_us=asked_us))
    line.close(CLIENT)
    line.run_until(lambda: line.state(CLIENT) == State.FIN_WAIT_2)
    since = line.now
    line.run_until(lambda: line.gone(CLIENT))
    assert line.now - since == lives_us


def test_linger2_below_zero_resets_on_the_ack_of_the_fin() -> None:
    line = Line("linux", "linux").open(client=SocketOptions(linger2_us=-1))
    line.close(CLIENT)
    line.run(200 * MS)
    assert line.gone(CLIENT)
    assert line.flags(CLIENT)[-2:] == ["FA", "R"]
    assert line.error(SERVER) == "EPIPE"  # in CLOSE-WAIT


def test_a_rst_at_expiry_where_the_stack_sends_one() -> None:
    line = Line(profile("linux", fin_wait_2_rst=1), "linux").open()
    line.close(CLIENT)
    line.run(70 * S)
    assert line.gone(CLIENT)
    assert line.state(SERVER) == State.CLOSED
    assert line.rules(SERVER)[-1] == "close-wait-reset"


ONE_POINT = {
    "fin_wait_2_us": "600s",
    "fin_wait_2_on_fin_acked": "cannot-receive",
    "fin_wait_2_on_close": False,
}


def test_one_arm_point_close_first() -> None:
    """4.3BSD: the ACK of the FIN finds a socket that cannot receive any more, and arms the timer."""
    line, side = reach("FIN-WAIT-2/orphan", profile("rfc9293", **ONE_POINT))
    line.run(600 * S)
    assert line.gone(side)


def test_one_arm_point_never_after_shutdown_and_close() -> None:
    """4.4BSD and lingering_close: the ACK of the FIN came before close(), and nothing arms it any more."""
    line, side = reach("FIN-WAIT-2", profile("rfc9293", **ONE_POINT))
    line.close(side)
    line.run(WEEK)
    assert line.state(side) == State.FIN_WAIT_2
    assert line.next() is None


def test_one_arm_point_waits_on_while_the_peer_was_heard() -> None:
    """4.4BSD: at expiry the wait goes on by 75 s at a time until the peer was silent long enough."""
    stack = profile("rfc9293", **ONE_POINT, fin_wait_2_idle_check_us="75s")
    line, side = reach("FIN-WAIT-2/orphan", stack)
    since = line.now
    line.run(WEEK)
    assert line.gone(side)
    assert line.notes[-1].t_us - since == 675 * S


def test_keepalive_is_answered_and_does_not_prolong_an_orphans_fin_wait_2() -> None:
    line = Line("linux", "linux").open(
        server=SocketOptions(keepalive=True, keep_idle_us=5 * S, keep_intvl_us=5 * S)
    )
    line.close(CLIENT)
    line.run_until(lambda: line.state(CLIENT) == State.FIN_WAIT_2)
    since = line.now
    line.run_until(lambda: line.gone(CLIENT))
    assert line.now - since == 60 * S
    assert line.flags(CLIENT, since).count("A") == 11
