"""The owner of a connection: what it can do with the connection, and what it learns about it.

Owns: the acts of an owner on a connection, and a line, which is a connection as its owner sees it. Refuses to
know: what owners want (pool, browser), what hosts allow (admission), and what a call returns (sockets).
Whether the server has closed is what poll() would say.

The program of a line is `obeys` (tcpsim.app.driven). Its owner gives orders when it learns of a change, or at
times of its own. Between two orders, the pair runs by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from tcpsim.app.driven import Order, awaits_order
from tcpsim.app.program import Running
from tcpsim.host.admission import Governor
from tcpsim.host.connection import Connection
from tcpsim.host.shared_history import Act, Luck
from tcpsim.pair import FIRST_PID, Kill, Pair, Resume, Vanish, call
from tcpsim.path import Chooser
from tcpsim.sockets import POLLERR, POLLHUP, POLLRDHUP
from tcpsim.sockets.poll import poll_bits
from tcpsim.sockets.processes import file_at

_GONE = POLLERR | POLLHUP | POLLRDHUP  # what poll() says of a connection whose other end has left


class Tell(NamedTuple):
    """An order to the client's program; nothing if somebody has killed it in the same instant."""

    order: Order

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        running = _program(pair)
        if running is None or not awaits_order(running):
            return pair
        return call(pair, "client", Resume(order=self.order), now_us, chooser)


class Quit(NamedTuple):
    """The client's program ends, and its kernel closes what it held; nothing if it is gone."""

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        return pair if _program(pair) is None else call(pair, "client", Kill(FIRST_PID), now_us, chooser)


class HangUp(NamedTuple):
    """The client's machine loses its line, or is switched off."""

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        return call(pair, "client", Vanish(), now_us, chooser)


class Users(Protocol):
    """Who comes instead of single connections, as a value."""

    def check(self) -> None:
        """Raises InputError if they make no sense."""

    def start(self, governor: Governor, seed: int) -> Callable[[int], None]:
        """Called at the birth of a run; what it returns is called with the number of each arrival."""


class Holder(Protocol):
    """What a line tells the one that holds it, at the instant it happens."""

    def free(self, line: Line) -> None:
        """It is open, and waits for an order."""

    def answered(self, line: Line) -> None:
        """The response is in; `free` or `over` follows."""

    def closed(self, line: Line) -> None:
        """A poll() would say now that the server has closed it, or that it is dead."""

    def over(self, line: Line, error: str | None) -> None:
        """The program has closed it and takes no more orders; `error`: why, an errno, EOF or "killed"."""


class Line:
    """One connection as its owner knows it."""

    def __init__(self, holder: Holder, governor: Governor) -> None:
        self.holder = holder
        self.governor = governor
        self.opened_us = int(governor.env.now)
        self.connection: Connection
        self.asked = 0  # requests so far
        self.up = False  # connect() has returned
        self.asking = False  # a response is owed
        self.dead = False  # poll() would say that the server has closed
        self.ended = False

    def ask(self, last: bool) -> None:
        """Send a request; with `last` the response is known to be the connection's last one."""
        self.asked += 1
        self.asking = True
        self.governor.order(self.connection, Tell(Order.ASK_LAST if last else Order.ASK))

    def act(self, act: Act) -> None:
        """Close it, or worse; nothing is owed and nothing is told any more."""
        self.asking = False
        self.ended = True
        self.governor.order(self.connection, act)

    def heed(self, one: Connection) -> None:
        """What has become of the connection."""
        if one.orders:
            return
        if self.ended:
            one.owner = None  # the last word has been said
            return
        pair = one.moment.pair
        running = _program(pair)
        if running is None:
            self._finish(one, "killed")
        elif running.finished:
            self._finish(one, running.error)
        elif awaits_order(running):
            fresh = self.asking or not self.up
            dead = _gone(pair, running)
            died = dead and not self.dead
            self.up, self.dead = True, dead
            if self.asking:
                self.asking = False
                self.holder.answered(self)
            if fresh:
                self.holder.free(self)
            if died and not self.asking and not self.ended:
                self.holder.closed(self)

    def _finish(self, one: Connection, error: str | None) -> None:
        one.owner = None
        self.ended = True
        if self.asking and error is None:
            self.asking = False
            self.holder.answered(self)
        self.holder.over(self, error)


class Lines:
    """Where lines come from: each connection draws from a stream of its own, by the order of opening."""

    def __init__(self, governor: Governor, seed: int) -> None:
        self.governor = governor
        self.seed = seed
        self.opened = 0

    def open(self, holder: Holder) -> Line | None:
        """A new connection, whose handshake begins now; None: the client's host has no socket for it."""
        line = Line(holder, self.governor)
        found = self.governor.admit(Luck(self.seed, self.opened), line)
        if found is None:
            return None
        self.opened += 1
        line.connection = found
        return line


def _program(pair: Pair) -> Running | None:
    return dict(pair.client.programs).get(FIRST_PID)


def _gone(pair: Pair, running: Running) -> bool:
    system = pair.client.system
    file_id = file_at(system, FIRST_PID, running.fds[0])
    return file_id is None or bool(poll_bits(system, system.files[file_id]) & _GONE)
