"""send and recv: bytes, end of stream, one-shot errors, blocking, and the poll bits beside them.

Sequences marked with a trace number are the calls and results of that trace of Linux 6.18.
"""

from __future__ import annotations

import pytest

from tcpsim.sockets import (
    Accept,
    Call,
    Close,
    Connect,
    GetSockOpt,
    Ioctl,
    Poll,
    Recv,
    Reply,
    Send,
    SendAll,
    SetNonblocking,
    SetSockOpt,
    Shutdown,
    Socket,
    Thread,
)
from tcpsim.tcp.segment import FIN
from tcpsim.tcp.sndbuf import free
from tcpsim.tcp.stack import stack
from tcpsim.tcp.state import State
from tests.sockets.two_hosts import CLIENT, MS, SERVER, Hosts, S, connected

HANGUP = "POLLIN|POLLOUT|POLLRDHUP|POLLHUP"
FAILED = HANGUP + "|POLLERR"


def results(hosts: Hosts, side: str, *calls: Call) -> list[object]:
    """What calls return one after the other: the value, the poll bits, or the errno."""
    found: list[object] = []
    for call in calls:
        reply = hosts.call(side, call)
        assert reply is not None, f"{call} blocked"
        value = reply.value[0][1] if isinstance(reply.value, tuple) and reply.value else reply.value
        found.append(value if reply.errno is None else reply.errno)
    return found


def test_recv_waits_for_the_first_byte_and_takes_no_more_than_asked() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    assert hosts.call(SERVER, Recv(server, 60)) is None
    begun = hosts.now
    hosts.run(25 * MS)
    assert hosts.value(CLIENT, Send(client, 100)) == 100
    hosts.run(50 * MS)
    assert hosts.answer(SERVER)[:] == (begun + 35 * MS, Recv(server, 60), Reply(60))
    assert results(hosts, SERVER, Ioctl(server, "SIOCINQ"), Recv(server, 60)) == [40, 40]


def test_recv_returns_zero_for_ever_after_the_peers_fin() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    hosts.value(CLIENT, Send(client, 5))
    hosts.value(CLIENT, Shutdown(client, "WR"))
    hosts.run(100 * MS)
    assert results(hosts, SERVER, *[Recv(server, 100)] * 3) == [5, 0, 0]
    assert hosts.state(SERVER, server) is State.CLOSE_WAIT


def test_a_blocked_recv_is_woken_by_the_fin() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    assert hosts.call(SERVER, Recv(server, 1)) is None
    hosts.value(CLIENT, Close(client))
    begun = hosts.now
    hosts.run(50 * MS)
    assert hosts.answer(SERVER)[:] == (begun + 10 * MS, Recv(server, 1), Reply(0))


def test_recv_on_a_nonblocking_socket_and_with_a_timeout() -> None:
    hosts = Hosts()
    client, _, _ = connected(hosts)
    hosts.value(CLIENT, SetSockOpt(client, "SO_RCVTIMEO", 1500 * MS))
    begun = hosts.now
    assert hosts.call(CLIENT, Recv(client, 1)) is None
    hosts.run(5 * S)
    assert hosts.answer(CLIENT)[:] == (begun + 1500 * MS, Recv(client, 1), Reply(None, "EAGAIN"))
    hosts.value(CLIENT, SetNonblocking(client))
    assert hosts.errno(CLIENT, Recv(client, 1)) == "EAGAIN"
    assert results(hosts, CLIENT, Recv(client, 0), Recv(client, -1)) == [0, "EINVAL"]
    assert results(hosts, CLIENT, Send(client, 0), Send(client, -1)) == [0, "EINVAL"]


def test_11a_what_was_received_before_a_reset_is_still_read_then_the_error_once() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    hosts.value(SERVER, Send(server, 200))
    hosts.value(CLIENT, Send(client, 500))
    hosts.run(100 * MS)
    hosts.value(SERVER, Close(server))  # 500 bytes unread: RST
    hosts.run(100 * MS)
    calls = (Poll((client,)), *[Recv(client, 65_536)] * 3, Send(client, 10), Recv(client, 1), Poll((client,)))
    assert results(hosts, CLIENT, *calls) == [FAILED, 200, "ECONNRESET", 0, "EPIPE", 0, HANGUP]


