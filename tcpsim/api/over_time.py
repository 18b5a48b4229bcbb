"""The part of `exact` about time: the sockets held by one connection or by a host, and for how long.

Owns: the questions about time, and the text, the tables and the JSON of the answers. Refuses to know: ends
and their probabilities (exact).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tcpsim.draw.text_columns import columns
from tcpsim.draw.time_format import length
from tcpsim.errors import InputError
from tcpsim.explore.branch import sides_of
from tcpsim.explore.chain import Chain
from tcpsim.explore.curves import occupancy
from tcpsim.explore.growth import Arrivals, Stream, evenly
from tcpsim.explore.over_time import OverTime, over_time
from tcpsim.explore.sojourn_times import Stay, stay
from tcpsim.explore.step_functions import Steps
from tcpsim.explore.transient import Graph
from tcpsim.pair import Side
from tcpsim.tcp.state import State
from tcpsim.units import format_duration, parse_duration, parse_rate

_MOST_TIMES = 10_001
_MOST_CONNECTIONS = 100_000_000
_SAMPLES = 25  # times, if only --for is given
_SHOWN = 5  # of them in the table
_SHARES = (0.5, 0.99)  # quantiles of times held
CONFIDENCE = 0.99

Losses = Mapping[str, Sequence[float]]


class Times(NamedTuple):
    """How long each state lasts, and when the connection has ended on each side."""

    stays: Mapping[tuple[Side, State], Stay]
    over: Mapping[Side, Steps]


def parse_times(value: str | int | Sequence[str | int], where: str = "at") -> list[int]:
    """Times: one, several (a list, or a text with commas), or FIRST:LAST:COUNT.

    >>> parse_times("0s:10min:3"), parse_times("1s,1min"), parse_times(["1s", "1min"])
    ([0, 300000000, 600000000], [1000000, 60000000], [1000000, 60000000])
    """
    if isinstance(value, int):
        return [parse_duration(value, where)]
    if not isinstance(value, str):
        return sorted({parse_duration(each, where) for each in value})
    parts = value.split(":")
    if len(parts) == 1:
        return sorted({parse_duration(word.strip(), where) for word in value.split(",")})
    if len(parts) != 3 or not (parts[2].isascii() and parts[2].isdigit()):
        allowed = "a time, several with commas between, or FIRST:LAST:COUNT such as 0s:10min:61"
        raise InputError(where, repr(value), allowed)
    first, last, count = parse_duration(parts[0], where), parse_duration(parts[1], where), int(parts[2])
    if not 2 <= count <= _MOST_TIMES or not first < last:
        raise InputError(where, repr(value), f"FIRST before LAST, and a COUNT from 2 to {_MOST_TIMES}")
    return [first + (last - first) * at // (count - 1) for at in range(count)]


class When(NamedTuple):
    """The given times. If `arrivals` is None, they are ages of one connection."""

    at_us: list[int]
    rate: float | None
    for_us: int | None
    arrivals: Arrivals | None


def when(
    at: str | int | Sequence[str | int] | None,
    rate: str | float | None,
    for_: str | int | None,
    fixed: bool,
) -> When | None:
    """The question about time, or None if there is none.

    Raises:
        InputError: an argument that needs another one, or too many connections.
    """
    at_us = None if at is None else parse_times(at)
    for_us = None if for_ is None else parse_duration(for_, "for")
    if rate is None:
        for name, given in (("for", for_us is not None), ("fixed", fixed)):
            if given:
                raise InputError(name, "no rate", "a rate beside it")
        return None if at_us is None else When(at_us, None, None, None)
    per_second = parse_rate(rate, "rate")
    if for_us == 0:
        raise InputError("for", "0s", "a time above zero")
    if at_us is None:
        if for_us is None:
            raise InputError("rate", "neither at nor for", "at TIMES, for TIME or both")
        at_us = [for_us * at // (_SAMPLES - 1) for at in range(_SAMPLES)]
    span_us = at_us[-1] if for_us is None else min(for_us, at_us[-1])
    expected = per_second * span_us / 1_000_000
    if expected > _MOST_CONNECTIONS:
        found = f"{expected:,.0f} connections ({per_second:g} per second for {format_duration(span_us)})"
        raise InputError("rate and for", found, f"at most {_MOST_CONNECTIONS:,}")
    arrivals = evenly(per_second, max(1, span_us)) if fixed else Stream(per_second, for_us)
    return When(at_us, per_second, for_us, arrivals)


class Held(NamedTuple):
    """The sockets held at the given times. Tables and pictures show the loss rate at `place`."""

    asked: When
    found: OverTime
    place: int

    @property
    def title(self) -> str:
        """What the numbers mean, as a text."""
        if self.asked.arrivals is None:
            return "expected sockets of one connection by its age"
        kind = "Poisson" if isinstance(self.asked.arrivals, Stream) else "even"
        until = "" if self.asked.for_us is None else f" for {length(self.asked.for_us)}"
        band = f"expected sockets and {100 * CONFIDENCE:g} % band"
        return f"{band}, {kind} arrivals, {self.asked.rate:g} per second{until}"


def held_at(chain: Chain, net: Graph, losses: Losses, asked: When, place: int) -> Held:
    """The answer at every given loss rate."""
    seen = occupancy(chain, losses, max(1, asked.at_us[-1]), net=net)
    return Held(asked, over_time(seen, asked.at_us, asked.arrivals, CONFIDENCE), place)


def held_text(held: Held | None, loss: float) -> list[str]:
    """A table for one loss rate with a row for each side and state. For a host, it has bands."""
    if held is None:
        return []
    found, at_us = held.found, held.asked.at_us
    last = len(at_us) - 1
    shown = sorted({round(last * part / (_SHOWN - 1)) for part in range(_SHOWN)})
    rows = [["", "", *[length(at_us[at]) for at in shown]]]
    for number, (side, state) in enumerate(found.sockets):
        mean = found.mean[number, :, held.place].tolist()
        if found.low is None or found.high is None:
            cells = [f"{mean[at]:.6g}" for at in shown]
        else:
            low, high = (band[number, :, held.place].tolist() for band in (found.low, found.high))
            cells = [f"{mean[at]:,.1f} ({low[at]:,}-{high[at]:,})" for at in shown]
        rows.append([side, str(state), *cells])
    lost = float(found.error[held.place])
    cut = f"; at most {lost:.3g} of the probability was not followed" if lost else ""
    return [f"{held.title}, at {100 * loss:.4g} % loss{cut}", *columns(rows, 2), ""]


def held_json(held: Held | None) -> dict[str, Any]:
    """The key `over_time` in docs/json.md.

    For each loss rate, it has a list with one number for each time.
    """
    if held is None:
        return {}
    asked, found = held.asked, held.found
    kind = None if asked.arrivals is None else "poisson" if isinstance(asked.arrivals, Stream) else "even"

    def by_loss(part: Any, number: int) -> Any:
        return None if part is None else part[number].T.tolist()

    sockets = [
        {
            "side": side,
            "state": str(state),
            "mean": by_loss(found.mean, number),
            "low": by_loss(found.low, number),
            "high": by_loss(found.high, number),
            "bytes": by_loss(found.bytes, number),
        }
        for number, (side, state) in enumerate(found.sockets)
    ]
    over_time = {
        "at_us": asked.at_us,
        "rate_per_s": asked.rate,
        "for_us": asked.for_us,
        "arrivals": kind,
        "confidence": found.confidence,
        "error": found.error.tolist(),
        "sockets": sockets,
    }
    return {"over_time": over_time}


def times(
    chain: Chain, net: Graph, losses: Losses, states: Sequence[tuple[Side, State]], until_us: int
) -> Times:
    """The distributions of the time in each state, and of the age at which the connection ends."""
    stays = {each: stay(chain, losses, *each, until_us, net=net) for each in states}
    seen = occupancy(chain, losses, until_us, net=net)
    return Times(stays, {side: seen.over(side) for side in sides_of(len(seen.memory))})


def times_json(found: Times | None) -> dict[str, Any]:
    """The keys `times` and `ended` in docs/json.md."""
    if found is None:
        return {}
    return {
        "times": [
            {
                "side": side,
                "state": str(state),
                "never": held.never.tolist(),
                "for_ever": held.for_ever.tolist(),
                "quantiles_us": {f"{share:g}": held.quantile_us(share) for share in _SHARES},
                "error": held.error.tolist(),
            }
            for (side, state), held in found.stays.items()
        ],
        "ended": [
            {
                "side": side,
                "by_horizon": over.at(over.until_us).tolist(),
                "quantiles_us": {f"{share:g}": over.first_at_least(share) for share in _SHARES},
            }
            for side, over in found.over.items()
        ],
    }


def times_text(found: Times | None, heads: Sequence[str]) -> list[str]:
    """The same as a table with two rows for each."""
    if found is None:
        return []
    rows = [["time in this state, if reached", "", "", *heads]]
    each: list[tuple[str, str, Callable[[float], list[int | None]]]]
    each = [(side, str(state), held.quantile_us) for (side, state), held in found.stays.items()]
    each += [(side, "age at which it has ended", over.first_at_least) for side, over in found.over.items()]
    for side, what, quantile in each:
        for share in _SHARES:
            first = [side, what] if share == _SHARES[0] else ["", ""]
            cells = ["-" if us is None else length(us) for us in quantile(share)]
            rows.append([*first, f"{100 * share:g} % by", *cells])
    lost = max(float(held.error.max()) for held in found.stays.values())
    cut = f"; at most {lost:.3g} of the probability was not followed" if lost else ""
    return [*columns(rows, 3), f"-: not within the horizon{cut}", ""]
