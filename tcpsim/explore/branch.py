"""One step of a pair with every possible outcome.

Owns: the chooser that follows each answer of a finite choice, the losses of a path as classes whose
probability is inserted later, and the branches of one `advance`. Refuses to know: where a branch leads
(chain), and what it means (leaks).

A loss makes no difference before the segment would arrive. So if independent loss is followed by a plain link
with a fixed delay, the loss is decided on arrival. The step that sent the segment is then computed only once,
and the fate of each of several segments that arrive together is decided once. On any other path, a loss is
decided when the segment is sent, like every other choice. A loss before a middlebox is such a case, because
the middlebox has to know whether it saw the segment.

If twenty segments arrive together, a million subsets of them may be lost. Such a step is divided into parts.
A part stands for all outcomes with the same number of losses, or with the same first answers. It is explored
when it is likely.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, islice, product
from math import comb, prod
from operator import add, gt, sub
from typing import Generic, NamedTuple, TypeVar

from tcpsim.errors import InputError
from tcpsim.pair import Held, Log, Pair, Side, advance, lose, names
from tcpsim.pair.equivalence import Keys
from tcpsim.pair.equivalence.context import OnTheWay
from tcpsim.pair.pair import holding, holding_between
from tcpsim.path import SIDES as ENDS
from tcpsim.path import Choice, Chooser, Distribution, Fixed, Link, Loss, OneWay, Path
from tcpsim.path import Side as End
from tcpsim.path.element import Chain, Element, Passage
from tcpsim.path.path import Flight
from tcpsim.tcp.segment import Segment

_FEW = 3  # arrivals at one instant whose fates are listed once for all
MANY = 6  # of so many the fates are given in parts
_AT_ONCE = 64  # ways of one step that are worked out together
Question = tuple[int, int]  # the place of a segment that arrives, the class of its loss
Fate = tuple[frozenset[int], tuple[int, ...], tuple[int, ...]]  # places of those lost; lost, passed by class
View = tuple[tuple[Held, ...], ...]  # what the client and the server hold, and then each relay between
_Made = TypeVar("_Made")
_State = TypeVar("_State")
_EVEN = 0.5  # any probability inside (0, 1): the class's own is put in afterwards


class LossClass(NamedTuple):
    """Losses that share one probability: those of one element of the path."""

    name: str  # "to server", "to client" or "both ways"; numbered from the second on, as from leg to leg
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
        if chooser.asked:
            open_.extend(chooser.others())
        yield made, chooser


def loss_question(number: int) -> str:
    """What is asked when a segment may be lost, by the class of that loss."""
    return f"loss {number}"


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

    def carry(self, sender: End, segment: Segment, at_us: int, chooser: Chooser) -> Passage:
        _, copies, why = self.loss.carry(sender, segment, at_us, _Naming(chooser, self.number))
        return self, copies, why

    def key(self, now_us: int) -> Hashable:
        return self.number, self.loss.key(now_us)


class _Naming(NamedTuple):
    chooser: Chooser
    number: int

    def choose(self, choice: Choice) -> int:
        return self.chooser.choose(choice._replace(what=loss_question(self.number)))

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
    dropped: Sequence[Flight | Crossing] = ()
    chosen: tuple[str, ...] = ()


class Part(NamedTuple, Generic[_State]):
    """Some of the ways that a step can go: what they have in common, as in `Branch`, and how to go on."""

    lost: tuple[int, ...]
    passed: tuple[int, ...]
    weight: float
    ways: Callable[[], Iterator[Branch[_State] | Part[_State]]]


def in_full(
    ways: Iterable[Branch[_State] | Part[_State]],
    lost: Sequence[int] | None = None,
    passed: Sequence[int] | None = None,
) -> Iterator[Branch[_State]]:
    """Every branch, those in parts as well, save parts in which more are lost or passed than these."""
    for way in ways:
        if isinstance(way, Branch):
            yield way
            continue
        if any(map(gt, way.lost, lost or ())) or any(map(gt, way.passed, passed or ())):
            continue
        rest = [each and tuple(map(sub, each, its)) for each, its in ((lost, way.lost), (passed, way.passed))]
        for branch in in_full(way.ways(), *rest):
            yield branch._replace(
                weight=way.weight * branch.weight,
                lost=added(way.lost, branch.lost),
                passed=added(way.passed, branch.passed),
            )


def added(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    """Counts by class, together."""
    return tuple(map(add, first, second))


def _sets(places: Sequence[Sequence[int]], lost: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Every choice of so many from each of these, one by one: there may be more than fit anywhere."""
    if not places:
        yield ()
        return
    for first in combinations(places[0], lost[0]):
        for rest in _sets(places[1:], lost[1:]):
            yield first + rest


