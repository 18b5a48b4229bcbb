"""Probes of resending and giving up: retransmission, zero window, keepalive, user timeout."""

from __future__ import annotations

from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions
from tests.tcp.probes.battery import (
    CLIENT,
    MS,
    Line,
    S,
    after,
    alone,
    died_at,
    doubling,
    plain,
    probe,
    sent_at,
    turned,
)
from tests.tcp.two_ends import segment_for
from tests.tcp.ways import reach

HOUR = 3_600 * S


def lost_data(s: Stack, delay_us: int, for_us: int) -> tuple[Line, int]:
    """A connection whose data nobody acknowledges, after `for_us`; and when the data was sent."""
    line = Line(s, delay_us=delay_us).open()
    since = alone(line)
    line.send(CLIENT, 100)
    line.run(for_us)
    return line, since


@probe(
    "linux",
    *("rto_min_us", "rto_max_us", "rto_rule", "rto_slop_us", "timer_hz", "backoff"),
    *("retries", "retry_budget_base_us", "rst_on_give_up", "user_timeout_us"),
)
def data_that_nobody_acknowledges(s: Stack) -> None:
    """tcp_timer.c: RTO is RTT 20 ms + 200 ms, doubled up to 120 s; tcp_retries2 15 is worth 924.6 s from the
    first repetition on (ip-sysctl.rst); ETIMEDOUT without a RST (tcp_write_err)."""
    line, since = lost_data(plain(s), 10 * MS, 1_000 * S)
    waits = doubling(220, 10, 120_000) + [120_000] * 6
    assert sent_at(line, CLIENT, since) == [0, *after(*waits[:-1])]
    assert died_at(line, CLIENT, since) == after(*waits)[-1]
    assert line.error(CLIENT) == "ETIMEDOUT"


