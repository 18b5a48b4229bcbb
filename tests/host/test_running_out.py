"""Hosts that run out of memory, and programs that are killed: who is told, and what is left."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tcpsim.app import accept, close, connect, ignore, listen, receive, receive_to_eof, send, shutdown, vanish
from tcpsim.app.program import Program
from tcpsim.errors import InputError
from tcpsim.host.census import Census, Restarted
from tcpsim.host.limits import HostLimits, Limits, Restart
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.measure.census_table import first_met, over_time, used
from tcpsim.measure.leaks import leaks
from tcpsim.pair import Pair, new_pair
from tcpsim.path import make_path
from tcpsim.tcp.stack import Stack, stack
from tests.host.worlds import LINUX, MINUTE, record, run, web

BSD = stack("4.4bsd").with_knobs({"fin_wait_2_us": "none"})
ONE_A_SECOND = Arrivals(1, connections=40, poisson=False)


def pool(size: int, **knobs: object) -> Census:
    """Clients that never close, on a server without a FIN-WAIT-2 timer and 512 octets for each socket."""
    pair = web("never-closes", server_stack=BSD.with_knobs(knobs), client_stack=LINUX)
    return run(pair, ONE_A_SECOND, settle_us=5 * MINUTE, limits=Limits(HostLimits(bytes=size)))


def held(census: Census, side: str) -> dict[str, int]:
    """Sockets at the horizon by state."""
    last = over_time(census, every_us=census.horizon_us).rows()
    return {row["state"]: row["count"] for row in last if row["t_s"] and row["count"] and row["side"] == side}


def test_a_kernel_that_panics_is_gone_and_tells_nobody() -> None:
    """Room for 20 sockets and the 1000 octets of a response; those for the 21st end all of them."""
    census = pool(20 * 512 + 1_100)
    assert census.crashed is not None
    assert (census.crashed.side, census.crashed.resource) == ("server", "bytes")
    assert census.crashed.t_us == 20_030_000, "when the request of the 21st has arrived"
    assert census.crashed.connections == 21
    assert used(census, "server", "bytes")[1][-1] == 0
    assert held(census, "server") == {}
    assert held(census, "client") == {"CLOSE-WAIT": 20, "ESTABLISHED": 1}, "no RST, no FIN, no answer"
    assert census.refused == {"server bytes": 19}, "the others' SYNs meet silence"


def test_a_kernel_that_refuses_keeps_what_it_has() -> None:
    census = pool(20 * 512, out_of_memory="refuse")
    assert census.crashed is None
    assert held(census, "server") == {"FIN-WAIT-2": 20}
    assert held(census, "client") == {"CLOSE-WAIT": 20}
    assert census.refused == {"server bytes": 20}
    assert first_met(census, "server", "bytes", 20 * 512) == 18_030_000, "for a moment, by a response"


def test_a_refused_connection_comes_in_where_room_is_made_in_time() -> None:
    """FIN-WAIT-2 for 10 s: the SYN is repeated until there is room."""
    soon = {"fin_wait_2_us": "10s", "fin_wait_2_idle_check_us": "none"}
    pair = web("never-closes", server_stack=stack("freebsd").with_knobs(soon))
    few = Limits(HostLimits(bytes=8 * 4_096))
    census = run(pair, ONE_A_SECOND, settle_us=10 * MINUTE, limits=few)
    assert not census.refused
    assert held(census, "client") == {"CLOSE-WAIT": 40}
    assert used(census, "server", "bytes")[1].max() < 9 * 4_096


def test_a_kernel_that_makes_room_resets_the_oldest_orphan() -> None:
    census = pool(20 * 512 + 1_000, out_of_memory="reset")
    assert census.crashed is None
    assert held(census, "server") == {"FIN-WAIT-2": 20}
    assert census.refused == {"server bytes": 20}
    dead = [row["count"] for row in leaks(census).rows() if row["fate"] == "descriptor"]
    assert dead == [20], "their clients hear a RST"
    assert held(census, "client")["CLOSE-WAIT"] == 20


def test_an_embedded_stack_takes_from_those_that_are_closed_already() -> None:
    """lwIP's pool is five pcbs; a sixth connection takes the place of one in TIME-WAIT."""
    lwip = stack("lwip").with_knobs({"nofile": 64})
    pair = web("closes-on-eof", server_stack=lwip)
    limits = Limits(HostLimits(bytes=5 * lwip.memory.owned + 1_000))
    census = run(pair, ONE_A_SECOND, settle_us=5 * MINUTE, limits=limits)
    assert census.refused["server bytes"] > 25
    assert held(census, "client") == {}, "all were served"


