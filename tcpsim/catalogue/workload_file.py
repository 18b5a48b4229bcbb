"""A workload, written in TOML: a connection as in scenario_file, and what this module adds.

Owns: the tables [arrivals], [limits], [host] and [[mix]]. Refuses to know: what a workload comes to
(workload).

    base = "keepalive-timeout-buggy-client"   # or [client], [server], ... as in a scenario
    cures = ["client-closes"]

    [arrivals]                      # the words of `tcpsim population`
    rate = "0.2/s"
    for = "3h"
    settle = "10min"                # how long to watch after the last arrival
    fixed = true                    # at equal distances; left out: a Poisson process

    [limits]                        # the words of --limit
    client.descriptors = 1021

    [host]
    runs_out_of = "client.descriptors"  # which limit the story is about, if there are several
    after = ["84min", "86min"]          # when it has to be met, or "never"
    clients = 1                         # so many client hosts, each with the limit on client.ports

    [[mix]]                         # kinds of connections; the shares add up to 1
    share = 0.5
    [[mix]]
    share = "50%"
    client = { behaviour = "closes-on-eof" }

A kind says what differs from the connection that the rest of the file describes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any, Final

from tcpsim.catalogue import index
from tcpsim.catalogue.connection_tables import Place, read_changes
from tcpsim.catalogue.scenario import Scenario
from tcpsim.catalogue.scenario_file import Connection, opened, read_connection
from tcpsim.catalogue.toml_values import (
    Reader,
    Table,
    boolean,
    probability,
    rate,
    shares_of,
    span,
    text,
    time,
    whole,
)
from tcpsim.catalogue.workload import NEVER, Workload
from tcpsim.errors import InputError, unknown
from tcpsim.host.limits import RESOURCES, Limited
from tcpsim.pair import SIDES

_RESOURCES: Final[Mapping[str, Sequence[str]]] = {
    **{str(side): RESOURCES[side] for side in SIDES},
    "middlebox": ("flows",),
}
_HORIZON: Final = "1h"  # of one connection, where the file says nothing
_OF_CONNECTION: Final = ("expect", "horizon", "concerns", "within", "question", "source", "theme", "relays")


def read_workload(top: Table, name: str) -> Callable[[], Workload]:
    """What the outermost table says of a workload; to be called when it has told no mistake."""
    arrivals = top.take("arrivals", read_arrivals)
    connection = read_connection(top, horizon=_HORIZON)
    mix = top.take("mix", shares_of(_kind(connection.place)), ((1.0, {}),))
    limits = top.take("limits", read_limits, {})
    host = top.take("host", partial(_host, limits), {})
    about = told(connection, "cures", "in_vain")

    def make() -> Workload:
        scenario, overrides = based(connection, name)
        return Workload(
            **{"name": name, "title": name, **about},
            scenario=scenario,
            overrides=overrides,
            mix=mix,
            limits=limits,
            **arrivals,
            **host,
        )

    return make


def told(connection: Connection, *more: str) -> dict[str, Any]:
    """The texts of a file that are its own, not its connection's."""
    return {
        key: connection.about[key]
        for key in ("name", "title", "story", "watch", *more)
        if key in connection.about
    }


def based(connection: Connection, name: str) -> tuple[str | Scenario, dict[str, Any]]:
    """The scenario of a file and what it changes: of one that names a base and nothing else, by its name."""
    base = connection.base
    if base is None or any(key in connection.about for key in _OF_CONNECTION):
        return connection.scenario(name), {}
    return base.name, connection.overrides


def read_arrivals(value: Any, where: str) -> dict[str, Any]:
    """How connections, or users, come."""
    table = Table(value, where)
    found = {
        "rate": table.take("rate", rate),
        "for_": table.take("for", time),
        "settle": table.take("settle", time, "0s"),
        "fixed": table.take("fixed", boolean, False),
    }
    table.done()
    return found


def read_limits(value: Any, where: str) -> Limited:
    """What the hosts have, by the names of --limit."""
    table = Table(value, where)
    between = {name: RESOURCES["relay"] for name in table.left if name.partition(" ")[0] == "relay"}
    named = {**_RESOURCES, **between}  # which of these there are, the connection knows
    places = {place: table.take(place, partial(_of_place, names), {}) for place, names in named.items()}
    table.done()
    return {f"{place}.{name}": amount for place, found in places.items() for name, amount in found.items()}


def _of_place(names: Sequence[str], value: Any, where: str) -> dict[str, int | None]:
    table = Table(value, where)
    found: dict[str, Any] = {name: table.take(name, _amount, ()) for name in names}
    table.done()
    return {name: amount[0] for name, amount in found.items() if amount}


def _amount(value: Any, where: str) -> tuple[int | None]:
    if value != "none" and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise InputError(where, repr(value), 'an integer >= 0, or "none"')
    return (None if value == "none" else value,)


def _host(limits: Limited | None, value: Any, where: str) -> dict[str, Any]:
    """Which limit the story is about, and when it has to be met."""
    table = Table(value, where)

    def place(value: Any, at: str) -> str:
        if limits is not None and text(value, at) not in limits:
            raise unknown(at, value, limits)
        return str(value)

    found = {
        "runs_out_of": table.take("runs_out_of", place, None),
        "after": table.take("after", _after, None),
        "clients": table.take("clients", whole(1), 1),
    }
    table.done()
    return found


def _after(value: Any, where: str) -> Any:
    if value == NEVER:
        return NEVER
    if not isinstance(value, list):
        raise InputError(where, repr(value), f'two times, the earliest and the latest, or "{NEVER}"')
    return span(value, where)


def _kind(place: Place | None) -> Reader[tuple[float, Mapping[str, Any]]]:
    def read(value: Any, where: str) -> tuple[float, Mapping[str, Any]]:
        table = Table(value, where)
        share = table.take("share", probability)
        changes = read_changes(table, place, known=False)
        table.done()
        return share, changes

    return read


def parse_workload(content: str, where: str, name: str) -> Workload:
    """The workload of a file's content; `where` is the file's name, `name` that of a workload without one.

    Raises:
        InputError: as of `parse_scenario`.
    """
    top = opened(content, where)
    make = read_workload(top, name)
    top.done()
    return make()


@cache
def workload(name: str) -> Workload:
    """The workload of that name.

    Raises:
        InputError: there is none; the message names those that are spelt nearly so.
    """
    return parse_workload(index.content(index.WORKLOAD, name), f"{name}.toml", name)


def workloads() -> tuple[Workload, ...]:
    """Every workload of the catalogue, in the order in which they are best told."""
    return tuple(workload(name) for name in index.WORKLOADS)
