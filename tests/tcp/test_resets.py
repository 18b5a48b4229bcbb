"""Resets: unread data, linger, data after close, abort; and what the program at the other end is told."""

from __future__ import annotations

import pytest

from tcpsim.tcp.segment import RST
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions
from tests.tcp.two_ends import CLIENT, MS, SERVER, Line, S, profile
from tests.tcp.ways import reach

BOTH = pytest.mark.parametrize("stack", ["linux", "rfc9293"])
RST_FLAGS = {"linux": "RA", "rfc9293": "R"}


def unread(stack: str, **knobs: object) -> Line:
    """The server has 300 octets that its program never read."""
    line = Line(stack, profile(stack, **knobs)).open()
    line.send(CLIENT, 300)
    line.run(1 * S)
    return line


@BOTH
def test_close_with_unread_data_resets(stack: str) -> None:
    line = unread(stack)
    line.close(SERVER)
    assert line.gone(SERVER)
    last = line.log(SERVER)[-1]
    assert last.flags == RST_FLAGS[stack]
    line.run(1 * S)
    assert line.state(CLIENT) == State.CLOSED
    assert line.error(CLIENT) == "ECONNRESET"


@BOTH
def test_close_with_unread_data_is_a_fin_where_the_stack_says_so(stack: str) -> None:
    line = unread(stack, rst_on_unread_close=False)
    line.close(SERVER)
    assert line.state(SERVER) == State.FIN_WAIT_1


@BOTH
def test_shutdown_with_unread_data_is_a_fin(stack: str) -> None:
    line = unread(stack)
    line.shutdown(SERVER)
    line.run(1 * S)
    assert line.state(SERVER) == State.FIN_WAIT_2
    assert line.receive(SERVER) == 300


@BOTH
def test_linger_zero_resets(stack: str) -> None:
    line = Line(stack, stack).open(client=SocketOptions(linger=(True, 0)))
    line.send(CLIENT, 300)
    line.close(CLIENT)
    assert line.gone(CLIENT)
    assert line.flags(CLIENT)[-1] == RST_FLAGS[stack]
    line.run(1 * S)
    assert line.error(SERVER) == "ECONNRESET"


@BOTH
def test_linger_with_time_left_closes_as_usual(stack: str) -> None:
    line = Line(stack, stack).open(client=SocketOptions(linger=(True, 5 * S)))
    line.close(CLIENT)
    line.run(1 * S)
    assert line.state(CLIENT) == State.FIN_WAIT_2


@BOTH
@pytest.mark.parametrize(
    ("way", "resets"),
    [
        ("SYN-SENT", False),
        ("SYN-RECEIVED/simultaneous", True),
        ("ESTABLISHED", True),
        ("FIN-WAIT-1", True),
        ("FIN-WAIT-2", True),
        ("CLOSE-WAIT", True),
        ("CLOSING", False),
        ("LAST-ACK", False),
        ("TIME-WAIT", False),
    ],
)
def test_abort(way: str, resets: bool, stack: str) -> None:
    """3.10.5: a RST where the peer still has a connection, silence where it is closing anyway."""
    line, side = reach(way, stack)
    since, next_seq = len(line.sent), line.tcb(side).snd_nxt
    line.abort(side)
    assert [sent.flags for sent in line.sent[since:]] == ([RST_FLAGS[stack]] if resets else [])
    assert line.state(side) == State.CLOSED
    if resets:
        assert line.sent[-1].seg.seq == next_seq


@BOTH
@pytest.mark.parametrize("way", ["FIN-WAIT-1/orphan", "FIN-WAIT-2/orphan"])
def test_data_after_close_is_reset(way: str, stack: str) -> None:
    line, side = reach(way, stack)
    line.heal()
    line.send(SERVER, 10)
    line.run(10 * MS)
    assert line.gone(side)
    assert line.flags(side)[-1] == "R"


@BOTH
@pytest.mark.parametrize("way", ["FIN-WAIT-1", "FIN-WAIT-2"])
def test_data_after_shutdown_is_taken(way: str, stack: str) -> None:
    line, side = reach(way, stack)
    line.heal()
    line.send(SERVER, 10)
    line.run(1 * S)
    assert line.receive(side) == 10


@pytest.mark.parametrize(("stack", "resets"), [("linux", True), ("rfc9293", False)])
def test_data_after_shut_rd_and_wr_on_a_socket_still_open(stack: str, resets: bool) -> None:
    """Linux asks whether the socket can receive (trace 03c), RFC 9293 whether CLOSE was called."""
    line = Line(stack, stack).open()
    line.shutdown(CLIENT, rd=True, wr=True)
    line.run(1 * S)
    line.send(SERVER, 10)
    line.run(1 * S)
    assert (line.state(CLIENT) == State.CLOSED) == resets


@pytest.mark.parametrize(("stack", "left"), [("linux", 300), ("rfc9293", 0)])
def test_what_a_reset_leaves_to_read(stack: str, left: int) -> None:
    line = unread(stack)
    line.abort(CLIENT)
    line.run(1 * S)
    assert line.state(SERVER) == State.CLOSED
    assert line.receive(SERVER) == left


@pytest.mark.parametrize(("stack", "error"), [("linux", "EPIPE"), ("rfc9293", "ECONNRESET")])
def test_a_reset_in_close_wait(stack: str, error: str) -> None:
    line = Line(stack, stack).open()
    line.shutdown(CLIENT)
    line.run(1 * S)
    line.abort(CLIENT)
    line.run(1 * S)
    assert line.rules(SERVER)[-1] == "close-wait-reset"
    assert line.error(SERVER) == error


@BOTH
def test_a_lost_reset_is_never_sent_again(stack: str) -> None:
    line = unread(stack)
    line.loses = lambda side, seg: bool(seg.flags & RST)
    line.close(SERVER)
    line.run(7 * 24 * 3600 * S)
    assert line.state(CLIENT) == State.ESTABLISHED
    assert line.next() is None


@BOTH
def test_calls_on_what_is_closed_do_nothing(stack: str) -> None:
    """3.10.2, 3.10.5: the connection does not exist; errno is the system call layer's."""
    line = Line(stack, stack).open()
    line.abort(CLIENT)
    line.abort(CLIENT)
    assert line.send(CLIENT, 10) == 0
    assert line.tcb(CLIENT).unacked == 0
    assert line.rules(CLIENT).count("established-abort") == 1


def test_what_nobody_will_read_does_not_fill_the_buffer() -> None:
    """A stack that takes data after close() throws it away, and its window stays open."""
    line = Line(profile("rfc9293", rst_on_data_after_close="never"), "rfc9293").open()
    line.close(CLIENT)
    line.run(1 * S)
    for _ in range(20):
        line.send(SERVER, 20_000)
        line.run(5 * S)
    assert line.tcb(SERVER).unacked == 0
    assert line.state(CLIENT) == State.FIN_WAIT_2
