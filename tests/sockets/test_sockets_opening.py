"""socket, bind, listen, connect, accept: descriptors, ports and what each call says at each stage."""

from __future__ import annotations

import pytest

from tcpsim.sockets import (
    Accept,
    Bind,
    Close,
    Connect,
    Dup,
    GetSockOpt,
    Listen,
    Poll,
    Recv,
    Reply,
    Send,
    SetNonblocking,
    SetSockOpt,
    Shutdown,
    Socket,
    Thread,
)
from tcpsim.tcp.segment import SYN
from tcpsim.tcp.stack import stack
from tcpsim.tcp.state import State
from tests.sockets.two_hosts import (
    CLIENT,
    CLIENT_PORT,
    MS,
    SERVER,
    SERVER_PORT,
    Hosts,
    S,
    connected,
    listening,
)


def test_connect_returns_after_one_round_trip_and_accept_half_a_round_trip_later() -> None:
    hosts = Hosts()
    listener = listening(hosts)
    assert hosts.call(SERVER, Accept(listener)) is None
    fd = hosts.value(CLIENT, Socket())
    assert hosts.call(CLIENT, Connect(fd, SERVER_PORT)) is None
    hosts.run(50 * MS)
    assert hosts.answer(CLIENT)[:] == (20 * MS, Connect(fd, SERVER_PORT), Reply(0))
    assert hosts.answer(SERVER)[:] == (30 * MS, Accept(listener), Reply(listener + 1))
    assert hosts.state(CLIENT, fd) is hosts.state(SERVER, listener + 1) is State.ESTABLISHED


def test_a_new_descriptor_is_the_lowest_free_one() -> None:
    hosts = Hosts()
    assert [hosts.value(CLIENT, Socket()) for _ in range(3)] == [3, 4, 5]
    hosts.value(CLIENT, Close(4))
    assert hosts.value(CLIENT, Socket()) == 4
    assert hosts.value(CLIENT, Socket()) == 6


def test_every_call_on_a_closed_descriptor_is_ebadf() -> None:
    hosts = Hosts()
    fd = hosts.value(CLIENT, Socket())
    hosts.value(CLIENT, Close(fd))
    for call in (Recv(fd, 1), Send(fd, 1), Close(fd), Bind(fd, 1), Shutdown(fd), GetSockOpt(fd, "SO_ERROR")):
        assert hosts.errno(CLIENT, call) == "EBADF"


def test_descriptors_of_another_process_are_its_own() -> None:
    hosts = Hosts()
    fd = hosts.value(CLIENT, Socket(), caller=1)
    assert hosts.errno(CLIENT, Close(fd), caller=2) == "EBADF"
    assert hosts.value(CLIENT, Close(fd), caller=Thread(1, 7)) == 0


def test_emfile_at_the_limit_for_socket_and_accept_before_eagain() -> None:
    hosts = Hosts(nofile=5)
    listener = listening(hosts)
    hosts.value(SERVER, SetNonblocking(listener))
    spare = hosts.value(SERVER, Socket())
    assert hosts.errno(SERVER, Socket()) == "EMFILE"
    assert hosts.errno(SERVER, Dup(spare)) == "EMFILE"
    assert hosts.errno(SERVER, Accept(listener)) == "EMFILE"
    hosts.value(SERVER, Close(spare))
    assert hosts.errno(SERVER, Accept(listener)) == "EAGAIN"
    assert hosts.value(SERVER, Socket(), caller=2) == 3  # the limit is per process


def test_emfile_leaves_the_connection_in_the_accept_queue() -> None:
    hosts = Hosts(nofile=5)
    listener = listening(hosts)
    spare = hosts.value(SERVER, Socket())
    fd = hosts.value(CLIENT, Socket())
    hosts.call(CLIENT, Connect(fd, SERVER_PORT))
    hosts.run(100 * MS)
    assert hosts.errno(SERVER, Accept(listener)) == "EMFILE"
    hosts.value(SERVER, Close(spare))
    assert hosts.value(SERVER, Accept(listener)) == spare


