"""The limits of a server, how much of each a load uses, and when it is met.

Owns: the resources of one server process and its kernel, by the names that operators use. Refuses to
know: what may be done about it (remedies). The numbers that nobody gives are those of the stack's
profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from tcpsim.errors import InputError
from tcpsim.explore.curves import Look, Value
from tcpsim.planning.load import Load
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import Holder, State

STANDARD_FDS: Final = 4  # standard input, output and error, and the listener
BAND: Final = (0.025, 0.5, 0.975)
_FIN_QUEUED = (State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK)

SYMPTOMS: Final[Mapping[str, str]] = {
    "nofile": "accept() fails with EMFILE, too many open files; the accept queue fills up",
    "orphans": "TCP: too many orphaned sockets: the kernel resets connections that are closing",
    "tw": "TIME-WAIT ends early (TCPTimeWaitOverflow)",
    "pages": "TCP: out of memory, consider tuning tcp_mem",
    "ports": "connect() fails with EADDRNOTAVAIL on the one host that connects",
}


class Resource(NamedTuple):
    """What there is of something, and what a look uses of it."""

    name: str
    amount: int
    value: Value
    given: bool  # said by the user, not read from the profile


class Met(NamedTuple):
    """A limit: use at the end with its 95 % band, growth per second, when it is met (None: not here)."""

    name: str
    amount: int
    given: bool
    mean: float
    low: int
    high: int
    growth: float
    times_us: tuple[int | None, int | None, int | None]

    @property
    def met(self) -> bool:
        """Whether it is rather met than not."""
        return self.times_us[1] is not None


def resources(stack: Stack, limits: Mapping[str, int]) -> list[Resource]:
    """What the server has.

    Raises:
        InputError: a limit that is not known.
    """
    own: dict[str, tuple[int | None, Value]] = {
        "nofile": (stack.nofile, _descriptors),
        "orphans": (stack.max_orphans, _holder(Holder.ORPHAN)),
        "tw": (stack.max_mini, _holder(Holder.MINI)),
        "pages": (stack.memory_pages, _pages(stack)),
        "ports": (None, client_ports),
    }
    for name in limits:
        if name not in own:
            raise InputError("limits", name, ", ".join(own))
    found = []
    for name, (usual, value) in own.items():
        amount = limits.get(name, usual)
        if amount:
            found.append(Resource(name, amount, value, name in limits))
    return found


def judged(load: Load, each: Resource) -> Met:
    """How a load uses a resource."""
    spare = STANDARD_FDS if each.name == "nofile" else 0
    law = load.law(each.value, load.until_us)
    low, high = law.between(BAND[2] - BAND[0])
    times = tuple(load.met_by(each.value, each.amount - spare + 1, share) for share in BAND)
    mean = load.mean(each.value, load.until_us) + spare
    band = low + spare, high + spare
    quantiles = times[0], times[1], times[2]
    return Met(each.name, each.amount, each.given, mean, *band, load.growth(each.value), quantiles)


def _descriptors(look: Look) -> int:
    return look.sockets("server", None, None, True)


def client_ports(look: Look) -> int:
    """Ports that the client's host uses: every socket but a CLOSED one holds one."""
    return sum(each.state is not State.CLOSED for each in look.client)


def _holder(holder: Holder) -> Value:
    return lambda look: look.sockets("server", None, holder, None)


def _pages(stack: Stack) -> Value:
    """Pages of queues, at most: a FIN that a program may have read counts as unread."""

    def value(look: Look) -> int:
        total = 0
        for each in look.server:
            segments = -(-each.readable // stack.mss) + -(-each.unacked // stack.mss)
            if each.state in _FIN_QUEUED and each.holder is not Holder.MINI:
                segments += 1
            total += stack.memory.pages(each.readable + each.unacked, segments)
        return total

    return value
