"""Situations worth recording that are no scenario of the catalogue: corners in which a simulator may err.

Owns: the programs on both sides of each, knobs and losses. Refuses to know: what Linux makes of them; that is
what recordings are for. Those in tests/data/kernel/lab were made with `tcpsim lab record NAME`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tcpsim.app import (
    Program,
    Step,
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
    wait,
    wait_until,
)
from tcpsim.app.behaviour import unknown
from tcpsim.pair import Pair
from tcpsim.scenario import build, scenario, scenarios
from tcpsim.units import parse_duration

_FRAME = "normal-close"  # the scenario whose path and stacks they use
_KEEPALIVE = [("SO_KEEPALIVE", 1), ("TCP_KEEPIDLE", 1), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 2)]

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


@dataclass(frozen=True, slots=True)
class Situation:
    """Two programs and what to see. A call that fails goes on at `client_error`, `server_error`."""

    name: str
    title: str
    client: Sequence[Step]
    server: Sequence[Step]
    client_error: Sequence[Step] | None = None
    server_error: Sequence[Step] | None = None
    knobs: Mapping[str, str] = field(default_factory=dict)
    drops: tuple[str, ...] = ()
    horizon: str = "3s"

    @property
    def horizon_us(self) -> int:
        """Until when to watch."""
        return parse_duration(self.horizon, f"{self.name}.horizon")

    def pair(self, overrides: Mapping[str, Any]) -> Pair:
        """The pair, with fields of `tcpsim.scenario.Setting` changed or added to."""
        changed = dict(overrides)
        changed["knobs"] = {**self.knobs, **changed.get("knobs", {})}
        changed["drops"] = (*self.drops, *changed.get("drops", ()))
        changed["client"] = changed.get("client") or Program(self.client, self.client_error)
        changed["server"] = changed.get("server") or Program(self.server, self.server_error)
        return build(scenario(_FRAME), **changed)


_ALL = (
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
        "data-into-orphan",
        "the peer writes on after a close: RST, and what its next calls return",
        client=[connect(), receive_to_eof(), wait("200ms"), send(50), wait("200ms"), send(50), close()],
        client_error=[receive_to_eof(), close()],
        server=[listen(), accept(), wait_until("200ms"), close(), ignore()],
        knobs={"tcp_fin_timeout": "1s"},
    ),
)
_BY_NAME = {situation.name: situation for situation in _ALL}


def names() -> tuple[str, ...]:
    """All of them."""
    return tuple(_BY_NAME)


def find(name: str) -> Situation:
    """The situation of that name.

    Raises:
        InputError: there is none, nor a scenario of that name.
    """
    if name not in _BY_NAME:
        raise unknown("scenario", name, [*_BY_NAME, *(each.name for each in scenarios())])
    return _BY_NAME[name]
