"""Probes of what system calls return, and of what a host runs out of."""

from __future__ import annotations

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
    new_system,
    syscall,
)
from tcpsim.tcp.endpoint import new_end
from tcpsim.tcp.stack import Stack, stack
from tests.sockets.two_hosts import CLIENT, MS, SERVER, SERVER_PORT, Hosts, S, connected, listening
from tests.tcp.probes.battery import probe

FD = 3  # the first descriptor of a process


def returned(reply: Reply | None) -> object:
    """The value or the errno of a call that did not block."""
    assert reply is not None, "it blocked"
    return reply.errno or reply.value


def reset_in_close_wait(s: Stack) -> tuple[Hosts, int]:
    """The server closed, then the client's data met a host that knew nothing any more."""
    hosts = Hosts(client=s, server=stack("linux").with_knobs({"tcp_fin_timeout": "3s"}))
    fd, server, _ = connected(hosts)
    hosts.value(SERVER, Close(server))
    hosts.run(5 * S)
    hosts.value(CLIENT, Send(fd, 50))
    hosts.run(100 * MS)
    return hosts, fd


def peeked_after_a_reset(s: Stack) -> list[object]:
    """What recv(MSG_PEEK) says of a connection that was reset, and SO_ERROR after it."""
    hosts = Hosts(client=s, server=stack("linux"))
    fd, server, _ = connected(hosts)
    hosts.value(SERVER, SetSockOpt(server, "SO_LINGER", (1, 0)))
    hosts.value(SERVER, Close(server))
    hosts.run(100 * MS)
    peeked = hosts.call(CLIENT, Recv(fd, 9, peek=True))
    return [returned(peeked), returned(hosts.call(CLIENT, GetSockOpt(fd, "SO_ERROR")))]


@probe("linux", "recv_end_first", "reset_close_wait_error")
def a_reader_after_the_fin_and_a_reset(s: Stack) -> None:
    """tcp.c tcp_recvmsg_locked: SOCK_DONE is looked at before sk_err, which SO_ERROR still has."""
    hosts, fd = reset_in_close_wait(s)
    assert returned(hosts.call(CLIENT, Recv(fd, 9))) == 0
    assert returned(hosts.call(CLIENT, GetSockOpt(fd, "SO_ERROR"))) == "EPIPE"


@probe("freebsd", "recv_end_first", "reset_close_wait_error")
def a_reader_of_freebsd_after_the_fin_and_a_reset(s: Stack) -> None:
    """uipc_socket.c soreceive: so_error comes before SBS_CANTRCVMORE."""
    hosts, fd = reset_in_close_wait(s)
    assert returned(hosts.call(CLIENT, Recv(fd, 9))) == "ECONNRESET"


@probe("linux", "send_epipe_first")
def a_writer_takes_the_error(s: Stack) -> None:
    """tcp.c tcp_sendmsg_locked do_error, sk_stream_error: the pending error is taken, so SO_ERROR has
    none."""
    hosts, fd = reset_in_close_wait(s)
    assert returned(hosts.call(CLIENT, Send(fd, 1))) == "EPIPE"
    assert returned(hosts.call(CLIENT, GetSockOpt(fd, "SO_ERROR"))) == 0


@probe("freebsd", "send_epipe_first")
def a_writer_of_freebsd_leaves_the_error(s: Stack) -> None:
    """uipc_socket.c sosend: SBS_CANTSENDMORE is looked at before so_error."""
    hosts, fd = reset_in_close_wait(s)
    assert returned(hosts.call(CLIENT, Send(fd, 1))) == "EPIPE"
    assert returned(hosts.call(CLIENT, GetSockOpt(fd, "SO_ERROR"))) == "ECONNRESET"


@probe("linux", "peek_takes_error")
def a_peek_takes_the_error(s: Stack) -> None:
    """tcp.c tcp_recvmsg_locked: sock_error() whatever the flags."""
    assert peeked_after_a_reset(s) == ["ECONNRESET", 0]


