"""The function `population`: it simulates many connections and counts their sockets over time.

Owns: the function, and its result as text, rows, JSON and a picture. Refuses to know: how connections run
(host), and what a leak is (measure).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Unpack

from tcpsim.api.arrivals import Day, Times, parse_arrivals, words
from tcpsim.api.open_loss import opened
from tcpsim.api.result import Pictured
from tcpsim.api.setting_notes import Noted, sample_of
from tcpsim.api.settings import Named, Settings, one_of_them, settings
from tcpsim.api.setups import NamedUsers, NamedWorkload, load_of
from tcpsim.app import Program
from tcpsim.catalogue import Sample, Scenario, Setting
from tcpsim.draw.caption import Caption, caption_of
from tcpsim.draw.ladder import WIDTH
from tcpsim.draw.text_columns import columns
from tcpsim.draw.time_format import length
from tcpsim.errors import InputError
from tcpsim.host.census import Census
from tcpsim.host.full_box import PLACE
from tcpsim.host.limits import (
    HostLimits,
    Limited,
    Limits,
    named_limits,
    own_limits,
    own_of_relays,
    usual_limits,
)
from tcpsim.host.population import Plan
from tcpsim.measure.census_table import first_met, used
from tcpsim.measure.population_record import ASKED, FEW, METHODS, Method, Record, Setup, found, kind_of
from tcpsim.pair import SIDES, Side
from tcpsim.path import Middlebox
from tcpsim.tcp.stack import Stack
from tcpsim.units import format_duration, parse_duration

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tcpsim.measure.results import Table

_SAMPLES = 240  # of the census over time, unless `every` says otherwise
_MOST_SAMPLES = 1_000_000
_RECLAIMED = ("orphans", "minis", "pages")  # a kernel takes these back; of the rest it refuses more
_PROBABILITIES = ("loss", "loss_to_client", "loss_to_server", "duplicate", "reorder")
_TIMES = ("delay", "loss_from", "reorder_extra")

Progress = Callable[[int, int], None]


def population(
    scenario: Named | NamedWorkload | NamedUsers,
    setting: Setting | None = None,
    *,
    rate: str | float | None = None,
    for_: str | int | None = None,
    settle: str | int | None = None,
    fixed: bool | None = None,
    daily: Day | None = None,
    arrivals: Times | None = None,
    method: Method = "auto",
    seed: int = 1,
    limits: Limited | None = None,
    clients: int | None = None,
    every: str | int | None = None,
    progress: Progress | None = None,
    **changes: Unpack[Settings],
) -> Population:
    """Simulate many connections of a scenario, and count the sockets of both hosts.

    >>> import tcpsim
    >>> tcpsim.population("normal-close", client="never-closes", rate="2/s", for_="1min")
    <Population normal-close: 111 of 111 connections hold a socket that does not end by itself>

    Args:
        scenario: a name of the catalogue, the path of a TOML file, or a `Scenario`, `Workload` or
            `UserGroup`. The last two have a rate, a duration and limits, which the arguments override.
        setting: changes of the scenario as one value; keywords override it.
        rate: connections per second: 50, "50/s", "30/min".
        for_: how long connections arrive; the option is --for.
        settle: how long to watch after the last arrival.
        fixed: connections arrive at equal intervals instead of as a Poisson process.
        daily: how many times the rate at each time of the day: "8h=1.5,20h=0.5".
        arrivals: the times themselves, or a file with one time a line, instead of a rate.
        method: "simulate" runs each connection, "sample" draws each from its explored chain, "exact" gives
            expected numbers with a 99 % band, "auto" decides between the first two (docs/sweeps.md).
        seed: the seed of all random events.
        limits: limits of the hosts, such as {"server.descriptors": 1024}; the option is --limit.
        clients: how many client hosts there are, each with the limit on client.ports (with one: 1; without
            a limit on clients each connection comes from a host of its own).
        every: the interval between two counts (default: 1/240 of the run).
        progress: a function that is called about 100 times with the simulated time and the horizon, in
            microseconds.
        **changes: any setting (`tcpsim.Setting`).

    Raises:
        InputError: a name that does not exist, a value out of range, or a method that cannot be used here.
    """
    one_of_them("method", method, METHODS)
    load = load_of(scenario)
    if arrivals is None:
        rate, for_ = load.rate if rate is None else rate, load.for_ if for_ is None else for_
        fixed = load.fixed if fixed is None else fixed
    coming = parse_arrivals(rate, for_, bool(fixed), daily, arrivals)
    settle_us = parse_duration(load.settle if settle is None else settle, "settle")
    horizon_us = (coming.for_us or 0) + settle_us
    every_us = max(1, horizon_us // _SAMPLES) if every is None else parse_duration(every, "every")
    if every_us == 0 or horizon_us // every_us > _MOST_SAMPLES:
        raise InputError("every", format_duration(every_us), f"at least a {_MOST_SAMPLES:,}th of the run")
    changed = settings(changes, setting)
    kinds = load.kinds(changed)
    plan = Plan(
        kinds=kinds,
        arrivals=coming,
        settle_us=settle_us,
        seed=seed,
        limits=named_limits(
            {**load.limits, **(limits or {})},
            own_limits(kinds[0][1].server.system.end.stack),
            clients=load.clients if clients is None else clients,
            relays=own_of_relays(kinds[0][1]),
        ),
        users=load.users,
    )
    told = _told(changed) | (
        {"limit": [f"{name}={number}" for name, number in limits.items()]} if limits else {}
    )
    if clients is not None:
        told["clients"] = str(clients)
    setup = Setup(plan, *opened(load.connection, changed), every_us)
    record, census = found(setup, method, progress)
    return Population(load.connection, told, changed, plan, record, census, every_us)


def _told(changed: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """The settings by the names of their options."""
    options = {"knobs": "set", "parameters": "with", "drops": "drop"}
    told: dict[str, str | list[str]] = {}
    for name, value in changed.items():
        option = options.get(name, name.replace("_", "-"))
        if isinstance(value, Mapping):
            told[option] = [f"{key}={each}" for key, each in value.items()]
        else:
            told[option] = list(value) if isinstance(value, tuple) else _word(name, value)
    return told


def _word(name: str, value: Any) -> str:
    """A setting's value as an option takes it."""
    if isinstance(value, Program | Stack | Middlebox):
        return value.name
    if name in _PROBABILITIES and not isinstance(value, str):
        return f"{100 * value:.12g}%"
    return format_duration(value) if name in _TIMES and isinstance(value, int) else str(value)


