"""Probes of what sockets cost a host, and of what the host does when there are too many."""

from __future__ import annotations

from tcpsim.app import accept, behaviour, close, connect, ignore, listen, receive, send, vanish
from tcpsim.app.program import Program
from tcpsim.catalogue import build, scenario
from tcpsim.host.census import Census
from tcpsim.host.limits import HostLimits, Limits, own_limits
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.host.socket_accounting import usage, view
from tcpsim.measure.census_table import used
from tcpsim.pair import Pair, Side, advance, new_pair, next_time
from tcpsim.path import Seeded, make_path
from tcpsim.tcp.stack import Stack
from tests.tcp.probes.battery import S, probe


def octets(s: Stack, name: str, side: Side, at_us: int) -> int:
    """What one side's host pays for a connection of a scenario at a time."""
    return usage(view(until(at_us, build(scenario(name), stack_client=s, stack_server=s))), side).bytes


def until(at_us: int, pair: Pair) -> Pair:
    """A pair at a time."""
    while (due := next_time(pair)) is not None and due <= at_us:
        pair = advance(pair, Seeded(1))
    return pair


@probe("linux", "memory")
def what_is_queued_costs(s: Stack) -> None:
    """Measured on 6.18: a page for each FIN that nobody has read; an sk_buff (256) and its head (576)."""
    for response, pages in ((1, 1), (1_600, 1), (1_601, 2)):  # 1600 octets are two segments: 3 * 832 more
        reading = Program([connect(), send(100), ignore()])
        answering = Program([listen(), accept(), receive(100), send(response), close()])
        pair = until(S, new_pair(reading, answering, s, s, make_path(10_000)))
        assert usage(view(pair), "client").pages == pages


@probe("linux", "memory", "requests", "mini_sockets")
def what_a_socket_costs(s: Stack) -> None:
    """Measured on 6.18 (slabs TCP, sock_inode_cache, dentry, filp; tw_sock_TCP 256; request_sock_TCP 320)."""
    leak = "closewait-ignored-eof"
    assert octets(s, leak, "client", 600 * S) == 4_900  # CLOSE-WAIT, its program alive
    assert octets(s, leak, "server", 30 * S) == 256  # FIN-WAIT-2, nobody's
    assert octets(s, leak, "server", S // 64) == 320  # SYN-RECEIVED, the handshake half done
    assert octets(s, "all-fins-lost", "server", 30 * S) == 3_000  # FIN-WAIT-1, nobody's


def turned_away(s: Stack, client: str, server: str) -> dict[str, int]:
    """What 30 connections, one a second, are too many for on a host with 1/8192 of the memory of the one that
    was measured: tcp_max_orphans and tcp_max_tw_buckets follow the memory (tcp.c tcp_init)."""
    own = own_limits(s)
    small = own._replace(
        orphans=None if own.orphans is None else own.orphans // 8_192,
        minis=None if own.minis is None else own.minis // 8_192,
    )
    programs = behaviour.make("client", client), behaviour.make("server", server)
    kinds = ((1.0, new_pair(*programs, s, s, make_path(10_000))),)
    arrivals = Arrivals(1, connections=30, poisson=False)
    return dict(simulate(Plan(kinds, arrivals, 20 * S, limits=Limits(small))).refused)


@probe("linux", "max_orphans")
def too_many_orphans(s: Stack) -> None:
    """ip-sysctl.rst tcp_max_orphans 131072, of which 16 are left: the others are reset."""
    assert turned_away(s, "vanishes", "keep-alive-timeout") == {"server orphans": 30 - 16}


@probe("linux", "max_mini", "fin_wait_2_us")
def too_many_mini_sockets(s: Stack) -> None:
    """ip-sysctl.rst tcp_max_tw_buckets 131072, of which 16 are left: the others are destroyed at once."""
    assert turned_away(s, "never-closes", "responds-then-closes") == {"server minis": 30 - 16}


def abandoned(s: Stack, response: int, limits: HostLimits) -> Census:
    """Twenty clients that ask and are gone; the answer to each is never acknowledged."""
    asking = Program([connect(), send(100), vanish()])
    answering = Program([listen(), accept(), receive(100), send(response), close()])
    kinds = ((1.0, new_pair(asking, answering, s, s, make_path(10_000))),)
    return simulate(Plan(kinds, Arrivals(1, connections=20, poisson=False), S, limits=Limits(limits)))


@probe("linux", "memory_pages")
def too_little_memory_for_orphans(s: Stack) -> None:
    """ip-sysctl.rst tcp_mem 575802 pages, of which 70 are left: tcp_check_oom resets orphans with data."""
    pages = None if s.memory_pages is None else s.memory_pages // 8_192
    census = abandoned(s, 20_000, HostLimits(pages=pages))
    assert census.refused == {"server pages": 20 - 8}, "eight pages each, and 70 in all"


@probe("linux", "out_of_memory")
def no_memory_for_another_socket(s: Stack) -> None:
    """RFC 9293 3.10.1: insufficient resources, so a SYN is dropped; what is there stays."""
    census = abandoned(s, 1_000, HostLimits(bytes=10 * s.memory.orphan))
    assert (dict(census.refused), census.crashed) == ({}, None), "ten SYNs are still repeated"
    assert used(census, "server", "orphans")[1].max() < 10
