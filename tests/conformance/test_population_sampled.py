"""Populations that are drawn: what they are made of, the laws of their counts, what one leaves another."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from tcpsim.conformance.populations import KINDS, Run, read
from tcpsim.conformance.populations.beta_binomial import beta_binomial
from tcpsim.conformance.populations.sampled_replay import Sampled, sampled
from tcpsim.conformance.populations.verdict import judge
from tests.conformance.kernel import POPULATIONS


def few(name: str, n: int, **sysctls: int) -> Run:
    """The set-up of a real population, for a few connections, counted every ten seconds."""
    path = POPULATIONS / f"{name}.json"
    run = read(path.read_bytes(), path.name).every(10)
    written = {**run.config.sysctls_written, **sysctls}
    return run.altered(n=n, n_never_closers=n // 10, sysctls_written=written)


def counts(model: Sampled) -> int:
    """All connections that are anything at the end."""
    middle = model.run.times_us.index(model.run.times_us[-1])
    return sum(int(each[middle, 8]) for looks in model.counted.values() for each in looks.values())


def test_a_seed_fixes_a_population_and_every_connection_is_in_it() -> None:
    run = few("plain_p20_or2", 60)
    one, same, other = sampled(run, 1, 7), sampled(run, 1, 7), sampled(run, 1, 8)
    assert one.looks() == same.looks()
    assert all(
        (one.counted[kind][look] == same.counted[kind][look]).all()
        for kind in KINDS
        for look in one.counted[kind]
    )
    assert counts(one) == counts(other) == 60
    assert counts(sampled(run, 3, 7)) == 180


@pytest.mark.parametrize(
    ("n", "hits", "misses"), [(10, 0, 0), (50, 3, 97), (50, 0, 100), (40, 80, 0), (4_023, 2_500, 5_546)]
)
def test_a_law_has_the_mean_and_the_spread_of_a_beta_binomial(n: int, hits: int, misses: int) -> None:
    a, b = hits + 0.5, misses + 0.5
    law = beta_binomial(n, hits, misses)
    values = law.low + np.arange(len(law.probability))
    mean = float(law.probability @ values)
    spread = float(law.probability @ (values - mean) ** 2)
    p = a / (a + b)
    assert law.probability.sum() == pytest.approx(1)
    assert mean == pytest.approx(n * p)
    assert spread == pytest.approx(n * p * (1 - p) * (a + b + n) / (a + b + 1))


def test_intervals_know_that_the_model_is_a_sample() -> None:
    """Two replicates: half as much variance again as a binomial count has."""
    run = few("p00", 200)
    model = sampled(run, 2, 1)
    (law,) = model.laws({"never-closer": lambda look: look.client == "CW"}, [run.times_us[1]])
    values = law.low + np.arange(len(law.probability))
    mean = float(law.probability @ values)
    spread = sqrt(float(law.probability @ (values - mean) ** 2))
    assert spread >= sqrt(mean * (1 - mean / 20))


def test_what_one_connection_leaves_changes_the_next_ones() -> None:
    """Linux remembers the longest round trip: with the same luck, first RTOs are longer and lives others."""
    known = sampled(few("nomet_p20_or2", 120, tcp_no_metrics_save=0), 1, 3)
    alone = sampled(few("nomet_p20_or2", 120), 1, 3)
    assert known.looks() != alone.looks() or any(
        (known.counted[kind][look] != alone.counted[kind][look]).any()
        for kind in KINDS
        for look in known.counted[kind]
    )
    lossless = [sampled(few("p00", 40, tcp_no_metrics_save=saves), 1, 3) for saves in (0, 1)]
    assert lossless[0].looks() == lossless[1].looks()


def test_a_judgement_says_whether_round_trips_were_cached() -> None:
    run = few("p00", 40)
    run = run.altered(n=40)
    found = judge(run, 1)
    assert (found.caches_metrics, found.knows) == (True, True)
    other = judge(few("p00", 40, tcp_no_metrics_save=1), 1)
    assert (other.caches_metrics, other.knows) == (False, False)