class Population(Noted, Pictured):
    """The sockets of a population over time. `print()` shows the table at the horizon."""

    def __init__(
        self,
        scenario: Scenario,
        told: Mapping[str, str | list[str]],
        changes: Mapping[str, Any],
        plan: Plan,
        record: Record,
        census: Census | None,
        every_us: int,
    ) -> None:
        self.scenario = scenario
        self.told = told
        self.changes = changes
        self.plan = plan
        self.record = record
        self.every_us = every_us
        self._census = census

    @property
    def census(self) -> Census:
        """Every change with its time, of a population that was simulated.

        Raises:
            InputError: it was not.
        """
        if self._census is None:
            raise InputError(
                "census", f"method {self.method}", "method simulate: only that keeps every change"
            )
        return self._census

    @property
    def method(self) -> str:
        """How it was found: simulate, sample or exact."""
        return self.record.method

    @property
    def connections(self) -> int:
        """The number of connections. If the method is exact, the expected number is rounded."""
        return round(self.record.connections)

    @property
    def leaked(self) -> int:
        """The number of connections with a socket that does not end by itself, rounded in the same way."""
        return round(self.record.leaked)

    @property
    def horizon_us(self) -> int:
        """The end of the run."""
        return (self.plan.arrivals.for_us or 0) + self.plan.settle_us

    def _sample(self) -> Sample:
        kept = ("middlebox", "knobs") if self.record.dropped else ()  # a full box shows only in a crowd
        return sample_of(self.scenario, self.changes, self.plan.seed, self.horizon_us, many=True, kept=kept)

    @property
    def seed(self) -> int:
        """The seed of all random events."""
        return self.plan.seed

    def caption(self) -> Caption:
        limits = self.told.get("limit", [])
        asked = [f"limit {each}" for each in limits]
        asked += [f"clients {self.told['clients']}"] if "clients" in self.told else []
        return caption_of(self.scenario, self.changes, asked)

    def headline(self) -> str:
        many = f"{_number(self.record.leaked)} of {_number(self.record.connections)}"
        words = f"{many} connections hold a socket that does not end"
        return f"{self.scenario.name}: {words} by itself"

    def _table(self) -> Table:
        return self.record.over_time

    def ss(self, age: str | int, side: Side | None = None) -> str:
        """The output of `ss -tanop` on the server and on all clients together, at this time of the run.

        >>> import tcpsim
        >>> crowd = tcpsim.population("server-never-closes", rate=1, for_="1min", fixed=True)
        >>> print(crowd.ss("1min", "server").count("CLOSE-WAIT"))
        60

        Raises:
            InputError: a time beyond the horizon, or a population that met a limit.
        """
        from tcpsim.diagnosis.simulated_dump import crowd
        from tcpsim.dumps.ss_output import ss

        at_us = parse_duration(age, "ss")
        if at_us > self.horizon_us:
            raise InputError("ss", format_duration(at_us), f"up to {format_duration(self.horizon_us)}")
        if self._census is None:
            raise InputError(
                "ss", f"method {self.method}", "method simulate: a dump shows single connections"
            )
        client = self.record.limits.client
        if client is not None and client.ports is not None:
            raise InputError("ss", "a limit on client.ports", "clients with a host of their own each")
        if self._document["first_met_us"] or self.record.crashed is not None:
            raise InputError("ss", "a population that met a limit", "one that met none")
        found = crowd(self.plan, at_us)
        if side is not None:
            return ss(found[side])
        return "\n".join(f"# {each}, {format_duration(at_us)}\n{ss(found[each])}" for each in SIDES)

    @cached_property
    def _document(self) -> dict[str, Any]:
        record, plan = self.record, self.plan
        sockets = [
            {
                "side": row["side"],
                "state": row["state"],
                "holder": row["holder"],
                "count": record.now[kind_of(row)][0],
                "bytes": record.now[kind_of(row)][1],
                "peak": row["count"],
                "peak_us": round(row["t_s"] * 1_000_000),
            }
            for row in record.peaks.rows()
        ]
        limits = {
            f"{side} {resource}": limit
            for side in record.limits.sides
            for resource, limit in record.limits.of(side)._asdict().items()
            if limit is not None
        }
        if record.limits.flows is not None:
            limits[PLACE] = record.limits.flows
        return {
            "scenario": self.scenario.name,
            **self.document(),
            "method": record.method,
            "why": record.why,
            "states": record.states,
            "error": record.error,
            "seed": plan.seed,
            "rate_per_s": plan.arrivals.per_second,
            "for_us": plan.arrivals.for_us,
            "horizon_us": self.horizon_us,
            "changed": self.told,
            "clients": None if record.limits.client is None else record.limits.clients,
            "connections": record.connections,
            "leaked_connections": record.leaked,
            "sockets": sockets,
            "flows": list(record.flows),
            "leaks": record.leaks.rows(),
            "refused": dict(record.refused),
            "dropped": record.dropped,
            "limits": limits,
            "first_met_us": dict(record.first_met_us),
            **self._between(),
            "crashed": record.crashed,
            **self._notes_record(),
        }

    def to_dict(self) -> dict[str, Any]:
        return self._document

    def _between(self) -> dict[str, Any]:
        """What the hosts between use, and when that is all that they have, or would be.

        A connection is two descriptors there, and one port towards the server. Without a limit that was asked
        for, nothing is refused, and the number is that of the stack's profile.
        """
        pair = self.plan.kinds[0][1]
        found = {}
        for side in pair.names[1:-1]:
            profile = usual_limits(pair.machine(side).system.end.stack, side)
            asked = self.record.limits.of(side) if side in self.record.limits.sides else HostLimits()
            rows = {}
            for resource in ("descriptors", "ports"):
                own: int | None = getattr(asked, resource)
                limit: int | None = getattr(profile, resource) if own is None else own
                _, values = used(self.census, side, resource)
                rows[resource] = {
                    "used": int(values[-1]),
                    "peak": int(values.max()),
                    "limit": limit,
                    "refuses": own is not None,
                    "first_met_us": None if limit is None else first_met(self.census, side, resource, limit),
                }
            found[side] = rows
        return {"relays": found} if found else {}

    def text(self) -> str:
        document = self._document
        fates: dict[tuple[str, str, str], dict[str, int]] = {}
        for row in document["leaks"]:
            fates.setdefault(kind_of(row), {})[row["fate"]] = row["count"]
        rows: list[tuple[str, ...]] = [("side", "state", "holder", "held", "will stay", "peak", "bytes held")]
        for row in document["sockets"]:
            lasting = fates.get(kind_of(row), {})
            staying = sum(lasting.get(fate, 0) for fate in ("permanent", "metastable", "descriptor"))
            numbers = [_number(each) for each in (row["count"], staying, row["peak"])]
            rows.append((*kind_of(row), *numbers, _bytes(row["bytes"])))
        lines = [
            *self.caption().lines(WIDTH),
            _summary(document),
            _hosts(self.record.limits),
            *_way(document),
            "",
            *columns(rows, 3),
        ]
        lines += _flows(document["flows"])
        leaked, connections = document["leaked_connections"], document["connections"]
        share = f" ({100 * leaked / connections:.3g} %)" if connections else ""
        dead = sum(row["count"] for row in document["leaks"] if row["fate"] == "descriptor")
        lines += ["", f"{_number(leaked)} connections{share} hold a socket that does not end by itself"]
        if dead >= 0.05:  # of expected ones less would be shown as none
            lines[-1] += (
                f",\nand {_number(dead)} dead sockets (CLOSED) hold a descriptor until a program closes it"
            )
        lines += [_met(document, place, met_us) for place, met_us in document["first_met_us"].items()]
        for side, resources in document.get("relays", {}).items():
            lines += [_used(side, resource, row) for resource, row in resources.items()]
        return "\n".join([*lines, *self._notes()]) + "\n"

    def openmetrics(self, begins: int = 0) -> str:
        """The census over time as `node_tcp_connection_states` of node_exporter's tcpstat collector.

        `begins`: the Unix time of the beginning of the run.

        >>> import tcpsim
        >>> page = tcpsim.population("server-never-closes", rate=1, for_="1min", fixed=True).openmetrics()
        >>> 'state="close_wait",host="server",holder="owned"' in page
        True
        """
        from tcpsim.measure.openmetrics import openmetrics

        return openmetrics(
            [row for row in self.record.over_time.rows() if row["side"] in SIDES],
            {"scenario": self.scenario.name},
            begins,
        )

    def _writers(self) -> Mapping[str, Any]:
        return {**super()._writers(), ".prom": lambda path: self._write(path, self.openmetrics())}

    def figure(self) -> Figure:
        from tcpsim.draw.census_figure import census_figure

        counts: dict[tuple[str, str], dict[int, int]] = {}
        for row in self.record.over_time.rows():
            series = counts.setdefault((row["side"], row["state"]), {})
            t_us = round(row["t_s"] * 1_000_000)
            series[t_us] = series.get(t_us, 0) + row["count"]
        at_us = list(range(0, self.horizon_us + 1, self.every_us))
        arrivals = self.plan.arrivals
        told = f"{words(arrivals)} for {length(arrivals.for_us or 0)}"
        series_of = {kind: [series[t_us] for t_us in at_us] for kind, series in counts.items()}
        subtitle = f"{told}, {_seeded(self.method, self.plan.seed)}"
        return census_figure(at_us, series_of, str(self.caption()), subtitle)


