"""Probes of opening: what a SYN looks like, how often it is repeated, what a listener does."""

from __future__ import annotations

from tcpsim.tcp.segment import ACK, SYN, Options, Segment, flag_letters
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions
from tests.tcp.probes.battery import (
    CLIENT,
    MS,
    SERVER,
    Line,
    S,
    after,
    alone,
    died_at,
    flags_of,
    knock,
    probe,
    sent_at,
    third_ack,
    turned,
)
from tests.tcp.two_ends import segment_for
from tests.tcp.ways import reach


def unanswered_syn(s: Stack) -> Line:
    line, _ = reach("SYN-SENT", s)
    line.run(300 * S)
    return line


@probe(
    "linux",
    *("syn_rto_us", "syn_retries", "syn_linear_timeouts", "syn_give_up_us", "syn_options_until", "backoff"),
    *("timer_hz", "rto_slop_us", "user_timeout_us"),
)
def a_syn_that_nobody_answers(s: Stack) -> None:
    """ip-sysctl.rst tcp_syn_retries 6, tcp_syn_linear_timeouts 4: eleven SYNs and 131 s, alike to the
    last."""
    line = unanswered_syn(s)
    assert sent_at(line, CLIENT) == [at * S for at in (0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67)]
    assert {sent.seg.options.layout for sent in line.sent} == {("mss", "sackOK", "TS", "nop", "wscale")}
    assert died_at(line, CLIENT) == 131 * S
    assert line.error(CLIENT) == "ETIMEDOUT"


@probe("linux", "syn_give_up_us", "syn_retries", "rto_max_us")
def a_count_is_no_time(s: Stack) -> None:
    """tcp_timer.c: with tcp_syn_retries 8 nothing ends it after 3 minutes; waits of 120 s, 371 s in all."""
    line, _ = reach("SYN-SENT", turned(s, tcp_syn_retries=(s.syn_retries or 6) + 2))
    line.run(600 * S)
    assert died_at(line, CLIENT) == 371 * S


@probe("freebsd", "syn_rto_us", "syn_give_up_us", "syn_linear_timeouts", "rto_slop_us", "backoff")
def a_syn_of_freebsd_that_nobody_answers(s: Stack) -> None:
    """tcp_timer.c: 1 s, then the back-off table plus rexmit_slop 200 ms (1.0, 2.2 ...); keepinit 75 s."""
    line = unanswered_syn(s)
    assert sent_at(line, CLIENT) == [0, *after(1_000, 2_200, 4_200, 8_200, 16_200, 32_200)]
    assert died_at(line, CLIENT) == 75 * S


@probe("rfc9293", "syn_retries", "retries")
def a_program_may_wait_for_ever(s: Stack) -> None:
    """RFC 9293 MUST-21: R2 may be set to infinity; no count of SYNs or segments stands in its way."""
    ever = SocketOptions(keep_init_us=1 << 60, user_timeout_us=0)
    line = Line(s)
    line.cut()
    line.connect(options=ever)
    line.run(7_200 * S)
    assert line.state(CLIENT) == State.SYN_SENT
    assert len(line.sent) == 1 + 6 + (7_200 - 63) // 60
    line = Line(s).open(client=ever)
    since = alone(line)
    line.send(CLIENT, 100)
    line.run(7_200 * S)
    assert len(line.log(CLIENT, since)) == 1 + 6 + (7_200 - 63) // 60


@probe("rfc9293", "syn_give_up_us", "syn_retries", "rto_max_us", "backoff")
def a_syn_of_the_rfc_that_nobody_answers(s: Stack) -> None:
    """RFC 9293 MUST-23: R2 for a SYN is at least 3 minutes; RFC 6298 (5.5) and (2.5): doubling up to 60 s."""
    line = unanswered_syn(s)
    assert sent_at(line, CLIENT) == [0, *after(1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000)]
    assert died_at(line, CLIENT) == 180 * S


@probe(
    "linux",
    *("layout_syn", "mss", "wscale", "window_scaling", "timestamps", "sack"),
    *("scaling_ratio", "rcv_space_mss_multiple"),
)
def the_first_syn(s: Stack) -> None:
    """tcp_output.c tcp_syn_options, tcp_select_initial_window: 64240 is 44 times 1460; tcp_rmem[2] is 32
    MB."""
    line, _ = reach("SYN-SENT", s)
    syn = line.sent[0].seg
    assert syn.options.layout == ("mss", "sackOK", "TS", "nop", "wscale")
    assert (syn.options.mss, syn.options.wscale, syn.wnd) == (1_460, 10, 64_240)


@probe("linux", "layout_pads", "layout_syn")
def a_syn_without_timestamps(s: Stack) -> None:
    """tcp_output.c tcp_options_write: sackOK alone stands at the end of its word, behind two nops."""
    line, _ = reach("SYN-SENT", turned(s, timestamps=False))
    assert line.sent[0].seg.options.layout == ("mss", "nop", "nop", "sackOK", "nop", "wscale")


