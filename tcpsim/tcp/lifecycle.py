"""The life cycle of a connection as a table: (state, fact) -> next state.

Owns: every change of a state. The checks of SEGMENT ARRIVES, the user calls and the timers reduce what
happened to `Fact`s; a row here says what each fact means in each state, with the paragraph of RFC 9293 (or
the stack) that says so. No other code in tcpsim decides a state, and `tcpsim states` draws its diagram from
this table. A pair of state and fact that is neither a row nor declared impossible is an error of the caller.

Refuses to know: segments, clocks, options, and who sends what.

How to read it: facts are applied one at a time in the order of the RFC's checks (ACK before FIN), so
FIN-WAIT-1 that sees its FIN acknowledged by the segment that carries the peer's FIN passes through
FIN-WAIT-2 to TIME-WAIT within one step, which is what 3.10.7.4 says in one sentence.
"""

from __future__ import annotations

from typing import NamedTuple

from tcpsim.tcp.event import Fact
from tcpsim.tcp.state import State


class Row(NamedTuple):
    """One arc: in `state`, `fact` leads to `next_state`; `rule` is its id in logs, `source` its reason."""

    rule: str
    state: State
    fact: Fact
    next_state: State
    source: str


S, F = State, Fact

TABLE: tuple[Row, ...] = (
    Row("open", S.CLOSED, F.ACTIVE_OPEN, S.SYN_SENT, "3.10.1 OPEN"),
    Row("syn", S.LISTEN, F.PEER_SYN, S.SYN_RECEIVED, "3.10.7.2 third"),
    Row("listen-close", S.LISTEN, F.CLOSE_CALLED, S.CLOSED, "3.10.4 CLOSE"),
    Row("listen-abort", S.LISTEN, F.ABORTED, S.CLOSED, "3.10.5 ABORT"),
    # SYN-SENT
    Row("simultaneous-open", S.SYN_SENT, F.PEER_SYN, S.SYN_RECEIVED, "3.10.7.3 fourth"),
    Row("connected", S.SYN_SENT, F.SYN_ACKED, S.ESTABLISHED, "3.10.7.3 fourth: SYN,ACK"),
    Row("refused", S.SYN_SENT, F.RESET, S.CLOSED, "3.10.7.3 second"),
    Row("syn-sent-close", S.SYN_SENT, F.CLOSE_CALLED, S.CLOSED, "3.10.4 CLOSE"),
    Row("syn-sent-abort", S.SYN_SENT, F.ABORTED, S.CLOSED, "3.10.5 ABORT"),
    Row("syn-gave-up", S.SYN_SENT, F.GAVE_UP, S.CLOSED, "3.8.3 R2 for SYN; 3.10.8 USER TIMEOUT"),
    # SYN-RECEIVED
    Row("accepted", S.SYN_RECEIVED, F.SYN_ACKED, S.ESTABLISHED, "3.10.7.4 fifth"),
    Row("syn-received-close", S.SYN_RECEIVED, F.CLOSE_CALLED, S.FIN_WAIT_1, "3.10.4 CLOSE"),
    Row("syn-received-reset", S.SYN_RECEIVED, F.RESET, S.CLOSED, "3.10.7.4 second"),
    Row("syn-received-abort", S.SYN_RECEIVED, F.ABORTED, S.CLOSED, "3.10.5 ABORT"),
    Row("synack-gave-up", S.SYN_RECEIVED, F.GAVE_UP, S.CLOSED, "3.8.3 R2; 3.10.8"),
    # ESTABLISHED
    Row("close-first", S.ESTABLISHED, F.CLOSE_CALLED, S.FIN_WAIT_1, "3.10.4 CLOSE; 3.6 case 1"),
    Row("peer-closed", S.ESTABLISHED, F.PEER_FIN, S.CLOSE_WAIT, "3.10.7.4 eighth; 3.6 case 2"),
    Row("established-reset", S.ESTABLISHED, F.RESET, S.CLOSED, "3.10.7.4 second"),
    Row("established-abort", S.ESTABLISHED, F.ABORTED, S.CLOSED, "3.10.5 ABORT"),
    Row("established-gave-up", S.ESTABLISHED, F.GAVE_UP, S.CLOSED, "3.8.3 R2; 3.8.4; 3.10.8"),
    # FIN-WAIT-1
    Row("fin-acked", S.FIN_WAIT_1, F.FIN_ACKED, S.FIN_WAIT_2, "3.10.7.4 fifth"),
    Row("simultaneous-close", S.FIN_WAIT_1, F.PEER_FIN, S.CLOSING, "3.10.7.4 eighth; 3.6 case 3"),
    Row("fin-wait-1-reset", S.FIN_WAIT_1, F.RESET, S.CLOSED, "3.10.7.4 second"),
    Row("fin-wait-1-abort", S.FIN_WAIT_1, F.ABORTED, S.CLOSED, "3.10.5 ABORT"),
    Row("fin-wait-1-gave-up", S.FIN_WAIT_1, F.GAVE_UP, S.CLOSED, "3.8.3 R2; 3.10.8"),
    # FIN-WAIT-2
    Row("fin-wait-2-fin", S.FIN_WAIT_2, F.PEER_FIN, S.TIME_WAIT, "3.10.7.4 eighth"),
    Row("fin-wait-2-reset", S.FIN_WAIT_2, F.RESET, S.CLOSED, "3.10.7.4 second"),
    Row("fin-wait-2-abort", S.FIN_WAIT_2, F.ABORTED, S.CLOSED, "3.10.5 ABORT"),
    Row("fin-wait-2-gave-up", S.FIN_WAIT_2, F.GAVE_UP, S.CLOSED, "3.8.4 keepalive; 3.10.8"),
    Row("fin-wait-2-over", S.FIN_WAIT_2, F.FIN_WAIT_2_OVER, S.CLOSED, "not in RFC 9293; the stack"),
    # CLOSE-WAIT
    Row("close-second", S.CLOSE_WAIT, F.CLOSE_CALLED, S.LAST_ACK, "3.10.4 CLOSE"),
    Row("close-wait-reset", S.CLOSE_WAIT, F.RESET, S.CLOSED, "3.10.7.4 second"),
    Row("close-wait-abort", S.CLOSE_WAIT, F.ABORTED, S.CLOSED, "3.10.5 ABORT"),
    Row("close-wait-gave-up", S.CLOSE_WAIT, F.GAVE_UP, S.CLOSED, "3.8.3 R2; 3.8.4; 3.10.8"),
    # CLOSING
    Row("closing-acked", S.CLOSING, F.FIN_ACKED, S.TIME_WAIT, "3.10.7.4 fifth"),
    Row("closing-reset", S.CLOSING, F.RESET, S.CLOSED, "3.10.7.4 second"),
    Row("closing-abort", S.CLOSING, F.ABORTED, S.CLOSED, "3.10.5 ABORT"),
    Row("closing-gave-up", S.CLOSING, F.GAVE_UP, S.CLOSED, "3.8.3 R2; 3.10.8"),
    # LAST-ACK
    Row("last-acked", S.LAST_ACK, F.FIN_ACKED, S.CLOSED, "3.10.7.4 fifth"),
    Row("last-ack-reset", S.LAST_ACK, F.RESET, S.CLOSED, "3.10.7.4 second"),
    Row("last-ack-abort", S.LAST_ACK, F.ABORTED, S.CLOSED, "3.10.5 ABORT"),
    Row("last-ack-gave-up", S.LAST_ACK, F.GAVE_UP, S.CLOSED, "3.8.3 R2; 3.10.8"),
    # TIME-WAIT
    Row("two-msl", S.TIME_WAIT, F.TWO_MSL_OVER, S.CLOSED, "3.10.8 TIME-WAIT TIMEOUT"),
    Row("assassinated", S.TIME_WAIT, F.RESET, S.CLOSED, "3.10.7.4 second; hazard H1 of RFC 1337"),
    Row("time-wait-abort", S.TIME_WAIT, F.ABORTED, S.CLOSED, "3.10.5 ABORT"),
    Row("superseded", S.TIME_WAIT, F.SUPERSEDED, S.CLOSED, "3.6.1; RFC 6191 (a new SYN takes the place)"),
)