def test_accept_takes_the_oldest_first_and_needs_a_listener() -> None:
    hosts = Hosts()
    listener = listening(hosts)
    for _ in range(2):
        hosts.call(CLIENT, Connect(hosts.value(CLIENT, Socket()), SERVER_PORT))
        hosts.run(100 * MS)
    children = [hosts.value(SERVER, Accept(listener)) for _ in range(2)]
    hosts.value(CLIENT, Send(3, 11))
    hosts.value(CLIENT, Send(4, 22))
    hosts.run(100 * MS)
    assert [hosts.value(SERVER, Recv(child, 100)) for child in children] == [11, 22]
    assert hosts.errno(SERVER, Accept(children[0])) == "EINVAL"


def test_two_threads_in_accept_get_one_connection_each_in_the_order_of_their_waiting() -> None:
    hosts = Hosts()
    listener = listening(hosts)
    first, second = Thread(1, 1), Thread(1, 2)
    assert hosts.call(SERVER, Accept(listener), first) is None
    assert hosts.call(SERVER, Accept(listener), second) is None
    hosts.call(CLIENT, Connect(hosts.value(CLIENT, Socket()), SERVER_PORT))
    hosts.run(100 * MS)
    assert hosts.answer(SERVER, first).reply == Reply(listener + 1)
    assert not hosts.returned(SERVER, second)
    hosts.call(CLIENT, Connect(hosts.value(CLIENT, Socket()), SERVER_PORT))
    hosts.run(100 * MS)
    assert hosts.answer(SERVER, second).reply == Reply(listener + 2)


def test_accept_gives_up_after_so_rcvtimeo() -> None:
    hosts = Hosts()
    listener = listening(hosts)
    hosts.value(SERVER, SetSockOpt(listener, "SO_RCVTIMEO", 2 * S))
    assert hosts.call(SERVER, Accept(listener)) is None
    hosts.run(5 * S)
    assert hosts.answer(SERVER)[:] == (2 * S, Accept(listener), Reply(None, "EAGAIN"))


def test_nobody_listens_connection_refused_and_the_socket_is_as_new() -> None:
    hosts = Hosts()
    fd = hosts.value(CLIENT, Socket())
    hosts.call(CLIENT, Connect(fd, SERVER_PORT))
    hosts.run(50 * MS)
    assert hosts.answer(CLIENT)[:] == (20 * MS, Connect(fd, SERVER_PORT), Reply(None, "ECONNREFUSED"))
    assert hosts.value(CLIENT, GetSockOpt(fd, "SO_ERROR")) == 0
    assert hosts.errno(CLIENT, Recv(fd, 1)) == "ENOTCONN"
    listening(hosts)
    hosts.call(CLIENT, Connect(fd, SERVER_PORT))
    hosts.run(50 * MS)
    assert hosts.answer(CLIENT).reply == Reply(0)


def test_all_syns_lost_connect_times_out() -> None:
    hosts = Hosts()
    hosts.lose = lambda sender, segment: bool(segment.flags & SYN)
    listening(hosts)
    fd = hosts.value(CLIENT, Socket())
    hosts.call(CLIENT, Connect(fd, SERVER_PORT))
    hosts.run(600 * S)
    assert hosts.answer(CLIENT).reply == Reply(None, "ETIMEDOUT")
    assert hosts.states(CLIENT) == []


