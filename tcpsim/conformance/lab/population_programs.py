"""The programs of a recorded population: all clients in one process, the server in another.

Owns: what a client and the server do with each connection, in one loop over many sockets, and what they saw.
Refuses to know: how the hosts are connected, and what is counted (population).
"""

from __future__ import annotations

import errno
import heapq
import json
import os
import select
import socket
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, NoReturn

from tcpsim.conformance.lab.recording import ADDRESS
from tcpsim.conformance.populations.schema import Config

PORT: Final = 7_000
FIRST_PORT: Final = 10_000  # of the clients: no port is used twice
_BACKLOG: Final = 4_096
_PIECE: Final = 1 << 16


class Plan(NamedTuple):
    """One connection to come: when, whether its client ever closes, how long each side thinks."""

    at_s: float
    closes: bool
    client_s: float
    server_s: float


class Loop:
    """One process with many sockets: what is ready, and what is due."""

    def __init__(
        self, config: Config, plans: Sequence[Plan], clock_us: Callable[[], int], post: socket.socket
    ) -> None:
        self.config = config
        self.plans = plans
        self.clock_us = clock_us
        self.post = post
        self.poll = select.epoll()
        self.due: list[tuple[float, int, str, Any]] = []
        self.number = 0

    def at(self, at_s: float, what: str, whom: Any) -> None:
        self.number += 1
        heapq.heappush(self.due, (at_s, self.number, what, whom))

    def live(self) -> NoReturn:
        self.poll.register(self.post, select.EPOLLIN)
        while True:
            now_s = self.clock_us() / 1e6
            wait_s = self.due[0][0] - now_s if self.due else 1.0
            for descriptor, events in self.poll.poll(max(0.0, wait_s)):
                if descriptor == self.post.fileno():
                    answer_and_go(self.post, self.told())
                self.ready(descriptor, events)
            while self.due and self.due[0][0] <= self.clock_us() / 1e6:
                _, _, what, whom = heapq.heappop(self.due)
                getattr(self, what)(whom)

    def ready(self, descriptor: int, events: int) -> None:
        raise NotImplementedError

    def told(self) -> Any:
        raise NotImplementedError


class _Client:
    """A connection as its program sees it."""

    __slots__ = ("connected", "eof", "error", "plan", "read", "socket")

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.socket: socket.socket | None = None
        self.connected = self.eof = False
        self.error = "-"
        self.read = 0


class Clients(Loop):
    """All clients: connect, think, ask, read to the end, and close, or never."""

    def __init__(
        self, config: Config, plans: Sequence[Plan], clock_us: Callable[[], int], post: socket.socket
    ) -> None:
        super().__init__(config, plans, clock_us, post)
        self.all = [_Client(plan) for plan in self.plans]
        self.by_descriptor: dict[int, _Client] = {}
        for number, plan in enumerate(self.plans):
            self.at(plan.at_s, "connect", number)

    def connect(self, number: int) -> None:
        one = self.all[number]
        one.socket = here = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        here.bind((ADDRESS["client"], FIRST_PORT + number))
        if self.config.ka is not None and (self.config.ka_all or not one.plan.closes):
            here.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            for name, value in zip(names, self.config.ka, strict=True):
                here.setsockopt(socket.IPPROTO_TCP, name, value)
        here.connect_ex((ADDRESS["server"], PORT))
        self.by_descriptor[here.fileno()] = one
        self.poll.register(here, select.EPOLLOUT)

    def ready(self, descriptor: int, events: int) -> None:
        one = self.by_descriptor.get(descriptor)
        if one is None or one.socket is None:
            return
        if not one.connected:
            error = one.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                self.fail(one, "connect", error)
                return
            one.connected = True
            self.poll.modify(one.socket, select.EPOLLIN)
            self.at(self.clock_us() / 1e6 + one.plan.client_s, "ask", one)
            return
        try:
            octets = one.socket.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(one, "recv", error.errno or 0)
            return
        one.read += len(octets)
        if not octets:
            one.eof = True
            self.poll.unregister(one.socket)
            if one.plan.closes:
                self.at(self.clock_us() / 1e6 + self.config.close_ms / 1e3, "close", one)

    def ask(self, one: _Client) -> None:
        if one.socket is not None and one.error == "-":
            try:
                one.socket.send(bytes(self.config.req))
            except OSError as error:
                self.fail(one, "send", error.errno or 0)

    def close(self, one: _Client) -> None:
        if one.socket is not None:
            del self.by_descriptor[one.socket.fileno()]
            one.socket.close()
            one.socket = None

    def fail(self, one: _Client, call: str, number: int) -> None:
        """The first error is remembered; a client that closes does so now."""
        one.error = f"{call}:{_errno(number)}"
        assert one.socket is not None
        with suppress(OSError):
            self.poll.unregister(one.socket)
        if one.plan.closes:
            self.close(one)

    def told(self) -> list[dict[str, Any]]:
        for one in self.all:
            if one.socket is not None and one.eof and one.error == "-":
                number = one.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if number:
                    one.error = f"idle:{_errno(number)}"
        return [
            {
                "open": one.socket is not None,
                "connected": one.connected,
                "response": one.read >= self.config.resp,
                "eof": one.eof,
                "error": one.error,
            }
            for one in self.all
        ]


