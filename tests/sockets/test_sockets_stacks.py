"""Where stacks answer the same call differently: one switch of the profile each, and here what it changes."""

from __future__ import annotations

import pytest

from tcpsim.sockets import (
    Accept,
    Close,
    Connect,
    GetSockOpt,
    Poll,
    Recv,
    Reply,
    Send,
    SetNonblocking,
    SetSockOpt,
    Socket,
)
from tcpsim.tcp.stack import stack
from tests.sockets.two_hosts import CLIENT, MS, SERVER, SERVER_PORT, Hosts, S, connected, listening

LINUX, FREEBSD, RFC = "linux", "freebsd", "rfc9293"


def reset_in_close_wait(client: str) -> tuple[Hosts, int]:
    """The server closed, then the client's data met a host that knew nothing any more."""
    hosts = Hosts(client=client, server=stack("linux").with_knobs({"tcp_fin_timeout": "3s"}))
    fd, server, _ = connected(hosts)
    hosts.value(SERVER, Close(server))
    hosts.run(5 * S)
    hosts.value(CLIENT, Send(fd, 50))
    hosts.run(100 * MS)
    return hosts, fd


@pytest.mark.parametrize(("name", "first"), [(LINUX, 0), (FREEBSD, "ECONNRESET"), (RFC, "ECONNRESET")])
def test_a_reader_in_close_wait_hears_of_the_reset_or_not(name: str, first: object) -> None:
    hosts, fd = reset_in_close_wait(name)
    reply = hosts.call(CLIENT, Recv(fd, 9))
    assert reply is not None
    assert (reply.errno or reply.value) == first
    assert hosts.value(CLIENT, Recv(fd, 9)) == 0


@pytest.mark.parametrize(
    ("name", "sent", "left"), [(LINUX, "EPIPE", 0), (RFC, "ECONNRESET", 0), (FREEBSD, "EPIPE", "ECONNRESET")]
)
def test_a_writer_takes_the_error_or_leaves_it(name: str, sent: str, left: object) -> None:
    hosts, fd = reset_in_close_wait(name)
    assert hosts.errno(CLIENT, Send(fd, 1)) == sent
    assert hosts.call(CLIENT, GetSockOpt(fd, "SO_ERROR")) == Reply(left)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "error"), [(LINUX, True), (RFC, True), (FREEBSD, False)])
def test_a_pending_error_is_pollerr_or_only_ready(name: str, error: bool) -> None:
    hosts, fd = reset_in_close_wait(name)
    bits = "POLLIN|POLLOUT|POLLRDHUP|POLLHUP" + ("|POLLERR" if error else "")
    assert hosts.call(CLIENT, Poll((fd,))) == Reply(((fd, bits),))


@pytest.mark.parametrize(("name", "errno"), [(LINUX, "EPIPE"), (RFC, "ENOTCONN"), (FREEBSD, "ENOTCONN")])
def test_send_without_a_connection(name: str, errno: str) -> None:
    hosts = Hosts(client=name)
    assert hosts.errno(CLIENT, Send(hosts.value(CLIENT, Socket()), 1)) == errno


# Linux: a third of 9,000, and the heads of two buffers of 832
@pytest.mark.parametrize(("name", "free"), [(LINUX, 3_000 + 2 * 832), (RFC, 1), (FREEBSD, 2_048)])
def test_how_much_room_makes_a_socket_writable(name: str, free: int) -> None:
    for room, expected in ((free, "POLLOUT"), (free - 1, None)):
        hosts = Hosts(client=name)
        fd, _, _ = connected(hosts)
        hosts.value(CLIENT, SetSockOpt(fd, "SO_SNDBUF", 4_500 if name == LINUX else 9_000))  # Linux doubles
        hosts.lose = lambda sender, segment: True
        hosts.value(CLIENT, Send(fd, 9_000 - room))
        assert hosts.call(CLIENT, Poll((fd,))) == Reply(((fd, expected),) if expected else ())


@pytest.mark.parametrize(("name", "errno"), [(LINUX, None), (FREEBSD, "EAGAIN")])
def test_an_accepted_socket_blocks_or_does_as_its_listener(name: str, errno: str | None) -> None:
    hosts = Hosts(server=name)
    listener = listening(hosts)
    hosts.value(SERVER, SetNonblocking(listener))
    hosts.call(CLIENT, Connect(hosts.value(CLIENT, Socket()), SERVER_PORT))
    hosts.run(100 * MS)
    reply = hosts.call(SERVER, Recv(hosts.value(SERVER, Accept(listener)), 1))
    assert (reply and reply.errno) == errno


@pytest.mark.parametrize(("name", "waits"), [(LINUX, True), (RFC, True), (FREEBSD, False)])
def test_a_nonblocking_close_lingers_or_not(name: str, waits: bool) -> None:
    hosts = Hosts(client=name)
    fd, _, _ = connected(hosts)
    hosts.value(CLIENT, SetSockOpt(fd, "SO_LINGER", (1, 2)))
    hosts.value(CLIENT, SetNonblocking(fd))
    assert hosts.call(CLIENT, Close(fd)) == (None if waits else Reply(0))


@pytest.mark.parametrize(
    ("name", "reply"), [(LINUX, Reply(0)), (RFC, Reply(0)), (FREEBSD, Reply(None, "EAGAIN"))]
)
def test_a_lingering_close_that_runs_out_of_time(name: str, reply: Reply) -> None:
    hosts = Hosts(client=name)
    fd, _, _ = connected(hosts)
    hosts.value(CLIENT, SetSockOpt(fd, "SO_LINGER", (1, 2)))
    hosts.lose = lambda sender, segment: True
    begun = hosts.now
    assert hosts.call(CLIENT, Close(fd)) is None
    hosts.run(3 * S)
    assert hosts.answer(CLIENT)[:] == (begun + 2 * S, Close(fd), reply)
