"""Probes of ECN's negotiation, full accept queues, a window that has idled, a device that refuses."""

from __future__ import annotations

from tcpsim.tcp import endpoint as tcp
from tcpsim.tcp.endpoint import Endpoint
from tcpsim.tcp.segment import ACK, CWR, ECE, SYN, flag_letters
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State
from tests.tcp.probes.battery import CLIENT, MS, SERVER, Line, S, flags_of, knock, probe, third_ack, turned
from tests.tcp.probes.syns import PEER_ISN, from_peer, opening
from tests.tcp.ways import reach


def syns(s: Stack, for_us: int) -> list[str]:
    """The flags of the SYNs that an unanswered open sends in a while."""
    line, _ = opening(s)
    line.run(for_us)
    return [flag_letters(sent.seg.flags) for sent in line.log(CLIENT)]


def agreed(s: Stack, flags: int) -> bool:
    """Whether an active opener has ECN on once a SYN,ACK with such flags came."""
    line, syn = opening(s)
    line.inject(CLIENT, from_peer(SYN | ACK | flags, PEER_ISN, syn))
    assert line.state(CLIENT) == State.ESTABLISHED
    return line.tcb(CLIENT).ecn_on


@probe("linux", "ecn")
def ecn_is_answered(s: Stack) -> None:
    """ip-sysctl.rst tcp_ecn 2: when requested by incoming connections, but do not request."""
    assert syns(s, 0) == ["S"]
    line = Line(s, s)
    line.listen()
    assert flags_of(line.inject(SERVER, knock(2_000, flags="SEW"))) == "SAE"
    assert flags_of(line.inject(SERVER, knock(2_001, flags="SE"))) == "SA"
    assert flags_of(line.inject(SERVER, knock(2_002))) == "SA"
    assert not agreed(s, ECE)


@probe("rfc9293", "ecn")
def ecn_is_no_part_of_the_rfc(s: Stack) -> None:
    """RFC 9293 3.1 has the bits; RFC 3168 is an extension."""
    assert syns(s, 0) == ["S"]
    line = Line(s, s)
    line.listen()
    assert flags_of(line.inject(SERVER, knock(2_000, flags="SEW"))) == "SA"


@probe("linux", "ecn_syn_retries")
def a_syn_again_without_ecn(s: Stack) -> None:
    """tcp_output.c tcp_ecn_clear_syn: tcp_ecn_fallback."""
    offers = turned(s, ecn="offers")
    assert syns(offers, 2_500 * MS) == ["SEW", "S", "S"]
    assert [agreed(offers, flags) for flags in (ECE, ECE | CWR, 0)] == [True, False, False]


@probe("freebsd", "ecn_syn_retries")
def a_syn_again_without_ecn_at_freebsd(s: Stack) -> None:
    """tcp_ecn.c tcp_ecn_output_syn_sent: net.inet.tcp.ecn.maxretries 1."""
    assert syns(turned(s, ecn="offers"), 8 * S) == ["SEW", "SEW", "S", "S"]


def accepted(s: Stack, backlog: int, peers: int) -> tuple[list[str], list[str]]:
    """What a listener that never accepts says to so many SYNs, one by one, and to their last ACKs."""
    line = Line(s, s)
    line.listen(backlog)
    line.cut()
    to_syns, to_acks = [], []
    for port in range(2_000, 2_000 + peers):
        answers = line.inject(SERVER, knock(port))
        to_syns.append(flags_of(answers))
        if answers:
            to_acks.append(flags_of(line.inject(SERVER, third_ack(answers[0]))))
    return to_syns, to_acks


@probe("linux", "accept_queue_percent", "syn_meets_full_queue")
def a_full_accept_queue_of_linux(s: Stack) -> None:
    """sock.h sk_acceptq_is_full: one more than the backlog; tcp_conn_request drops the SYN then."""
    assert accepted(s, 2, 4) == (["SA", "SA", "SA", ""], ["", "", ""])


@probe("freebsd", "accept_queue_percent", "syn_meets_full_queue", "accept_overflow")
def a_full_accept_queue_of_freebsd(s: Stack) -> None:
    """uipc_socket.c: sol_qlen > 3 * sol_qlimit / 2; syncache_add answers; rst_on_sock_fail 1 resets."""
    assert accepted(s, 2, 6) == (["SA"] * 6, [""] * 4 + ["R"] * 2)


