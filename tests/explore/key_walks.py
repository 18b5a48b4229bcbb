"""Pairs to walk through: too large to be listed, they bring every part of TCP into use.

Owns: the pairs, and the state that a random walk through one of them comes to. Refuses to know: keys.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from tcpsim.app import (
    abort,
    accept,
    choose,
    close,
    connect,
    fork,
    ignore,
    listen,
    poll_for_eof,
    reboot,
    receive,
    receive_to_eof,
    repeat,
    send,
    set_option,
    shutdown,
    vanish,
    wait,
    wait_until,
)
from tcpsim.app.behaviour import make
from tcpsim.app.program import Program
from tcpsim.app.steps import keepalive
from tcpsim.catalogue import build, scenario, scenarios
from tcpsim.pair import Pair, advance, new_pair
from tcpsim.pair.pair import Between
from tcpsim.path import Loss, Seeded, Uniform, make_path
from tcpsim.tcp.stack import stack
from tests.explore.key_worlds import WORLDS, either, made

_BULK = {"loss": 0.15, "until": "20s"}
_UP = [connect(), send(14_000), receive_to_eof(), close()]
_DOWN = [accept(), receive(14_000), send(9_000), close()]
_SLOWLY = [accept(), wait("300ms"), receive(3_000), wait("1s"), receive_to_eof(), send(10), close()]
_STACKS = ("linux", "rfc9293", "freebsd", "windows", "4.4bsd", "lwip")


def _two(name: str) -> tuple[str, str]:
    return name, name


def _relayed(name: str) -> Callable[[], Pair]:
    return lambda: build(scenario(name))


def _waiting_relay() -> Pair:
    """It copies, and whatever came of that, it connects at one moment of its clock."""
    client = Program([connect(), send(10), wait("2s"), close()])
    server = Program([listen(), accept(), receive_to_eof(), wait("1s"), close()])
    copies = make("relay", "copies").steps
    relay = Program([*copies, wait_until("40s"), connect("again")])
    linux, line = stack("linux"), make_path(10_000)
    return new_pair(client, server, linux, linux, line, relays=[Between(relay, linux, line)])


WALKS: dict[str, Callable[[], Pair]] = {
    **{f"bulk {name}": made(_UP, _DOWN, _two(name), **_BULK) for name in _STACKS},
    **{f"slowly {name}": made(_UP, _SLOWLY, _two(name), **_BULK) for name in _STACKS},
    "bulk without sack": made(_UP, _DOWN, sack=False, **_BULK),
    "bulk without timestamps": made(_UP, _DOWN, timestamps=False, **_BULK),
    "bulk without either": made(_UP, _DOWN, timestamps=False, sack=False, **_BULK),
    "bulk without either, freebsd": made(_UP, _DOWN, _two("freebsd"), timestamps=False, sack=False, **_BULK),
    "bulk with a table of back-off": made(_UP, _DOWN, backoff=(1, 2, 4, 8, 16), **_BULK),
    "bulk that restarts": made(
        [connect(), send(14_000), wait("3s"), send(9_000), receive_to_eof(), close()],
        [accept(), receive(23_000), close()],
        after_idle="restart",
        **_BULK,
    ),
    "bulk that halves": made(
        [connect(), send(14_000), wait("3s"), send(9_000), receive_to_eof(), close()],
        [accept(), receive(23_000), close()],
        after_idle="halve",
        **_BULK,
    ),
    "bulk out of order": made(
        _UP, _DOWN, path={"reorder": 0.4, "reorder_extra_us": 30_000, "duplicate": 0.2}, **_BULK
    ),
    "bulk with jitter": made(_UP, _DOWN, path={"jitter": Uniform(0, 40_000)}, **_BULK),
    "bulk with jitter, freebsd": made(
        _UP, _DOWN, _two("freebsd"), path={"jitter": Uniform(0, 40_000)}, **_BULK
    ),
    "bulk for a long time": made(
        [
            connect(),
            *[step for _ in range(8) for step in (send(6_000), wait("100ms"))],
            receive_to_eof(),
            close(),
        ],
        [accept(), receive_to_eof(), send(20_000), close()],
        **_BULK,
    ),
    "long bursts": made(
        [connect(), *[step for _ in range(4) for step in (send(12_000), wait("15ms"))], close()],
        [accept(), receive_to_eof(), close()],
        mss=536,
        initial_window=60,
        loss=0.02,
    ),
    **{
        f"a reader who keeps up, {words}": made(
            [
                connect(),
                *[step for _ in range(9) for step in (send(1_500), wait("3ms"))],
                send(40_000),
                close(),
            ],
            [
                accept(),
                *(receive(6_000), wait("7ms"), receive(3_000), wait("31ms")),
                *(receive(500), wait("2ms"), receive(2_000), wait("60ms"), receive_to_eof(), close()),
            ],
            mss=536,
            rcv_space=16_000,
            timestamps=stamped,
            loss=0.02,
        )
        for words, stamped in (("with timestamps", True), ("without", False))
    },
    "small writes": made(
        [connect(), *[send(200) for _ in range(12)], receive_to_eof(), close()],
        [
            accept(),
            *[step for _ in range(4) for step in (receive(300), send(100))],
            receive_to_eof(),
            close(),
        ],
        **_BULK,
    ),
    "small writes, rfc9293": made(
        [connect(), *[send(200) for _ in range(12)], receive_to_eof(), close()],
        [accept(), receive_to_eof(), close()],
        _two("rfc9293"),
        **_BULK,
    ),
    "a server that is gone": made(
        [connect(), send(3_000), wait("1s"), send(4_000), receive(1), close()],
        [accept(), receive(1_000), wait("300ms"), vanish()],
        loss=0.0,
    ),
    "a server that is gone, rfc9293": made(
        [connect(), send(3_000), wait("1s"), send(4_000), receive(1), close()],
        [accept(), receive(1_000), wait("300ms"), vanish()],
        _two("rfc9293"),
        loss=0.0,
    ),
    "a server that is gone, with a user timeout": made(
        [
            connect(),
            set_option("TCP_USER_TIMEOUT", 9_000),
            send(3_000),
            wait("1s"),
            send(4_000),
            receive(1),
            close(),
        ],
        [accept(), receive(1_000), wait("300ms"), vanish()],
        loss=0.0,
    ),
    "a shut window with a user timeout": made(
        [connect(), set_option("TCP_USER_TIMEOUT", 30_000), send(9_000), close()],
        [accept(), wait("90s"), receive_to_eof(), close()],
        loss=0.2,
        until="90s",
        rcv_space=3_000,
        wscale=0,
    ),
    "handshakes, user timeout": made(
        [connect(), close()],
        [accept(), close()],
        _two("rfc9293"),
        loss=0.6,
        until="40s",
        syn_give_up_us="20s",
    ),
    "handshakes with ecn": made(
        [connect(), close()],
        [accept(), close()],
        loss=0.5,
        until="40s",
        ecn="offers",
        ecn_syn_retries=1,
        syn_options_until=1,
        syn_retries=5,
        synack_retries=5,
    ),
    "handshakes of syncaches": made(
        [connect(), send(10), close()], [accept(), close()], _two("freebsd"), loss=0.5, until="40s"
    ),
    "a listener that defers": made(
        [connect(), either([wait("1s")], [wait("4s")]), send(10), receive_to_eof(), close()],
        [accept(), receive(10), close()],
        loss=0.4,
        until="10s",
    ),
    "a listener that defers in earnest": made(
        [connect(), either([wait("1s")], [wait("4s")]), send(10), receive_to_eof(), close()],
        [set_option("TCP_DEFER_ACCEPT", 3, "listener"), accept(), receive(10), close()],
        loss=0.4,
        until="10s",
    ),
    "memories of peers": made(
        [repeat([connect(local_port=0), send(3_000), receive_to_eof(), close(), wait("1s")])],
        [repeat([accept(), receive(3_000), close()])],
        loss=0.2,
        until="40s",
        caches_metrics=True,
    ),
    "ports again and again": made(
        [repeat([connect(local_port=0), send(10), close(), wait("300ms")])],
        [repeat([accept(), receive_to_eof(), close()])],
        loss=0.2,
        until="20s",
        time_wait_us="2s",
        ephemeral_ports=3,
    ),
    "calls that wait": made(
        [
            connect(),
            set_option("SO_RCVTIMEO", 700_000),
            set_option("SO_SNDTIMEO", 500_000),
            fork([send(60_000), receive(100), close()]),
            receive(500, within="2s", late=[send(3)]),
            poll_for_eof("400ms"),
            close(),
        ],
        [accept(), fork([wait("1s"), receive_to_eof(), close()]), wait("3s"), send(20), close()],
        loss=0.2,
        until="20s",
    ),
    "processes that close": made(
        [connect(), fork([receive(10), shutdown()]), wait("200ms"), send(1_000), close()],
        [accept(), fork([receive(10), send(10), close()]), receive(20, within="3s", late=[close()]), close()],
        loss=0.2,
        until="20s",
    ),
    "lingering": made(
        [connect(), set_option("SO_LINGER", (1, 4)), send(9_000), close(), wait("1s")],
        [accept(), wait("2s"), receive_to_eof(), close()],
        rcv_space=3_000,
        wscale=0,
        loss=0.2,
        until="20s",
    ),
    "keepalive by a forked program": made(
        [connect(), *keepalive("2s", "1s", 3), send(10), ignore()],
        [accept(), receive(10), either([wait("5s"), reboot("4s")], [wait("9s"), close()])],
        loss=0.3,
        until="20s",
    ),
    "power comes back": made(
        [repeat([connect(), send(10), receive(10), choose([(0.5, [close()]), (0.5, [reboot("2s")])])])],
        [repeat([accept(), receive(10), send(10), receive_to_eof(), close()])],
        loss=0.2,
        until="20s",
    ),
    "several connections": made(
        [
            connect("one"),
            connect("two", local_port=41_000),
            connect("three", local_port=42_000),
            send(5, "one"),
            send(50, "two"),
            close("one"),
            close("two"),
            receive_to_eof("three"),
        ],
        [
            wait("500ms"),
            accept("one"),
            accept("two"),
            receive_to_eof("one"),
            close("one"),
            accept("three"),
            close("three"),
        ],
        loss=0.3,
        until="9s",
    ),
    "a wheel": made(_UP, _DOWN, timer_hz=250, **_BULK),
    "a wheel, again and again": made(
        [repeat([connect(local_port=0), send(10), receive_to_eof(), close(), wait("1s")])],
        [repeat([accept(), receive(10), close()])],
        timer_hz=250,
        loss=0.2,
        until="40s",
        time_wait_us="2s",
    ),
    "a wheel, a patient listener": made(
        [wait("1s"), connect(), ignore()],
        [
            set_option("SO_KEEPALIVE", 1, "listener"),
            set_option("TCP_KEEPIDLE", 3_000, "listener"),
            accept(),
            ignore(),
        ],
        timer_hz=250,
        loss=0.1,
        until="4s",
    ),
    "given up for one of two reasons": made(
        [connect(), ignore()],
        [
            accept(),
            *keepalive("1s", "1s", 2),
            either([], [wait_until("150ms"), send(10)]),
            wait_until("100s"),
            receive(5),
            close(),
        ],
        loss=Loss(0.99, from_us=100_000),
        until="100s",
    ),
    "250 Hz": lambda: build(scenario("closewait-ignored-eof"), loss=0.3, knobs={"hz": 250}),
    "half-closed, and the peer is gone": made(
        [connect(), wait("1s"), shutdown(), ignore()],
        [accept(), wait("300ms"), vanish()],
        loss=0.0,
        retries=7,
    ),
    "both abort, with one port number": made(
        [connect(local_port=5_000), wait("60ms"), send(10), abort()],
        [accept(), wait("40ms"), send(10), abort()],
        loss=0.0,
    ),
    "one port number at both ends": made(
        [connect(local_port=5_000), send(3_000), receive_to_eof(), close()],
        [accept(), receive(3_000), send(10), close()],
        loss=0.2,
        until="9s",
    ),
    "one call that waits for ever": made(
        [connect(), fork([receive(100), close()]), receive(500, within="3s", late=[send(3)]), close()],
        [accept(), wait("9s"), send(100), wait("5s"), close()],
        loss=0.1,
        until="4s",
    ),
    "duplicates out of order": made(
        [connect(), send(60_000), receive_to_eof(), close()],
        [accept(), receive(60_000), send(9_000), close()],
        path={"jitter": Uniform(0, 80_000), "duplicate": 0.4},
        loss=0.3,
        until="20s",
        initial_window=30,
    ),
    "listeners of several ports": made(
        [
            connect("one", local_port=41_000),
            connect("two", port=6_000, local_port=42_000),
            connect("three", port=6_000, local_port=43_000),
            send(10, "two"),
            close("one"),
            close("three"),
            receive_to_eof("two"),
        ],
        [
            listen("other", port=6_000),
            wait("300ms"),
            accept("two", "other"),
            accept("one"),
            receive(10, "two"),
            close("two"),
            accept("three", "other"),
            close("one"),
        ],
        loss=0.3,
        until="9s",
    ),
    # what the other host may yet do changes, and nothing else
    "connects again or not": made(
        [connect(), send(10), wait("30ms"), either([connect("two", local_port=41_000)], [wait("9s")])],
        [accept(), receive(10), receive_to_eof(), send(3_000)],
        loss=0.0,
        path={"drops": ["server #2"]},
    ),
    "much more or not": made(
        [connect(), receive_to_eof(), close()],
        [accept(), send(5_000), wait("5ms"), either([send(100_000)], []), ignore()],
        initial_window=2,
        loss=0.0,
    ),
    "one segment or more": made(
        [connect(), receive(10), ignore()],
        [accept(), wait("1s"), either([wait("1s"), send(10)], [wait("1s"), send(3_000)])],
        loss=0.0,
    ),
    # the first SYN is answered after the third was sent
    "far away": made(
        [wait("1s"), connect(), send(14_000), ignore()],
        [accept(), receive(14_000), ignore()],
        loss=0.0,
        delay_us=2_200_000,
        syn_retries=6,
        synack_retries=6,
    ),
    # the first connection's SYN and the one of a client that began later, at one moment
    "began at one of two times": made(
        [either([wait("1s")], [wait("2s")]), connect(), send(10), abort()],
        [accept(), ignore()],
        until="1500ms",
    ),
    # segments of one size, smaller than the largest
    "of one size": made(
        [
            connect(options=(("TCP_NODELAY", 1),)),
            send(1_448),
            receive(10),
            send(600),
            receive(10),
            send(600),
            receive(10),
            send(500),
            send(500),
            ignore(),
        ],
        [
            accept(),
            receive(1_448),
            send(10),
            receive(600),
            send(10),
            receive(600),
            send(10),
            receive(1_000),
            ignore(),
        ],
        loss=0.0,
    ),
    "a buffer that follows its reader": made(
        [connect(), receive(80_000), ignore()],
        [accept(), send(80_000), ignore()],
        path={"jitter": Uniform(0, 15_000)},
        loss=0.0,
        rcv_space=20_000,
    ),
    "children that send": made(
        [connect(), receive(90_000), ignore()],
        [accept(), wait("50ms"), repeat([fork([send(100)]), wait("1ms")])],
        loss=0.0,
        rcv_space=4_000,
    ),
    "a relay that waits for a moment": _waiting_relay,
    **{
        f"scenario {each.name}": (lambda each=each: build(each, loss=0.1))  # type: ignore[misc]
        for each in scenarios()
        if each.relays or "page" in each.name or "pool" in each.name or each.name.startswith("so-linger")
    },
}
ALL: dict[str, Callable[[], Pair]] = {**WORLDS, **WALKS}


@cache
def walked(name: str, seed: int, steps: int) -> Pair:
    """Where a walk has come to."""
    chooser: Any = Seeded(seed)
    pair = ALL[name]()
    for _ in range(steps):
        pair = advance(pair, chooser)
    return pair
