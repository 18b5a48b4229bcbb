"""A workload: many connections of some kinds, how fast they come, and what the hosts have.

Owns: what a workload consists of, whether it can be at all, and the plan it comes to. Refuses to know: the
particular ones (workloads/*.toml), files (workload_file), and how a run is judged (measure.exhaustion).

The pool of mbufs is a limit on the bytes that the server's sockets hold: NMBCLUSTERS clusters of 1024 bytes,
as in 4.3BSD's param.h. Beyond it, the kernel does not refuse: "your kernel will likely crash" (Apache).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from tcpsim.catalogue.fixes import changes
from tcpsim.catalogue.scenario import Scenario, build, changed, merged, with_arguments
from tcpsim.catalogue.themes import scenario
from tcpsim.catalogue.validation import check_load
from tcpsim.errors import InputError, unknown
from tcpsim.host.limits import Limited, Limits, Restart, named_limits, own_limits, own_of_relays
from tcpsim.host.population import Arrivals, Plan
from tcpsim.host.socket_accounting import Place
from tcpsim.pair import Pair
from tcpsim.units import parse_duration, parse_rate

CLUSTER_BYTES = 1024
NEVER: Literal["never"] = "never"
PLACES: Mapping[str, Place] = {"client": "client", "server": "server", "middlebox": "middlebox"}
_PLENTY = 10**9  # of workers: without a limit nobody counts them; of flows: the box has a limit of its own

# What running out looks like, by resource
SYMPTOMS: Mapping[str, str] = {
    "descriptors": "EMFILE, too many open files",
    "ports": "EADDRNOTAVAIL, no port is left for connect()",
    "workers": "connections wait in the accept queue",
    "backlog": "SYNs are dropped",
    "orphans": "too many orphaned sockets: RST",
    "minis": "timewait sockets are dropped",
    "bytes": "no memory for another socket",
    "pages": "TCP: out of memory, consider tuning tcp_mem: RST to orphans with data, send() waits",
    "flows": "nf_conntrack: table full, dropping packet; the host's own sockets show nothing",
}

# Whose number it is, by resource
KNOBS: Mapping[str, str] = {
    "descriptors": "ulimit -n (RLIMIT_NOFILE)",
    "ports": "ip_local_port_range, or further addresses",
    "workers": "MaxRequestWorkers (MaxClients)",
    "backlog": "listen(), and somaxconn above it",
    "orphans": "tcp_max_orphans",
    "minis": "tcp_max_tw_buckets",
    "bytes": "NMBCLUSTERS",
    "pages": "tcp_mem",
    "flows": "nf_conntrack_max",
}


class Limit(NamedTuple):
    """What a host has of a resource (see `Usage`), in the sense of `--limit`."""

    side: Place
    resource: str
    amount: int


@dataclass(frozen=True, slots=True)
class Workload:
    """Connections of one scenario that come at a rate.

    `overrides` are changes of the scenario (fields of `Setting`), for all; `mix` are shares, and what is
    changed for that share of the connections. `settle` is how long to watch after the last arrival, `fixed`
    arrivals come at equal distances. `limits` are what the hosts have, by name ("server.workers"); what is
    not named is what the server's stack says. `clients` are how many hosts they come from, each with the
    limit on "client.ports". `runs_out_of` is the limit that the story is about, `after` says from when to
    when it has to be met, or "never". With any of `cures` it is not met in the time in which it is without;
    with any of `in_vain` it is.

    >>> Workload("mine", "normal-close", rate="50/s", for_="3min", limits={"client.ports": 2_823}).limit
    Limit(side='client', resource='ports', amount=2823)
    """

    name: str
    scenario: str | Scenario
    rate: str | float
    for_: str | int
    title: str = ""
    story: str = ""
    watch: str = ""
    settle: str | int = 0
    fixed: bool = False
    overrides: Mapping[str, Any] = field(default_factory=dict)
    mix: Sequence[tuple[float, Mapping[str, Any]]] = ((1.0, {}),)
    limits: Limited = field(default_factory=dict)
    clients: int = 1
    runs_out_of: str | None = None
    after: tuple[str, str] | Literal["never"] | None = None
    cures: Sequence[str] = ()
    in_vain: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Raises InputError for a field that cannot be so, or a kind of connection that cannot be built."""
        check_load(self)
        at = f"{self.name}."
        pair = build(self.base, **self.overrides)
        between = own_of_relays(pair)
        named_limits(self.limits, where=f"{at}limits", clients=self.clients, relays=between)
        if self.runs_out_of is not None and self.limits.get(self.runs_out_of) is None:
            raise unknown(f"{at}runs_out_of", str(self.runs_out_of), [*self.limits])
        for time in self.after if isinstance(self.after, tuple) else ():
            parse_duration(time, f"{at}after")
        for words in (*self.cures, *self.in_vain):
            changes([words], f"{at}cures and in_vain")
        self.plan()

    @property
    def base(self) -> Scenario:
        """The scenario of which its connections are."""
        return self.scenario if isinstance(self.scenario, Scenario) else scenario(self.scenario)

    @property
    def connection(self) -> Scenario:
        """What commands of one connection take: the scenario with what is changed for all."""
        fields = {"parameters", *Scenario.__dataclass_fields__}  # of the rest a scenario has none
        overrides = merged(self.overrides, self.mix[0][1] if len(self.mix) == 1 else {})
        begun = changed(self.base, {key: overrides[key] for key in fields & overrides.keys()})
        texts = (self.title or begun.title, self.story or begun.story, self.watch or begun.watch)
        return replace(begun, name=self.name, title=texts[0], story=texts[1], watch=texts[2])

    @property
    def per_second(self) -> float:
        """Connections per second."""
        return parse_rate(self.rate)

    @property
    def for_us(self) -> int:
        """How long they come."""
        return parse_duration(self.for_)

    @property
    def limit(self) -> Limit:
        """The limit that the story is about: the one that is named, or the only one there is.

        Raises:
            InputError: there is none, or there are several and none is named.
        """
        there = [name for name, amount in self.limits.items() if amount is not None]
        place = self.runs_out_of or (there[0] if len(there) == 1 else None)
        if place is None:
            allowed = f"one of {', '.join(there)}" if there else "a limit, such as server.descriptors = 1024"
            found = "none" if there else "no limit"
            raise InputError(
                f"{self.name}: host.runs_out_of" if there else f"{self.name}: limits", found, allowed
            )
        side, _, resource = place.partition(".")
        amount = self.limits[place]
        assert amount is not None
        between = self.base.sides[1:-1]
        if side == "relay" and side not in between:
            allowed = f"one host: {', '.join(f'{each}.{resource}' for each in between)}"
            raise InputError(f"{self.name}: host.runs_out_of", repr(place), allowed)
        return Limit(PLACES.get(side, side), resource, amount)

    def kinds(self, fixed: Mapping[str, Any] | None = None) -> tuple[tuple[float, Pair], ...]:
        """The connections at time 0 with their shares, with overrides on top."""
        base, overrides = with_arguments(self.base, self.overrides)
        return tuple(
            (share, build(base, **merged(overrides, differs, fixed or {}))) for share, differs in self.mix
        )

    def plan(
        self,
        fixed: Mapping[str, Any] | None = None,
        per_second: float | None = None,
        lasts_us: int | None = None,
        seed: int = 1,
        restarts: Sequence[Restart] = (),
        plenty: bool = False,
    ) -> Plan:
        """What to run, with overrides on top (a fix, say), at another rate or for another time.

        With `plenty` the host has as much of what the story is about as is asked for.
        """
        kinds = self.kinds(fixed)
        arrivals = Arrivals(
            self.per_second if per_second is None else per_second,
            for_us=self.for_us if lasts_us is None else lasts_us,
            poisson=not self.fixed,
        )
        limits = self._limits(kinds[0][1], plenty)
        settle_us = parse_duration(self.settle)
        return Plan(kinds, arrivals, settle_us, seed, limits=limits, restarts=tuple(restarts))

    def with_limit(self, amount: int) -> Workload:
        """The same on a host that has another amount of what the story is about."""
        side, resource, _ = self.limit
        return replace(self, limits={**self.limits, f"{side}.{resource}": amount})

    def _limits(self, pair: Pair, plenty: bool) -> Limits:
        given = dict(self.limits)
        if plenty:
            side, resource, _ = self.limit
            given[f"{side}.{resource}"] = _PLENTY if resource in ("workers", "flows") else None
        own = own_limits(pair.server.system.end.stack)
        return named_limits(given, own, clients=self.clients, relays=own_of_relays(pair))