def test_a_reset_wakes_every_call_on_the_socket_and_only_one_gets_the_error() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    first, second, third = Thread(1, 1), Thread(1, 2), Thread(1, 3)
    assert hosts.call(CLIENT, Recv(client, 1), first) is None
    assert hosts.call(CLIENT, Recv(client, 1), second) is None
    assert hosts.call(CLIENT, Poll((client,), None, 0), third) is None
    hosts.value(SERVER, SetSockOpt(server, "SO_LINGER", (1, 0)))
    hosts.value(SERVER, Close(server))
    hosts.run(50 * MS)
    assert hosts.answer(CLIENT, first).reply == Reply(None, "ECONNRESET")
    assert hosts.answer(CLIENT, second).reply == Reply(0)
    assert hosts.answer(CLIENT, third).reply == Reply(((client, "POLLHUP"),))


def test_02a_a_reset_in_close_wait_is_epipe_for_a_writer_and_nothing_for_a_reader() -> None:
    hosts = Hosts(server=stack("linux").with_knobs({"tcp_fin_timeout": "3s"}))
    client, server, _ = connected(hosts)
    hosts.value(SERVER, Close(server))
    hosts.run(5 * S)
    assert results(hosts, CLIENT, Poll((client,)), Send(client, 50)) == ["POLLIN|POLLOUT|POLLRDHUP", 50]
    hosts.run(100 * MS)
    calls = (
        Poll((client,)),
        Send(client, 50),
        Send(client, 50),
        Recv(client, 9),
        GetSockOpt(client, "SO_ERROR"),
    )
    assert results(hosts, CLIENT, *calls) == [FAILED, "EPIPE", "EPIPE", 0, 0]


def test_02i_so_error_is_reported_once() -> None:
    hosts = Hosts(server=stack("linux").with_knobs({"tcp_fin_timeout": "3s"}))
    client, server, _ = connected(hosts)
    hosts.value(SERVER, Close(server))
    hosts.run(5 * S)
    hosts.value(CLIENT, Send(client, 50))
    hosts.run(100 * MS)
    calls = (GetSockOpt(client, "SO_ERROR"), GetSockOpt(client, "SO_ERROR"), Poll((client,)), Send(client, 1))
    assert results(hosts, CLIENT, *calls) == ["EPIPE", 0, HANGUP, "EPIPE"]


def test_03c_a_full_shutdown_then_data_is_a_reset_for_both() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    hosts.value(SERVER, Shutdown(server, "RDWR"))
    hosts.run(700 * MS)
    hosts.value(CLIENT, Send(client, 50))
    hosts.run(100 * MS)
    assert results(hosts, CLIENT, Poll((client,)), Send(client, 50), Recv(client, 9)) == [FAILED, "EPIPE", 0]
    calls = (Poll((server,)), Recv(server, 9), Send(server, 10), GetSockOpt(server, "SO_ERROR"))
    assert results(hosts, SERVER, *calls) == [FAILED, "ECONNRESET", "EPIPE", 0]


def test_10c_a_last_ack_that_gives_up_tells_the_writer_only() -> None:
    hosts = Hosts(client=stack("linux").with_knobs({"tcp_retries2": 3}))
    client, server, _ = connected(hosts)
    hosts.value(SERVER, Close(server))
    hosts.run(100 * MS)
    hosts.lose = lambda sender, segment: sender == SERVER
    hosts.value(CLIENT, Shutdown(client, "WR"))
    hosts.run(1 * S)
    assert results(hosts, CLIENT, Poll((client,))) == [HANGUP]
    hosts.run(30 * S)
    calls = (
        Poll((client,)),
        Recv(client, 9),
        Send(client, 1),
        Send(client, 1),
        GetSockOpt(client, "SO_ERROR"),
    )
    assert results(hosts, CLIENT, *calls) == [FAILED, 0, "ETIMEDOUT", "EPIPE", 0]


