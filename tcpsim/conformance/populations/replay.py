"""All histories of one connection of a population, as the observer of the real connections saw them.

Owns: the observer's words for states and ends, what a connection has experienced so far as the observer sees
it (the response, end-of-file, an error, the last state of the server), and for each of these the exact
probability at every age. Refuses to know: how many connections there are, and when they start (expected).

Equal states of a chain have the same future. The past of an end is recovered afterwards: the chain is walked
once more with the experience so far as part of the state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from tcpsim.conformance.populations import Kind
from tcpsim.conformance.populations.words import GONE, NOT_SERVED, word_of
from tcpsim.explore.branch import Branch, Part, Steps, View, in_full
from tcpsim.explore.chain import Chain, explore
from tcpsim.explore.edges import Edge
from tcpsim.explore.loss_rates import rates
from tcpsim.explore.per_host_memo import apart
from tcpsim.explore.step_functions import Steps as Curve
from tcpsim.explore.step_functions import from_changes
from tcpsim.explore.transient import Passages, graph, passages
from tcpsim.pair import Arrived, Event, Held, Log, Pair, Returned, StateChanged
from tcpsim.sockets import Connect, Recv
from tcpsim.tcp.segment import RST
from tcpsim.tcp.state import State

_AT_MOST: Final = 4  # times the limit of states: what is left loses nothing and soon meets what is known


class Story(NamedTuple):
    """What has been seen of a connection besides what is held now."""

    connected: bool = False
    response: bool = False
    eof: bool = False
    error: str = "-"
    server_last: str = "never seen"
    server_error: str = "-"
    cut_short: bool = False  # one of the least likely, followed only through a future without losses


class Look(NamedTuple):
    """What each side holds in the observer's words, whether the client's program has it open, the story."""

    client: str
    server: str
    is_open: bool
    story: Story

    def outcome(self, kind: Kind) -> str:
        """The end of a connection, as the files have it."""
        story = self.story
        read = ("EOF" if story.eof else "no EOF") if story.connected else "not connected"
        client = [self.client, kind, "open" if self.is_open else "closed"]
        client += [f"resp={'full' if story.response else 'none'}", read, f"err={story.error}"]
        last = story.server_last
        server = [self.server, f"last={last}", NOT_SERVED.get(last, "responded+closed")]
        return f"{','.join(client)} | {','.join(server)},err={story.server_error}"


class Lives(NamedTuple):
    """The probability of each look at every age up to `until_us`; `error` of it was not followed."""

    looks: tuple[Look, ...]
    changes: Passages
    until_us: int

    @property
    def cut_short(self) -> float:
        """Probability of the lives that were not followed through every loss."""
        ended = self.ended.items()
        return float(self.changes.error[0] + sum(share for look, share in ended if look.story.cut_short))

    @property
    def ended(self) -> dict[Look, float]:
        """The probability of each look at the last age."""
        return dict(zip(self.looks, self.changes.end[:, 0].tolist(), strict=True))

    def curve(self, chosen: Callable[[Look], bool]) -> Curve:
        """The probability at each age of the looks chosen."""
        worth = np.array([chosen(look) for look in self.looks], dtype=np.int64)
        changes = self.changes
        rise = worth[changes.target] - worth[changes.source]
        some = np.flatnonzero(rise)
        begin = np.full(1, float(worth[0]))
        end = (changes.end * worth[:, None]).sum(axis=0)
        by = changes.mass[some] * rise[some, None]
        return from_changes(changes.at_us[some], by, begin, end, self.until_us)


def lives(pair: Pair, p: float, until_us: int, limit: int) -> Lives:
    """All lives of a connection at loss `p`, each state told apart by its story.

    After `limit` states those that are left, the least likely, lose nothing any more.
    """
    return lives_at(pair, [p], until_us, limit)[0]


def lives_at(pair: Pair, losses: Sequence[float], until_us: int, limit: int) -> list[Lives]:
    """The same at each of several losses, which share the states."""
    steps = _Luckily(pair, limit)
    notes = _Notes(steps)
    chain = explore(pair, _AT_MOST * limit, watch=notes, steps=lambda _: steps)
    unfolded, stories = _unfold(chain, notes)
    numbers: dict[Look, int] = {}
    number = [
        numbers.setdefault(_look(view, story), len(numbers))
        for view, story in zip(unfolded.view, stories, strict=True)
    ]
    look = np.array(number, dtype=np.int64)
    net = graph(unfolded)
    return [
        Lives(tuple(numbers), passages(net, unfolded, rates(unfolded, [p]), look, until_us), until_us)
        for p in losses
    ]


class _Luckily:
    """Every branch of so many states; of those asked for later, the one on which nothing is lost."""

    def __init__(self, pair: Pair, limit: int) -> None:
        pairs = Steps(pair)
        steps: Any = apart(pairs, tells=True) or pairs
        self._steps = steps
        self.start = steps.start
        self.classes = pairs.classes
        self.key = steps.key
        self.view = steps.view
        self.left = limit

    def branches(self, state: Any, log: Log | None = None) -> Iterator[Branch[Any] | Part[Any]]:
        """Nothing is lost on the first branch: every choice begins with it."""
        self.left -= 1
        if self.left >= 0:
            yield from self._steps.branches(state, log)
        else:
            nothing = (0,) * len(self.classes)
            yield next(in_full(self._steps.branches(state, log)))._replace(
                lost=nothing, passed=nothing, weight=1.0
            )


_News = tuple[str, bool | str]  # what of the story changes, and to what
_Step = tuple[int, int, int, tuple[int, ...], tuple[int, ...]]


class _Notes:
    """What programs saw on each edge: a change of the story."""

    def __init__(self, steps: _Luckily) -> None:
        self.steps = steps
        self.seen: dict[_Step, list[_News]] = {}

    def state(self, number: int, pair: object) -> None:
        """What is held is in the chain's views."""

    def step(self, edge: Edge, before: object, events: Sequence[Event]) -> None:
        """Note what the programs learned in this step."""
        news = _news(events)
        if self.steps.left < 0:
            news.append(("cut_short", True))
        if news:
            self.seen[edge[:5]] = news


