"""Probes of the states that wait: FIN-WAIT-2 and TIME-WAIT."""

from __future__ import annotations

from tcpsim.tcp.segment import flag_letters
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State
from tests.tcp.probes.battery import (
    CLIENT,
    MS,
    SERVER,
    Line,
    S,
    alone,
    died_at,
    flags_of,
    probe,
    turned,
)
from tests.tcp.two_ends import segment_for
from tests.tcp.ways import reach


def stays(line: Line, side: str, since_us: int) -> bool:
    """Whether the socket is alive after an hour."""
    line.run(3_600 * S)
    return not any(n.t_us >= since_us and n.note.new is State.CLOSED for n in line.notes if n.side == side)


@probe("linux", "fin_wait_2_us", "fin_wait_2_on_fin_acked", "fin_wait_2_rst", "fin_wait_2_idle_check_us")
def an_orphan_in_fin_wait_2(s: Stack) -> None:
    """ip-sysctl.rst tcp_fin_timeout 60: close() in ESTABLISHED; gone 60 s after the FIN's ACK, silently."""
    line, side = reach("FIN-WAIT-2/orphan", s)
    since = line.now
    line.run(3_600 * S)
    assert died_at(line, side, since) == 60 * S
    assert line.log(side, since) == []


@probe("linux", "fin_wait_2_us", "fin_wait_2_on_close")
def close_finds_fin_wait_2(s: Stack) -> None:
    """tcp.c __tcp_close: the other place where the timer is armed; the time counts from the close()."""
    line, side = reach("FIN-WAIT-2", s)
    line.run(100 * S)
    since = line.now
    line.close(side)
    line.run(3_600 * S)
    assert died_at(line, side, since) == 60 * S


@probe("linux", "fin_wait_2_on_fin_acked")
def an_owner_may_wait_for_ever(s: Stack) -> None:
    """tcp_input.c tcp_rcv_state_process: SOCK_DEAD only, though the program has shut both directions."""
    line = Line(s).open()
    line.shutdown(CLIENT, rd=True)
    line.run_until(lambda: line.state(CLIENT) == State.FIN_WAIT_2)
    assert stays(line, CLIENT, alone(line))


def both_shut(s: Stack) -> tuple[Line, int]:
    """FIN-WAIT-2 of a program that shut down both directions; and when it began."""
    line = Line(s).open()
    line.shutdown(CLIENT, rd=True)
    line.run_until(lambda: line.state(CLIENT) == State.FIN_WAIT_2)
    return line, alone(line)


@probe("freebsd", "fin_wait_2_us", "fin_wait_2_on_fin_acked", "fin_wait_2_idle_check_us", "fin_wait_2_error")
def freebsd_limits_who_cannot_receive(s: Stack) -> None:
    """tcp_input.c SBS_CANTRCVMORE; tcp_timer_2msl: idle for more than TP_MAXIDLE 600 s, asked again after 75
    s."""
    line, since = both_shut(s)
    line.run(3_600 * S)
    assert died_at(line, CLIENT, since) == 675 * S
    assert line.error(CLIENT) == "ETIMEDOUT"


@probe("freebsd", "fin_wait_2_on_fin_acked")
def freebsd_does_not_limit_who_can_receive(s: Stack) -> None:
    """The same line: without SBS_CANTRCVMORE no timer is started."""
    line, side = reach("FIN-WAIT-2", s)
    assert stays(line, side, line.now)


@probe(
    "4.4bsd", "fin_wait_2_on_close", "fin_wait_2_on_fin_acked", "fin_wait_2_us", "fin_wait_2_idle_check_us"
)
def the_arm_point_that_44bsd_lacks(s: Stack) -> None:
    """tcp_usrreq.c tcp_usrclosed: no timer; only the FIN's ACK starts it (tcp_input.c): 600 s and 75 s."""
    line, side = reach("FIN-WAIT-2", s)
    since = line.now
    line.close(side)
    assert stays(line, side, since)
    line, since = both_shut(s)
    line.run(3_600 * S)
    assert died_at(line, CLIENT, since) == 675 * S


@probe("linux", "fin_wait_2_rto_floor")
def fin_wait_2_lasts_some_timeouts(s: Stack) -> None:
    """tcp.h tcp_fin_time: at least 3.5 RTO, here 220 ms each."""
    line, side = reach("FIN-WAIT-2/orphan", turned(s, fin_wait_2_us="500ms"))
    since = line.now
    line.run(10 * S)
    assert died_at(line, side, since) == 770 * MS


@probe("linux", "fin_wait_2_two_stages", "time_wait_us")
def fin_wait_2_in_two_stages(s: Stack) -> None:
    """tcp_timer.c tcp_keepalive_timer: tcp_fin_timeout 61 s lasts 2 s, the excess over TIME-WAIT twice."""
    line, side = reach("FIN-WAIT-2/orphan", turned(s, tcp_fin_timeout="61s"))
    since = line.now
    line.run(100 * S)
    assert died_at(line, side, since) == 2 * S


