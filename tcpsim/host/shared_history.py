"""A tree of histories: connections with the same random answers so far share one computed history.

Owns: moments (a pair at rest between two events), the tree that joins them, and the walk of one connection
through it. Refuses to know: when a connection starts, and which other connections exist (population).

A pair is a function of two things: its initial value, and the answers of the chooser (was this segment lost?
does this client forget to close?). So ten thousand connections of one kind have only as many different
histories as there are different sequences of answers. The tree remembers every history. The first connection
with a history computes TCP, and all others look it up.

    moment --advance--> fork "lost?" --no--> fork "lost?" --no--> moment --advance--> ...
                            |                    `----yes-------> moment --advance--> ...
                            `--------yes---------> ...

One `advance` leads from a moment to the next. The forks are the questions on the way, in their order. A walk
answers each fork with its own chooser. So a seeded connection draws the same numbers for the same questions,
whether its history is looked up or computed. The tree changes only the speed of a run.

Some histories belong to one connection only: after a draw from a continuous distribution (jitter, a random
pause), or after an act from outside at a time of its own (a worker becomes free), practically no other
connection will follow. Such a history is computed directly and not remembered. The same holds if less than a
tenth of a connection is expected to have the history, and when the tree is full. Times in a history count
from the start of the connection.

A middlebox forgets flows without an event. A step at such a time moves only the clock.

A history ends when nothing is due any more. It also ends when only a program's clock continues: a program
that polls a dead connection every few seconds, while TCP has no timer and nothing is in flight, will see the
same for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from math import prod
from typing import Any, Final, Generic, Protocol, TypeVar, cast

from tcpsim.app.program import relative
from tcpsim.host.socket_accounting import NOTHING, View, view
from tcpsim.host.socket_accounting import forgets_us as forgets
from tcpsim.pair import Machine, Pair, Side, advance
from tcpsim.pair.equivalence import Key, Keys
from tcpsim.path import Choice, Chooser, Distribution, Quiet, Seeded
from tcpsim.sockets.kernel import next_time


class Moment:
    """A pair at rest until its next event at `event_us` (None: nothing new will ever happen by itself).

    `next_us` is when it may look different next: at its event, or when the box on its path forgets a flow.
    `view` is the number of its view.
    """

    __slots__ = ("acts", "chance", "event_us", "next_us", "now_us", "pair", "view", "waits", "ways")

    def __init__(self, pair: Pair, chance: float, view: int, ways: Ways, idle: bool) -> None:
        self.pair = pair
        self.chance = chance  # of a history like this one
        self.now_us = pair.now_us
        self.event_us = None if idle else pair.next_us
        forgets_us = forgets(pair)
        self.waits = forgets_us is not None and (self.event_us is None or forgets_us <= self.event_us)
        self.next_us = forgets_us if self.waits else self.event_us
        self.view = view
        self.ways = ways  # one way: what the next advance begins with
        self.acts: dict[tuple[type[Act], Act], Ways] | None = None  # the same for acts at this instant


class Fork:
    """A question that an advance asks, and where each answer leads."""

    __slots__ = ("choice", "ways")

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.ways: Ways = [None] * len(choice.outcomes)


class Alone:
    """A way that is not remembered: whoever comes here computes."""


ALONE: Final = Alone()
_SOON: Final = 8  # steps in which most connections are over
_FOLLOWERS: Final = 0.1  # connections expected to have a history, for it to be remembered
Way = Fork | Moment | Alone | None  # None: nobody has been here yet
Ways = list[Way]
Asked = list[tuple[Choice, int]]
Change = Callable[[Pair, Chooser], Pair]


_Found = TypeVar("_Found")


class Answers(Generic[_Found]):
    """What a function makes of a chooser, computed once for each sequence of answers.

    What follows a draw from a continuous distribution is computed each time.
    """

    def __init__(self, function: Callable[[Chooser], _Found]) -> None:
        self._function = function
        self._ways: list[Fork | tuple[_Found] | None] = [None]

    def of(self, chooser: Chooser) -> _Found:
        """The function's result, whether it is known or not; the chooser draws the same numbers."""
        asked: Asked = []
        ways: list[Any] = self._ways
        at = 0
        if isinstance(ways[0], Fork):
            ways, at = _along(ways[0], chooser, asked)
        if ways[at] is not None:
            return cast(_Found, ways[at][0])
        known = len(asked)
        recorder = _Recorder(chooser, asked)
        found = self._function(recorder)
        if not recorder.drew:
            _note(ways, at, asked[known:], (found,))
        return found


