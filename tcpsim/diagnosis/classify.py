"""The kind (kinds) of a socket, from its line and from what is known about its host.

Owns: the conclusions from state, owner, queues and timer, and their certainty. Refuses to know: texts.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tcpsim.diagnosis.host import Host, local_peer
from tcpsim.dumps import Socket
from tcpsim.tcp.state import State

CERTAIN, LIKELY, POSSIBLE = "certain", "likely", "possible"
MUCH_UNREAD: Final = 32_768  # octets: more than a program leaves unread that reads now and then
_FEW_RETRIES: Final = 3  # so many retransmissions are ordinary loss


class Case(NamedTuple):
    """The name of a kind, its certainty, and the evidence."""

    kind: str
    certainty: str
    why: str


def classify(socket: Socket, host: Host) -> Case | None:
    """The kind of one socket; None for a listener."""
    return _RULES[socket.state](socket, host)


def held(socket: Socket, host: Host) -> bool | None:
    """Whether a program holds the socket; None if the dump does not show it."""
    if socket.owners:
        return True
    if socket.inode is not None and socket.inode == 0 and host.linux:
        return False
    if socket.inode:
        return True
    if socket.timer is not None and socket.timer.kind == "timewait":
        return False
    if socket.owners is None or host.dump.partly:
        return None
    return False


def _close_wait(socket: Socket, host: Host) -> Case:
    queue = _queue(socket, host)
    if queue is not None:
        return queue
    if socket.timer is not None and socket.timer.kind in ("on", "persist") and socket.send_q:
        return Case("close-wait-sending", CERTAIN, "data is in Send-Q and its timer runs")
    if held(socket, host):
        sure, why = (
            CERTAIN,
            "the peer's FIN has arrived (state), and a descriptor is open (owner)",
        )
    else:
        sure, why = (
            CERTAIN,
            "CLOSE-WAIT means that the peer's FIN has arrived and that close() was not called here",
        )
    if not host.linux or socket.recv_q is None:
        return Case("close-wait", sure, why)
    if socket.recv_q == 0:
        return Case("close-wait-eof-read", sure, f"{why}; Recv-Q 0: the program has read the FIN")
    if socket.recv_q == 1:
        return Case("close-wait-fin-unread", sure, f"{why}; Recv-Q 1: only the FIN is unread")
    return Case("close-wait-data-unread", sure, f"{why}; Recv-Q above 1: data is unread")


def _queue(socket: Socket, host: Host) -> Case | None:
    """Whether the socket waits for accept(): no program holds it, and its listener has a queue."""
    if not host.linux or socket.owners:
        return None
    role, _ = host.role(socket.local, socket.peer)
    listening = host.listening.get(socket.local.port) if socket.local.port is not None else None
    if role != "server":
        return None
    if socket.inode == 0:
        return Case("accept-queue", CERTAIN, "no file refers to the socket (inode 0), and it is not closed")
    if socket.inode:
        return None
    if listening is not None and not listening.waiting:
        return None
    unheld = socket.owners == ()
    if listening is None:
        if unheld and not host.dump.partly:
            return Case(
                "accept-queue",
                LIKELY,
                "other sockets show an owner and these do not; no LISTEN line is shown",
            )
        return None
    if unheld and (not host.dump.partly or listening.socket.owners):
        return Case(
            "accept-queue",
            CERTAIN,
            f"LISTEN shows {listening.waiting} in the accept queue, and no process owns these",
        )
    unread = socket.recv_q is None or socket.recv_q > 0
    if unheld or (listening.maybe_full and unread and socket.owners is None):
        return Case(
            "accept-queue",
            LIKELY,
            f"LISTEN shows {listening.waiting} in the accept queue; owners are not shown",
        )
    return None


def _fin_wait_2(socket: Socket, host: Host) -> Case:
    owned = held(socket, host)
    if owned:
        return Case(
            "fin-wait-2-owned",
            CERTAIN,
            "a process owns the socket, so the program called shutdown() and not close()",
        )
    if owned is False:
        shown = socket.timer is not None and socket.timer.kind == "timewait"
        told = "its timer runs" if shown else "no process owns it"
        return Case(
            "fin-wait-2-orphan",
            LIKELY,
            f"{told}; but it looks the same if a FIN of the peer was lost",
        )
    return Case("fin-wait-2", LIKELY, "the dump does not show whether a process owns it")


def _fin_wait_1(socket: Socket, host: Host) -> Case:
    if socket.timer is not None and socket.timer.kind == "persist":
        return Case(
            "fin-wait-1-window", CERTAIN, "the persist timer runs: the peer has offered a window of zero"
        )
    if local_peer(socket) and socket.peer.port is not None:
        listening = host.listening.get(socket.peer.port)
        if listening is not None and listening.maybe_full:
            why = (
                f"the listener of that port is on this host, and {listening.waiting} wait in its accept queue"
            )
            return Case("fin-wait-1-unaccepted", LIKELY, why)
    if socket.timer is not None and socket.timer.fired >= 1:
        return Case("fin-wait-1", CERTAIN, "the FIN was retransmitted and not acknowledged")
    return Case("fin-wait-1", LIKELY, "this state is short unless segments are lost")


def _last_ack(socket: Socket, host: Host) -> Case:
    if socket.timer is not None and socket.timer.kind == "persist":
        return Case(
            "fin-wait-1-window", CERTAIN, "the persist timer runs: the peer has offered a window of zero"
        )
    repeated = socket.timer is not None and socket.timer.fired >= 1
    return Case(
        "last-ack",
        CERTAIN if repeated else LIKELY,
        "the FIN was retransmitted" if repeated else "this state is short",
    )


def _closing(socket: Socket, host: Host) -> Case:
    return Case("closing", LIKELY, "this state is short unless segments are lost")


def _time_wait(socket: Socket, host: Host) -> Case:
    return Case("time-wait", CERTAIN, "the state shows it")


def _syn_sent(socket: Socket, host: Host) -> Case:
    return Case("syn-sent", CERTAIN, "the state shows it")


def _syn_received(socket: Socket, host: Host) -> Case:
    listening = host.listening.get(socket.local.port) if socket.local.port is not None else None
    if listening is not None and listening.maybe_full:
        why = f"LISTEN shows {listening.waiting} in the accept queue"
        return Case("syn-received-queue-full", CERTAIN if listening.full else LIKELY, why)
    return Case("syn-received", LIKELY, "this state is short unless segments are lost")


def _established(socket: Socket, host: Host) -> Case:
    queue = _queue(socket, host)
    if queue is not None:
        return queue
    timer = socket.timer
    if timer is not None and timer.kind == "persist":
        return Case(
            "established-window", CERTAIN, "the persist timer runs: the peer has offered a window of zero"
        )
    if timer is not None and timer.kind == "on" and timer.fired >= _FEW_RETRIES:
        return Case(
            "established-unanswered", CERTAIN, f"retransmitted {timer.fired} times or more without an answer"
        )
    if timer is not None and timer.kind == "keepalive" and timer.fired >= 1:
        return Case("established-probed", CERTAIN, "the timer column counts unanswered probes")
    if socket.recv_q is not None and socket.recv_q >= MUCH_UNREAD:
        return Case("established-unread", LIKELY, "Recv-Q is larger than in a program that reads")
    return Case("established", POSSIBLE, "the state shows it")


def _closed(socket: Socket, host: Host) -> Case | None:
    if not socket.owners:
        return None
    return Case("descriptor", CERTAIN, "the connection has ended, and a process still has the descriptor")


def _listen(socket: Socket, host: Host) -> None:
    return None


_RULES = {
    State.CLOSED: _closed,
    State.LISTEN: _listen,
    State.SYN_SENT: _syn_sent,
    State.SYN_RECEIVED: _syn_received,
    State.ESTABLISHED: _established,
    State.FIN_WAIT_1: _fin_wait_1,
    State.FIN_WAIT_2: _fin_wait_2,
    State.CLOSE_WAIT: _close_wait,
    State.CLOSING: _closing,
    State.LAST_ACK: _last_ack,
    State.TIME_WAIT: _time_wait,
}
