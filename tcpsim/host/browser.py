"""Browsers: visitors who read pages with images over a few parallel connections.

Owns: the contents of a page, when a page is complete, how many connections a browser has, and what it does
with those that the server has closed (the bug of Apache's page, and its fix). Refuses to know: how a pool
hands out connections (pool), and how a connection behaves by itself (shared_history).

The page comes first, then its images, each over the next free connection. A page is complete when its last
image is. Each connection has its own path. Parallel connections do not share a modem line.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Literal, NamedTuple

import simpy

from tcpsim.errors import InputError, checked
from tcpsim.host.admission import Governor
from tcpsim.host.connection_owner import HangUp, Lines, Quit
from tcpsim.host.pool import Pool, PoolConfig, Request
from tcpsim.path import Choice, Distribution, Fixed, Seeded

Answers = Literal["when it looks", "with the next connection", "never"]
Leaves = Literal["stays", "quits", "hangs up"]


class Habit(NamedTuple):
    """What a browser does with an idle connection that the server has closed, and after its last page.

    It `answers` the FIN when it looks, which is every few seconds; or when it needs a connection next; or
    never. In the end it `leaves` everything as it is, quits, or loses its line.
    """

    name: str
    answers: Answers = "when it looks"
    leaves: Leaves = "stays"


SOUND = Habit("looks every few seconds")
WITH_NEXT = Habit("closes when it opens another", "with the next connection")
QUITS = Habit("closes when it quits", "never", "quits")
HANGS_UP = Habit("hangs up", "never", "hangs up")
NEVER = Habit("idle for days", "never")
HABITS = (SOUND, WITH_NEXT, QUITS, HANGS_UP, NEVER)


@checked
class Browsers(NamedTuple):
    """Users whose every arrival is somebody who opens a browser and reads some pages.

    A page is one request and `images` more, over up to `parallel` connections. `requests`: how many the
    server answers on each (1: KeepAlive Off). Each of `pages` is read for a time drawn from `reads`. `habits`
    are weights, and `looks_us` is how often a sound browser looks.
    """

    images: int = 10
    parallel: int = 4
    requests: int = 100
    pages: int = 1
    reads: Distribution = Fixed(30_000_000)
    habits: tuple[tuple[float, Habit], ...] = ((1.0, SOUND),)
    looks_us: int = 5_000_000

    def check(self) -> None:
        """Raises InputError for a browser that cannot work, or habits that do not add up."""
        self.config(SOUND).check()
        if self.images < 0 or self.pages < 1:
            raise InputError("browsers", (self.images, self.pages), "images >= 0 and pages >= 1")
        weights = [weight for weight, _ in self.habits]
        if not weights or min(weights) < 0 or abs(sum(weights) - 1) > 1e-9:
            raise InputError("habits", weights, "weights from 0 to 1 that add up to 1")

    def config(self, habit: Habit) -> PoolConfig:
        """A browser of this habit as a pool."""
        return PoolConfig(
            size=self.parallel,
            requests=self.requests,
            looks_us=self.looks_us if habit.answers == "when it looks" else None,
            abandons=habit.answers == "never",
            tries=2,
        )

    def start(self, governor: Governor, seed: int) -> Callable[[int], None]:
        """What to do at each arrival."""
        lines = Lines(governor, seed)
        names = ("pass", *(habit.name for _, habit in self.habits[1:]))
        which = Choice("habit", names, tuple(weight for weight, _ in self.habits))

        def come(number: int) -> None:
            luck = Seeded(seed, number, b"browser")
            _, habit = self.habits[luck.choose(which)]
            governor.env.process(_Browser(self, habit, luck, lines).visit())

        return come


class _Browser:
    """One browser."""

    def __init__(self, users: Browsers, habit: Habit, luck: Seeded, lines: Lines) -> None:
        self.users = users
        self.habit = habit
        self.luck = luck
        self.pool = Pool(users.config(habit), lines)
        self.env = lines.governor.env
        self.experience = lines.governor.census.experience

    def visit(self) -> Generator[simpy.Event, None, None]:
        """Page after page, and then whatever the habit is."""
        for _ in range(self.users.pages):
            began_us = int(self.env.now)
            self.experience.asked += 1
            outcomes = yield from self._fetch(1)
            if outcomes == {"answered"} and self.users.images:
                outcomes = yield from self._fetch(self.users.images)
            complete = "complete" if outcomes == {"answered"} else "incomplete"
            self.experience.ended(began_us, int(self.env.now), complete)
            yield self.env.timeout(self.luck.draw(self.users.reads))
        if self.habit.leaves != "stays":
            self.pool.leave(Quit() if self.habit.leaves == "quits" else HangUp())

    def _fetch(self, count: int) -> Generator[simpy.Event, None, set[str]]:
        """Requests, all at once; the outcomes that there were."""
        outcomes: list[str] = []
        done = self.env.event()

        def tell(outcome: str) -> None:
            outcomes.append(outcome)
            if len(outcomes) == count:
                done.succeed()

        for _ in range(count):
            self.pool.ask(Request(tell))
        yield done
        return set(outcomes)
