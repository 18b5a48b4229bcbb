"""Every scenario ends as it says, and so does every contrast."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tcpsim.app import behaviours
from tcpsim.catalogue import Ended, Scenario, Verdict, build, run, scenario, scenarios, surprises
from tcpsim.catalogue import play as play_scenario
from tcpsim.pair import Arrived, Event, Noted, Returned, Sent, StateChanged, TimerFired
from tcpsim.path import Seeded
from tcpsim.tcp.segment import flag_letters
from tcpsim.tcp.state import State

S = 1_000_000
MS = 1_000


def play(name: str, seed: int = 1, **overrides: Any) -> tuple[Ended, list[Event]]:
    """A scenario from its beginning to its end, and everything that happened."""
    played = play_scenario(scenario(name), seed, **overrides)
    return played.ended, list(played.events)


def sent(story: list[Event], side: str, flags: str) -> list[int]:
    """When a side sent segments with exactly these flags."""
    return [
        event.t_us
        for event in story
        if isinstance(event, Sent) and event.side == side and flag_letters(event.segment.flags) == flags
    ]


def states(story: list[Event], side: str) -> list[str]:
    """The states that a side went through, in order."""
    return [str(e.new) for e in story if isinstance(e, StateChanged) and e.side == side and e.new != e.old]


def entered(story: list[Event], side: str) -> dict[State, int]:
    """When a side first came into each state."""
    moves = [e for e in story if isinstance(e, StateChanged) and e.side == side and e.new != e.old]
    return {e.new: e.t_us for e in reversed(moves) if e.new is not None}


def returned(story: list[Event], side: str, call: str) -> list[Any]:
    """What each call of this kind returned: the value, or errno."""
    return [
        event.reply.errno or event.reply.value
        for event in story
        if isinstance(event, Returned) and event.side == side and type(event.call).__name__ == call
    ]


@pytest.mark.parametrize("chosen", scenarios(), ids=lambda chosen: chosen.name)
def test_it_ends_as_it_says(chosen: Scenario) -> None:
    assert surprises(chosen.expect, play_scenario(chosen)) == ()


@pytest.mark.parametrize(
    ("chosen", "index"),
    [pytest.param(s, i, id=f"{s.name}-{c.title}") for s in scenarios() for i, c in enumerate(s.contrasts)],
)
def test_its_contrasts_end_as_they_say(chosen: Scenario, index: int) -> None:
    contrast = chosen.contrasts[index]
    assert surprises(contrast.expect, play_scenario(chosen, **contrast.overrides)) == ()


def test_a_surprise_is_told() -> None:
    """An expectation that is not met, in each of its fields."""
    wrong = replace(
        scenario("normal-close").expect,
        client="CLOSE-WAIT", server="FIN-WAIT-2", verdict=Verdict.PERMANENT, rst=True,
        settled=("1s", "2s"), reads=(5,),
    )  # fmt: skip
    assert surprises(wrong, play_scenario(scenario("normal-close"))) == (
        "client: gone, not CLOSE-WAIT",
        "server: gone, not FIN-WAIT-2",
        "verdict: clean, not permanent",
        "a RST was sent: False, not True",
        "the client's reads: (1000, 0), not (5,)",
        "settled: after 60.1s, not from 1s to 2s",
    )


def test_there_are_at_least_thirty() -> None:
    assert len(scenarios()) >= 30
    assert len({each.name for each in scenarios()}) == len(scenarios())


@pytest.mark.parametrize("chosen", scenarios(), ids=lambda chosen: chosen.name)
def test_it_is_documented(chosen: Scenario) -> None:
    assert len(chosen.story) > 80
    assert chosen.title
    assert chosen.theme
    assert chosen.watch
    assert all(parameter.kind.allowed for _, parameter in chosen.parameters())


def test_the_same_seed_tells_the_same_story() -> None:
    one, other, third = (play("many-segments-lossy", seed=seed)[1] for seed in (5, 5, 6))
    assert one == other
    assert one != third


def test_a_log_changes_nothing() -> None:
    chosen = scenario("many-segments-lossy")
    silent = run(build(chosen), Seeded(3), chosen.horizon_us)
    logged, _ = play("many-segments-lossy", seed=3)
    assert silent[1:] == logged[1:]
    assert silent.pair.server.system.end.sockets == logged.pair.server.system.end.sockets


def test_normal_close_takes_four_segments_and_sixty_seconds_of_time_wait() -> None:
    ended, story = play("normal-close")
    assert states(story, "client")[-3:] == ["CLOSE-WAIT", "LAST-ACK", "CLOSED"]
    assert states(story, "server")[-4:] == ["FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED"]
    last_arrival_us = max(
        event.t_us for event in story if isinstance(event, Arrived) and event.side == "server"
    )
    assert ended.t_us == last_arrival_us + 60 * S


def test_the_client_of_closewait_saw_end_of_file() -> None:
    ended, story = play("closewait-ignored-eof")
    assert returned(story, "client", "Recv") == [1000, 0]
    assert [held.fd for held in ended.client] == [True]
    since = entered(story, "server")
    assert since[State.CLOSED] - since[State.FIN_WAIT_2] == 60 * S


def test_the_simplex_connection_outlives_the_timeout() -> None:
    ended, story = play("simplex-half-close")
    moves = [e for e in story if isinstance(e, StateChanged) and e.side == "server" and e.new != e.old]
    times = {e.new: e.t_us for e in moves}
    assert times[State.TIME_WAIT] - times[State.FIN_WAIT_2] > 90 * S
    assert (
        sum(value for value in returned(story, "server", "Recv") if isinstance(value, int)) == 100 + 10 * 500
    )
    assert ended.describe() == "clean: client gone, server gone"


def test_data_after_close_is_answered_at_once() -> None:
    _, story = play("data-after-close")
    (rst_us,) = sent(story, "server", "R")
    assert 5 * S < rst_us < 6 * S


def test_the_probe_comes_after_two_hours_of_silence() -> None:
    _, story = play("keepalive-rescues")
    heard_us = [e.t_us for e in story if isinstance(e, Arrived) and e.side == "client"][-2]
    (rst_us,) = sent(story, "server", "R")
    assert rst_us == heard_us + 7200 * S + 10 * MS


def test_the_oracle_of_ten_fins() -> None:
    ended, story = play("all-fins-lost")
    assert ended.half_open
    fins = [t for flags in ("FA", "FPA") for t in sent(story, "server", flags)]
    assert len(fins) == 10
    gone_us = entered(story, "server")[State.CLOSED]
    assert 112 * S <= gone_us - fins[0] <= 120 * S


def test_both_go_through_closing() -> None:
    _, story = play("simultaneous-close")
    for side in ("client", "server"):
        assert states(story, side)[-4:] == ["FIN-WAIT-1", "CLOSING", "TIME-WAIT", "CLOSED"]


def test_time_wait_acknowledges_the_repeated_fin_and_starts_anew() -> None:
    ended, story = play("time-wait-reack")
    fins = sent(story, "client", "FA")
    assert len(fins) == 2
    assert ended.t_us == fins[1] + 10 * MS + 60 * S


def test_the_lost_rst_is_asked_for_again() -> None:
    _, story = play("last-rst-lost")
    assert len(sent(story, "server", "R")) == 2
    assert len(sent(story, "client", "PA")) == 3  # the request, what it sent once more, and that again


def test_the_response_is_read_before_the_reset() -> None:
    _, story = play("unread-data-reset")
    assert returned(story, "client", "Recv") == [1000, "ECONNRESET"]


def test_a_lossy_path_delivers_every_byte_once() -> None:
    for seed in range(20):
        ended, story = play("many-segments-lossy", seed=seed, loss=0.05, delay="20ms")
        received = [value for value in returned(story, "client", "Recv") if isinstance(value, int)]
        assert (sum(received), ended.verdict) == (100_000, Verdict.CLEAN), f"seed {seed}"


def test_one_in_ten_of_w1_never_closes() -> None:
    chosen = scenario("w1")
    pair = build(chosen)
    left = sum(run(pair, Seeded(1, index), chosen.horizon_us).client != () for index in range(400))
    assert 20 <= left <= 60  # 400 x 0.1, five standard deviations


def test_the_vanished_client_is_silent() -> None:
    _, story = play("vanished-client")
    fins = [t for flags in ("FA", "FPA") for t in sent(story, "server", flags)]
    assert len(fins) == 10
    assert [e for e in story if isinstance(e, TimerFired) and e.side == "client"] == []
    assert any(isinstance(e, Noted) and e.kind == "cause" and e.side == "server" for e in story)


def test_every_behaviour_has_a_sentence_and_a_program() -> None:
    for behaviour in behaviours():
        assert behaviour.doc.endswith(".")
        assert behaviour.program().describe()
