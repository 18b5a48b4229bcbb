"""The events of a pair, told as a story: every segment, state, timer and call in the words of the field.

Owns: which arrival belongs to which departure, which return to which call, and what is worth a line.
Refuses to know: the form (ladder, ladder_figure), and what a run means (measure).

A call that returns in the instant in which it was made is one line, ``recv(3, 4096) = 100``; one that blocks
is two.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tcpsim.draw.ladder_rows import Flight, Item, Kind, Side, Story, other
from tcpsim.draw.segment_text import Numbers, call_words, is_minor, reply_words
from tcpsim.pair import (
    Answered,
    Arrived,
    Called,
    Event,
    Happened,
    Lost,
    Noted,
    Returned,
    Sent,
    StateChanged,
    TimerFired,
)
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.state import Holder, State


def tell(
    events: Sequence[Event], titles: tuple[str, str] = ("client", "server"), end_us: int | None = None
) -> Story:
    """The story of one run; `end_us` is when it was left, None if nothing was left to happen."""
    teller = _Teller(events)
    for index, event in enumerate(events):
        teller.take(index, event)
    return Story(tuple(teller.items), tuple(teller.flights), titles, end_us)


class _Teller:
    """Takes the events one by one, with what has to be remembered of earlier ones."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.items: list[Item] = []
        self.flights: list[Flight] = []
        self.numbers = Numbers()
        self.under_way: list[tuple[Side, Segment, int]] = []  # who sent it, what, which flight
        self.sent: Sent
        self.unheard: Segment | None = None  # what a box sent and nobody hears, as told already
        self.remarked = ""
        self.answers, self.answering = _answers(events)
        calls = [event for event in events if isinstance(event, Called)]
        self.crowded = {call.side for call in calls if call.pid != 1}
        self.connections = _connections(events)
        self.reasons = _reasons(events)

    def take(self, index: int, event: Event) -> None:
        """One event becomes one item, or changes a flight, or is part of a line already told."""
        match event:
            case Sent():
                self.send(event)
            case Lost():
                self.lose(event)
            case Answered():
                self.answer(event)
            case Arrived():
                flight = self.claim(other(event.side), event.segment)
                self.say(event, "arrive", "", flight)
            case StateChanged():
                self.say(event, "state", self.state(event, self.reasons.get(index - 1)))
            case TimerFired():
                self.say(event, "timer", f"{event.timer} timer")
            case Noted() if index not in self.reasons:
                self.say(
                    event, "note", event.what if event.kind == "cause" else f"{event.kind}: {event.what}"
                )
            case Happened():
                gone = event.what in ("vanishes", "reboots")
                self.say(event, "end" if gone else "note", event.what)
            case Called():
                reply = self.answers.get(index)
                end = " ..." if reply is None else f" = {reply_words(event.call, reply.reply)}"
                self.say(event, "call", self.who(event) + call_words(event.call) + end)
            case Returned() if index not in self.answering:
                name = call_words(event.call).split("(")[0]
                self.say(event, "call", f"{self.who(event)}{name} = {reply_words(event.call, event.reply)}")

    def say(self, event: Event, kind: Kind, text: str, flight: int = -1) -> None:
        """One more item."""
        self.items.append(Item(event.t_us, event.side, kind, text, flight))

    def send(self, event: Sent) -> None:
        """A segment leaves: a flight, and one claim to it per copy that is on its way."""
        label, short = self.numbers.label(event.side, event.segment)
        self.sent = event
        number = len(self.flights)
        self.flights.append(Flight(event.side, label, short, is_minor(event.segment)))
        self.under_way += [(event.side, event.segment, number)] * len(event.arrives_us)
        self.say(event, "send", "", number)

    def answer(self, event: Answered) -> None:
        """A box makes a segment, half way: its arrival is told, or that there will be none."""
        sender = other(event.side)
        label, short = self.numbers.label(sender, event.segment)
        if not event.arrives_us:
            self.say(event, "note", f"lost: {label} of the {event.who}")
            self.unheard = event.segment
            return
        self.under_way.append((sender, event.segment, len(self.flights)))
        self.flights.append(Flight(sender, label, short, is_minor(event.segment)))

    def lose(self, event: Lost) -> None:
        """A segment is lost as it is sent (a copy alone is not worth a word), or where it was to arrive."""
        if event.segment is self.unheard:
            self.unheard = None
            return
        if event.segment is self.sent.segment and event.t_us == self.sent.t_us:
            if self.sent.arrives_us:
                return
            number = len(self.flights) - 1
        else:
            number = self.claim(event.side, event.segment)
        who, colon, _ = event.why.partition(": ")
        remark = event.why if colon and event.why != self.remarked else ""  # said once in a row
        self.remarked = event.why
        self.flights[number] = self.flights[number]._replace(lost=who or "lost", remark=remark)

    def claim(self, sender: Side, segment: Segment) -> int:
        """The flight that brought this segment, or a new one where neither end has sent it."""
        for place, (side, sent, number) in enumerate(self.under_way):
            if side == sender and sent == segment:
                del self.under_way[place]
                return number
        label, short = self.numbers.label(sender, segment)
        self.flights.append(Flight(sender, label, short, is_minor(segment)))
        return len(self.flights) - 1

    def state(self, event: StateChanged, reason: str | None) -> str:
        """The new state, who pays for the socket if not the application, why, and which socket it is."""
        text = str(event.new if event.new is not None else State.CLOSED)
        if event.holder in (str(Holder.ORPHAN), str(Holder.MINI)) and event.new is not State.CLOSED:
            text += f" ({event.holder})"
        if reason is not None:
            text += f" ({reason})"
        known = self.connections[event.side]
        if len(known) > 1 and event.socket in known:
            text += f" #{known.index(event.socket) + 1}"
        return text

    def who(self, event: Called | Returned) -> str:
        """The process, where there are several."""
        return f"[{event.pid}] " if event.side in self.crowded else ""


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


def _connections(events: Sequence[Event]) -> dict[Side, list[int]]:
    """The sockets of each side that ever were more than a listener, in order of appearance."""
    found: dict[Side, list[int]] = {"client": [], "server": []}
    for event in events:
        if isinstance(event, StateChanged) and event.new not in (None, State.LISTEN, State.CLOSED):
            known = found[event.side]
            known += [] if event.socket in known else [event.socket]
    return found
