"""Who holds a socket: close, fork, dup, exit, kill, threads, SO_LINGER."""

from __future__ import annotations

import pytest

from tcpsim.errors import InputError
from tcpsim.sockets import (
    Accept,
    Bind,
    Close,
    Connect,
    Dup,
    Exit,
    Fork,
    Kill,
    Recv,
    Reply,
    Send,
    SetNonblocking,
    SetSockOpt,
    Shutdown,
    Socket,
    Thread,
    held,
)
from tcpsim.tcp.segment import FIN, Segment
from tcpsim.tcp.state import Holder, State
from tests.sockets.two_hosts import CLIENT, CLIENT_PORT, MS, SERVER, SERVER_PORT, Hosts, S, connected


def no_answer_to_fin(sender: str, segment: Segment) -> bool:
    return bool(segment.flags & FIN) and sender == CLIENT


def test_the_last_close_sends_the_fin() -> None:
    hosts = Hosts()
    client, _, _ = connected(hosts)
    other = hosts.value(CLIENT, Dup(client))
    hosts.value(CLIENT, Close(client))
    hosts.run(100 * MS)
    assert not any("F" in flags for flags in hosts.flags(CLIENT))
    assert hosts.value(CLIENT, Send(other, 3)) == 3
    hosts.value(CLIENT, Close(other))
    assert hosts.flags(CLIENT)[-1] == "FA"
    assert held(hosts.hosts[CLIENT]) == frozenset()


def test_a_descriptor_inherited_by_a_child_keeps_the_connection() -> None:
    hosts = Hosts()
    client, server, listener = connected(hosts)
    assert hosts.value(SERVER, Fork(2)) == 2
    hosts.value(SERVER, Close(server), caller=1)
    hosts.value(SERVER, Close(listener), caller=2)
    hosts.run(1 * S)
    assert hosts.state(CLIENT, client) is State.ESTABLISHED
    assert hosts.value(SERVER, Send(server, 10), caller=2) == 10
    hosts.value(SERVER, Exit(), caller=2)
    hosts.run(100 * MS)
    assert hosts.value(CLIENT, Recv(client, 100)) == 10
    assert hosts.value(CLIENT, Recv(client, 100)) == 0
    hosts.call(CLIENT, Connect(hosts.value(CLIENT, Socket()), SERVER_PORT))  # process 1 still listens
    hosts.run(100 * MS)
    assert hosts.answer(CLIENT).reply == Reply(0)


def test_a_child_must_be_new() -> None:
    hosts = Hosts()
    connected(hosts)
    with pytest.raises(InputError, match=r"fork.child_pid: found 1"):
        hosts.call(CLIENT, Fork(1))


def test_flags_belong_to_the_open_file_and_are_shared() -> None:
    hosts = Hosts()
    client, _, _ = connected(hosts)
    hosts.value(CLIENT, Fork(2))
    hosts.value(CLIENT, SetNonblocking(client), caller=2)
    assert hosts.errno(CLIENT, Recv(client, 1), caller=1) == "EAGAIN"
    hosts.value(CLIENT, SetNonblocking(client, False), caller=1)
    assert hosts.call(CLIENT, Recv(client, 1), caller=2) is None


def test_exit_closes_everything_with_a_fin_or_a_reset_where_data_is_unread() -> None:
    hosts = Hosts()
    client, server, listener = connected(hosts)
    second = hosts.value(CLIENT, Socket())
    hosts.call(CLIENT, Connect(second, SERVER_PORT))
    hosts.run(100 * MS)
    hosts.value(SERVER, Accept(listener))
    hosts.value(CLIENT, Send(second, 8))
    hosts.run(100 * MS)
    begun = hosts.now
    hosts.value(SERVER, Exit())
    assert hosts.flags(SERVER, begun) == ["FA", "RA"]
    hosts.run(100 * MS)
    assert hosts.value(CLIENT, Recv(client, 1)) == 0
    assert hosts.errno(CLIENT, Recv(second, 1)) == "ECONNRESET"
    assert hosts.hosts[SERVER].files == {}
    assert hosts.errno(SERVER, Close(server)) == "EBADF"


def test_kill_ends_a_process_wherever_it_is() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    assert hosts.call(CLIENT, Recv(client, 1)) is None
    assert hosts.value(CLIENT, Kill(1), caller=0) == 0
    hosts.run(100 * MS)
    assert not hosts.returned(CLIENT)
    assert hosts.value(SERVER, Recv(server, 1)) == 0
    assert hosts.errno(CLIENT, Kill(1), caller=0) == "ESRCH"
    assert hosts.hosts[CLIENT].blocked == ()


def test_a_process_killed_with_a_child_alive_leaves_the_connection_to_it() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    hosts.value(CLIENT, Fork(2))
    hosts.value(CLIENT, Kill(1), caller=1)
    hosts.run(1 * S)
    assert hosts.call(SERVER, Recv(server, 1)) is None
    assert hosts.value(CLIENT, Send(client, 5), caller=2) == 5


def test_a_call_that_waits_holds_the_socket_though_another_thread_closed_the_descriptor() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    reader = Thread(1, 1)
    assert hosts.call(CLIENT, Recv(client, 1), reader) is None
    hosts.value(CLIENT, Close(client))
    hosts.run(1 * S)
    assert not any("F" in flags for flags in hosts.flags(CLIENT))
    hosts.value(SERVER, Send(server, 1))
    hosts.run(10 * MS)
    assert hosts.answer(CLIENT, reader).reply == Reply(1)
    assert "F" in hosts.flags(CLIENT)[-1]


