"""Draws: the same for the same connection whoever else runs, and distributed as they say."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpsim.errors import InputError
from tcpsim.path import (
    Choice,
    Distribution,
    Exponential,
    Fixed,
    LogNormal,
    Quiet,
    Seeded,
    Uniform,
    chance,
    parse_distribution,
)

N = 20_000
SIGMAS = 4.5  # of a normal law: about 7 in a million, once per assertion; the seeds are fixed


def uniforms(count: int, *key: int) -> list[float]:
    chooser = Seeded(*key)
    return [chooser.uniform() for _ in range(count)]


def test_draws_do_not_depend_on_who_else_runs() -> None:
    alone = {index: uniforms(50, 11, index) for index in range(4)}
    together = {index: Seeded(11, index) for index in (3, 1, 0, 2)}
    woven: dict[int, list[float]] = {index: [] for index in together}
    for _ in range(50):
        for index, chooser in together.items():
            woven[index].append(chooser.uniform())
    assert woven == alone


@settings(derandomize=True, deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 40), st.integers(0, 40))
def test_a_longer_run_begins_with_the_shorter_one(seed: int, index: int, short: int, more: int) -> None:
    assert uniforms(short + more, seed, index)[:short] == uniforms(short, seed, index)


def test_streams_differ_by_seed_by_connection_and_by_purpose() -> None:
    streams = [
        tuple(chooser.uniform() for _ in range(16))
        for chooser in (Seeded(1, 2), Seeded(2, 1), Seeded(1, 3), Seeded(0, 2), Seeded(1, 2, b"arrivals"))
    ]
    assert len({value for stream in streams for value in stream}) == 5 * 16


def test_the_numbers_of_a_seed_never_change() -> None:
    """Published results name a seed; another hash or another order of use would silently break them."""
    pinned = [0.375635, 0.819592, 0.932648, 0.854143, 0.068447, 0.683816, 0.151365, 0.133889, 0.601485]
    assert [round(u, 6) for u in uniforms(9, 1, 7)] == pinned


@pytest.mark.parametrize("key", [(-1, 0), (2**64, 0), (0, -1), (0, 2**64)])
def test_a_seed_is_a_64_bit_number(key: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="from 0 to 2"):
        Seeded(*key)


def test_uniform_numbers_are_uniform_within_and_across_connections() -> None:
    for values in (uniforms(N, 5, 0), [Seeded(5, index).uniform() for index in range(N)]):
        assert all(0.0 <= u < 1.0 for u in values)
        counts = [0] * 20
        for u in values:
            counts[int(u * 20)] += 1
        # Chi-square with 19 degrees of freedom: 19 +- sqrt(38).
        chi2 = sum((count - N / 20) ** 2 / (N / 20) for count in counts)
        assert abs(chi2 - 19) < SIGMAS * math.sqrt(38)
        # Neighbours in a stream are uncorrelated: the sample correlation has sd 1/sqrt(n).
        r = sum((a - 0.5) * (b - 0.5) for a, b in itertools.pairwise(values)) * 12 / N
        assert abs(r) < SIGMAS / math.sqrt(N)


def test_choices_follow_their_weights() -> None:
    choice = Choice("three", ("pass", "b", "c"), (0.5, 0.3, 0.2))
    chooser = Seeded(2)
    counts = [0, 0, 0]
    for _ in range(N):
        counts[chooser.choose(choice)] += 1
    for count, p in zip(counts, choice.weights, strict=True):
        assert abs(count - N * p) < SIGMAS * math.sqrt(N * p * (1 - p))


def test_an_outcome_of_weight_zero_never_happens() -> None:
    chooser = Seeded(3)
    assert {chooser.choose(Choice("x", ("pass", "b", "c"), (0.0, 1.0, 0.0))) for _ in range(1_000)} == {1}
    short = Choice("x", ("pass", "b", "c"), (0.0, 1e-9, 0.0))  # adds up to less than 1: the last possible
    assert {chooser.choose(short) for _ in range(1_000)} == {1}


def test_weight_zero_means_never_even_at_the_end_of_the_interval() -> None:
    class Least(Seeded):
        def uniform(self) -> float:
            return 0.0

    assert Least(0).choose(Choice("x", ("pass", "b"), (0.0, 1.0))) == 1


def test_quiet_lets_everything_pass_and_draws_means() -> None:
    assert Quiet().choose(Choice("x", ("lost", "pass"), (1.0, 0.0))) == 1
    assert [Quiet().draw(d) for d in (Fixed(7), Uniform(0, 10), Exponential(9))] == [7, 5, 9]


@pytest.mark.parametrize(
    ("distribution", "mean", "variance"),
    [
        (Fixed(700), 700, 0),
        (Uniform(5_000, 20_000), 12_500, 15_000**2 / 12),
        (Exponential(2_000_000), 2e6, 4e12),
        (LogNormal(200_000, 0.5), 200_000 * math.exp(0.125), 4e10 * (math.exp(0.25) - 1) * math.exp(0.25)),
    ],
)
def test_draws_have_the_mean_that_they_say(distribution: Distribution, mean: float, variance: float) -> None:
    chooser = Seeded(4)
    sample = [chooser.draw(distribution) for _ in range(N)]
    assert all(isinstance(us, int) and us >= 0 for us in sample)
    assert abs(sum(sample) / N - mean) <= SIGMAS * math.sqrt(variance / N)
    assert abs(distribution.mean_us - mean) <= 1


@pytest.mark.parametrize(("constant", "share"), [(1_000_000, math.exp(-1)), (500_000, math.exp(-2))])
def test_the_exponential_tail(constant: int, share: float) -> None:
    chooser = Seeded(6)
    over = sum(chooser.draw(Exponential(constant)) > 1_000_000 for _ in range(N))
    assert abs(over - N * share) < SIGMAS * math.sqrt(N * share * (1 - share))


def test_uniform_reaches_both_ends_equally_often() -> None:
    chooser = Seeded(8)
    sample = [chooser.draw(Uniform(3, 5)) for _ in range(N)]
    for value in (3, 4, 5):
        assert abs(sample.count(value) - N / 3) < SIGMAS * math.sqrt(N * 2 / 9)
    assert set(sample) == {3, 4, 5}


@pytest.mark.parametrize("distribution", [Fixed(5), Uniform(2, 9), Exponential(10), LogNormal(10, 1.0)])
def test_the_ends_of_the_unit_interval_are_finite(distribution: Distribution) -> None:
    assert 0 <= distribution.quantile_us(0.0) <= distribution.quantile_us(1.0 - 2.0**-53) < 10**6


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("10ms", Fixed(10_000)),
        ("uniform(5ms,20ms)", Uniform(5_000, 20_000)),
        (" Uniform( 5ms , 20ms ) ", Uniform(5_000, 20_000)),
        ("exp(2s)", Exponential(2_000_000)),
        ("lognormal(200ms,0.5)", LogNormal(200_000, 0.5)),
    ],
)
def test_distributions_are_read_and_said(text: str, distribution: Distribution) -> None:
    assert parse_distribution(text) == distribution
    assert parse_distribution(distribution.describe()) == distribution


@pytest.mark.parametrize(
    "text",
    [
        "10",
        "exp(2)",
        "exp()",
        "exp(1s,2s)",
        "uniform(5ms)",
        "uniform(20ms,5ms)",
        "gauss(1s)",
        "exp 2s",
        "",
        "lognormal(1s,x)",
        "lognormal(1s,4)",
        "lognormal(1s)",
        "uniform(-5ms,5ms)",
    ],
)
def test_distributions_refuse(text: str) -> None:
    with pytest.raises(InputError, match=r"^--jitter: found .*, allowed: "):
        parse_distribution(text, "--jitter")


def test_a_chance_names_the_event_second() -> None:
    assert chance("loss", "lost", 0.1) == Choice("loss", ("pass", "lost"), (0.9, 0.1))
