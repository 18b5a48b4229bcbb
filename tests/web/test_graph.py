"""The graph of a page: how much of it there is, and what it costs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import tcpsim
from tcpsim.api import page as api
from tcpsim.catalogue import build, scenario
from tcpsim.errors import InputError
from tcpsim.web.data import graph_data
from tcpsim.web.graph import Graph, fewer, graph
from tests.web.walker import OPEN


def of(name: str, losses: int) -> Graph:
    chosen = scenario(name)
    return graph(build(chosen, **OPEN), chosen.horizon_us, losses)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("one-rst-stack", 3),
        ("last-rst-dropped-by-a-firewall", 3),
        ("vanished-client", 2),
        ("many-segments-lossy", 1),
    ],
)
def test_fewer_losses_afterwards_are_fewer_losses_from_the_start(name: str, most: int) -> None:
    more = of(name, most)
    for losses in range(most):
        assert graph_data(fewer(more, losses)) == graph_data(of(name, losses))


@pytest.mark.parametrize("name", ["one-rst-stack", "many-segments-lossy", "keepalive-rescues"])
def test_the_ways_of_a_state_are_all_there_are(name: str) -> None:
    """Their probabilities sum to 1; of a burst those that are listed, with the rest, do."""
    p = 0.3
    for state in of(name, 1).states:
        if not state.edges:
            continue
        share = sum(p**edge.lost * (1 - p) ** edge.passed * edge.weight for edge in state.edges)
        if state.together:
            assert 0.0 < share < 1.0
        else:
            assert share == pytest.approx(1.0, abs=1e-12)


def test_a_page_has_as_many_losses_as_it_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tcpsim.page("one-rst-stack", losses=3)
    size = len(json.dumps(whole.variants[0].data))
    monkeypatch.setattr(api, "_BYTES", size // 2)
    small = tcpsim.page("one-rst-stack", losses=3)
    assert len(json.dumps(small.variants[0].data)) <= size // 2
    assert 1 <= small.variants[0].graph.losses < 3
    assert f"all ways with at most {small.variants[0].graph.losses} loss" in small.text()
    assert f'"losses":{small.variants[0].graph.losses},' in small.html()  # which the page tells its reader


def test_what_cannot_be_a_page_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fixed times: every branch has to be finite"):
        tcpsim.page("normal-close", jitter="uniform(1ms,2ms)")
    for beside, told in (
        ("stack_server", "SETTING=VALUE"),
        ("stack_srver=linux", "stack_server"),
        ("fix=no-such-fix", "no-such-fix"),
        ("stack_server=nothing", "nothing"),
    ):
        with pytest.raises(InputError, match=told):
            tcpsim.page("normal-close", losses=1, beside=beside)
    with pytest.raises(InputError, match="0 or more"):
        tcpsim.page("normal-close", losses=-1)


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    """The same page whatever the run was made of; `run.page()` has the settings of the run."""
    made = tcpsim.page("one-rst-stack", losses=1, stack_server="linux")
    run = tcpsim.run("one-rst-stack", stack_server="linux").page(losses=1)
    assert made.html() == run.html()
    assert made.save(tmp_path / "x.html").read_text(encoding="utf-8") == made.html()
    assert "one-rst-stack, changed: server's stack linux" in made.html().replace("&#x27;", "'")


def test_the_command_of_a_line_that_loses_by_itself_loses_nothing() -> None:
    """What is lost is what the reader chose."""
    story = scenario("relay-waits-for-both-ends")
    lossy = replace(story, relays=(replace(story.relays[0], loss=0.1),))
    (variant,) = tcpsim.page(lossy, losses=0).variants
    assert variant.command.endswith(" --loss 0")
