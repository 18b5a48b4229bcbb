"""The eleven connection states of RFC 9293 section 3.3.2, their spellings, and who holds a socket.

Owns: names. Refuses to know: how one state becomes another (lifecycle).
"""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """A connection state; ``str()`` is the spelling of the RFC."""

    CLOSED = 0
    LISTEN = 1
    SYN_SENT = 2
    SYN_RECEIVED = 3
    ESTABLISHED = 4
    FIN_WAIT_1 = 5
    FIN_WAIT_2 = 6
    CLOSE_WAIT = 7
    CLOSING = 8
    LAST_ACK = 9
    TIME_WAIT = 10

    def __str__(self) -> str:
        return self._name_.replace("_", "-")


# By their bare names too: a step asks for a dozen, and looking one up in the class costs as much as a call
(
    CLOSED,
    LISTEN,
    SYN_SENT,
    SYN_RECEIVED,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    CLOSE_WAIT,
    CLOSING,
    LAST_ACK,
    TIME_WAIT,
) = State


class Holder(IntEnum):
    """Who pays for a socket: the cost classes of a host.

    OWNED: a descriptor refers to it. ORPHAN: a full socket that no application holds any more.
    MINI: a reduced record (Linux ``tcp_timewait_sock``, FreeBSD ``tcptw``). REQUEST: an embryonic
    connection of a listener (Linux ``request_sock``, BSD syncache). QUEUE: a complete connection in a
    listener's accept queue, a full socket that no application holds yet.
    """

    OWNED = 0
    ORPHAN = 1
    MINI = 2
    REQUEST = 3
    QUEUE = 4

    def __str__(self) -> str:
        return self._name_.lower()


_SPELLINGS = {
    "SYNSENT": State.SYN_SENT,
    "SYNRECV": State.SYN_RECEIVED,
    "SYNRCVD": State.SYN_RECEIVED,
    "SYNRECEIVED": State.SYN_RECEIVED,
    "NEWSYNRECV": State.SYN_RECEIVED,
    "ESTAB": State.ESTABLISHED,
    "CLOSE": State.CLOSED,
} | {state.name.replace("_", ""): state for state in State}

# /proc/net/tcp writes Linux's own numbers (include/net/tcp_states.h)
_PROC = {
    "01": State.ESTABLISHED,
    "02": State.SYN_SENT,
    "03": State.SYN_RECEIVED,
    "04": State.FIN_WAIT_1,
    "05": State.FIN_WAIT_2,
    "06": State.TIME_WAIT,
    "07": State.CLOSED,
    "08": State.CLOSE_WAIT,
    "09": State.LAST_ACK,
    "0A": State.LISTEN,
    "0B": State.CLOSING,
    "0C": State.SYN_RECEIVED,
}


def parse_state(text: str) -> State:
    """A state from any customary spelling: RFC, ``ss``, netstat, BSD, TCPI_* and /proc/net/tcp numbers.

    >>> parse_state("FIN-WAIT-2") is parse_state("FIN_WAIT2") is parse_state("fin-wait-2") is State.FIN_WAIT_2
    True

    Raises:
        ValueError: no stack spells a state so.
    """
    word = text.upper().removeprefix("TCPI_").removeprefix("TCPS_").removeprefix("TCP_")
    word = word.replace("-", "").replace("_", "").replace(" ", "")
    found = _SPELLINGS.get(word, _PROC.get(text.upper()))
    if found is None:
        allowed = ", ".join(map(str, State))
        raise ValueError(f"state {text!r}: allowed are {allowed} in the spelling of any stack")
    return found