Fated = Callable[[Fate], Iterable[Branch[_State] | Part[_State]]]


class Crossing(NamedTuple):
    """A segment under way in a line with relays: `receiver` names the leg too, as `Flight` does not."""

    due_us: int
    receiver: Side
    segment: Segment
    leg: int
    end: End
    place: int  # among all that is under way


UnderWay = Flight | Crossing | OnTheWay  # whose first fields say when and where it arrives


def view_of(pair: Pair) -> View:
    """What each machine holds, in the order of a `View`."""
    if not pair.relays:
        return holding(pair.client), holding(pair.server)
    between = [holding_between(hop) for hop in pair.relays]
    return (holding(pair.client), holding(pair.server), *between)


def sides_of(machines: int) -> tuple[Side, ...]:
    """Whose the parts of a view are: the client's, the server's, and then those between."""
    client, *relays, server = names(machines - 2)
    return client, server, *relays


def under_way(pair: Pair) -> tuple[Flight, ...] | tuple[Crossing, ...]:
    """All segments under way, what arrives first first; of one moment those of the client's path."""
    if not pair.relays:
        return pair.path.flights
    found: list[Crossing] = []
    for leg, path in enumerate(pair.paths):
        for due_us, end, segment in path.flights:
            found.append(Crossing(due_us, _place(leg, end), segment, leg, end, len(found)))
    return tuple(sorted(found, key=lambda each: each.due_us))


def _places(pair: Pair, gone: frozenset[int]) -> frozenset[int]:
    """Places in `under_way` as `lose` counts them: path by path."""
    if not pair.relays:
        return gone
    flights = under_way(pair)
    return frozenset([flight.place for at in gone if isinstance(flight := flights[at], Crossing)])


def _place(leg: int, end: End) -> Side:
    """Where a flight arrives: an end of a path; on the client's path that is all there is to say."""
    return f"{end} of leg {leg + 1}" if leg else end


