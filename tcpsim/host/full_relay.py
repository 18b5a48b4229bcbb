"""Hosts between that may run out: what becomes of a relay's call for which its host has nothing left.

Owns: the question, asked at the instant of each such call, and the second try of a step that takes more than
there is. Refuses to know: what a relay does when a call fails (app.relays), a full box (full_box), and when a
connection steps (admission).

A connection looks ahead as if its relays' hosts had enough. Where a step takes a descriptor or a port that is
not there, it is taken back and made again, and the kernel knows what is left: accept() and socket() fail with
EMFILE, connect() with EADDRNOTAVAIL. Whether accept() is called at all is the host's to decide (admission).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from tcpsim.host.census import Census
from tcpsim.host.connection import Connection
from tcpsim.host.resource_usage import Books
from tcpsim.host.shared_history import Act, Lives, Moment
from tcpsim.pair import SIDES, Befall, Pair, Side, call
from tcpsim.path import Chooser
from tcpsim.sockets.processes import FIRST_FD, Returned, with_end

_TAKEN = ("descriptors", "ports")  # by calls, which fail where there is none
Mark = tuple[int, tuple[int, ...]]


class Left(NamedTuple):
    """A host between has `spare` descriptors more (None: up to `nofile` of them), and so many ports.

    Any port serves as well as another.
    """

    side: Side
    nofile: int
    ports: int
    spare: int | None = None

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        system = pair.machine(self.side).system
        held = FIRST_FD + max(map(len, system.tables.values()), default=0)
        nofile = self.nofile if self.spare is None else held + self.spare
        end = system.end.replaced(stack=replace(system.end.stack, ephemeral_ports=self.ports))
        outcome = Returned(with_end(system, end)._replace(nofile=nofile), None)
        return call(pair, self.side, Befall(outcome), now_us, chooser)


class FullRelays:
    """The hosts between of a run, if they have limits; `pair` tells what their kernels have."""

    def __init__(self, books: Books, lives: Lives, census: Census, pair: Pair) -> None:
        self.books = books
        self.lives = lives
        self.census = census
        between = {side: pair.machine(side).system for side in books.limits if side not in SIDES}
        self.enough = {
            side: Left(side, system.nofile, system.end.stack.ephemeral_ports)
            for side, system in between.items()
        }

    def before(self, one: Connection, mark: Mark, ahead: Moment) -> tuple[Mark, Moment]:
        """`ahead`, which a connection comes to in this instant, or what hosts that lack something make of it.

        The mark is where that began; `after` has to follow.
        """
        lacking = self._lacking(one.moment, ahead) if self.enough else []
        if not lacking:
            return mark, ahead
        one.luck.rewind(mark)
        last = self.lives.walk(one.moment, one.luck, ahead.now_us - 1)
        told = self._tell(one, last, lacking, ahead.now_us)
        one.moment, mark = told, one.luck.mark()
        return mark, self.lives.walk(told, one.luck, ahead.now_us)

    def act(self, one: Connection, moment: Moment, act: Act, age_us: int) -> Moment:
        """The moment from which an act begins, told of what the hosts lack for it; `after` has to follow."""
        if not self.enough:
            return moment
        mark = one.luck.mark()
        lacking = self._lacking(moment, self.lives.act(moment, act, age_us, one.luck))
        one.luck.rewind(mark)
        if not lacking:
            return moment
        return self._tell(one, self.lives.walk(moment, one.luck, age_us), lacking, age_us)

    def after(self, one: Connection, moment: Moment) -> Moment:
        """The instant is over: another connection may take what is there then."""
        for side in one.lacks:
            moment = self.lives.act(moment, self.enough[side], moment.now_us, one.luck)
        one.lacks = ()
        return moment

    def _lacking(self, before: Moment, after: Moment) -> list[Left]:
        """The hosts that have less than a step takes, and what they have."""
        found: dict[Side, Left] = {}
        for resource, side, more in self.books.differences(before.view, after.view):
            if more <= 0 or side not in self.enough or resource not in _TAKEN:
                continue
            left = self.books.left(side, resource)
            if left is not None and left < more:
                known = found.get(side, self.enough[side])
                found[side] = (
                    known._replace(spare=left) if resource == "descriptors" else known._replace(ports=left)
                )
        return list(found.values())

    def _tell(self, one: Connection, moment: Moment, lacking: list[Left], age_us: int) -> Moment:
        """Each connection counts once as refused, for each resource."""
        for each in lacking:
            moment = self.lives.act(moment, each, moment.now_us, one.luck)
            for resource, short in zip(_TAKEN, (each.spare is not None, each.ports == 0), strict=True):
                place = f"{each.side} {resource}"
                if short and place not in one.lacked:
                    one.lacked = (*one.lacked, place)
                    self.census.refused[place] += 1
                    self.census.lacked_us.setdefault(place, one.born_us + age_us)
        one.lacks = tuple([each.side for each in lacking])
        return moment