@probe("linux", "linger2_max_us")
def tcp_linger2_has_a_cap(s: Stack) -> None:
    """tcp.c TCP_LINGER2: at most TCP_FIN_TIMEOUT_MAX 120 s, which is 60 s over TIME-WAIT, twice."""
    line = Line(s).open()
    line.set(CLIENT, linger2_us=110 * S)
    line.close(CLIENT)
    line.run_until(lambda: line.state(CLIENT) == State.FIN_WAIT_2)
    since = alone(line)
    line.run(1_000 * S)
    assert died_at(line, CLIENT, since) == 2 * 50 * S
    line = Line(s).open()
    line.set(CLIENT, linger2_us=300 * S)
    line.close(CLIENT)
    line.run_until(lambda: line.state(CLIENT) == State.FIN_WAIT_2)
    since = alone(line)
    line.run(1_000 * S)
    assert died_at(line, CLIENT, since) == 2 * 60 * S


@probe("hpux-11", "fin_wait_2_rst", "fin_wait_2_on_fin_acked")
def hpux_resets_at_the_end(s: Stack) -> None:
    """HP-UX white paper 2008: tcp_fin_wait_2_timeout, once set, is for any FIN_WAIT_2, and ends with a
    RST."""
    line, side = reach("FIN-WAIT-2", turned(s, tcp_fin_wait_2_timeout="600s"))
    since = line.now
    line.run(3_600 * S)
    assert died_at(line, side, since) == 600 * S
    assert [flag_letters(sent.seg.flags)[0] for sent in line.log(side, since)] == ["R"]


@probe("linux", "time_wait_us")
def time_wait(s: Stack) -> None:
    """tcp.h TCP_TIMEWAIT_LEN: 60 s."""
    line, side = reach("TIME-WAIT", s)
    since = line.now
    line.run(600 * S)
    assert died_at(line, side, since) == 60 * S


@probe("linux", "rfc1337")
def a_rst_kills_time_wait(s: Stack) -> None:
    """ip-sysctl.rst tcp_rfc1337 0: TIME-WAIT assassination."""
    line, side = reach("TIME-WAIT", s)
    line.inject(side, segment_for(line, side, "R"))
    assert line.state(side) == State.CLOSED


@probe("linux", "mini_sockets", "time_wait_us")
def a_bare_ack_starts_time_wait_again(s: Stack) -> None:
    """tcp_minisocks.c tcp_timewait_state_process: any bare segment at RCV.NXT reschedules the 60 s."""
    line, side = reach("TIME-WAIT", s)
    since = line.now
    line.run(30 * S)
    assert line.inject(side, segment_for(line, side, "A")) == ()
    line.run(600 * S)
    assert died_at(line, side, since) == 90 * S


@probe("linux", "mini_sockets")
def who_pays_for_time_wait(s: Stack) -> None:
    """tcp_minisocks.c tcp_time_wait: 256 octets, though the program still has its descriptor."""
    line, side = reach("TIME-WAIT", s)
    assert line.holder(side) == "mini"


@probe("rfc9293", "time_wait_checks", "rfc1337")
def time_wait_of_the_rfc_reads_a_rst(s: Stack) -> None:
    """RFC 9293 3.10.7.4 second: in TIME-WAIT too, a RST at RCV.NXT closes."""
    line, side = reach("TIME-WAIT", s)
    line.inject(side, segment_for(line, side, "R"))
    assert line.state(side) == State.CLOSED


@probe("freebsd", "time_wait_checks")
def time_wait_of_bsd_answers_an_old_ack(s: Stack) -> None:
    """tcp_timewait.c tcp_twcheck: whatever is no exact duplicate ACK (th_ack != snd_nxt) is answered."""
    line, side = reach("TIME-WAIT", s)
    assert line.inject(side, segment_for(line, side, "A")) == ()
    assert flags_of(line.inject(side, segment_for(line, side, "A", ack=-1))) == "A"


def server_waits(s: Stack) -> Line:
    """The listener's side has closed first and is in TIME-WAIT."""
    line = Line(s, s).open()
    line.close(SERVER)
    line.run(100 * MS)
    line.close(CLIENT)
    line.run_until(lambda: line.state(SERVER) == State.TIME_WAIT)
    line.cut()
    return line


@probe("linux", "time_wait_reuse")
def a_later_syn_takes_the_place_of_time_wait(s: Stack) -> None:
    """RFC 9293 MAY-2, RFC 6191; tcp_minisocks.c TCP_TW_SYN: beyond RCV.NXT."""
    line = server_waits(s)
    syn = segment_for(line, SERVER, "S", at=100_000)
    assert flags_of(line.inject(SERVER, syn)) == "SA"


@probe("linux", "time_wait_yields")
def without_a_listener_time_wait_stays(s: Stack) -> None:
    """tcp_ipv4.c tcp_v4_rcv TCP_TW_SYN: only if inet_lookup_listener finds one; else the SYN is
    acknowledged."""
    line, side = reach("TIME-WAIT", s)
    assert flags_of(line.inject(side, segment_for(line, side, "S", at=100_000))) == "A"


@probe("freebsd", "time_wait_yields")
def time_wait_of_freebsd_goes_first(s: Stack) -> None:
    """tcp_timewait.c tcp_twcheck: tcp_close, and only then the port is found to be closed."""
    line, side = reach("TIME-WAIT", s)
    assert flags_of(line.inject(side, segment_for(line, side, "S", at=100_000))) == "RA"
