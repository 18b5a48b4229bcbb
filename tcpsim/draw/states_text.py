"""The transition table (tcp.lifecycle) as text.

Owns: the words for a fact, and the lines. Refuses to know: any row; the diagram is `states_figure`.
"""

from __future__ import annotations

from itertools import groupby
from typing import Final

from tcpsim.tcp.event import Fact
from tcpsim.tcp.lifecycle import TABLE, Row
from tcpsim.tcp.state import State


def states_text() -> str:
    """The table, one line per row, grouped by state."""
    lines = []
    for state, rows in groupby(TABLE, key=lambda row: row.state):
        lines.append(str(state))
        lines += [
            f"  {fact_words(row.fact):<16} → {row.next_state!s:<13} {row.rule:<21} {row.source}"
            for row in rows
        ]
    return "\n".join(lines) + "\n"


# What the TCP sends on an arc, as figure 5 of RFC 9293 writes it below a line; none: nothing ("x" there).
_ACTIONS: Final[dict[tuple[State, Fact] | Fact, str]] = {
    Fact.ACTIVE_OPEN: "snd SYN",
    Fact.PEER_SYN: "snd SYN,ACK",
    (State.SYN_SENT, Fact.SYN_ACKED): "snd ACK",
    (State.LISTEN, Fact.CLOSE_CALLED): "",
    (State.SYN_SENT, Fact.CLOSE_CALLED): "",
    Fact.CLOSE_CALLED: "snd FIN",
    Fact.PEER_FIN: "snd ACK",
}

# Stevens, TCP/IP Illustrated 1, figure 18.12: the way that most connections take, by the two ends of an arc
USUAL: Final[dict[str, tuple[State, ...]]] = {
    "client": (
        State.CLOSED, State.SYN_SENT, State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2,
        State.TIME_WAIT, State.CLOSED,
    ),
    "server": (
        State.LISTEN, State.SYN_RECEIVED, State.ESTABLISHED, State.CLOSE_WAIT, State.LAST_ACK, State.CLOSED,
    ),
}  # fmt: skip


def action_words(row: Row) -> str:
    """What is sent on an arc; nothing if nothing is."""
    own = _ACTIONS.get((row.state, row.fact))
    return _ACTIONS.get(row.fact, "") if own is None else own


def arc_words(row: Row) -> str:
    """An arc's fact, and what the TCP then sends.

    >>> [arc_words(row) for row in TABLE if row.rule in ("syn", "fin-acked")]
    ['peer SYN / snd SYN,ACK', 'FIN acked']
    """
    return " / ".join(filter(None, (fact_words(row.fact), action_words(row))))


def fact_words(fact: Fact) -> str:
    """A fact as it stands on an arc.

    >>> fact_words(Fact.PEER_FIN), fact_words(Fact.FIN_WAIT_2_OVER), fact_words(Fact.TWO_MSL_OVER)
    ('peer FIN', 'FIN-WAIT-2 over', '2 MSL over')
    """
    named = {Fact.FIN_WAIT_2_OVER: "FIN-WAIT-2 over", Fact.TWO_MSL_OVER: "2 MSL over"}
    return named.get(fact) or str(fact).replace("syn", "SYN").replace("fin", "FIN")
