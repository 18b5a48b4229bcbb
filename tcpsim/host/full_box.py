"""A box between the hosts whose table may be full: what becomes of a segment that would begin a flow.

Owns: the question, asked at the instant of each such segment, and the second try of a step that found no
room. Refuses to know: what a box does without room (path.flow_table), and when a connection steps
(admission).

A connection looks ahead as if there were room. Where that begins a flow, and the table has no place at that
instant, the step is taken back and made again with a box that has only the places there are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tcpsim.errors import InputError
from tcpsim.host.census import Census
from tcpsim.host.connection import Connection
from tcpsim.host.limits import Limits, Room
from tcpsim.host.resource_usage import Books
from tcpsim.host.shared_history import Act, Lives, Moment
from tcpsim.pair import Pair
from tcpsim.path import Tracker
from tcpsim.path.path import tracker

PLACE: Final = "middlebox flows"
_PLENTY: Final = 1_000  # free places; no connection begins so many flows in one instant


def with_flows(limits: Limits, pair: Pair) -> Limits:
    """The limits with the size of the box on the path, where none is asked for.

    Raises:
        InputError: a limit on the flows of a box, and no box.
    """
    box = tracker(pair.path)
    if box is None and limits.flows is not None:
        found = f"{limits.flows}, and no middlebox on the path"
        raise InputError("limit middlebox.flows", found, "a middlebox (tcpsim middleboxes)")
    if box is None or limits.flows is not None:
        return limits
    return limits._replace(flows=box.box.flows)


def shared_box(pair: Pair) -> Pair:
    """The pair with a box that leaves it to the run to count the flows of all connections."""
    shared = [
        replace(each, box=replace(each.box, flows=None)) if isinstance(each, Tracker) else each
        for each in pair.path.shared
    ]
    return pair._replace(path=pair.path._replace(shared=tuple(shared)))


class FullBox:
    """The box of a run, if it has a limit."""

    def __init__(self, books: Books, lives: Lives, census: Census) -> None:
        self.books = books
        self.lives = lives
        self.census = census

    def through(self, one: Connection, mark: tuple[int, tuple[int, ...]], ahead: Moment) -> Moment:
        """`ahead`, which a connection comes to in this instant, or what a box without room makes of it."""
        room = self.books.room()
        if room is None or self._begun(one.moment, ahead) <= room:
            return ahead
        one.luck.rewind(mark)
        before = self.lives.walk(one.moment, one.luck, ahead.now_us - 1)
        told = self.lives.act(before, Room(room), before.now_us, one.luck)
        after = self.lives.walk(told, one.luck, ahead.now_us)
        self._count(one, self._begun(one.moment, ahead) - self._begun(one.moment, after))
        return self.lives.act(after, Room(None), after.now_us, one.luck)

    def act(self, one: Connection, moment: Moment, act: Act, age_us: int) -> Moment:
        """What an act makes of a connection, which may use the box in the same instant."""
        lives, room = self.lives, self.books.room()
        if room is None or room > _PLENTY:
            return lives.act(moment, act, age_us, one.luck)
        mark = one.luck.mark()
        after = lives.act(moment, act, age_us, one.luck)
        wanted = self._begun(moment, after)
        if wanted <= room:
            return after
        one.luck.rewind(mark)
        told = lives.act(moment, Room(room), moment.now_us, one.luck)
        after = lives.act(told, act, age_us, one.luck)
        self._count(one, wanted - self._begun(moment, after))
        return lives.act(after, Room(None), after.now_us, one.luck)

    def as_it_is(self, one: Connection, moment: Moment) -> Moment:
        """A connection that found no room and goes on alone, with the room that there is now."""
        room = self.books.room()
        if not one.no_flow or room is None or room > _PLENTY:
            return moment
        return self.lives.act(moment, Room(room), moment.now_us, one.luck)

    def _begun(self, before: Moment, after: Moment) -> int:
        views = self.lives.views
        return len(views[after.view].flows) - len(views[before.view].flows)

    def _count(self, one: Connection, dropped: int) -> None:
        """Each segment counts as dropped, each connection once as refused."""
        self.census.dropped += dropped
        if dropped and not one.no_flow:
            one.no_flow = True
            self.census.refused[PLACE] += 1
