"""Pairs that ask much of a key: whatever a rule reads, some history here differs in that and in nothing else.

Each is small enough to be listed far in. Together they use every option, every timer and every queue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tcpsim.app import (
    accept,
    choose,
    close,
    connect,
    fork,
    ignore,
    listen,
    reboot,
    receive,
    receive_to_eof,
    repeat,
    send,
    set_option,
    shutdown,
    wait,
    wait_until,
)
from tcpsim.app.program import Program, Step
from tcpsim.app.steps import keepalive
from tcpsim.catalogue import build, scenario
from tcpsim.pair import Pair, new_pair
from tcpsim.path import Loss, make_path
from tcpsim.tcp.stack import Stack, stack
from tcpsim.units import parse_duration

QUICK = {"syn_retries": 2, "synack_retries": 2, "retries": 3, "orphan_retries": 2}
_SLOW: tuple[Step, ...] = (accept(), wait("3s"), receive_to_eof(), close())


def _named(name: str, until: str = "400ms", **changes: Any) -> Callable[[], Pair]:
    return lambda: _for_a_while(build(scenario(name), **{"loss": 0.4, **changes}), until)


def _for_a_while(pair: Pair, until: str) -> Pair:
    """The same pair, whose segments are lost up to that time: then all its futures can be listed."""
    path = pair.path
    until_us = parse_duration(until)
    chains = [
        tuple([replace(each, until_us=until_us) if isinstance(each, Loss) else each for each in chain])
        for chain in path[:3]
    ]
    return pair._replace(path=path._replace(shared=chains[0], to_server=chains[1], to_client=chains[2]))


def made(
    client: Sequence[Step],
    server: Sequence[Step],
    stacks: tuple[str, str] = ("linux", "linux"),
    loss: float | Loss = 0.4,
    until: str = "400ms",
    path: dict[str, Any] | None = None,
    delay_us: int = 10_000,
    **knobs: Any,
) -> Callable[[], Pair]:
    def make() -> Pair:
        profiles: list[Stack] = [stack(name).with_knobs({**QUICK, **knobs}) for name in stacks]
        line = make_path(delay_us, loss, loss, **(path or {}))
        pair = new_pair(Program(client), Program([listen(), *server]), *profiles, line)
        return _for_a_while(pair, until)

    return make


def either(*ways: Sequence[Step]) -> Step:
    return choose([(1 / len(ways), way) for way in ways])


_RFC = ("rfc9293", "rfc9293")
_BSD = ("freebsd", "freebsd")
_SMALL_WINDOW = {"rcv_space": 3_000, "wscale": 0}

WORLDS: dict[str, Callable[[], Pair]] = {
    "normal-close": _named("normal-close"),
    "ignored": _named("closewait-ignored-eof", knobs={"tcp_retries2": 4, "tcp_fin_timeout": "1s"}),
    "rto-capped": _named("closewait-ignored-eof", knobs={"rto_max_us": "1s"}),
    "w1": _named("w1", loss=0.5),
    "rfc-bsd": _named("normal-close", stack_client="rfc9293", stack_server="freebsd"),
    "keepalive": _named("keepalive-rescues", loss=0.5),
    "linger": _named("so-linger-works"),
    "unread": _named("unread-data-reset"),
    "reuse": _named("port-reuse-into-close-wait", loss=0.3),
    "reuse-bsd": _named(
        "port-reuse-into-close-wait", loss=0.3, stack_client="freebsd", stack_server="freebsd"
    ),
    "4.4bsd": _named("lingering-close-4.4bsd", loss=0.3),
    "simultaneous": _named("simultaneous-close"),
    "firewall": _named("firewall-forgets-half-closed"),
    "box-in-front": _named("normal-close", middlebox="reject-firewall", loss_side="client"),
    "accept-queue": _named("accept-queue-overflow"),
    "page": _named("page-with-images", loss=0.3),
    "inherited": _named("inherited-descriptor"),
    "vanished": _named("vanished-client"),
    "two-segments": made(
        [connect(), send(2_500), receive_to_eof(), close()],
        [accept(), receive(2_500), send(4_000), close()],
        loss=0.3,
        initial_window=2,
    ),
    # a window that nobody opens: probes without end (rfc9293), up to an orphan's limit, by a table
    "probed": made(
        [connect(), ignore()], [accept(), send(8_000), close()], _RFC, persist_max_us="8s", **_SMALL_WINDOW
    ),
    "probed-limit": made(
        [connect(), ignore()], [accept(), send(8_000), close()], _RFC, persist_limit=3, **_SMALL_WINDOW
    ),
    "probed-orphan": made(
        [connect(), ignore()],
        [accept(), send(8_000), close()],
        rto_max_us="8s",
        orphan_retries=4,
        **_SMALL_WINDOW,
    ),
    "probed-bsd": made(
        [connect(), ignore()], [accept(), send(8_000), close()], _BSD, persist_max_us="8s", **_SMALL_WINDOW
    ),
    "two-segments-rfc": made(
        [connect(), send(2_500), receive_to_eof(), close()],
        [accept(), receive(2_500), send(4_000), close()],
        _RFC,
        loss=0.3,
    ),
    "no-timestamps": made(
        [connect(), send(1_500), wait("100ms"), send(1_500), receive_to_eof(), close()],
        [accept(), receive(3_000), send(1_500), wait("1s"), close()],
        timestamps=False,
    ),
    "bsd-data": made(
        [connect(), send(3_000), receive_to_eof(), close()],
        [accept(), receive(3_000), send(2_000), close()],
        _BSD,
        loss=0.3,
    ),
    "shut-window": made(
        [connect(), send(5_000), close()],
        [accept(), wait("20s"), receive_to_eof(), close()],
        loss=0.3,
        **_SMALL_WINDOW,
    ),
    "shut-window-rfc": made(
        [connect(), send(5_000), close()],
        [accept(), wait("20s"), receive_to_eof(), close()],
        _RFC,
        loss=0.3,
        **_SMALL_WINDOW,
    ),
    "shut-window-bsd": made(
        [connect(), send(5_000), close()],
        [accept(), wait("20s"), receive_to_eof(), close()],
        _BSD,
        loss=0.3,
        **_SMALL_WINDOW,
    ),
    "nagle": made(
        [connect(), send(100), send(100), wait("50ms"), send(100), shutdown(), receive_to_eof(), close()],
        [accept(), receive_to_eof(), send(10), close()],
        loss=0.3,
    ),
    "nagle-rfc": made(
        [connect(), send(100), send(100), wait("50ms"), send(100), shutdown(), receive_to_eof(), close()],
        [accept(), receive_to_eof(), send(10), close()],
        _RFC,
        loss=0.3,
    ),
    "out-of-order": made(
        [connect(), send(4_000), close()],
        list(_SLOW),
        path={"reorder": 0.3, "reorder_extra_us": 30_000},
        loss=0.0,
    ),
    "twice": made(
        [connect(), send(3_000), close()], list(_SLOW), path={"duplicate": 0.3}, loss=0.2, initial_window=2
    ),
    "user-timeout-later": made(
        [
            connect(),
            send(100),
            either([wait("1s")], [wait("2s")]),
            set_option("TCP_USER_TIMEOUT", 4_000),
            ignore(),
        ],
        [accept(), wait("1s"), send(100), ignore()],
    ),
    "keepalive-later": made(
        [connect(), either([wait("1s")], [wait("2s"), send(10)]), *keepalive("3s", "1s", 2), ignore()],
        [accept(), receive(10), ignore()],
        loss=0.5,
    ),
    "keepalive-slower-later": made(
        [
            connect(),
            *keepalive("2s", "1s", 2),
            either([wait("1s")], [send(10)]),
            *keepalive("5s", "2s", 1),
            ignore(),
        ],
        [accept(), receive(10), ignore()],
        loss=0.5,
    ),
    "deferred": made(
        [connect(), either([wait("1s")], [wait("4s")]), send(10), receive_to_eof(), close()],
        [accept(), receive(10), close()],
    ),
    "linger2": made(
        [connect(), receive_to_eof(), either([wait("5s")], [wait("50s")]), close()],
        [accept(), set_option("TCP_LINGER2", 20), either([wait("1s")], []), close()],
    ),
    "patience": made(
        [connect(), set_option("SO_RCVTIMEO", 700_000), receive(10), wait("1s"), send(3), close()],
        [accept(), either([wait("500ms")], [wait("900ms")]), send(20), receive_to_eof(), close()],
    ),
    "reboots": made(
        [connect(), send(10), receive(10), either([close()], [reboot("3s")])],
        [accept(), receive(10), send(10), receive_to_eof(), close()],
    ),
    "again-and-again": made(
        [repeat([connect(), send(10), receive_to_eof(), close(), wait("1s")])],
        [repeat([accept(), receive(10), either([close()], [wait("2s"), close()])])],
        loss=0.3,
    ),
    "forks": made(
        [connect(), send(10), receive_to_eof(), close()],
        [accept(), fork([receive(10), close()]), close(), wait("2s")],
    ),
    "two-at-once": made(
        [connect("one"), connect("two", local_port=41_000), send(5, "two"), close("one"), close("two")],
        [listen("other", port=6_000), accept("one"), accept("two"), receive_to_eof(sock="one"), close("one")],
        loss=0.3,
    ),
    "ports": made(
        [connect("one", local_port=0), close("one"), connect("two", local_port=0), close("two")],
        [repeat([accept(), receive_to_eof(), close()])],
        loss=0.3,
    ),
    "either-port": made(
        [
            either([connect(local_port=41_000)], [connect(local_port=42_000)]),
            send(10),
            receive_to_eof(),
            close(),
        ],
        [either([accept()], [wait("1s"), accept()]), receive(10), close()],
        loss=0.3,
    ),
    "options-differ": made(
        [
            either(
                [connect()],
                [connect(options=(("TCP_NODELAY", 1),))],
                [connect(options=(("SO_RCVBUF", 5_000),))],
            ),
            send(10),
            send(10),
            receive_to_eof(),
            close(),
        ],
        [accept(), receive(20), send(3_000), close()],
        loss=0.3,
    ),
    "wheel": _named("normal-close", knobs={"timer_hz": 250, "rto_max_us": "2s", "time_wait_us": "5s"}),
}

# Worlds without losses, in which the histories differ in one thing and the machine that knows of it is gone:
# what is left of the difference is in the fields of the other machine alone.
_HELLO = [connect(), send(10)]
_PAST: tuple[Sequence[Step], ...] = (
    _HELLO,
    [connect(), send(20)],
    [connect(), send(10), send(10)],
    [connect(), send(1_500)],
    [connect(), wait("60ms"), send(10)],
    [connect(), send(10), receive(5)],
    [connect(), send(10), shutdown()],
    [connect(), send(10), close()],
    [connect(options=(("TCP_MAXSEG", 500),)), send(10)],
    [connect(options=(("SO_RCVBUF", 3_000),)), send(10)],
    [connect(options=(("TCP_NOOPT", 1),)), send(10)],
    [connect(options=(("TCP_NODELAY", 1),)), send(10), send(10), send(10)],
    [connect(local_port=42_000), send(10)],
    [wait("30ms"), *_HELLO],
    [connect(), send(10), set_option("TCP_USER_TIMEOUT", 9_000)],
    [connect(), send(10), set_option("SO_KEEPALIVE", 1), set_option("TCP_KEEPIDLE", 5)],
    [connect(), send(10), set_option("TCP_LINGER2", 7)],
    [connect(), send(10), set_option("SO_LINGER", (1, 3))],
    [connect(), send(10), set_option("SO_SNDBUF", 2_000)],
    [connect(), send(10), set_option("SO_RCVTIMEO", 900_000)],
    [connect(), send(10), shutdown("RD")],
    [connect(), send(2_000), send(900)],
)
_FUTURE: dict[str, Sequence[Step]] = {
    "sends": [send(3_000), ignore()],
    "reads": [receive(5), receive(5), ignore()],
    "closes": [close()],
    "says-a-little": [send(5), wait("3s"), send(5), close()],
    "half-closes": [shutdown(), receive_to_eof(), close()],
}
_STACKS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("linux", {}),
    ("rfc9293", {}),
    ("freebsd", {}),
    ("linux", {"timestamps": False, "sack": False}),
)


def _gone(left: str, after: Sequence[Step], name: str, knobs: dict[str, Any]) -> Callable[[], Pair]:
    """One of many histories until 500 ms; then one machine loses power, and the other goes on."""
    past = either(*_PAST)
    if left == "server":
        client = [past, wait_until("500ms"), reboot("1d")]
        server = [accept(), wait_until("700ms"), *after]
    else:
        client = [past, wait_until("700ms"), *after]
        server = [accept(), send(5), wait_until("500ms"), reboot("1d")]
    return made(client, server, (name, name), loss=0.0, **knobs)


WORLDS |= {
    f"{left} {what} {name} {len(knobs)}": _gone(left, after, name, knobs)
    for left in ("server", "client")
    for what, after in _FUTURE.items()
    for name, knobs in _STACKS
    if name == "linux" or what in ("sends", "closes")
}
