"""The chain against the tree, against closed forms, and against itself."""

from __future__ import annotations

from collections.abc import Hashable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tcpsim.app import accept, close, connect, ignore, listen, send
from tcpsim.app.program import Program
from tcpsim.catalogue import build, run, scenario
from tcpsim.errors import InputError
from tcpsim.explore.chain import explore
from tcpsim.explore.classes import classes
from tcpsim.explore.leaks import Kind, answer, in_words, kind_of
from tcpsim.explore.solve import solve_exactly
from tcpsim.pair import Event, Pair, Sent, census, new_pair
from tcpsim.path import GilbertElliott, Quiet, make_path
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.stack import Stack, stack
from tests.explore.tree import tree
from tests.explore.worlds import WEEK_US, both_close, leaver, one_rst, opens_and_closes, restarted_leaver

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
        pytest.param(restarted_leaver(0.25, "2s"), id="a restart while the FIN may be under way"),
        pytest.param(restarted_leaver(0.25, "2min"), id="a restart when all is over"),
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


ORPHAN_PROBES = {"keepalive_default": True, "keepalive_orphans": True}


def hpux_11(**knobs: Any) -> Stack:
    """With its explicit FIN-WAIT-2 timer, without its keepalive of detached sockets."""
    return stack("hpux-11").with_knobs({"fin_wait_2_us": "10min", "orphan_keep_idle_us": "never", **knobs})


@pytest.mark.parametrize("closer_probes", [False, True])
def test_hpux_11_with_its_timer_obeys_the_closed_form(closer_probes: bool) -> None:
    """Its FIN transmissions are limited by a time; the number comes from what is seen at certain loss.

    Keepalive on the closer changes nothing, though probes are sent.
    """
    probes = {"keep_idle_us": "4min", "keep_intvl_us": "70s", "orphan_keep_idle_us": "none"}
    server = hpux_11(**(ORPHAN_PROBES | probes if closer_probes else {}))
    pair = leaver(0.1, 0, server=server)
    sent = _fins_sent(leaver(1.0, 0, server=server))
    assert bool(_probes(pair)) == closer_probes
    p = RATES
    h, g = p**sent, (1 - (1 - p) ** 2) ** sent
    found = answer(pair, list(p), WEEK_US)
    assert (
        np.abs(found.probability("CLOSE-WAIT", "gone", Kind.PERMANENT) - (p * (1 - g) + g - h)).max() < 1e-12
    )
    assert np.abs(found.probability("ESTABLISHED", "gone", Kind.PERMANENT) - h).max() < 1e-12


def _sent(pair: Pair) -> list[Segment]:
    """What the server sends if nothing is lost by chance."""
    events: list[Event] = []
    run(pair, Quiet(), WEEK_US, events.append)
    return [event.segment for event in events if isinstance(event, Sent) and event.side == "server"]


def _fins_sent(pair: Pair) -> int:
    return sum(segment.fin for segment in _sent(pair))


def _probes(pair: Pair) -> int:
    """Keepalive probes: empty segments from below what was sent."""
    sent = _sent(pair)
    fin = next(segment for segment in sent if segment.fin)
    return sum(not (each.fin or each.rst or each.syn) and each.seq == fin.seq for each in sent)


@pytest.mark.parametrize("server", [one_rst(8), hpux_11()], ids=["one RST", "hpux-11"])
def test_keepalive_on_the_idle_peer_leaves_nothing_permanent(server: Stack) -> None:
    found = answer(leaver(0.1, 8, server=server, keepalive=True), list(RATES), WEEK_US)
    assert {end.kind for end in found.ends} == {Kind.CLEAN}
    assert np.abs(sum(end.probability for end in found.ends) - 1).max() < 1e-12


def test_keepalive_on_the_closer_changes_nothing() -> None:
    plain = answer(leaver(0.1, 8), list(RATES), WEEK_US)
    server = one_rst(8, keep_idle_us="25s", keep_intvl_us="8s", **ORPHAN_PROBES)
    assert _probes(leaver(0.1, 8, server=server))
    kept = answer(leaver(0.1, 8, server=server), list(RATES), WEEK_US)
    for words in (("CLOSE-WAIT", "gone"), ("ESTABLISHED", "gone")):
        assert np.abs(kept.probability(*words) - plain.probability(*words)).max() < 1e-12


def test_a_probe_under_way_at_the_end_of_fin_wait_2_is_a_second_chance() -> None:
    """Its answer finds nobody, and draws a RST of its own: as where a third probe is sent after 60 s."""
    server = one_rst(8, keep_idle_us="30s", keep_intvl_us="10s", **ORPHAN_PROBES)
    plain, kept = (answer(leaver(0.1, 8, server=each), [0.3], WEEK_US) for each in (None, server))
    assert kept.probability("CLOSE-WAIT", "gone")[0] < plain.probability("CLOSE-WAIT", "gone")[0] - 1e-3


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


@pytest.mark.parametrize("losses", [[1.5], [], 0.1, ["10%"], {"to client": [0.1]}])
def test_rates_that_are_none(losses: Any) -> None:
    with pytest.raises(InputError, match="losses"):
        answer(leaver(0.1, 1), losses, WEEK_US)


def test_a_path_that_loses_nothing_is_not_asked_what_if() -> None:
    """Rates beside a path that was built without any would be ignored."""
    whole = build(scenario("closewait-ignored-eof"))
    with pytest.raises(InputError, match="build it with any loss"):
        answer(whole, [0.1, 0.2], WEEK_US)
    assert answer(whole, [0.0], WEEK_US).probability("CLOSE-WAIT", "gone").tolist() == [1.0]


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
