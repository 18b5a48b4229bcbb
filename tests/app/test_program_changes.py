"""A program changed in one respect: whatever it is, nested or not."""

from __future__ import annotations

import pytest

from tcpsim.app import Program, accept, behaviours, close, connect, fork, ignore, listen, make, repeat, send
from tcpsim.app.program_changes import closing_on_error, lingering, restarted
from tcpsim.errors import InputError
from tcpsim.pair import Event, Happened, Pair, advance, census, new_pair
from tcpsim.path import Quiet, make_path
from tcpsim.sockets import SetSockOpt
from tcpsim.tcp.stack import stack
from tcpsim.tcp.state import State

S = 1_000_000


def until(pair: Pair, t_us: int, events: list[Event]) -> Pair:
    while pair.next_us is not None and pair.next_us <= t_us:
        pair = advance(pair, Quiet(), events.append)
    return pair


def pair_of(client: Program, server: Program) -> Pair:
    return new_pair(client, server, stack("linux"), stack("linux"), make_path(10_000))


def test_a_restart_closes_what_the_process_its_children_and_its_accept_queue_hold() -> None:
    opens = [connect(name, local_port=0) for name in ("one", "two", "three")]
    holds = [listen(), accept("a"), fork([ignore()]), accept("b"), ignore()]
    pair = pair_of(Program([*opens, ignore()]), restarted(Program(holds), 10 * S))
    before = until(pair, 9 * S, [])
    assert [(held.state, held.fd) for held in census(before, "server")] == [
        (State.ESTABLISHED, True),
        (State.ESTABLISHED, True),
        (State.ESTABLISHED, False),  # in the accept queue
    ]
    events: list[Event] = []
    after = until(before, 11 * S, events)
    assert [e.what for e in events if isinstance(e, Happened)] == [
        "process 1 is killed",
        "process 3 is killed",
    ]
    assert all(not held.fd and held.state is State.FIN_WAIT_2 for held in census(after, "server"))


def test_linger_reaches_sockets_inside_loops_and_children() -> None:
    serving = repeat([accept(), fork([close()]), close()])
    changed = lingering(Program([listen(), serving]), 0)
    client = lingering(Program([fork([connect("in a child"), close("in a child")]), ignore()]), 0)
    told = [s for program in (client, changed) for s in repr(program.ops).split() if "SO_LINGER" in s]
    assert len(told) == 2


@pytest.mark.parametrize("each", behaviours(), ids=lambda each: f"{each.side}-{each.name}")
def test_every_behaviour_can_be_changed(each: object) -> None:
    program = make(each.side, each.name)  # type: ignore[attr-defined]
    assert closing_on_error(program).on_error is None
    assert closing_on_error(program).steps == program.steps
    changed = lingering(program, 5 * S)
    assert changed.name == program.name
    assert len(changed.ops) == len(program.ops)
    assert any("SO_LINGER" in repr(op) for op in changed.ops)
    assert restarted(program, S).steps[1:] == program.steps


def test_zero_seconds_make_close_a_reset_on_both_sides() -> None:
    events: list[Event] = []
    server = lingering(Program([listen(), accept(), ignore()]), 0)
    until(pair_of(lingering(Program([connect(), send(1), close()]), 0), server), S, events)
    options = [e.call for e in events if isinstance(getattr(e, "call", None), SetSockOpt)]
    assert {(call.name, call.value) for call in options if isinstance(call, SetSockOpt)} == {
        ("SO_LINGER", (1, 0))
    }
    assert any(getattr(e, "segment", None) is not None and e.segment.rst for e in events)  # type: ignore[union-attr]


def test_linger_counts_whole_seconds() -> None:
    with pytest.raises(InputError, match=r"^linger: found 500000 us, allowed: whole seconds"):
        lingering(make("client", "aborts"), 500_000)
