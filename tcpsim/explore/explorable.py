"""Whether all states of a pair can be listed.

Owns: the obstacles. Refuses to know: how many states there are (chain). A scenario is one pair that shares no
host with others. So the only obstacle is a time from a continuous distribution: a program's wait, or the
jitter of a link.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from tcpsim.pair import Pair
from tcpsim.path import Exponential, LogNormal, Uniform

_CONTINUOUS = (Uniform, Exponential, LogNormal)


def obstacle(pair: Pair) -> str | None:
    """What is drawn from a continuous distribution, in words; None: every future can be listed.

    >>> from tcpsim.catalogue import build, scenario
    >>> obstacle(build(scenario("normal-close")))
    >>> obstacle(build(scenario("normal-close"), jitter="uniform(1ms,2ms)"))
    'jitter: uniform(1ms, 2ms)'
    """
    for side, machine in zip(pair.names, pair.machines, strict=True):
        for _, running in machine.programs:
            for op in running.program.ops:
                for _, drawn in _drawn(op):
                    return f"{side}: wait {drawn.describe()}"
    for element in [each for path in pair.paths for chain in path[:3] for each in chain]:
        for name, drawn in _drawn(element):
            return f"{name}: {drawn.describe()}"
    return None


def _drawn(value: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a step or an element that are continuous distributions."""
    if is_dataclass(value):
        for each in fields(value):
            inner = getattr(value, each.name)
            if isinstance(inner, _CONTINUOUS):
                yield each.name, inner
