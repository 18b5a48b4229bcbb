"""Probes of what small stacks do otherwise: lwIP's limits, its deaf TIME-WAIT, a FIN that is sent once."""

from __future__ import annotations

from tcpsim.sockets import Reply, SetSockOpt, Socket
from tcpsim.tcp.segment import ACK, RST, SYN, flag_letters
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State
from tests.sockets.two_hosts import Hosts
from tests.tcp.probes.battery import CLIENT, SERVER, Line, S, alone, died_at, flags_of, knock, probe, turned
from tests.tcp.probes.syns import PEER_ISN, from_peer, opening
from tests.tcp.two_ends import segment_for
from tests.tcp.ways import reach


@probe("lwip", "syn_received_us")
def lwip_limits_syn_received(s: Stack) -> None:
    """tcp_priv.h TCP_SYN_RCVD_TIMEOUT 20 s; tcp.c tcp_slowtmr: SYN_SENT has a count alone, six times 3 s."""
    line, side = reach("SYN-RECEIVED", s)
    line.run(100 * S)
    assert died_at(line, side) == line.log(side)[0].t_us + 20 * S
    line, _ = opening(s)
    line.run(100 * S)
    assert [sent.t_us for sent in line.log(CLIENT)] == [at * 3 * S for at in range(7)]
    assert died_at(line, CLIENT) == 21 * S


@probe("lwip", "simultaneous_open")
def lwip_has_no_simultaneous_open(s: Stack) -> None:
    """tcp_in.c tcp_process SYN_SENT: SYN with ACK, or nothing."""
    line, syn = opening(s)
    assert line.inject(CLIENT, from_peer(SYN, PEER_ISN, syn)) == ()
    assert line.state(CLIENT) == State.SYN_SENT


@probe("rfc9293", "simultaneous_open")
def a_simultaneous_open(s: Stack) -> None:
    """RFC 9293 MUST-10."""
    line, syn = opening(s)
    assert flags_of(line.inject(CLIENT, from_peer(SYN, PEER_ISN, syn))) == "SA"


def fins_in_last_ack(s: Stack) -> tuple[Line, int]:
    """LAST-ACK whose FIN is never acknowledged; and since when."""
    line, _ = reach("LAST-ACK", s)
    return line, line.now


@probe("lwip", "last_ack_us")
def lwip_limits_last_ack(s: Stack) -> None:
    """tcp.c tcp_slowtmr: 2 * TCP_MSL without a segment, here before the twelfth retransmission."""
    line, since = fins_in_last_ack(s)
    line.run(50 * S)
    line.inject(CLIENT, segment_for(line, CLIENT, "A", ack=-1))  # it is heard, and has not acknowledged
    line.run(1_000 * S)
    assert died_at(line, CLIENT, since) == 170 * S


@probe("rfc9293", "last_ack_us", "fin_retransmitted")
def last_ack_of_the_rfc(s: Stack) -> None:
    """RFC 9293 3.10.8: the FIN again and again, until the user timeout of five minutes."""
    line, since = fins_in_last_ack(s)
    line.run(1_000 * S)
    assert died_at(line, CLIENT, since) == 300 * S
    assert len(line.log(CLIENT, since)) > 5


@probe("rfc9293", "fin_retransmitted")
def a_fin_that_is_sent_once(s: Stack) -> None:
    """What a stack without the habit does: FIN-WAIT-1 for ever, if no limit ends it."""
    once = turned(s, fin_retransmitted=not s.fin_retransmitted, user_timeout_us="none")
    line = Line(once, once).open()
    since = alone(line)
    line.send(CLIENT, 100)
    line.close(CLIENT)
    line.run(10 * S)
    assert len([sent for sent in line.log(CLIENT, since) if sent.seg.len]) > 2  # with data it goes again
    line, since = fins_in_last_ack(once)
    line.run(10_000 * S)
    assert line.state(CLIENT) == State.LAST_ACK
    assert line.log(CLIENT, since + 1) == []


@probe("lwip", "so_linger")
def lwip_has_no_so_linger(s: Stack) -> None:
    """opt.h LWIP_SO_LINGER 0."""
    hosts = Hosts(client=s)
    assert (
        hosts.errno(CLIENT, SetSockOpt(hosts.value(CLIENT, Socket()), "SO_LINGER", (1, 0))) == "ENOPROTOOPT"
    )


