"""Random walks through the data of a page, and the runs that must equal them.

The walker reads what `graph.js` reads, the JSON, and nothing else; so a walk is what the page shows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

from tcpsim.catalogue import Scenario, build, run, scenario
from tcpsim.draw.event_text import tell
from tcpsim.pair import Event, sockets_in_words
from tcpsim.path import Choice, Distribution, Fixed
from tcpsim.web.data import graph_data
from tcpsim.web.graph import Graph, graph

KINDS = {"k": "call", "c": "state", "t": "timer", "n": "note", "e": "end"}
LONGEST = 150  # steps: some connections go round for ever
OPEN = {"loss_to_client": 0.5, "loss_to_server": 0.5}


def box_behind_a_relay() -> Scenario:
    """A line whose second leg has a box, so that losses on it are decided where a segment is sent."""
    story = scenario("relay-waits-for-both-ends")
    (relay,) = story.relays
    boxed = replace(relay, middlebox="linux-conntrack")
    return replace(story, name="box-behind-a-relay", relays=(boxed,))


class Told(NamedTuple):
    """What is shown: items (time, side, kind, words, flight, who), flights (side, words, lost, leg)."""

    items: list[tuple[Any, ...]]
    flights: list[tuple[Any, ...]]


class Walk(NamedTuple):
    """A walk: what is seen, what was lost of what was sent each way, what was chosen, until when.

    A way is a number, as in the data: 0 and 1 on the client's leg, from there and back, and so on.
    """

    told: Told
    lost: list[list[int]]
    own: list[list[int]]  # of those, without what the scenario's rules or a middlebox took
    chosen: list[str]
    until_us: int
    held: list[str]  # by each machine at the end, in words; nothing if that is not in the data

    def rules(self) -> list[str]:
        """The same losses as a command line has them."""
        ends = [f"leg {leg + 1}: {end}" for leg in range(len(self.own) // 2) for end in ("client", "server")]
        return [
            f"{end} #{','.join(map(str, numbers))}"
            for end, numbers in zip(ends, self.own, strict=True)
            if numbers
        ]


def data_of(story: Scenario, losses: int | None, limit: int = 16_000, **changes: Any) -> dict[str, Any]:
    """The data of a page, as a browser would read it."""
    found: Graph = graph(build(story, **OPEN, **changes), story.horizon_us, losses, limit)
    read: dict[str, Any] = json.loads(json.dumps(graph_data(found) | {"sides": found.sides}))
    return read


def walk(data: dict[str, Any], random: Random) -> Walk:
    """A walk from the beginning that takes any way on, ways with losses more often than chance would."""
    items: list[tuple[Any, ...]] = []
    flights: list[list[Any]] = []
    copies: list[tuple[int, int]] = []  # when due, which flight
    sides = data["sides"]
    sent: list[list[int]] = [[] for _ in range(2 * len(sides) - 2)]
    chosen: list[str] = []
    state, t_us, until_us = 0, 0, 0
    eager = random.random()
    for _ in range(LONGEST):
        row = data["states"][state]
        ways = [(data["kinds"][row[at]], row[at + 1]) for at in range(3, len(row), 2)]
        ways = [way for way in ways if way[1] >= 0]
        if not ways:
            break
        losing = [way for way in ways if way[0][2]]
        kind, target = random.choice(losing if losing and random.random() < eager else ways)
        lost, shown, words = data["steps"][kind[0]]
        here = list(dict.fromkeys(flight for _, flight in copies))
        for place in lost:
            flights[copies[place][1]][2] = True
        copies = [copy for place, copy in enumerate(copies) if place not in lost]
        for letter, *rest in [data["items"][number] for number in shown]:
            if letter in "sm":
                (way, label, short, minor, after), why = rest[:5], rest[5] if rest[5:] else None
                sender = sides[way // 2 + way % 2]
                here.append(len(flights))
                by_rule = why not in (None, "loss")
                flights.append([sender, (label, short, bool(minor)), why is not None, by_rule, way // 2])
                if letter == "s":
                    sent[way].append(len(flights) - 1)
                    items.append((t_us, sender, "send", "", len(flights) - 1, 0))
                copies += [(t_us + each, len(flights) - 1) for each in after]
                copies.sort(key=lambda copy: copy[0])
            elif letter == "a":
                flight = here[rest[1]]
                copies = _without(copies, flight)
                items.append((t_us, sides[rest[0]], "arrive", "", flight, 0))
            elif letter == "x":
                flights[here[rest[0]]][2:4] = True, True
            else:
                items.append((t_us, sides[rest[0]], KINDS[letter], rest[1], -1, rest[2]))
        copies = [copy for copy in copies if copy[0] > t_us]
        chosen += words
        until_us, state = t_us, target
        t_us += kind[1]
    gone = [[number for number, flight in enumerate(all_, 1) if flights[flight][2]] for all_ in sent]
    own = [
        [number for number in numbers if not flights[sent[way][number - 1]][3]]
        for way, numbers in enumerate(gone)
    ]
    told = Told(items, [(*flight[:3], flight[4]) for flight in flights])
    held = [data["held"][number][0] for number in data["views"][data["states"][state][0]]]
    return Walk(told, gone, own, chosen, until_us, held)


def _without(copies: Sequence[tuple[int, int]], flight: int) -> list[tuple[int, int]]:
    """The first copy of a flight has arrived."""
    left = list(copies)
    for place, copy in enumerate(left):
        if copy[1] == flight:
            del left[place]
            break
    return left


class Chosen:
    """A chooser that answers as a walk did, in words, and else takes the usual course."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)

    def choose(self, choice: Choice) -> int:
        for number, outcome in enumerate(choice.outcomes):
            if number and self.words and self.words[0] == f"{choice.what}: {outcome}":
                del self.words[0]
                return number
        return 0

    def draw(self, distribution: Distribution) -> int:
        assert isinstance(distribution, Fixed)
        return distribution.us


def run_of(story: Scenario, walked: Walk, **changes: Any) -> tuple[Told, list[str]]:
    """The run that loses the same segments, told until the same time, and what each machine holds then."""
    drops = (*changes.pop("drops", ()), *walked.rules())
    events: list[Event] = []
    pair = build(story, loss_to_client=0.0, loss_to_server=0.0, drops=drops, **changes)
    ended = run(pair, Chosen(walked.chosen), walked.until_us, events.append)
    story = tell(events, sides=pair.names)
    told = Told(
        [(i.t_us, i.side, i.kind, i.text, i.flight, i.who) for i in story.items],
        [(f.sender, (f.label, f.short, f.minor), f.lost is not None, f.leg) for f in story.flights],
    )
    return told, [sockets_in_words(ended.of(side)) for side in ended.sides]


def named(told: Told) -> Told:
    """A walk's items, each with its process or connection where there are several, as the page shows them."""
    crowded = {item[1] for item in told.items if item[2] == "call" and item[5] > 1}
    several = {item[1] for item in told.items if item[2] == "state" and item[5] > 1}
    items = []
    for t_us, side, kind, text, flight, who in told.items:
        if kind == "call" and side in crowded:
            text = f"[{who}] {text}"
        if kind == "state" and side in several and who:
            text = f"{text} #{who}"
        items.append((t_us, side, kind, text, flight, who))
    return Told(items, told.flights)
