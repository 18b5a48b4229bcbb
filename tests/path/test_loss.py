"""Loss, bursts, duplication and reordering against their closed forms; certain outcomes ask nobody."""

from __future__ import annotations

import math

import pytest

from tcpsim.errors import InputError
from tcpsim.path import Chooser, Element, Seeded, chance
from tcpsim.path.loss import Duplicate, GilbertElliott, Loss, Reorder
from tests.path.wire import Tape, seg

N = 40_000
SIGMAS = 4.5


def pattern(element: Element, chooser: Chooser, count: int = N) -> list[bool]:
    """True where a segment is lost."""
    lost = []
    for now in range(count):
        element, emerged, _ = element.carry("client", seg(), now, chooser)
        lost.append(not emerged)
    return lost


@pytest.mark.parametrize("p", [0.001, 0.01, 0.3])
def test_independent_loss(p: float) -> None:
    lost = pattern(Loss(p), Seeded(1))
    assert abs(sum(lost) - N * p) < SIGMAS * math.sqrt(N * p * (1 - p))
    both = sum(a and b for a, b in zip(lost[::2], lost[1::2], strict=True))  # pairs that do not overlap
    assert abs(both - N / 2 * p**2) < SIGMAS * math.sqrt(N / 2 * p**2 * (1 - p**2)) + 1


def test_loss_asks_one_question_with_its_probability() -> None:
    tape = Tape(0, 1)
    assert pattern(Loss(0.25), tape, 2) == [False, True]
    assert tape.asked == [chance("loss", "lost", 0.25)] * 2


def test_a_window_of_loss_includes_its_beginning_and_not_its_end() -> None:
    assert pattern(Loss(1.0, from_us=2, until_us=4), Tape(), 6) == [False, False, True, True, False, False]
    assert pattern(Loss(1.0, from_us=2), Tape(), 4) == [False, False, True, True]
    tape = Tape(1)
    assert pattern(Loss(0.5, from_us=2, until_us=3), tape, 5) == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("element", "lost"),
    [
        (Loss(0.0), False),
        (Loss(1.0), True),
        (GilbertElliott(0.0, 1.0), False),
        (GilbertElliott(1.0, 0.0), True),
        (Duplicate(0.0), False),
        (Duplicate(1.0), False),
        (Reorder(0.0, 5), False),
        (Reorder(1.0, 5), False),
    ],
)
def test_what_is_certain_asks_nobody(element: Element, lost: bool) -> None:
    assert pattern(element, Tape(), 5) == [lost] * 5


# (p good->bad, p bad->good, loss in good, loss in bad)
MODELS = [(0.01, 0.3, 0.0, 1.0), (0.05, 0.1, 0.0, 1.0), (0.1, 0.5, 0.02, 0.6), (0.9, 0.8, 0.1, 0.7)]


@pytest.mark.parametrize("model", MODELS)
def test_gilbert_elliott_loses_its_stationary_share(model: tuple[float, float, float, float]) -> None:
    to_bad, to_good, loss_good, loss_bad = model
    bad = to_bad / (to_bad + to_good)
    share = (1 - bad) * loss_good + bad * loss_bad
    element = GilbertElliott(*model)
    assert math.isclose(element.stationary_loss, share)
    # The variance of a mean of correlated losses: autocovariance (loss_bad - loss_good)^2 bad (1 - bad) r^k.
    r = 1 - to_bad - to_good
    covariance = (loss_bad - loss_good) ** 2 * bad * (1 - bad)
    variance = N * (share * (1 - share) + 2 * covariance * r / (1 - r))
    assert abs(sum(pattern(element, Seeded(2))) - N * share) < SIGMAS * math.sqrt(variance)


def test_the_first_segment_meets_the_stationary_law_too() -> None:
    element = GilbertElliott(0.05, 0.1)
    first = sum(pattern(element, Seeded(3, index), 1)[0] for index in range(N))
    assert abs(first - N / 3) < SIGMAS * math.sqrt(N * 2 / 9)


@pytest.mark.parametrize("to_good", [0.1, 0.3, 0.8])
def test_bursts_have_a_geometric_length(to_good: float) -> None:
    """Where the bad state loses everything and the good one nothing, a burst is a stay in the bad state."""
    lost = pattern(GilbertElliott(0.05, to_good), Seeded(4))
    lengths = [len(run) for run in "".join(".x"[x] for x in lost).split(".") if run]
    mean, sd = 1 / to_good, math.sqrt(1 - to_good) / to_good
    assert abs(sum(lengths) / len(lengths) - mean) < SIGMAS * sd / math.sqrt(len(lengths))
    ones = lengths.count(1)
    assert abs(ones - len(lengths) * to_good) < SIGMAS * math.sqrt(len(lengths) * to_good * (1 - to_good))


def test_gilbert_elliott_asks_state_then_loss_then_change() -> None:
    tape = Tape(0, 1, 1, 0)  # the line is good; a burst begins; lost in it; the burst goes on
    assert pattern(GilbertElliott(0.1, 0.4, 0.0, 0.5), tape, 2) == [False, True]
    assert [getattr(choice, "what", "") for choice in tape.asked] == ["line", "burst", "loss", "burst"]
    assert [choice.weights[1] for choice in tape.asked if not isinstance(choice, int)] == [0.2, 0.1, 0.5, 0.4]


def test_the_state_is_a_value() -> None:
    start = GilbertElliott(0.1, 0.4)
    good, _, _ = start.carry("client", seg(), 0, Tape(0, 0))
    burst, _, _ = start.carry("client", seg(), 0, Tape(0, 1))
    assert start.bad is None
    assert good == GilbertElliott(0.1, 0.4, bad=False)
    assert burst == GilbertElliott(0.1, 0.4, bad=True)
    assert len({start, good, burst}) == 3


def test_duplicates_and_held_segments() -> None:
    assert Duplicate(0.5).carry("client", seg(), 7, Tape(1))[1:] == (((7, seg()), (7, seg())), "duplicate")
    assert Duplicate(0.5).carry("client", seg(), 7, Tape(0))[1:] == (((7, seg()),), "")
    assert Reorder(0.5, 30).carry("client", seg(), 7, Tape(1))[1:] == (((37, seg()),), "held back")
    assert Reorder(0.5, 30).carry("client", seg(), 7, Tape(0))[1:] == (((7, seg()),), "")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Loss(1.5),
        lambda: Loss(-0.1),
        lambda: Loss(float("nan")),
        lambda: Loss(0.1, from_us=5, until_us=5),
        lambda: Loss(0.1, from_us=-1),
        lambda: GilbertElliott(2.0, 0.1),
        lambda: GilbertElliott(0.1, 0.1, loss_bad=1.1),
        lambda: GilbertElliott(0.0, 0.0),
        lambda: Duplicate(2),
        lambda: Reorder(2, 5),
        lambda: Reorder(0.1, 0),
        lambda: Reorder(0.1, -1),
    ],
)
def test_impossible_elements_are_refused(make: object) -> None:
    with pytest.raises(InputError, match=r"^[a-z_.]+: found .*, allowed: "):
        make()  # type: ignore[operator]
