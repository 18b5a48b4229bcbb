"""The verdict on a run, from pairs that were run."""

from __future__ import annotations

from typing import Any

from tcpsim.app import Program, accept, close, connect, fork, ignore, listen, receive, repeat, send, wait
from tcpsim.catalogue import Ended, Verdict, build, ended, run, scenario
from tcpsim.pair import advance, new_pair, next_time
from tcpsim.path import Quiet, make_path
from tcpsim.tcp.stack import stack

HOUR = 3_600_000_000


def end_of(name: str, horizon_us: int = HOUR, **overrides: Any) -> Ended:
    return run(build(scenario(name), **overrides), Quiet(), horizon_us)


def test_clean_is_nothing_left() -> None:
    clean = end_of("normal-close")
    assert (clean.verdict, clean.client, clean.server) == (Verdict.CLEAN, (), ())
    assert clean.describe() == "clean: client gone, server gone"
    assert next_time(clean.pair) is None
    assert clean.t_us == clean.pair.now_us


def test_the_horizon_cuts_a_run_off() -> None:
    early = end_of("normal-close", horizon_us=1_000_000)
    assert early.describe() == "running at the horizon: client gone, server TIME-WAIT"
    assert early.t_us == 1_000_000
    later = early.pair
    while next_time(later) is not None:
        later = advance(later, Quiet())
    assert ended(later, HOUR).verdict is Verdict.CLEAN


def test_permanent_is_a_socket_and_no_event() -> None:
    leak = end_of("closewait-ignored-eof")
    assert leak.describe() == "permanent: client CLOSE-WAIT, server gone"
    assert not leak.half_open


def test_half_open_is_established_with_nobody_there() -> None:
    assert end_of("all-fins-lost").describe() == "permanent, half-open: client ESTABLISHED, server gone"
    both = end_of("normal-close", server="never-closes")
    assert both.describe() == "permanent: client ESTABLISHED, server ESTABLISHED"


def test_a_dead_socket_with_a_descriptor_is_no_leak_of_tcp() -> None:
    healed = end_of("data-after-close")
    assert healed.verdict is Verdict.CLEAN
    assert healed.describe() == "clean: client gone but for its descriptor, server gone"


def test_several_sockets_are_counted() -> None:
    opens = [
        connect(),
        connect("second", local_port=40_001),
        connect("third", local_port=40_002),
        close("third"),
    ]
    holds = [listen(), accept("a"), accept("b"), accept("c"), receive(1, "c", eof=[]), close("c"), ignore()]
    path = make_path(10_000)
    pair = new_pair(Program(opens), Program(holds), stack("linux"), stack("linux"), path)
    told = run(pair, Quiet(), HOUR).describe()
    assert told == "permanent: client 2 ESTABLISHED, server 2 ESTABLISHED"


def test_one_server_serves_one_connection_after_the_other() -> None:
    visit = [connect(), send(10), receive(20), close(), wait("2min")]
    serving = [accept(), fork([receive(10), send(20), receive(1, eof=[]), close()]), close()]
    path = make_path(10_000)
    programs = Program(visit * 3), Program([listen(), repeat(serving)])
    left = run(new_pair(*programs, stack("linux"), stack("linux"), path), Quiet(), HOUR)
    assert left.describe() == "clean: client gone, server gone"
    finished = [running.finished for _, running in left.pair.server.programs]
    assert finished == [False, True, True, True], "the parent waits in accept(), three children are done"
