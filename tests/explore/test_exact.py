"""The chain against the tree, against closed forms, and against itself."""

from __future__ import annotations

from collections.abc import Hashable
from fractions import Fraction

import numpy as np
import pytest

from tcpsim.app import accept, close, connect, ignore, listen, send
from tcpsim.app.program import Program
from tcpsim.explore.chain import explore
from tcpsim.explore.leaks import Kind, answer, in_words, kind_of
from tcpsim.explore.solve import classes, solve_exactly
from tcpsim.explore.tree import tree
from tcpsim.pair import Event, Pair, Sent, census, new_pair
from tcpsim.path import GilbertElliott, Quiet, make_path
from tcpsim.scenario import build, run, scenario
from tcpsim.tcp.stack import stack
from tests.explore.worlds import WEEK_US, both_close, leaver, one_rst, opens_and_closes

RATES = np.linspace(0.0, 0.5, 31)


def _describe(pair: Pair) -> Hashable:
    assert pair.next_us is None
    return in_words((census(pair, "client"), census(pair, "server")))


def _by_chain(pair: Pair) -> dict[Hashable, Fraction]:
    """The same ends by the merged chain, at the path's own loss rates."""
    chain = explore(pair)
    parts = classes(chain)
    solution = solve_exactly(chain, parts, {each.name: Fraction(each.p) for each in chain.classes})
    found: dict[Hashable, Fraction] = {}
    for number, share in solution.settled.items():
        words = in_words(chain.view[parts[number].states[0]])
        found[words] = found.get(words, Fraction(0)) + share
    return found


@pytest.mark.parametrize(
    "pair",
    [
        pytest.param(leaver(0.25, 1), id="one retry"),
        pytest.param(leaver(0.3, 3), id="three retries"),
        pytest.param(leaver(0.3, 1, stack("linux").with_knobs({"tcp_retries2": 3})), id="linux ignores"),
        pytest.param(opens_and_closes(0.125), id="from the handshake"),
        pytest.param(both_close(0.125), id="whole connection"),
    ],
)
def test_tree_and_chain_agree_exactly(pair: Pair) -> None:
    by_tree = tree(pair, _describe, WEEK_US)
    assert sum(by_tree.values()) == 1
    assert _by_chain(pair) == by_tree


def test_bursts_are_followed_too() -> None:
    burst = GilbertElliott(p_good_to_bad=0.25, p_bad_to_good=0.25)  # all of its weights are exact as floats
    pair = leaver(0.5, 1)._replace(path=make_path(10_000, 0.0, burst))
    by_tree = tree(pair, _describe, WEEK_US)
    assert len(by_tree) > 2
    assert _by_chain(pair) == by_tree


@pytest.mark.parametrize("retries", [1, 2, 5, 8, 11])
def test_one_rst_closed_forms(retries: int) -> None:
    p = RATES
    h = p ** (retries + 1)
    g = (1 - (1 - p) ** 2) ** (retries + 1)
    found = answer(leaver(0.1, retries), list(p), WEEK_US)
    assert np.abs(found.probability("CLOSE-WAIT", "gone") - (p * (1 - g) + g - h)).max() < 1e-12
    assert np.abs(found.probability("ESTABLISHED", "gone") - h).max() < 1e-12
    assert np.abs(sum(end.probability for end in found.ends) - 1).max() < 1e-12
    assert not found.error.any()


def test_the_number_of_the_design() -> None:
    found = answer(leaver(0.1, 8), [0.3], WEEK_US)
    assert found.probability("CLOSE-WAIT", "gone")[0] == pytest.approx(0.30161, abs=5e-6)


def test_hpux_11_with_its_timer_obeys_the_closed_form() -> None:
    """Its FIN transmissions are limited by a time; the number comes from what is seen at certain loss."""
    server = stack("hpux-11").with_knobs({"fin_wait_2_us": "10min", "orphan_keep_idle_us": "never"})
    pair = leaver(0.1, 0, server=server)
    sent = _fins_sent(leaver(1.0, 0, server=server))
    p = RATES
    h, g = p**sent, (1 - (1 - p) ** 2) ** sent
    found = answer(pair, list(p), WEEK_US)
    assert (
        np.abs(found.probability("CLOSE-WAIT", "gone", Kind.PERMANENT) - (p * (1 - g) + g - h)).max() < 1e-12
    )
    assert np.abs(found.probability("ESTABLISHED", "gone", Kind.PERMANENT) - h).max() < 1e-12


