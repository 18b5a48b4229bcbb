"""What happens when a host runs out of ports, descriptors or workers."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tcpsim.app import accept, close, connect, ignore, listen, receive, receive_to_eof, send, wait
from tcpsim.app.program import Program
from tcpsim.errors import InputError
from tcpsim.host.census import Census
from tcpsim.host.limits import HostLimits, Limits, Restart
from tcpsim.host.population import Arrivals
from tcpsim.measure.census_table import first_met, over_time, peaks, used
from tcpsim.measure.leaks import leaked_connections, leaks
from tcpsim.pair import Pair, new_pair
from tcpsim.path import make_path
from tcpsim.tcp.stack import Stack, stack
from tests.host.worlds import MINUTE, run, web

LINUX = stack("linux")


def served(*server: object, client: tuple[object, ...] = (receive_to_eof(), close())) -> Pair:
    """A client that asks and reads to the end, and a server that does `server` once it has the request."""
    asking = Program([connect(), send(100), *client])  # type: ignore[list-item]
    answering = Program([listen(), accept(), receive(100), *server])  # type: ignore[list-item]
    return new_pair(asking, answering, LINUX, LINUX, make_path(10_000))


def one_second_each() -> Pair:
    return served(wait("1s"), send(1_000), close())


def test_leaked_sockets_use_up_the_ports() -> None:
    limits = Limits(client=HostLimits(ports=10))
    census = run(web("never-closes"), Arrivals(1, connections=50, poisson=False), limits=limits)
    assert census.refused == {"client ports": 40}
    assert used(census, "client", "ports")[1].max() == 10
    assert first_met(census, "client", "ports", 10) == 9_000_000


def test_time_wait_holds_ports_for_a_minute() -> None:
    """30 ports and 60 s: half a connection a second, however many are asked for."""
    limits = Limits(client=HostLimits(ports=30))
    pair = web("closes-first", "closes-on-eof")
    census = run(pair, Arrivals(5, for_us=20 * MINUTE, poisson=False), limits=limits)
    made = census.connections - census.refused["client ports"]
    assert made == pytest.approx(20 * 60 * 30 / 60, rel=0.05)


def test_clients_are_hosts_of_their_own_unless_they_share_one() -> None:
    census = run(web("never-closes"), Arrivals(1, connections=50), limits=Limits(HostLimits(minis=10**6)))
    assert not census.refused


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (
            lambda: Limits(HostLimits(ports=10)),
            "limits.server.ports: found 10, allowed: one of descriptors, workers",
        ),
        (
            lambda: Limits(client=HostLimits(workers=1)),
            "limits.client.workers: found 1, allowed: one of descriptors",
        ),
        (lambda: HostLimits(minis=-1), "limits.minis: found -1, allowed: an integer >= 0"),
        (
            lambda: HostLimits(minis=5)._replace(minis="x"),
            "limits.minis: found 'x', allowed: an integer",
        ),
        (lambda: Limits()._replace(server=3), "limits: found 3, None, (), allowed: HostLimits"),
        (
            lambda: Restart("nobody", 1),
            "restart.side: found 'nobody', allowed: client, server or the name of a relay",
        ),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(make: Callable[[], object], complaint: str) -> None:
    with pytest.raises(InputError, match=re.escape(complaint)):
        make()


def test_leaked_descriptors_stop_the_client() -> None:
    limits = Limits(client=HostLimits(descriptors=20))
    census = run(web("never-closes"), Arrivals(1, connections=50, poisson=False), limits=limits)
    assert census.refused == {"client descriptors": 30}


def test_one_worker_serves_one_connection_at_a_time() -> None:
    census = run(
        one_second_each(),
        Arrivals(10, connections=8, poisson=False),
        settle_us=2 * MINUTE,
        limits=Limits(HostLimits(workers=1)),
    )
    t_us, busy = used(census, "server", "workers")
    assert busy.max() == 1
    assert 8_000_000 <= t_us[busy.nonzero()[0][-1] + 1] <= 8_500_000
    assert not census.left


@pytest.mark.parametrize("workers", [1, 3, 8, 100])
def test_more_workers_finish_sooner(workers: int) -> None:
    census = run(
        one_second_each(),
        Arrivals(100, connections=24, poisson=False),
        settle_us=2 * MINUTE,
        limits=Limits(HostLimits(workers=workers)),
    )
    t_us, busy = used(census, "server", "workers")
    assert busy.max() == min(workers, 24)
    rounds = -(-24 // workers)
    assert rounds * 1_000_000 <= t_us[busy.nonzero()[0][-1] + 1] < (rounds + 1) * 1_000_000


def test_who_waits_longest_is_served_first() -> None:
    census = run(
        one_second_each(),
        Arrivals(10, connections=5, poisson=False),
        settle_us=2 * MINUTE,
        limits=Limits(HostLimits(workers=1)),
    )
    accepted = [
        t_us for t_us, view in zip(census.t_us, census.after, strict=True) if census.views[view].work == 2
    ]
    assert len(accepted) >= 5
    assert accepted == sorted(accepted)


def test_a_server_without_descriptors_leaves_connections_in_the_accept_queue() -> None:
    limits = Limits(HostLimits(descriptors=5))
    server_forgets = served(send(1_000), ignore())
    census = run(
        server_forgets, Arrivals(1, connections=12, poisson=False), settle_us=2 * MINUTE, limits=limits
    )
    assert used(census, "server", "descriptors")[1].max() == 5
    last = over_time(census, every_us=census.horizon_us).to("polars")
    held = last.filter((last["t_s"] > 0) & (last["side"] == "server"))
    assert held["count"].sum() == 12
    assert census.refused == {}


def test_an_impatient_client_leaves_the_queue() -> None:
    """Clients that give up while they wait must not keep the worker that was promised to them."""
    impatient = served(wait("1s"), send(1_000), close(), client=(wait("300ms"), close()))
    census = run(
        impatient,
        Arrivals(10, connections=20, poisson=False),
        settle_us=5 * MINUTE,
        limits=Limits(HostLimits(workers=1)),
    )
    busy = used(census, "server", "workers")[1]
    assert busy.max() == 1
    assert busy[-1] == 0


def test_a_server_that_accepts_nothing_cannot_be_given_workers() -> None:
    deaf = new_pair(Program([connect()]), Program([listen()]), LINUX, LINUX, make_path(10_000))
    with pytest.raises(InputError, match=r"limits\.server: found a server program without accept\(\)"):
        run(deaf, Arrivals(1, connections=1), limits=Limits(HostLimits(workers=1)))


def test_too_many_orphans_are_reset() -> None:
    """The vanished client's FINs go unanswered; only 4 of the server's orphans may wait for them."""
    pair = web("vanishes", "keep-alive-timeout")
    arrivals = Arrivals(1, connections=20, poisson=False)
    free = run(pair, arrivals, settle_us=5 * MINUTE)
    tight = run(pair, arrivals, settle_us=5 * MINUTE, limits=Limits(HostLimits(orphans=4)))
    assert used(free, "server", "orphans")[1].max() == 20
    assert used(tight, "server", "orphans")[1].max() == 4
    assert tight.refused == {"server orphans": 16}
    assert not tight.left


def test_an_orphan_that_is_too_many_sends_a_rst() -> None:
    """It is heard: the client that would have stayed in CLOSE-WAIT for ever has a dead socket instead."""
    limits = Limits(HostLimits(orphans=0))
    census = run(
        web("never-closes"), Arrivals(1, connections=5, poisson=False), settle_us=MINUTE, limits=limits
    )
    assert census.refused == {"server orphans": 5}
    assert {row["state"] for row in leaks(census).rows()} == {"CLOSED"}


def test_time_wait_beyond_the_bucket_limit_is_destroyed() -> None:
    limits = Limits(HostLimits(minis=30))
    census = run(web("closes-on-eof"), Arrivals(5, for_us=3 * MINUTE, poisson=False), limits=limits)
    assert used(census, "server", "minis")[1].max() == 30
    made = census.connections - census.refused["server minis"]
    assert made == pytest.approx(30 * 3, rel=0.1)  # each lasts a minute
    assert first_met(census, "server", "minis", 30) == pytest.approx(6_000_000, abs=500_000)


def test_a_destroyed_mini_socket_says_nothing() -> None:
    """FIN-WAIT-2 is taken away without a segment, so the client never learns of it."""
    limits = Limits(HostLimits(minis=0))
    census = run(
        web("never-closes"), Arrivals(1, connections=5, poisson=False), settle_us=MINUTE, limits=limits
    )
    assert census.refused == {"server minis": 5}
    assert {(row["side"], row["state"]) for row in leaks(census).rows()} == {("client", "CLOSE-WAIT")}


def test_a_full_accept_queue_drops_handshakes_and_lets_them_in_later() -> None:
    """One worker, a second each: ten come in a second, and only three (backlog 2, and one) may queue."""
    arrivals = Arrivals(10, connections=10, poisson=False)
    census = run(
        one_second_each(), arrivals, settle_us=10 * MINUTE, limits=Limits(HostLimits(workers=1, backlog=2))
    )
    assert used(census, "server", "backlog")[1].max() == 3
    assert used(census, "server", "workers")[1].max() == 1
    assert census.left == {}
    free = run(one_second_each(), arrivals, settle_us=10 * MINUTE, limits=Limits(HostLimits(workers=1)))
    assert used(free, "server", "backlog")[1].max() == 9
    top = {(row["side"], row["state"]): row["count"] for row in peaks(census).rows()}
    assert top["client", "SYN-SENT"] >= 4  # those that retransmit their SYN


def test_a_queue_that_stays_full_ends_connections() -> None:
    """The server's only descriptor is leaked; behind it one may queue, the others give up connecting."""
    limits = Limits(HostLimits(descriptors=1, backlog=0))
    census = run(
        served(send(1_000), ignore()),
        Arrivals(1, connections=6, poisson=False),
        settle_us=10 * MINUTE,
        limits=limits,
    )
    last = [row for row in over_time(census, every_us=census.horizon_us).rows() if row["t_s"] > 0]
    held = {(row["side"], row["state"], row["holder"]): row["count"] for row in last if row["count"]}
    assert held == {
        ("client", "ESTABLISHED", "owned"): 2,
        ("server", "ESTABLISHED", "owned"): 1,
        ("server", "ESTABLISHED", "queue"): 1,  # nobody's: no descriptor refers to it
    }
    assert census.refused == {"server backlog": 4}


