"""The content of a dump, whatever command printed it: sockets, tracked flows and counters.

Owns: the values. Refuses to know: any format.

A field that the format does not show is None. A field that it shows as empty is empty. The difference
matters: `ss -tan` does not show the owner of a socket, and `ss -tanp` as root shows that there is none.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from tcpsim.tcp.state import State


class Address(NamedTuple):
    """A host and a port; an IPv4 address that is mapped into IPv6 is IPv4.

    `port` is None for any port, for a service whose number is not known, and where the column cut it off.
    """

    host: str
    port: int | None

    @property
    def any(self) -> bool:
        """Every address of the host."""
        return self.host in ("*", "0.0.0.0", "::", "")


class Owner(NamedTuple):
    """A process that holds a descriptor of the socket."""

    name: str
    pid: int | None
    fd: int | None = None


class Timer(NamedTuple):
    """What the timer column says. The time left is from `left_us` up to `left_us` + `step_us`.

    `kind` is the word of `ss`: "on" (retransmission), "keepalive", "timewait", "persist". `fired` is how
    often it has fired since there was progress.
    """

    kind: str
    left_us: int
    step_us: int
    fired: int


class Socket(NamedTuple):
    """One line of a dump. `owners` is None where the format does not show them."""

    line: int
    state: State
    local: Address
    peer: Address
    recv_q: int | None = None
    send_q: int | None = None
    owners: tuple[Owner, ...] | None = None
    timer: Timer | None = None
    inode: int | None = None
    rto_us: int | None = None


class Flow(NamedTuple):
    """One TCP entry of a connection tracker."""

    line: int
    state: str
    left_s: int | None
    source: Address
    target: Address
    replied: bool


# Kinds of lines; every line of a text is exactly one of them.
SOCKET, FLOW, COUNTER, SETTING = "sockets", "flows", "counters", "settings"
HEADER, REMARK, OTHER, BLANK, UNREAD = "headers", "remarks", "other protocols", "blank", "unread"
KINDS = (SOCKET, FLOW, COUNTER, SETTING, HEADER, REMARK, OTHER, BLANK, UNREAD)
CONTINUED = "continuations"  # the rest of a socket's line


@dataclass(slots=True)
class Dump:
    """One text, read."""

    name: str
    sockets: list[Socket] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)  # by the names of /proc and nstat
    settings: dict[str, str] = field(default_factory=dict)  # sysctls, by their full names
    remarks: list[str] = field(default_factory=list)  # what a kernel's log or a reporter says between
    lines: Counter[str] = field(default_factory=Counter)  # how many lines are of which kind
    unread: list[tuple[int, str]] = field(default_factory=list)  # the first of them, by number
    formats: Counter[str] = field(default_factory=Counter)  # how many sockets came in which format
    shows: set[str] = field(default_factory=set)  # "owners", "timers", "listeners", "queues"
    partly: bool = False  # owners of other users' sockets are hidden
    more: int = 0  # lines that somebody cut out, as a line of the text says
    more_at: int | None = None  # and the number of that line
    taken_us: int | None = None  # when, if the text says so, on the clock of `date`
    system: str | None = None  # "linux", "freebsd", "macos", "windows", where the format tells

    @property
    def total(self) -> int:
        """How many lines there are."""
        return sum(self.lines.values())
