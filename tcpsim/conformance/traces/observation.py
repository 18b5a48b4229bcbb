"""What happened on a connection, in one form for the kernel and for tcpsim.

Owns: the form. Refuses to know: where either comes from (schema, replay) and when two are alike (compare).
Side "client" is host A of a trace, "server" is host B. Numbers are relative to the initial ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tcpsim.path import Side
from tcpsim.tcp.state import Holder, State

_SIGN = 1 << 31


def relative(number: int, first: int | None) -> int | None:
    """A sequence number counted from an ISN; negative below it; None if that ISN was not seen.

    >>> relative(5, 4), relative(3, 4), relative(0, (1 << 32) - 1), relative(7, None)
    (1, -1, 1, None)
    """
    return None if first is None else (number - first + _SIGN) % (2 * _SIGN) - _SIGN


class Packet(NamedTuple):
    """A segment as its sender put it on the wire; `flags` in letters. None: the trace could not tell.

    `conn` counts the connections of a 4-tuple from 0.
    """

    t_us: int
    sender: Side
    flags: str
    seq: int | None
    ack: int | None
    len: int
    dropped: bool
    conn: int = 0

    @property
    def pure_ack(self) -> bool:
        """Whether it does nothing but acknowledge."""
        return self.flags == "A" and not self.len

    def __str__(self) -> str:
        ack = "" if self.ack is None else f" ack {self.ack}"
        octets = f" len {self.len}" if self.len else ""
        return f"{self.flags} seq {'?' if self.seq is None else self.seq}{ack}{octets}{' X' * self.dropped}"


class Stay(NamedTuple):
    """A socket comes into a state, or into other hands."""

    t_us: int
    state: State
    holder: Holder

    def __str__(self) -> str:
        return str(self.state) + ("" if self.holder is Holder.OWNED else f" ({self.holder})")


class Life(NamedTuple):
    """A socket of one side from its first state to its end; `gone_us` None: it was there to the last."""

    side: Side
    stays: tuple[Stay, ...]
    gone_us: int | None

    def steps(self) -> tuple[Stay, ...]:
        """The stays, and the end as a stay in CLOSED."""
        end = () if self.gone_us is None else (Stay(self.gone_us, State.CLOSED, Holder.OWNED),)
        return self.stays + end


class Answer(NamedTuple):
    """What a call returned, in words (errno, a number, poll bits), and when."""

    t_us: int
    said: str


class Record(NamedTuple):
    """Segments as sent, sockets in the order of their first states, answers by row of `app`."""

    packets: tuple[Packet, ...]
    lives: tuple[Life, ...]
    answers: Mapping[int, Answer]