class Server(Loop):
    """Accept, read a request, think, answer, close."""

    def __init__(
        self, config: Config, plans: Sequence[Plan], clock_us: Callable[[], int], post: socket.socket
    ) -> None:
        super().__init__(config, plans, clock_us, post)
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.listener.bind((ADDRESS["server"], PORT))
        self.listener.listen(_BACKLOG)
        self.poll.register(self.listener, select.EPOLLIN)
        self.open: dict[int, tuple[socket.socket, int]] = {}
        self.read: Counter[int] = Counter()
        self.errors: dict[int, str] = {}

    def ready(self, descriptor: int, events: int) -> None:
        if descriptor == self.listener.fileno():
            with suppress(BlockingIOError):
                while True:
                    one, (_, port) = self.listener.accept()
                    one.setblocking(False)
                    self.open[one.fileno()] = one, port
                    self.poll.register(one, select.EPOLLIN)
        elif descriptor in self.open:
            one, port = self.open[descriptor]
            try:
                octets = one.recv(_PIECE)
            except BlockingIOError:
                return
            except OSError as error:
                self.errors[port] = f"recv:{_errno(error.errno or 0)}"
                self.end(one)
                return
            self.read[port] += len(octets)
            if not octets:
                self.end(one)
            elif self.read[port] >= self.config.req:
                self.poll.unregister(one)
                plan = self.plans[port - FIRST_PORT]
                self.at(self.clock_us() / 1e6 + plan.server_s, "answer", one)

    def answer(self, one: socket.socket) -> None:
        try:
            one.send(bytes(self.config.resp))
        except OSError as error:
            self.errors[self.open[one.fileno()][1]] = f"send:{_errno(error.errno or 0)}"
        self.end(one)

    def end(self, one: socket.socket) -> None:
        del self.open[one.fileno()]
        one.close()

    def told(self) -> dict[int, str]:
        return self.errors


def _errno(number: int) -> str:
    return errno.errorcode.get(number, str(number))


def tell(post: socket.socket, message: Any) -> None:
    content = json.dumps(message).encode()
    post.sendall(struct.pack("=I", len(content)) + content)


def answer_and_go(post: socket.socket, message: Any) -> NoReturn:
    """Wait until somebody asks, tell, and go."""
    post.recv(1)
    tell(post, message)
    os._exit(0)


def ask(post: socket.socket) -> Any:
    """Ask a process, and hear it."""
    post.send(b"?")
    with post.makefile("rb") as file:
        (length,) = struct.unpack("=I", file.read(4))
        message = json.loads(file.read(length))
    if isinstance(message, dict) and "error" in message:
        raise RuntimeError(message["error"])
    return message