@probe("linux", "rto_tick_us", "rto_min_us", "rto_rule")
def the_timeout_is_rounded_up(s: Stack) -> None:
    """HZ 250, so jiffies of 4 ms: 220 ms stay, 221 become 224."""
    for delay_us, first_ms in ((10_000, 220), (10_500, 224)):
        line, since = lost_data(plain(s), delay_us, S // 4)
        assert sent_at(line, CLIENT, since) == [0, first_ms * MS]


@probe("linux", "retry_rule")
def a_budget_is_no_count(s: Stack) -> None:
    """tcp_timer.c retransmits_timed_out: with RTO 2.4 s (RTT 0.8 s), 924.6 s are over after 12
    repetitions."""
    line, since = lost_data(plain(s), 400 * MS, 2_000 * S)
    waits = doubling(2_400, 6, 120_000) + [120_000] * 7
    assert sent_at(line, CLIENT, since) == [0, *after(*waits[:-1])]
    assert died_at(line, CLIENT, since) == after(*waits)[-1]


@probe(
    "linux", "orphan_retries", "orphan_retries_safe", "retry_budget_base_us", "rst_on_give_up", "rto_max_us"
)
def a_fin_that_nobody_acknowledges(s: Stack) -> None:
    """tcp_timer.c tcp_orphan_retries: 0 means 8, worth 102.2 s; no RST at the end."""
    line = Line(plain(s)).open()
    since = alone(line)
    line.close(CLIENT)
    line.run(400 * S)
    waits = doubling(220, 9, 120_000)
    assert sent_at(line, CLIENT, since) == [0, *after(*waits[:-1])]
    assert died_at(line, CLIENT, since) == after(*waits)[-1]


@probe("freebsd", "retries", "rst_on_give_up", "orphan_retries")
def freebsd_gives_up_with_a_rst(s: Stack) -> None:
    """tcp_timer.h TCP_MAXRXTSHIFT 12; tcp_subr.c tcp_drop sends RST,ACK. Orphans are not told apart."""
    for close in (False, True):
        line = Line(s).open()
        since = alone(line)
        line.close(CLIENT) if close else line.send(CLIENT, 100)
        line.run(2_000 * S)
        assert line.flags(CLIENT, since) == ["FA" if close else "PA"] * 13 + ["RA"]


@probe("rfc9293", "user_timeout_us", "user_timeout_rule", "rst_on_user_timeout")
def five_minutes_of_silence(s: Stack) -> None:
    """RFC 9293 3.9.1.1 and 3.10.8: the user timeout is five minutes; flush, signal, no RST."""
    line, since = lost_data(s, 10 * MS, 700 * S)
    assert died_at(line, CLIENT, since) == 300 * S
    assert "R" not in "".join(line.flags(CLIENT, since))


@probe("linux", "user_timeout_rule")
def tcp_user_timeout_is_looked_at_by_other_timers(s: Stack) -> None:
    """tcp_timer.c tcp_clamp_rto_to_user_timeout: 5 s from the first repetition (retrans_stamp), not from the
    data."""
    line = Line(plain(s)).open(client=SocketOptions(user_timeout_us=5 * S))
    since = alone(line)
    line.send(CLIENT, 100)
    line.run(60 * S)
    assert died_at(line, CLIENT, since) == 5_220 * MS


def shut(s: Stack, **options: object) -> tuple[Line, int]:
    """100 octets in front of a window that the peer, silent from now on, has shut."""
    line = Line(s).open(client=SocketOptions(**options))  # type: ignore[arg-type]
    since = alone(line)
    line.inject(CLIENT, segment_for(line, CLIENT, "A", wnd=0))
    line.send(CLIENT, 100)
    return line, since


@probe(
    "linux",
    *("persist_probe", "persist_max_us", "persist_min_us", "persist_limit", "rto_min_us", "rst_on_give_up"),
)
def a_window_that_stays_shut(s: Stack) -> None:
    """tcp_timer.c tcp_probe_timer, tcp.h tcp_probe0_when: from the RTO up to 120 s, tcp_retries2 15 probes,
    each an empty segment one below SND.UNA; ETIMEDOUT without a RST."""
    line, since = shut(s)
    line.run(1_200 * S)
    waits = doubling(220, 10, 120_000) + [120_000] * 6
    assert sent_at(line, CLIENT, since) == after(*waits[:-1])
    una = line.log(CLIENT, 0)[-1].seg.seq + 1
    assert {(sent.seg.seq, sent.seg.len) for sent in line.log(CLIENT, since)} == {(una - 1, 0)}
    assert died_at(line, CLIENT, since) == after(*waits)[-1]


@probe("linux", "persist_min_us")
def a_probe_is_not_hurried_by_a_small_rto(s: Stack) -> None:
    """tcp.h tcp_probe0_base: TCP_RTO_MIN 200 ms, though tcp_rto_min_us made the RTO 72 ms."""
    line, since = shut(turned(s, rto_min_us="50ms"))
    line.run(S)
    assert sent_at(line, CLIENT, since) == after(200, 400)


@probe("rfc9293", "persist_probe", "persist_min_us", "persist_limit", "user_timeout_us", "user_timeout_rule")
def a_window_of_the_rfc_that_stays_shut(s: Stack) -> None:
    """RFC 9293 3.8.6.1: after the RTO, one octet of new data, doubling; user timeout five minutes."""
    line, since = shut(s)
    line.run(400 * S)
    assert sent_at(line, CLIENT, since) == after(*doubling(1_000, 6, 60_000), *[60_000] * 3)
    assert {sent.seg.len for sent in line.log(CLIENT, since)} == {1}
    assert died_at(line, CLIENT, since) == 300 * S


@probe("rfc9293", "persist_limit", "persist_min_us")
def a_window_may_stay_shut_for_ever(s: Stack) -> None:
    """RFC 9293 MUST-37, MUST-21: no count of probes; the first after 1 s, though the RTO is 200 ms."""
    line, since = shut(turned(s, rto_min_us="200ms"), user_timeout_us=0)
    line.run(7_200 * S)
    assert sent_at(line, CLIENT, since) == after(*doubling(1_000, 6, 60_000), *[60_000] * 118)


@probe("freebsd", "persist_weights", "persist_min_us")
def a_window_of_freebsd_that_stays_shut(s: Stack) -> None:
    """tcp_output.c tcp_setpersist: 4 SRTT + 8 RTTVAR, here 160 ms, x 1, 2, 4 ... + 200 ms, 5 s at least."""
    line, since = shut(s)
    line.run(90 * S)
    assert sent_at(line, CLIENT, since) == after(*[5_000] * 5, 5_320, 10_440, 20_680)


@probe("4.4bsd", "persist_weights")
def a_window_of_44bsd_that_stays_shut(s: Stack) -> None:
    """tcp_output.c tcp_setpersist: SRTT + 2 RTTVAR, here 40 ms, x 1, 2, 4 ..., 5 s at least, 60 s at most."""
    line, since = shut(turned(s, persist_min_us="100ms", rto_tick_us=1_000, rto_min_us="30ms"))
    line.run(3 * S)
    assert sent_at(line, CLIENT, since) == after(100, 100, 160, 320, 640, 1_280)


@probe("linux", "orphan_persist_retries", "orphan_retries_safe", "orphan_retries")
def an_orphan_before_a_shut_window(s: Stack) -> None:
    """tcp_timer.c tcp_probe_timer: SOCK_DEAD has tcp_orphan_retries 8 probes, then it is over."""
    line, since = shut(s)
    line.close(CLIENT)
    line.run(400 * S)
    waits = doubling(220, 9, 120_000)
    assert sent_at(line, CLIENT, since) == after(*waits[:-1])
    assert died_at(line, CLIENT, since) == after(*waits)[-1]


@probe("linux", "rst_on_user_timeout")
def a_user_timeout_before_a_shut_window(s: Stack) -> None:
    """tcp_timer.c tcp_probe_timer: abort is tcp_write_err, which sends nothing."""
    line, since = shut(s, user_timeout_us=3 * S)
    line.run(30 * S)
    assert line.error(CLIENT) == "ETIMEDOUT"
    assert set(line.flags(CLIENT, since)) == {"A"}


@probe(
    "linux",
    *("keep_idle_us", "keep_intvl_us", "keep_cnt", "keepalive_probe_len", "rst_on_keepalive_give_up"),
)
def keepalive(s: Stack) -> None:
    """tcp(7): after 7200 s of silence 9 probes, 75 s apart, without data, then ETIMEDOUT; with a RST
    (tcp_timer.c tcp_keepalive_timer)."""
    line = Line(s).open(client=SocketOptions(keepalive=True))
    heard = 20 * MS  # the SYN,ACK
    since = alone(line)
    line.run(4 * HOUR)
    probes = line.log(CLIENT, since)
    assert sent_at(line, CLIENT, heard)[1:] == [(7_200 + 75 * n) * S for n in range(10)]
    assert [sent.flags for sent in probes] == ["A"] * 9 + ["RA"]
    assert {sent.seg.len for sent in probes} == {0}
    assert line.error(CLIENT) == "ETIMEDOUT"


@probe("linux", "keepalive_default")
def nobody_asked_for_keepalive(s: Stack) -> None:
    """RFC 9293 MUST-25: off, unless asked for."""
    line = Line(s).open()
    since = alone(line)
    line.run(3 * HOUR)
    assert line.log(CLIENT, since) == []


@probe("freebsd", "keepalive_default", "keep_idle_us")
def freebsd_keeps_alive_unasked(s: Stack) -> None:
    """net.inet.tcp.always_keepalive 1, keepidle 7200 s."""
    line = Line(s).open()
    since = alone(line)
    line.run(2 * HOUR + 30 * S)
    assert line.flags(CLIENT, since) == ["A"]


def probed_after(s: Stack) -> int:
    """How long a socket that has kept alive in silence for 100 s waits once TCP_KEEPIDLE is 60 s."""
    line = Line(s).open(client=SocketOptions(keepalive=True))
    alone(line)
    line.run(100 * S)
    line.set(CLIENT, keep_idle_us=60 * S)
    since = line.now
    line.run(70 * S)
    return sent_at(line, CLIENT, since)[0]


@probe("linux", "keep_idle_from")
def a_shorter_idle_time_counts_from_what_was_heard(s: Stack) -> None:
    """tcp.c tcp_sock_set_keepidle_locked: what has elapsed is taken off."""
    assert probed_after(s) <= MS


@probe("freebsd", "keep_idle_from")
def a_shorter_idle_time_counts_from_now(s: Stack) -> None:
    """tcp_usrreq.c tcp_ctloutput TCP_KEEPIDLE: the timer is started anew."""
    assert probed_after(s) == 60 * S


def probes_in(s: Stack) -> list[str]:
    """The states in which an idle owner of the socket that asked for it is probed."""
    found = []
    for way in (
        "ESTABLISHED",
        "FIN-WAIT-2",
        "CLOSE-WAIT",
    ):  # elsewhere something is in flight, or nothing yet
        line, side = reach(way, s)
        line.set(side, keepalive=True, keep_idle_us=10 * S)
        since = line.now
        line.run(15 * S)
        found += [way] if line.log(side, since) else []
    return found


@probe("linux", "keepalive_states")
def where_linux_probes(s: Stack) -> None:
    """tcp_timer.c tcp_keepalive_timer: everywhere but in CLOSE, LISTEN and SYN-SENT."""
    assert probes_in(s) == ["ESTABLISHED", "FIN-WAIT-2", "CLOSE-WAIT"]


@probe("4.4bsd", "keepalive_states")
def where_bsd_probes(s: Stack) -> None:
    """tcp_timer.c TCPT_KEEP: t_state <= TCPS_CLOSE_WAIT, so never in FIN-WAIT-2."""
    assert probes_in(s) == ["ESTABLISHED", "CLOSE-WAIT"]


@probe("linux", "keepalive_orphans", "orphan_keep_idle_us")
def an_orphan_is_not_probed(s: Stack) -> None:
    """tcp.c __tcp_close: FIN-WAIT-2 takes the keepalive timer over, here for 60 s as a full socket."""
    line = Line(turned(s, tcp_fin_timeout="120s")).open(
        client=SocketOptions(keepalive=True, keep_idle_us=10 * S)
    )
    line.close(CLIENT)
    line.run_until(lambda: line.state(CLIENT) == State.FIN_WAIT_2)
    since = alone(line)
    line.run(59 * S)
    assert line.holder(CLIENT) == "orphan"
    assert line.log(CLIENT, since) == []


@probe("hpux-11", "orphan_keep_idle_us", "keep_intvl_us", "keep_cnt")
def hpux_probes_its_orphans(s: Stack) -> None:
    """HP-UX white paper 2008: tcp_keepalive_detached_interval 2 min, then every 10 s up to 10 min (R2)."""
    line, side = reach("FIN-WAIT-2/orphan", s)
    since = line.now
    line.run(HOUR)
    assert sent_at(line, side, since) == [(120 + 10 * n) * S for n in range(60)]
    assert died_at(line, side, since) == 720 * S
