"""A user group: users of one server, in several variants that are told side by side.

Owns: what a user group consists of, whether it can be at all, and the plan it comes to. Refuses to know: the
particular ones (user_groups/*.toml), files (user_group_file), and how a measure is taken
(measure.experience).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tcpsim.catalogue.scenario import Scenario, build, merged, with_arguments
from tcpsim.catalogue.themes import scenario
from tcpsim.catalogue.validation import check_load
from tcpsim.errors import InputError, unknown
from tcpsim.host.connection_owner import Users
from tcpsim.host.limits import Limited, named_limits, own_limits, own_of_relays
from tcpsim.host.measures import measured
from tcpsim.host.population import Arrivals, Plan
from tcpsim.units import parse_duration, parse_rate

Span = tuple[float, float]
USUAL: Final = "normal-close"  # the scenario, unless another is named
DRIVEN: Final[Mapping[str, Any]] = {"client": "obeys"}  # users decide what the client does
COLUMNS: Final = ("connections", "done", "failed", "median", "95 % within")


def defaults(base: str) -> Mapping[str, Any]:
    """What a group changes of a scenario by itself: the client, and the server of the usual scenario."""
    return {**DRIVEN, "server": "httpd"} if base == USUAL else DRIVEN


@dataclass(frozen=True, slots=True)
class Variant:
    """The story told one way: who the users are, what is changed of the connection, what the hosts have.

    `expect` are measures (see `tcpsim.host.measures`) with the least and the most they may be; times in
    microseconds. `limits` are by name, such as "server.workers".
    """

    name: str
    users: Users
    expect: Mapping[str, Span] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    limits: Limited = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises InputError for a name that is no text, or what cannot be measured or limited."""
        if not isinstance(self.name, str) or not self.name:
            raise InputError("variant.name", repr(self.name), "text")
        if not hasattr(self.users, "start"):
            raise InputError(f"{self.name}: users", repr(self.users), "Browsers or Requests")
        for name in self.expect:
            measured(name, f"{self.name}: expect")
        told_later = {key: each for key, each in self.limits.items() if not key.startswith("relay")}
        named_limits(told_later, where=f"{self.name}: limits")  # which relays there are, its group knows


@dataclass(frozen=True, slots=True)
class UserGroup:
    """Users of one server, who come at a rate. `columns` are the measures that tell the story.

    `overrides` are changes of the scenario for all variants. The client's behaviour is one that takes orders
    ("obeys", "keepalive-obeys"); the server of the usual scenario is "httpd" unless it is changed.

    >>> from tcpsim.host.pool import PoolConfig, Requests
    >>> small = Variant("small", Requests(PoolConfig(size=2)))
    >>> UserGroup("mine", [small], rate="1/s", for_="1min").columns[0]
    'connections'
    """

    name: str
    variants: Sequence[Variant]
    rate: str | float
    for_: str | int
    title: str = ""
    story: str = ""
    watch: str = ""
    settle: str | int = 0
    fixed: bool = False
    columns: Sequence[str] = COLUMNS
    scenario: str | Scenario = USUAL
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises InputError for a field that cannot be so, or a variant that cannot be built."""
        check_load(self)
        at = f"{self.name}."
        for column in self.columns:
            measured(column, f"{at}columns")
        names = [each.name for each in self.variants]
        if not names or len(set(names)) < len(names):
            raise InputError(
                f"{at}variants", ", ".join(names) or "none", "at least one, each with a name of its own"
            )
        build(self.base, **self.changes())
        for variant in self.variants:
            self.plan(variant)

    @property
    def base(self) -> Scenario:
        """The scenario of which its connections are."""
        return self.scenario if isinstance(self.scenario, Scenario) else scenario(self.scenario)

    @property
    def per_second(self) -> float:
        """Arrivals per second."""
        return parse_rate(self.rate)

    def variant(self, name: str) -> Variant:
        """The variant of that name.

        Raises:
            InputError: there is none.
        """
        found = [each for each in self.variants if each.name == name]
        if not found:
            raise unknown("variant", name, [each.name for each in self.variants])
        return found[0]

    def changes(self) -> dict[str, Any]:
        """What all variants change of the scenario, as overrides for `build`."""
        return merged(defaults(self.base.name), self.overrides)

    def plan(self, variant: Variant, seed: int = 1, fixed: Mapping[str, Any] | None = None) -> Plan:
        """What to run, with overrides on top."""
        arrivals = Arrivals(self.per_second, for_us=parse_duration(self.for_), poisson=not self.fixed)
        base, overrides = with_arguments(self.base, self.changes())
        pair = build(base, **merged(overrides, variant.overrides, fixed or {}))
        own, where = own_limits(pair.server.system.end.stack), f"{variant.name}: limits"
        limits = named_limits(variant.limits, own, where, relays=own_of_relays(pair))
        settle_us = parse_duration(self.settle)
        return Plan(((1.0, pair),), arrivals, settle_us, seed, limits, users=variant.users)
