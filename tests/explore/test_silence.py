"""Each limit on the peer's silence is declared, and so counts in the key of a state.

In each world the peer was heard at one of two times, and is gone. All else is equal then, so only a limit
that a rule reads tells the two states apart.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import tcpsim.tcp as core
from tcpsim.app import (
    accept,
    close,
    connect,
    ignore,
    reboot,
    receive,
    send,
    set_option,
    shutdown,
    wait,
    wait_until,
)
from tcpsim.app.program import Step
from tcpsim.app.steps import keepalive
from tcpsim.pair import Pair
from tcpsim.tcp import deadlines
from tcpsim.tcp.tcb import Tcb
from tests.explore.bisimulation import check
from tests.explore.key_worlds import either, made

_ASKS: Sequence[Step] = [either([wait("1s"), send(10)], [wait("2s"), send(10)])]
_SPEAKS: Sequence[Step] = [either([wait("1s"), send(10)], [wait("2s"), send(10)])]
_GONE: Sequence[Step] = [wait_until("4s"), reboot("30d")]


def _world(
    before: Sequence[Step] = (),
    after: Sequence[Step] = (),
    profile: str = "linux",
    server: Sequence[Step] = (),
    heard: Sequence[Step] = _ASKS,
    until: str = "6s",
    **knobs: Any,
) -> Pair:
    """A client that hears of its peer at 1 s or at 2 s; the peer loses its power at 4 s."""
    client = [connect(), *before, *heard, wait_until(until), *after, ignore()]
    plain = {"timestamps": False, "sack": False}
    return made(client, [accept(), *server, *_GONE], (profile, profile), loss=0.0, **plain, **knobs)()


# The limit: the deadline that reads it, and its place among those that this deadline declares
WORLDS: dict[str, tuple[str, int, Callable[[], Pair]]] = {
    "keepalive": ("keep_at_us", 0, lambda: _world(keepalive("10s", "3s", 3))),
    "keepalive, rfc9293": ("keep_at_us", 0, lambda: _world(keepalive("10s", "3s", 3), (), "rfc9293")),
    "an idle time that is set later": (
        "keep_at_us",
        0,
        lambda: _world((), [set_option("SO_KEEPALIVE", 1), set_option("TCP_KEEPIDLE", 20)]),
    ),
    "an idle time that is set later and is longer than the default": (
        "keep_at_us",
        0,
        lambda: _world((), [set_option("SO_KEEPALIVE", 1), set_option("TCP_KEEPIDLE", 20_000)], until="4h"),
    ),
    "a user timeout that is set later": (
        "keep_at_us",
        0,
        lambda: _world(keepalive("1s", "1s", 9), [wait("1s"), set_option("TCP_USER_TIMEOUT", 15_500)]),
    ),
    "an orphan's own idle time": (
        "keep_at_us",
        1,
        lambda: _world(
            [shutdown()],
            [*keepalive("1s", "1s", 20), wait("500ms"), close()],
            "hpux-11",
            _SPEAKS,
            [receive(10)],
            orphan_keep_idle_us="20s",
        ),
    ),
    "a user timeout that keepalive checks": (
        "keep_at_us",
        2,
        lambda: _world([set_option("TCP_USER_TIMEOUT", 7_500)], keepalive("1s", "1s", 3)),
    ),
    "the limit of LAST-ACK": (
        "wait_at_us",
        0,
        lambda: _world((), [close()], "lwip", [either([wait("1s")], [wait("2s")]), close()], ()),
    ),
    "the idle check of FIN-WAIT-2": (
        "wait_at_us",
        1,
        lambda: _world(
            [shutdown()], (), "lwip", _SPEAKS, (), fin_wait_2_us="10s", fin_wait_2_on_fin_acked="always"
        ),
    ),
}


def _without(deadline: str, place: int) -> tuple[deadlines.Declared, ...]:
    """The declared timers that read silence, one limit left out of those of one of them."""
    found = []
    for each in deadlines.DECLARED:
        reads = each.silences_us
        if each.deadline == deadline and reads is not None:

            def fewer(*given: Any, reads: Any = reads) -> tuple[int, ...]:
                return tuple([0 if at == place else limit for at, limit in enumerate(reads(*given))])

            each = each._replace(silences_us=fewer)
        if reads is not None:
            found.append(each)
    return tuple(found)


@pytest.mark.parametrize("name", WORLDS)
def test_a_limit_on_silence_that_is_left_out_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    deadline, place, make = WORLDS[name]
    assert check(make(), 400).difference is None
    monkeypatch.setattr(deadlines, "_HEEDFUL", _without(deadline, place))
    assert check(make(), 400).difference is not None


# The functions that read how long the peer was silent, and the deadline that they do it for
READERS = {
    "timeouts._keepalive": "keep_at_us",
    "calls.set_options": "keep_at_us",
    "timers._settle_wait": "wait_at_us",
    "timeouts._wait_over": "wait_at_us",
}
_READ = "silent_since_us("
_FOR_THESE = {"deadlines.silences_met", "equivalence.connection._silence"}


def test_whoever_reads_silence_declares_its_limits() -> None:
    found = set()
    root = Path(core.__file__).parent
    for path in root.rglob("*.py"):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        for node in ast.parse(path.read_text()).body:
            text = ast.unparse(node).partition("\n")[2]
            if isinstance(node, ast.FunctionDef) and "silent_since_us(" in text:
                found.add(f"{module}.{node.name}")
    assert found - _FOR_THESE == set(READERS), "declare its limits: silences_us in tcp/deadlines.py"
    declared = {each.deadline for each in deadlines.DECLARED if each.silences_us is not None}
    assert declared == set(READERS.values())


def test_every_limit_that_is_declared_has_a_world() -> None:
    stack, places = _world().client.system.end.stack, set()
    for each in deadlines.DECLARED:
        if each.silences_us is not None:
            places |= {(each.deadline, at) for at in range(len(each.silences_us(Tcb(), stack, False)))}
    assert {(deadline, place) for deadline, place, _ in WORLDS.values()} == places
