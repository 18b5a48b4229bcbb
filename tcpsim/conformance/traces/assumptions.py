"""What decides in the kernel and is not in a trace: a replay has to assume it.

Owns: the assumptions, and the order in which they are tried. Refuses to know: how a replay uses them, and
what differs (compare).

The first replay assumes nothing. If it differs, the others are tried: where the kernel's ticks began, which
of two round trips that the line made equal was longer by microseconds, how a program and a burst
interleaved, whether a host took a burst as one or segment by segment, and which came first, a call or a
segment that arrived while it ran. The last choice is open only for calls during which a segment did arrive.
In the end, a timer may have fired a tick later than timers usually do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tcpsim.conformance.traces.lateness import SELDOM_US
from tcpsim.conformance.traces.not_compared import NOTHING, Exempt, exempt_of, of_readers
from tcpsim.conformance.traces.replay import contested
from tcpsim.conformance.traces.schema import Trace

_KNOBS: tuple[dict[str, Any], ...] = tuple(
    {key: value for key, value in (("ticks_begin", begin), ("rtt_noise_us", noise)) if value}
    for noise in (0, 200, -200)
    for begin in ("", "early", "late")
)
_MOST_SINGLE = 6  # calls that are tried one by one


class Order(NamedTuple):
    """The rows that take effect before what arrives while they run, and those that do behind it."""

    first: frozenset[int] = frozenset()
    last: frozenset[int] = frozenset()

    def words(self) -> list[str]:
        """For people."""
        named = (("before", self.first), ("behind", self.last))
        return [
            f"app[{', '.join(map(str, sorted(rows)))}] {where} what arrived meanwhile"
            for where, rows in named
            if rows
        ]


_AS_SEEN = Order()


class Assumed(NamedTuple):
    """One set of assumptions: what is exempt, knobs of both stacks, the order of calls and arrivals, and
    whether the segments of a burst arrive as one or apart, and by how much timers may be later than usual.
    """

    exempt: Exempt = NOTHING
    knobs: Mapping[str, Any] = {}
    order: Order = _AS_SEEN
    apart: bool = False
    besides_us: int = 0

    def reason(self) -> str:
        """What a PASS says of them."""
        words = [*(f"{knob} = {value}" for knob, value in self.knobs.items()), *self.order.words()]
        words += ["bursts that arrive apart"] if self.apart else []
        words += ["a timer that fired another tick late"] if self.besides_us else []
        told = [self.exempt.reason] if self.exempt.reason else []
        if words:
            told.append(f"with {', '.join(words)}, which a trace does not tell")
        return "; ".join(told)


def assumptions(trace: Trace) -> Iterator[Assumed]:
    """Nothing first, then the others."""
    table = exempt_of(trace.id)
    excused = table if table != NOTHING else of_readers(trace)
    exempts = [NOTHING] if excused == NOTHING else [NOTHING, excused]
    yield from (Assumed(exempt) for exempt in exempts)
    for besides_us in (0, SELDOM_US):
        for exempt in reversed(exempts):
            for order in _orders(contested(trace)):
                for knobs in _KNOBS:
                    for apart in (False, True):
                        if besides_us or knobs or order != _AS_SEEN or apart:
                            yield Assumed(exempt, knobs, order, apart, besides_us)


def _orders(places: tuple[int, ...]) -> Iterator[Order]:
    """As seen; every such call first, or last; one of them alone."""
    yield _AS_SEEN
    every = frozenset(places)
    alone = [frozenset((place,)) for place in places[:_MOST_SINGLE]] if len(places) > 1 else []
    for rows in [every, *alone] if places else []:
        yield Order(first=rows)
        yield Order(last=rows)
