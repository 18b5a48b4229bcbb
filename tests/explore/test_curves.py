"""Exact curves over age: closed forms, sums, integrals, fractions against the tree, and what a clock says."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tcpsim.catalogue import build, scenario
from tcpsim.explore.chain import explore
from tcpsim.explore.curves import Occupancy, occupancy
from tcpsim.explore.leaks import answer
from tcpsim.explore.over_time import over_time
from tcpsim.explore.transient import ROOM, graph
from tcpsim.pair import SIDES, Pair, census
from tcpsim.tcp.state import State
from tests.explore.tree import tree
from tests.explore.worlds import WEEK_US, both_close, leaver, opens_and_closes

RATES = [0.0, 1e-6, 0.01, 0.1, 0.3, 0.5]
LATE: dict[str, Any] = {"parameters": {"server.delay": "1s"}, "loss_from": "500ms"}


def _seen(pair: Pair, losses: Any = RATES, until_us: int = WEEK_US) -> Occupancy:
    return occupancy(explore(pair), losses, until_us)


def test_the_fin_wait_2_socket_is_there_for_its_minute() -> None:
    """Without loss all is a clock: accepted at 30 ms, closed at 330, acknowledged at 350; then a minute."""
    seen = _seen(leaver(0.1, 8), [0.0])
    curve = seen.of("server", State.FIN_WAIT_2)
    assert curve.times_us.tolist() == [0, 350_000, 60_350_000]
    assert curve.values.tolist() == [[0.0], [1.0], [0.0]]
    assert curve.first_at_least(0.5) == [350_000]


def test_what_happens_at_the_last_moment_has_happened() -> None:
    last = _seen(leaver(0.1, 8), [0.0], 60_350_000).of("server", State.FIN_WAIT_2)
    assert (last.at(60_349_999)[0], last.at(60_350_000)[0]) == (1.0, 0.0)


def test_bytes_by_state_are_those_of_the_side() -> None:
    """Before the close, while it is under way, and for ever; a state that nobody is in costs nothing."""
    seen = _seen(leaver(0.1, 3), [0.1, 0.5])
    at_us = [100_000, 1_000_000, WEEK_US]
    found = over_time(seen, at_us)
    for side in SIDES:
        rows = [number for number, each in enumerate(found.sockets) if each[0] == side]
        assert found.bytes[rows].sum(axis=0) == pytest.approx(seen.bytes(side).at(np.array(at_us)))
    assert ((found.bytes > 0) == (found.mean > 0)).all()


def test_which_side_is_over() -> None:
    """The server is done in the end whatever happens; a client without keepalive may not be."""
    seen = _seen(leaver(0.1, 3), [0.3])
    assert seen.over("server").at(WEEK_US)[0] == pytest.approx(1, abs=1e-12)
    assert seen.over("client").at(WEEK_US)[0] == seen.over().at(WEEK_US)[0] < 0.9
    assert seen.stays().at(WEEK_US)[0] == pytest.approx(1, abs=1e-12)
    assert seen.stays().at(1_000_000)[0] == 0


def test_levels_rise_along_the_edges() -> None:
    chain = explore(opens_and_closes(0.1))
    net = graph(chain)
    assert (net.level[net.target] > net.level[net.source]).all()


@pytest.mark.parametrize("cut", ["states", "room"])
def test_what_is_not_followed_is_said(cut: str) -> None:
    """Neither a chain that was cut nor too little room may be further off than the error that is told."""
    pair = opens_and_closes(0.1)
    whole = _seen(pair)
    limited = explore(pair, limit=60) if cut == "states" else explore(pair)
    part = occupancy(limited, RATES, WEEK_US, room=ROOM if cut == "states" else 4)
    assert 0 < part.error[3] < 1
    at_us = np.array([0, 50_000, 2_000_000, 30_000_000, 100_000_000, WEEK_US])
    for kind in whole.kinds:
        off = np.abs(whole.expected(kind).at(at_us) - part.expected(kind).at(at_us))
        assert (off <= part.error + 1e-12).all()
    assert (part.stays().at(WEEK_US) <= 1 - part.error + 1e-12).all()
    assert np.abs(part.curve(lambda look: 1).at(at_us) - 1).max() < 1e-12


def test_unlikely_histories_are_left_out_up_to_the_tolerance() -> None:
    pair = opens_and_closes(0.1)
    chain = explore(pair)
    rates = [1e-6, 0.01]
    whole = occupancy(chain, rates, WEEK_US)
    for tolerance in (1e-9, 1e-3):
        part = occupancy(chain, rates, WEEK_US, tolerance=tolerance)
        assert len(part.changes.at_us) < len(whole.changes.at_us)
        assert 0 < part.error.max() <= tolerance
        at_us = np.array([0, 50_000, 2_000_000, 30_000_000, 100_000_000, WEEK_US])
        for kind in whole.kinds:
            off = np.abs(whole.expected(kind).at(at_us) - part.expected(kind).at(at_us))
            assert (off <= part.error + 1e-15).all()


@pytest.mark.parametrize("exactly", [False, True])
def test_fewer_passages_say_the_same_at_the_times_asked_for(exactly: bool) -> None:
    rates: Any = [Fraction(1, 10), Fraction(0), Fraction(1, 2)] if exactly else RATES
    seen = _seen(both_close(0.1), rates)
    some = seen.changes.at_us[::7]
    at_us = np.concatenate((np.arange(0, 1_000_000, 9_999), some, some - 1, [WEEK_US]))
    fewer = seen.only_at(np.append(at_us, [-5, 2 * WEEK_US]))
    for kind in seen.kinds:
        before, after = seen.expected(kind), fewer.expected(kind)
        for found, known in (
            (after.at(at_us), before.at(at_us)),
            (after.integral_us(at_us), before.integral_us(at_us)),
        ):
            if exactly:
                assert (found == known).all()
            else:
                assert found == pytest.approx(known, rel=1e-9, abs=1e-15)


def test_many_passages_become_few() -> None:
    seen = occupancy(explore(build(scenario("closewait-ignored-eof"), loss=0.1), limit=1_000), RATES, WEEK_US)
    assert len(seen.only_at(np.array([1_000_000])).changes.at_us) < len(seen.changes.at_us) / 20


def test_a_chain_of_one_state_is_all_error() -> None:
    seen = occupancy(explore(leaver(0.1, 2), limit=1), RATES, WEEK_US)
    assert seen.error.tolist() == [1.0] * len(RATES)
    assert (seen.curve(lambda look: 1).at(WEEK_US) == 1).all()


def test_a_rare_leak_keeps_its_digits() -> None:
    p = np.array([1e-3, 1e-6])
    curve = _seen(leaver(0.1, 2), p.tolist()).of("client", State.ESTABLISHED)
    assert curve.at(WEEK_US) == pytest.approx(p**3, rel=1e-9, abs=0)


@pytest.mark.parametrize("retries", [1, 3, 8])
def test_in_the_long_run_the_curve_is_the_closed_form(retries: int) -> None:
    p = np.array(RATES)
    h, g = p ** (retries + 1), (1 - (1 - p) ** 2) ** (retries + 1)
    seen = _seen(leaver(0.1, retries))
    assert np.abs(seen.of("client", State.CLOSE_WAIT).at(WEEK_US) - (p * (1 - g) + g - h)).max() < 1e-12
    assert np.abs(seen.of("client", State.ESTABLISHED).at(WEEK_US) - h).max() < 1e-12
    assert np.abs(seen.over().at(WEEK_US) + p * (1 - g) + g - 1).max() < 1e-12


@pytest.mark.parametrize(
    "pair",
    [
        pytest.param(leaver(0.1, 5), id="one RST"),
        pytest.param(opens_and_closes(0.1), id="from the handshake"),
        pytest.param(both_close(0.1), id="whole connection"),
        pytest.param(leaver(0.1, 3, keepalive=True), id="goes round"),
        pytest.param(build(scenario("normal-close"), loss=0.5, **LATE), id="linux"),
    ],
)
def test_looks_add_up_to_one_and_integrals_are_mean_times(pair: Pair) -> None:
    seen = _seen(pair)
    total = sum(
        seen.curve(lambda look, this=look: int(look == this)).at(np.arange(0, WEEK_US, WEEK_US // 997))
        for look in seen.looks
    )
    assert np.abs(total - 1).max() < 1e-12
    assert not seen.error.any()
    found = answer(pair, RATES, WEEK_US)
    leaves = {
        state
        for end in found.ends
        if end.permanent
        for side in (end.client, end.server)
        for state in side.split()
    }
    compared = 0
    for (side, state), us in found.held_us.items():
        if str(state) in leaves:
            continue
        integral = seen.of(side, state).integral_us(WEEK_US)
        assert integral == pytest.approx(us, rel=1e-9, abs=1e-6)
        compared += 1
    assert compared >= 2


def test_fractions_are_those_of_the_tree() -> None:
    pair = opens_and_closes(0.125)
    seen = _seen(pair, [Fraction(1, 8)], 40_000_000)
    times_us = (0, 10_000, 20_000, 230_000, 1_000_000, 3_000_000, 20_000_000)
    kinds = seen.kinds
    assert len(kinds) > 5
    for at_us in times_us:
        by_tree = tree(pair, lambda now: (census(now, "client"), census(now, "server")), at_us)
        for kind in kinds:
            expected = sum(
                share
                * sum((held.state, held.holder, held.fd) == kind[1:] for held in view[SIDES.index(kind.side)])
                for view, share in by_tree.items()
            )
            assert seen.expected(kind).at(at_us)[0] == expected
