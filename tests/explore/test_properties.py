"""What holds in every future of a connection: the contrast between stacks is the lesson."""

from __future__ import annotations

import pytest

from tcpsim.explore.properties import check
from tcpsim.pair import Pair
from tcpsim.scenario import build, scenario
from tcpsim.tcp.stack import stack
from tests.explore.worlds import leaver, one_rst


def _holds(pair: Pair) -> dict[str, bool]:
    found = check(pair)
    assert found.whole
    return {each.name: each.holds for each in found.findings}


def test_an_orphan_has_a_timer_on_linux_and_not_under_the_rfc() -> None:
    client = one_rst(1)
    assert _holds(leaver(0.5, 1, client, stack("linux")))["orphan-has-timer"]
    assert not _holds(leaver(0.5, 1, client, stack("rfc9293")))["orphan-has-timer"]


def test_without_keepalive_one_loss_leaks_on_one_side_only() -> None:
    found = check(leaver(0.5, 2))
    verdicts = {each.name: each for each in found.findings}
    leak = verdicts["no-permanent-leak"]
    assert not leak.holds
    assert leak.way is not None
    assert leak.way.drops == ("server #3",)
    assert verdicts["one-side-at-most"].holds
    clean = verdicts["can-end-clean"]
    assert clean.holds
    assert clean.way is not None
    assert clean.way.drops == ()


def test_with_keepalive_nothing_stays_for_ever() -> None:
    assert all(_holds(leaver(0.5, 2, keepalive=True)).values())


def test_without_any_limit_both_sides_stay() -> None:
    verdicts = _holds(leaver(0.5, 1, server=stack("rfc9293")))
    assert not verdicts["one-side-at-most"]
    assert not verdicts["no-permanent-leak"]


def test_what_was_not_explored_is_no_proof() -> None:
    found = check(build(scenario("normal-close"), loss=0.5), limit=200)
    assert not found.whole
    assert all(each.holds for each in found.findings)


@pytest.mark.parametrize("retries", [1, 3])
def test_the_fewest_losses_are_fewest(retries: int) -> None:
    """A client without keepalive is left half-open by nothing less than every FIN lost."""
    found = check(leaver(0.5, retries, server=one_rst(retries, fin_wait_2_rst=False)))
    leak = next(each for each in found.findings if each.name == "no-permanent-leak")
    assert leak.way is not None
    assert leak.way.drops == (), "a silent end of FIN-WAIT-2 needs no loss at all"
