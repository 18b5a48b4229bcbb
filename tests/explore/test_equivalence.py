"""Pairs of equal key have equal futures: whatever the key leaves out, no rule reads.

Two random histories of one scenario now and then come to states of equal key at different times. From
both, the same answers must give the same events at the same distances. Ports, flags, lengths, windows,
states, timers, calls and replies are compared; sequence numbers and timestamps differ by a shift.
"""

from __future__ import annotations

import inspect
import pickle
from collections import Counter, deque
from collections.abc import Hashable
from random import Random
from typing import Any

import pytest

from tcpsim.app import control_flow, driven, operator, program, receive_steps, steps, wait_steps
from tcpsim.catalogue import build, scenario
from tcpsim.explore.branch import Steps, in_full
from tcpsim.explore.chain import explore
from tcpsim.pair import Event, Noted, Pair, advance, census
from tcpsim.pair.equivalence import Keys
from tcpsim.pair.equivalence.programs import ahead
from tcpsim.path import SIDES, Seeded
from tcpsim.tcp import deadlines
from tcpsim.tcp import equivalence as tcp_key
from tcpsim.tcp.equivalence import connection as tcp_seen
from tcpsim.tcp.equivalence import future
from tcpsim.tcp.tcb import Tcb
from tests.explore.bisimulation import course, told_of
from tests.explore.key_walks import ALL
from tests.explore.partition import partition
from tests.explore.worlds import leaver, restarted_leaver

HISTORIES = 60
FUTURES = 3
STEPS = 400

KILLED: dict[str, Any] = {"kill_sockets": dict.fromkeys(SIDES, "1s")}

CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("closewait-ignored-eof", {"loss": 0.4}),
    ("closewait-ignored-eof", {"loss": 0.4, "restart": {"client": "5s"}}),
    ("accept-queue-never-drained", {"loss": 0.3, "restart": {"server": "10s"}}),
    ("normal-close", {"loss": 0.4}),
    ("one-rst-stack", {"loss": 0.3}),
    ("w1", {"loss": 0.5}),
    ("keepalive-rescues", {"loss": 0.5}),
    ("so-linger-works", {"loss": 0.3}),
    ("unread-data-reset", {"loss": 0.4}),
    ("port-reuse-into-close-wait", {"loss": 0.3}),
    ("fin-wait-2-on-freebsd", {"loss": 0.4}),
    ("lingering-close-4.4bsd", {"loss": 0.3}),
    ("simultaneous-close", {"loss": 0.4}),
    ("many-segments-lossy", {"loss": 0.2}),
    ("firewall-forgets-half-closed", {"loss": 0.4}),
    ("port-reuse-into-close-wait", {"loss": 0.3, "middlebox": "linux-conntrack"}),
    ("normal-close", {"loss": 0.4, "middlebox": "reject-firewall", "loss_side": "client"}),
    ("normal-close", {"loss": 0.4, "stack_client": "rfc9293", "stack_server": "freebsd"}),
    ("closewait-ignored-eof", {"loss": 0.4, "knobs": {"rto_max_us": "1s"}}),
    ("closewait-ignored-eof", {"loss": 0.4, "stack_server": "freebsd"}),  # keepalive that never fires
    ("closewait-ignored-eof", {"loss": 0.4, "stack_server": "4.4bsd", "client": "closes-on-eof"}),
    ("closewait-ignored-eof", {"loss": 0.4, **KILLED}),
    ("fin-wait-2-on-freebsd", {"loss": 0.4, **KILLED}),
)


@pytest.mark.parametrize(("name", "changes"), CASES, ids=lambda value: str(value))
def test_equal_keys_have_equal_futures(name: str, changes: dict[str, Any]) -> None:
    start = build(scenario(name), **changes)
    known: dict[Hashable, Pair] = {}
    keys = Keys()
    met = 0
    for seed in range(HISTORIES):
        pair = start
        chooser = Seeded(seed)
        for _ in range(STEPS):
            if pair.next_us is None:
                break
            state = keys.key(pair)
            twin = known.setdefault(state, pair)
            if twin.next_us != pair.next_us:
                met += 1
                for future in range(FUTURES if met < 40 else 0):
                    one, other = (course(each, future, STEPS) for each in (twin, pair))
                    assert one == other, (name, seed, pair.now_us)
            pair = advance(pair, chooser)
    assert met > 5, "the test met too few pairs of equal states to say anything"


SAMPLES = 2  # of merges that differ inside in the same way
SHORT = {"tcp_retries2": 4, "tcp_syn_retries": 2, "tcp_synack_retries": 2, "tcp_orphan_retries": 3}
MERGED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("closewait-ignored-eof", {}),
    ("closewait-ignored-eof", {"knobs": {**SHORT, "tcp_fin_timeout": "1s"}}),
    ("normal-close", {"knobs": SHORT}),
    ("port-reuse-into-close-wait", {"knobs": SHORT}),
    ("w1", {"stack_client": "rfc9293", "stack_server": "freebsd"}),
    ("closewait-ignored-eof", KILLED),
)


