"""A story tells of every segment that a run sent, and of nothing else, in the words of the field."""

from __future__ import annotations

from typing import Any

import pytest

from tcpsim.app import Program, accept, close, fork, listen, receive, send
from tcpsim.catalogue import build, run, scenario, scenarios
from tcpsim.draw import ladder as text
from tcpsim.draw.event_text import tell
from tcpsim.draw.ladder_figure import ladder_figure
from tcpsim.draw.ladder_rows import Story
from tcpsim.pair import Arrived, Event, Lost, Sent
from tcpsim.path import Seeded

ROUGH = {"loss": 0.1, "reorder": 0.3, "reorder_extra": "15ms", "duplicate": 0.1, "jitter": "exp(5ms)"}


def told(name: str, seed: int = 1, **changes: Any) -> tuple[list[Event], Story]:
    """The events of a run and the story of them."""
    events: list[Event] = []
    chosen = scenario(name)
    run(build(chosen, **changes), Seeded(seed), chosen.horizon_us, events.append)
    return events, tell(events, chosen.sides, sides=chosen.sides)


def check(events: list[Event], story: Story) -> None:
    """What holds of every story."""
    kinds = [item.kind for item in story.items]
    sent = [event.segment for event in events if isinstance(event, Sent)]
    of_a_box = {event.segment for event in events if isinstance(event, Arrived)} - {*sent}
    assert kinds.count("send") == len(sent)
    assert len(story.flights) == len(sent) + len(of_a_box)
    assert kinds.count("arrive") == sum(isinstance(event, Arrived) for event in events)
    order: list[Any] = []
    for step in text.steps(story):
        order += [step.item, *([step.arrival] if step.arrival else [])]
    for side in story.sides:
        assert [item for item in order if item.side == side] == [
            item for item in story.items if item.side == side
        ]
    assert all(len(line) <= text.width(len(story.sides)) for line in text.ladder(story).splitlines())


@pytest.mark.parametrize("name", [each.name for each in scenarios()])
def test_every_scenario_is_told_whole(name: str) -> None:
    check(*told(name))


@pytest.mark.parametrize("seed", range(12))
def test_a_rough_path_is_told_whole(seed: int) -> None:
    events, story = told("many-segments-lossy", seed, parameters={"response": 30_000}, **ROUGH)
    check(events, story)
    lost = sum(flight.lost is not None for flight in story.flights)
    assert 0 < lost <= sum(isinstance(event, Lost) for event in events)
    assert ladder_figure(story).axes


def test_a_copy_arrives_from_the_same_departure() -> None:
    events, story = told("normal-close", duplicate=1.0)
    check(events, story)
    arrivals = [item.flight for item in story.items if item.kind == "arrive"]
    assert all(arrivals.count(number) == 2 for number in range(len(story.flights)))


def test_numbers_are_relative_and_repetitions_are_called_so() -> None:
    _, story = told("all-fins-lost")
    labels = [flight.label for flight in story.flights]
    assert labels[:3] == ["SYN", "SYN ACK", "ACK 1"]
    fins = [flight for flight in story.flights if flight.label.startswith("FIN")]
    assert [flight.label for flight in fins] == ["FIN ACK seq 1001 ack 101"] + [
        "FIN ACK seq 1001 ack 101 again"
    ] * 9
    assert {flight.lost for flight in fins} == {"every server FIN"}


def test_a_keepalive_probe_is_called_so() -> None:
    _, story = told("keepalive-rescues")
    assert [flight.label for flight in story.flights if "probe" in flight.label] == [
        "ACK seq 100 ack 1002 probe"
    ]


def test_calls_of_several_processes_say_whose_they_are() -> None:
    server = Program([listen(), accept(), fork([close()]), receive(100), send(1000), close()])
    _, story = told("normal-close", server=server)
    calls = [item.text for item in story.items if item.side == "server" and item.kind == "call"]
    assert {call.split()[0] for call in calls} == {"[1]", "[2]"}


def test_a_blocked_call_is_two_lines_and_one_that_returns_is_one() -> None:
    _, story = told("normal-close")
    calls = [item.text for item in story.items if item.side == "client" and item.kind == "call"]
    assert "connect(3, 5000) ..." in calls
    assert "connect = 0" in calls
    assert "close(3) = 0" in calls


def test_the_end_of_a_machine_ends_its_lifeline() -> None:
    _, story = told("vanished-client")
    assert [item.text for item in story.items if item.kind == "end"] == ["vanishes"]


def test_why_a_connection_ended_stands_beside_its_state() -> None:
    _, story = told("closewait-ignored-eof")
    states = [item.text for item in story.items if item.side == "server" and item.kind == "state"]
    assert states[-1] == "CLOSED (FIN-WAIT-2 limit)"
