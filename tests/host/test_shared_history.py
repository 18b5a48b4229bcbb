"""The tree of lives changes the speed of a run and nothing else."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tcpsim.host.limits import HostLimits, Limits
from tcpsim.host.population import Arrivals
from tcpsim.host.shared_history import Answers, Lives, Luck
from tcpsim.host.socket_accounting import view
from tcpsim.pair import Kill, Pair, advance, call, next_time
from tcpsim.path import Chooser, Quiet, Seeded, Uniform, chance
from tcpsim.tcp.stack import stack
from tests.host.worlds import MINUTE, record, run, web

WORLDS = {
    "no loss": web(),
    "loss": web(loss=0.1),
    "heavy loss": web(loss=0.3),
    "polling": web("polls-its-socket", loss=0.1),
    "keepalive": web("keepalive-never-closes", loss=0.1),
    "vanishing": web("vanishes", "keep-alive-timeout", loss=0.1),
    "drawn": web(jitter=Uniform(0, 5_000)),
    "jitter": web(loss=0.1, jitter=Uniform(0, 5_000)),
}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("room", [1, 200])
def test_the_tree_changes_no_result(world: str, room: int) -> None:
    arrivals = Arrivals(20, connections=60)
    computed = run(WORLDS[world], arrivals, settle_us=5 * MINUTE, room=0)
    full = run(WORLDS[world], arrivals, settle_us=5 * MINUTE)
    bounded = run(WORLDS[world], arrivals, settle_us=5 * MINUTE, room=room)
    assert record(full) == record(bounded) == record(computed)
    assert computed.recalled == 0
    assert full.computed + full.recalled == computed.computed


def test_the_tree_changes_no_result_under_limits() -> None:
    limits = Limits(HostLimits(workers=2, backlog=1, orphans=2, minis=25), HostLimits(ports=50))
    runs = [
        record(run(web(loss=0.1), Arrivals(30, connections=100), settle_us=MINUTE, room=room, limits=limits))
        for room in (0, 300, 100_000)
    ]
    assert runs[0] == runs[1] == runs[2]


def test_a_walk_is_the_life_that_advance_computes() -> None:
    lives = Lives(((1.0, WORLDS["loss"]),), connections=1_000, room=10_000)
    for index in range(200):
        luck, moment = Luck(5, index), None
        pair, plain = WORLDS["loss"], Seeded(5, index)
        moment = lives.begin(luck)
        while next_time(pair) is not None and pair.now_us < 10 * MINUTE:
            pair = advance(pair, plain)
            moment = lives.step(moment, luck)
            assert (moment.now_us, moment.next_us) == (pair.now_us, pair.next_us)
            assert lives.views[moment.view] == view(pair)
    assert lives.recalled > lives.computed > 0


def test_without_chance_there_is_one_life() -> None:
    census = run(web("closes-on-eof"), Arrivals(50, connections=1_000), settle_us=2 * MINUTE)
    assert census.computed < 40
    assert census.recalled == census.computed * 999


def test_a_drawn_life_is_nobody_elses() -> None:
    lives = Lives(((1.0, WORLDS["drawn"]),), connections=1_000, room=10_000)
    remembered = lives.room
    for index in range(20):
        luck = Luck(1, index)
        moment = lives.begin(luck)
        while moment.next_us is not None:
            moment = lives.step(moment, luck)
    assert lives.room == remembered  # the very first segment is jittered
    assert lives.recalled == 0


def test_what_goes_round_for_ever_is_followed_once_round() -> None:
    world = web("keepalive-never-closes", server_stack=stack("rfc9293"))  # FIN-WAIT-2 answers without end
    lives = Lives(((1.0, world),), connections=1, room=0)
    luck = Luck(1, 0)
    moment = lives.walk(lives.begin(luck), luck, MINUTE)
    for _ in range(2):
        before = lives.computed
        assert lives.outlook(moment, 365 * 24 * 60 * MINUTE) is None
        assert lives.computed - before < 30


@pytest.mark.parametrize("world", ["heavy loss", "polling", "keepalive"])
def test_an_outlook_is_the_life_without_further_losses(world: str) -> None:
    lives = Lives(((1.0, WORLDS[world]),), connections=1_000, room=10_000)
    until_us = 24 * 60 * MINUTE
    for index in range(100):
        luck = Luck(7, index)
        moment = lives.begin(luck)
        for _ in range(index % 20):
            moment = lives.step(moment, luck) if moment.next_us is not None else moment
        pair = moment.pair
        while moment.event_us is not None and pair.next_us is not None and pair.next_us <= until_us:
            pair = advance(pair, Quiet())
        found = lives.outlook(moment, until_us)
        assert found is None or lives.views[found] == view(pair)
        if world != "polling":  # who polls what is dead has no end, and an outlook all the same
            assert (found is None) == (moment.event_us is not None and pair.next_us is not None)


def test_a_function_of_the_answers_is_computed_once_for_each() -> None:
    asked: list[int] = []
    question = chance("loss", "lost", 0.5)

    def coins(chooser: Chooser) -> tuple[int, ...]:
        found = []
        while len(found) < 3 and not (found and found[-1]):
            found.append(chooser.choose(question))
        asked.append(len(found))
        return tuple(found)

    def drawn(chooser: Chooser) -> tuple[int, int]:
        return chooser.choose(question), chooser.draw(Uniform(0, 1_000_000))

    once, each = Answers(coins), Answers(drawn)
    for index in range(200):
        plain = Seeded(2, index)
        assert once.of(Seeded(2, index)) == coins(plain)
        assert each.of(Seeded(2, index)) == drawn(Seeded(2, index))
    assert len(asked) == 200 + 4  # 1, 01, 001 and 000


class KillClient(NamedTuple):
    """An operator kills the client's process."""

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        return call(pair, "client", Kill(1), now_us, chooser)


def test_an_act_from_outside_is_the_act_on_the_pair() -> None:
    lives = Lives(((1.0, WORLDS["no loss"]),), connections=1_000, room=10_000)
    moment = lives.begin(Luck(1, 0))
    for _ in range(4):
        moment = lives.step(moment, Luck(1, 0))
    at_once = [lives.act(moment, KillClient(), moment.now_us, Luck(1, 0)) for _ in range(2)]
    killed = call(moment.pair, "client", Kill(1), moment.now_us, Seeded(1, 0))
    assert lives.views[at_once[0].view] == view(killed) != view(moment.pair)
    assert at_once[0].next_us == killed.next_us
    assert at_once[0] is at_once[1]  # at the very instant: anyone may follow
    assert moment.next_us is not None
    later_us = (moment.now_us + moment.next_us) // 2
    later = [lives.act(moment, KillClient(), later_us, Luck(1, 0)) for _ in range(2)]
    killed = call(moment.pair, "client", Kill(1), later_us, Seeded(1, 0))
    assert [(one.now_us, one.next_us) for one in later] == [(later_us, killed.next_us)] * 2
    assert later[0] is not later[1]


def test_luck_goes_back_to_where_it_was() -> None:
    luck, loss = Luck(3, 4), chance("loss", "lost", 0.5)
    for _ in range(5):
        luck.choose(loss)
    mark = luck.mark()
    first = [luck.choose(loss) for _ in range(20)]
    luck.rewind(mark)
    assert [luck.choose(loss) for _ in range(20)] == first
