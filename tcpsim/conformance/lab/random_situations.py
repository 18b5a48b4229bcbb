"""Random situations: calls, options and losses drawn from a seed.

Owns: what is drawn, and how often. Refuses to know: what Linux does. `random-17` is a situation like any
other, and always the same one: `tcpsim lab compare random-17`.
"""

from __future__ import annotations

from random import Random

from tcpsim.app import (
    Step,
    abort,
    accept,
    close,
    connect,
    ignore,
    listen,
    receive,
    receive_to_eof,
    send,
    shutdown,
    wait_until,
)
from tcpsim.conformance.lab.situation import Situation

_SIZES = (1, 10, 100, 500, 1_000, 1_448, 1_449, 2_000, 2_896, 3_000, 5_000, 14_480, 20_000)
_PAUSES_MS = (0, 0, 1, 5, 12, 30, 41, 100, 250, 400)
_LOSSES = ("FIN 1", "FIN 1-2", "DATA 1-2", "after 300ms before 800ms")
_DELAYS = ("10ms", "10ms", "5ms", "30ms", "1ms")
_OPTIONS: tuple[tuple[float, tuple[tuple[tuple[str, int | tuple[int, int]], ...], ...]], ...] = (
    (0.12, tuple((("SO_RCVBUF", size),) for size in (2_000, 4_000, 8_000, 20_000, 60_000))),
    (0.12, ((("TCP_NODELAY", 1),),)),
    (0.1, ((("SO_LINGER", (1, 0)),), (("SO_LINGER", (1, 1)),))),
    (0.1, ((("TCP_LINGER2", -1),), (("TCP_LINGER2", 1),))),
    (0.08, ((("TCP_USER_TIMEOUT", 500),), (("TCP_USER_TIMEOUT", 1_500),))),
    (0.08, ((("SO_KEEPALIVE", 1), ("TCP_KEEPIDLE", 1), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 2)),)),
)
_KNOBS: tuple[tuple[float, str, tuple[str, ...]], ...] = (
    (0.1, "tcp_sack", ("false",)),
    (0.1, "tcp_timestamps", ("false",)),
    (0.3, "tcp_orphan_retries", ("1", "2", "3")),
    (0.2, "tcp_retries2", ("2", "3")),
    (0.05, "tcp_early_retrans", ("false",)),
)


def situation(seed: int) -> Situation:
    """What this seed draws."""
    luck = Random(seed)
    knobs = {"tcp_fin_timeout": "1s"}
    for share, name, values in _KNOBS:
        if luck.random() < share:
            knobs[name] = luck.choice(values)
    return Situation(
        f"random-{seed}",
        f"calls, options and losses drawn from the seed {seed}",
        client=[connect(options=_options(luck)), *_steps(luck, 40)],
        server=[listen(options=_options(luck)), accept(), *_steps(luck, 50)],
        knobs=knobs,
        drops=tuple(_loss(luck) for _ in range(luck.choice((0, 0, 1, 1, 2, 3)))),
        horizon="4s",
        delay=luck.choice(_DELAYS),
    )


def _options(luck: Random) -> tuple[tuple[str, int | tuple[int, int]], ...]:
    return tuple(
        option for share, choices in _OPTIONS if luck.random() < share for option in luck.choice(choices)
    )


def _steps(luck: Random, at_ms: int) -> list[Step]:
    """Up to six acts, each after a pause or at once, and an end or none."""
    steps: list[Step] = []
    for _ in range(luck.randint(1, 6)):
        at_ms += luck.choice(_PAUSES_MS)
        if luck.random() < 0.7:
            steps.append(wait_until(f"{at_ms}ms"))
        kind = luck.random()
        if kind < 0.45:
            steps.append(send(luck.choice(_SIZES)))
        elif kind < 0.72:
            steps.append(receive(luck.choice(_SIZES)))
        elif kind < 0.78:
            steps.append(receive_to_eof())
        elif kind < 0.86:
            steps.append(shutdown(luck.choice(("WR", "WR", "RD", "RDWR"))))
        else:
            break
    if luck.random() < 0.6:
        steps.append(wait_until(f"{at_ms + luck.choice((0, 30, 200, 500))}ms"))
    end = luck.random()
    return [*steps, close() if end < 0.65 else abort() if end < 0.8 else ignore()]


def _loss(luck: Random) -> str:
    who = luck.choice(("client", "server"))
    drawn = (f"#{luck.randint(1, 12)}", f"DATA {luck.randint(1, 6)}", f"ACK {luck.randint(1, 6)}")
    opening = "SYN 1" if who == "client" else "SYN-ACK 1"
    return f"{who} {luck.choice((*drawn, opening, *_LOSSES))}"
