"""Where the states of the diagram lie, and how its arcs run.

Owns: the places (as in figure 5 of RFC 9293: openings above, the active closer on the left, the passive
closer on the right) and the routes, in inches from the lower left corner. Refuses to know: any arc (every row
of tcp.lifecycle is one; a row that no route was drawn for gets a straight line, and a test says so), and
what it is drawn with (states_figure, and the page).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tcpsim.draw.states_text import arc_words
from tcpsim.tcp.event import Fact
from tcpsim.tcp.lifecycle import TABLE, Row
from tcpsim.tcp.state import State

_ENDINGS: Final = (Fact.RESET, Fact.ABORTED, Fact.GAVE_UP)
WIDTH, HEIGHT = 10.0, 9.3
BOX: Final = (1.72, 0.62)

# CLOSED is drawn twice, as in the RFC: where a connection begins and where it ends
PLACES: Final[dict[State | str, tuple[float, float]]] = {
    "begin": (5.0, 8.25),
    State.LISTEN: (1.9, 7.1),
    State.SYN_SENT: (8.1, 7.1),
    State.SYN_RECEIVED: (1.9, 5.6),
    State.ESTABLISHED: (5.0, 5.6),
    State.FIN_WAIT_1: (1.9, 3.95),
    State.CLOSE_WAIT: (8.1, 3.95),
    State.FIN_WAIT_2: (1.9, 2.45),
    State.CLOSING: (5.0, 2.45),
    State.LAST_ACK: (8.1, 2.45),
    State.TIME_WAIT: (5.0, 1.05),
    "end": (8.1, 1.05),
}


class Route(NamedTuple):
    """The points an arc runs through, and where its label stands (`align`: which side of it is there)."""

    points: tuple[tuple[float, float], ...]
    label: tuple[float, float]
    align: str = "left"


_S = State
_ROUTES: Final[dict[tuple[State, State], Route]] = {
    (_S.CLOSED, _S.SYN_SENT): Route(((5.86, 8.35), (8.3, 8.35), (8.3, 7.41)), (8.38, 7.9)),
    (_S.SYN_SENT, _S.CLOSED): Route(((7.8, 7.41), (7.8, 8.1), (5.86, 8.1)), (7.7, 7.88), "right"),
    (_S.LISTEN, _S.CLOSED): Route(((2.2, 7.41), (2.2, 8.1), (4.14, 8.1)), (2.3, 7.88)),
    (_S.LISTEN, _S.SYN_RECEIVED): Route(((1.9, 6.79), (1.9, 5.91)), (1.98, 6.35)),
    (_S.SYN_SENT, _S.SYN_RECEIVED): Route(((7.24, 6.95), (2.76, 5.85)), (5.0, 6.66), "center"),
    (_S.SYN_SENT, _S.ESTABLISHED): Route(((8.1, 6.79), (8.1, 5.6), (5.86, 5.6)), (7.0, 5.7), "center"),
    (_S.SYN_RECEIVED, _S.ESTABLISHED): Route(((2.76, 5.6), (4.14, 5.6)), (3.45, 5.7), "center"),
    (_S.SYN_RECEIVED, _S.FIN_WAIT_1): Route(((1.6, 5.29), (1.6, 4.26)), (1.52, 4.78), "right"),
    (_S.ESTABLISHED, _S.FIN_WAIT_1): Route(((4.5, 5.29), (2.76, 4.1)), (3.42, 4.28), "left"),
    (_S.ESTABLISHED, _S.CLOSE_WAIT): Route(((5.6, 5.29), (7.5, 4.26)), (6.65, 4.85), "left"),
    (_S.FIN_WAIT_1, _S.FIN_WAIT_2): Route(((1.9, 3.64), (1.9, 2.76)), (1.82, 3.2), "right"),
    (_S.FIN_WAIT_1, _S.CLOSING): Route(((2.76, 3.75), (4.6, 2.76)), (3.8, 3.3), "left"),
    (_S.FIN_WAIT_2, _S.TIME_WAIT): Route(((2.5, 2.14), (4.14, 1.25)), (3.4, 1.75), "left"),
    (_S.FIN_WAIT_2, _S.CLOSED): Route(((1.6, 2.14), (1.6, 0.4), (8.1, 0.4), (8.1, 0.74)), (1.7, 0.5), "left"),
    (_S.CLOSE_WAIT, _S.LAST_ACK): Route(((8.1, 3.64), (8.1, 2.76)), (8.18, 3.2)),
    (_S.CLOSING, _S.TIME_WAIT): Route(((5.0, 2.14), (5.0, 1.36)), (5.08, 1.75)),
    (_S.LAST_ACK, _S.CLOSED): Route(((8.1, 2.14), (8.1, 1.36)), (8.18, 1.75)),
    (_S.TIME_WAIT, _S.CLOSED): Route(((5.86, 1.05), (7.24, 1.05)), (6.55, 1.15), "center"),
}


def arcs() -> dict[tuple[State, State], list[str]]:
    """The labels of each arc that is drawn as one, by its two ends."""
    drawn: dict[tuple[State, State], list[str]] = {}
    for row in TABLE:
        if not is_ending(row):
            drawn.setdefault((row.state, row.next_state), []).append(arc_words(row))
    return drawn


def route(state: State, next_state: State) -> Route:
    """The drawn route of an arc, or a straight line between the two states."""
    known = _ROUTES.get((state, next_state))
    if known:
        return known
    begin = PLACES["begin" if state is State.CLOSED else state]
    end = PLACES["end" if next_state is State.CLOSED else next_state]
    return Route((begin, end), ((begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2))


def has_route(state: State, next_state: State) -> bool:
    """Whether somebody has looked at where this arc runs."""
    return (state, next_state) in _ROUTES


def is_ending(row: Row) -> bool:
    return row.fact in _ENDINGS and row.next_state is State.CLOSED
