"""The transition table (tcp.lifecycle) as text.

Owns: the words for a fact, and the lines. Refuses to know: any row; the diagram is `states_figure`.
"""

from __future__ import annotations

from itertools import groupby

from tcpsim.tcp.event import Fact
from tcpsim.tcp.lifecycle import TABLE


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


def fact_words(fact: Fact) -> str:
    """A fact as it stands on an arc.

    >>> fact_words(Fact.PEER_FIN), fact_words(Fact.FIN_WAIT_2_OVER), fact_words(Fact.TWO_MSL_OVER)
    ('peer FIN', 'FIN-WAIT-2 over', '2 MSL over')
    """
    named = {Fact.FIN_WAIT_2_OVER: "FIN-WAIT-2 over", Fact.TWO_MSL_OVER: "2 MSL over"}
    return named.get(fact) or str(fact).replace("syn", "SYN").replace("fin", "FIN")
