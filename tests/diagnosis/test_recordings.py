"""Leaks of a real kernel, made on purpose: the culprit, when sockets end, growth, both ends, a relay."""

from __future__ import annotations

from collections import defaultdict

import pytest

from tcpsim.diagnosis.diagnose import Judged, judge
from tcpsim.diagnosis.host import Host
from tcpsim.diagnosis.relay import legs
from tcpsim.diagnosis.two_dumps import together
from tcpsim.dumps import read
from tcpsim.tcp.state import State
from tests.diagnosis import clearing, recordings
from tests.diagnosis.recordings import Truth

TRUTHS = list(recordings.truths())
# What one end cannot know: the peer has closed, and its FIN is lost. It looks as if the peer had not.
UNKNOWABLE = {"last-ack-client-5s", "last-ack-client-30s"}


def judged(story: str, side: str, age: float) -> Judged:
    return judge(Host(read(recordings.dumps(story)[side, age]), "linux"))


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_the_culprit_is_named(truth: Truth) -> None:
    if str(truth) in UNKNOWABLE:
        found = recordings.answer(truth)
        assert found is not None
        assert found.certainty != "certain"
    else:
        assert recordings.wrong(truth) == ""


def test_the_page_shows_these_recordings() -> None:
    page = recordings.PAGE.read_text(encoding="utf-8")
    assert recordings.page_with_table(page) == page, "run: python -m tests.diagnosis.recordings --write"


def test_a_dump_without_anybody_in_question_says_nothing() -> None:
    silent = 0
    told = {(each.story, each.side, each.age) for each in TRUTHS}
    for story in {each.story for each in TRUTHS}:
        for side, age in recordings.dumps(story):
            if (story, side, age) not in told:
                assert not judged(story, side, age).bad
                silent += 1
    assert silent > 10


def test_every_timer_ends_its_socket_within_the_interval() -> None:
    """At least 95 % for each state and timer; where the answer is "never by itself", it was so."""
    kinds: dict[tuple[str, str], list[bool | None]] = defaultdict(list)
    for row in clearing.stored(recordings.DATA / "clearing.csv"):
        timer = row.line.partition("timer:(")[2].partition(",")[0]
        kinds[row.line.split()[0], timer].append(row.holds())
    timed = {kind: [each for each in found if each is not None] for kind, found in kinds.items() if kind[1]}
    assert {timer for _, timer in timed} == {"on", "keepalive", "timewait", "persist"}
    for kind, found in timed.items():
        assert len(found) >= 10, kind
        assert sum(found) / len(found) >= 0.95, kind


def test_the_intervals_say_something() -> None:
    """An interval from now to for ever would hold as well."""
    for row in clearing.stored(recordings.DATA / "clearing.csv"):
        found = row.predicted()
        if found.latest_us is not None and "timewait" in row.line:
            assert found.latest_us - found.earliest_us < 4_000_000
        elif found.latest_us is not None:
            assert found.latest_us < 1_200_000_000


def test_both_ends_of_a_host_that_vanished() -> None:
    both = [judged("half-open", side, 135.0) for side in ("server", "client")]
    found = together(both, None, True, {})
    assert found is not None
    assert found.pairing is not None
    assert found.pairing.half_open == found.pairing.connections == 10
    (pair,) = found.pairing.matched
    assert (pair.first, pair.second) == (State.ESTABLISHED, None)
    assert found.bad


def test_both_ends_of_a_server_that_forgets() -> None:
    early = together([judged("server-forgets", side, 30.0) for side in ("server", "client")], None, False, {})
    assert early is not None
    assert early.pairing is not None
    assert [(each.first, each.second, each.number) for each in early.pairing.matched] == [
        (State.CLOSE_WAIT, State.FIN_WAIT_2, 12)
    ]
    assert early.pairing.half_open == 0
    late = together([judged("server-forgets", side, 75.0) for side in ("server", "client")], None, True, {})
    assert late is not None
    assert late.pairing is not None
    assert late.pairing.half_open == 12


def test_the_legs_of_a_relay() -> None:
    found = judged("relay", "server", 3.0)
    relay = found.findings[0]
    assert (relay.kind, relay.number, relay.owner) == ("relay", 28, "proxy")
    pairs = legs(relay)
    assert len(pairs) == 14
    assert {(front.state, back.state) for front, back in pairs} == {(State.CLOSE_WAIT, State.FIN_WAIT_2)}
    assert {front.local.port for front, _ in pairs} == {8080}
    assert {back.peer.port for _, back in pairs} == {9000}
    assert (found.findings[1].owner, found.findings[1].move) == ("backend", "this program")


def test_a_leak_that_grows() -> None:
    """Two a second were made, for as long as the recording went on."""
    first, second = (judged("steady-leak", "server", age) for age in (70.0, 130.0))
    found = together([first, second], 60_000_000, False, {"nofile": 1024})
    assert found is not None
    (group,) = [each for each in found.growth if each.state is State.CLOSE_WAIT]
    assert group.interval[0] < 2 < group.interval[1]
    assert (group.gone, group.bounded, group.growing) == (0, False, True)
    assert found.reach[0].limit == "nofile"
    assert found.bad


def test_what_goes_as_fast_as_it_comes_is_bounded() -> None:
    first, second = (judged("steady-leak", "client", age) for age in (70.0, 130.0))
    found = together([first, second], 60_000_000, False, {})
    assert found is not None
    (group,) = [each for each in found.growth if each.state is State.FIN_WAIT_2]
    assert group.bounded is True
    assert group.interval[0] < 0 < group.interval[1]
    assert not found.bad


def test_nothing_of_the_same_connection_is_bad_twice() -> None:
    """The healthy host, which is the one most people have."""
    for side in ("server", "client"):
        for age in (5.0, 15.0):
            assert not judged("healthy", side, age).bad
