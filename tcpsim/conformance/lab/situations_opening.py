"""Situations at the start of a connection: accept queues, closed listeners, incomplete handshakes.

Owns: the programs of each, knobs and losses. Refuses to know: what Linux makes of them.
"""

from __future__ import annotations

from tcpsim.app import (
    abort,
    accept,
    close,
    connect,
    fork,
    ignore,
    listen,
    receive,
    receive_to_eof,
    send,
    wait_until,
)
from tcpsim.conformance.lab.situation import Situation

# One at once, two more within a round trip, each of those a process of its own
_THREE_CLIENTS = (
    *(
        fork(
            [
                wait_until(at),
                connect(f"c{port}", local_port=port),
                send(50, f"c{port}"),
                receive(1, f"c{port}"),
            ]
        )
        for port, at in ((40_001, "100ms"), (40_002, "108ms"))
    ),
    *(connect(), ignore()),
)

OPENINGS = (
    Situation(
        "accept-queue-full",
        "a backlog of 1 and three clients: the last one's ACK meets a full accept queue",
        client=_THREE_CLIENTS,
        server=[
            listen(backlog=1),
            wait_until("600ms"),
            accept(),
            accept("second"),
            accept("third"),
            ignore(),
        ],
    ),
    Situation(
        "accept-queue-full-syn",
        "a backlog of 0 and an accept queue with one in it: the next SYN is not answered",
        client=[connect(), wait_until("100ms"), connect("other", local_port=40_001), ignore()],
        server=[listen(backlog=0), wait_until("600ms"), accept(), ignore()],
    ),
    Situation(
        "accept-queue-full-reset",
        "a full accept queue with tcp_abort_on_overflow: the ACK of a handshake draws a RST",
        client=_THREE_CLIENTS,
        server=[listen(backlog=1), ignore()],
        knobs={"server.accept_overflow": "reset"},
    ),
    Situation(
        "syn-cookies",
        "a backlog of 0 and two SYNs at once: the second one is answered with a SYN cookie",
        client=[fork([connect("other", local_port=40_001), ignore()]), connect(), ignore()],
        server=[listen(backlog=0), wait_until("600ms"), accept(), accept("second"), ignore()],
    ),
    Situation(
        "close-in-syn-sent",
        "connect() loses patience (SO_SNDTIMEO) and the socket is closed in SYN-SENT",
        client=[connect(options=(("SO_SNDTIMEO", 300_000),))],
        server=[listen(), accept(), ignore()],
        drops=("every server SYN-ACK",),
    ),
    Situation(
        "listener-closed-unaccepted",
        "the listener is closed while connections wait in its accept queue: they are reset",
        client=[connect(), send(100), receive(1), close()],
        server=[listen(), wait_until("400ms"), close("listener"), ignore()],
    ),
    Situation(
        "rst-in-syn-received",
        "the last ACK of the handshake is lost, and the client aborts: a RST meets SYN-RECEIVED",
        client=[connect(), wait_until("300ms"), abort()],
        server=[listen(), accept(), ignore()],
        drops=("client ACK 1",),
    ),
    Situation(
        "fin-before-accept",
        "the client has sent and closed before the server accepts: data and end-of-file are there",
        client=[connect(), send(100), wait_until("200ms"), close()],
        server=[listen(), wait_until("500ms"), accept(), receive(100), receive_to_eof(), close()],
        knobs={"tcp_fin_timeout": "1s"},
    ),
    Situation(
        "reset-before-accept",
        "the client has aborted before the server accepts: accept() returns a dead connection",
        client=[connect(), send(100), wait_until("200ms"), abort()],
        server=[listen(), wait_until("500ms"), accept(), receive(200), close()],
    ),
    Situation(
        "listener-closed-in-syn-received",
        "the listener is closed before the last ACK of the handshake: a RST answers it",
        client=[connect(), wait_until("100ms"), send(100), receive(1), close()],
        server=[listen(), wait_until("20ms"), close("listener"), ignore()],
    ),
    Situation(
        "syn-ack-twice",
        "SYN-ACK and SYN come again at once: a window of one segment, and the FIN waits its turn",
        client=[connect(), send(100), receive_to_eof(), close()],
        server=[listen(), accept(), receive(100), send(1_000), close()],
        knobs={
            "sack": "false",
            "timestamps": "false",
            "loss_probe": "false",
            "rack": "false",
            "tcp_syn_linear_timeouts": "0",
            "tcp_fin_timeout": "1s",
        },
        drops=("server #1",),
    ),
    Situation(
        "syn-ack-not-echoed",
        "what draws a challenge is not echoed: the server measures from its first SYN-ACK, and probes late",
        client=[connect(), send(100), receive_to_eof(), close()],
        server=[listen(), accept(), receive(100), send(1_000), close()],
        knobs={"tcp_fin_timeout": "1s"},
        drops=("client after 15ms before 1000ms", "server FIN 1"),
        horizon="6s",
    ),
)
