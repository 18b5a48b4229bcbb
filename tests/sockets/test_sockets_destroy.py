"""An operator's kill (ss -K, tcpdrop): who goes, what the peer hears, what the program is told."""

from __future__ import annotations

import pytest

from tcpsim.sockets import Accept, Bind, Close, Destroy, GetSockOpt, Listen, Recv, Reply, Shutdown, Socket
from tcpsim.tcp import endpoint as tcp
from tcpsim.tcp.segment import flag_letters
from tcpsim.tcp.stack import stack
from tcpsim.tcp.state import State
from tests.sockets.two_hosts import CLIENT, MS, SERVER, SERVER_PORT, Hosts, S, connected
from tests.tcp.ways import WAYS, reach

OPERATOR = 99


def killed(way: str, name: str) -> tuple[str, bool]:
    """What is sent when a socket in a state is killed, and whether it is gone."""
    line, side = reach(way, name)
    number = line.ids.get(side) or max({**line.ends[side].sockets, **line.ends[side].listeners})
    result = tcp.destroy(line.ends[side], number, line.now)
    left = result.end.sockets.get(number)
    alive = number in result.end.listeners or (left is not None and left.state is not State.CLOSED)
    return " ".join(flag_letters(seg.flags) for seg in result.segments), not alive


_RESET = {
    "SYN-RECEIVED/simultaneous",
    "ESTABLISHED",
    "FIN-WAIT-1",
    "FIN-WAIT-1/orphan",
    "FIN-WAIT-2",
    "CLOSE-WAIT",
}


@pytest.mark.parametrize("way", sorted(set(WAYS) - {"CLOSED"}))
def test_linux_resets_where_abort_does(way: str) -> None:
    """net/ipv4/tcp.c tcp_abort: tcp_need_reset; a request and a mini-socket go in silence."""
    assert killed(way, "linux") == ("RA" if way in _RESET else "", True)


@pytest.mark.parametrize("way", sorted(set(WAYS) - {"CLOSED"}))
def test_freebsd_resets_all_that_heard_a_syn(way: str) -> None:
    """sys/netinet/tcp_subr.c tcp_drop: TCPS_HAVERCVDSYN; listeners and the syncache are not reached."""
    reset = _RESET | {"CLOSING", "LAST-ACK", "FIN-WAIT-2/orphan"}
    spared = way in ("LISTEN", "SYN-RECEIVED")
    assert killed(way, "freebsd") == ("RA" if way in reset else "", not spared)


def test_the_program_keeps_its_descriptor_and_hears_econnaborted() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    hosts.value(SERVER, Shutdown(server, "WR"))
    hosts.run(100 * MS)
    assert hosts.call(SERVER, Recv(server, 9)) is None  # it waits for what will never come
    assert hosts.value(SERVER, Destroy(frozenset({State.FIN_WAIT_2})), OPERATOR) == 1
    assert hosts.answer(SERVER)[2] == Reply(None, "ECONNABORTED")
    hosts.run(100 * MS)
    assert hosts.call(CLIENT, GetSockOpt(client, "SO_ERROR")) == Reply("EPIPE")
    assert hosts.call(SERVER, Close(server)) == Reply(0)


def test_a_kill_of_nothing_kills_nothing() -> None:
    hosts = Hosts()
    connected(hosts)
    assert hosts.value(SERVER, Destroy(frozenset({State.CLOSE_WAIT, State.CLOSED})), OPERATOR) == 0


def test_a_listener_that_is_killed_can_listen_again() -> None:
    hosts = Hosts(server=stack("linux"))
    fd = hosts.value(SERVER, Socket())
    hosts.value(SERVER, Bind(fd, SERVER_PORT))
    hosts.value(SERVER, Listen(fd, 1))
    assert hosts.call(SERVER, Accept(fd)) is None
    assert hosts.value(SERVER, Destroy(frozenset({State.LISTEN})), OPERATOR) == 1
    assert hosts.answer(SERVER)[2].errno == "EINVAL"
    hosts.run(1 * S)
    assert hosts.call(SERVER, Listen(fd, 1)) == Reply(0)