TIMES = ("last_data_us", "last_ack_us", "rack_us", "retrans_since_us", "ts_recent_at_us", "handshake_sent_us")
OURS = ("snd_wl2", "rtt_seq", "rack_end", "snd_sml", "high_seq")
INSIDE = (
    "snd_wl1", "ts_recent", *OURS, *TIMES, "srtt8", "mdev4", "rttvar4", "rto_us", "backoff", "cwnd",
    "ssthresh", "quick", "pingpong", "ato_us", "snd_wnd", "retransmits", "handshake_resent",
    "min_rtt_us", "rack_rtt_us",
)  # fmt: skip


def _inside(pair: Pair) -> list[list[Any]]:
    """What a key may leave out of every connection, with its state."""
    now_us = pair.next_us or 0
    found: list[list[Any]] = []
    for end in (pair.client.system.end, pair.server.system.end):
        for t in end.sockets.values():
            shift = {"snd_wl1": t.irs, "ts_recent": now_us // 1000}
            shift |= dict.fromkeys(OURS, t.iss) | dict.fromkeys(TIMES, now_us)
            values = [(getattr(t, name), shift.get(name, 0)) for name in INSIDE]
            found.append([t.state, *[None if value is None else value - by for value, by in values]])
    return found


def _ways(steps: Steps, pair: Pair) -> list[tuple[Pair, Hashable]]:
    """Each way out of a state: where it leads, and everything that can be seen of it."""
    found: list[tuple[Pair, Hashable]] = []
    events: list[Event] = []
    for after, weight, lost, passed, *_ in in_full(steps.branches(pair, events.append)):
        told = tuple(told_of(event, pair.next_us or 0) for event in events if not isinstance(event, Noted))
        rests_us = None if after.next_us is None else after.next_us - (pair.next_us or 0)
        views = census(after, "client"), census(after, "server")
        found.append((after, (weight, lost, passed, rests_us, views, told)))
        events.clear()
    return found


def _merges_are_exact(name: str, changes: dict[str, Any], states: int) -> None:
    """Whoever comes to a known state goes on as the known one does, however different they are inside."""
    steps = Steps(build(scenario(name), **{"loss": 0.5, **changes}))
    known = {steps.key(steps.start): steps.start}
    wait_steps = [steps.start]
    kinds: Counter[Hashable] = Counter()
    random = Random(7)
    while wait_steps and len(known) < states:
        for branch in in_full(steps.branches(wait_steps.pop(random.randrange(len(wait_steps))))):
            after = branch.pair
            if after.next_us is None:
                continue
            twin = known.setdefault(steps.key(after), after)
            mine, theirs = _inside(after), _inside(twin)
            if twin is after:
                wait_steps.append(after)
            elif mine != theirs:
                kind = tuple(
                    (a[0], tuple(name for name, x, y in zip(INSIDE, a[1:], b[1:], strict=True) if x != y))
                    for a, b in zip(mine, theirs, strict=True)
                )
                kinds[kind] += 1
                if kinds[kind] <= SAMPLES:
                    _same_life(steps, after, twin, random)
    assert len(kinds) > 2, "the test met too few merges to say anything"


def _same_life(steps: Steps, one: Pair, other: Pair, random: Random) -> None:
    """Two pairs on one random way, mostly one of losses, as long as it goes."""
    for _ in range(60):
        mine, theirs = _ways(steps, one), _ways(steps, other)
        assert [seen for _, seen in mine] == [seen for _, seen in theirs], one.now_us
        at = -1 if random.random() < 0.7 else random.randrange(len(mine))  # the last is where all is lost
        one, other = mine[at][0], theirs[at][0]
        if one.next_us is None:
            return


@pytest.mark.parametrize(("name", "changes"), MERGED, ids=lambda value: str(value))
def test_merges_are_exact(name: str, changes: dict[str, Any]) -> None:
    _merges_are_exact(name, changes, 600)


FEW_AT_ONCE = [case for case in CASES if case[0] != "many-segments-lossy"]  # its steps go a thousand ways


@pytest.mark.verify
@pytest.mark.parametrize(("name", "changes"), FEW_AT_ONCE, ids=lambda value: str(value))
def test_merges_are_exact_far_in(name: str, changes: dict[str, Any]) -> None:
    _merges_are_exact(name, changes, 4_000)


def test_every_field_of_a_connection_is_in_the_key_or_left_out_with_a_reason() -> None:
    text = "".join(inspect.getsource(module) for module in (tcp_key, tcp_seen, future))
    missing = {name for name in Tcb.__slots__ if f"t.{name}" not in text} - set(deadlines.DEADLINES)
    assert missing == {"closed_by", "fw2_armed", "last_ack_us", "rmem", "ts_offset"}
    assert "timers.silent_since_us(t)" in text  # which reads last_ack_us
    assert "deadlines.deadlines(t)" in text


def test_every_step_that_may_fail_says_so() -> None:
    """`app.equivalence` follows a program to its `on_error` from these only."""
    for module in (control_flow, operator, driven, program, receive_steps, steps, wait_steps):
        for name, each in inspect.getmembers(module, inspect.isclass):
            if "act" in dir(each) and name not in ("Op", "OnSocket"):
                assert ("fail(" in inspect.getsource(each.act)) == getattr(each, "errs", False), name


@pytest.mark.parametrize(("name", "changes"), CASES, ids=lambda value: str(value))
def test_a_key_is_the_same_whatever_was_seen_before(name: str, changes: dict[str, Any]) -> None:
    """States are told apart alike by keys that remember parts, that have forgotten them, and in any order."""
    pairs: list[Pair] = []
    for seed in range(3):
        pair = build(scenario(name), **changes)
        chooser = Seeded(seed)
        while pair.next_us is not None and len(pairs) < 100 * (seed + 1):
            pairs.append(pair)
            pair = advance(pair, chooser)
    at_once, backwards = Keys(), Keys()
    one = [at_once.key(pair) for pair in pairs]
    other = [backwards.key(pair) for pair in reversed(pairs)][::-1]
    assert one == [at_once.key(pair) for pair in pairs]
    assert _places(one) == _places(other)


@pytest.mark.parametrize("name", ["memories of peers", "several connections", "power comes back"])
def test_a_pair_and_its_copy_have_one_key(name: str) -> None:
    """The pairs of a chain share values, by which `Keys` remembers parts of keys; a copy shares none."""
    steps, keys = Steps(ALL[name]()), Keys()
    waiting, known = deque([steps.start]), {keys.key(steps.start)}
    while waiting and len(known) < 900:
        for branch in in_full(steps.branches(waiting.popleft())):
            key = keys.key(branch.pair)
            assert key == keys.key(pickle.loads(pickle.dumps(branch.pair)))
            if key not in known and branch.pair.next_us is not None:
                waiting.append(branch.pair)
            known.add(key)


def _places(keys: list[Hashable]) -> list[int]:
    """Where each was met first."""
    first: dict[Hashable, int] = {}
    return [first.setdefault(each, number) for number, each in enumerate(keys)]


def test_a_key_depends_on_the_distance_to_what_is_due() -> None:
    pair = build(scenario("normal-close"), loss=0.0)
    for _ in range(4):
        pair = advance(pair, Seeded(1))
    assert pair.next_us is not None
    keys = Keys()
    assert keys.key(pair) == keys.key(pair)
    assert keys.key(pair) != keys.key(pair._replace(next_us=pair.next_us - 1))


def test_a_process_that_will_kill_another_may_close_what_that_one_holds() -> None:
    """A socket that its own program ignores for ever is not promised to stay: its history still counts."""
    for pair, mine in ((leaver(0.0, 1), False), (restarted_leaver(0.0, "2s"), True)):
        while pair.next_us is not None and pair.next_us <= 1_000_000:
            pair = advance(pair, Seeded(1))
        (number,) = pair.client.system.end.sockets
        found = ahead(pair.client.system, pair.client.programs)
        assert (number in found.busy, number in found.closes) == (mine, mine)


@pytest.mark.parametrize("loss_from", ["30ms", "50ms", "100ms"])
@pytest.mark.parametrize("knobs", [{}, {"tcp_retries2": 4, "tcp_orphan_retries": 3}])
def test_it_is_known_how_often_a_segment_may_yet_be_repeated(loss_from: str, knobs: dict[str, int]) -> None:
    """While all is lost, each expiry leaves one less; the one after the last is too many."""
    pair = build(scenario("normal-close"), loss=1.0, loss_from=loss_from, knobs=knobs)
    left: dict[tuple[str, int, bool], list[int | None]] = {}
    while pair.next_us is not None:
        for side in SIDES:
            end = pair.machine(side).system.end
            for number, t in end.sockets.items():
                if future.repeats(t, end.stack) and t.slot_at_us == pair.next_us:
                    told = left.setdefault((side, number, t.orphaned), [])
                    told.append(future.expiries_left(t, end.stack, t.orphaned))
        pair = advance(pair, Seeded(1))
    assert left
    for told in left.values():
        assert told == list(range(len(told)))[::-1]


FEW_RETRIES = {"rto_max_us": "1s", "tcp_syn_retries": 2, "tcp_synack_retries": 1, "tcp_orphan_retries": 3}


@pytest.mark.parametrize("retries", [4, 8])
def test_how_often_a_segment_may_yet_be_repeated_is_all_that_counts(
    retries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that say when the repetition began make more states, and nobody can tell more of them apart."""
    knobs = {**FEW_RETRIES, "tcp_retries2": retries}
    pair = build(scenario("closewait-ignored-eof"), loss=0.5, knobs=knobs)
    chain = explore(pair)
    monkeypatch.setattr(tcp_seen, "repeats", lambda *_: False)
    finer = explore(pair)
    assert not chain.cut
    assert not finer.cut
    assert chain.states < finer.states
    assert max(partition(chain)) == max(partition(finer))