def test_15_a_blocked_recv_reports_the_senders_give_up() -> None:
    hosts = Hosts(client=stack("linux").with_knobs({"tcp_retries2": 3}))
    client, _, _ = connected(hosts)
    hosts.lose = lambda sender, segment: sender == CLIENT
    hosts.value(CLIENT, Send(client, 100))
    assert hosts.call(CLIENT, Recv(client, 1)) is None
    hosts.run(60 * S)
    assert hosts.answer(CLIENT).reply == Reply(None, "ETIMEDOUT")
    assert results(hosts, CLIENT, Recv(client, 1), Send(client, 1)) == [0, "EPIPE"]


def test_shutdown_ends_sending_at_once_and_a_second_one_is_harmless() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    hosts.value(CLIENT, Shutdown(client, "WR"))
    assert results(hosts, CLIENT, Send(client, 1), Shutdown(client, "WR")) == ["EPIPE", 0]
    hosts.run(100 * MS)
    assert hosts.value(SERVER, Send(server, 7)) == 7
    hosts.run(100 * MS)
    assert results(hosts, CLIENT, Recv(client, 100), Shutdown(client, "XX")) == [7, "EINVAL"]
    assert hosts.state(CLIENT, client) is State.FIN_WAIT_2


def test_shutdown_for_reading_wakes_the_reader_and_leaves_what_is_queued() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    assert hosts.call(CLIENT, Recv(client, 1), Thread(1, 1)) is None
    hosts.value(CLIENT, Shutdown(client, "RD"))
    assert hosts.answer(CLIENT, Thread(1, 1)).reply == Reply(0)
    hosts.value(SERVER, Send(server, 7))
    hosts.run(100 * MS)
    assert results(hosts, CLIENT, Recv(client, 100), Recv(client, 100)) == [7, 0]  # as Linux has it


def test_an_owned_socket_past_both_fins_is_over_for_its_program() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    hosts.value(CLIENT, Shutdown(client, "WR"))
    hosts.run(100 * MS)
    hosts.value(SERVER, Close(server))
    hosts.run(100 * MS)
    calls = (Poll((client,)), Recv(client, 1), Send(client, 1), Shutdown(client, "WR"))
    assert results(hosts, CLIENT, *calls) == [HANGUP, 0, "EPIPE", "ENOTCONN"]


def fill(hosts: Hosts, client: int) -> int:
    """Write until the send buffer takes no more, with a peer that does not read; how much it took."""
    hosts.value(CLIENT, SetNonblocking(client))
    total = 0
    for _ in range(1000):
        reply = hosts.call(CLIENT, Send(client, 1_000_000))
        assert reply is not None
        if reply.errno is not None:
            assert reply.errno == "EAGAIN"
            return total
        assert isinstance(reply.value, int)
        total += reply.value
        hosts.run(500 * MS)
    raise AssertionError("the send buffer has no end")


def test_a_full_buffer_is_a_partial_count_then_eagain_and_no_pollout() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    total = fill(hosts, client)
    assert hosts.call(CLIENT, Poll((client,))) == Reply(())
    got = 0
    for _ in range(1000):
        hosts.run(1 * S)
        if not hosts.value(SERVER, Ioctl(server, "SIOCINQ")):
            break
        got += hosts.value(SERVER, Recv(server, 1_000_000))
    assert got == total
    assert hosts.call(CLIENT, Poll((client,))) == Reply(((client, "POLLOUT"),))
    assert hosts.value(CLIENT, Ioctl(client, "SIOCOUTQ")) == 0


def test_pollout_and_a_sleeping_sender_wait_for_a_third_of_the_buffer() -> None:
    hosts = Hosts()
    client, _, _ = connected(hosts)
    hosts.value(CLIENT, SetSockOpt(client, "SO_SNDBUF", 4_500))
    hosts.lose = lambda sender, segment: True
    hosts.value(CLIENT, Send(client, 4_000))  # and twice 832 of memory
    assert hosts.call(CLIENT, Poll((client,))) == Reply(((client, "POLLOUT"),))
    hosts.value(CLIENT, Send(client, 1_000))
    assert hosts.call(CLIENT, Poll((client,))) == Reply(())
    assert hosts.value(CLIENT, Send(client, 1_000)) == 1_000  # whoever asks still gets what is free


