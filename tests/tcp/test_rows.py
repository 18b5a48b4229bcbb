"""Every row of the lifecycle table is followed because something real happened; nothing else is a row."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tcpsim.tcp.event import Fact
from tcpsim.tcp.lifecycle import BY_KEY, IMPOSSIBLE, TABLE, follow
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions
from tests.tcp.two_ends import CLIENT, PORTS, SERVER, Line, S, segment_for
from tests.tcp.ways import reach

Drive = Callable[[str], tuple[Line, str]]
HOUR = 3600 * S


def injected(way: str, flags: str, ack: int = 0, at: int = 0) -> Drive:
    """Reach a state, then deliver one segment."""

    def drive(stack: str) -> tuple[Line, str]:
        line, side = reach(way, stack)
        line.inject(side, segment_for(line, side, flags, at=at, ack=ack))
        return line, side

    return drive


def called(way: str, act: Callable[[Line, str], object]) -> Drive:
    """Reach a state, then make a call."""

    def drive(stack: str) -> tuple[Line, str]:
        line, side = reach(way, stack)
        act(line, side)
        return line, side

    return drive


def waited(way: str, for_us: int, before: Callable[[Line, str], object] = lambda line, side: None) -> Drive:
    """Reach a state, on a line that is cut now, and let time pass."""

    def drive(stack: str) -> tuple[Line, str]:
        line, side = reach(way, stack)
        before(line, side)
        line.run(for_us)
        return line, side

    return drive


def open_line(side: str) -> Drive:
    return lambda stack: (Line(stack, stack).open(), side)


def syn(line: Line, side: str) -> None:
    peer = Line()
    peer.connect(CLIENT)
    line.inject(side, peer.sent[0].seg)


def new_syn(stack: str) -> tuple[Line, str]:
    """The server's TIME-WAIT meets the SYN of the same client port; its listener is still there."""
    line = Line(stack, stack).open()
    line.close(SERVER)
    line.run(1 * S)
    line.close(CLIENT)
    line.run(1 * S)
    assert line.state(SERVER) == State.TIME_WAIT
    line.run(10 * S)  # the client's next ISN lies beyond its last
    line.connect(CLIENT)
    line.run(1 * S)
    return line, SERVER


def data_sent(line: Line, side: str) -> None:
    line.send(side, 100)


def keepalive(line: Line, side: str) -> None:
    line.set(side, keepalive=True)


def limited_fin_wait_2(stack: str) -> tuple[Line, str]:
    knobs = {"fin_wait_2_us": "60s"}
    line, side = reach("FIN-WAIT-2/orphan", Line(stack).ends[CLIENT].stack.with_knobs(knobs))
    line.run(61 * S)
    return line, side


def abort(line: Line, side: str) -> None:
    line.abort(side)


def shut(line: Line, side: str) -> None:
    line.shutdown(side)