@probe("freebsd", "peek_takes_error")
def a_peek_of_freebsd_leaves_the_error(s: Stack) -> None:
    """uipc_socket.c soreceive: so_error is cleared unless MSG_PEEK."""
    assert peeked_after_a_reset(s) == ["ECONNRESET", "ECONNRESET"]


@probe("linux", "poll_err")
def poll_says_pollerr(s: Stack) -> None:
    """tcp.c tcp_poll: sk_err is EPOLLERR."""
    hosts, fd = reset_in_close_wait(s)
    bits = "POLLIN|POLLOUT|POLLRDHUP|POLLHUP|POLLERR"
    assert hosts.call(CLIENT, Poll((fd,))) == Reply(((fd, bits),))


@probe("linux", "send_unconnected_error")
def send_without_a_connection(s: Stack) -> None:
    """net/core/stream.c sk_stream_wait_connect: EPIPE."""
    hosts = Hosts(client=s)
    assert hosts.errno(CLIENT, Send(hosts.value(CLIENT, Socket()), 1)) == "EPIPE"


@probe("rfc9293", "send_unconnected_error")
def send_without_a_connection_by_posix(s: Stack) -> None:
    """POSIX.1-2017 send(): ENOTCONN."""
    hosts = Hosts(client=s)
    assert hosts.errno(CLIENT, Send(hosts.value(CLIENT, Socket()), 1)) == "ENOTCONN"


def writable_with(s: Stack, buffer: int, free: int) -> bool:
    """Whether poll() says POLLOUT while so much of a send buffer is free."""
    hosts = Hosts(client=s)
    fd, _, _ = connected(hosts)
    hosts.value(CLIENT, SetSockOpt(fd, "SO_SNDBUF", buffer))
    hosts.lose = lambda sender, segment: True
    hosts.value(CLIENT, Send(fd, 9_000 - free))
    return hosts.call(CLIENT, Poll((fd,))) == Reply(((fd, "POLLOUT"),))


@probe("linux", "send_lowat", "sndbuf_percent")
def a_third_of_the_buffer_is_free(s: Stack) -> None:
    """sock.h sk_stream_is_writeable: sk_stream_wspace >= sk_stream_min_wspace; SO_SNDBUF 4500 is 9000, and
    each of two buffers costs 832 besides."""
    assert [writable_with(s, 4_500, free) for free in (4_664, 4_663)] == [True, False]


@probe("linux", "snd_space", "snd_space_max")
def the_send_buffer_of_a_new_socket(s: Stack) -> None:
    """tcp_wmem: 16,384; with the connection it grows to two windows of ten segments (tcp_sndbuf_expand)."""
    hosts = Hosts(client=s)
    fresh = hosts.value(CLIENT, Socket())
    assert hosts.value(CLIENT, GetSockOpt(fresh, "SO_SNDBUF")) == 16_384
    fd, _, _ = connected(hosts)
    assert hosts.value(CLIENT, GetSockOpt(fd, "SO_SNDBUF")) == 46_080


@probe("freebsd", "send_lowat")
def two_kib_are_free(s: Stack) -> None:
    """uipc_socket.c sowriteable: so_snd.sb_lowat, MCLBYTES."""
    assert [writable_with(s, 9_000, free) for free in (2_048, 2_047)] == [True, False]


def first_read_of_an_accepted_socket(s: Stack) -> Reply | None:
    hosts = Hosts(server=s)
    listener = listening(hosts)
    hosts.value(SERVER, SetNonblocking(listener))
    hosts.call(CLIENT, Connect(hosts.value(CLIENT, Socket()), SERVER_PORT))
    hosts.run(100 * MS)
    return hosts.call(SERVER, Recv(hosts.value(SERVER, Accept(listener)), 1))


