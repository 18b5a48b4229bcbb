"""Two real hosts on a line that loses only what a test says: what the tests of this room drive."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import NamedTuple

from tcpsim.sockets import (
    Accept,
    Bind,
    Call,
    Caller,
    Connect,
    Listen,
    Reply,
    Returned,
    Socket,
    System,
    deliver,
    expire,
    new_system,
    next_time,
    socket_of,
    syscall,
)
from tcpsim.tcp.endpoint import new_end
from tcpsim.tcp.segment import Segment, flag_letters
from tcpsim.tcp.stack import Stack, stack
from tcpsim.tcp.state import State

MS, S = 1_000, 1_000_000
CLIENT, SERVER = "client", "server"
CLIENT_PORT, SERVER_PORT = 40_000, 5_000


class Answer(NamedTuple):
    """A blocked call that returned."""

    at_us: int
    call: Call
    reply: Reply


class Hosts:
    """A client's and a server's host, 10 ms apart. `lose(sender, segment)` says what the line loses."""

    def __init__(
        self, client: Stack | str = "linux", server: Stack | str = "linux", nofile: int = 1024
    ) -> None:
        profiles = {CLIENT: client, SERVER: server}
        self.hosts: dict[str, System] = {
            side: new_system(new_end(stack(profile) if isinstance(profile, str) else profile), nofile)
            for side, profile in profiles.items()
        }
        self.now = 0
        self.delay_us = 10 * MS
        self.lose: Callable[[str, Segment], bool] = lambda sender, segment: False
        self.answers: dict[tuple[str, Caller], Answer] = {}
        self.sent: list[tuple[int, str, str, int]] = []  # time, sender, flags, length
        self._on_the_line: list[tuple[int, int, str, Segment]] = []

    def call(self, side: str, call: Call, caller: Caller = 1) -> Reply | None:
        """Make a call now; None if it blocks."""
        returned = syscall(self.hosts[side], caller, call, self.now)
        self._took(side, returned)
        return returned.reply

    def value(self, side: str, call: Call, caller: Caller = 1) -> int:
        """Make a call that must return a number at once."""
        reply = self.call(side, call, caller)
        assert reply is not None, f"{call} blocked"
        assert reply.errno is None, f"{call}: {reply.errno}"
        assert isinstance(reply.value, int)
        return reply.value

    def errno(self, side: str, call: Call, caller: Caller = 1) -> str | None:
        """Make a call that must fail at once."""
        reply = self.call(side, call, caller)
        assert reply is not None, f"{call} blocked"
        assert reply.value is None, f"{call} returned {reply.value}"
        return reply.errno

    def answer(self, side: str, caller: Caller = 1) -> Answer:
        """What a caller's blocked call has returned; each answer is given once."""
        assert self.returned(side, caller), f"the call of {caller} on the {side} still blocks"
        return self.answers.pop((side, caller))

    def returned(self, side: str, caller: Caller = 1) -> bool:
        """Whether a caller's blocked call has returned."""
        return (side, caller) in self.answers

    def run(self, for_us: int) -> None:
        """Let the time pass."""
        until = self.now + for_us
        while (due := self._next()) is not None and due <= until:
            self.now = due
            while self._on_the_line and self._on_the_line[0][0] <= self.now:
                _, _, receiver, segment = heapq.heappop(self._on_the_line)
                self._took(receiver, deliver(self.hosts[receiver], segment, self.now))
            for side, host in self.hosts.items():
                timer = next_time(host)
                if timer is not None and timer <= self.now:
                    self._took(side, expire(host, self.now))
        self.now = until

    def state(self, side: str, fd: int, caller: Caller = 1) -> State:
        """The state of the socket behind a descriptor."""
        host = self.hosts[side]
        sid = socket_of(host, caller, fd)
        assert sid is not None
        return host.end.sockets[sid].state

    def states(self, side: str) -> list[str]:
        """The states of all the sockets that a host still has, sorted."""
        return sorted(str(tcb.state) for tcb in self.hosts[side].end.sockets.values())

    def flags(self, side: str, since_us: int = 0) -> list[str]:
        """The flags of what a host has sent."""
        return [flags for at_us, sender, flags, _ in self.sent if sender == side and at_us >= since_us]

    def _next(self) -> int | None:
        times = [next_time(host) for host in self.hosts.values()]
        times += [self._on_the_line[0][0]] if self._on_the_line else []
        return min((time for time in times if time is not None), default=None)

    def _took(self, side: str, returned: Returned) -> None:
        self.hosts[side] = returned.system
        for caller, call, reply in returned.completed:
            self.answers[side, caller] = Answer(self.now, call, reply)
        for segment in returned.segments:
            self.sent.append((self.now, side, flag_letters(segment.flags), segment.len))
            if not self.lose(side, segment):
                receiver = SERVER if side == CLIENT else CLIENT
                entry = (self.now + self.delay_us, len(self.sent), receiver, segment)
                heapq.heappush(self._on_the_line, entry)


def listening(hosts: Hosts, backlog: int = 16) -> int:
    """A listener on the server; its descriptor."""
    fd = hosts.value(SERVER, Socket())
    hosts.value(SERVER, Bind(fd, SERVER_PORT))
    hosts.value(SERVER, Listen(fd, backlog))
    return fd


def connected(hosts: Hosts) -> tuple[int, int, int]:
    """One connection, accepted: descriptors of the client, the server's socket, and the listener."""
    listener = listening(hosts)
    fd = hosts.value(CLIENT, Socket())
    hosts.value(CLIENT, Bind(fd, CLIENT_PORT))
    assert hosts.call(CLIENT, Connect(fd, SERVER_PORT)) is None
    hosts.run(100 * MS)
    assert hosts.answer(CLIENT).reply == Reply(0)
    return fd, hosts.value(SERVER, Accept(listener)), listener