@probe("freebsd", "layout_pads", "layout_syn", "wscale", "scaling_ratio", "rcv_space_mss_multiple", "mss")
def the_first_syn_of_freebsd(s: Stack) -> None:
    """tcp_output.c tcp_addoptions; without timestamps: mss, nop, wscale, sackOK, and eol to fill the word."""
    line, _ = reach("SYN-SENT", s)
    syn = line.sent[0].seg
    assert syn.options.layout == ("mss", "nop", "wscale", "sackOK", "TS")
    assert (syn.options.mss, syn.options.wscale, syn.wnd) == (1_460, 6, 65_535)
    line, _ = reach("SYN-SENT", turned(s, timestamps=False))
    assert line.sent[0].seg.options.layout == ("mss", "nop", "wscale", "sackOK", "eol", "eol")


@probe("linux", "wscale_follows_rcvbuf")
def a_receive_buffer_set_by_hand_decides_the_shift(s: Stack) -> None:
    """tcp_output.c tcp_select_initial_window: the space is cut to the window clamp; 10 kB need no shift."""
    line, _ = reach("LISTEN", s)
    line.cut()
    line.connect(options=SocketOptions(rcvbuf=10_000))
    assert line.sent[-1].seg.options.wscale == 0


@probe("freebsd", "wscale_follows_rcvbuf")
def freebsds_shift_follows_the_system(s: Stack) -> None:
    """tcp_usrreq.c tcp_connect: scaled until kern.ipc.maxsockbuf fits, whatever SO_RCVBUF is."""
    line = Line(s)
    line.connect(options=SocketOptions(rcvbuf=10_000))
    assert line.sent[-1].seg.options.wscale == 6


@probe("linux", "syn_again_after_reset_us")
def a_syn_that_meets_an_old_connection(s: Stack) -> None:
    """tcp_input.c tcp_rcv_synsent_state_process: RST for the wrong ACK, and the SYN again in
    TCP_TIMEOUT_MIN."""
    line, _ = reach("SYN-SENT", s)
    wrong = segment_for(line, CLIENT, "A", ack=77)
    assert flags_of(line.inject(CLIENT, wrong)) == "R"
    line.run(100 * MS)
    assert line.times(CLIENT, "S") == [0, 8]


@probe("linux", "synack_retries", "syn_rto_us", "backoff")
def a_syn_ack_that_nobody_answers(s: Stack) -> None:
    """ip-sysctl.rst tcp_synack_retries 5: five repetitions, the last 31 s after the first; gone after 63
    s."""
    line, _ = reach("LISTEN", s)
    line.inject(SERVER, knock(1_024))
    line.run(100 * S)
    assert sent_at(line, SERVER) == [at * S for at in (0, 1, 3, 7, 15, 31)]
    assert died_at(line, SERVER) == 63 * S


@probe("freebsd", "synack_retries", "syn_rto_us")
def a_syn_ack_of_freebsd_that_nobody_answers(s: Stack) -> None:
    """tcp_syncache.c SYNCACHE_MAXREXMTS 3."""
    line, _ = reach("LISTEN", s)
    line.inject(SERVER, knock(1_024))
    line.run(100 * S)
    assert len(sent_at(line, SERVER)) == 1 + 3


@probe("linux", "requests")
def an_embryo_is_a_request(s: Stack) -> None:
    """request_sock.h: no full socket before the handshake is over; 320 octets, not 4900."""
    line, side = reach("SYN-RECEIVED", s)
    assert line.holder(side) == "request"


@probe("rfc9293", "requests", "embryo_checks")
def an_embryo_is_a_whole_tcb(s: Stack) -> None:
    """RFC 9293 3.10.7.2; 3.10.7.4 fourth: a SYN in the window of a passive open leads back to LISTEN."""
    line, side = reach("SYN-RECEIVED", s)
    assert line.holder(side) == "owned"
    assert flags_of(line.inject(side, segment_for(line, side, "S", at=10))) == ""
    assert line.state(side) == State.LISTEN


@probe("linux", "embryo_checks")
def a_stray_syn_for_a_request(s: Stack) -> None:
    """tcp_minisocks.c tcp_check_req: a SYN in the window goes to embryonic_reset, which answers."""
    line, side = reach("SYN-RECEIVED", s)
    assert flags_of(line.inject(side, segment_for(line, side, "S", at=10))) == "RA"


@probe("freebsd", "embryo_checks")
def a_stray_syn_for_the_syncache(s: Stack) -> None:
    """tcp_syncache.c syncache_add: an entry exists, so the SYN,ACK is sent again."""
    line, side = reach("SYN-RECEIVED", s)
    assert flags_of(line.inject(side, segment_for(line, side, "S", at=10))) == "SA"