def _fins_sent(pair: Pair) -> int:
    events: list[Event] = []
    run(pair, Quiet(), WEEK_US, events.append)
    return sum(isinstance(event, Sent) and event.segment.fin for event in events)


def test_keepalive_on_the_idle_peer_leaves_nothing_permanent() -> None:
    found = answer(leaver(0.1, 8, keepalive=True), list(RATES), WEEK_US)
    assert {end.kind for end in found.ends} == {Kind.CLEAN}
    assert np.abs(sum(end.probability for end in found.ends) - 1).max() < 1e-12


def test_keepalive_on_the_closer_changes_nothing() -> None:
    plain = answer(leaver(0.1, 8), list(RATES), WEEK_US)
    server = one_rst(8, keepalive_default=True, keep_idle_us="30s", keep_intvl_us="10s")
    kept = answer(leaver(0.1, 8, server=server), list(RATES), WEEK_US)
    for words in (("CLOSE-WAIT", "gone"), ("ESTABLISHED", "gone")):
        assert np.abs(kept.probability(*words) - plain.probability(*words)).max() < 1e-12


def test_probes_that_are_answered_are_metastable() -> None:
    """A server without a FIN-WAIT-2 limit, a client that probes: all in a row would have to be lost."""
    pair = leaver(0.1, 5, client=one_rst(5, keep_idle_us="2h"), server=stack("rfc9293"), keepalive=True)
    found = answer(pair, [0.0, 0.01, 0.5, 0.9], WEEK_US)
    stays = next(end for end in found.ends if end.kind is Kind.METASTABLE)
    assert (stays.client, stays.server) == ("CLOSE-WAIT", "FIN-WAIT-2")
    assert stays.probability[0] == 1.0
    assert stays.stay_us is not None
    assert stays.stay_us[0] == np.inf
    assert stays.stay_us[1] > 1e20  # nine losses in a row at 1 %, two ways each
    assert np.abs(sum(end.probability for end in found.ends) - 1).max() < 1e-12


def test_rare_losses_cost_no_precision() -> None:
    p = np.array([1e-6, 1e-9])
    found = answer(leaver(0.1, 2), list(p), WEEK_US)
    half_open = found.probability("ESTABLISHED", "gone")
    assert np.abs(half_open / p**3 - 1).max() < 1e-9


def test_what_is_cut_is_said() -> None:
    whole = answer(leaver(0.1, 8), list(RATES), WEEK_US)
    part = answer(leaver(0.1, 8), list(RATES), WEEK_US, limit=30)
    assert part.error.max() > 0
    assert np.abs(sum(end.probability for end in part.ends) - 1).max() < 1e-12
    for words in (("CLOSE-WAIT", "gone"), ("ESTABLISHED", "gone")):
        missing = whole.probability(*words) - part.probability(*words)
        assert (missing >= -1e-15).all()
        assert (missing <= part.error + 1e-15).all()


def test_a_burst_of_many_segments_is_cut_and_not_waited_for() -> None:
    """Thirty segments that arrive together would be a thousand million branches of one step."""
    server = Program([listen(), accept(), send(60_000), close()])
    wide = stack("rfc9293").with_knobs({"initial_window": 30, "rcv_space": 65535, "snd_space": 65535})
    pair = new_pair(Program([connect(), ignore()]), server, wide, wide, make_path(10_000, 0.5, 0.0))
    found = answer(pair, [0.1], WEEK_US, limit=500)
    assert found.error[0] > 0.5
    assert sum(end.probability[0] for end in found.ends) == pytest.approx(1, abs=1e-12)


def test_state_counts() -> None:
    """Pinned: a change says that a key has become finer or coarser, or TCP another one.

    Each FIN that may be sent is five states more.
    """
    assert explore(leaver(0.1, 8)).states == 54
    assert explore(leaver(0.1, 2)).states == 24


def test_kinds_of_classes() -> None:
    chain = explore(leaver(0.1, 2))
    kinds = [kind_of(chain, part) for part in classes(chain) if part.bottom]
    assert sorted(map(str, kinds)) == ["clean", "permanent", "permanent"]


def test_mean_times_are_those_of_the_timers() -> None:
    found = answer(build(scenario("closewait-ignored-eof"), loss=0.0), [0.0], WEEK_US)
    held = {(side, str(state)): us[0] for (side, state), us in found.held_us.items()}
    assert held["server", "FIN-WAIT-2"] == 60_000_000
