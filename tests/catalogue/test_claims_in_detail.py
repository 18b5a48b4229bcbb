"""What the two documents say beyond how a connection ends: who is tied up, how long, how often."""

from __future__ import annotations

from typing import Any

from tcpsim.catalogue import Played, build, play, run, scenario
from tcpsim.pair import Called, Event, Returned, Sent, StateChanged, TimerFired
from tcpsim.path import Quiet
from tcpsim.tcp.state import State

S = 1_000_000


def played(name: str, **overrides: Any) -> Played:
    return play(scenario(name), **overrides)


def times(events: tuple[Event, ...], side: str, state: State) -> list[int]:
    """When sockets of a side came into a state."""
    return [
        e.t_us
        for e in events
        if isinstance(e, StateChanged) and e.side == side and e.new is state and e.old is not state
    ]


def returned(events: tuple[Event, ...], side: str, call: str) -> list[tuple[int, Any]]:
    """(when, what) each call of this name returned."""
    return [
        (e.t_us, e.reply.errno or e.reply.value)
        for e in events
        if isinstance(e, Returned) and e.side == side and type(e.call).__name__ == call
    ]


def segments(events: tuple[Event, ...], side: str, **flags: bool) -> list[int]:
    """When a side sent segments with these flags."""
    return [
        e.t_us
        for e in events
        if isinstance(e, Sent)
        and e.side == side
        and all(getattr(e.segment, flag) is wanted for flag, wanted in flags.items())
    ]


def tied_up_us(run_of: Played) -> int:
    """How long the server's process had to do with the connection."""
    (accepted_us, _), *_ = returned(run_of.events, "server", "Accept")
    (closed_us, _), *_ = returned(run_of.events, "server", "Close")
    return closed_us - accepted_us


def test_fin_wait_2_ties_up_no_process_and_lingering_close_does() -> None:
    idle = played("keepalive-timeout-buggy-client")
    assert [(held.state, held.fd) for held in idle.ended.server] == [(State.FIN_WAIT_2, False)]
    plain = scenario("keepalive-timeout-buggy-client")
    assert tied_up_us(play(plain, server="responds-then-closes")) < S
    assert 30 * S <= tied_up_us(played("lingering-close")) < 31 * S
    silent = scenario("lingering-close").contrasts[0].overrides
    assert 2 * S <= tied_up_us(played("lingering-close", **silent)) < 3 * S


def test_close_with_so_linger_returns_when_the_response_is_acknowledged() -> None:
    plain, lossy = played("so-linger-works", parameters={"client.delay": "50ms"}), played("so-linger-works")
    assert tied_up_us(plain) <= tied_up_us(lossy) < S
    broken = played("so-linger-broken")
    assert 30 * S <= tied_up_us(broken) < 31 * S
    assert broken.ended.server[0].unacked > 0
    assert not broken.ended.server[0].fd


def test_the_simplex_connection_and_the_leak_look_the_same_for_a_while() -> None:
    """In the states alone they cannot be told apart; in whether data flows they can."""
    looks = []
    for name in ("simplex-half-close", "closewait-ignored-eof"):
        chosen = scenario(name)
        ended = run(build(chosen), Quiet(), 5 * S)
        looks.append([held.state for held in (*ended.client, *ended.server)])
    assert looks[0] == looks[1] == [State.CLOSE_WAIT, State.FIN_WAIT_2]
    data = [
        e.t_us
        for e in played("simplex-half-close").events
        if isinstance(e, Sent) and e.side == "client" and e.segment.len
    ]
    assert len([t for t in data if t > 5 * S]) == 10


def test_retransmissions_end_at_the_limit_and_each_drew_a_rst() -> None:
    limit = played("no-rst-ever-arrives")
    data = [e for e in limit.events if isinstance(e, Sent) and e.side == "client" and e.segment.len == 50]
    assert len(data) >= 15
    assert len(segments(limit.events, "server", rst=True)) == len(data)


def test_the_timer_sends_one_rst_and_never_repeats_it() -> None:
    for lost in ((), ("server RST 1",)):
        assert len(segments(played("one-rst-stack", drops=lost).events, "server", rst=True)) == 1


def test_a_page_costs_eleven_connections_or_one() -> None:
    afresh = played("page-with-images")
    persistent = played("page-with-images", **scenario("page-with-images").contrasts[0].overrides)
    assert len(segments(afresh.events, "client", syn=True)) == 11
    assert len(times(afresh.events, "server", State.TIME_WAIT)) == 11
    assert len(segments(persistent.events, "client", syn=True)) == 1
    assert len(times(persistent.events, "client", State.TIME_WAIT)) == 1
    last = [returned(each.events, "client", "Recv")[-1][0] for each in (afresh, persistent)]
    assert last[0] > 1.5 * last[1]


def test_the_second_connection_ends_the_first() -> None:
    events = played("fin-wait-2-until-another-is-opened").events
    (_, opened_us) = times(events, "client", State.ESTABLISHED)
    assert times(events, "server", State.TIME_WAIT)[0] - opened_us < S
    assert opened_us > 600 * S


def test_the_kernel_connects_after_the_program_gave_up() -> None:
    events = played("retried-syn-lost-reference").events
    ((gave_up_us, errno),) = returned(events, "client", "Connect")
    (connected_us,) = times(events, "client", State.ESTABLISHED)
    assert (gave_up_us, errno) == (500_000, "EINPROGRESS")
    assert connected_us > gave_up_us
    assert [held.readable for held in played("retried-syn-lost-reference").ended.client] == [108]


def test_an_inherited_descriptor_keeps_the_fin_back() -> None:
    events = played("inherited-descriptor").events
    assert [value for _, value in returned(events, "server", "Close")] == [0]
    assert not any(isinstance(e, Sent) and e.segment.fin for e in events)


def test_nobody_accepted_what_waits_in_close_wait() -> None:
    overflow = played("accept-queue-overflow")
    assert not any(type(e.call).__name__ == "Accept" for e in overflow.events if isinstance(e, Called))
    assert [value for _, value in returned(overflow.events, "client", "Connect")] == [0, 0, "ETIMEDOUT"]
    assert [held.fd for held in overflow.ended.server] == [False, False]


def test_the_port_is_free_again_after_a_challenge() -> None:
    recovers = played("port-reuse-into-close-wait")
    eaten = played("port-reuse-into-close-wait", drops=("every client RST",))
    again = [returned(each.events, "client", "Connect")[-1] for each in (recovers, eaten)]
    assert again[0][1] == 0
    assert again[0][0] < 121 * S
    assert again[1][1] == "ETIMEDOUT"


def test_keepalive_in_fin_wait_2_probes_after_two_hours() -> None:
    probes = [
        e.t_us for e in played("keepalive-in-fin-wait-2").events if isinstance(e, TimerFired)
        and e.side == "server" and e.timer == "keepalive"
    ]  # fmt: skip
    assert 7_200 * S <= probes[0] < 7_202 * S
    assert len(probes) >= 9