def embryos(s: Stack, most: int) -> int:
    """How many SYNs of `most` a listener answers while no handshake is completed."""
    line = Line(s, s)
    line.listen(10_000)
    line.cut()
    return sum(flags_of(line.inject(SERVER, knock(port))) == "SA" for port in range(2_000, 2_000 + most))


@probe("linux", "syn_backlog")
def too_many_embryos(s: Stack) -> None:
    """ip-sysctl.rst tcp_max_syn_backlog: 2048 on 6.18 with 24 GB; the next SYN is not answered."""
    assert embryos(s, 2_050) == 2_048


@probe("freebsd", "syn_backlog")
def too_many_embryos_of_freebsd(s: Stack) -> None:
    """kern.ipc.soacceptqueue 128."""
    assert embryos(s, 130) == 128


def accepted(s: Stack, backlog: int, most: int) -> int:
    """How many of `most` connections a listener takes that nobody accepts, with room for their SYNs."""
    line = Line(s, s)
    line.listen(backlog)
    line.cut()
    return sum(complete(line, port) for port in range(2_000, 2_000 + most))


def complete(line: Line, port: int) -> bool:
    """A handshake with the server; whether its SYN was answered."""
    answers = line.inject(SERVER, knock(port))
    if flags_of(answers) == "SA":
        line.inject(SERVER, third_ack(answers[0]))
    return flags_of(answers) == "SA"


@probe("linux", "somaxconn")
def the_largest_backlog(s: Stack) -> None:
    """ip-sysctl.rst somaxconn 4096: as `ss` shows it, Send-Q of a listener that asked for more, or for -1."""
    for asked, granted in ((100_000, 4_096), (-1, 4_096), (4_000, 4_000)):
        line = Line(s, s)
        line.listen(asked)
        assert line.ends[SERVER].listeners[line.listener].backlog == granted


@probe("freebsd", "somaxconn")
def the_largest_backlog_of_freebsd(s: Stack) -> None:
    """kern.ipc.soacceptqueue 128."""
    line = Line(s, s)
    line.listen(1_000)
    assert line.ends[SERVER].listeners[line.listener].backlog == 128


@probe("rfc9293", "somaxconn")
def the_rfc_has_no_largest_backlog(s: Stack) -> None:
    """RFC 9293 knows of no accept queue; here it is as long as the program asked."""
    assert accepted(s, 200, 203) == 201


@probe("linux", "accept_overflow")
def the_last_ack_meets_a_full_queue(s: Stack) -> None:
    """ip-sysctl.rst tcp_abort_on_overflow 0: the ACK is ignored, and the SYN,ACK is sent again."""
    line = Line(s, s)
    line.listen(0)  # one more than the backlog fits (sk_acceptq_is_full)
    line.cut()
    first, second = (line.inject(SERVER, knock(port))[0] for port in (2_000, 2_001))
    assert line.inject(SERVER, third_ack(first)) == ()
    assert line.inject(SERVER, third_ack(second)) == ()
    line.run(2 * S)
    assert [flag_letters(sent.seg.flags) for sent in line.log(SERVER, line.now - S)] == ["SA"]


@probe("linux", "default_mss")
def a_peer_that_names_no_mss(s: Stack) -> None:
    """RFC 9293 MUST-15: 536 octets."""
    line = Line(s)
    line.cut()
    line.connect()
    syn = line.sent[-1].seg
    line.inject(CLIENT, Segment(80, 40_000, SYN | ACK, 900, syn.seq + 1, 0, 65_535, Options()))
    line.send(CLIENT, 5_360)
    assert {sent.seg.len for sent in line.log(CLIENT) if sent.seg.len} == {536}


@probe("linux", "mss", "timestamps")
def a_full_segment(s: Stack) -> None:
    """RFC 6691: 1460 less 12 octets of timestamps."""
    line = Line(s).open()
    alone(line)
    line.send(CLIENT, 5_000)
    assert max(sent.seg.len for sent in line.log(CLIENT)) == 1_448


def first_rto_after_a_slow_connection(s: Stack) -> int:
    """The RTO of a new connection over 20 ms, after one whose round trips took 200 ms has closed well."""
    line = Line(s, delay_us=100 * MS).open()
    line.close(SERVER)
    line.run(S)
    line.close(CLIENT)
    line.run(S)
    line.delay_us = 10 * MS
    line.open()
    return line.tcb(CLIENT).rto_us


@probe("linux", "caches_metrics")
def nothing_is_known_of_a_peer(s: Stack) -> None:
    """tcp_metrics.c tcp_init_metrics: with tcp_no_metrics_save the handshake's round trip makes the RTO;
    without it a longer one of before does, as three of its own (crtt + 2 crtt)."""
    assert first_rto_after_a_slow_connection(s) < 300 * MS
    assert first_rto_after_a_slow_connection(turned(s, caches_metrics=True)) == 600 * MS