@probe("linux", "accept_inherits_nonblocking")
def an_accepted_socket_blocks(s: Stack) -> None:
    """accept(2): on Linux the new socket does not inherit O_NONBLOCK."""
    assert first_read_of_an_accepted_socket(s) is None


@probe("freebsd", "accept_inherits_nonblocking")
def an_accepted_socket_does_as_its_listener(s: Stack) -> None:
    """uipc_syscalls.c kern_accept4 copies the flags of the listening file."""
    assert returned(first_read_of_an_accepted_socket(s)) == "EAGAIN"


@probe("linux", "linger_blocks_nonblocking", "linger_reads_eagain")
def close_lingers(s: Stack) -> None:
    """socket(7) SO_LINGER, tcp.c __tcp_close sk_stream_wait_close: O_NONBLOCK or not, 2 s, and 0 in the
    end."""
    hosts = Hosts(client=s)
    fd, _, _ = connected(hosts)
    hosts.value(CLIENT, SetSockOpt(fd, "SO_LINGER", (1, 2)))
    hosts.value(CLIENT, SetNonblocking(fd))
    hosts.lose = lambda sender, segment: True
    begun = hosts.now
    assert hosts.call(CLIENT, Close(fd)) is None
    hosts.run(3 * S)
    assert hosts.answer(CLIENT)[:] == (begun + 2 * S, Close(fd), Reply(0))


@probe("freebsd", "linger_blocks_nonblocking", "linger_reads_eagain")
def close_of_freebsd_lingers_if_it_may_block(s: Stack) -> None:
    """uipc_socket.c soclose: SS_NBIO goes to drop; otherwise the EWOULDBLOCK of tsleep is returned."""
    hosts = Hosts(client=s)
    fd, _, _ = connected(hosts)
    hosts.value(CLIENT, SetSockOpt(fd, "SO_LINGER", (1, 2)))
    hosts.lose = lambda sender, segment: True
    assert hosts.call(CLIENT, Close(fd)) is None
    hosts.run(3 * S)
    assert hosts.answer(CLIENT).reply == Reply(None, "EAGAIN")
    hosts = Hosts(client=s)
    fd, _, _ = connected(hosts)
    hosts.value(CLIENT, SetSockOpt(fd, "SO_LINGER", (1, 2)))
    hosts.value(CLIENT, SetNonblocking(fd))
    assert returned(hosts.call(CLIENT, Close(fd))) == 0


@probe("linux", "sockbuf_doubled", "buffers_hold_whole_segments")
def the_kernel_doubles_buffers(s: Stack) -> None:
    """socket(7): getsockopt() returns twice what was set, on a connection too."""
    hosts = Hosts(client=s)
    fd, _, _ = connected(hosts)
    hosts.value(CLIENT, SetSockOpt(fd, "SO_SNDBUF", 10_000))
    assert returned(hosts.call(CLIENT, GetSockOpt(fd, "SO_SNDBUF"))) == 20_000
    fresh = hosts.value(CLIENT, Socket())
    hosts.value(CLIENT, SetSockOpt(fresh, "SO_RCVBUF", 10_000))
    hosts.call(CLIENT, Connect(fresh, SERVER_PORT))
    hosts.run(100 * MS)
    assert returned(hosts.call(CLIENT, GetSockOpt(fresh, "SO_RCVBUF"))) == 20_000


@probe("freebsd", "sockbuf_doubled", "buffers_hold_whole_segments", "rcv_space")
def a_receive_buffer_grows_to_whole_segments(s: Stack) -> None:
    """tcp_input.c tcp_mss: roundup(65536, 1460) is 65700, once the connection is open."""
    hosts = Hosts(client=s)
    listening(hosts)
    fd = hosts.value(CLIENT, Socket())
    assert returned(hosts.call(CLIENT, GetSockOpt(fd, "SO_RCVBUF"))) == 65_536  # recvspace
    hosts.value(CLIENT, SetSockOpt(fd, "SO_RCVBUF", 65_536))
    assert returned(hosts.call(CLIENT, GetSockOpt(fd, "SO_RCVBUF"))) == 65_536
    hosts.call(CLIENT, Connect(fd, SERVER_PORT))
    hosts.run(100 * MS)
    assert returned(hosts.call(CLIENT, GetSockOpt(fd, "SO_RCVBUF"))) == 65_700