def _hosts(limits: Limits) -> str:
    """Where the connections come from."""
    if limits.client is None:
        return "each connection comes from a host of its own"
    ports = "" if limits.client.ports is None else f"{limits.client.ports:,} ports towards this service"
    if limits.clients == 1:
        return "all connections come from one client host" + (f" with {ports}" if ports else "")
    return f"the connections come from {limits.clients:,} client hosts in turn, each with {ports}"


def _flows(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the box between the hosts remembered, if there is one."""
    if not found:
        return []
    rows = [("flows of the middlebox", "held", "peak", "reached after")]
    rows += [(row["state"], f"{row['count']:,}", f"{row['peak']:,}", length(row["peak_us"])) for row in found]
    return ["", *columns(rows, 1)]


def _met(document: Mapping[str, Any], place: str, met_us: int) -> str:
    """A limit, the time at which it was first met, and the connections that failed because of it."""
    fate = "killed" if place.endswith(_RECLAIMED) else "refused"
    count = document["refused"].get(place, 0)
    paid = f", {count:,} {fate}" if count else ""
    if place == PLACE:
        paid = f", {document['dropped']:,} segments of {count:,} connections dropped in silence"
    if place == document["crashed"]:
        paid = f": the kernel crashes, and {count:,} later connections get no answer"
    return f"{place}: the limit of {document['limits'][place]:,} first met after {length(met_us)}{paid}"


def _used(side: str, resource: str, row: Mapping[str, Any]) -> str:
    """What a host between uses of a resource, and whether there is as much."""
    words = f"{side} {resource}: {row['used']:,} in use, {row['peak']:,} at most"
    if row["first_met_us"] is None or row["refuses"]:
        return words if row["limit"] is None else f"{words}, of {row['limit']:,}"
    met = length(row["first_met_us"])
    used_up = f"the host has {row['limit']:,}, and used them up after {met}"
    return f"{words};\n  {used_up} (the simulation refuses none)"


def _summary(document: Mapping[str, Any]) -> str:
    many = f"{_number(document['connections'])} connections in {length(document['for_us'])}"
    told = _seeded(document["method"], document["seed"])
    return f"{many}, watched for {length(document['horizon_us'])}, {told}"


def _seeded(method: str, seed: int) -> str:
    return "expected numbers" if method == "exact" else f"seed {seed}"


def _way(document: Mapping[str, Any]) -> list[str]:
    """How it was found and why, where that was asked for or is no matter of course."""
    way = f"method {document['method']}: {document['why']}"
    if document["method"] == "simulate":
        return wrap(way, WIDTH) if document["connections"] > FEW and document["why"] != ASKED else []
    states = f"{document['states']:,} states explored"
    if document["error"]:
        states += f", at most {document['error']:.2g} of the probability beyond"
    return [*wrap(way, WIDTH), states]


def _number(value: float) -> str:
    """A count, or an expected number to a tenth."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _bytes(number: float) -> str:
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if number >= 10 * 1024**power:
            return f"{number / 1024**power:,.0f} {unit}"
    return f"{number:,.0f} B"
