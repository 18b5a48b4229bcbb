"""The function `plan`: it predicts what a server holds at a rate, its first limit, remedies and alerts.

Owns: the function, and its result as text, rows, JSON and Prometheus rules. Refuses to know: how one
connection ends (explore), and how a plan is computed (planning).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tcpsim.api.result import Result
from tcpsim.api.settings import Named, chosen
from tcpsim.catalogue import Scenario, build, changes, merged
from tcpsim.draw.caption import Caption
from tcpsim.draw.time_format import length
from tcpsim.errors import InputError
from tcpsim.explore.curves import Occupancy
from tcpsim.pair import Pair
from tcpsim.planning.alerts import Alert, alerts, rules
from tcpsim.planning.limits import Met, Resource, client_ports, judged, resources
from tcpsim.planning.load import Kind, Load, of_kind, seen
from tcpsim.planning.remedies import Remedy, remedies, rough_us, worst
from tcpsim.tcp.stack import Stack
from tcpsim.units import format_duration, parse_duration, parse_probability, parse_rate

if TYPE_CHECKING:
    from tcpsim.measure.results import Table

_STORY = "server-never-closes"
_STEADY = 1e-9  # of all connections: what grows by less does not


class _Asked(NamedTuple):
    """The question after all arguments are parsed."""

    story: Scenario
    sound: Mapping[str, Any]  # what makes the sound kind of it
    leaky: float
    per_second: float
    for_us: int
    losses: Mapping[str, list[float]]
    base: Mapping[str, Any]
    limits: Mapping[str, int]


def plan(
    scenario: Named | None = None,
    *,
    rate: str | float,
    for_: str | int = "30d",
    never_close: str | float = 0.0,
    loss: str | float = 0.0,
    server: str = "linux",
    client: str = "linux",
    hold: str | int | None = None,
    delay: str | int | None = None,
    limits: Mapping[str, int] | None = None,
    knobs: Mapping[str, str] | None = None,
) -> Planned:
    """Predict what a server will hold, which limit it meets first and when, what helps, and when to alert.

    >>> import tcpsim
    >>> tcpsim.plan(rate="200/s", never_close="2%", loss="1%", limits={"nofile": 65_536})
    <Planned 200 connections per second: nofile=65,536 is met after 4 h 33 min>

    Args:
        scenario: one connection; by default the client closes first, and then the server closes.
        rate: connections per second: 200, "200/s", "30/min".
        for_: how long connections arrive; the option is --for.
        never_close: the share of connections that the server program never closes.
        loss: the probability that a segment is lost, in both directions.
        server: the TCP implementation of the server.
        client: the TCP implementation of the clients.
        hold: how long a client keeps its connection open after the response (without a scenario).
        delay: the one-way delay.
        limits: limits of the server (nofile, orphans, tw, pages), or ports of a single client host.
        knobs: sysctls of the server's stack, such as tcp_fin_timeout.

    Raises:
        InputError: a name that does not exist, a value out of range, or a scenario that cannot be explored.
    """
    asked = _asked(scenario, rate, for_, never_close, loss, server, client, hold, delay, limits, knobs)
    kinds = [Kind(1 - asked.leaky, _seen(asked, asked.sound))]
    if asked.leaky:
        kinds.append(Kind(asked.leaky, _seen(asked, {"server": "never-closes"})))
    load = Load(tuple(kinds), asked.per_second, asked.for_us)
    pair = _pair(asked, asked.sound)
    stack, other = pair.server.system.end.stack, pair.client.system.end.stack
    return Planned(asked, load, stack, other, resources(stack, asked.limits))


def _asked(
    scenario: Named | None, rate: Any, for_: Any, never_close: Any, loss: Any, server: str, client: str,
    hold: Any, delay: Any, limits: Mapping[str, int] | None, knobs: Mapping[str, str] | None,
) -> _Asked:  # fmt: skip
    per_second, for_us = parse_rate(rate, "rate"), parse_duration(for_, "for")
    leaky, lost = parse_probability(never_close, "never_close"), parse_probability(loss, "loss")
    if for_us == 0:
        raise InputError("for", "0s", "a time above zero")
    story = chosen(_STORY if scenario is None else scenario)
    base: dict[str, Any] = {"stack_server": server, "stack_client": client}
    sound: dict[str, Any] = {}
    if scenario is None:
        sound = {"server": "closes-on-eof"}
        if hold is not None:
            base["parameters"] = {"client.delay": format_duration(parse_duration(hold, "hold"))}
    elif hold is not None:
        raise InputError("hold", "a scenario beside it", "a parameter of the scenario's client instead")
    if delay is not None:
        base["delay"] = delay
    if knobs:
        base["knobs"] = {f"server.{name}": value for name, value in knobs.items()}
    for name, amount in (limits or {}).items():
        if not isinstance(amount, int) or isinstance(amount, bool) or amount < 1:
            raise InputError(f"limits.{name}", repr(amount), "an integer above 0")
    losses = {"to client": [lost], "to server": [lost]}
    return _Asked(story, sound, leaky, per_second, for_us, losses, base, dict(limits or {}))


def _pair(asked: _Asked, changed: Mapping[str, Any]) -> Pair:
    lost = asked.losses["to client"][0]
    chance = {"loss_to_client": lost, "loss_to_server": lost} if lost else {}
    return build(asked.story, **merged(asked.base, changed, chance))


def _seen(asked: _Asked, changed: Mapping[str, Any]) -> Occupancy:
    pair = _pair(asked, changed)
    losses = asked.losses if asked.losses["to client"][0] else {}
    return seen(pair, losses, asked.for_us)


class Row(NamedTuple):
    """Sockets of one kind on the server: the expected number at the end, its 95 % band, and its growth."""

    state: str
    holder: str
    mean: float
    low: int
    high: int
    growth: float


class Planned(Result):
    """The plan. `print()` shows it, and `prometheus()` returns the alerts as rules."""

    def __init__(self, asked: _Asked, load: Load, stack: Stack, client: Stack, has: list[Resource]) -> None:
        self._client = client
        self._asked = asked
        self.load = load
        self.stack = stack
        self._has = has

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The sockets of the server at the end, by state and holder."""
        found = []
        for kind in self.load.sockets:
            if kind.side == "server":
                value = of_kind(kind)
                low, high = self.load.law(value, self.load.until_us).between(0.95)
                mean, growth = self.load.mean(value, self.load.until_us), self.load.growth(value)
                if high or mean >= 0.01:
                    found.append(Row(str(kind.state), str(kind.holder), mean, low, high, growth))
        return tuple(sorted(found, key=lambda each: -each.mean))

    @cached_property
    def limits(self) -> tuple[Met, ...]:
        """Every limit. The first one to be met is the first in the list."""
        found = [judged(self.load, each) for each in self._has]
        return tuple(
            sorted(
                found,
                key=lambda each: (each.times_us[1] is None, each.times_us[1] or 0, -each.mean / each.amount),
            )
        )

    @property
    def first(self) -> Met | None:
        """The limit that is met first; None if none is met in this time."""
        return worst(self.limits)

    @property
    def bounded(self) -> bool:
        """True if nothing grows at the end."""
        return not any(map(self.grows, self.rows))

    def grows(self, row: Row) -> bool:
        """Whether this is more than the unexplored probability can explain."""
        return row.growth > self.load.per_second * (self.load.error + _STEADY)

    @property
    def ports(self) -> tuple[float, int]:
        """The number of ports that a single client host would use, and the number that it has."""
        used = self.load.mean(client_ports, self.load.until_us)
        return used, self._client.ephemeral_ports

    @cached_property
    def memory(self) -> float:
        """The expected kernel memory of the server's sockets at the end, in bytes."""
        total = 0.0
        for kind in self.load.kinds:
            alone = self.load._replace(kinds=(kind,))
            total += alone.mean(kind.seen.bytes_of("server"), self.load.until_us)
        return total

    @cached_property
    def alerts(self) -> tuple[Alert, ...]:
        """Thresholds that a server without the leak practically never exceeds."""
        shares = [1.0] + [0.0] * (len(self.load.kinds) - 1)
        return tuple(alerts(self.load.with_shares(shares), self.load))

    @cached_property
    def remedies(self) -> tuple[Remedy, ...]:
        """What avoids the limit that is met first, and what does not."""
        first = self.first
        if first is None:
            return ()
        each = next(each for each in self._has if each.name == first.name)
        return tuple(remedies(self.load, each, self.memory, self.bounded, self._with_fix))

    def _with_fix(self, words: str) -> Occupancy:
        """The connections that leak, with a fix from the catalogue."""
        return _seen(self._asked, merged({"server": "never-closes"}, changes([words], "fix")))

    def prometheus(self) -> str:
        """The alerts as a file of rules."""
        return rules(list(self.alerts), "tcpsim")

    def caption(self) -> Caption:
        changed = [f"{self._asked.per_second:g} per second", f"for {length(self._asked.for_us)}"]
        if self._asked.leaky:
            changed.append(f"{self._asked.leaky:.3g} of them never closed")
        loss = self._asked.losses["to client"][0]
        changed += [f"loss {100 * loss:g} %"] if loss else []
        return Caption("plan", self._asked.story.title, tuple(changed))

    def headline(self) -> str:
        what = f"{self._asked.per_second:g} connections per second"
        first = self.first
        if first is None:
            return f"{what}: no limit is met in {length(self._asked.for_us)}"
        return (
            f"{what}: {first.name}={first.amount:,} is met after {length(rough_us(first.times_us[1] or 0))}"
        )

    def text(self) -> str:
        from tcpsim.api.plan_page import page

        return page(self)

    def _table(self) -> Table:
        from tcpsim.measure.results import Table

        return Table.of_rows([each._asdict() for each in self.rows])

    def _writers(self) -> Mapping[str, Any]:
        return {**super()._writers(), ".yml": self._save_rules, ".yaml": self._save_rules}

    def _save_rules(self, path: Path) -> None:
        self._write(path, self.prometheus())

    def to_dict(self) -> dict[str, Any]:
        asked = self._asked
        return self.document() | {
            "rate_per_s": asked.per_second,
            "never_close": asked.leaky,
            "loss": asked.losses["to client"][0],
            "for_us": asked.for_us,
            "stack": self.stack.name,
            "error": self.load.error,
            "bounded": self.bounded,
            "memory_bytes": round(self.memory),
            "client_ports": dict(zip(("used", "there_are"), self.ports, strict=True)),
            "sockets": [each._asdict() for each in self.rows],
            "limits": [each._asdict() | {"met": each.met} for each in self.limits],
            "remedies": [each._asdict() for each in self.remedies],
            "alerts": [
                each._asdict() | {"state": str(each.state), "says": each.says()} for each in self.alerts
            ],
            "prometheus": self.prometheus(),
        }