def test_a_sleeping_sender_is_not_woken_for_less_than_a_third_of_the_buffer() -> None:
    hosts = Hosts()
    client, _, _ = connected(hosts)
    hosts.value(CLIENT, SetSockOpt(client, "SO_SNDBUF", 25_000))
    assert hosts.call(CLIENT, Send(client, 60_000)) is None
    acks = iter([False, False])  # the first ACKs of the server arrive; all others are lost
    hosts.lose = lambda sender, segment: sender == SERVER and next(acks, True)
    hosts.run(30 * MS)
    (tcb,) = hosts.hosts[CLIENT].end.sockets.values()
    assert 0 < free(tcb, stack("linux")) < 50_000 // 3
    assert not hosts.returned(CLIENT)
    hosts.lose = lambda sender, segment: False
    hosts.run(1 * S)
    assert hosts.answer(CLIENT).reply == Reply(60_000)


@pytest.mark.parametrize("kind", [Send, SendAll])
def test_shutdown_by_another_thread_wakes_a_sleeping_sender(kind: type[Send] | type[SendAll]) -> None:
    hosts = Hosts()
    client, _, _ = connected(hosts)
    hosts.value(CLIENT, SetSockOpt(client, "SO_SNDBUF", 4_500))
    hosts.lose = lambda sender, segment: True
    assert hosts.call(CLIENT, kind(client, 60_000), Thread(1, 1)) is None
    hosts.value(CLIENT, Shutdown(client, "WR"))
    expected = Reply(46_336) if kind is Send else Reply(None, "EPIPE")
    assert hosts.answer(CLIENT, Thread(1, 1)).reply == expected


@pytest.mark.parametrize("kind", [Send, SendAll])
def test_a_blocking_send_returns_when_the_buffer_took_everything(kind: type[Send] | type[SendAll]) -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    n = 3_000_000
    begun = hosts.now
    assert hosts.call(CLIENT, kind(client, n)) is None
    got = 0
    while got < n:
        hosts.run(10 * MS)
        if hosts.value(SERVER, Ioctl(server, "SIOCINQ")):
            got += hosts.value(SERVER, Recv(server, n))
        assert hosts.now < begun + 60 * S
    assert got == n
    assert hosts.answer(CLIENT).reply == Reply(n)


@pytest.mark.parametrize(("kind", "errno"), [(Send, None), (SendAll, "EAGAIN")])
def test_so_sndtimeo_leaves_a_partial_count_or_eagain(
    kind: type[Send] | type[SendAll], errno: str | None
) -> None:
    hosts = Hosts()
    client, _, _ = connected(hosts)
    hosts.value(CLIENT, SetSockOpt(client, "SO_SNDTIMEO", 3 * S))
    begun = hosts.now
    assert hosts.call(CLIENT, kind(client, 100_000_000)) is None
    hosts.run(10 * S)
    answer = hosts.answer(CLIENT)
    assert (answer.at_us, answer.reply.errno) == (begun + 3 * S, errno)
    if errno is None:
        assert isinstance(answer.reply.value, int)
        assert 0 < answer.reply.value < 100_000_000


@pytest.mark.parametrize(("kind", "errno"), [(Send, None), (SendAll, "ECONNRESET")])
def test_a_reset_in_the_middle_of_a_send(kind: type[Send] | type[SendAll], errno: str | None) -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    assert hosts.call(CLIENT, kind(client, 100_000_000)) is None
    hosts.run(1 * S)
    hosts.value(SERVER, Close(server))
    hosts.run(100 * MS)
    assert hosts.answer(CLIENT).reply.errno == errno
    expected = (
        "ECONNRESET" if errno is None else "EPIPE"
    )  # a partial count leaves the error for the next call
    assert results(hosts, CLIENT, Send(client, 1), Send(client, 1)) == [expected, "EPIPE"]