def _along(fork: Fork, chooser: Chooser, asked: Asked) -> tuple[list[Any], int]:
    """Where the chooser's answers lead to from a fork; the questions are noted in `asked`."""
    way: object = fork
    while isinstance(way, Fork):
        at = chooser.choose(way.choice)
        asked.append((way.choice, at))
        ways = way.ways
        way = ways[at]
    return ways, at


def _note(ways: list[Any], at: int, asked: Asked, end: object) -> None:
    """From this place on, these answers to these questions lead to an end."""
    for choice, answer in asked:
        fork = Fork(choice)
        ways[at] = fork
        ways, at = fork.ways, answer
    ways[at] = end


class Act(Hashable, Protocol):
    """What the outside does to a pair; equal acts do the same."""

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair: ...


class Lives:
    """All lives of `connections` that begin as one of `kinds` (weight, pair); `room` bounds the moments.

    Of infinitely many connections every history has followers, and is remembered.
    `computed` and `recalled` count the steps of all walks so far; `views` lists what they looked like.
    """

    def __init__(self, kinds: Sequence[tuple[float, Pair]], connections: float, room: int) -> None:
        self._kinds = kinds
        self._room = self.room = room
        self._rare = _FOLLOWERS / max(connections, 1)
        self.computed = 0
        self.recalled = 0
        self.views: list[View] = [NOTHING]
        self._numbers: dict[View, int] = {NOTHING: 0}
        self._keys = Keys()
        self._endless: set[Key] = set()  # of pairs to which something happens for ever, if nothing is lost
        self._births = self._born()
        names = ("pass", *(f"kind {number}" for number in range(2, len(kinds) + 1)))
        self._which = Choice("kind", names, tuple(weight for weight, _ in kinds))

    def _born(self) -> list[Moment]:
        return [self._moment(pair, weight, remember=self.room > 0) for weight, pair in self._kinds]

    def forget(self) -> None:
        """Remember nothing, and have all the room again. Views keep their numbers."""
        self.room = self._room
        self._births = self._born()

    def begin(self, chooser: Chooser) -> Moment:
        """The birth of a connection, of a kind that the chooser chooses."""
        return self._births[chooser.choose(self._which) if len(self._births) > 1 else 0]

    def walk(self, moment: Moment, chooser: Chooser, until_us: int) -> Moment:
        """The first moment up to `until_us` that a host can tell from this one; else the last moment."""
        seen = moment.view
        while moment.view == seen and moment.next_us is not None and moment.next_us <= until_us:
            moment = self.step(moment, chooser)
        return moment

    def step(self, moment: Moment, chooser: Chooser) -> Moment:
        """The moment after the next event."""
        if not moment.waits:
            return self._follow(moment, moment.ways, chooser, moment.pair, advance)
        until_us = moment.next_us
        assert until_us is not None
        wait: Change = lambda pair, luck: _wait(pair, until_us, luck)  # noqa: E731
        return self._follow(moment, moment.ways, chooser, moment.pair, wait)

    def outlook(self, moment: Moment, until_us: int, serve: Mapping[Side, Act] | None = None) -> int | None:
        """The view in which a life ends if the path loses nothing more; None: not by `until_us`.

        With `serve`, a connection that waits for one of these hosts is served as soon as it does.
        """
        steps = 0
        passed: set[Key] = set()
        while True:
            if serve and (side := self.views[moment.view].waits_at) in serve:
                moment = self.act(moment, serve[side], moment.now_us, Quiet())
                continue
            if moment.event_us is None:
                break
            if moment.event_us > until_us:
                return None
            steps += 1
            if steps > _SOON and not serve:  # perhaps it goes round for ever, as keepalive does
                key = self._keys.key(moment.pair)
                if key in self._endless or key in passed:
                    self._endless |= passed
                    return None
                passed.add(key)
            moment = self.step(moment, Quiet())
        return moment.view

    def act(self, moment: Moment, act: Act, now_us: int, chooser: Chooser) -> Moment:
        """The moment after the outside acts at `now_us`."""
        ways: Ways = [ALONE]
        if now_us == moment.now_us and moment.ways[0] is not ALONE:
            moment.acts = {} if moment.acts is None else moment.acts
            ways = moment.acts.setdefault((type(act), act), [None])
        pair = _caught_up(moment.pair, now_us, chooser)
        return self._follow(moment, ways, chooser, pair, lambda before, luck: act(before, now_us, luck))

    def _follow(self, moment: Moment, ways: Ways, chooser: Chooser, pair: Pair, change: Change) -> Moment:
        """Along the forks that the chooser's answers lead to; the end is known, or is computed and noted."""
        asked: Asked = []
        at, way = 0, ways[0]
        if isinstance(way, Fork):
            ways, at = _along(way, chooser, asked)
            way = ways[at]
        if isinstance(way, Moment):
            self.recalled += 1
            return way
        self.computed += 1
        known = len(asked)
        recorder = _Recorder(chooser, asked)
        after = change(pair, recorder)
        chance = moment.chance * prod(choice.weights[answer] for choice, answer in asked)
        note = way is None and self.room > 0 and chance >= self._rare
        idle = not asked and not recorder.drew and _only_time(pair, after)
        end = self._moment(after, chance, note and not recorder.drew, idle, moment)
        if note:
            _note(ways, at, asked[known:], ALONE if recorder.drew else end)
        return end

    def _moment(
        self, pair: Pair, chance: float, remember: bool, idle: bool = False, before: Moment | None = None
    ) -> Moment:
        seen = view(pair, None if before is None else (before.pair, self.views[before.view]))
        number = self._numbers.setdefault(seen, len(self.views))
        if number == len(self.views):
            self.views.append(seen)
        self.room -= remember
        return Moment(pair, chance, number, [None if remember else ALONE], idle)