@probe("linux", "default_mss")
def maxseg_before_there_is_a_connection(s: Stack) -> None:
    """tcp(7) TCP_MAXSEG; RFC 9293 MUST-15: 536."""
    hosts = Hosts(client=s)
    assert returned(hosts.call(CLIENT, GetSockOpt(hosts.value(CLIENT, Socket()), "TCP_MAXSEG"))) == 536


def sockets_of_one_process(s: Stack) -> int:
    """How often socket() succeeds before EMFILE."""
    hosts = Hosts(client=s)
    hosts.hosts[CLIENT] = new_system(new_end(s))
    for made in range(3_000):
        if returned(hosts.call(CLIENT, Socket())) == "EMFILE":
            return made
    return -1


@probe("linux", "nofile")
def descriptors_run_out(s: Stack) -> None:
    """getrlimit(2) RLIMIT_NOFILE, soft: 1024, of which the first three are taken."""
    assert sockets_of_one_process(s) == 1_024 - 3


def ports_in_turn(s: Stack, most: int) -> list[int]:
    """The ports that connect() chooses for one socket after the other, until the first comes again."""
    system = new_system(new_end(s))
    ports: list[int] = []
    for _ in range(most):
        for call in (Socket(), SetNonblocking(FD), Connect(FD, SERVER_PORT)):
            system, _, segments, *_ = syscall(system, 1, call, 0)
        ports += [segment.src_port for segment in segments]
        system = syscall(system, 1, Close(FD), 0).system
        if len(ports) > 1 and ports[-1] == ports[0]:
            return ports[:-1]
    return ports


@probe("linux", "ephemeral_ports")
def ports_run_out(s: Stack) -> None:
    """ip-sysctl.rst ip_local_port_range 32768 60999: 28232 ports, each once before any again."""
    ports = ports_in_turn(s, 28_233)
    assert len(ports) == len(set(ports)) == 28_232


@probe("4.4bsd", "ephemeral_ports")
def ports_of_44bsd_run_out(s: Stack) -> None:
    """in.h IPPORT_RESERVED 1024 to IPPORT_USERRESERVED 5000."""
    assert len(ports_in_turn(s, 4_000)) == 3_976


def maxsegs(s: Stack) -> list[object]:
    """TCP_MAXSEG of a fresh socket, while its SYN is under way, and of a connection with timestamps."""
    hosts = Hosts(client=s)
    listening(hosts)
    fd = hosts.value(CLIENT, Socket())
    hosts.value(CLIENT, SetNonblocking(fd))
    found = [returned(hosts.call(CLIENT, GetSockOpt(fd, "TCP_MAXSEG")))]
    hosts.call(CLIENT, Connect(fd, SERVER_PORT))
    found.append(returned(hosts.call(CLIENT, GetSockOpt(fd, "TCP_MAXSEG"))))
    hosts.run(100 * MS)
    return [*found, returned(hosts.call(CLIENT, GetSockOpt(fd, "TCP_MAXSEG")))]


@probe("linux", "mss_told")
def linux_tells_what_fits(s: Stack) -> None:
    """tcp.c do_tcp_getsockopt: mss_cache, timestamps taken off."""
    assert maxsegs(s)[2] == 1_448


@probe("freebsd", "mss_told", "default_mss")
def freebsd_tells_what_was_agreed(s: Stack) -> None:
    """tcp_usrreq.c: t_maxseg, which is mssdflt until the peer's SYN comes."""
    assert maxsegs(s) == [536, 536, 1_460]
