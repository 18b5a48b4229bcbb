"""Seeded populations beside those of a real kernel (Linux 6.18, 4,500 connections, measured).

Poisson arrivals at 45 per second, 10 ms each way, every packet lost with probability p either way. The
client sends 100 B, the server answers 1,000 B and closes at once; the client closes 50 ms after
end-of-file with probability 0.9, else never. Counted after everything is over: clients that are left
half-open in ESTABLISHED because the server's orphan gave up, and clients in CLOSE-WAIT. No application
causes the first kind. "plain" is the same kernel without tail-loss probe, RACK, SACK, timestamps and
linear SYN time-outs, with the route option quickack.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest

from tcpsim.catalogue import build, scenario
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.measure.leaks import leaks

N = 4_500
PLAIN = {
    "loss_probe": False,
    "rack": False,
    "timestamps": False,
    "sack": False,
    "dsack": False,
    "syn_linear_timeouts": 0,
    "quickack_route": True,
}


@pytest.mark.verify
@pytest.mark.parametrize(
    ("loss", "retries", "knobs", "measured"),
    [
        (0.0, 0, {}, {"ESTABLISHED": 0, "CLOSE-WAIT": 477}),
        (0.2, 2, {}, {"ESTABLISHED": 13, "CLOSE-WAIT": 461}),
        (0.2, 2, PLAIN, {"ESTABLISHED": 120, "CLOSE-WAIT": 450}),
        (0.3, 1, PLAIN, {"ESTABLISHED": 448, "CLOSE-WAIT": 409}),
    ],
    ids=["no loss", "default", "plain", "plain, impatient"],
)
def test_as_many_leak_as_on_a_real_kernel(
    loss: float, retries: int, knobs: dict[str, Any], measured: dict[str, int]
) -> None:
    pair = build(
        scenario("normal-close"),
        client="sometimes-forgets",
        loss=loss,
        knobs={"tcp_orphan_retries": retries, **knobs},
    )
    census = simulate(Plan(((1.0, pair),), Arrivals(45, connections=N), settle_us=3_600_000_000, seed=2))
    held = {row["state"]: row["count"] for row in leaks(census).rows() if row["fate"] == "permanent"}
    for state, real in measured.items():
        ours = held.get(state, 0)
        pooled = (ours + real) / (2 * N)
        spread = sqrt(2 * N * pooled * (1 - pooled))
        assert abs(ours - real) <= 3.29 * spread, (state, ours, real)  # 99.9 %
