"""What a connection tracker does to whole connections: who is told, who waits, what the ladder says of it."""

from __future__ import annotations

import pytest

from tcpsim.catalogue import Played, build, play, scenario, scenarios
from tcpsim.draw.event_text import tell
from tcpsim.draw.ladder import ladder
from tcpsim.pair import Arrived, Lost, Sent
from tcpsim.path import Link, Loss, OneWay, Side, Tracker, middlebox

S = 1_000_000


def lost(played: Played, side: Side) -> list[Lost]:
    return [event for event in played.events if isinstance(event, Lost) and event.side == side]


def test_conntrack_drops_every_fin_of_a_flow_that_it_forgot_after_60_s() -> None:
    played = play(scenario("firewall-forgets-half-closed"))
    eaten = lost(played, "client")
    assert len(eaten) == 10
    assert all(event.segment.fin for event in eaten)
    assert {event.why for event in eaten} == {"firewall: forgotten after 60s in CLOSE_WAIT"}
    assert not lost(played, "server")


@pytest.mark.parametrize(("delay", "arrives"), [("59950ms", True), ("60100ms", False)])
def test_sixty_seconds_are_counted_from_the_last_segment(delay: str, arrives: bool) -> None:
    """The delayed ACK of the FIN, at 80 ms, is the last; end-of-file was read at 40 ms."""
    played = play(scenario("firewall-forgets-half-closed"), parameters={"client.delay": delay})
    heard = [e for e in played.events if isinstance(e, Arrived) and e.side == "server" and e.segment.fin]
    assert bool(heard) is arrives


def test_the_challenge_is_eaten_and_no_rst_clears_the_way() -> None:
    eaten = lost(play(scenario("port-reuse-behind-a-nat")), "server")
    assert len(eaten) >= 2
    assert all(not (e.segment.syn or e.segment.rst or e.segment.fin or e.segment.len) for e in eaten)
    open_ = play(scenario("port-reuse-behind-a-nat"), middlebox="linux-conntrack")
    assert not any(isinstance(event, Lost) for event in open_.events)
    assert open_.rst


def test_what_the_box_answers_is_told_as_an_arrival_without_a_departure() -> None:
    played = play(scenario("firewall-forgets-half-closed"), middlebox="reject-firewall")
    resets = [e for e in played.events if isinstance(e, Arrived) and e.segment.rst]
    assert [(e.side, e.t_us) for e in resets] == [
        ("client", lost(played, "client")[0].t_us + 20_000 - 10_000)
    ]
    assert not any(isinstance(e, Sent) and e.segment.rst for e in played.events)
    page = ladder(tell(played.events))
    assert "RST seq 102 ··" in page or "RST seq 1002 ··" in page


def test_the_ladder_says_where_and_why_once() -> None:
    page = ladder(tell(play(scenario("firewall-forgets-half-closed")).events))
    assert page.count("firewall: forgotten after 60s in") == 1
    assert page.count("X lost") == 10


STATES = (
    *("syn_sent", "syn_recv", "established", "fin_wait", "close_wait", "last_ack", "time_wait", "close"),
    *("unacknowledged", "max_retrans_us"),
)


@pytest.mark.parametrize("name", [each.name for each in scenarios() if each.middlebox == "none"])
def test_a_box_of_endless_memory_changes_nothing(name: str) -> None:
    patient = {f"middlebox.{state}": "365d" for state in STATES}
    assert (
        play(scenario(name), middlebox="linux-conntrack", knobs=patient).events == play(scenario(name)).events
    )


def test_losses_on_one_side_of_the_box() -> None:
    normal = scenario("normal-close")
    box = middlebox("junos")
    plain = build(normal, middlebox="junos", loss=0.1).path
    assert plain.shared == (OneWay("client", Loss(0.1)), OneWay("server", Loss(0.1)), Tracker(box))
    assert (plain.to_server, plain.to_client) == ((Link(10_000),),) * 2
    near = build(normal, middlebox=box, loss=0.1, loss_side="client").path
    assert near.shared == (OneWay("client", Loss(0.1)), Tracker(box))
    assert (near.to_server, near.to_client) == ((Link(10_000),), (Loss(0.1), Link(10_000)))
    far = build(normal, middlebox=box, loss_to_client=0.1, loss_to_server=0.2, loss_side="server").path
    assert far.shared == (OneWay("server", Loss(0.1)), Tracker(box))
    assert (far.to_server, far.to_client) == ((Loss(0.2), Link(10_000)), (Link(10_000),))


def test_another_box_does_not_inherit_the_knobs_of_a_scenarios_own() -> None:
    chosen = scenario("last-rst-dropped-by-a-firewall")
    assert build(chosen, middlebox="none").path.shared == ()
