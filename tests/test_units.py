"""The spellings of durations, probabilities and rates, and the one line that a mistake becomes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpsim.errors import InputError
from tcpsim.units import format_duration, parse_duration, parse_probability, parse_rate


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("0s", 0),
        ("250us", 250),
        ("10ms", 10_000),
        ("1.5 s", 1_500_000),
        (" 60s ", 60_000_000),
        ("2m", 120_000_000),
        ("2min", 120_000_000),
        ("2h", 7_200_000_000),
        ("7d", 604_800_000_000),
        (42, 42),
    ],
)
def test_duration(text: str | int, us: int) -> None:
    assert parse_duration(text) == us


@pytest.mark.parametrize(
    "text", ["60", "", "s", "-1s", "1 week", "1e3s", "1s2s", "٣s", "0.5us", "1,5s", "1S", -1, True]
)
def test_duration_refuses(text: str | int) -> None:
    with pytest.raises(InputError, match=r"^--delay: found .*, allowed: ") as caught:
        parse_duration(text, "--delay")
    assert "\n" not in str(caught.value)


@settings(derandomize=True, deadline=None)
@given(st.integers(0, 10**15))
def test_a_formatted_duration_is_read_back_exactly(us: int) -> None:
    assert parse_duration(format_duration(us)) == us


def test_seconds_are_said_in_seconds_below_two_minutes() -> None:
    assert [format_duration(s * 1_000_000) for s in (59, 60, 119, 120, 3_600)] == [
        "59s",
        "60s",
        "119s",
        "2min",
        "1h",
    ]


@pytest.mark.parametrize(
    ("text", "p"), [("0", 0.0), ("1", 1.0), ("0.25", 0.25), ("1e-3", 0.001), ("30%", 0.3), (0.5, 0.5)]
)
def test_probability(text: str | float, p: float) -> None:
    assert parse_probability(text) == p


@pytest.mark.parametrize(
    "text", ["1.5", "-0.1", "101%", "nan", "inf", "", "%", "one", "1%%", -0.1, 1.01, float("nan")]
)
def test_probability_refuses(text: str | float) -> None:
    with pytest.raises(InputError, match=r"^--loss: found .*, allowed: a number from 0 to 1"):
        parse_probability(text, "--loss")


@pytest.mark.parametrize(
    ("text", "rate"), [("50", 50.0), ("50/s", 50.0), ("0.5 / s", 0.5), ("90/min", 1.5), (3, 3.0)]
)
def test_rate(text: str | float, rate: float) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["0", "-1", "-50/s", "50/", "50/week", "/s", "", "nan", "1e999", 0, float("inf")]
)
def test_rate_refuses(text: str | float) -> None:
    with pytest.raises(InputError, match=r"^--rate: found .*, allowed: a number above 0"):
        parse_rate(text, "--rate")
