"""Probes of what sockets cost a host, and of what the host does when there are too many."""

from __future__ import annotations

from tcpsim.app import behaviour
from tcpsim.host.limits import Limits, own_limits
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.host.view import usage, view
from tcpsim.pair import Pair, Side, advance, new_pair, next_time
from tcpsim.path import Seeded, make_path
from tcpsim.scenario import build, scenario
from tcpsim.tcp.stack import Stack
from tests.tcp.probes.battery import S, probe


def octets(s: Stack, name: str, side: Side, at_us: int) -> int:
    """What one side's host pays for a connection of a scenario at a time."""
    pair: Pair = build(scenario(name), stack_client=s, stack_server=s)
    while (due := next_time(pair)) is not None and due <= at_us:
        pair = advance(pair, Seeded(1))
    return usage(view(pair), side).bytes


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
