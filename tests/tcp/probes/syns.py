"""Probes of what is special about segments with SYN: text and FIN beside it, and where it is ignored."""

from __future__ import annotations

from tcpsim.tcp.segment import ACK, FIN, RST, SYN, Segment
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State
from tests.tcp.probes.battery import CLIENT, MS, SERVER, Line, S, flags_of, knock, probe
from tests.tcp.two_ends import PORTS, segment_for
from tests.tcp.ways import reach

PEER_ISN = 5_000


def opening(s: Stack) -> tuple[Line, Segment]:
    """An active open whose SYN has gone out; nothing else reaches anybody."""
    line, _ = reach("SYN-SENT", s)
    return line, line.log(CLIENT)[0].seg


def from_peer(flags: int, seq: int, syn: Segment, length: int = 0) -> Segment:
    """What the peer of that open sends; without options nothing is agreed on."""
    ack = (syn.seq + 1) % 2**32 if flags & ACK else 0
    return Segment(PORTS[SERVER], syn.src_port, flags, seq, ack, length, 9_000)


def simultaneous(s: Stack, flags: int, length: int) -> tuple[Line, list[int]]:
    """A SYN with text crosses ours; the ACK that completes the open begins behind the text and a FIN.

    Also what could be read while the open was not complete, and when it was.
    """
    line, syn = opening(s)
    line.inject(CLIENT, from_peer(flags, PEER_ISN, syn, length))
    read = [line.receive(CLIENT)]
    line.inject(CLIENT, from_peer(ACK, PEER_ISN + 1 + length, syn))
    return line, [*read, line.receive(CLIENT)]


@probe("rfc9293", "syn_text")
def text_and_fin_beside_a_syn(s: Stack) -> None:
    """RFC 9293 3.10.7.3 fourth: queued for processing after ESTABLISHED, a FIN too, and acknowledged."""
    line, read = simultaneous(s, SYN | FIN, 12)
    assert read == [0, 12]
    assert line.state(CLIENT) == State.CLOSE_WAIT
    line.run(S)
    assert line.log(CLIENT)[-1].seg.ack == PEER_ISN + 1 + 12 + 1


@probe("freebsd", "syn_text")
def text_beside_a_syn_at_freebsd(s: Stack) -> None:
    """tcp_input.c step6, tcp_reass: the text is kept, the FIN is not; the next segment acknowledges it."""
    line, read = simultaneous(s, SYN | FIN, 12)
    assert read == [0, 12]
    assert line.state(CLIENT) == State.ESTABLISHED
    since = line.now
    line.run(900 * MS)
    assert line.log(CLIENT, since + 1) == []
    line.send(CLIENT, 5)
    assert line.log(CLIENT)[-1].seg.ack == PEER_ISN + 1 + 12


@probe("linux", "syn_text")
def text_beside_a_syn_at_linux(s: Stack) -> None:
    """tcp_input.c tcp_rcv_synsent_state_process: discarded, with a SYN and with a SYN,ACK."""
    for flags in (SYN, SYN | ACK):
        line, syn = opening(s)
        (answer,) = line.inject(CLIENT, from_peer(flags, PEER_ISN, syn, 12))
        assert answer.ack == PEER_ISN + 1
        line.inject(CLIENT, from_peer(ACK, PEER_ISN + 1, syn))
        assert line.state(CLIENT) == State.ESTABLISHED
        assert line.receive(CLIENT) == 0


@probe("rfc9293", "syn_text")
def text_beside_a_syn_for_a_listener(s: Stack) -> None:
    """RFC 9293 3.10.7.2 third: any other text is queued for processing later."""
    line = Line(s, s)
    line.listen()
    (answer,) = line.inject(SERVER, knock(2_000)._replace(len=12))
    assert answer.ack == PEER_ISN + 1
    line.inject(SERVER, knock(2_000)._replace(flags=ACK, seq=PEER_ISN + 13, ack=answer.seq + 1))
    assert line.accept() is not None
    assert line.receive(SERVER) == 12


@probe("linux", "syn_fin")
def a_syn_with_fin(s: Stack) -> None:
    """tcp_input.c tcp_rcv_state_process TCP_LISTEN: SYN with FIN is discarded; elsewhere it is a SYN."""
    line, side = reach("LISTEN", s)
    assert line.inject(side, knock(2_000, flags="SF")) == ()
    line, syn = opening(s)
    assert flags_of(line.inject(CLIENT, from_peer(SYN | FIN, PEER_ISN, syn))) == "SA"


@probe("freebsd", "syn_fin")
def a_syn_with_fin_at_freebsd(s: Stack) -> None:
    """net.inet.tcp.drop_synfin 0: the SYN counts."""
    line, side = reach("LISTEN", s)
    assert flags_of(line.inject(side, knock(2_000, flags="SF"))) == "SA"
    line, side = reach("ESTABLISHED", s)
    assert flags_of(line.inject(side, segment_for(line, side, "SF", at=10))) == "A"


@probe("freebsd", "syn_ack_at_listener")
def a_syn_ack_for_a_listener_of_freebsd(s: Stack) -> None:
    """tcp_input.c of FreeBSD 15: not a word."""
    line, side = reach("LISTEN", s)
    assert line.inject(side, knock(2_000, flags="SA")) == ()


@probe("rfc9293", "syn_ack_at_listener")
def a_syn_ack_for_a_listener(s: Stack) -> None:
    """RFC 9293 3.10.7.2 second: <SEQ=SEG.ACK><CTL=RST>."""
    line, side = reach("LISTEN", s)
    answers = line.inject(side, knock(2_000, flags="SA")._replace(ack=77))
    assert [(answer.seq, answer.flags) for answer in answers] == [(77, RST)]


def refused_in_syn_received(s: Stack) -> str | None:
    """The errno of an active opener whose SYN-RECEIVED a RST ends."""
    line, side = reach("SYN-RECEIVED/simultaneous", s)
    line.inject(side, segment_for(line, side, "R"))
    assert line.state(side) == State.CLOSED
    return line.error(side)


@probe("linux", "reset_syn_received_error")
def a_rst_in_syn_received_of_linux(s: Stack) -> None:
    """tcp_input.c tcp_reset: ECONNREFUSED is for SYN_SENT alone."""
    assert refused_in_syn_received(s) == "ECONNRESET"


@probe("rfc9293", "reset_syn_received_error")
def a_rst_in_syn_received(s: Stack) -> None:
    """RFC 9293 3.10.7.4 second: an active OPEN was refused."""
    assert refused_in_syn_received(s) == "ECONNREFUSED"
