"""The events of a pair as the text of a ladder: every segment, state, timer and call.

Owns: which arrival belongs to which departure, which return belongs to which call, and which events get a
line. Refuses to know: the form (ladder, ladder_figure), and what a run means (measure).

A call that returns in the instant in which it was made is one line, ``recv(3, 4096) = 100``. A call that
blocks is two lines.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from tcpsim.draw.ladder_rows import SIDES, Flight, Item, Kind, Side, Story
from tcpsim.draw.segment_text import Numbers, call_words, is_minor, reply_words
from tcpsim.pair import (
    Answered,
    Arrived,
    Called,
    Event,
    Happened,
    Lost,
    Noted,
    Pair,
    Returned,
    Sent,
    StateChanged,
    TimerFired,
)
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.state import Holder, State


def titles(pair: Pair) -> tuple[str, ...]:
    """What stands above each lifeline: the machine and its stack."""
    ends = [machine.system.end for machine in pair.machines]
    return tuple([f"{side} ({end.stack.name})" for side, end in zip(pair.names, ends, strict=True)])


def tell(
    events: Sequence[Event],
    titles: tuple[str, ...] = ("client", "server"),
    end_us: int | None = None,
    sides: tuple[Side, ...] = SIDES,
) -> Story:
    """The story of one run; `end_us` is when it was left, None if nothing was left to happen.

    `sides` are the machines in a line, with a title each.
    """
    teller = Teller(sides)
    for _, instant in groupby(events, key=lambda event: event.t_us):
        teller.instant(tuple(instant))
    return Story(tuple(_named(teller.items)), tuple(teller.flights), titles, end_us, sides)


def _named(items: Sequence[Item]) -> Iterator[Item]:
    """Where a side has several processes or connections, each item says which one it is of."""
    crowded = {item.side for item in items if item.kind == "call" and item.who > 1}
    several = {item.side for item in items if item.kind == "state" and item.who > 1}
    for item in items:
        if item.kind == "call" and item.side in crowded:
            yield item._replace(text=f"[{item.who}] {item.text}")
        elif item.kind == "state" and item.side in several and item.who:
            yield item._replace(text=f"{item.text} #{item.who}")
        else:
            yield item


class UnderWay(NamedTuple):
    """A copy of a segment on its way: who sent it, when it arrives, and the number of its flight."""

    due_us: int
    sender: Side
    segment: Segment
    flight: int


class Teller:
    """Takes the events instant by instant, with what has to be remembered of earlier ones.

    `items` and `flights` are what was told so far. `under_way` is in the order of arrival.
    """

    def __init__(self, sides: tuple[Side, ...] = SIDES) -> None:
        self.sides = sides
        self.items: list[Item] = []
        self.flights: list[Flight] = []
        self.numbers = Numbers()
        self.under_way: list[UnderWay] = []
        self.connections: dict[Side, list[int]] = {side: [] for side in sides}
        self.remarked = ""
        self._sent: Sent | None = None
        self._unheard: Segment | None = None  # what a box sent and nobody hears, as told already
        self._answers: dict[int, Returned] = {}
        self._answering: set[int] = set()
        self._reasons: dict[int, str] = {}

    def copy(self) -> Teller:
        """Another teller of the same past, who has told no items yet, and only the flights under way."""
        twin = Teller(self.sides)
        twin.numbers = self.numbers.copy()
        new: dict[int, int] = {}
        for each in self.under_way:
            number = new.setdefault(each.flight, len(new))
            if number == len(twin.flights):
                twin.flights.append(self.flights[each.flight])
            twin.under_way.append(each._replace(flight=number))
        twin.connections = {side: list(known) for side, known in self.connections.items()}
        twin.remarked = self.remarked
        return twin

    def instant(self, events: Sequence[Event]) -> None:
        """All that happens at one time."""
        self._answers, self._answering = _answers(events)
        self._reasons = _reasons(events)
        for index, event in enumerate(events):
            self._take(index, event)

    def _take(self, index: int, event: Event) -> None:
        """One event becomes one item, or changes a flight, or is part of a line already told."""
        match event:
            case Sent():
                self._send(event)
            case Lost():
                self._lose(event)
            case Answered():
                self._answer(event)
            case Arrived():
                flight = self._claim(event, self._beyond(event), event.side)
                self._say(event, "arrive", "", flight)
            case StateChanged():
                text = self._state(event, self._reasons.get(index - 1))
                self._say(event, "state", text, who=self._which(event))
            case TimerFired():
                self._say(event, "timer", f"{event.timer} timer")
            case Noted() if index not in self._reasons:
                self._say(
                    event, "note", event.what if event.kind == "cause" else f"{event.kind}: {event.what}"
                )
            case Happened():
                gone = event.what in ("vanishes", "reboots")
                self._say(event, "end" if gone else "note", event.what)
            case Called():
                reply = self._answers.get(index)
                end = " ..." if reply is None else f" = {reply_words(event.call, reply.reply)}"
                self._say(event, "call", call_words(event.call) + end, who=event.pid)
            case Returned() if index not in self._answering:
                name = call_words(event.call).split("(")[0]
                text = f"{name} = {reply_words(event.call, event.reply)}"
                self._say(event, "call", text, who=event.pid)

    def _say(self, event: Event, kind: Kind, text: str, flight: int = -1, who: int = 0) -> None:
        """One more item."""
        self.items.append(Item(event.t_us, event.side, kind, text, flight, who))

    def _beyond(self, event: Sent | Lost | Arrived | Answered) -> Side:
        """The machine at the other end of the path."""
        left, right = self.sides[event.leg : event.leg + 2]
        return right if event.side == left else left

    def _flight(self, sender: Side, event: Sent | Lost | Arrived | Answered, hearer: Side) -> int:
        """A new flight."""
        label, short = self.numbers.label(sender, event.segment, hearer)
        self.flights.append(Flight(sender, label, short, is_minor(event.segment), leg=event.leg))
        return len(self.flights) - 1

    def _send(self, event: Sent) -> None:
        """A segment leaves: a flight, and one claim to it per copy that is on its way."""
        self._sent = event
        number = self._flight(event.side, event, self._beyond(event))
        for due_us in event.arrives_us:
            insort(self.under_way, UnderWay(due_us, event.side, event.segment, number), key=_due)
        self._say(event, "send", "", number)

    def _answer(self, event: Answered) -> None:
        """A box makes a segment, half way: its arrival is told, or that there will be none."""
        sender = self._beyond(event)
        if not event.arrives_us:
            label, _ = self.numbers.label(sender, event.segment, event.side)
            self._say(event, "note", f"lost: {label} of the {event.who}")
            self._unheard = event.segment
            return
        number = self._flight(sender, event, event.side)
        for due_us in event.arrives_us:
            insort(self.under_way, UnderWay(due_us, sender, event.segment, number), key=_due)

    def _lose(self, event: Lost) -> None:
        """A segment is lost as it is sent (a copy alone is not worth a word), or where it was to arrive."""
        if event.segment is self._unheard:
            self._unheard = None
            return
        sent = self._sent
        if sent is not None and event.segment is sent.segment and event.t_us == sent.t_us:
            if sent.arrives_us:
                return
            number = len(self.flights) - 1
        else:
            number = self._claim(event, event.side, self._beyond(event))
        who, colon, _ = event.why.partition(": ")
        remark = event.why if colon and event.why != self.remarked else ""  # said once in a row
        self.remarked = event.why
        self.flights[number] = self.flights[number]._replace(lost=who or "lost", remark=remark)

    def _claim(self, event: Lost | Arrived, sender: Side, hearer: Side) -> int:
        """The flight that brought this segment, or a new one where neither end has sent it.

        Of equal ones under way it is the one that is due now.
        """
        segment = event.segment
        alike = [
            place
            for place, each in enumerate(self.under_way)
            if each.sender == sender and each.segment == segment
        ]
        if alike:
            due = [place for place in alike if self.under_way[place].due_us == event.t_us]
            return self.under_way.pop((due or alike)[0]).flight
        return self._flight(sender, event, hearer)

    def _state(self, event: StateChanged, reason: str | None) -> str:
        """The new state, who pays for the socket if not the application, and why."""
        text = str(event.new if event.new is not None else State.CLOSED)
        if event.holder in (str(Holder.ORPHAN), str(Holder.MINI)) and event.new is not State.CLOSED:
            text += f" ({event.holder})"
        return text if reason is None else f"{text} ({reason})"

    def _which(self, event: StateChanged) -> int:
        """Which of its host's connections it is, from 1, in order of appearance; 0: a listener, or none."""
        known = self.connections[event.side]
        if event.socket not in known:
            if event.new in (None, State.LISTEN, State.CLOSED):
                return 0
            known.append(event.socket)
        return known.index(event.socket) + 1


def _due(copy: UnderWay) -> int:
    return copy.due_us


def _answers(events: Sequence[Event]) -> tuple[dict[int, Returned], set[int]]:
    """The return of each call that did not wait, by the index of the call; and the indices of those."""
    answers: dict[int, Returned] = {}
    answering: set[int] = set()
    open_calls: dict[tuple[Side, int], int] = {}
    for index, event in enumerate(events):
        if isinstance(event, Called):
            open_calls[event.side, event.pid] = index
        elif isinstance(event, Returned):
            made = open_calls.pop((event.side, event.pid), None)
            if made is not None and events[made].t_us == event.t_us:
                answers[made] = event
                answering.add(index)
    return answers, answering


def _reasons(events: Sequence[Event]) -> dict[int, str]:
    """Why a connection ended, where the next event is its end: told beside the state, by the note's index."""
    return {
        index: event.what
        for index, (event, after) in enumerate(pairwise(events))
        if isinstance(event, Noted)
        and event.kind == "cause"
        and isinstance(after, StateChanged)
        and (event.side, event.socket, event.t_us) == (after.side, after.socket, after.t_us)
    }