def abandoned(response: int, server_stack: Stack = LINUX) -> Pair:
    """A client asks, and is gone; the server's answer of that size is never acknowledged."""
    asking = Program([connect(), send(100), vanish()])
    answering = Program([listen(), accept(), receive(100), send(response), close()])
    return new_pair(asking, answering, LINUX, server_stack, make_path(10_000))


@pytest.mark.parametrize(("response", "pages", "refused"), [(20_000, 8, 32), (1_000, 1, 0)])
def test_beyond_tcp_mem_orphans_with_data_are_reset(response: int, pages: int, refused: int) -> None:
    """Fourteen segments, 832 octets each beside the data, and the FIN: eight pages. Or two, in one page."""
    pair = abandoned(response)
    free = run(pair, ONE_A_SECOND, settle_us=1_000_000)
    assert used(free, "server", "pages")[1].max() == 40 * pages
    limits = Limits(HostLimits(pages=8 * pages + pages // 2))
    census = run(pair, ONE_A_SECOND, settle_us=1_000_000, limits=limits)
    assert census.refused == ({"server pages": refused} if refused else {})
    assert len(held(census, "server")) == 1


def clogged(arrivals: Arrivals, pages: int | None, **plan: int) -> Census:
    """Clients that ask for 20,000 bytes and are gone; the server's program waits for their acknowledgment."""
    asking = Program([connect(), send(100), vanish()])
    answering = Program([listen(), accept(), receive(100), send(20_000), ignore()])
    pair = new_pair(asking, answering, LINUX, LINUX, make_path(10_000))
    return run(pair, arrivals, limits=Limits(HostLimits(pages=pages)), **plan)


def test_beyond_tcp_mem_send_waits() -> None:
    """Nine have written eight pages each; of 4096 octets, three segments, the others have two."""
    free = clogged(ONE_A_SECOND, None, settle_us=1_000_000)
    tight = clogged(ONE_A_SECOND, 68, settle_us=1_000_000)
    assert used(free, "server", "pages")[1].max() == 40 * 8
    assert used(tight, "server", "pages")[1].max() == 9 * 8 + 31 * 2


def test_send_goes_on_where_half_of_the_pages_are_free_again() -> None:
    """One in a hundred seconds; the retries of each are over after a quarter of an hour."""
    census = clogged(Arrivals(0.01, connections=40, poisson=False), 68, settle_us=1_000_000)
    t_us, pages = used(census, "server", "pages")
    before = dict(zip(t_us.tolist(), pages.tolist(), strict=True))
    written = []  # by each, 30 ms after its birth
    for birth_us in range(0, 4_000_000_000, 100_000_000):
        then = max(at for at in before if at < birth_us + 30_000) if birth_us else 0
        written.append(before[birth_us + 30_000] - before[then])
    assert written[:9] == [8] * 9
    first = written.index(8, 9)
    assert set(written[9:first]) == {2}
    assert 4 <= first - 9 <= 9, "when about five of the nine are gone"


def test_sound_clients_get_their_answers_in_time_where_memory_is_tight() -> None:
    gone = Program([connect(), send(100), vanish()])
    reads = Program([connect(), send(100), receive(20_000), close()])
    answering = Program([listen(), accept(), receive(100), send(20_000), receive_to_eof(), close()])
    kinds = [(0.5, new_pair(each, answering, LINUX, LINUX, make_path(10_000))) for each in (gone, reads)]
    limits = Limits(HostLimits(pages=40))
    census = simulate(Plan(tuple(kinds), ONE_A_SECOND, settle_us=2 * MINUTE, limits=limits))
    assert used(census, "server", "pages")[1].max() > 40
    assert held(census, "client") == {}, "none waits for the rest of its answer"


def test_an_unacknowledged_fin_costs_a_page() -> None:
    census = run(web("vanishes", "keep-alive-timeout"), ONE_A_SECOND, settle_us=MINUTE)
    assert used(census, "server", "orphans")[1].max() == 40
    assert used(census, "server", "pages")[1].max() == 40


def test_a_close_wait_costs_a_page_until_its_end_is_read() -> None:
    """Measured on Linux 6.18: 3000 unread FINs, 3072 pages more."""
    unread = Program([connect(), send(100), receive(1_000), ignore()])
    answering = Program([listen(), accept(), receive(100), send(1_000), close()])
    told = Program([connect(), send(100), receive_to_eof(), ignore()])
    for client, pages in ((unread, 40), (told, 0)):
        pair = new_pair(client, answering, LINUX, LINUX, make_path(10_000))
        census = run(pair, ONE_A_SECOND, settle_us=MINUTE)
        assert used(census, "client", "pages")[1][-1] == pages


def told(killing: Restarted) -> dict[str, int]:
    """What became of the sockets, without what became of none."""
    return {fate: count for fate, count in killing.fates.items() if count}


KILLED = Limits(client=HostLimits(descriptors=1_000))


def restarted(client: Program | str, *, every_us: int | None = None, at_us: int = 20_500_000) -> Census:
    restarts = (Restart("client", at_us, every_us),)
    if isinstance(client, str):
        pair = web(client)
    else:
        server = Program([listen(), accept(), receive(100), send(1_000), close()])
        pair = new_pair(client, server, LINUX, LINUX, make_path(10_000))
    return run(pair, ONE_A_SECOND, settle_us=10 * MINUTE, limits=KILLED, restarts=restarts)


def test_a_kill_sends_a_fin_where_everything_was_read() -> None:
    census = restarted("never-closes")
    (killing,) = census.restarts
    assert killing.t_us == 20_500_000
    assert told(killing) == {"FIN": 21}
    assert held(census, "client") == {"CLOSE-WAIT": 19}, "growth starts again"
    t_us, descriptors = used(census, "client", "descriptors")
    assert descriptors[t_us == 20_500_000] == 0


def test_a_kill_sends_a_rst_where_data_is_unread() -> None:
    census = restarted(Program([connect(), send(100), receive(500), ignore()]))
    assert told(census.restarts[0]) == {"RST": 21}


def test_a_kill_frees_descriptors_that_outlived_their_state() -> None:
    pair = web("keepalive-never-closes", idle="5s", interval="1s", count=1, server_stack=LINUX)
    quick = [Restart("client", 30 * MINUTE)]
    census = run(pair, ONE_A_SECOND, settle_us=40 * MINUTE, limits=KILLED, restarts=tuple(quick))
    assert told(census.restarts[0]) == {"descriptor": 40}
    assert not census.left


def test_a_kill_says_nothing_where_the_fin_was_out_already() -> None:
    asking = Program([connect(), send(100), vanish()])
    answering = Program([listen(), accept(), receive(100), send(1_000), shutdown("WR"), receive_to_eof()])
    pair = new_pair(asking, answering, LINUX, LINUX, make_path(10_000))
    census = run(pair, ONE_A_SECOND, restarts=(Restart("server", 20_500_000),))
    assert told(census.restarts[0]) == {"silent": 21}


def test_restarts_at_intervals_bound_the_growth() -> None:
    census = restarted("never-closes", at_us=10_000_000, every_us=10_000_000)
    assert len(census.restarts) == census.horizon_us // 10_000_000
    assert used(census, "client", "descriptors")[1].max() <= 11
    assert held(census, "client") == {}


def test_a_kill_of_the_server_closes_what_its_workers_hold() -> None:
    pair = web("closes-on-eof", "never-closes")
    census = run(pair, ONE_A_SECOND, settle_us=2 * MINUTE, restarts=(Restart("server", 30_000_000),))
    assert told(census.restarts[0]) == {"FIN": 30}
    assert held(census, "server") == {"ESTABLISHED": 10}


def test_a_kill_of_the_server_resets_who_waits_in_its_accept_queue() -> None:
    """Five workers are free at that instant, and the listener is gone: nobody is served by the dead."""
    pair = web("closes-on-eof", "never-closes")
    limits = Limits(HostLimits(workers=5))
    restart = (Restart("server", 20_500_000),)
    census = run(pair, ONE_A_SECOND, settle_us=2 * MINUTE, limits=limits, restarts=restart)
    assert told(census.restarts[0]) == {"FIN": 5, "RST": 16}
    t_us, busy = used(census, "server", "workers")
    assert busy[t_us == 20_500_000] == 0


def test_what_befalls_hosts_does_not_depend_on_what_is_remembered() -> None:
    limits = Limits(HostLimits(bytes=9_000), HostLimits(descriptors=100))
    pair = web("never-closes", loss=0.1, server_stack=BSD)
    restarts = (Restart("client", 5_000_000, 7_000_000),)
    plan = {"settle_us": 5 * MINUTE, "limits": limits, "restarts": restarts}
    runs = [run(pair, Arrivals(2, connections=60), room=room, **plan) for room in (0, 100, 50_000)]
    assert record(runs[0]) == record(runs[1]) == record(runs[2])
    assert runs[0].restarts == runs[2].restarts
    assert runs[0].crashed == runs[2].crashed is not None


@pytest.mark.parametrize(
    ("make", "limits", "complaint"),
    [
        (
            lambda: Restart("client", 1),
            Limits(),
            "restarts: found of the client, allowed: clients that share a host",
        ),
        (lambda: Restart("server", 1, 0), Limits(), "restarts: found 0, allowed: a time above zero"),
    ],
)
def test_a_restart_that_makes_no_sense(make: Callable[[], Restart], limits: Limits, complaint: str) -> None:
    with pytest.raises(InputError, match=re.escape(complaint)):
        run(web(), ONE_A_SECOND, limits=limits, restarts=(make(),))
