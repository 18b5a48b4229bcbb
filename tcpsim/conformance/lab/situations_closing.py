"""Situations at the end of a connection: half-closes, resets, probes, and shared descriptors.

Owns: the programs of each, knobs and losses. Refuses to know: what Linux makes of them.
"""

from __future__ import annotations

from tcpsim.app import (
    abort,
    accept,
    close,
    connect,
    crash,
    fork,
    ignore,
    listen,
    receive,
    receive_to_eof,
    send,
    set_option,
    shutdown,
    vanish,
    wait,
    wait_until,
)
from tcpsim.conformance.lab.situation import Situation

_KEEPALIVE = [("SO_KEEPALIVE", 1), ("TCP_KEEPIDLE", 1), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 2)]

ENDINGS = (
    Situation(
        "inherited-descriptor",
        "the parent closes, a child still has the descriptor: the FIN leaves when the child ends",
        client=[connect(), send(100), receive_to_eof(), close()],
        server=[listen(), accept(), fork([wait_until("700ms"), crash()]), receive(100), send(200), close()],
    ),
    Situation(
        "shut-rd-then-data",
        "data after the reader's SHUT_RD: it is acknowledged and can be read",
        client=[connect(), send(100), wait_until("400ms"), send(70), receive_to_eof(), close()],
        server=[
            *(listen(), accept(), receive(100), shutdown("RD"), wait_until("200ms"), receive_to_eof()),
            *(wait_until("600ms"), receive_to_eof(), send(10), close()),
        ],
    ),
    Situation(
        "data-and-fin-lost",
        "a response of three segments and its FIN are lost, the tail-loss probe too",
        client=[connect(), send(100), receive_to_eof(), close()],
        server=[listen(), accept(), receive(100), wait_until("100ms"), send(4_000), close()],
        drops=("server DATA 1-3", "server FIN 1-2"),
    ),
    Situation(
        "half-close-delayed-response",
        "a half-closed client reads late: its window closes in FIN-WAIT-2",
        client=[
            connect(options=(("SO_RCVBUF", 4_096),)),
            *(send(100), shutdown("WR"), wait_until("1200ms"), receive_to_eof(), close()),
        ],
        server=[listen(), accept(), receive_to_eof(), send(12_000), close()],
    ),
    Situation(
        "keepalive-in-close-wait",
        "keepalive in CLOSE-WAIT, the peer's FIN-WAIT-2 has an owner: every probe is answered",
        client=[
            connect(),
            *(set_option(name, value) for name, value in _KEEPALIVE),
            *(send(100), receive_to_eof(), ignore()),
        ],
        server=[listen(), accept(), receive(100), send(200), shutdown("WR"), ignore()],
        horizon="3500ms",
    ),
    Situation(
        "simultaneous-half-close",
        "both half-close at once and keep their descriptors: CLOSING and TIME-WAIT with an owner",
        client=[
            connect(),
            wait_until("300ms"),
            shutdown("WR"),
            receive_to_eof(),
            wait_until("800ms"),
            close(),
        ],
        server=[
            *(listen(), accept(), wait_until("300ms"), shutdown("WR"), receive_to_eof()),
            *(wait_until("900ms"), close()),
        ],
    ),
    Situation(
        "exit-with-unread-data",
        "a process ends with unread data in one of its sockets: RST",
        client=[connect(), send(100), wait_until("300ms"), crash()],
        server=[
            listen(),
            accept(),
            receive(100),
            send(200),
            wait_until("600ms"),
            send(10),
            receive(1),
            close(),
        ],
    ),
    Situation(
        "small-writes",
        "three small writes and a close at once: Nagle holds them back, the FIN goes with the last",
        client=[connect(), send(100), receive_to_eof(), close()],
        server=[
            *(listen(), accept(), receive(100), wait_until("100ms")),
            *(send(50), send(60), send(70), close()),
        ],
        knobs={"tcp_fin_timeout": "1s"},
    ),
    Situation(
        "abort-in-fin-wait-2",
        "a half-closed socket with an owner is aborted: a RST in FIN-WAIT-2",
        client=[connect(), send(100), shutdown("WR"), wait_until("400ms"), abort()],
        server=[listen(), accept(), receive_to_eof(), wait_until("600ms"), send(10), close()],
    ),
    Situation(
        "abort-in-time-wait",
        "both half-close, and the one in TIME-WAIT that still has a descriptor aborts",
        client=[
            connect(),
            wait_until("200ms"),
            shutdown("WR"),
            receive_to_eof(),
            wait_until("600ms"),
            abort(),
        ],
        server=[listen(), accept(), receive_to_eof(), shutdown("WR"), wait_until("800ms"), close()],
    ),
    Situation(
        "window-update-lost",
        "the reader makes room, its window update is lost: a zero-window probe finds out",
        client=[
            connect(options=(("SO_RCVBUF", 4_096),)),
            *(send(100), wait_until("200ms"), receive_to_eof(), close()),
        ],
        server=[listen(), accept(), receive(100), send(8_000), close()],
        knobs={"tcp_fin_timeout": "1s"},
        drops=("client ACK after 190ms before 215ms",),
    ),
    Situation(
        "reads-late-after-reset",
        "data, then a RST while the reader sleeps: what was in order is read first",
        client=[connect(), send(100), wait_until("400ms"), receive(200), receive_to_eof(), close()],
        server=[listen(), accept(), receive(100), send(200), wait_until("200ms"), abort()],
    ),
    Situation(
        "sends-after-own-shutdown",
        "send() after the own SHUT_WR: EPIPE, and the connection goes on",
        client=[connect(), send(100), shutdown("WR"), send(10)],
        client_error=[receive_to_eof(), close()],
        server=[listen(), accept(), receive_to_eof(), wait_until("200ms"), send(20), close()],
    ),
    Situation(
        "patient-reader",
        "recv() with SO_RCVTIMEO gives up: EAGAIN, and the socket is closed with data on its way",
        client=[connect(options=(("SO_RCVTIMEO", 200_000),)), send(100), receive(200)],
        server=[
            listen(),
            accept(),
            receive(100),
            wait_until("230ms"),
            send(200),
            wait_until("500ms"),
            close(),
        ],
    ),
    Situation(
        "half-closer-vanishes",
        "a half-closed client vanishes; the server's data and FIN are given up",
        client=[connect(), send(100), shutdown("WR"), wait_until("200ms"), vanish()],
        server=[listen(), accept(), receive_to_eof(), wait_until("300ms"), send(500), close()],
        knobs={"tcp_orphan_retries": "3"},
        horizon="6s",
    ),
    Situation(
        "data-into-orphan",
        "the peer writes on after a close: RST, and what its next calls return",
        client=[connect(), receive_to_eof(), wait("200ms"), send(50), wait("200ms"), send(50), close()],
        client_error=[receive_to_eof(), close()],
        server=[listen(), accept(), wait_until("200ms"), close(), ignore()],
        knobs={"tcp_fin_timeout": "1s"},
    ),
    Situation(
        "tail-probe-sends-new-data",
        "an ACK is lost, Nagle holds the next write: the tail-loss probe sends that, not the old data",
        client=[
            *(connect(), send(100), wait_until("200ms"), send(500), wait_until("400ms"), send(500)),
            *(wait_until("1s"), close()),
        ],
        server=[listen(), accept(), receive_to_eof(), close()],
        drops=("server ANY after 205ms before 350ms",),
    ),
    Situation(
        "tail-probe-only-once",
        "a tail-loss probe has repaired a loss, and only a FIN was heard since: the own FIN has no probe",
        client=[connect(), send(100), receive(1_000), wait_until("400ms"), close()],
        server=[listen(), accept(), receive(100), send(1_000), wait_until("400ms"), close()],
        drops=("client DATA 1", "client FIN 1-2"),
    ),
    Situation(
        "first-duplicate-uncounted",
        "without SACK the first ACK after a request is no duplicate: of three two count, too few for Reno",
        client=[connect(), send(100), receive_to_eof(), close()],
        server=[listen(), accept(), receive(100), send(5_000), wait_until("600ms"), close()],
        knobs={"sack": "false", "loss_probe": "false", "rack": "false", "tcp_fin_timeout": "1s"},
        drops=("server DATA 1",),
    ),
    Situation(
        "user-timeout-begins-anew",
        "without SACK, a request was resent and acknowledged: the next loss counts from its own resending",
        client=[
            connect(options=(("TCP_USER_TIMEOUT", 1_000),)),
            *(send(100), wait_until("2s"), send(100), receive_to_eof(), close()),
        ],
        server=[listen(), accept(), receive(200), close()],
        knobs={"sack": "false", "loss_probe": "false", "rack": "false"},
        drops=("client DATA 1", "client DATA 3-20"),
        horizon="6s",
    ),
)
