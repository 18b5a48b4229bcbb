"""One way into each of the eleven states, by real events; the sub-cases that stacks tell apart included."""

from __future__ import annotations

from collections.abc import Callable

from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State
from tests.tcp.two_ends import CLIENT, MS, SERVER, Line


def _closed(line: Line) -> str:
    return CLIENT


def _listen(line: Line) -> str:
    line.listen()
    return SERVER


def _syn_sent(line: Line) -> str:
    line.cut()
    line.connect()
    return CLIENT


def _syn_received(line: Line) -> str:
    line.listen()
    line.connect()
    line.run_until(lambda: line.state(SERVER) == State.SYN_RECEIVED)
    return SERVER


def _syn_received_both(line: Line) -> str:
    """A simultaneous open: both SYNs cross."""
    line.connect(CLIENT)
    line.connect(SERVER)
    line.run_until(lambda: line.state(CLIENT) == State.SYN_RECEIVED)
    return CLIENT


def _established(line: Line) -> str:
    line.open()
    return CLIENT


def _fin_wait_1(line: Line) -> str:
    line.open().cut()
    line.shutdown(CLIENT)
    return CLIENT


def _fin_wait_1_orphan(line: Line) -> str:
    line.open().cut()
    line.close(CLIENT)
    return CLIENT


def _fin_wait_2(line: Line) -> str:
    line.open().shutdown(CLIENT)
    line.run_until(lambda: line.state(CLIENT) == State.FIN_WAIT_2)
    return CLIENT


def _fin_wait_2_orphan(line: Line) -> str:
    line.open().close(CLIENT)
    line.run_until(lambda: line.state(CLIENT) == State.FIN_WAIT_2)
    return CLIENT


def _close_wait(line: Line) -> str:
    line.open().shutdown(SERVER)
    line.run(100 * MS)  # its FIN is acknowledged, delayed or not
    assert line.state(CLIENT) == State.CLOSE_WAIT
    return CLIENT


def _closing(line: Line) -> str:
    line.open().shutdown(SERVER)
    line.shutdown(CLIENT)
    line.run_until(lambda: line.state(CLIENT) == State.CLOSING)
    return CLIENT


def _last_ack(line: Line) -> str:
    _close_wait(line)
    line.cut()
    line.shutdown(CLIENT)
    return CLIENT


def _time_wait(line: Line) -> str:
    _fin_wait_2(line)
    line.shutdown(SERVER)
    line.run_until(lambda: line.state(CLIENT) == State.TIME_WAIT)
    return CLIENT


WAYS: dict[str, Callable[[Line], str]] = {
    "CLOSED": _closed,
    "LISTEN": _listen,
    "SYN-SENT": _syn_sent,
    "SYN-RECEIVED": _syn_received,
    "SYN-RECEIVED/simultaneous": _syn_received_both,
    "ESTABLISHED": _established,
    "FIN-WAIT-1": _fin_wait_1,
    "FIN-WAIT-1/orphan": _fin_wait_1_orphan,
    "FIN-WAIT-2": _fin_wait_2,
    "FIN-WAIT-2/orphan": _fin_wait_2_orphan,
    "CLOSE-WAIT": _close_wait,
    "CLOSING": _closing,
    "LAST-ACK": _last_ack,
    "TIME-WAIT": _time_wait,
}


def reach(way: str | State, stack: Stack | str = "linux", iss: int = 1_000) -> tuple[Line, str]:
    """A line on which one side, the second value, is in a state; from here on the line loses everything."""
    line = Line(stack, stack, iss=iss)
    side = WAYS[str(way)](line)
    assert str(line.state(side)) == str(way).partition("/")[0]
    line.cut()
    return line, side


def half_open(stack: Stack | str = "linux") -> Line:
    """The server is ESTABLISHED in a connection that the client's host has forgotten in a reboot."""
    line = Line(stack, stack).open()
    line.ends[CLIENT] = Line(stack, stack).ends[CLIENT]
    line.ids.pop(CLIENT)
    return line