def test_threads_of_one_process_wait_on_one_socket_in_both_directions() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    reader, writer = Thread(1, 1), Thread(1, 2)
    assert hosts.call(CLIENT, Recv(client, 10), reader) is None
    assert hosts.call(CLIENT, Send(client, 50_000_000), writer) is None
    hosts.value(SERVER, Send(server, 4))
    hosts.run(50 * MS)
    assert hosts.answer(CLIENT, reader).reply == Reply(4)
    assert not hosts.returned(CLIENT, writer)


def test_linger_zero_resets() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    hosts.value(SERVER, SetSockOpt(server, "SO_LINGER", (1, 0)))
    hosts.value(SERVER, Send(server, 100))
    begun = hosts.now
    hosts.value(SERVER, Close(server))
    assert hosts.flags(SERVER, begun)[-1] == "RA"
    assert hosts.states(SERVER) == []
    hosts.run(100 * MS)
    assert hosts.value(CLIENT, Recv(client, 1000)) == 100
    assert hosts.errno(CLIENT, Recv(client, 1000)) == "ECONNRESET"


@pytest.mark.parametrize("nonblocking", [False, True])
def test_12c_a_lingering_close_returns_when_the_fin_is_acknowledged(nonblocking: bool) -> None:
    hosts = Hosts()
    _, server, _ = connected(hosts)
    hosts.value(SERVER, SetSockOpt(server, "SO_LINGER", (1, 2)))
    hosts.value(SERVER, SetNonblocking(server, nonblocking))
    begun = hosts.now
    assert hosts.call(SERVER, Close(server)) is None
    (tcb,) = hosts.hosts[SERVER].end.sockets.values()
    assert (tcb.state, tcb.holder(hosts.hosts[SERVER].end.stack)) == (State.FIN_WAIT_1, Holder.OWNED)
    hosts.run(1 * S)
    answer = hosts.answer(SERVER)
    assert answer.reply == Reply(0)
    assert begun + 20 * MS <= answer.at_us <= begun + 70 * MS  # the peer may delay its ACK by 40 ms
    (tcb,) = hosts.hosts[SERVER].end.sockets.values()
    assert tcb.state is State.FIN_WAIT_2
    assert tcb.holder(hosts.hosts[SERVER].end.stack) is not Holder.OWNED


def test_12g_a_lingering_close_that_gets_no_answer_returns_zero_and_the_fin_goes_on() -> None:
    hosts = Hosts()
    client, _, _ = connected(hosts)
    hosts.lose = no_answer_to_fin
    hosts.value(CLIENT, SetSockOpt(client, "SO_LINGER", (1, 2)))
    begun = hosts.now
    assert hosts.call(CLIENT, Close(client)) is None
    hosts.run(3 * S)
    assert hosts.answer(CLIENT)[:] == (begun + 2 * S, Close(client), Reply(0))
    before = len(hosts.sent)
    hosts.run(20 * S)
    assert len(hosts.sent) > before
    (tcb,) = hosts.hosts[CLIENT].end.sockets.values()
    assert tcb.holder(hosts.hosts[CLIENT].end.stack) is Holder.ORPHAN


def test_a_lingering_close_with_unread_data_resets_at_once() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    hosts.value(CLIENT, Send(client, 1))
    hosts.run(100 * MS)
    hosts.value(SERVER, SetSockOpt(server, "SO_LINGER", (1, 30)))
    assert hosts.call(SERVER, Close(server)) == Reply(0)
    assert hosts.flags(SERVER)[-1] == "RA"


def test_a_lingering_close_whose_fin_is_acknowledged_already_does_not_wait() -> None:
    hosts = Hosts()
    client, _, _ = connected(hosts)
    hosts.value(CLIENT, SetSockOpt(client, "SO_LINGER", (1, 30)))
    hosts.value(CLIENT, Shutdown(client, "WR"))
    hosts.run(100 * MS)
    assert hosts.state(CLIENT, client) is State.FIN_WAIT_2
    assert hosts.call(CLIENT, Close(client)) == Reply(0)
    assert [tcb.orphaned for tcb in hosts.hosts[CLIENT].end.sockets.values()] == [True]


def test_exit_does_not_linger_and_kill_ends_a_lingering_close() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    hosts.lose = no_answer_to_fin
    hosts.value(SERVER, SetSockOpt(server, "SO_LINGER", (1, 30)))
    assert hosts.value(SERVER, Exit()) == 0
    hosts.value(CLIENT, SetSockOpt(client, "SO_LINGER", (1, 30)))
    assert hosts.call(CLIENT, Close(client)) is None
    hosts.value(CLIENT, Kill(1))
    hosts.run(60 * S)
    assert not hosts.returned(CLIENT)
    assert all(tcb.orphaned for tcb in hosts.hosts[CLIENT].end.sockets.values())


def test_the_descriptor_of_a_lingering_close_is_free_at_once() -> None:
    hosts = Hosts()
    client, _, _ = connected(hosts)
    hosts.value(CLIENT, SetSockOpt(client, "SO_LINGER", (1, 30)))
    assert hosts.call(CLIENT, Close(client), Thread(1, 1)) is None
    assert hosts.value(CLIENT, Socket()) == client


def test_a_socket_that_is_over_stays_with_its_descriptor_until_close() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    hosts.value(SERVER, SetSockOpt(server, "SO_LINGER", (1, 0)))
    hosts.value(SERVER, Close(server))
    hosts.run(100 * MS)
    assert hosts.states(CLIENT) == ["CLOSED"]
    assert len(held(hosts.hosts[CLIENT])) == 1
    other = hosts.value(CLIENT, Socket())
    assert hosts.errno(CLIENT, Bind(other, CLIENT_PORT)) == "EADDRINUSE"  # bound by bind(), until close()
    hosts.value(CLIENT, Close(client))
    assert hosts.states(CLIENT) == []
    hosts.value(CLIENT, Bind(other, CLIENT_PORT))