def test_a_nonblocking_connect_tells_how_far_it_is() -> None:
    hosts = Hosts()
    listening(hosts)
    fd = hosts.value(CLIENT, Socket())
    hosts.value(CLIENT, SetNonblocking(fd))
    assert hosts.errno(CLIENT, Connect(fd, SERVER_PORT)) == "EINPROGRESS"
    assert hosts.errno(CLIENT, Connect(fd, SERVER_PORT)) == "EALREADY"
    assert hosts.errno(CLIENT, Send(fd, 10)) == "EAGAIN"
    assert hosts.errno(CLIENT, Recv(fd, 10)) == "EAGAIN"
    assert hosts.call(CLIENT, Poll((fd,))) == Reply(())
    assert hosts.call(CLIENT, Poll((fd,), None)) is None
    hosts.run(50 * MS)
    assert hosts.answer(CLIENT)[:] == (20 * MS, Poll((fd,), None), Reply(((fd, "POLLOUT"),)))
    assert hosts.value(CLIENT, Connect(fd, SERVER_PORT)) == 0
    assert hosts.errno(CLIENT, Connect(fd, SERVER_PORT)) == "EISCONN"


def test_a_nonblocking_connect_that_fails_reports_it_once() -> None:
    hosts = Hosts()
    fd = hosts.value(CLIENT, Socket())
    hosts.value(CLIENT, SetNonblocking(fd))
    hosts.errno(CLIENT, Connect(fd, SERVER_PORT))
    hosts.run(50 * MS)
    everything = Reply(((fd, "POLLIN|POLLOUT|POLLRDHUP|POLLHUP|POLLERR"),))
    assert hosts.call(CLIENT, Poll((fd,))) == everything
    assert hosts.call(CLIENT, GetSockOpt(fd, "SO_ERROR")) == Reply("ECONNREFUSED")
    assert hosts.call(CLIENT, GetSockOpt(fd, "SO_ERROR")) == Reply(0)
    assert hosts.errno(CLIENT, Connect(fd, SERVER_PORT)) == "ECONNABORTED"
    assert hosts.errno(CLIENT, Connect(fd, SERVER_PORT)) == "EINPROGRESS"


def test_two_threads_in_one_connect_and_the_first_hears_why_it_failed() -> None:
    hosts = Hosts()
    fd = hosts.value(CLIENT, Socket())
    first, second = Thread(1, 1), Thread(1, 2)
    assert hosts.call(CLIENT, Connect(fd, SERVER_PORT), first) is None
    assert hosts.call(CLIENT, Connect(fd, SERVER_PORT), second) is None
    hosts.run(50 * MS)
    assert hosts.answer(CLIENT, first).reply == Reply(None, "ECONNREFUSED")
    assert hosts.answer(CLIENT, second).reply == Reply(None, "ECONNABORTED")


def test_connect_is_cut_short_by_so_sndtimeo_and_goes_on_behind_it() -> None:
    hosts = Hosts()
    listening(hosts)
    fd = hosts.value(CLIENT, Socket())
    hosts.value(CLIENT, SetSockOpt(fd, "SO_SNDTIMEO", 5 * MS))
    hosts.call(CLIENT, Connect(fd, SERVER_PORT))
    hosts.run(10 * MS)
    assert hosts.answer(CLIENT)[:] == (5 * MS, Connect(fd, SERVER_PORT), Reply(None, "EINPROGRESS"))
    hosts.run(50 * MS)
    assert hosts.value(CLIENT, Connect(fd, SERVER_PORT)) == 0


def test_unconnected_sockets() -> None:
    hosts = Hosts()
    fd = hosts.value(CLIENT, Socket())
    assert hosts.errno(CLIENT, Recv(fd, 1)) == "ENOTCONN"
    assert hosts.errno(CLIENT, Send(fd, 1)) == "EPIPE"
    assert hosts.errno(CLIENT, Shutdown(fd, "WR")) == "ENOTCONN"
    assert hosts.call(CLIENT, Poll((fd,))) == Reply(((fd, "POLLOUT|POLLHUP"),))
    listener = listening(hosts)
    assert hosts.errno(SERVER, Connect(listener, SERVER_PORT)) == "EISCONN"
    assert hosts.errno(SERVER, Recv(listener, 1)) == "ENOTCONN"
    assert hosts.errno(SERVER, Send(listener, 1)) == "EPIPE"


