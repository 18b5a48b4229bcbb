"""Simultaneous open and close (RFC 9293 3.5 figure 7, 3.6 case 3, appendix A.2)."""

from __future__ import annotations

import pytest

from tcpsim.tcp.segment import ACK, FIN, SYN, Segment, parse_flags
from tcpsim.tcp.state import State
from tests.tcp.two_ends import CLIENT, MS, SERVER, Line, S, nth, segment_for
from tests.tcp.ways import reach

BOTH = pytest.mark.parametrize("stack", ["linux", "rfc9293"])


def crossing(stack: str) -> Line:
    """Both SYNs are on the line."""
    line = Line(stack, stack)
    line.connect(CLIENT)
    line.connect(SERVER)
    return line


@BOTH
def test_both_syns_cross(stack: str) -> None:
    line = crossing(stack)
    line.run(1 * S)
    assert line.rules(CLIENT) == line.rules(SERVER) == ["open", "simultaneous-open", "accepted"]
    assert line.flags(CLIENT)[:2] == line.flags(SERVER)[:2] == ["S", "SA"]
    assert line.send(CLIENT, 700) == 700
    line.run(1 * S)
    assert line.receive(SERVER) == 700


@BOTH
def test_a_lost_syn_ack_is_sent_again_as_syn_ack(stack: str) -> None:
    line = crossing(stack)
    line.loses = nth(CLIENT, SYN | ACK, 1)
    line.run(10 * S)
    assert line.state(CLIENT) == line.state(SERVER) == State.ESTABLISHED
    assert "S" not in line.flags(CLIENT)[1:]


@BOTH
def test_the_window_of_a_syn_ack_is_never_scaled(stack: str) -> None:
    line = crossing(stack)
    line.run_until(lambda: line.state(CLIENT) == State.SYN_RECEIVED)
    line.run_until(lambda: line.state(CLIENT) == State.ESTABLISHED)
    syn_ack = next(sent.seg for sent in line.log(SERVER) if sent.flags == "SA")
    assert line.tcb(CLIENT).snd_wnd == syn_ack.wnd


@BOTH
def test_a_syn_ack_that_acknowledges_nothing_is_reset(stack: str) -> None:
    line, side = reach("SYN-RECEIVED/simultaneous", stack)
    t = line.tcb(side)
    answers = line.inject(side, segment_for(line, side, "SA", at=-1, ack=-1))
    assert line.state(side) == State.SYN_RECEIVED
    assert answers == (Segment(t.local_port, t.remote_port, parse_flags("R"), t.iss, 0, 0, 0),)


@BOTH
def test_a_syn_acks_text_begins_behind_its_syn(stack: str) -> None:
    line, side = reach("SYN-RECEIVED/simultaneous", stack)
    line.inject(side, segment_for(line, side, "SA", at=-1, length=30))
    assert line.state(side) == State.ESTABLISHED
    assert line.tcb(side).readable == 30


@BOTH
def test_close_before_the_handshake_is_complete_sends_the_fin_at_once(stack: str) -> None:
    """3.10.4: SYN-RECEIVED without pending data forms a FIN, sends it and enters FIN-WAIT-1."""
    line = crossing(stack)
    line.run_until(lambda: line.state(CLIENT) == State.SYN_RECEIVED)
    line.shutdown(CLIENT)
    assert line.state(CLIENT) == State.FIN_WAIT_1
    assert line.flags(CLIENT) == ["S", "SA", "FA"]
    line.run(100 * MS)
    assert line.state(CLIENT) == State.FIN_WAIT_2
    assert line.rules(SERVER)[-1] == "peer-closed"


@BOTH
@pytest.mark.parametrize("lost", [SYN | ACK, FIN], ids=["syn-ack", "fin"])
def test_close_before_the_handshake_is_complete_survives_losses(stack: str, lost: int) -> None:
    line = crossing(stack)
    line.loses = nth(CLIENT, lost, 1)
    line.run_until(lambda: line.state(CLIENT) == State.SYN_RECEIVED)
    line.shutdown(CLIENT)
    line.run(20 * S)
    assert line.state(CLIENT) == State.FIN_WAIT_2
    assert line.state(SERVER) == State.CLOSE_WAIT
    assert line.flags(CLIENT).count("S") == 1


@BOTH
def test_both_close_at_once(stack: str) -> None:
    line = Line(stack, stack).open()
    line.shutdown(CLIENT)
    line.shutdown(SERVER)
    line.run(100 * MS)
    closes = ["close-first", "simultaneous-close", "closing-acked"]
    assert line.rules(CLIENT)[-3:] == line.rules(SERVER)[-3:] == closes
    assert line.flags(CLIENT)[-2:] == line.flags(SERVER)[-2:] == ["FA", "A"]


@BOTH
@pytest.mark.parametrize("loser", [CLIENT, SERVER])
def test_both_close_at_once_and_one_fin_is_lost(stack: str, loser: str) -> None:
    line = Line(stack, stack).open()
    line.loses = nth(loser, FIN, 1)
    line.shutdown(CLIENT)
    line.shutdown(SERVER)
    line.run(10 * S)
    assert line.state(CLIENT) == line.state(SERVER) == State.TIME_WAIT


@BOTH
def test_in_closing_the_repeated_fin_carries_the_acknowledgement(stack: str) -> None:
    """Both ACKs are lost: the FINs that are sent again acknowledge each other (appendix A.2)."""
    line = Line(stack, stack).open()
    line.loses = lambda side, seg: seg.flags == ACK and line.now < 300 * MS
    line.shutdown(CLIENT)
    line.shutdown(SERVER)
    line.run(20 * S)
    assert line.state(CLIENT) == line.state(SERVER) == State.TIME_WAIT
