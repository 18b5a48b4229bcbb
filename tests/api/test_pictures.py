"""The pictures of results: nothing is wrong with them, whatever they are of."""

from __future__ import annotations

import pytest

import tcpsim
from tcpsim.draw.figure_faults import faults
from tcpsim.draw.states_figure import states_figure
from tests.api.picture import drawn

LADDERS = (
    "closewait-ignored-eof",
    "lingering-close-4.4bsd",
    "post-without-authorisation",
    "retried-syn-lost-reference",
    "simultaneous-close",  # segments cross
    "load-balancer-forgets-an-idle-pool",  # a box sends a RST of its own
    "closing-on-a-one-way-path",  # many losses
)


@pytest.mark.parametrize("name", LADDERS)
def test_a_ladder(name: str) -> None:
    assert faults(tcpsim.run(name).figure()) == []


def test_a_lost_segment_is_lost_whatever_the_rule_is_called() -> None:
    figure = tcpsim.run("normal-close", drops=["server FIN 1"]).figure()
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words.count("lost") == 1
    assert not any("server FIN 1" in text for text in words[1:])  # but for the title
    assert faults(figure) == []


def test_a_sweep() -> None:
    figure = drawn().plot(x="loss", y="permanent", by="fix")
    assert faults(figure) == []
    assert figure.texts[0].get_text().endswith("0 % (client-closes) to 30 % (none) at loss 30 %")


def test_a_sweep_in_panels() -> None:
    grid = {
        "loss": "0:0.2:3",
        "client": ["closes-on-eof", "never-closes"],
        "fix": ["none", "fin-timeout=10s"],
    }
    found = tcpsim.sweep("one-rst-stack", grid, loss_from="300ms")
    assert faults(found.plot(x="loss", y="permanent", by="client", panels="fix")) == []


def test_exact_answers() -> None:
    assert faults(tcpsim.exact("one-rst-stack", loss="0:0.3:4", loss_from="300ms").figure()) == []
    assert faults(tcpsim.exact("one-rst-stack", loss=0.1, loss_from="300ms", at="0s:2min:25").figure()) == []


def test_a_population() -> None:
    assert faults(tcpsim.population("w1", rate=1, for_="10min").figure()) == []


def test_the_state_diagram() -> None:
    assert faults(states_figure()) == []
    assert faults(tcpsim.run("simultaneous-close").states()) == []
    changed = tcpsim.run("normal-close", client="never-closes", drops=["server FIN 1,2,3,4", "client ACK 2"])
    assert faults(changed.states()) == []  # a title of two lines
