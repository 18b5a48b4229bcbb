"""Runs one pair to its end, and gives the verdict: the definition of a leak for a single run.

Owns: the loop over `advance`, and the verdict. Refuses to know: statistics over runs (measure) and every
other way a run could have gone (explore).

A pair without a next event never changes again. If every socket is CLOSED, it ended *clean*. If a socket is
not, it is a *permanent* leak, whatever the loss rate. A pair that still has events at the horizon is
*running*: its sockets may end later, or something may continue for ever, such as keepalive probes that a live
peer answers (a metastable leak: all of them would have to be lost).
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from tcpsim.pair import Held, Log, Pair, Side, advance, census, names, next_time, sockets_in_words
from tcpsim.pair.held_in_words import alive
from tcpsim.path import Chooser
from tcpsim.tcp.state import State


class Verdict(Enum):
    """How a run ended; ``str()`` is the word that tables and JSON use."""

    CLEAN = "clean"
    PERMANENT = "permanent"
    RUNNING = "running"

    def __str__(self) -> str:
        return self.value


class Ended(NamedTuple):
    """A run at its end. `t_us` is when the last thing happened, or the horizon if things go on."""

    pair: Pair
    t_us: int
    verdict: Verdict
    client: tuple[Held, ...]
    server: tuple[Held, ...]
    relays: tuple[tuple[Held, ...], ...] = ()  # what machines between hold

    @property
    def sides(self) -> tuple[Side, ...]:
        """The machines, from the client to the server."""
        return names(len(self.relays))

    def of(self, side: Side) -> tuple[Held, ...]:
        """What a machine holds."""
        return (self.client, *self.relays, self.server)[self.sides.index(side)]

    @property
    def half_open(self) -> bool:
        """One side has a connection and the other has none at all."""
        ours, theirs = alive(self.client), alive(self.server)
        lonely = ours or theirs if not (ours and theirs) else ()
        return self.verdict is Verdict.PERMANENT and any(held.state is State.ESTABLISHED for held in lonely)

    def describe(self) -> str:
        """One line: the verdict, and what each side holds."""
        words = str(self.verdict) + (", half-open" if self.half_open else "")
        if self.verdict is Verdict.RUNNING:
            words += " at the horizon"
        return f"{words}: {', '.join(f'{side} {sockets_in_words(self.of(side))}' for side in self.sides)}"


def run(pair: Pair, chooser: Chooser, horizon_us: int, log: Log | None = None) -> Ended:
    """Advance until nothing more happens, or until what happens next lies beyond the horizon."""
    next_us = next_time(pair)
    while next_us is not None and next_us <= horizon_us:
        pair = advance(pair, chooser, log)
        next_us = next_time(pair)
    return ended(pair, horizon_us)


def ended(pair: Pair, horizon_us: int) -> Ended:
    """The verdict on a pair that has nothing more to do up to the horizon."""
    client, *relays, server = (census(pair, side) for side in pair.names)
    held = client, server, tuple(relays)
    if next_time(pair) is not None:
        return Ended(pair, horizon_us, Verdict.RUNNING, *held)
    stays = any(map(alive, (client, server, *relays)))
    return Ended(pair, pair.now_us, Verdict.PERMANENT if stays else Verdict.CLEAN, *held)
