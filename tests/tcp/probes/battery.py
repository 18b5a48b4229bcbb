"""The battery: what registers a probe, and what probes of one connection are written with.

A probe drives real events on one profile and asserts what must be seen: segments and their times, results of
calls, how long a socket lives, what a host runs out of. Its docstring names the source of what it expects.
It says which fields of the profile it watches, and takes the profile as an argument, so that
`test_profile_mutations` can hand it one with a field changed.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any, NamedTuple

from tcpsim.tcp.segment import ACK, NO_OPTIONS, SYN, Options, Segment, flag_letters, parse_flags
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State
from tests.tcp.two_ends import CLIENT, MS, PORTS, SERVER, Line, S

__all__ = ["CLIENT", "MS", "PROBES", "SERVER", "Line", "Probe", "S", "probe"]


class Probe(NamedTuple):
    """One probe: the profile that it is true of, and the fields that it watches."""

    profile: str
    fields: frozenset[str]
    run: Callable[[Stack], None]


PROBES: list[Probe] = []
_Run = Callable[[Stack], None]


def probe(profile: str, *fields: str) -> Callable[[_Run], _Run]:
    """Register a function as a probe of `profile` that watches `fields`."""

    def register(run: _Run) -> _Run:
        PROBES.append(Probe(profile, frozenset(fields), run))
        return run

    return register


def turned(s: Stack, **knobs: Any) -> Stack:
    """The profile under test with fields set that the probe is not about."""
    return s.with_knobs(knobs)


def plain(s: Stack) -> Stack:
    """Without SACK there is no loss probe and no RACK: the retransmission timer alone."""
    return turned(s, sack=False)


def alone(line: Line) -> int:
    """From here on the peer hears and says nothing but what the probe injects; returns the time."""
    line.cut()
    return line.now


def sent_at(line: Line, side: str, since_us: int = 0) -> list[int]:
    """When `side` sent anything at all, in microseconds from `since_us`."""
    return [sent.t_us - since_us for sent in line.log(side, since_us)]


def after(*waits_ms: int) -> list[int]:
    """Times in microseconds: the first wait, then the others one after the other."""
    return [at * MS for at in accumulate(waits_ms)]


def doubling(first_ms: int, times: int, most_ms: int) -> list[int]:
    """Waits of an exponential back-off: each twice the one before, none above `most_ms`."""
    return [min(first_ms << step, most_ms) for step in range(times)]


def died_at(line: Line, side: str, since_us: int = 0) -> int:
    """When a socket of `side` became CLOSED, in microseconds from `since_us`."""
    ends = [n.t_us for n in line.notes if n.side == side and n.note.new is State.CLOSED != n.note.old]
    ends = [at - since_us for at in ends if at >= since_us]
    assert ends, "it lives"
    return ends[0]


def flags_of(answers: tuple[Segment, ...]) -> str:
    """The flags of the segments that answered one, in words: "A", "RA", "" where nothing did."""
    return " ".join(flag_letters(seg.flags) for seg in answers)


def knock(port: int, options: Options = NO_OPTIONS, flags: str = "S") -> Segment:
    """A SYN for the server, from a port of a client that is not there."""
    return Segment(port, PORTS[SERVER], parse_flags(flags), 5_000, 0, 0, 65_535, options)


def third_ack(syn_ack: Segment) -> Segment:
    """What completes the handshake that `syn_ack` answers."""
    assert syn_ack.flags & (SYN | ACK) == SYN | ACK
    return Segment(syn_ack.dst_port, syn_ack.src_port, ACK, syn_ack.ack, syn_ack.seq + 1, 0, 65_535)