BY_KEY: dict[tuple[State, Fact], Row] = {(row.state, row.fact): row for row in TABLE}

_NO_PEER_YET = frozenset({S.CLOSED, S.LISTEN})
_SYN_KNOWN = frozenset(State) - {S.LISTEN, S.SYN_SENT}
_FIN_OUT = frozenset({S.FIN_WAIT_1, S.CLOSING, S.LAST_ACK})

IMPOSSIBLE: dict[Fact, tuple[frozenset[State], str]] = {
    F.ACTIVE_OPEN: (frozenset(State) - {S.CLOSED}, "a TCB is opened once; a listener does not connect"),
    F.PEER_SYN: (_SYN_KNOWN, "a later SYN is challenged or reset, never accepted"),
    F.SYN_ACKED: (
        frozenset(State) - {S.SYN_SENT, S.SYN_RECEIVED},
        "our SYN is outstanding in these two only",
    ),
    F.CLOSE_CALLED: (
        frozenset({S.CLOSED, S.FIN_WAIT_1, S.FIN_WAIT_2, S.CLOSING, S.LAST_ACK, S.TIME_WAIT}),
        "our FIN has its place already, or there is no connection",
    ),
    F.FIN_ACKED: (frozenset(State) - _FIN_OUT, "our FIN is outstanding in these three states only"),
    F.PEER_FIN: (
        frozenset(State) - {S.ESTABLISHED, S.FIN_WAIT_1, S.FIN_WAIT_2},
        "the peer's FIN came already, or the ACK before it has not (the fifth check ends SYN-RECEIVED)",
    ),
    F.RESET: (_NO_PEER_YET, "there is no connection to reset"),
    F.ABORTED: (frozenset({S.CLOSED}), "there is no connection to abort"),
    F.GAVE_UP: (_NO_PEER_YET | {S.TIME_WAIT}, "nothing of ours is outstanding and nobody probes"),
    F.FIN_WAIT_2_OVER: (frozenset(State) - {S.FIN_WAIT_2}, "the limit exists in FIN-WAIT-2 only"),
    F.TWO_MSL_OVER: (frozenset(State) - {S.TIME_WAIT}, "2 MSL are waited for in TIME-WAIT only"),
    F.SUPERSEDED: (frozenset(State) - {S.TIME_WAIT}, "only TIME-WAIT gives way to a new SYN"),
}


def follow(state: State, fact: Fact) -> Row:
    """The row for `fact` in `state`.

    Raises:
        LookupError: the pair is no row; the caller made a fact of something that is none.
    """
    row = BY_KEY.get((state, fact))
    if row is None:
        reason = IMPOSSIBLE.get(fact, (None, "no row"))[1]
        raise LookupError(f"{fact} in {state}: {reason}")
    return row
