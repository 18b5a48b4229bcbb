"""setsockopt and getsockopt: units, ranges, inheritance, and that an option reaches the connection."""

from __future__ import annotations

import pytest

from tcpsim.sockets import Accept, Bind, Connect, GetSockOpt, Listen, Recv, Reply, SetSockOpt, Socket
from tcpsim.tcp.stack import stack
from tests.sockets.two_hosts import CLIENT, MS, SERVER, SERVER_PORT, Hosts, S, connected

IN_API_UNITS = {
    "SO_KEEPALIVE": 1,
    "SO_REUSEADDR": 1,
    "TCP_NODELAY": 1,
    "TCP_KEEPIDLE": 5,
    "TCP_KEEPINTVL": 2,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 2500,
    "TCP_LINGER2": 20,
    "SO_RCVTIMEO": 1_500_000,
    "SO_SNDTIMEO": 0,
}


@pytest.mark.parametrize(("name", "value"), IN_API_UNITS.items())
def test_an_option_reads_back_before_and_after_connecting(name: str, value: int) -> None:
    hosts = Hosts()
    fresh = hosts.value(CLIENT, Socket())
    hosts.value(CLIENT, SetSockOpt(fresh, name, value))
    assert hosts.value(CLIENT, GetSockOpt(fresh, name)) == value
    _, server, _ = connected(hosts)
    hosts.value(SERVER, SetSockOpt(server, name, value))
    assert hosts.value(SERVER, GetSockOpt(server, name)) == value


@pytest.mark.parametrize("name", IN_API_UNITS)
def test_a_connection_inherits_the_listeners_options(name: str) -> None:
    hosts = Hosts()
    listener = hosts.value(SERVER, Socket())
    hosts.value(SERVER, SetSockOpt(listener, name, IN_API_UNITS[name]))
    hosts.value(SERVER, Bind(listener, SERVER_PORT))
    hosts.value(SERVER, Listen(listener, 5))
    hosts.call(CLIENT, Connect(hosts.value(CLIENT, Socket()), SERVER_PORT))
    hosts.run(100 * MS)
    child = hosts.value(SERVER, Accept(listener))
    assert hosts.value(SERVER, GetSockOpt(child, name)) == IN_API_UNITS[name]


def test_an_option_set_on_a_listener_reaches_later_connections() -> None:
    hosts = Hosts()
    _, server, listener = connected(hosts)
    hosts.value(SERVER, SetSockOpt(listener, "TCP_USER_TIMEOUT", 700))
    hosts.call(CLIENT, Connect(hosts.value(CLIENT, Socket()), SERVER_PORT))
    hosts.run(100 * MS)
    child = hosts.value(SERVER, Accept(listener))
    assert hosts.value(SERVER, GetSockOpt(child, "TCP_USER_TIMEOUT")) == 700
    assert hosts.value(SERVER, GetSockOpt(server, "TCP_USER_TIMEOUT")) == 0


@pytest.mark.parametrize(
    ("name", "value", "errno"),
    [
        ("TCP_KEEPIDLE", 0, "EINVAL"),
        ("TCP_KEEPCNT", 128, "EINVAL"),
        ("TCP_USER_TIMEOUT", -1, "EINVAL"),
        ("SO_LINGER", 1, "EINVAL"),
        ("SO_KEEPALIVE", (1, 1), "EINVAL"),
        ("SO_RCVTIMEO", -1, "EDOM"),
        ("TCP_FASTER_PLEASE", 1, "ENOPROTOOPT"),
    ],
)
def test_a_value_out_of_range_or_an_unknown_name(name: str, value: int | tuple[int, int], errno: str) -> None:
    hosts = Hosts()
    fd = hosts.value(CLIENT, Socket())
    assert hosts.errno(CLIENT, SetSockOpt(fd, name, value)) == errno
    if errno == "ENOPROTOOPT":
        assert hosts.errno(CLIENT, GetSockOpt(fd, name)) == errno


def test_what_holds_where_nothing_was_set_is_the_stacks() -> None:
    hosts = Hosts()
    fresh = hosts.value(CLIENT, Socket())
    profile = stack("linux")
    expected = {
        "TCP_KEEPIDLE": 7200,
        "TCP_KEEPINTVL": 75,
        "TCP_KEEPCNT": 9,
        "TCP_LINGER2": 60,
        "TCP_USER_TIMEOUT": 0,
        "TCP_MAXSEG": profile.default_mss,
        "SO_SNDBUF": profile.snd_space,
        "SO_RCVBUF": profile.rcv_space,
    }
    found = {name: hosts.value(CLIENT, GetSockOpt(fresh, name)) for name in expected}
    assert found == expected
    client, _, _ = connected(hosts)
    assert hosts.value(CLIENT, GetSockOpt(client, "TCP_MAXSEG")) == 1448  # 1460 less the timestamps
    assert hosts.value(CLIENT, GetSockOpt(client, "SO_RCVBUF")) == expected["SO_RCVBUF"]
    assert hosts.value(CLIENT, GetSockOpt(client, "SO_SNDBUF")) == 46_080  # tcp_sndbuf_expand


def test_linger_reads_back_as_written_in_a_script() -> None:
    hosts = Hosts()
    fd = hosts.value(CLIENT, Socket())
    assert hosts.call(CLIENT, GetSockOpt(fd, "SO_LINGER")) == Reply("{onoff=0, linger=0}")
    hosts.value(CLIENT, SetSockOpt(fd, "SO_LINGER", (1, 9)))
    assert hosts.call(CLIENT, GetSockOpt(fd, "SO_LINGER")) == Reply("{onoff=1, linger=9}")


def test_keepalive_set_on_a_live_connection_finds_a_dead_peer() -> None:
    # kernel trace 08e: probes after 2 s, one a second, three of them
    hosts = Hosts()
    client, _, _ = connected(hosts)
    begun = hosts.now
    for name, value in (("SO_KEEPALIVE", 1), ("TCP_KEEPIDLE", 2), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 3)):
        hosts.value(CLIENT, SetSockOpt(client, name, value))
    hosts.lose = lambda sender, segment: True
    assert hosts.call(CLIENT, Recv(client, 1)) is None
    hosts.run(60 * S)
    answer = hosts.answer(CLIENT)
    assert answer.reply == Reply(None, "ETIMEDOUT")
    assert 4 * S < answer.at_us - begun <= 5 * S


@pytest.mark.parametrize(("name", "read"), [("linux", 20_000), ("rfc9293", 10_000)])
def test_a_buffer_set_by_hand_reads_back_as_the_stack_says(name: str, read: int) -> None:
    hosts = Hosts(client=name)
    fd = hosts.value(CLIENT, Socket())
    for option in ("SO_SNDBUF", "SO_RCVBUF"):
        hosts.value(CLIENT, SetSockOpt(fd, option, 10_000))
        assert hosts.value(CLIENT, GetSockOpt(fd, option)) == read


def test_freebsd_buffers_grow_to_whole_segments_when_the_connection_opens() -> None:
    hosts = Hosts(client="freebsd", server="freebsd")
    client, _, _ = connected(hosts)
    assert hosts.value(CLIENT, GetSockOpt(client, "SO_RCVBUF")) == 65_700  # 45 segments of 1460