UNASKED = Limits()


def queued(server: Program, limits: Limits = UNASKED, stack_server: Stack = LINUX) -> Census:
    """A hundred connections in ten seconds to a server that leaves them in its accept queue."""
    client = Program([connect(), send(10), ignore()])
    pair = new_pair(client, server, LINUX, stack_server, make_path(10_000))
    return run(pair, Arrivals(10, connections=100, poisson=False), settle_us=10 * MINUTE, limits=limits)


def test_the_accept_queue_is_as_long_as_listen_was_granted() -> None:
    """min(backlog, somaxconn), and one more fits; what is in it is held by nobody."""
    deaf = [listen(backlog=7), ignore()]
    census = queued(Program(deaf))
    assert census.limits.server.backlog == 7
    assert used(census, "server", "backlog")[1].max() == used(census, "server", "ports")[1].max() == 8
    assert used(census, "server", "descriptors")[1].max() == 0
    assert census.refused == {"server backlog": 92}
    cut = queued(Program([listen(backlog=10_000), ignore()]), stack_server=LINUX.with_knobs({"somaxconn": 3}))
    assert used(cut, "server", "backlog")[1].max() == 4
    asked = queued(Program(deaf), Limits(HostLimits(backlog=20)))
    assert used(asked, "server", "backlog")[1].max() == 21


