"""A box between the hosts has to see what reaches it: losses before it are decided as they are sent."""

from __future__ import annotations

import pytest

from tcpsim.catalogue import build, scenario
from tcpsim.explore.branch import Steps
from tcpsim.explore.leaks import answer
from tcpsim.explore.shortest_paths import Ways
from tcpsim.pair import Pair
from tcpsim.path import Loss, Middlebox, Side, make_path, middlebox
from tests.explore.test_exact import _by_chain, _describe
from tests.explore.tree import tree
from tests.explore.worlds import ESTABLISHED_BY_US, WEEK_US, leaver

# It forgets between the first transmission of the FIN and the second, or between the FIN and the RST.
QUICK = {"established": "400ms", "unacknowledged": "none", "max_retrans_us": "none", "loose": False}


def behind(box: Middlebox, side: Side | None, retries: int = 2) -> Pair:
    """The closed forms' leaver, with a box on its path and the losses on one side of it."""
    loss = Loss(0.25, from_us=ESTABLISHED_BY_US)
    path = make_path(10_000, loss, loss, middlebox=box, loss_side=side)
    return leaver(0.25, retries)._replace(path=path)


@pytest.mark.parametrize("side", [None, "client", "server"])
@pytest.mark.parametrize("name", ["linux-conntrack", "reject-firewall"])
def test_tree_and_chain_agree_behind_a_box(name: str, side: Side | None) -> None:
    box = middlebox(name).with_knobs(QUICK)
    pair = behind(box, side)
    by_tree = tree(pair, _describe, WEEK_US)
    assert sum(by_tree.values()) == 1
    assert len(by_tree) > 1
    assert _by_chain(pair) == by_tree


def test_a_loss_before_the_box_is_another_thing_than_one_behind_it() -> None:
    """The server's FIN starts the box's time anew only if it gets there."""
    box = middlebox("linux-conntrack").with_knobs(QUICK)
    found = [tree(behind(box, side), _describe, WEEK_US) for side in (None, "client")]
    assert found[0] != found[1]


def test_only_losses_before_the_box_are_asked_at_the_sender() -> None:
    box = middlebox("linux-conntrack")
    sides: list[tuple[Side | None, set[Side]]]
    sides = [(None, set()), ("client", {"client"}), ("server", {"server"})]
    for side, deferred in sides:
        steps = Steps(behind(box, side))
        assert set(steps._deferred) == deferred
        assert {each.name for each in steps.classes} == {"to client", "to server"}


@pytest.mark.parametrize(("box", "share"), [(None, 1.0), ("none", 0.1)])
def test_how_the_last_rst_ends_behind_a_firewall_and_without_one(box: str | None, share: float) -> None:
    """Behind it the CLOSE-WAIT is certain; without it, only if the one RST is lost."""
    chosen = scenario("last-rst-dropped-by-a-firewall")
    found = answer(
        build(chosen, loss_to_client=0.5, loss_from="300ms", middlebox=box), {"to client": [0.1]}, WEEK_US
    )
    held = sum(end.probability[0] for end in found.ends if end.permanent and end.client == "CLOSE-WAIT")
    assert held == pytest.approx(share)


def test_a_way_in_names_what_is_lost_by_chance_and_not_what_the_box_stops() -> None:
    """Ten FINs meet the firewall whatever happens; a rule that dropped them before it would hide that."""
    pair = build(
        scenario("firewall-forgets-half-closed"), loss=0.5, loss_from="300ms", middlebox="reject-firewall"
    )
    found = answer(pair, [0.1], WEEK_US)
    (end,) = found.ends
    assert Ways(found.chain, 0.1).likeliest(end.states).drops == ()
