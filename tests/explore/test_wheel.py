"""A timer wheel: states are equal only where the longest timers there may be fall into the same buckets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from tcpsim.app import accept, close, connect, ignore, listen, receive, receive_to_eof, send, set_option, wait
from tcpsim.app.program import Program
from tcpsim.app.steps import keepalive
from tcpsim.pair import Pair, advance, new_pair
from tcpsim.pair.equivalence import Keys
from tcpsim.path import Seeded, make_path
from tcpsim.tcp import deadlines, timer_wheel
from tcpsim.tcp import equivalence as tcp_key
from tcpsim.tcp.equivalence import future
from tcpsim.tcp.event import Timer
from tcpsim.tcp.segment import FIN
from tcpsim.tcp.stack import Stack, stack
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import Sent, SocketOptions, Tcb
from tests.explore.bisimulation import check

HZ = 250
_HOUR = 3_600_000_000


def talk(profile: str, begins_us: int, loss: float = 0.0, more: Any = (), **knobs: Any) -> Pair:
    """A connection that begins at a time, sends, and is closed by its server."""
    ours, theirs = (stack(profile).with_knobs({"timer_hz": hz, **knobs}) for hz in (HZ, 200))
    client = Program([wait(begins_us), connect(), *more, send(10), receive(10), ignore()])
    server = Program([listen(), accept(), receive(10), send(10), wait("1s"), close()])
    return new_pair(client, server, ours, theirs, make_path(10_000, loss, loss))


def test_an_hour_of_user_timeout_counts_in_the_phase() -> None:
    """With HZ 250 a bucket so far ahead is 131 s wide: moments of equal phase have to lie alike in it."""
    knobs = {"user_timeout_us": "1h", "retries": "none", "orphan_retries": "none"}
    pair = talk("rfc9293", 0, **knobs)
    while not any(t.user_at_us for t in pair.client.system.end.sockets.values()):
        pair = advance(pair, Seeded(1))
    random, late = Random(1), defaultdict(set)
    turn_us = tcp_key.wheel_turn_us(
        pair.client.system.end, tcp_key.Prospect(frozenset({1}), frozenset(), None, False, True)
    )
    assert turn_us is not None
    for moment in [random.randrange(20 * _HOUR) // 4096 * 4096 for _ in range(20_000)]:
        due_us = timer_wheel._bucket_us(moment, moment + _HOUR, 1_000_000 // HZ)
        late[moment % turn_us].add(due_us - moment)
    assert all(len(each) == 1 for each in late.values())
    everything = set().union(*late.values())
    assert max(everything) - min(everything) > 115_000_000  # so much depends on the phase


CASES: list[tuple[str, Callable[[int], Pair]]] = [
    (f"{name} {what}", lambda at, name=name, more=more, knobs=knobs: talk(name, at, 0.4, more, **knobs))  # type: ignore[misc]
    for name in ("linux", "rfc9293", "freebsd", "hpux-11", "4.4bsd")
    for what, more, knobs in (
        ("as it is", (), {}),
        ("an hour of user timeout", (), {"user_timeout_us": "1h"}),
        ("keepalive later", keepalive("20s", "5s", 2), {}),
        ("keepalive by default", (), {"keepalive_default": True}),
        ("a user timeout later", [set_option("TCP_USER_TIMEOUT", 5_000_000)], {}),
        ("without timestamps", (), {"timestamps": False}),
        ("orphans that resend twice", (), {"timestamps": False, "orphan_retries": 2}),
        ("orphans that resend once", (), {"orphan_retries": 1}),
        ("without a long RTO", (), {"rto_max_us": "500ms", "persist_max_us": "500ms", "rto_min_us": "200ms"}),
    )
]


@pytest.mark.parametrize(("name", "make"), CASES, ids=[name for name, _ in CASES])
def test_no_timer_is_ever_set_further_ahead_than_the_phase_has_counted(
    name: str, make: Callable[[int], Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In no state before: what an earlier key has left out would tell states apart later."""
    ahead: dict[int, list[int]] = defaultdict(list)  # by the HZ of the host
    counted: dict[int, int] = {}
    bucket_us, width_us = timer_wheel._bucket_us, timer_wheel.bucket_width_us

    def noting(now: int, at: int, tick_us: int) -> int:
        ahead[1_000_000 // tick_us].append(at - now)
        return bucket_us(now, at, tick_us)

    def counting(ahead_us: int, hz: int) -> int:
        counted[hz] = min(ahead_us, counted.get(hz, ahead_us))
        return width_us(ahead_us, hz)

    monkeypatch.setattr(timer_wheel, "_bucket_us", noting)
    monkeypatch.setattr(timer_wheel, "bucket_width_us", counting)
    armed = 0
    for seed in range(12):
        pair, chooser, keys = make(seed * 1_000_003), Seeded(seed), Keys()
        counted.clear()
        for _ in range(300):
            if pair.next_us is None:
                break
            keys.key(pair)
            pair = advance(pair, chooser)
            for hz, distances in ahead.items():
                assert max(distances) <= counted[hz], (seed, hz)
                armed += len(distances)
            ahead.clear()
    assert armed > 100


def test_every_deadline_is_declared() -> None:
    """A timer is a field `..._at_us`; what else bears that name is a time when something happened."""
    fields = {name for name in Tcb.__slots__ if name.endswith("_at_us")}
    assert fields - {"ts_recent_at_us"} == set(deadlines.DEADLINES)
    for name in deadlines.DEADLINES:
        t = Tcb(**{**dict.fromkeys(deadlines.DEADLINES, 1_000), name: 5})
        assert deadlines.next_time(t) == 5
        deadlines.stop_all(t)
        assert deadlines.next_time(t) is None


def test_what_a_timer_of_the_list_may_reach_depends_on_what_is_asked() -> None:
    s = stack("linux")
    plain = Tcb(state=State.ESTABLISHED, ts_on=True)
    assert _longest_us(plain, s, None) == 120_000_000  # RTO
    assert _longest_us(plain, s, 0) == s.keep_idle_us  # a program may yet set SO_KEEPALIVE
    asked = Tcb(state=State.SYN_SENT, options=SocketOptions(keepalive=True))
    assert _longest_us(asked, s, None) == s.keep_idle_us
    unstamped = Tcb(state=State.FIN_WAIT_1, wait=Timer.FIN_WAIT_2)
    assert _longest_us(unstamped, s, None) == 3.5 * s.rto_max_us  # tcp_fin_time()


def _longest_us(t: Tcb, s: Stack, option_us: int | None) -> int:
    """While a program may yet do anything."""
    return deadlines.longest_us(t, s, future.bounds(t, s, True, option_us))


def test_what_will_not_be_resent_for_long_counts_in_no_long_bucket() -> None:
    s = stack("linux").with_knobs({"orphan_retries": 1, "timestamps": False})
    last = {"snd_nxt": 2, "write_seq": 2, "close_called": True, "rto_us": 200_000, "srtt8": 160_000}
    sent = {**last, "sent": (Sent(1, 2, FIN, 1, 1),), "snd_una": 1, "snd_mss": 1460}
    orphan = Tcb(**{**sent, "state": State.FIN_WAIT_1, "orphaned": True})
    bounds = future.bounds(orphan, s, False, None)
    assert bounds.rto_us == 4 * 800_000  # the RTO that is set after 400 ms is the last
    assert deadlines.longest_us(orphan, s, bounds) == s.time_wait_us
    held = Tcb(**{**sent, "state": State.FIN_WAIT_1})
    assert future.bounds(held, s, False, None).rto_us == s.rto_max_us
    acknowledged = Tcb(**{**last, "state": State.CLOSE_WAIT, "snd_una": 2})
    assert future.bounds(acknowledged, s, False, None).rto_us is None


def test_the_lateness_of_a_wheel_counts_in_how_often_a_last_segment_is_resent() -> None:
    """Two orphans with the same ideal timeouts may differ by one retransmission."""
    kernel = stack("linux").with_knobs(
        {"timer_hz": HZ, "orphan_retries": 2, "timestamps": False, "sack": False}
    )
    client = Program([connect(), receive_to_eof(), close()])
    server = Program([listen(), accept(), send(1000), close()])
    found = check(new_pair(client, server, kernel, kernel, make_path(10_100, 0.3, 0.3)), 4_000)
    assert found.difference is None
