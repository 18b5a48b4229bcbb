"""A client's connection pool, as in HTTP libraries and database pools.

Owns: check-out and check-in, who waits when no connection is free, how long a connection may be idle, what is
checked before it is used, and what follows an error. Refuses to know: what the requests are for (browser, or
the `Requests` here), and how a connection behaves by itself (shared_history).

The last connection that was given back is the first to be used, as in urllib3 (a LifoQueue) and Go's
net/http. So under a low load, the others grow old. A pool checks its idle connections when it takes one, or
every few seconds, or never. A library that does not check learns of a closed connection from an error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from tcpsim.app.driven import Order
from tcpsim.errors import InputError, checked
from tcpsim.host.admission import Governor
from tcpsim.host.connection_owner import Line, Lines, Tell
from tcpsim.host.shared_history import Act
from tcpsim.path import Seeded
from tcpsim.path.chance import chance
from tcpsim.units import parse_probability

_CLOSE = Tell(Order.CLOSE)


@checked
class PoolConfig(NamedTuple):
    """How a pool keeps its connections.

    `size`: how many there may be; further requests wait for one, for `patience_us` (None: for ever).
    `requests`: how many the server answers on one (MaxKeepAliveRequests; 1: KeepAlive Off; None: any
    number), which its headers tell. `idle_us`: one that has been idle for so long is closed. `looks_us`: how
    often all idle ones are looked at, so that those which the server has closed are closed too. `checks`: one
    is looked at before it is used; `abandons`: what is then found closed is left as it is, the bug of
    Apache's page. `tries`: how often a request is sent at most, if the connection fails.
    """

    size: int = 10
    requests: int | None = 100
    patience_us: int | None = None
    idle_us: int | None = None
    looks_us: int | None = None
    checks: bool = True
    abandons: bool = False
    tries: int = 1

    def check(self) -> None:
        """Raises InputError for a pool that cannot work."""
        for name, value in (("size", self.size), ("requests", self.requests), ("tries", self.tries)):
            if value is not None and value < 1:
                raise InputError(f"pool.{name}", value, "an integer >= 1")
        if self.looks_us is not None and self.looks_us < 1:
            raise InputError("pool.looks_us", self.looks_us, "a time above zero")


class Request:
    """One request, and whom to tell how it ended: "answered", an errno, "EOF", or what it did not get."""

    __slots__ = ("forgets", "tell", "tried")

    def __init__(self, tell: Callable[[str], None], forgets: bool = False) -> None:
        self.tell = tell
        self.forgets = forgets  # its caller never gives the connection back
        self.tried = 0


class Pool:
    """The connections of one client to one server."""

    def __init__(self, config: PoolConfig, lines: Lines) -> None:
        self.config = config
        self.lines = lines
        self.env = lines.governor.env
        self.stumbles = lines.governor.census.experience.stumbles
        self.members: dict[Line, Request | None] = {}  # all that are the pool's, and who has each
        self.idle: list[Line] = []  # the last one given back comes last
        self.forgotten: set[Line] = set()  # whose callers will never give them back
        self.abandoned: list[Line] = []
        self.waiting: deque[Request] = deque()

    def ask(self, request: Request) -> None:
        """A request wants a connection."""
        self.waiting.append(request)
        if self.config.patience_us is not None:
            self._later(self.config.patience_us, lambda: self._impatient(request))
        self._serve()

    def _serve(self) -> None:
        """Connections to those that wait, as far as there are any or may be more."""
        while self.waiting:
            line = self._take()
            if line is not None:
                request = self.waiting.popleft()
                request.tried += 1
                self.members[line] = request
                line.ask(last=line.asked + 1 == self.config.requests)
            elif not self._open():
                return

    def _take(self) -> Line | None:
        """An idle connection, to the best of the pool's knowledge."""
        while self.idle:
            line = self.idle.pop()
            if not (line.dead and self.config.checks):
                return line
            self._drop(line)
        return None

    def _open(self) -> bool:
        """One more connection, if somebody waits for it; or, if the host refuses, one request less."""
        opening = sum(not line.up for line in self.members)
        if opening >= len(self.waiting) or len(self.members) >= self.config.size:
            return False
        line = self.lines.open(self)
        if line is None:
            self.waiting.popleft().tell("no socket")
            return True
        self.members[line] = None
        return True

    def _drop(self, line: Line) -> None:
        """A connection is no longer the pool's: closed, or left as it is."""
        del self.members[line]
        if line.dead and self.config.abandons:
            self.abandoned.append(line)
        else:
            line.act(_CLOSE)

    def leave(self, act: Act) -> None:
        """The client quits, or its machine goes: whatever it still holds goes with it."""
        for line in (*self.members, *self.abandoned):
            line.act(act)
        self.members, self.idle, self.abandoned = {}, [], []

    def free(self, line: Line) -> None:
        """A connection is open, or its caller is done with it."""
        if line in self.forgotten:
            return
        self.idle.append(line)
        self._serve()
        if self.config.idle_us is not None and not line.asking:
            asked = line.asked
            self._later(self.config.idle_us, lambda: self._retire(line, asked))

    def answered(self, line: Line) -> None:
        """A request has its response."""
        request = self.members[line]
        assert request is not None
        self.members[line] = None
        if request.forgets:
            self.forgotten.add(line)
        request.tell("answered")

    def closed(self, line: Line) -> None:
        """The server has closed an idle connection; the pool learns of it when it looks."""
        every_us = self.config.looks_us
        if every_us is not None:
            age_us = int(self.env.now) - line.opened_us
            self._later(every_us - age_us % every_us, lambda: self._retire(line, line.asked))

    def over(self, line: Line, error: str | None) -> None:
        """A connection has ended, by an error or after its last response."""
        if line not in self.members:
            return  # abandoned, and now its process is gone
        request = self.members.pop(line)
        self.forgotten.discard(line)
        if line in self.idle:
            self.idle.remove(line)
        if error is not None:
            self.stumbles[error, line.asked > 1] += 1
            if request is not None and request.tried < self.config.tries:
                self.waiting.appendleft(request)
            elif request is not None:
                request.tell(error)
            elif self.waiting and not line.up:
                self.waiting.popleft().tell(error)
        self._serve()

    def _retire(self, line: Line, asked: int) -> None:
        """An idle connection is closed, unless it has been used since."""
        if line in self.idle and line.asked == asked:
            self.idle.remove(line)
            self._drop(line)

    def _impatient(self, request: Request) -> None:
        if request in self.waiting:
            self.waiting.remove(request)
            request.tell("no connection")

    def _later(self, wait_us: int, do: Callable[[], None]) -> None:
        self.env.timeout(wait_us).callbacks.append(lambda _: do())


@checked
class Requests(NamedTuple):
    """Users whose every arrival is one request, over a pool that all share or each over one of its own.

    `forgets`: the probability that a caller never gives its connection back.
    """

    config: PoolConfig = PoolConfig()
    shared: bool = True
    forgets: float = 0.0

    def check(self) -> None:
        """Raises InputError for a pool that cannot work, or no probability."""
        self.config.check()
        parse_probability(self.forgets, "forgets")

    def start(self, governor: Governor, seed: int) -> Callable[[int], None]:
        """What to do at each arrival."""
        lines, luck = Lines(governor, seed), Seeded(seed, purpose=b"callers")
        common = Pool(self.config, lines)
        experience, env = governor.census.experience, governor.env
        forgetting = chance("caller", "forgets", self.forgets)

        def come(number: int) -> None:
            began_us = int(env.now)
            experience.asked += 1
            request = Request(
                lambda outcome: experience.ended(began_us, int(env.now), outcome),
                bool(luck.choose(forgetting)),
            )
            (common if self.shared else Pool(self.config, lines)).ask(request)

        return come
