"""The system calls and their results as values.

Owns: the calls' names and arguments, in the units of the socket API, and the reply. Refuses to know:
what a call does (the other modules of this package), and who makes it.

A port is enough as an address, because a host of a pair has one peer.
"""

from __future__ import annotations

from typing import NamedTuple

from tcpsim.tcp.state import State

# poll(2), Linux values; the order is the one in which a reply spells them
POLLIN, POLLOUT, POLLRDHUP, POLLHUP, POLLERR, POLLNVAL = 0x1, 0x4, 0x2000, 0x10, 0x8, 0x20
_POLL_NAMES = (
    (POLLIN, "POLLIN"),
    (POLLOUT, "POLLOUT"),
    (POLLRDHUP, "POLLRDHUP"),
    (POLLHUP, "POLLHUP"),
    (POLLERR, "POLLERR"),
    (POLLNVAL, "POLLNVAL"),
)


def poll_names(bits: int) -> str:
    """Poll bits as one writes them.

    >>> poll_names(POLLIN | POLLRDHUP | POLLHUP)
    'POLLIN|POLLRDHUP|POLLHUP'
    """
    return "|".join(name for bit, name in _POLL_NAMES if bits & bit)


class Thread(NamedTuple):
    """One of several threads of a process; a caller that is just a pid is its only thread."""

    pid: int
    tag: int


Caller = int | Thread


class Reply(NamedTuple):
    """What a call returned: a value, or -1 and errno (then `value` is None)."""

    value: int | str | tuple[tuple[int, str], ...] | None = 0
    errno: str | None = None


class Socket(NamedTuple):
    """socket(AF_INET, SOCK_STREAM): a new descriptor."""


class Bind(NamedTuple):
    """bind() to a local port."""

    fd: int
    port: int


class Listen(NamedTuple):
    """listen(); on an unbound socket the host chooses the port."""

    fd: int
    backlog: int


class Connect(NamedTuple):
    """connect() to the peer's port; blocks until the handshake is over or has failed."""

    fd: int
    port: int


class Accept(NamedTuple):
    """accept(): a new descriptor for the oldest connection in the accept queue."""

    fd: int


class Send(NamedTuple):
    """send() of `n` bytes: how many the send buffer took; a blocking socket waits until it took all."""

    fd: int
    n: int


class SendAll(NamedTuple):
    """send() until all `n` bytes are taken; unlike Send, an error wins over a partial count."""

    fd: int
    n: int


class Recv(NamedTuple):
    """recv() of at most `n` bytes: how many there were; 0 at the end of the stream."""

    fd: int
    n: int
    peek: bool = False  # MSG_PEEK
    dontwait: bool = False  # MSG_DONTWAIT


class Shutdown(NamedTuple):
    """shutdown(); `how` is "RD", "WR" or "RDWR"."""

    fd: int
    how: str = "WR"


class Close(NamedTuple):
    """close(); the connection is closed with the last descriptor that refers to it."""

    fd: int


class SetSockOpt(NamedTuple):
    """setsockopt(); units as in the API (seconds, TCP_USER_TIMEOUT in ms), SO_LINGER is (onoff, seconds),
    SO_RCVTIMEO and SO_SNDTIMEO are in microseconds (0 = wait for ever)."""

    fd: int
    name: str
    value: int | tuple[int, int]


class GetSockOpt(NamedTuple):
    """getsockopt(); SO_ERROR returns an errno name or 0 and clears it."""

    fd: int
    name: str


class Ioctl(NamedTuple):
    """ioctl(): "SIOCINQ" bytes in order and unread, "SIOCOUTQ" bytes that the peer has not acknowledged."""

    fd: int
    request: str


class Poll(NamedTuple):
    """poll(): ((fd, "POLLIN|..."), ...) of those ready; () at the timeout. None waits for ever.

    `events`: what is asked for, of all alike or of each.
    """

    fds: tuple[int, ...]
    timeout_us: int | None = 0
    events: int | tuple[int, ...] = POLLIN | POLLOUT | POLLRDHUP

    def asked(self) -> tuple[int, ...]:
        """The events asked for of each descriptor."""
        return (self.events,) * len(self.fds) if isinstance(self.events, int) else self.events


class SetNonblocking(NamedTuple):
    """fcntl(F_SETFL, O_NONBLOCK): a property of the open file, not of the descriptor."""

    fd: int
    on: bool = True


class Dup(NamedTuple):
    """dup(): another descriptor for the same open file."""

    fd: int


class Fork(NamedTuple):
    """fork(): process `child_pid` starts with a copy of the caller's descriptors."""

    child_pid: int


class Exit(NamedTuple):
    """_exit(): the process ends and all its descriptors are closed, without waiting."""


class Kill(NamedTuple):
    """kill(pid, SIGKILL) by whoever: `pid` ends wherever it is, and all its descriptors are closed."""

    pid: int


class Destroy(NamedTuple):
    """An operator's ``ss -K`` or ``tcpdrop``: the host's sockets in these states go, whoever holds them.

    Returns how many there were.
    """

    states: frozenset[State]


Call = (
    Socket
    | Bind
    | Listen
    | Connect
    | Accept
    | Send
    | SendAll
    | Recv
    | Shutdown
    | Close
    | SetSockOpt
    | GetSockOpt
    | Ioctl
    | Poll
    | SetNonblocking
    | Dup
    | Fork
    | Exit
    | Kill
    | Destroy
)
