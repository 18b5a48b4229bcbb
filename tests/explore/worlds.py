"""Small pairs whose every future can be listed, and the closed forms that some of them obey."""

from __future__ import annotations

from typing import Any

from tcpsim.app import accept, choose, close, connect, ignore, listen, receive_to_eof, send, wait
from tcpsim.app.program import Program
from tcpsim.app.program_changes import restarted
from tcpsim.catalogue import scenarios
from tcpsim.pair import Pair, new_pair
from tcpsim.path import Loss, make_path
from tcpsim.tcp.stack import Stack, stack
from tcpsim.units import parse_duration

WEEK_US = 7 * 86_400_000_000
ESTABLISHED_BY_US = 200_000
# in a population the connections of these fill one queue, where each alone has one of its own
FULL_QUEUE = {each.name for each in scenarios() if each.server == "does-not-accept"}


def one_rst(retries: int, **knobs: Any) -> Stack:
    """The closed forms' stack: FIN-WAIT-2 of 60 s with one RST at its end, retries by count, then silence.

    An orphan's 0 retries would stand for eight.
    """
    return stack("rfc9293").with_knobs(
        {
            "fin_wait_2_us": "60s",
            "fin_wait_2_on_fin_acked": "cannot-receive",
            "fin_wait_2_on_close": True,
            "fin_wait_2_rst": True,
            "retry_rule": "count",
            "retries": retries,
            "orphan_retries": retries,
            "rst_on_give_up": False,
            "user_timeout_us": "never",
            **knobs,
        }
    )


def leaver(
    p: float, retries: int, client: Stack | None = None, server: Stack | None = None, keepalive: bool = False
) -> Pair:
    """A server that closes an established connection, and a client that ignores it; losses begin before."""
    profile = one_rst(retries)
    loss = Loss(p, from_us=ESTABLISHED_BY_US)
    options = (("SO_KEEPALIVE", 1),) if keepalive else ()
    return new_pair(
        Program([connect(options=options), receive_to_eof(), ignore()]),
        Program([listen(), accept(), wait("300ms"), close()]),
        client or profile,
        server or profile,
        make_path(10_000, loss, loss),
    )


def restarted_leaver(p: float, at: str) -> Pair:
    """The same leaver with one retry, and a client whose process is killed at some time."""
    profile = one_rst(1)
    loss = Loss(p, from_us=ESTABLISHED_BY_US)
    return new_pair(
        restarted(Program([connect(), receive_to_eof(), ignore()]), parse_duration(at)),
        Program([listen(), accept(), wait("300ms"), close()]),
        profile,
        profile,
        make_path(10_000, loss, loss),
    )


def both_close(p: float) -> Pair:
    """A short connection in full: handshake, data each way, the client closes or (one in four) forgets."""
    profile = one_rst(1, syn_retries=0, synack_retries=0)
    return new_pair(
        Program([connect(), send(10), receive_to_eof(), choose([(0.75, [close()]), (0.25, [ignore()])])]),
        Program([listen(), accept(), send(20), close()]),
        profile,
        profile,
        make_path(10_000, p, p),
    )


def opens_and_closes(p: float, **knobs: Any) -> Pair:
    """A handshake, and nothing but the end of both directions."""
    profile = one_rst(1, **{"syn_retries": 1, "synack_retries": 1, **knobs})
    return new_pair(
        Program([connect(), receive_to_eof(), choose([(0.75, [close()]), (0.25, [ignore()])])]),
        Program([listen(), accept(), close()]),
        profile,
        profile,
        make_path(10_000, p, p),
    )
