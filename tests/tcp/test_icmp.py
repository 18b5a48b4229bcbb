"""ICMP errors: what ends a connection, what is remembered, what is nobody's (RFC 9293 3.9.2.2, RFC 5927)."""

from __future__ import annotations

import pytest

from tcpsim.tcp import endpoint as tcp
from tcpsim.tcp.icmp_messages import MESSAGES
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.state import State
from tests.tcp.two_ends import CLIENT, MS, Line, S, segment_for
from tests.tcp.ways import reach

STACKS = pytest.mark.parametrize("stack", ["rfc9293", "linux", "freebsd"])


def reported(line: Line, side: str, message: str, at: int = 0, room: int | None = None) -> list[Segment]:
    """The network reports on the segment `at` octets behind SND.UNA; what is sent because of it."""
    t = line.tcb(side)
    seq = (t.snd_una + at) % 2**32
    result = tcp.icmp(line.ends[side], t.local_port, t.remote_port, seq, message, line.now, room)
    line.ends[side] = result.end
    return list(result.segments)


@STACKS
def test_a_refused_port_ends_an_open(stack: str) -> None:
    line, side = reach("SYN-SENT", stack)
    reported(line, side, "port_unreachable")
    assert line.state(side) == State.CLOSED
    assert line.error(side) == "ECONNREFUSED"


@pytest.mark.parametrize(
    ("stack", "error"), [("rfc9293", None), ("linux", "ENETUNREACH"), ("freebsd", None), ("4.4bsd", None)]
)
def test_an_unreachable_network_ends_an_open_where_the_stack_says_so(stack: str, error: str | None) -> None:
    line, side = reach("SYN-SENT", stack)
    reported(line, side, "net_unreachable")
    assert (line.state(side) == State.CLOSED) == (error is not None)
    if error is not None:
        assert line.error(side) == error


@pytest.mark.parametrize("message", ["net_unreachable", "exceeded_ttl", "parameter_problem"])
@STACKS
def test_a_soft_error_never_ends_an_established_connection(stack: str, message: str) -> None:
    line, side = reach("ESTABLISHED", stack)
    line.send(side, 100)
    reported(line, side, message)
    assert line.state(side) == State.ESTABLISHED


@STACKS
def test_a_hard_error_in_a_synchronised_state(stack: str) -> None:
    line, side = reach("ESTABLISHED", stack)
    line.send(side, 100)
    reported(line, side, "port_unreachable")
    assert (line.state(side) == State.CLOSED) == (stack == "rfc9293")


@STACKS
def test_what_gives_up_later_tells_of_the_soft_error(stack: str) -> None:
    line, side = reach("ESTABLISHED", stack)
    line.send(side, 100)
    reported(line, side, "host_unreachable")
    line.run(3_000 * S)
    assert line.error(side) == "EHOSTUNREACH"


@pytest.mark.parametrize(("stack", "told"), [("rfc9293", True), ("linux", True), ("freebsd", False)])
def test_a_soft_error_can_be_asked_for_where_the_stack_tells(stack: str, told: bool) -> None:
    line, side = reach("ESTABLISHED", stack)
    line.send(side, 100)
    reported(line, side, "host_unreachable")
    assert line.error(side) == ("EHOSTUNREACH" if told else None)
    assert line.error(side) is None


@STACKS
def test_a_message_about_nothing_outstanding_is_dropped(stack: str) -> None:
    for at in (-1, 1):
        line, side = reach("SYN-SENT", stack)
        reported(line, side, "port_unreachable", at)
        assert line.state(side) == State.SYN_SENT


@STACKS
def test_time_wait_and_strangers_are_left_alone(stack: str) -> None:
    line, side = reach("TIME-WAIT", stack)
    reported(line, side, "port_unreachable")
    assert line.state(side) == State.TIME_WAIT
    end = line.ends[CLIENT]
    assert tcp.icmp(end, 9, 9, 0, "port_unreachable", line.now).end is end


@STACKS
def test_source_quench_is_discarded(stack: str) -> None:
    line, side = reach("SYN-SENT", stack)
    reported(line, side, "source_quench")
    assert line.state(side) == State.SYN_SENT
    assert line.error(side) is None


@pytest.mark.parametrize("message", sorted(MESSAGES - {"source_quench", "frag_needed"}))
def test_every_message_ends_an_open_under_linux(message: str) -> None:
    line, side = reach("SYN-SENT", "linux")
    reported(line, side, message)
    assert line.state(side) == State.CLOSED


@pytest.mark.parametrize("stack", ["linux", "freebsd"])
def test_an_embryonic_connection_waits_on(stack: str) -> None:
    line, side = reach("SYN-RECEIVED", stack)
    reported(line, side, "port_unreachable")
    assert line.state(side) == State.SYN_RECEIVED


@STACKS
def test_a_path_that_takes_less_is_sent_less_at_once(stack: str) -> None:
    """RFC 1191 6.5: what was too big goes again in parts, and later segments are as small."""
    line, side = reach("ESTABLISHED", stack)
    line.send(side, 1_400)
    again = reported(line, side, "frag_needed", room=1_000)
    assert [seg.len for seg in again] == [988, 412]  # 12 octets of timestamps
    assert reported(line, side, "frag_needed", room=1_400) == []  # a path does not grow
    line.run(1 * MS)
    since = line.now
    line.inject(side, segment_for(line, side, "A"))
    line.send(side, 3_000)
    assert max(sent.seg.len for sent in line.log(side, since)) == 988


@pytest.mark.parametrize("room", [None, 100, 5_000])
def test_a_path_that_says_nothing_useful_changes_nothing(room: int | None) -> None:
    line, side = reach("ESTABLISHED", "linux")
    line.send(side, 1_400)
    assert reported(line, side, "frag_needed", room=room) == []
    line, side = reach("SYN-SENT", "linux")
    assert reported(line, side, "frag_needed", room=1_000) == []
    assert line.state(side) == State.SYN_SENT
