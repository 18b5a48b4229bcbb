"""A packetdrill script as values, which the parser creates.

Owns: the types of the script's parts, each with its place in the file, and how a packet is written
back. Refuses to know: how text is read (parser) and what any of it does (replay).

Numbers are the script's own: sequence numbers relative to the endpoint's first SYN for what it sends,
to nothing for what it is sent; times in microseconds.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """Where in the file: line and column, both from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


class ScriptError(ValueError):
    """The script is wrong: it cannot be read, or asks for what does not exist."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


class Unsupported(Exception):
    """The script is right, but asks for what this endpoint or this player has not."""

    def __init__(self, place: Place, what: str) -> None:
        super().__init__(what)
        self.place = place
        self.what = what


class When(NamedTuple):
    """The time of an event. `us` counts from the script's start, or from the event before if `relative`."""

    relative: bool = False
    us: int = 0
    any: bool = False  # "*"
    until_us: int | None = None  # the end of a range "a~b"
    returns_us: int | None = None  # when a blocking call "a...b" returns


class Sequence(NamedTuple):
    """``start:end(len)``; `start` None is ``...(len)``: any number."""

    start: int | None
    end: int
    len: int


class Option(NamedTuple):
    """One TCP option: its name, its numbers, and the text it was written as."""

    kind: str  # mss sackOK TS nop eol wscale sack, or a name that the endpoint does not speak
    values: tuple[int, ...] = ()
    text: str = ""


class TcpPacket(NamedTuple):
    """One TCP segment. None: not written, so sent as 0 and not checked when received."""

    inbound: bool
    flags: str  # as in the script: letters of SFRPUEWA and "." for ACK; "-" for none
    seq: Sequence
    ack: int | None = None
    win: int | None = None
    urgent: int | None = None
    options: tuple[Option, ...] | None = ()  # None: "<...>", not checked
    ip: tuple[str, ...] = ()  # words in brackets before the flags
    ports: tuple[int, int] | None = None  # source and destination, where the script names them


class IcmpPacket(NamedTuple):
    """An ICMP message about a segment of the endpoint."""

    inbound: bool
    type: str
    code: str = ""
    mtu: int | None = None
    quoted: Sequence | None = None
    ip: tuple[str, ...] = ()


class Ellipsis_(NamedTuple):
    """``...``: not checked, or whatever is needed."""


class Name(NamedTuple):
    """A constant such as SOL_SOCKET, or an errno."""

    name: str


class Text(NamedTuple):
    """A string in quotes."""

    text: str


class Either(NamedTuple):
    """Constants joined by ``|``."""

    parts: tuple[Expression, ...]


class Items(NamedTuple):
    """``[a, b]``."""

    items: tuple[Expression, ...]


class Struct(NamedTuple):
    """``{name=value, ...}``; a field without a name has an empty one."""

    fields: tuple[tuple[str, Expression], ...]

    def get(self, name: str) -> Expression | None:
        """The field called so."""
        return dict(self.fields).get(name)


class Apply(NamedTuple):
    """``htons(8080)``, ``inet_addr("...")``, ``msg_iov(1)``."""

    name: str
    arguments: tuple[Expression, ...]


Expression = int | Ellipsis_ | Name | Text | Either | Items | Struct | Apply


class Call(NamedTuple):
    """A system call and what it has to return; `errno` None after -1 accepts any."""

    name: str
    arguments: tuple[Expression, ...]
    places: tuple[Place, ...]  # of the arguments
    result: int | Ellipsis_
    errno: str | None = None
    note: str = ""


class Command(NamedTuple):
    """What stood between backticks."""

    text: str


class Code(NamedTuple):
    """What stood between ``%{`` and ``}%``: Python over tcp_info."""

    text: str


Doing = TcpPacket | IcmpPacket | Call | Command | Code


class Event(NamedTuple):
    """One thing that happens, or has to happen, at a time."""

    place: Place
    when: When
    what: Doing


class Setting(NamedTuple):
    """``--name=value``."""

    name: str
    value: str
    place: Place


class Script(NamedTuple):
    """A whole script."""

    options: tuple[Setting, ...]
    setup: tuple[tuple[Place, Command], ...]
    events: tuple[Event, ...]
    cleanup: tuple[tuple[Place, Command], ...]
    failure: str | None  # the pattern of "// Failure:", if the script has to fail


def spelt(packet: TcpPacket) -> str:
    """A packet as the script writes it."""
    seq = packet.seq
    numbers = f"...({seq.len})" if seq.start is None else f"{seq.start}:{seq.end}({seq.len})"
    words = [">" if not packet.inbound else "<", packet.flags, numbers]
    if packet.ack is not None:
        words.append(f"ack {packet.ack}")
    if packet.win is not None:
        words.append(f"win {packet.win}")
    if packet.options is None:
        words.append("<...>")
    elif packet.options:
        words.append("<" + ",".join(option.text for option in packet.options) + ">")
    return " ".join(words)