@probe("freebsd", "accept_overflow")
def freebsd_forgets_who_was_reset(s: Stack) -> None:
    """tcp_syncache.c syncache_expand: the entry is gone, so that nothing is sent again."""
    line = Line(s, s)
    line.listen(0)
    line.cut()
    for port in (2_000, 2_001):
        line.inject(SERVER, third_ack(line.inject(SERVER, knock(port))[0]))
    since = line.now
    line.run(100 * S)
    assert [sent for sent in line.log(SERVER, since + 1) if sent.seg.dst_port == 2_001] == []


def after_idling(s: Stack, rtos: float) -> tuple[int, int]:
    """The congestion window after a large transfer, and once data is sent so many RTOs later."""
    line = Line(s).open()
    while line.tcb(CLIENT).cwnd < 3 * s.initial_window:
        line.send(CLIENT, 40 * 1_448)
        line.run(S)
        line.receive(SERVER)
    t = line.tcb(CLIENT)
    line.run(int(rtos * t.rto_us) - (line.now - t.last_sent_us))
    line.send(CLIENT, 1_448)
    return t.cwnd, line.tcb(CLIENT).cwnd


@probe("linux", "after_idle")
def linux_halves_for_each_rto(s: Stack) -> None:
    """tcp_output.c tcp_cwnd_restart: one halving for each RTO after the first, down to IW."""
    for rtos, shift in ((0.5, 0), (1.5, 1), (2.5, 2), (9.5, 9)):
        before, after = after_idling(s, rtos)
        assert after == max(before >> shift, 10)


@probe("rfc9293", "after_idle")
def the_rfc_restarts(s: Stack) -> None:
    """RFC 5681 4.1: at most RW = min(IW, cwnd) after an idle RTO."""
    before, after = after_idling(s, 0.5)
    assert before == after
    assert after_idling(s, 1.5)[1] == 4


@probe("linux", "cwnd_growth")
def a_window_that_was_in_use_grows(s: Stack) -> None:
    """tcp_cwnd_validate: of 30,000 octets the first ten segments fill the window; the ACKs of the eleven
    others let it grow as well, although only eleven of twenty were outstanding."""
    line = Line(s).open()
    line.send(CLIENT, 30_000)
    line.run(S)
    assert line.tcb(CLIENT).cwnd == 10 + 21


@probe("rfc9293", "cwnd_growth")
def a_window_that_is_in_use_grows(s: Stack) -> None:
    """RFC 5681 3.1 with RFC 2861: what is outstanding now decides."""
    line = Line(s).open()
    line.send(CLIENT, 30_000)
    line.run(S)
    assert line.tcb(CLIENT).cwnd == 16


@probe("linux", "snd_limit")
def a_host_with_memory(s: Stack) -> None:
    """tcp_mem is not reached: a write of 20,000 octets is taken."""
    assert Line(s).open().send(CLIENT, 20_000) == 20_000


@probe("linux", "device_refuses")
def a_device_that_refuses_is_asked_every_500_ms(s: Stack) -> None:
    """tcp_timer.c, tcp_output.c tcp_send_probe0: TCP_RESOURCE_PROBE_INTERVAL, and no back-off."""
    line = Line(s).open()
    end = line.ends[CLIENT]
    refusing = turned(s, device_refuses=True)
    line.ends[CLIENT] = Endpoint(refusing, end.iss, end.ts_offset, end.sockets, end.listeners, end.next_id)
    since = line.now
    line.send(CLIENT, 100)
    counts = []
    for _ in range(5):
        line.run(500 * MS)
        t = line.tcb(CLIENT)
        counts.append((t.probes_out, t.backoff, t.snd_nxt == t.snd_una))
    assert line.log(CLIENT, since) == []
    assert counts == [(probes, 0, True) for probes in range(1, 6)]


def killed_in(s: Stack, way: str) -> str:
    """What an operator's kill of a connection in a state sends."""
    line, side = reach(way, s)
    number = line.ids.get(side) or max({**line.ends[side].sockets, **line.ends[side].listeners})
    return flags_of(tcp.destroy(line.ends[side], number, line.now).segments)


@probe("linux", "destroy_rule")
def linux_kills_as_abort_does(s: Stack) -> None:
    """tcp.c tcp_abort: tcp_need_reset, which CLOSING and LAST_ACK do not."""
    assert [killed_in(s, way) for way in ("CLOSE-WAIT", "LAST-ACK", "CLOSING")] == ["RA", "", ""]


@probe("freebsd", "destroy_rule")
def freebsd_kills_with_a_rst(s: Stack) -> None:
    """tcp_subr.c tcp_drop: TCPS_HAVERCVDSYN; TIME-WAIT goes in silence."""
    assert [killed_in(s, way) for way in ("CLOSE-WAIT", "LAST-ACK", "TIME-WAIT")] == ["RA", "RA", ""]