@probe("rfc9293", "so_linger")
def posix_has_so_linger(s: Stack) -> None:
    """POSIX.1-2017 setsockopt()."""
    hosts = Hosts(client=s)
    fd = hosts.value(CLIENT, Socket())
    assert hosts.call(CLIENT, SetSockOpt(fd, "SO_LINGER", (1, 0))) == Reply(0)


@probe("lwip", "rst_answer_has_ack")
def a_rst_of_lwip_acknowledges(s: Stack) -> None:
    """tcp_in.c tcp_input: tcp_rst(ackno, seqno + tcplen)."""
    line, side = reach("LISTEN", s)
    answers = line.inject(side, knock(2_000)._replace(flags=ACK, ack=77, len=3))
    assert [(seg.flags, seg.seq, seg.ack) for seg in answers] == [(RST | ACK, 77, PEER_ISN + 3)]


@probe("rfc9293", "rst_answer_has_ack")
def a_rst_of_the_rfc_does_not(s: Stack) -> None:
    """RFC 9293 3.10.7.1: <SEQ=SEG.ACK><CTL=RST>."""
    line, side = reach("LISTEN", s)
    answers = line.inject(side, knock(2_000)._replace(flags=ACK, ack=77, len=3))
    assert [(seg.flags, seg.seq, seg.ack) for seg in answers] == [(RST, 77, 0)]


@probe("lwip", "time_wait_checks", "time_wait_us")
def time_wait_of_lwip(s: Stack) -> None:
    """tcp_in.c tcp_timewait_input: RST is not heard, a SYN in the window draws RST, another an ACK, text an
    ACK; TCP_MSL 60 s, twice, and a FIN begins it anew."""
    line, side = reach("TIME-WAIT", s)
    since = line.now
    heard = {
        flags: flags_of(line.inject(side, segment_for(line, side, flags, at=at, length=length)))
        for flags, at, length in (
            ("R", 0, 0),
            ("RA", 0, 0),
            ("S", 10, 0),
            ("A", 0, 0),
            ("PA", 0, 10),
            ("-", 0, 0),
        )
    }
    assert heard == {"R": "", "RA": "", "S": "RA", "A": "", "PA": "A", "-": ""}
    assert flags_of(line.inject(side, segment_for(line, side, "S", at=-50))) == "A"
    line.run(100 * S)
    assert flags_of(line.inject(side, segment_for(line, side, "FA", at=-1))) == "A"
    line.run(1_000 * S)
    assert died_at(line, side, since) == 220 * S


@probe("lwip", "time_wait_reuse")
def time_wait_of_lwip_does_not_give_way(s: Stack) -> None:
    """tcp_in.c tcp_timewait_input: never opens, whoever listens."""
    line = Line(s, s).open()
    line.shutdown(SERVER)
    line.run_until(lambda: line.state(SERVER) == State.FIN_WAIT_2)
    line.shutdown(CLIENT)
    line.run_until(lambda: line.state(SERVER) == State.TIME_WAIT)
    assert flags_of(line.inject(SERVER, segment_for(line, SERVER, "S", at=5_000))) == "A"


@probe("lwip", "rto_min_us", "backoff", "retries")
def retransmissions_of_lwip(s: Stack) -> None:
    """tcp.c tcp_backoff: shifts 1 to 7; TCP_MAXRTX 12; no RST at the end."""
    line = Line(s).open()
    for _ in range(20):  # sv goes down to 3 ticks
        line.send(CLIENT, 10)
        line.run(S)
    since = alone(line)
    line.send(CLIENT, 10)
    line.run(10_000 * S)
    waits = [min(2**number, 128) * 1_500_000 for number in range(13)]
    times = [sent.t_us - since for sent in line.log(CLIENT, since)]
    assert times == [sum(waits[:number]) for number in range(13)]
    assert died_at(line, CLIENT, since) == sum(waits)
    assert {flag_letters(sent.seg.flags) for sent in line.log(CLIENT, since)} == {"PA"}
    assert line.log(SERVER, since) == []