def test_send_before_the_handshake_is_over_waits_for_it() -> None:
    hosts = Hosts()
    _, _, listener = connected(hosts)
    fd = hosts.value(CLIENT, Socket())
    assert hosts.call(CLIENT, Connect(fd, 5_000), Thread(1, 1)) is None
    begun = hosts.now
    assert hosts.call(CLIENT, Send(fd, 10), Thread(1, 2)) is None
    hosts.run(100 * MS)
    assert hosts.answer(CLIENT, Thread(1, 2))[:] == (begun + 20 * MS, Send(fd, 10), Reply(10))
    assert hosts.value(SERVER, Recv(hosts.value(SERVER, Accept(listener)), 100)) == 10


def test_poll_watches_several_and_reports_what_was_asked_and_what_went_wrong() -> None:
    hosts = Hosts()
    client, server, listener = connected(hosts)
    assert hosts.call(SERVER, Poll((listener, server), None, 1)) is None
    hosts.value(CLIENT, Send(client, 1))
    begun = hosts.now
    hosts.run(100 * MS)
    found = Reply(((server, "POLLIN"),))
    assert hosts.answer(SERVER)[:] == (begun + 10 * MS, Poll((listener, server), None, 1), found)
    assert hosts.call(SERVER, Poll((99, server))) == Reply(((99, "POLLNVAL"), (server, "POLLIN|POLLOUT")))


def test_poll_times_out_with_nothing() -> None:
    hosts = Hosts()
    client, _, _ = connected(hosts)
    begun = hosts.now
    assert hosts.call(CLIENT, Poll((client,), 2 * S, 1)) is None
    hosts.run(5 * S)
    assert hosts.answer(CLIENT)[:] == (begun + 2 * S, Poll((client,), 2 * S, 1), Reply(()))


def test_a_listener_is_readable_when_a_connection_waits() -> None:
    hosts = Hosts()
    _, _, listener = connected(hosts)
    assert hosts.call(SERVER, Poll((listener,))) == Reply(())
    hosts.call(CLIENT, Connect(hosts.value(CLIENT, Socket()), 5_000))
    hosts.run(100 * MS)
    assert hosts.call(SERVER, Poll((listener,))) == Reply(((listener, "POLLIN"),))


def test_ioctl_knows_two_requests() -> None:
    hosts = Hosts()
    client, _, listener = connected(hosts)
    hosts.lose = lambda sender, segment: bool(segment.len or segment.flags & FIN)
    hosts.value(CLIENT, Send(client, 30))
    assert results(hosts, CLIENT, Ioctl(client, "SIOCOUTQ"), Ioctl(client, "FIONBIO")) == [30, "ENOTTY"]
    assert hosts.errno(SERVER, Ioctl(listener, "SIOCINQ")) == "EINVAL"
    assert hosts.value(CLIENT, Ioctl(hosts.value(CLIENT, Socket()), "SIOCINQ")) == 0


def test_a_peek_looks_and_takes_nothing() -> None:
    """recv(2) MSG_PEEK: how a pool asks whether a connection is alive (EAGAIN) or at its end (0)."""
    hosts = Hosts()
    client, server, _ = connected(hosts)
    look = Recv(server, 60, peek=True, dontwait=True)
    assert results(hosts, SERVER, look) == ["EAGAIN"]
    hosts.value(CLIENT, Send(client, 100))
    hosts.run(50 * MS)
    assert results(hosts, SERVER, look, look._replace(n=999), Recv(server, 999)) == [60, 100, 100]
    hosts.value(CLIENT, Close(client))
    hosts.run(50 * MS)
    assert results(hosts, SERVER, look, look) == [0, 0]


def test_a_peek_that_blocks_is_woken_by_data() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    assert hosts.call(SERVER, Recv(server, 60, peek=True)) is None
    hosts.value(CLIENT, Send(client, 100))
    hosts.run(50 * MS)
    assert hosts.answer(SERVER)[2] == Reply(60)
    assert results(hosts, SERVER, Ioctl(server, "SIOCINQ")) == [100]
