"""A story of users: the users of one server, in several variants side by side.

Owns: the fields of a story, and the plan of its simulation. Refuses to know: the particular stories, how a
measure is computed (measure.experience), and hosts that run out of a resource (crowds).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tcpsim.catalogue import build, merged, scenario
from tcpsim.host.connection_owner import Users
from tcpsim.host.limits import Limits
from tcpsim.host.population import Arrivals, Plan
from tcpsim.units import parse_duration

Span = tuple[float, float]
UNLIMITED = Limits()
NONE: Span = (0, 0)


def exactly_ms(value: int) -> Span:
    """The times of measures are in microseconds."""
    return 1_000 * value, 1_000 * value


@dataclass(frozen=True, slots=True)
class Variant:
    """The story told one way: who the users are, what is changed of the connection, what the hosts have.

    `expect` are measures (see `tcpsim.measure.experience`) with the least and the most they may be; times in
    microseconds.
    """

    name: str
    users: Users
    expect: Mapping[str, Span]
    overrides: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = UNLIMITED


@dataclass(frozen=True, slots=True)
class Clientele:
    """Users of one server. `columns` are the measures that tell the story."""

    name: str
    title: str
    story: str
    watch: str
    per_second: float
    lasts: str
    settle: str
    columns: tuple[str, ...]
    variants: tuple[Variant, ...]
    overrides: Mapping[str, Any] = field(default_factory=dict)
    poisson: bool = False

    def plan(self, variant: Variant, seed: int = 1) -> Plan:
        """What to run."""
        changed = merged({"client": "obeys", "server": "httpd"}, self.overrides, variant.overrides)
        arrivals = Arrivals(self.per_second, for_us=parse_duration(self.lasts), poisson=self.poisson)
        pair = build(scenario("normal-close"), **changed)
        settle_us = parse_duration(self.settle)
        return Plan(((1.0, pair),), arrivals, settle_us, seed, variant.limits, users=variant.users)