def follow(
    story: Story, events: Sequence[Event], client: tuple[Held, ...], server: tuple[Held, ...]
) -> Story:
    """The story after a step in which this happened, and after which this is held."""
    story = _told(story, _news(events), client)
    return story._replace(server_last=_word(server)) if server else story


def look_of(view: View, story: Story) -> Look:
    """What is to be seen of a connection."""
    return _look(view, story)


def _news(events: Sequence[Event]) -> list[_News]:
    """What the programs learned in a step."""
    news: list[_News] = []
    reset = any(isinstance(each, Arrived) and each.segment.flags & RST for each in events)
    for event in events:
        if isinstance(event, Returned):
            news += _learned(event)
        elif isinstance(event, StateChanged) and event.side == "client" and event.new is State.CLOSED:
            news.append(("idle", "EPIPE" if reset else "ETIMEDOUT"))
    return news


def _learned(event: Returned) -> list[_News]:
    call, reply = event.call, event.reply
    if reply.errno is not None:
        name = type(call).__name__.lower().removesuffix("all")
        return [("error" if event.side == "client" else "server_error", f"{name}:{reply.errno}")]
    if event.side == "client" and isinstance(call, Connect):
        return [("connected", True)]
    if event.side == "client" and isinstance(call, Recv):
        return [("response", True) if reply.value else ("eof", True)]
    return []


def _told(story: Story, news: Sequence[_News], client: tuple[Held, ...]) -> Story:
    """The story with what was learned; the first error counts, as does one that only polling shows."""
    for what, value in news:
        if what == "idle":
            if story.eof and story.error == "-" and any(held.fd for held in client):
                story = story._replace(error=f"idle:{value}")
        elif what != "error" or story.error == "-":
            story = Story(**{**story._asdict(), what: value})
    return story


def _unfold(chain: Chain, notes: _Notes) -> tuple[Chain, list[Story]]:
    """The chain with a state for each story with which one of its states is come to."""
    out: list[list[Edge]] = [[] for _ in range(chain.states)]
    for edge in chain.edges:
        out[edge.source].append(edge)
    begin = (0, Story())
    numbers = {begin: 0}
    order = [begin]
    edges = []
    for number, (state, story) in enumerate(order):  # grows while it is walked
        for edge in out[state]:
            client, server = chain.view[edge.target]
            told = _told(story, notes.seen.get(edge[:5], ()), client)
            if server:
                told = told._replace(server_last=_word(server))
            key = (edge.target, told)
            target = numbers.setdefault(key, len(order))
            if target == len(order):
                order.append(key)
            edges.append(edge._replace(source=number, target=target))
    cut = set(chain.cut)
    unfolded = chain._replace(
        view=tuple(chain.view[state] for state, _ in order),
        rests=bytes([chain.rests[state] for state, _ in order]),
        edges=tuple(edges),
        cut=tuple(number for number, (state, _) in enumerate(order) if state in cut),
    )
    return unfolded, [story for _, story in order]


def _look(view: View, story: Story) -> Look:
    client, server = view
    return Look(_word(client), _word(server), any(held.fd for held in client), story)


def _word(sockets: tuple[Held, ...]) -> str:
    """What a side holds."""
    return word_of(sockets[-1].state, sockets[-1].holder) if sockets else GONE
