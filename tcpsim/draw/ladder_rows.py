"""The rows of a ladder: the events of one run as text, in their order, before they have a form.

Owns: the vocabulary that the text ladder and the drawn ladder share. Refuses to know: columns, colours,
and how a run reports itself (`event_text` turns the events of a pair into a story).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Side = str  # the name of a machine
SIDES: tuple[Side, Side] = ("client", "server")

Kind = Literal["state", "send", "arrive", "timer", "call", "note", "end"]


def other(side: Side) -> Side:
    """Who hears what `side` sends."""
    return "server" if side == "client" else "client"


class Flight(NamedTuple):
    """One segment on its way: what to write on its arrow, and why it got lost, if it did."""

    sender: Side
    label: str
    short: str  # for where there is no room for the label
    minor: bool = False  # a pure acknowledgement: the arrow that may be interrupted first
    lost: str | None = None
    remark: str = ""  # what more there is to say of the loss, below the arrow
    leg: int = 0  # the path that it is on: from lifeline `leg` to the next one, or back


class Item(NamedTuple):
    """One happening on one side. `flight` indexes `Story.flights` for "send" and "arrive".

    `who` is the process that makes a "call", or the connection whose "state" it is, each counted from 1.
    "end" is the end of the machine: whatever state a socket had, it has none from here on.
    """

    t_us: int
    side: Side
    kind: Kind
    text: str = ""
    flight: int = -1
    who: int = 0


class Story(NamedTuple):
    """A run, told: `items` in the order in which they came about (never backwards in time)."""

    items: tuple[Item, ...]
    flights: tuple[Flight, ...]
    titles: tuple[str, ...] = ("client", "server")
    end_us: int | None = None  # how long the run went on after the last item; None: nothing is left to happen
    sides: tuple[Side, ...] = SIDES  # whose lifelines there are, from left to right

    def rightwards(self, flight: Flight) -> bool:
        """Whether a segment goes from left to right."""
        return flight.sender == self.sides[flight.leg]

    def hearer(self, flight: Flight) -> Side:
        """The machine that a segment goes to."""
        return self.sides[flight.leg + self.rightwards(flight)]
