"""The memory of the hosts of a run, and what a host does without memory.

Owns: whether the server has crashed, whether send() waits for pages, and the acts that follow. Refuses to
know: what is in use (resource_usage), what an act does to a pair (limits), and how an act reaches a
connection (admission).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tcpsim.host.census import Census, Crashed
from tcpsim.host.connection import Connection
from tcpsim.host.limits import SEND_FLOOR, Crash, Moderate, Reclaim
from tcpsim.host.resource_usage import Books
from tcpsim.host.shared_history import Act
from tcpsim.host.socket_accounting import View
from tcpsim.pair import Pair, Side
from tcpsim.tcp.state import Holder


class Memory:
    """What is left of it; `pair` tells the stacks of all sides."""

    def __init__(self, books: Books, census: Census, views: list[View], pair: Pair) -> None:
        self.books = books
        self.census = census
        self.views = views
        self.policy = pair.server.system.end.stack.out_of_memory
        self.down = False  # the server has crashed
        self.tight: list[Side] = []  # where send() waits for pages

    @property
    def takes_back(self) -> bool:
        """Whether running out may take away any connection's socket."""
        return self.books.limits["server"].bytes is not None and self.policy != "refuse"

    @property
    def refuses(self) -> bool:
        """Whether there is none for another socket of the server."""
        return self.policy != "crash" and self.books.full("server", "bytes")

    def at_birth(self) -> Iterator[Act]:
        """What befalls a connection that begins now."""
        if self.down:
            self.census.refused["server bytes"] += 1
            yield Crash("server")
        for side in self.tight:
            yield Moderate(side, SEND_FLOOR)

    def charged(self, now_us: int, alive: Iterable[Connection]) -> list[tuple[Connection, Act]]:
        """More or less is in use than before: who is acted on, of all that are `alive`, by age."""
        orders: list[tuple[Connection, Act]] = []
        if self.books.over("server", "bytes") and not self.down:
            orders += self._out_of_memory(now_us, alive)
        for side, limits in self.books.limits.items():
            limit = limits.pages
            used = self.books.used[side, "pages"]
            if limit is None:
                continue
            if used > limit and side not in self.tight:
                self.tight.append(side)
                orders += [(one, Moderate(side, SEND_FLOOR)) for one in alive]
            elif used <= limit // 2 and side in self.tight:
                self.tight.remove(side)
                orders += [(one, Moderate(side, None)) for one in alive]
        return orders

    def _out_of_memory(self, now_us: int, alive: Iterable[Connection]) -> list[tuple[Connection, Act]]:
        """The server holds more than there is: a panic, or the oldest orphan makes room."""
        holding = [(one, self.views[one.moment.view].server) for one in alive]
        if self.policy == "crash":
            self.down = True
            lost = sum(bool(held) for _, held in holding)
            used = self.books.used["server", "bytes"]
            self.census.crashed = Crashed(now_us, "server", "bytes", used, lost)
            return [(one, Crash("server")) for one, _ in holding]
        if self.policy == "reset":
            for one, held in holding:
                if not one.orders and any(each.holder is Holder.ORPHAN for each in held):
                    self.census.refused["server bytes"] += 1
                    return [(one, Reclaim("server", Holder.ORPHAN))]
        return []


def heavy(view: View, side: Side) -> bool:
    """Whether an orphan has more queued than a FIN (Linux tcp_out_of_memory: over SOCK_MIN_SNDBUF)."""
    return any(each.holder is Holder.ORPHAN and each.pages > 1 for each in view.of(side))
