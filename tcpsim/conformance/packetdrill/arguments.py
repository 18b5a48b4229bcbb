"""The arguments of a system call in a script, and the requests to the endpoint that follow from them.

Owns: reading an argument as a number or a descriptor, the error if it is none, and the comparison of values
that are returned through an argument. Refuses to know: any single call (calls, transfers, sockopts).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tcpsim import sockets
from tcpsim.conformance.packetdrill.constants import NUMBERS, errno_name, number
from tcpsim.conformance.packetdrill.dialect import Dialect
from tcpsim.conformance.packetdrill.script import (
    Call,
    Ellipsis_,
    Expression,
    Items,
    Name,
    Place,
    ScriptError,
    Struct,
    Unsupported,
)
from tcpsim.sockets import Reply

PORT = 8080  # of "..." in bind() and connect()


class Asked(NamedTuple):
    """What to do for one call of the script."""

    call: sockets.Call
    nonblocking: bool = False  # for this call only
    opens: bool = False  # the result is a descriptor
    then_nonblocking: bool = False  # the new descriptor is
    result: Callable[[Reply], int] = lambda reply: reply.value if isinstance(reply.value, int) else 0
    differs: Callable[[Reply], str | None] = lambda reply: None  # what came back through an argument


class GetFlags(NamedTuple):
    """fcntl(F_GETFL): answered by the replayer, which knows the dialect's numbers."""

    fd: int


class Refused(NamedTuple):
    """What no system of the endpoint's kind does: answered with this errno by the replayer."""

    errno: str


class TcpInfo(NamedTuple):
    """getsockopt(TCP_INFO): the fields that have to have these values."""

    fields: tuple[tuple[str, int], ...]


class Arguments:
    """The arguments of one call, each with its place; `fd` maps the script's descriptors."""

    def __init__(self, call: Call, place: Place, fd: Callable[[int], int], dialect: Dialect) -> None:
        self.call = call
        self.place = place
        self.live_fd = fd
        self.dialect = dialect

    def count(self, least: int, most: int | None = None) -> None:
        """Raise unless there are so many."""
        found = len(self.call.arguments)
        if not least <= found <= (most or least):
            expected = f"{least}" if most in (None, least) else f"{least} to {most}"
            raise ScriptError(
                self.place,
                f"runtime error in {self.call.name} call: Bad number of arguments: "
                f"expected {expected}, got {found}",
            )

    def __getitem__(self, index: int) -> Expression:
        return self.call.arguments[index]

    def at(self, index: int) -> Place:
        return self.call.places[index]

    def number(self, index: int) -> int:
        return number(self[index], self.at(index))

    def fd(self) -> int:
        """The first argument, as the endpoint's descriptor."""
        return self.live_fd(self.number(0))

    def unsupported(self, index: int, what: str) -> Unsupported:
        return Unsupported(self.at(index), f"{self.call.name}(): {what}")


What = Asked | GetFlags | Refused | TcpInfo
Rule = Callable[[Arguments], What]


def out_differs(a: Arguments, index: int, live: object) -> str | None:
    """How what came back differs from the script's argument."""
    wanted = a[index]
    if isinstance(wanted, Items) and len(wanted.items) == 1:
        wanted = wanted.items[0]
    if isinstance(wanted, Ellipsis_):
        return None
    expected: object
    if isinstance(wanted, Struct):
        onoff = wanted.get("onoff"), wanted.get("linger")
        expected = f"{{onoff={_shown(onoff[0])}, linger={_shown(onoff[1])}}}"
    elif isinstance(wanted, Name) and wanted.name.startswith("E") and wanted.name not in NUMBERS:
        expected = errno_name(wanted.name, a.at(index))
    else:
        expected = number(wanted, a.at(index))
    if expected == live:
        return None
    return f"Bad {a.call.name} value: expected: {expected} actual: {live}"


def _shown(part: Any) -> str:
    return "..." if part is None else str(part)
