"""What a run tells besides its verdict: since when, how many RSTs, and what became of requests."""

from __future__ import annotations

from dataclasses import replace

from tcpsim.app import (
    Program,
    abort,
    accept,
    close,
    connect,
    crash,
    ignore,
    listen,
    receive,
    send,
    shutdown,
    wait,
)
from tcpsim.catalogue import Played, play, scenario
from tcpsim.draw.event_text import tell
from tcpsim.draw.verdict import verdict_text
from tcpsim.pair import Answered, Arrived, Lost, Sent

SECOND = 1_000_000
MINUTE = 60 * SECOND


def silent(stack_client: str = "linux", **overrides: object) -> Played:
    """A client that closes on end-of-file asks again behind a box that has forgotten it."""
    knobs = {"middlebox.established": "1min", "middlebox.close_wait": "1min"}
    box = {"middlebox": "reject-firewall", "knobs": knobs}
    return play(scenario("stale-pooled-connection"), stack_client=stack_client, **box, **overrides)


def test_since_is_the_age_of_the_state_of_that_socket() -> None:
    long = replace(scenario("normal-close"), horizon="30min")
    two = play(long, client="opens-another", server="forgets-every-connection")
    # the other socket of the client was CLOSED later; the one that is left has not changed since
    assert two.settled_on_us("client") > two.since_us("client")[0]
    assert two.last_change_us("client") == two.since_us("client")[0]
    assert "client   ESTABLISHED since 10m00.0s" in verdict_text(two)


def test_several_sockets_have_an_age_each() -> None:
    opens = Program(
        [connect("a"), connect("b", local_port=40_001), wait("1min"), connect("c", local_port=40_002)]
    )
    takes = Program([listen(), accept("a"), accept("b"), accept("c"), ignore()])
    played = play(scenario("normal-close"), client=opens, server=takes)
    first, second, third = played.since_us("client")
    assert first < second < SECOND < MINUTE < third < 61 * SECOND
    assert "client   3 ESTABLISHED since 20 ms to 1m00.060s" in verdict_text(played)


def test_a_socket_without_any_change_of_its_own_counts_from_its_birth_and_none_from_the_last_end() -> None:
    gone = play(scenario("normal-close"))
    assert gone.since_us("server") == ()
    assert gone.last_change_us("server") == gone.settled_on_us("server")


def test_a_dead_socket_is_gone_when_its_descriptor_is_closed() -> None:
    late = Program([listen(), accept(), receive(100), wait("1min"), close(), ignore()])
    resets = Program([connect(), send(100), abort()])
    played = play(scenario("normal-close"), client=resets, server=late)
    assert played.settled_on_us("server") < SECOND
    assert played.since_us("server") == ()
    assert MINUTE < (played.last_change_us("server") or 0) < MINUTE + SECOND
    left = Program([listen(), accept(), receive(100), wait("2min"), crash()])  # the kernel closes it
    assert (
        play(scenario("normal-close"), client=resets, server=left).last_change_us("server") or 0
    ) > 2 * MINUTE


def test_a_change_of_the_holder_is_none_of_the_state() -> None:
    orphan = play(scenario("closewait-ignored-eof"), stack_server="rfc9293")
    last = [e.t_us for e in orphan.events if getattr(e, "new", None) is not getattr(e, "old", None)]
    assert orphan.since_us("server")[0] in last


def test_a_box_that_sends_a_rst_is_counted() -> None:
    played = silent()
    boxes = [event for event in played.events if isinstance(event, Answered)]
    assert boxes
    assert all(each.segment.rst and each.who == "firewall" for each in boxes)
    ends = sum(isinstance(event, Sent) and event.segment.rst for event in played.events)
    assert played.rst
    assert played.resets == ends + len(boxes)
    assert f"{played.resets} RST (the firewall's)" in verdict_text(played)
    heard = [e for e in played.events if isinstance(e, Arrived) and e.segment.rst]
    story = tell(played.events)
    assert sum(item.kind == "arrive" for item in story.items) >= len(heard) > 0


def test_a_rst_of_a_box_may_be_lost_and_is_told_once() -> None:
    played = silent(loss_side="client", loss_to_client=1.0, loss_from="1min")
    boxes = [event for event in played.events if isinstance(event, Answered)]
    assert boxes
    assert all(each.arrives_us == () for each in boxes)
    lost = [e for e in played.events if isinstance(e, Lost) and e.segment.rst]
    assert len(lost) == len(boxes)
    story = tell(played.events)
    assert sum("lost: RST" in item.text for item in story.items if item.kind == "note") == len(boxes)
    assert sum(flight.label.startswith("RST") for flight in story.flights) == 0


def test_a_request_on_a_connection_that_the_server_has_closed_is_lost() -> None:
    played = play(scenario("stale-pooled-connection"))
    assert [(each.octets, each.got, each.lost) for each in played.requests] == [
        (100, 1000, False),
        (100, 0, True),
    ]
    assert "1 of 2 requests lost: no response" in verdict_text(played)
    assert "requests" not in verdict_text(play(scenario("normal-close")))


def test_what_nobody_waits_for_an_answer_to_is_no_request() -> None:
    simplex = Program([connect(), send(100), shutdown("WR"), wait("1s"), close()])
    reads = Program([listen(), accept(), receive(100), close()])
    assert play(scenario("normal-close"), client=simplex, server=reads).requests == ()


def test_a_request_that_cannot_even_be_sent_is_lost() -> None:
    late = Program(
        [connect(), send(10), receive(10), wait("2s"), send(10), wait("1s"), send(10), receive(10)]
    )
    ends = Program([listen(), accept(), receive(10), send(10), close()])
    found = play(scenario("normal-close"), client=late, server=ends).requests
    assert [each.lost for each in found] == [False, True]
    assert found[1].error == "EPIPE"


def test_a_request_whose_answer_never_comes_waits() -> None:
    hopes = Program([connect(), send(10), receive(10)])
    mute = Program([listen(), accept(), receive(10), ignore()])
    played = play(scenario("normal-close"), client=hopes, server=mute)
    assert [each.error for each in played.requests] == [None]
    assert "1 of 1 requests lost: no response (1 waits for ever)" in verdict_text(played)


def test_an_answer_that_breaks_off_is_cut_short() -> None:
    asks = Program([connect(), send(100), receive(1000)])
    breaks = Program(
        [listen(), accept(), receive(50), send(300), wait("100ms"), close()]
    )  # unread octets: RST
    played = play(scenario("normal-close"), client=asks, server=breaks)
    assert [(each.got, each.cut_short, each.error) for each in played.requests] == [(300, True, "ECONNRESET")]
    assert "1 of 1 cut short (ECONNRESET)" in verdict_text(played)
