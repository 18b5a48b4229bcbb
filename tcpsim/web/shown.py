"""What a reader sees of one step, in a form that holds no time and no past.

Owns: the template of a step. Refuses to know: which states it leads between (graph), and the words (draw).

A template names a segment by its place: first those that were under way when the step began, in the order of
arrival, then those that the step itself puts on the wire.
"""

from __future__ import annotations

from typing import NamedTuple

from tcpsim.draw.event_text import Teller
from tcpsim.draw.ladder_rows import Flight, Kind, Side
from tcpsim.explore.branch import Crossing
from tcpsim.pair import Answered, Sent
from tcpsim.path.path import Flight as UnderWay
from tcpsim.web.fates import Way


class Said(NamedTuple):
    """A call, a state, a timer, a remark, or the end of a machine, as in `draw.ladder_rows.Item`."""

    kind: Kind
    side: Side
    text: str
    who: int


class Sending(NamedTuple):
    """A segment is put on the wire; each copy arrives so long after. `made`: by a box on the path."""

    flight: Flight
    after_us: tuple[int, ...]
    made: bool = False


class Arriving(NamedTuple):
    """The segment of this place arrives."""

    side: Side
    place: int


class LostLate(NamedTuple):
    """The segment of this place is stopped where it was to arrive."""

    place: int
    lost: str
    remark: str


Shown = Said | Sending | Arriving | LostLate


class Step(NamedTuple):
    """What is seen of a step: which copies under way are lost on arrival; then all that happens, in order."""

    lost: tuple[int, ...]
    shown: tuple[Shown, ...]
    chosen: tuple[str, ...]


def step(teller: Teller, way: Way, now_us: int) -> tuple[Step, Teller]:
    """One way on, told by one who knows the past; and one who knows this step, too."""
    told = teller.copy()
    before = tuple(told.flights)
    lost = _copies(told, way)
    told.under_way = [copy for place, copy in enumerate(told.under_way) if place not in lost]
    told.instant(way.events)
    made = iter([event for event in way.events if isinstance(event, Answered) and event.arrives_us])
    sent = iter([event for event in way.events if isinstance(event, Sent)])
    sends = {item.flight for item in told.items if item.kind == "send"}
    shown: list[Shown] = []
    count = len(before)

    def new(behind: int) -> None:
        """Segments that this step puts on the wire, up to one."""
        nonlocal count
        for number in range(count, behind):
            event = next(sent) if number in sends else next(made)
            after_us = tuple([due_us - now_us for due_us in event.arrives_us])
            shown.append(Sending(told.flights[number], after_us, number not in sends))
        count = max(count, behind)

    for item in told.items:
        new(item.flight + 1)
        if item.kind == "arrive":
            shown.append(Arriving(item.side, item.flight))
        elif item.kind != "send":
            shown.append(Said(item.kind, item.side, item.text, item.who))
    new(len(told.flights))
    for place, (flight, now) in enumerate(zip(before, told.flights, strict=False)):
        if flight != now:
            shown.append(LostLate(place, now.lost or "lost", now.remark))
    told.under_way = [copy for copy in told.under_way if copy.due_us > now_us]
    return Step(lost, tuple(shown), way.chosen), told


def _copies(teller: Teller, way: Way) -> tuple[int, ...]:
    """Where the copies that are lost stand among those that the teller knows of."""
    found: list[int] = []
    for gone in way.dropped:
        found.append(
            next(
                place
                for place, copy in enumerate(teller.under_way)
                if (copy.due_us, copy.sender) == (gone.due_us, _sender(teller, gone))
                and copy.segment == gone.segment
                and place not in found
            )
        )
    return tuple(found)


def _sender(teller: Teller, gone: UnderWay | Crossing) -> Side:
    """The machine that sent what is under way; a `Crossing` says on which leg that is."""
    leg, end = (gone.leg, gone.end) if isinstance(gone, Crossing) else (0, gone.receiver)
    left, right = teller.sides[leg : leg + 2]
    return left if end == "server" else right
