"""The words of the files for what a host holds.

Owns: how a state and its holder are written. Refuses to know: who saw it, the simulator (replay) or a real
kernel (lab.population).
"""

from __future__ import annotations

from typing import Final

from tcpsim.tcp.state import Holder, State

_SHORT: Final = {
    State.SYN_SENT: "SS",
    State.SYN_RECEIVED: "SR",
    State.ESTABLISHED: "EST",
    State.FIN_WAIT_1: "FW1",
    State.FIN_WAIT_2: "FW2",
    State.CLOSE_WAIT: "CW",
    State.CLOSING: "CL",
    State.LAST_ACK: "LA",
    State.TIME_WAIT: "TW",
    State.CLOSED: "CLOSE(fd kept)",
}
CLOSED: Final = _SHORT[State.CLOSED]
GONE: Final = "GONE"
NOT_SERVED: Final = {"EST": "no request"} | dict.fromkeys(("SR", "EST/q", "never seen"), "not accepted")


def word_of(state: State, holder: Holder) -> str:
    """A state; `/o` without a process, `/q` not accepted yet, `/ms` a timewait socket.

    >>> word_of(State.FIN_WAIT_1, Holder.ORPHAN), word_of(State.ESTABLISHED, Holder.QUEUE)
    ('FW1/o', 'EST/q')
    """
    word = _SHORT[state]
    if holder is Holder.MINI:
        return f"{word}/ms"
    if holder is Holder.ORPHAN:
        return f"{word}/o"
    return f"{word}/q" if state is State.ESTABLISHED and holder is Holder.QUEUE else word
