"""What is said of each leg of a line: against a case by hand, and against simulated lives."""

from __future__ import annotations

import numpy as np
import pytest

import tcpsim
from tcpsim.app import make
from tcpsim.errors import InputError
from tcpsim.explore.branch import view_of
from tcpsim.explore.leaks import Answer, answer, legs_alive
from tcpsim.measure.interval import binomial_p_value
from tcpsim.pair import Pair, advance
from tcpsim.path import Seeded
from tests.explore.test_relays import _leaver
from tests.explore.worlds import WEEK_US

LOSS = 0.25
LIVES = 600


@pytest.fixture(scope="module")
def drained() -> tcpsim.Exact:
    """A drain of 30 s, nothing lost: one history."""
    return tcpsim.exact(
        "relay-waits-for-both-ends", loss=[0.0, 1e-9], parameters={"relay.drain": "30s"}, limit=60
    )


def test_a_drain_of_30_s_by_hand(drained: tcpsim.Exact) -> None:
    """10 ms one way. The relay accepts and connects at 30 ms, has the server's FIN at 70 ms, and closes 30 s
    later. Towards the client it is then an orphan in FIN-WAIT-2, for 60 s. The server has its FIN 10 ms
    later, and is in TIME-WAIT for 60 s.
    """
    near, far = drained.legs
    assert (near.name, far.name) == ("client - relay", "relay - server")
    assert near.held_us[0] == 70_000 + 30_000_000 + 60_000_000
    assert far.held_us[0] == 70_000 - 30_000 + 30_000_000 + 10_000 + 60_000_000
    assert near.probability[0] == far.probability[0] == 0


def simulated(pair: Pair, lives: int) -> tuple[list[list[int]], list[list[bool]]]:
    """Of each life and leg: the time with a socket before it comes to rest, and whether one stays."""
    times, stay = [], []
    for seed in range(lives):
        now, held = pair, [0, 0]
        chooser = Seeded(5, seed)
        while now.next_us is not None:
            after = advance(now, chooser)
            if after.next_us is not None:
                alive = legs_alive(view_of(after))
                held = [
                    us + (after.next_us - after.now_us) * each for us, each in zip(held, alive, strict=True)
                ]
            now = after
        times.append(held)
        stay.append([*legs_alive(view_of(now))])
    return times, stay


@pytest.mark.parametrize(
    ("name", "arguments"), [("copies", {}), ("copies", {"drain": "2s"}), ("closes-both", {})]
)
def test_lives_that_are_simulated_hold_legs_as_long_and_leak_as_often(
    name: str, arguments: dict[str, str]
) -> None:
    pair = _leaver(make("relay", name, **arguments), (LOSS, LOSS), (LOSS, LOSS))
    found: Answer = answer(pair, [LOSS], WEEK_US)
    assert not found.error.any()
    times, stay = simulated(pair, LIVES)
    for leg, each in enumerate(found.legs):
        held = np.array(times)[:, leg]
        assert abs(held.mean() - each.held_us[0]) < 4 * held.std() / LIVES**0.5 + 1
        hits = sum(one[leg] for one in stay)
        share = float(each.probability[0])
        assert binomial_p_value(hits, LIVES, share, share) > 1e-4


def test_rows(drained: tcpsim.Exact) -> None:
    rows = tcpsim.exact(
        "relay-waits-for-both-ends", loss=[0.0], parameters={"relay.drain": "30s"}, limit=60, legs=True
    ).table()
    assert [(row["leg"], row["leaks"], row["held_us"]) for row in rows] == [
        (leg.name, 0, leg.held_us[0]) for leg in drained.legs
    ]
    with pytest.raises(InputError, match="legs: found one-rst-stack, which has no relay"):
        tcpsim.exact("one-rst-stack", legs=True)
