"""Machines that keep their own time take the same steps as pairs do.

What a machine did in one pair is taken for what it does in another. So the graph must be the one that comes
out when every step is made by the pair itself, and who stands in for a host must have the same key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import pytest

from tcpsim.app import accept, choose, close, connect, ignore, listen, wait
from tcpsim.app.program import Program
from tcpsim.catalogue import build, scenario, scenarios
from tcpsim.explore.branch import Steps, in_full
from tcpsim.explore.chain import Chain, Edge, explore
from tcpsim.explore.explorable import obstacle
from tcpsim.explore.per_host_memo import apart
from tcpsim.pair import Arrived, Event, Pair, Returned, Sent, StateChanged, new_pair
from tcpsim.path import SIDES, Fixed, GilbertElliott, Path, make_path
from tcpsim.tcp.stack import stack
from tests.explore.stand_ins import stand_ins

STATES = 400
FURTHER = 6_000
SHORT = {"tcp_retries2": 3, "tcp_syn_retries": 1, "tcp_synack_retries": 1, "tcp_orphan_retries": 2}
EXPLORABLE = [each.name for each in scenarios() if obstacle(build(each)) is None]
TOO_LARGE = {"many-segments-lossy", "so-linger-broken"}  # their steps go a thousand ways (test_parts)
CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("closewait-ignored-eof", {}),
    ("closewait-ignored-eof", {"knobs": SHORT}),
    ("closewait-ignored-eof", {"knobs": {"hz": 250}}),
    ("closewait-ignored-eof", {"parameters": {"server.delay": "1s"}, "loss_from": "500ms"}),
    ("port-reuse-into-close-wait", {}),
    ("data-after-close", {"stack_client": "rfc9293", "stack_server": "freebsd"}),
    ("lingering-close-4.4bsd", {}),
    ("keepalive-timeout-buggy-client", {}),
)


class Together(Steps):
    """Steps that only pairs take."""


def _drawn(chain: Chain) -> Counter[Hashable]:
    """The graph but for the numbers of its states: what arrives at once may be asked for in any order."""
    look = list(zip(chain.view, chain.rests, strict=True))
    return Counter((look[edge.source], look[edge.target], edge[2:]) for edge in chain.edges)


def _same(name: str, changes: dict[str, Any], states: int) -> bool:
    """Compare the two graphs; whether machines went apart at all."""
    pair = build(scenario(name), **{"loss": 0.3, **changes})
    alone, together = explore(pair, states), explore(pair, states, steps=Together)
    assert _drawn(alone) == _drawn(together)
    assert len(alone.cut) == len(together.cut)
    return apart(Steps(pair)) is not None


@pytest.mark.parametrize("name", [name for name in EXPLORABLE if name not in TOO_LARGE])
def test_the_graph_is_the_one_of_the_pairs(name: str) -> None:
    _same(name, {}, STATES)


@pytest.mark.verify
@pytest.mark.parametrize(("name", "changes"), CASES, ids=lambda value: str(value))
def test_the_graph_is_the_one_of_the_pairs_far_in(name: str, changes: dict[str, Any]) -> None:
    assert _same(name, changes, FURTHER)


class Heard:
    """What a watch is told at each step, but for times and numbers."""

    def __init__(self) -> None:
        self.told: Counter[Hashable] = Counter()

    def state(self, number: int, pair: Any) -> None:
        """The states are compared elsewhere."""

    def step(self, edge: Edge, before: Any, events: Sequence[Event]) -> None:
        by_side = {side: tuple(_timeless(each) for each in events if each.side == side) for side in SIDES}
        self.told[edge[2:], tuple(by_side.items())] += 1


def _timeless(event: Event) -> Hashable:
    if isinstance(event, Returned):
        return "returned", event.call, event.reply.errno, event.reply.value
    if isinstance(event, StateChanged):
        return "state", event.old, event.new, event.holder
    if isinstance(event, Arrived | Sent):
        return type(event).__name__, event.segment.flags, event.segment.len
    return type(event).__name__


@pytest.mark.parametrize(("name", "changes"), CASES, ids=lambda value: str(value))
def test_what_happens_is_told_as_pairs_tell_it(name: str, changes: dict[str, Any]) -> None:
    pair = build(scenario(name), **{"loss": 0.3, **changes})
    alone, together = Heard(), Heard()
    turns: Any = apart(Steps(pair), tells=True)
    explore(pair, STATES, watch=alone, steps=lambda _: turns)
    explore(pair, STATES, watch=together, steps=Together)
    assert alone.told == together.told
    kinds = {event[0] for _, sides in together.told for _, told in sides for event in told}  # type: ignore[misc,attr-defined]
    assert {"returned", "state", "Arrived", "Sent"} <= kinds


def _both_choose(at_ms: tuple[int, int], path: Path) -> Pair:
    """Each side closes or forgets, when it has waited for so long: by chance at the same instant."""
    course = choose([(0.75, [close()]), (0.25, [ignore()])])
    return new_pair(
        Program([connect(), wait(f"{at_ms[0]}ms"), course]),
        Program([listen(), accept(), wait(f"{at_ms[1]}ms"), course]),
        stack("rfc9293"),
        stack("rfc9293"),
        path,
    )


def test_both_choose_at_one_instant() -> None:
    """The client hears of the connection after one round trip, the server half of one later."""
    pair = _both_choose((30, 20), make_path(10_000))
    alone, together = explore(pair), explore(pair, steps=Together)
    assert [edge.weight for edge in alone.edges if edge.weight < 1.0] == [0.5625, 0.1875, 0.1875, 0.0625]
    assert _drawn(alone) == _drawn(together)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(make_path(0), id="no delay: the answer comes in the same instant"),
        pytest.param(make_path(10_000, rate_bps=1_000_000), id="a line that is busy for a while"),
        pytest.param(make_path(10_000, jitter=Fixed(10)), id="an order that may change"),
        pytest.param(make_path(10_000, GilbertElliott(0.1, 0.1)), id="losses in bursts"),
        pytest.param(make_path(10_000, drops=["client #2"]), id="rules that count"),
    ],
)
def test_a_path_that_remembers_or_answers_at_once_keeps_machines_together(path: Path) -> None:
    assert apart(Steps(_both_choose((30, 20), path))) is None


def test_most_scenarios_go_apart() -> None:
    two = [name for name in EXPLORABLE if not scenario(name).relays]
    alone = [name for name in two if apart(Steps(build(scenario(name), loss=0.3))) is not None]
    assert len(alone) > 0.7 * len(two)
    assert "firewall-forgets-half-closed" not in alone


# bursts towards a closed window: such a step is explored in parts, and its edges lead to these
IN_PARTS = {
    "closing-behind-a-closed-window",
    "fin-wait-1-behind-a-closed-window",
    "fin-wait-1-towards-a-full-accept-queue",
    "relay-with-a-slow-reader",
}


@pytest.mark.parametrize("name", sorted(IN_PARTS))
def test_a_burst_is_explored_in_parts(name: str) -> None:
    assert explore(build(scenario(name), loss=0.3), STATES).parts


@pytest.mark.parametrize("name", [name for name in EXPLORABLE if name not in TOO_LARGE | IN_PARTS])
def test_a_pair_finds_its_way_in_the_graph(name: str) -> None:
    """Each branch of a pair that walks is an edge of the graph, to the state that the pair's key says."""
    chain = explore(build(scenario(name), loss=0.3), STATES)
    ways = {(edge.source, edge.lost, edge.passed, edge.target) for edge in chain.edges}
    sources = {edge.source for edge in chain.edges}
    waiting, met = [(0, chain.steps.start)], {0}
    while waiting:
        state, pair = waiting.pop()
        for after, _, lost, passed, *_ in in_full(chain.steps.branches(pair)):
            target = chain.number(after)
            assert target is not None
            assert (state, lost, passed, target) in ways
            if target in sources and target not in met:
                met.add(target)
                waiting.append((target, after))
    assert met == sources


@pytest.mark.parametrize(("name", "changes"), CASES, ids=lambda value: str(value))
def test_who_stands_in_has_the_same_key(name: str, changes: dict[str, Any]) -> None:
    steps = apart(Steps(build(scenario(name), **{"loss": 0.3, **changes})))
    assert steps is not None
    found = stand_ins(steps, STATES)
    assert found.wrong is None
    assert found.others, "nobody stood in for another: the test says nothing"
