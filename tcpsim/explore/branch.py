"""One step of a pair, in every way that it can go.

Owns: the chooser that follows each answer of a finite choice, the losses of a path as classes that can be
given any probability afterwards, and the branches of one `advance`. Refuses to know: which branch leads
where (chain, tree), and what it means (leaks).

Whether a segment is lost makes no difference before it would arrive. So where independent loss is followed
by a plain line, nothing but a fixed delay, the question is put on arrival: the step that sent the segment
need not be computed twice, and of two segments that arrive together each answer is asked for once. On any
other path a loss is decided where the segment is put on the wire, like every other choice: a loss before a
middlebox is one of those, as the box behind it has to know whether it saw the segment.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Generic, NamedTuple, TypeVar

from tcpsim.errors import InputError
from tcpsim.pair import Held, Log, Pair, advance, census, lose
from tcpsim.pair.key import Keys
from tcpsim.path import SIDES, Choice, Chooser, Distribution, Fixed, Link, Loss, OneWay, Side
from tcpsim.path.element import Chain, Element, Passage
from tcpsim.path.path import Flight
from tcpsim.tcp.segment import Segment

_FEW = 3  # arrivals at one instant whose fates are listed once for all
_Question = tuple[int, int]  # the place of a segment that arrives, the class of its loss
_Fate = tuple[frozenset[int], tuple[int, ...], tuple[int, ...]]  # places of those lost; lost, passed by class
View = tuple[tuple[Held, ...], tuple[Held, ...]]  # what the client and the server hold
_Made = TypeVar("_Made")
_State = TypeVar("_State")
_EVEN = 0.5  # any probability inside (0, 1): the class's own is put in afterwards


class LossClass(NamedTuple):
    """Losses that share one probability: those of one element of the path."""

    name: str  # "to server", "to client" or "both ways"; numbered from the second on
    p: float  # as the path had it


class Follow:
    """A chooser that gives the answers it was given, then the first possible one, and notes the questions."""

    __slots__ = ("answers", "asked", "given")

    def __init__(self, given: Sequence[int] = ()) -> None:
        self.given = given
        self.asked: list[Choice] = []
        self.answers: list[int] = []

    def choose(self, choice: Choice) -> int:
        number = len(self.asked)
        answer = self.given[number] if number < len(self.given) else next(_possible(choice))
        self.asked.append(choice)
        self.answers.append(answer)
        return answer

    def draw(self, distribution: Distribution) -> int:
        if isinstance(distribution, Fixed):
            return distribution.us
        raise InputError("explore", distribution.describe(), "fixed times: every branch has to be finite")

    def others(self) -> Iterator[list[int]]:
        """The beginnings of all answers that differ from these behind what was given."""
        for number in range(len(self.given), len(self.asked)):
            for answer in _possible(self.asked[number]):
                if answer != self.answers[number]:
                    yield [*self.answers[:number], answer]

    def weight(self) -> float:
        """How likely the answers were, but for those on whether a segment is lost."""
        weight = 1.0
        for choice, answer in zip(self.asked, self.answers, strict=True):
            if _loss_class(choice) is None:
                weight *= choice.weights[answer]
        return weight

    def words(self) -> tuple[str, ...]:
        """What was chosen that is not the usual course, nor whether a segment is lost."""
        return tuple(
            [
                f"{choice.what}: {choice.outcomes[answer]}"
                for choice, answer in zip(self.asked, self.answers, strict=True)
                if answer and _loss_class(choice) is None
            ]
        )


def every_answer(act: Callable[[Follow], _Made]) -> Iterator[tuple[_Made, Follow]]:
    """What `act` makes of each sequence of answers to the questions that it asks."""
    open_: list[list[int]] = [[]]
    while open_:
        chooser = Follow(open_.pop())
        made = act(chooser)
        open_.extend(chooser.others())
        yield made, chooser


def _loss_class(choice: Choice) -> int | None:
    """The class of loss that `_Naming` has put into a question; None: it is about something else."""
    kind, _, number = choice.what.rpartition(" ")
    return int(number) if kind == "loss" else None


def _possible(choice: Choice) -> Iterator[int]:
    return (answer for answer, weight in enumerate(choice.weights) if weight > 0.0)


@dataclass(frozen=True, slots=True)
class _Named:
    """A loss element whose questions say which class they belong to."""

    loss: Loss
    number: int

    def carry(self, sender: Side, segment: Segment, at_us: int, chooser: Chooser) -> Passage:
        _, copies, why = self.loss.carry(sender, segment, at_us, _Naming(chooser, self.number))
        return self, copies, why

    def key(self, now_us: int) -> Hashable:
        return self.number, self.loss.key(now_us)


class _Naming(NamedTuple):
    chooser: Chooser
    number: int

    def choose(self, choice: Choice) -> int:
        return self.chooser.choose(choice._replace(what=f"{choice.what} {self.number}"))

    def draw(self, distribution: Distribution) -> int:
        return self.chooser.draw(distribution)


class _Deferred(NamedTuple):
    """Loss that is decided on arrival: what was sent in time is in question `delay_us` later."""

    number: int
    delay_us: int
    loss: Loss

    def open(self, due_us: int) -> bool:
        """Whether what arrives at `due_us` may be lost."""
        sent_us = due_us - self.delay_us
        until_us = self.loss.until_us
        return sent_us >= self.loss.from_us and (until_us is None or sent_us < until_us)


class Branch(NamedTuple, Generic[_State]):
    """One way that a step can go: the pair afterwards, and what had to happen for it.

    `lost` and `passed` count segments by class; `weight` is the probability of everything else.
    """

    pair: _State
    weight: float
    lost: tuple[int, ...]
    passed: tuple[int, ...]
    dropped: tuple[Flight, ...] = ()
    chosen: tuple[str, ...] = ()


class Steps:
    """The steps of one pair and its descendants: `start`, `branches(pair)`, `key(pair)`."""

    def __init__(self, pair: Pair, defer: bool = True) -> None:
        self.classes: list[LossClass] = []
        self._deferred: dict[Side, _Deferred] = {}
        self.keys = Keys()
        self._answered: dict[tuple[_Question, ...], tuple[_Fate, ...]] = {}
        path = pair.path
        shared = self._named(path.shared, "both ways")
        chains: dict[Side, Chain] = {}
        for side in SIDES:
            chain = path.to_client if side == "client" else path.to_server
            chains[side] = self._deferred_or_named(chain, side, defer)
        self._windows = [
            each for each in self._deferred.values() if each.loss.from_us or each.loss.until_us is not None
        ]
        self._none = (0,) * len(self.classes)
        self.start = pair._replace(
            path=path._replace(shared=shared, to_client=chains["client"], to_server=chains["server"])
        )

    def _deferred_or_named(self, chain: Chain, to: Side, defer: bool) -> Chain:
        if defer and len(chain) == 2 and isinstance(chain[0], Loss) and 0.0 < chain[0].p < 1.0:
            link = chain[1]
            if isinstance(link, Link) and link.plain:
                number = self._class(f"to {to}", chain[0].p)
                self._deferred[to] = _Deferred(number, link.delay_us, chain[0])
                return (link,)
        return self._named(chain, f"to {to}")

    def _named(self, chain: Chain, name: str) -> Chain:
        return tuple(self._element(each, name) for each in chain)

    def _element(self, each: Element, name: str) -> Element:
        if isinstance(each, OneWay):
            to = "server" if each.sender == "client" else "client"
            return replace(each, element=self._element(each.element, f"to {to}"))
        if isinstance(each, Loss) and 0.0 < each.p < 1.0:
            return _Named(replace(each, p=_EVEN), self._class(name, each.p))
        return each

    def _class(self, name: str, p: float) -> int:
        again = sum(each.name.startswith(name) for each in self.classes)
        self.classes.append(LossClass(f"{name} {again + 1}" if again else name, p))
        return len(self.classes) - 1

    def key(self, pair: Pair) -> Hashable:
        """`Keys.key`, and all that losses know of time; only keys of one `Steps` can be compared."""
        return self.key_at(self.keys.key(pair), pair.next_us)

    def key_at(self, key: Hashable, base_us: int | None) -> Hashable:
        """A key of a pair whose next event is at `base_us`, with the time until losses begin and end."""
        if base_us is None or not self._windows:
            return key
        return key, tuple([each.loss.key(base_us - each.delay_us) for each in self._windows])

    def view(self, pair: Pair) -> View:
        """What is held until the next event."""
        return census(pair, "client"), census(pair, "server")

    def branches(self, pair: Pair, log: Log | None = None) -> Iterator[Branch[Pair]]:
        """Every way that the next step can go."""
        now_us = pair.next_us
        assert now_us is not None
        flights = pair.path.flights
        for gone, lost, passed in self.fates(flights, now_us):
            if not gone:
                yield from self._follow(pair, lost, passed, (), log)
                continue
            left = lose(pair, gone)
            dropped = tuple([flights[place] for place in sorted(gone)])
            if left.next_us == now_us:
                yield from self._follow(left, lost, passed, dropped, log)
            else:  # nothing else happens now
                yield Branch(Pair(now_us, *left[1:]), 1.0, lost, passed, dropped)

    def fates(self, flights: tuple[Flight, ...], now_us: int) -> Iterable[_Fate]:
        """Every way in which what arrives now may be lost; nearly all steps ask the same few questions."""
        asked = []
        for place, (due_us, receiver, _) in enumerate(flights):
            if due_us > now_us:
                break
            deferred = self._deferred.get(receiver)
            if deferred is not None and deferred.open(due_us):
                asked.append((place, deferred.number))
        questions = tuple(asked)
        known = self._answered.get(questions)
        if known is not None:
            return known
        fates = (self._fate(questions, fate) for fate in product((False, True), repeat=len(questions)))
        if len(questions) > _FEW:
            return fates
        self._answered[questions] = tuple(fates)
        return self._answered[questions]

    def _fate(self, questions: tuple[_Question, ...], fate: tuple[bool, ...]) -> _Fate:
        lost, passed = list(self._none), list(self._none)
        gone = set()
        for (place, number), is_lost in zip(questions, fate, strict=True):
            if is_lost:
                gone.add(place)
                lost[number] += 1
            else:
                passed[number] += 1
        return frozenset(gone), tuple(lost), tuple(passed)

    def _follow(
        self,
        pair: Pair,
        lost: tuple[int, ...],
        passed: tuple[int, ...],
        dropped: tuple[Flight, ...],
        log: Log | None,
    ) -> Iterator[Branch[Pair]]:
        """The step with every answer to the questions that it asks."""
        for after, chooser in every_answer(lambda chooser: advance(pair, chooser, log)):
            if chooser.asked:
                yield self._branch(after, chooser, lost, passed, dropped)
            else:
                yield Branch(after, 1.0, lost, passed, dropped)

    def _branch(
        self,
        after: Pair,
        chooser: Follow,
        lost: tuple[int, ...],
        passed: tuple[int, ...],
        dropped: tuple[Flight, ...],
    ) -> Branch[Pair]:
        counts = list(passed), list(lost)
        for choice, answer in zip(chooser.asked, chooser.answers, strict=True):
            number = _loss_class(choice)
            if number is not None:
                counts[answer][number] += 1
        return Branch(after, chooser.weight(), tuple(counts[1]), tuple(counts[0]), dropped, chooser.words())
