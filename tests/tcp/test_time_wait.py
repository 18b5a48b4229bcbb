"""TIME-WAIT: how long, what restarts it, what ends it early; and connections that one end has forgotten."""

from __future__ import annotations

import pytest

from tcpsim.tcp.state import State
from tests.tcp.two_ends import CLIENT, MS, SERVER, Line, S, profile, segment_for
from tests.tcp.ways import half_open, reach

BOTH = pytest.mark.parametrize("stack", ["linux", "rfc9293"])


# TIME-WAIT


def in_time_wait(stack: str = "linux", **knobs: object) -> Line:
    """The client closed first and waits; the server's socket is closed."""
    line = Line(profile(stack, **knobs), stack).open()
    line.close(CLIENT)
    line.run(100 * MS)
    line.close(SERVER)
    line.run(100 * MS)
    assert line.state(CLIENT) == State.TIME_WAIT
    assert line.gone(SERVER)
    return line


@pytest.mark.parametrize(("stack", "seconds"), [("linux", 60), ("rfc9293", 240)])
def test_time_wait_lasts_two_msl(stack: str, seconds: int) -> None:
    line = in_time_wait(stack)
    began = next(n.t_us for n in line.notes if n.note.new == State.TIME_WAIT and n.note.kind == "state")
    line.run_until(lambda: line.gone(CLIENT))
    assert line.now - began == seconds * S


@BOTH
def test_time_wait_acknowledges_a_repeated_fin_and_starts_again(stack: str) -> None:
    line = Line(stack, stack).open()
    line.close(CLIENT)
    line.run(100 * MS)
    line.loses = lambda side, seg: side == CLIENT  # the last ACK
    line.close(SERVER)
    line.run(100 * MS)
    line.heal()
    line.run(2 * S)
    assert line.gone(SERVER)
    repeated = line.log(SERVER)[-1]
    assert repeated.flags == "FA"
    line.run_until(lambda: line.gone(CLIENT))
    assert line.now - repeated.t_us - line.delay_us == (60 * S if stack == "linux" else 240 * S)


@pytest.mark.parametrize(("stack", "restarts"), [("linux", True), ("rfc9293", False)])
def test_a_bare_ack_restarts_time_wait_on_linux(stack: str, restarts: bool) -> None:
    line, side = reach("TIME-WAIT", stack)
    due = line.tcb(side).wait_at_us
    line.run(5 * S)
    line.inject(side, segment_for(line, side, "A"))
    assert due is not None
    assert line.tcb(side).wait_at_us == (due + 5 * S if restarts else due)


def test_rfc1337_keeps_time_wait() -> None:
    line, side = reach("TIME-WAIT", profile("linux", tcp_rfc1337=1))
    line.inject(side, segment_for(line, side, "R"))
    assert line.state(side) == State.TIME_WAIT


@BOTH
def test_a_new_syn_takes_the_place_of_time_wait(stack: str) -> None:
    line = Line(stack, stack).open()
    line.close(SERVER)
    line.run(100 * MS)
    line.close(CLIENT)
    line.run(1 * S)
    old = line.tcb(SERVER)
    line.connect(CLIENT)
    line.run(1 * S)
    assert line.rules(SERVER)[-3:] == ["superseded", "syn", "accepted"]
    assert line.state(CLIENT) == State.ESTABLISHED
    new = line.ends[SERVER].sockets[line.accept() or 0]
    assert (new.iss - old.snd_nxt) % 2**32 < 2**31  # the new sequence lies beyond the old


@pytest.mark.parametrize(
    ("at", "ts_age", "reopens"),
    [(1, 0, True), (0, 0, False), (-5_000, -1, True), (-5_000, 0, False), (1, 1, False)],
    ids=["later", "not-later", "newer", "neither", "older"],
)
def test_which_syn_takes_the_place_of_time_wait(at: int, ts_age: int, reopens: bool) -> None:
    """RFC 6191: a later number, or a newer timestamp; an older timestamp is an old duplicate."""
    line = Line().open()
    line.close(SERVER)
    line.run(100 * MS)
    line.close(CLIENT)
    line.run(1 * S)
    line.inject(SERVER, segment_for(line, SERVER, "S", at=at, ts_age=ts_age))
    assert (line.rules(SERVER)[-1] == "syn") == reopens


def test_the_client_may_use_its_port_again_with_timestamps() -> None:
    line = in_time_wait("linux")
    assert line.connect(CLIENT) != 0
    line.run(1 * S)
    assert line.state(CLIENT) == State.ESTABLISHED


def test_the_client_may_not_use_its_port_again_without_timestamps() -> None:
    line = in_time_wait("linux", tcp_timestamps=0)
    assert line.connect(CLIENT) == 0


# Half-open


@BOTH
def test_data_into_a_host_that_forgot_is_reset(stack: str) -> None:
    line = half_open(stack)
    line.send(SERVER, 10)
    line.run(1 * S)
    assert line.state(SERVER) == State.CLOSED
    assert line.error(SERVER) == "ECONNRESET"
    assert line.error(SERVER) is None  # told once


@pytest.mark.parametrize(("stack", "ms"), [("linux", 8), ("rfc9293", 980)])
def test_a_new_syn_into_an_old_connection_recovers(stack: str, ms: int) -> None:
    """3.5.1 figure 9: the SYN is answered by an ACK, that by a RST, and the SYN sent again connects.

    Linux sends it again soon (trace 17k: about 10 ms), the RFC's timer is the one that ran.
    """
    line = half_open(stack)
    line.run(10 * S)
    line.connect(CLIENT)
    line.run(5 * S)
    assert line.flags(CLIENT)[-4:-1] == ["S", "R", "S"]
    reset, again = line.log(CLIENT)[-3:-1]
    assert again.t_us - reset.t_us == ms * MS
    assert line.rules(SERVER)[-3:] == ["established-reset", "syn", "accepted"]
    assert line.state(CLIENT) == State.ESTABLISHED


@BOTH
@pytest.mark.parametrize("way", ["FIN-WAIT-2", "CLOSE-WAIT", "LAST-ACK"])
def test_data_for_a_port_without_a_socket_is_reset(stack: str, way: str) -> None:
    line, side = reach(way, stack)
    answers = line.inject(side, segment_for(line, side, "A")._replace(src_port=7))
    assert [seg.flags for seg in answers] == [4]
    assert line.state(side) == State[way.replace("-", "_")]


def test_a_syn_to_a_closed_port_is_refused() -> None:
    line = Line()
    line.connect()
    line.run(1 * S)
    assert line.flags(SERVER) == ["RA"]
    assert line.error(CLIENT) == "ECONNREFUSED"
