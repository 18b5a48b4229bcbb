"""The ways that are found lead where they are said to lead: a run with the same losses ends the same."""

from __future__ import annotations

import pytest

from tcpsim.catalogue import run
from tcpsim.explore.leaks import Kind, answer, in_words
from tcpsim.explore.shortest_paths import Ways
from tcpsim.pair import census
from tcpsim.path import Quiet, make_path
from tests.explore.worlds import WEEK_US, leaver, opens_and_closes


@pytest.mark.parametrize("p", [0.01, 0.3])
def test_one_lost_rst_is_the_way_into_close_wait(p: float) -> None:
    found = answer(leaver(0.1, 5), [p], WEEK_US)
    leak = next(end for end in found.ends if end.client == "CLOSE-WAIT")
    ways = Ways(found.chain, p)
    for way in (ways.likeliest(leak.states), ways.fewest_losses(leak.states)):
        assert way.drops == ("server #3",)  # after its SYN,ACK and its FIN: the one RST
        assert 0 < way.probability <= leak.probability[0]


def test_the_half_open_end_needs_every_fin() -> None:
    found = answer(leaver(0.1, 5), [0.1], WEEK_US)
    half_open = next(end for end in found.ends if end.client == "ESTABLISHED")
    way = Ways(found.chain, 0.1).fewest_losses(half_open.states)
    assert sum(rule.count(",") + 1 for rule in way.drops) == 6
    assert way.probability == pytest.approx(0.1**6)


def test_every_end_comes_about_by_its_way() -> None:
    pair = opens_and_closes(0.1)
    found = answer(pair, [0.1], WEEK_US)
    ways = Ways(found.chain, 0.1)
    replayed = 0
    for end in found.ends:
        for way in (ways.likeliest(end.states), ways.fewest_losses(end.states)):
            if way.chosen:
                continue  # the client's choice is not a loss, and a quiet chooser takes the usual course
            again = pair._replace(path=make_path(10_000, drops=way.drops))
            ended = run(again, Quiet(), WEEK_US)
            words = in_words((census(ended.pair, "client"), census(ended.pair, "server")))
            assert words == (end.client, end.server)
            assert ended.verdict.value == str(end.kind)
            replayed += 1
    assert replayed >= 4
    assert {end.kind for end in found.ends} == {Kind.CLEAN, Kind.PERMANENT}


def test_a_way_to_nowhere_is_an_error() -> None:
    found = answer(leaver(0.1, 1), [0.1], WEEK_US)
    with pytest.raises(ValueError, match="nothing leads"):
        Ways(found.chain, 0.1).likeliest(())
    with pytest.raises(ValueError, match="between 0 and 1"):
        Ways(found.chain, 0.0)
