"""Mixtures of kinds, drawn times in strata, and how long a state is held in all."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tcpsim.app import accept, choose, close, connect, ignore, listen, receive_to_eof, wait
from tcpsim.app.program import Program
from tcpsim.app.steps import Step
from tcpsim.errors import InputError
from tcpsim.explore.chain import explore
from tcpsim.explore.curves import Look, Occupancy, occupancy
from tcpsim.explore.leaks import answer
from tcpsim.explore.mixture import drawn, mixture
from tcpsim.explore.sojourn_times import stay
from tcpsim.pair import Pair, new_pair
from tcpsim.path import Uniform, make_path
from tcpsim.tcp.state import State
from tests.explore.worlds import WEEK_US, both_close, leaver, one_rst, opens_and_closes

MINUTE_US = 60_000_000
QUICK = one_rst(1, syn_retries=0, synack_retries=0)


def _ends_with(client: Step, loss: float = 0.125, after_us: int = 1) -> Pair:
    """The server closes a time after it has accepted; the client sees that and does one more thing."""
    return new_pair(
        Program([connect(), receive_to_eof(), client]),
        Program([listen(), accept(), wait(after_us), close()]),
        QUICK,
        QUICK,
        make_path(10_000, loss, loss),
    )


def _established(look: Look) -> int:
    return look.sockets("server", State.ESTABLISHED, None, None)


def test_one_in_four_forgets() -> None:
    """The chain of a program that chooses is the mixture of two that do not, exactly."""
    rate, until_us = [Fraction(1, 8)], 2 * MINUTE_US
    good, bad = close(), ignore()
    parts = [(0.75, [good]), (0.25, [bad])]
    whole = occupancy(explore(_ends_with(choose(parts))), rate, until_us)
    mixed = mixture(
        [
            (Fraction(3, 4), occupancy(explore(_ends_with(good)), rate, until_us)),
            (Fraction(1, 4), occupancy(explore(_ends_with(bad)), rate, until_us)),
        ]
    )
    assert set(mixed.kinds) == set(whole.kinds)
    assert mixed.curve(lambda look: 1).at(0)[0] == 1
    for kind in whole.kinds:
        for at_us in (0, 25_000, 3_000_000, MINUTE_US, until_us):
            assert mixed.expected(kind).at(at_us)[0] == whole.expected(kind).at(at_us)[0]


def _after(us: int) -> Occupancy:
    return occupancy(explore(_ends_with(close(), 0.0, us)), [0.0], 10 * MINUTE_US)


@pytest.mark.parametrize("strata", [4, 16, 64])
def test_a_drawn_time_in_strata(strata: int) -> None:
    """A wait that is uniform up to a second: the curve is a line, met at the middle of each stratum."""
    found = drawn(_after, Uniform(0, 999_999), strata)
    accepted_us = 30_000
    at_us = np.arange(accepted_us, accepted_us + 1_000_000, 1_237)
    line = 1 - (at_us - accepted_us) / 1_000_000
    off = np.abs(found.seen.curve(_established).at(at_us)[:, 0] - line).max()
    assert 0.4 / strata < off < 0.51 / strata
    assert off <= found.error(_established) <= 1.01 / strata
    held_us = found.seen.curve(_established).integral_us(10 * MINUTE_US)[0]
    assert abs(held_us - 500_000) <= max(1.0, found.error_us(_established))


def test_the_error_of_a_time_held_is_seen_where_it_is_not_linear_in_what_is_drawn() -> None:
    """Up to 0.4 s after the server has accepted: where the wait is longer that is all that counts."""
    until_us = 430_000

    def kind(us: int) -> Occupancy:
        return occupancy(explore(_ends_with(close(), 0.0, us)), [0.0], until_us)

    found = drawn(kind, Uniform(0, 999_999), 8)
    held_us = found.seen.curve(_established).integral_us(until_us)[0]
    off_us = abs(held_us - (400_000 - 400_000**2 / 2_000_000))
    assert 100 < off_us < found.error_us(_established) < 50_000


def test_what_was_cut_of_a_kind_is_cut_of_the_mixture_in_proportion() -> None:
    whole = occupancy(explore(leaver(0.1, 3)), [0.1, 0.3], WEEK_US)
    part = occupancy(explore(leaver(0.1, 3), limit=15), [0.1, 0.3], WEEK_US)
    assert part.error.min() > 0
    assert mixture([(0.75, whole), (0.25, part)]).error == pytest.approx(part.error / 4)


def test_mixtures_that_are_none() -> None:
    short, long = _after(1_000), _after(2_000)
    with pytest.raises(InputError, match="add up to 1"):
        mixture([(0.5, short), (0.4, long)])
    with pytest.raises(InputError, match="the same time"):
        mixture([(0.5, short), (0.5, long._replace(until_us=MINUTE_US))])
    with pytest.raises(InputError, match="even number"):
        drawn(_after, Uniform(0, 10), 3)


@pytest.mark.parametrize(
    "pair", [leaver(0.1, 3, keepalive=True), both_close(0.1), opens_and_closes(0.1)], ids=lambda pair: ""
)
def test_times_held_have_the_means_of_the_chain(pair: Pair) -> None:
    rates = [0.0, 0.01, 0.3]
    found = answer(pair, rates, WEEK_US)
    for_ever = 0
    for (side, state), us in found.held_us.items():
        held = stay(found.chain, rates, side, state, WEEK_US)
        total = held.never + held.for_ever + held.within.values[-1]
        assert np.abs(total - 1).max() < 1e-12
        if held.for_ever.any():
            for_ever += 1  # the mean before the end counts what is spent on the way to it, too
        else:
            assert held.mean_us() == pytest.approx(us, rel=1e-9)
    assert for_ever == len({end.client for end in found.ends if end.permanent})


def test_the_law_of_a_time_held() -> None:
    """FIN-WAIT-1 ends with the first exchange that works: 20 ms, and the timer for each one before."""
    p = np.array([0.1, 0.3])
    held = stay(explore(leaver(0.1, 3)), p.tolist(), "server", State.FIN_WAIT_1, WEEK_US)
    fails = 1 - (1 - p) ** 2
    assert held.longer(0) == pytest.approx([1, 1], abs=1e-15)
    assert held.longer(20_000) == pytest.approx(fails, abs=1e-15)
    assert held.longer(1_020_000) == pytest.approx(fails**2, abs=1e-15)
    assert held.longer(3_020_000) == pytest.approx(fails**3, abs=1e-15)
    assert held.quantile_us(0.7) == [20_000, 1_020_000]
    assert held.never.tolist() == [0, 0]


def test_quantiles_are_of_those_that_come_there() -> None:
    """At 50 % loss most closers give up before they hear anything; the others wait for a minute."""
    held = stay(explore(leaver(0.1, 1)), [0.5], "server", State.FIN_WAIT_2, WEEK_US)
    assert held.never == pytest.approx((1 - 0.5**2) ** 2)
    assert held.quantile_us(0.99) == [60_000_000]


def test_time_for_ever_has_no_quantile() -> None:
    held = stay(explore(leaver(0.1, 3)), [0.3], "client", State.CLOSE_WAIT, WEEK_US)
    h, g = 0.3**4, (1 - 0.7**2) ** 4
    assert held.never == pytest.approx(h)
    assert held.for_ever == pytest.approx(0.3 * (1 - g) + g - h)
    assert held.quantile_us(0.99) == [None]
    assert held.quantile_us(0.5) is not None
