"""Published results on TCP connection management, found again by exploring every order of the same code.

Tomlinson (1975), Sunshine and Dalal (1978): the three-way handshake keeps old duplicates out, and a crash is
found out by whoever sends. RFC 9293 3.5 (simultaneous open, half-open connections) and 3.4.3, 3.6 (what
TIME-WAIT is for). Each holds or fails here with a reason, not with a probability.
"""

from __future__ import annotations

from typing import Any

import pytest

from tcpsim.app import (
    accept,
    close,
    connect,
    ignore,
    listen,
    make,
    receive_to_eof,
    send,
    shutdown,
    vanish,
    wait,
)
from tcpsim.app.program import Program
from tcpsim.catalogue import run
from tcpsim.explore.branch import Follow
from tcpsim.explore.chain import explore
from tcpsim.explore.equivalence import Timeless
from tcpsim.explore.properties import Checked, Kind, Property, Stay, Step, check
from tcpsim.explore.standard_properties import PROPERTIES
from tcpsim.explore.untimed import AnyOrder
from tcpsim.pair import Between, Pair, TimerFired, census, new_pair
from tcpsim.path import make_path
from tcpsim.tcp.state import State
from tests.explore.worlds import leaver, one_rst, opens_and_closes

SAFETY = ("established-agree", "acked-was-received", "received-was-sent", "one-socket-per-ports")
LINE = make_path(1_000)


def _broken(found: Checked) -> set[str]:
    assert found.whole
    return {each.property.name for each in found.findings if not each.holds}


def _states(pair: Pair) -> tuple[str, str]:
    client, server = (
        "+".join(str(held.state) for held in census(pair, side)) for side in ("client", "server")
    )
    return client, server


def _never(client: str, server: str) -> Property:
    """Fails where the two are in these states at once, and so shows how they come there."""
    return Property(
        f"never {client} {server}", Kind.ALWAYS, "", lambda pair: _states(pair) != (client, server), ""
    )


def test_the_handshake_keeps_old_duplicates_out() -> None:
    """An old SYN can make a server answer; it cannot make both sides believe in a connection that is not."""
    found = check(opens_and_closes(0.5), (*PROPERTIES, _never("", "SYN-RECEIVED")), in_flight=2)
    assert not _broken(found) & {*SAFETY, "time-wait-answers-fin", "rst-draws-no-rst", "orphan-has-timer"}
    old = found.finding("never  SYN-RECEIVED")
    assert not old.holds, "the client is long gone, and the server in SYN-RECEIVED for it"


def test_simultaneous_open_and_close_work_in_every_order() -> None:
    profile = one_rst(1, syn_retries=0, synack_retries=0)
    program = Program([connect(), close()])
    pair = new_pair(program, program, profile, profile, LINE, client_port=7, server_port=7)
    crossed = _never("SYN-RECEIVED", "SYN-RECEIVED"), _never("CLOSING", "CLOSING")
    found = check(pair, (*PROPERTIES, *crossed), in_flight=2)
    assert _broken(found) == {each.name for each in crossed}, "they do cross, and nothing goes wrong"


def _crash(server: list[Any]) -> Pair:
    """The client loses power without a word."""
    profile = one_rst(1, syn_retries=0, synack_retries=0)
    programs = Program([connect(), vanish()]), Program([listen(), accept(), *server])
    return new_pair(*programs, profile, profile, LINE)


def test_a_half_open_connection_is_found_out_by_who_sends() -> None:
    silent = check(_crash([receive_to_eof(), close()]), PROPERTIES, in_flight=2)
    assert {"no-permanent-leak", "every-connection-ends"} <= _broken(silent)
    sending = check(_crash([wait("1s"), send(10), ignore()]), PROPERTIES, in_flight=2)
    assert not _broken(sending)


def test_keepalive_finds_out_whoever_is_gone_in_every_order() -> None:
    """Of the leaks of a client that never closes, none is permanent if it probes."""
    plain = check(leaver(0.5, 1), PROPERTIES, in_flight=1)
    probing = check(leaver(0.5, 1, keepalive=True), PROPERTIES, in_flight=1)
    assert "no-permanent-leak" in _broken(plain)
    assert "no-permanent-leak" not in _broken(probing)


def _reuses_its_port(time_wait: str) -> Pair:
    """One connection after the other between the same ports; the first carries 1,000 B."""
    profile = one_rst(
        1, syn_retries=0, synack_retries=0, syn_rto_us="1ms", rto_min_us="1ms", timestamps=False,
        time_wait_us=time_wait,
    )  # fmt: skip
    first = [connect("a"), send(1_000, "a"), shutdown("WR", "a"), receive_to_eof("a"), close("a")]
    client = Program([*first, wait("1us"), connect("b"), ignore()])
    server = Program(
        [listen(), accept("a"), receive_to_eof("a"), close("a"), accept("b"), receive_to_eof("b"), ignore()]
    )
    return new_pair(client, server, profile, profile, LINE)


def test_without_time_wait_an_old_segment_enters_the_next_connection() -> None:
    mine = [each for each in PROPERTIES if each.name == "received-was-sent"]
    found = check(_reuses_its_port("1us"), mine, limit=8_000, in_flight=3).finding("received-was-sent")
    assert not found.holds
    assert found.way is not None
    assert "client: time-wait timer" in found.way.chosen
    assert found.way.chosen[-1] == "arrives: client's PA with 1000 B", "that of the first connection"


@pytest.mark.verify
def test_with_time_wait_none_does() -> None:
    found = check(_reuses_its_port("60s"), PROPERTIES, in_flight=3)
    assert not _broken(found) & set(SAFETY)