def _caught_up(pair: Pair, now_us: int, chooser: Chooser) -> Pair:
    """After a clock that went on alone."""
    while pair.next_us is not None and pair.next_us < now_us:
        pair = advance(pair, chooser)
    return pair


def _wait(pair: Pair, until_us: int, chooser: Chooser) -> Pair:
    """Nothing happens until then, but that a box forgets a flow."""
    return _caught_up(pair, until_us, chooser)._replace(now_us=until_us)


def _only_time(before: Pair, after: Pair) -> bool:
    """Whether nothing has changed but the time, nor will: no timer of TCP, nothing in flight."""
    if after.now_us == before.now_us or any(path.flights for path in after.paths):
        return False
    for old, new in zip(before.machines, after.machines, strict=True):
        same = next_time(new.system) is None and new.back_us is None and old.system == new.system
        if not same or _programs(old, before.now_us) != _programs(new, after.now_us):
            return False
    return True


def _programs(machine: Machine, now_us: int) -> list[tuple[object, ...]]:
    return [(pid, *relative(running, now_us)) for pid, running in machine.programs]


class Luck(Seeded):
    """A connection's own chooser, which can go back to where it has been."""

    __slots__ = ()

    def mark(self) -> tuple[int, tuple[int, ...]]:
        """Where the stream stands."""
        return self._block, tuple(self._words)

    def rewind(self, mark: tuple[int, tuple[int, ...]]) -> None:
        """Back to a `mark`: the same numbers come again."""
        self._block, self._words = mark[0], list(mark[1])


class _Recorder:
    """A chooser that repeats the answers in `asked`, then asks `chooser` and adds questions and answers.

    It adds the finite ones up to the first continuous draw; what follows one is nobody else's life.
    """

    __slots__ = ("asked", "chooser", "drew", "given")

    def __init__(self, chooser: Chooser, asked: Asked) -> None:
        self.given = iter([answer for _, answer in asked])
        self.asked = asked
        self.chooser = chooser
        self.drew = False

    def choose(self, choice: Choice) -> int:
        given = next(self.given, None)
        if given is not None:
            return given
        answer = self.chooser.choose(choice)
        if not self.drew:
            self.asked.append((choice, answer))
        return answer

    def draw(self, distribution: Distribution) -> int:
        self.drew = True
        return self.chooser.draw(distribution)