def test_a_queue_that_is_worked_off_takes_others() -> None:
    """Each connection is accepted a second after it came: ten at most wait, if there is room for ten."""
    late = Program([listen(backlog=2), wait("1s"), accept(), receive(10), close()])
    census = queued(late)
    assert used(census, "server", "backlog")[1].max() == 3
    assert census.refused == {}, "all of them get in, with their SYN sent again"
    wide = queued(Program([listen(), wait("1s"), accept(), receive(10), close()]))
    assert used(wide, "server", "backlog")[1].max() == 10


def test_a_server_that_accepts_at_once_has_nothing_in_its_queue() -> None:
    census = queued(Program([listen(backlog=1), accept(), receive(10), ignore()]))
    assert census.limits == UNASKED
    assert used(census, "server", "backlog")[1].max() == 0
    assert used(census, "server", "descriptors")[1].max() == 100


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        (HostLimits(workers=1), 0),  # the queue is long, and moves
        (HostLimits(descriptors=1), 0),
        (HostLimits(workers=0), 50),  # nobody will ever serve it
    ],
)
def test_waiting_for_the_host_is_no_leak_if_the_host_will_serve(limits: HostLimits, left: int) -> None:
    census = run(
        one_second_each(), Arrivals(50, connections=50, poisson=False), limits=Limits(limits), settle_us=0
    )
    assert leaked_connections(census) == left


def test_who_waits_behind_descriptors_that_nobody_gives_back_waits_for_ever() -> None:
    pair = served(send(1_000), ignore())
    limits = Limits(HostLimits(descriptors=10))
    census = run(pair, Arrivals(50, connections=50, poisson=False), limits=limits, settle_us=0)
    assert leaked_connections(census) == 50