class Steps:
    """The steps of one pair and its descendants: `start`, `branches(pair)`, `key(pair)`."""

    def __init__(self, pair: Pair, defer: bool = True) -> None:
        self.classes: list[LossClass] = []
        self._deferred: dict[Side, _Deferred] = {}
        self.keys = Keys()
        self._answered: dict[tuple[Question, ...], tuple[Fate, ...]] = {}
        paths = [self._path(path, leg, defer) for leg, path in enumerate(pair.paths)]
        self._windows = [
            each for each in self._deferred.values() if each.loss.from_us or each.loss.until_us is not None
        ]
        self._none = (0,) * len(self.classes)
        self.certain: tuple[Fate] = ((frozenset(), self._none, self._none),)  # where nothing arrives
        hops = [hop._replace(path=path) for hop, path in zip(pair.relays, paths[1:], strict=True)]
        self.start = pair._replace(path=paths[0], relays=tuple(hops))

    def _path(self, path: Path, leg: int, defer: bool) -> Path:
        """A path whose losses ask by class, or are asked for on arrival."""
        shared = self._named(path.shared, "both ways")
        chains: dict[End, Chain] = {}
        for end in ENDS:
            chain = path.to_client if end == "client" else path.to_server
            chains[end] = self._deferred_or_named(chain, end, leg, defer)
        return path._replace(shared=shared, to_client=chains["client"], to_server=chains["server"])

    def _deferred_or_named(self, chain: Chain, to: End, leg: int, defer: bool) -> Chain:
        if defer and len(chain) == 2 and isinstance(chain[0], Loss) and 0.0 < chain[0].p < 1.0:
            link = chain[1]
            if isinstance(link, Link) and link.plain:
                number = self._class(f"to {to}", chain[0].p)
                self._deferred[_place(leg, to)] = _Deferred(number, link.delay_us, chain[0])
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
        return view_of(pair)

    def branches(self, pair: Pair, log: Log | None = None) -> Iterator[Branch[Pair] | Part[Pair]]:
        """Every way that the next step can go, many of them in parts."""
        now_us, flights = pair.next_us, under_way(pair)
        assert now_us is not None
        fated = partial(self.fated, pair, log)
        if len(flights) >= MANY and (parts := self.parts(flights, now_us, fated)):
            yield from parts
            return
        for fate in self.fates(flights, now_us):
            yield from fated(fate)

    def fated(self, pair: Pair, log: Log | None, fate: Fate) -> Iterator[Branch[Pair] | Part[Pair]]:
        """The same, after that has been lost."""
        gone, lost, passed = fate
        if not gone:
            yield from self._follow(pair, lost, passed, (), log)
            return
        now_us, flights = pair.next_us or 0, under_way(pair)
        left = lose(pair, _places(pair, gone))
        dropped = tuple([flights[place] for place in sorted(gone)])
        if left.next_us == now_us:
            yield from self._follow(left, lost, passed, dropped, log)
        else:  # nothing else happens now
            yield Branch(left._replace(now_us=now_us), 1.0, lost, passed, dropped)

    def parts(
        self, flights: Sequence[UnderWay], now_us: int, fated: Fated[_State]
    ) -> list[Part[_State]] | None:
        """If many segments that arrive now may be lost: what follows their fates, in parts.

        One for all fates in which equally many of each class are lost, since all of these are as likely.
        `fated` says what follows one fate.
        """
        questions = self.questions(flights, now_us)
        if len(questions) < MANY:
            return None
        places = [
            [place for place, number in questions if number == each] for each in range(len(self.classes))
        ]
        found = []
        for lost in product(*[range(len(each) + 1) for each in places]):
            passed = tuple([len(each) - gone for each, gone in zip(places, lost, strict=True)])
            count = prod(map(comb, map(len, places), lost))
            ways = partial(self._some, places, lost, 0, fated)
            found.append(Part(lost, passed, float(count), ways))
        return found

    def _some(
        self, places: Sequence[Sequence[int]], lost: tuple[int, ...], done: int, fated: Fated[_State]
    ) -> Iterator[Branch[_State] | Part[_State]]:
        """The next few of a number of equally likely fates, and a part for the rest."""
        count = prod(map(comb, map(len, places), lost)) - done
        for gone in islice(_sets(places, lost), done, done + _AT_ONCE):
            for way in fated((frozenset(gone), self._none, self._none)):
                yield way._replace(weight=way.weight / count)
        if count > _AT_ONCE:
            ways = partial(self._some, places, lost, done + _AT_ONCE, fated)
            yield Part(self._none, self._none, (count - _AT_ONCE) / count, ways)

    def questions(self, flights: Sequence[UnderWay], now_us: int) -> tuple[Question, ...]:
        """What arrives now and may be lost."""
        asked = []
        for place, flight in enumerate(flights):
            due_us = flight[0]
            if due_us > now_us:
                break
            deferred = self._deferred.get(flight[1])
            if deferred is not None and deferred.open(due_us):
                asked.append((place, deferred.number))
        return tuple(asked)

    def fates(self, flights: Sequence[UnderWay], now_us: int) -> Iterable[Fate]:
        """Every way in which what arrives now may be lost; nearly all steps ask the same few questions."""
        questions = self.questions(flights, now_us)
        known = self._answered.get(questions)
        if known is not None:
            return known
        fates = (self.fate(questions, fate) for fate in product((False, True), repeat=len(questions)))
        if len(questions) > _FEW:
            return fates
        self._answered[questions] = tuple(fates)
        return self._answered[questions]

    def fate(self, questions: tuple[Question, ...], fate: tuple[bool, ...]) -> Fate:
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
        dropped: Sequence[Flight | Crossing],
        log: Log | None,
        given: tuple[int, ...] = (),
    ) -> Iterator[Branch[Pair] | Part[Pair]]:
        """The step with every answer to the questions that it asks, after those given; many in parts."""
        open_: list[tuple[list[int], list[Choice]]] = [(list(given), [])]
        for _ in range(_AT_ONCE):
            chooser = Follow(open_.pop()[0])
            after = advance(pair, chooser, log)
            if chooser.asked:
                open_ += [(answers, chooser.asked) for answers in chooser.others()]
                said = self._said(chooser.asked, chooser.answers, len(given), lost, passed)
                yield Branch(after, said[0], said[1], said[2], dropped, chooser.words())
            else:
                yield Branch(after, 1.0, lost, passed, dropped)
            if not open_:
                return
        for answers, asked in open_:
            ways = partial(self._follow, pair, self._none, self._none, dropped, log, tuple(answers))
            weight, gone, through = self._said(asked, answers, len(given), lost, passed)
            yield Part(gone, through, weight, ways)

    def _said(
        self,
        asked: Sequence[Choice],
        answers: Sequence[int],
        begin: int,
        lost: tuple[int, ...],
        passed: tuple[int, ...],
    ) -> tuple[float, tuple[int, ...], tuple[int, ...]]:
        """What answers from `begin` on say: their weight; what is lost and passed, with what was before."""
        counts = list(passed), list(lost)
        weight = 1.0
        for choice, answer in zip(asked[begin:], answers[begin:], strict=False):
            number = _loss_class(choice)
            if number is None:
                weight *= choice.weights[answer]
            else:
                counts[answer][number] += 1
        return weight, tuple(counts[1]), tuple(counts[0])