DRIVES: dict[str, Drive] = {
    "open": called("CLOSED", lambda line, side: line.connect(side)),
    "syn": called("LISTEN", syn),
    "listen-close": called("LISTEN", lambda line, side: line.close_listener()),
    "listen-abort": called("LISTEN", lambda line, side: line.close_listener(abort=True)),
    "simultaneous-open": injected("SYN-SENT", "S", at=5_000),
    "connected": open_line(CLIENT),
    "refused": injected("SYN-SENT", "RA"),
    "syn-sent-close": called("SYN-SENT", shut),
    "syn-sent-abort": called("SYN-SENT", abort),
    "syn-gave-up": waited("SYN-SENT", HOUR),
    "accepted": open_line(SERVER),
    "syn-received-close": called("SYN-RECEIVED/simultaneous", shut),
    "syn-received-reset": injected("SYN-RECEIVED", "R"),
    "syn-received-abort": called("SYN-RECEIVED/simultaneous", abort),
    "synack-gave-up": waited("SYN-RECEIVED", HOUR),
    "close-first": called("ESTABLISHED", shut),
    "peer-closed": injected("ESTABLISHED", "FA"),
    "established-reset": injected("ESTABLISHED", "R"),
    "established-abort": called("ESTABLISHED", abort),
    "established-gave-up": waited("ESTABLISHED", HOUR, data_sent),
    "fin-acked": injected("FIN-WAIT-1", "A"),
    "simultaneous-close": injected("FIN-WAIT-1", "FA", ack=-1),
    "fin-wait-1-reset": injected("FIN-WAIT-1", "R"),
    "fin-wait-1-abort": called("FIN-WAIT-1", abort),
    "fin-wait-1-gave-up": waited("FIN-WAIT-1", HOUR),
    "fin-wait-2-fin": injected("FIN-WAIT-2", "FA"),
    "fin-wait-2-reset": injected("FIN-WAIT-2", "R"),
    "fin-wait-2-abort": called("FIN-WAIT-2", abort),
    "fin-wait-2-gave-up": waited("FIN-WAIT-2", 3 * HOUR, keepalive),
    "fin-wait-2-over": limited_fin_wait_2,
    "close-second": called("CLOSE-WAIT", shut),
    "close-wait-reset": injected("CLOSE-WAIT", "R"),
    "close-wait-abort": called("CLOSE-WAIT", abort),
    "close-wait-gave-up": waited("CLOSE-WAIT", HOUR, data_sent),
    "closing-acked": injected("CLOSING", "A"),
    "closing-reset": injected("CLOSING", "R"),
    "closing-abort": called("CLOSING", abort),
    "closing-gave-up": waited("CLOSING", HOUR),
    "last-acked": injected("LAST-ACK", "A"),
    "last-ack-reset": injected("LAST-ACK", "R"),
    "last-ack-abort": called("LAST-ACK", abort),
    "last-ack-gave-up": waited("LAST-ACK", HOUR),
    "two-msl": waited("TIME-WAIT", 300 * S),
    "assassinated": injected("TIME-WAIT", "R"),
    "time-wait-abort": called("TIME-WAIT", abort),
    "superseded": new_syn,
}

ROWS = {row.rule: row for row in TABLE}


@pytest.mark.parametrize("stack", ["linux", "rfc9293"])
@pytest.mark.parametrize("rule", DRIVES)
def test_row(rule: str, stack: str) -> None:
    line, side = DRIVES[rule](stack)
    followed = [n.note for n in line.notes if n.side == side and n.note.kind == "state"]
    if rule == "superseded":
        assert [note.what for note in followed[-3:]] == ["superseded", "syn", "accepted"]
        followed = followed[:-2]
    row = ROWS[rule]
    assert (followed[-1].what, followed[-1].old, followed[-1].new) == (rule, row.state, row.next_state)


def test_each_row_has_a_driver() -> None:
    assert set(DRIVES) == {row.rule for row in TABLE}
    assert len(ROWS) == len(TABLE)


@pytest.mark.parametrize("fact", Fact)
@pytest.mark.parametrize("state", State)
def test_each_pair_is_a_row_or_declared_impossible(state: State, fact: Fact) -> None:
    impossible = fact in IMPOSSIBLE and state in IMPOSSIBLE[fact][0]
    assert ((state, fact) in BY_KEY) != impossible
    if impossible:
        with pytest.raises(LookupError, match=IMPOSSIBLE[fact][1][:20]):
            follow(state, fact)
    else:
        assert follow(state, fact).state == state


def test_a_state_is_left_by_some_row_and_entered_by_some_row() -> None:
    """No state is a dead end of the table itself, nor beyond reach."""
    assert {row.state for row in TABLE} == set(State)
    assert {row.next_state for row in TABLE} == set(State) - {State.LISTEN}  # a listener is made by a call


def test_every_refusal_says_why() -> None:
    assert all(reason for _, reason in IMPOSSIBLE.values())
    assert all(row.source for row in TABLE)


def test_an_unaccepted_child_leaves_nothing_when_it_is_reset() -> None:
    line, side = reach("SYN-RECEIVED", "linux")
    line.inject(side, segment_for(line, side, "R"))
    assert not line.ends[SERVER].sockets
    assert line.ends[SERVER].listeners[line.listener].embryonic == 0


def test_options_of_a_listener_reach_its_children() -> None:
    line = Line().open(server=SocketOptions(keepalive=True, keep_idle_us=5 * S))
    assert line.tcb(SERVER).options.keep_idle_us == 5 * S
    assert line.tcb(SERVER).local_port == PORTS[SERVER]