def test_one_listener_per_port_and_no_bind_beside_it() -> None:
    hosts = Hosts()
    listener = listening(hosts)
    other = hosts.value(SERVER, Socket())
    hosts.value(SERVER, SetSockOpt(other, "SO_REUSEADDR", 1))
    assert hosts.errno(SERVER, Bind(other, SERVER_PORT)) == "EADDRINUSE"
    hosts.value(SERVER, Close(listener))
    hosts.value(SERVER, Bind(other, SERVER_PORT))
    assert hosts.errno(SERVER, Bind(other, SERVER_PORT + 1)) == "EINVAL"
    third = hosts.value(SERVER, Socket())
    assert hosts.errno(SERVER, Bind(third, SERVER_PORT)) == "EADDRINUSE"
    hosts.value(SERVER, SetSockOpt(third, "SO_REUSEADDR", 1))
    hosts.value(SERVER, Bind(third, SERVER_PORT))
    hosts.value(SERVER, Listen(other, 1))
    assert hosts.errno(SERVER, Listen(third, 1)) == "EADDRINUSE"


@pytest.mark.parametrize(("reuse", "errno"), [(0, "EADDRINUSE"), (1, None)])
def test_a_server_restarts_beside_its_old_connection_in_time_wait_only_with_reuseaddr(
    reuse: int, errno: str | None
) -> None:
    # kernel trace 17g: the listener had SO_REUSEADDR, and its connections inherited it
    hosts = Hosts()
    listener = hosts.value(SERVER, Socket())
    hosts.value(SERVER, SetSockOpt(listener, "SO_REUSEADDR", 1))
    hosts.value(SERVER, Bind(listener, SERVER_PORT))
    hosts.value(SERVER, Listen(listener, 16))
    fd = hosts.value(CLIENT, Socket())
    hosts.call(CLIENT, Connect(fd, SERVER_PORT))
    hosts.run(100 * MS)
    hosts.value(SERVER, Close(hosts.value(SERVER, Accept(listener))))
    hosts.value(SERVER, Close(listener))
    hosts.run(100 * MS)
    hosts.value(CLIENT, Close(fd))
    hosts.run(1 * S)
    assert hosts.states(SERVER) == ["TIME-WAIT"]
    again = hosts.value(SERVER, Socket())
    hosts.value(SERVER, SetSockOpt(again, "SO_REUSEADDR", reuse))
    reply = hosts.call(SERVER, Bind(again, SERVER_PORT))
    assert reply is not None
    assert reply.errno == errno


def test_a_port_still_connected_to_the_same_peer_cannot_be_connected_again() -> None:
    # kernel trace 17e, c4: both sockets agreed to share the port, but the 4-tuple is taken
    hosts = Hosts()
    fd = hosts.value(CLIENT, Socket())
    hosts.value(CLIENT, SetSockOpt(fd, "SO_REUSEADDR", 1))
    hosts.value(CLIENT, Bind(fd, CLIENT_PORT))
    listening(hosts)
    hosts.call(CLIENT, Connect(fd, SERVER_PORT))
    hosts.run(100 * MS)
    other = hosts.value(CLIENT, Socket())
    hosts.value(CLIENT, SetSockOpt(other, "SO_REUSEADDR", 1))
    hosts.value(CLIENT, Bind(other, CLIENT_PORT))
    assert hosts.errno(CLIENT, Connect(other, SERVER_PORT)) == "EADDRNOTAVAIL"


def test_the_host_chooses_ports_in_turn_and_runs_out_of_them() -> None:
    hosts = Hosts(client=stack("linux").with_knobs({"ephemeral_ports": 2}))
    listening(hosts)
    for expected in (0, 0, "EADDRNOTAVAIL"):
        fd = hosts.value(CLIENT, Socket())
        reply = hosts.call(CLIENT, Connect(fd, SERVER_PORT))
        hosts.run(100 * MS)
        if reply is None:
            assert hosts.answer(CLIENT).reply == Reply(expected)
        else:
            assert reply.errno == expected
    assert hosts.errno(CLIENT, Bind(fd, 0)) == "EADDRINUSE"
    ports = {tcb.local_port for tcb in hosts.hosts[CLIENT].end.sockets.values()}
    assert ports == {32_768, 32_769}


