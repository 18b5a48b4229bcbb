"""The process of one connection on which hosts and owners may act.

Owns: the record of the connection, and what an owner is. Refuses to know: who acts on it and when (admission,
memory, connection_owner).
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

import simpy

from tcpsim.host.shared_history import Act, Luck, Moment
from tcpsim.pair import Side


class Owner(Protocol):
    """Who has opened a connection and decides what becomes of it."""

    def heed(self, one: Connection) -> None:
        """The connection looks different from now on; called in that very instant."""


class Port:
    """One four-tuple of a host."""

    __slots__ = ("busy", "connection", "host")

    def __init__(self, host: int) -> None:
        self.host = host
        self.busy = False
        self.connection: Connection | None = None  # what lives on it, or has left something at the server


class Connection:
    """One connection under limits, or one that somebody gives orders to."""

    __slots__ = (
        "arrived", "born_us", "called", "lacked", "lacks", "luck", "moment", "no_flow", "orders", "owner",
        "port", "process", "queued", "shut", "turned",
    )  # fmt: skip

    def __init__(self, born_us: int, luck: Luck, moment: Moment, owner: Owner | None) -> None:
        self.owner = owner
        self.orders: deque[Act] = deque()
        self.born_us = born_us
        self.luck = luck
        self.moment = moment
        self.arrived = False  # its handshake is over
        self.queued: Side = ""  # whose accept queue it waits in for a worker and a descriptor
        self.called: Side = ""  # who has given it both
        self.lacks: tuple[Side, ...] = ()  # hosts between that know that they have nothing left for it
        self.lacked: tuple[str, ...] = ()  # what it has ever failed for on these
        self.shut = False  # its listener believes that the host takes no connection
        self.no_flow = False  # a full box has dropped what would have begun its flow
        self.turned = ""  # the resource for want of which that was so
        self.port: Port | None = None  # of its client's host, if that has a number of them
        self.process: simpy.Process

    def begins_anew(self, owner: Owner | None) -> None:
        """The next connection on the same port takes its place."""
        self.owner = owner
        self.arrived = self.shut = self.no_flow = False
        self.lacked = ()
        self.turned = ""
