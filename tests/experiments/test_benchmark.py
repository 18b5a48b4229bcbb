"""Workload W1 does what it says; how fast is for `make bench` to tell."""

from __future__ import annotations

from benchmarks.w1 import measure, plan
from tcpsim.host.population import simulate
from tcpsim.measure.leaks import leaks


def test_a_row_counts_what_was_done() -> None:
    row = measure(connections=300, loss=0.01, room=50_000, seed=1)
    assert row.connections == 300
    assert 0.5 < row.recalled < 1.0
    assert row.events_per_s > row.connections_per_s > 0
    assert row.to_heapq > 0


def test_without_the_tree_nothing_is_recalled() -> None:
    assert measure(connections=30, loss=0.1, room=0, seed=1).recalled == 0.0


def test_one_client_in_ten_leaks() -> None:
    census = simulate(plan(2_000, 0.01, room=50_000, seed=1))
    held = {(row["side"], row["state"]): row["count"] for row in leaks(census).rows()}
    assert 150 < held.pop(("client", "CLOSE-WAIT")) < 250
    assert held == {}