def test_ports_are_chosen_round_and_round() -> None:
    hosts = Hosts(client=stack("linux").with_knobs({"ephemeral_ports": 3}))
    listening(hosts)
    chosen = []
    for _ in range(5):
        fd = hosts.value(CLIENT, Socket())
        hosts.call(CLIENT, Connect(fd, SERVER_PORT))
        hosts.run(100 * MS)
        assert hosts.answer(CLIENT).reply == Reply(0)
        chosen += [tcb.local_port - 32_768 for tcb in hosts.hosts[CLIENT].end.sockets.values()]
        hosts.value(CLIENT, SetSockOpt(fd, "SO_LINGER", (1, 0)))  # gone without TIME-WAIT
        hosts.value(CLIENT, Close(fd))
        hosts.run(100 * MS)
    assert chosen == [0, 1, 2, 0, 1]


def test_one_local_port_serves_connections_to_several_remote_ports() -> None:
    hosts = Hosts(client=stack("linux").with_knobs({"ephemeral_ports": 1}))
    for port in (SERVER_PORT, SERVER_PORT + 1):
        listener = hosts.value(SERVER, Socket())
        hosts.value(SERVER, Bind(listener, port))
        hosts.value(SERVER, Listen(listener, 1))
        hosts.call(CLIENT, Connect(hosts.value(CLIENT, Socket()), port))
        hosts.run(100 * MS)
        assert hosts.answer(CLIENT).reply == Reply(0)


def test_bind_to_port_zero_and_listen_without_bind_take_a_free_port() -> None:
    hosts = Hosts()
    first, second = hosts.value(SERVER, Socket()), hosts.value(SERVER, Socket())
    hosts.value(SERVER, Bind(first, 0))
    hosts.value(SERVER, Listen(first, 1))
    hosts.value(SERVER, Listen(second, 1))
    assert sorted(each.port for each in hosts.hosts[SERVER].end.listeners.values()) == [32_768, 32_769]


def test_closing_a_listener_resets_those_who_wait_in_its_queue() -> None:
    hosts = Hosts()
    listener = listening(hosts)
    fd = hosts.value(CLIENT, Socket())
    hosts.call(CLIENT, Connect(fd, SERVER_PORT))
    hosts.run(100 * MS)
    hosts.value(SERVER, Close(listener))
    hosts.run(100 * MS)
    assert hosts.errno(CLIENT, Recv(fd, 1)) == "ECONNRESET"
    assert hosts.states(SERVER) == []


def test_shutdown_for_reading_ends_the_listening_and_wakes_accept() -> None:
    hosts = Hosts()
    listener = listening(hosts)
    assert hosts.call(SERVER, Accept(listener), Thread(1, 1)) is None
    hosts.value(SERVER, SetSockOpt(listener, "TCP_NODELAY", 1))
    hosts.value(SERVER, Shutdown(listener, "WR"))
    assert not hosts.returned(SERVER, Thread(1, 1))
    hosts.value(SERVER, Shutdown(listener, "RD"))
    assert hosts.answer(SERVER, Thread(1, 1)).reply == Reply(None, "EINVAL")
    assert hosts.value(SERVER, GetSockOpt(listener, "TCP_NODELAY")) == 1
    fd = hosts.value(CLIENT, Socket())
    hosts.call(CLIENT, Connect(fd, SERVER_PORT))
    hosts.run(100 * MS)
    assert hosts.answer(CLIENT).reply == Reply(None, "ECONNREFUSED")


def test_a_caller_that_is_blocked_cannot_call() -> None:
    hosts = Hosts()
    fd, _, _ = connected(hosts)
    assert hosts.call(CLIENT, Recv(fd, 1)) is None
    with pytest.raises(RuntimeError, match="blocked"):
        hosts.call(CLIENT, Recv(fd, 1))