def test_what_is_found_can_be_walked() -> None:
    """The moves that lead somewhere are made with one clock, which only goes forward."""
    found = check(
        opens_and_closes(0.5), [_never("TIME-WAIT", "LAST-ACK"), _never("", "TIME-WAIT")], in_flight=2
    )
    for each in found.findings:
        if each.way is not None:
            assert each.way.chosen[0].endswith("process 1 goes on")
            assert len(each.way.chosen) < 20


def test_the_clock_forbids_what_any_order_does_not() -> None:
    """TIME-WAIT outlasts two retransmissions of a FIN by the clock; a timer as late as it likes does not."""

    def outlasts(step: Step) -> bool:
        over = any(isinstance(event, TimerFired) and event.timer == "time-wait" for event in step.events)
        return not over or "LAST-ACK" not in _states(step.before)

    mine = Property(
        "outlasts", Kind.STEP, "TIME-WAIT outlasts the peer's LAST-ACK", outlasts, "RFC 9293 3.4.3"
    )
    assert check(opens_and_closes(0.5), [mine]).finding("outlasts").holds
    assert not check(opens_and_closes(0.5), [mine], in_flight=1).finding("outlasts").holds


def test_state_counts() -> None:
    """Pinned: a change says that states are told apart by something else, or TCP moves otherwise."""
    pair = opens_and_closes(0.5)
    assert explore(pair, steps=lambda each: AnyOrder(each, 1)).states == 121
    assert explore(pair, steps=lambda each: AnyOrder(each, 2)).states == 909


def _behind_a_relay(relays: int = 1, **arguments: str) -> Pair:
    """The server closes, and the client's machine vanishes once it has heard that."""
    profile = one_rst(1, syn_retries=0, synack_retries=0, timestamps=False)
    lossy = make_path(10_000, 0.5, 0.5)
    return new_pair(
        Program([connect(), receive_to_eof(), vanish()]),
        Program([listen(), accept(), close()]),
        profile,
        profile,
        lossy,
        relays=[Between(make("relay", "copies", **arguments), profile, lossy)] * relays,
    )


@pytest.mark.parametrize("arguments", [{}, {"drain": "30s"}])
def test_what_the_clock_comes_to_some_order_comes_to(arguments: dict[str, str]) -> None:
    pair = _behind_a_relay(**arguments)
    by_clock, in_any_order = explore(pair), explore(pair, steps=lambda each: AnyOrder(each, 1))
    assert not by_clock.cut
    assert not in_any_order.cut
    assert set(by_clock.view) < set(in_any_order.view)


def _relay_gone(stay: Stay) -> bool:
    held = [each for view in stay.views for relay in view[2:] for each in relay]
    return all(each.state is State.CLOSED for each in held)


def test_only_an_idle_time_frees_a_relay_in_every_order() -> None:
    """A drain begins with an end-of-file, and the FIN that brings it may be lost for good."""
    freed = Property("relay-freed", Kind.END, "a relay keeps no socket", _relay_gone, "")
    asked = (freed, *[each for each in PROPERTIES if each.name in SAFETY])
    assert not _broken(check(_behind_a_relay(idle="60s"), asked, in_flight=1))
    draining = check(_behind_a_relay(drain="30s"), asked, in_flight=1)
    assert _broken(draining) == {"relay-freed"}
    way = draining.finding("relay-freed").way
    assert way is not None
    assert "arrives: relay's S to server" in way.chosen
    waiting = check(_behind_a_relay(), asked, in_flight=1)
    assert _broken(waiting) == {"relay-freed"}


def _moves(pair: Pair, most: int) -> set[str]:
    """What can happen in the first so many states."""
    steps = AnyOrder(pair, 1)
    open_, seen, found = [steps.start], {steps.key(steps.start)}, set()
    for now in open_:
        for branch in steps.branches(now):
            found.update(branch.chosen)
            if steps.key(branch.pair) not in seen and len(open_) < most:
                seen.add(steps.key(branch.pair))
                open_.append(branch.pair)
    return found


def test_every_leg_has_its_orders() -> None:
    """Two relays: what is lost and what fires is told apart by machine and leg."""
    found = _moves(_behind_a_relay(2), 2_000)
    for hop in ("client's S to relay 1", "relay 1's S to relay 2", "relay 2's S to server"):
        assert {f"lost: {hop}", f"arrives: {hop}"} <= found
    for leg in ("relay 1: retransmission timer (server leg)", "relay 2: retransmission timer (client leg)"):
        assert leg in found


def test_every_socket_knows_its_other_end() -> None:
    """On the leg on which it is, whichever machine has it."""
    pair = run(_behind_a_relay(2), Follow(), 95_000).pair
    seen = Timeless(pair)
    for at, machine in enumerate(pair.machines):
        for tcb in machine.system.end.sockets.values():
            other = seen.opposite(at, (tcb.remote_port, tcb.local_port))
            assert other is not None
            assert (other.local_port, other.iss) == (tcb.remote_port, tcb.irs)
    assert [len(machine.system.end.sockets) for machine in pair.machines] == [1, 2, 2, 1]


def test_state_counts_behind_a_relay() -> None:
    """Pinned, as above. How long a relay's poll() has left tells no states apart."""
    pair = _behind_a_relay()
    assert explore(pair, steps=lambda each: AnyOrder(each, 1)).states == 678
    assert explore(pair, steps=lambda each: AnyOrder(each, 2)).states == 1_930
    assert explore(_behind_a_relay(idle="60s"), 3_200, steps=lambda each: AnyOrder(each, 1)).states == 3_102
