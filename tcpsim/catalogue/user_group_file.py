"""A user group, written in TOML: a connection as in scenario_file, arrivals and limits as in workload_file.

Owns: the tables [pool], [browsers] and [[variant]], and the key `columns`. Refuses to know: how pools and
browsers work (host), and how a measure is taken (measure.experience).

    columns = ["done", "failed", "client CLOSE-WAIT"]    # what to tell of each variant

    [arrivals]
    rate = "10/min"
    for = "1h"

    [pool]                  # requests over a pool of connections; each value may be left out
    size = 10               # further requests wait for one, for `patience` (left out: for ever)
    requests = "none"       # that the server answers on one connection
    idle = "20s"            # an idle one is closed after that
    looks = "5s"            # how often all idle ones are looked at; also: checks, abandons, tries
    shared = true           # false: each request has a pool of its own
    forgets = "1%"          # of the callers never give their connection back

    [browsers]              # or: people who read pages with images
    images = 10             # also: parallel, requests, pages, reads, looks
    habits = [{ share = 1, habit = "hangs up" }]    # or `name`, `answers` and `leaves` instead of `habit`

    [[variant]]             # the same with something changed; left out: one, as the file says
    name = "a pool of two"
    pool = { size = 2 }
    server = { arguments = { timeout = "5s" } }     # also: client, path, middlebox, limits, browsers
    expect = { failed = 0, "95 % within" = ["1s", "2s"] }

Without a `base` the connection is `normal-close` with the server `httpd`; the client takes orders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Final, get_args

from tcpsim.catalogue import index
from tcpsim.catalogue.connection_tables import Place, read_changes
from tcpsim.catalogue.scenario import Scenario, changed
from tcpsim.catalogue.scenario_file import opened, read_connection
from tcpsim.catalogue.themes import scenario
from tcpsim.catalogue.toml_values import (
    Reader,
    Table,
    at_field,
    boolean,
    list_of,
    one_of,
    or_none,
    probability,
    prose,
    shares_of,
    text,
    time,
    whole,
)
from tcpsim.catalogue.user_group import COLUMNS, USUAL, Span, UserGroup, Variant, defaults
from tcpsim.catalogue.workload_file import based, read_arrivals, read_limits, told
from tcpsim.errors import InputError
from tcpsim.host.browser import HABITS, Answers, Browsers, Habit, Leaves
from tcpsim.host.connection_owner import Users
from tcpsim.host.limits import Limited
from tcpsim.host.measures import TIMES, measured
from tcpsim.host.pool import PoolConfig, Requests
from tcpsim.path import parse_distribution
from tcpsim.units import parse_duration

Given = Mapping[str, Any]


def read_user_group(top: Table, name: str) -> Callable[[], UserGroup]:
    """What the outermost table says of a user group; to be called when it has told no mistake."""
    arrivals = top.take("arrivals", read_arrivals)
    connection = read_connection(top, begins=_begins)
    columns = top.take("columns", list_of(_measure), COLUMNS)
    limits = top.take("limits", read_limits, {})
    common = _said(top)
    if len(common) == len(_READERS):
        top.mistakes.append(InputError(top.path("pool"), "[browsers] beside it", "one of the two"))
    read = _variant(connection.place, limits, common)
    variants = top.take("variant", list_of(read), None)
    if variants is None:
        users = _users(common, {}, top)
        variants = () if users is None else (Variant(name, users, limits=limits),)
    about = told(connection)

    def make() -> UserGroup:
        base, overrides = based(connection, name)
        return UserGroup(
            **{"name": name, "title": name, **about},
            scenario=base,
            overrides=overrides,
            columns=columns,
            variants=variants,
            **arrivals,
        )

    return make


def _begins(base: Scenario | None) -> Scenario:
    """The scenario from which a group begins: the client takes orders."""
    base = scenario(USUAL) if base is None else base
    return changed(base, defaults(base.name))


def _variant(place: Place | None, limits: Limited, common: Mapping[str, Given | None]) -> Reader[Variant]:
    def read(value: Any, where: str) -> Variant:
        table = Table(value, where)
        name = table.take("name", prose)
        users = _users(common, _said(table), table)
        changes = read_changes(table, place, known=False)
        has = {**limits, **table.take("limits", read_limits, {})}
        expect = table.take("expect", _expect, {})
        table.done()
        return Variant(name, users or Requests(), expect, changes, has)  # without users the file is refused

    return read


def _said(table: Table) -> dict[str, Given | None]:
    """The tables that say who opens connections; of one with a mistake, None."""
    there = [kind for kind in _READERS if kind in table.left]
    found = {kind: table.take(kind, reader, None) for kind, reader in _READERS.items()}
    return {kind: found[kind] for kind in there}


def _users(common: Mapping[str, Given | None], own: Mapping[str, Given | None], table: Table) -> Users | None:
    """Who opens connections: what a variant says of them over what the file says; None after a mistake."""
    kinds = list(own or common)
    if len(kinds) != 1:
        table.mistakes.append(
            InputError(table.path("pool"), " and ".join(kinds) or "no users", "either pool or browsers")
        )
        return None
    (kind,) = kinds
    values = [said[kind] for said in (common, own) if kind in said]
    if None in values:
        return None
    given = {key: value for one in values if one is not None for key, value in one.items()}
    of_users = {key: given.pop(key) for key in ("shared", "forgets") if key in given}
    if kind == "browsers":
        return table.tried(lambda: at_field(table.path(kind), lambda: Browsers(**given)))
    return table.tried(lambda: at_field(table.path(kind), lambda: Requests(PoolConfig(**given), **of_users)))


def _pool(value: Any, where: str) -> Given:
    """What is said of a pool, by the fields of `PoolConfig` and `Requests`."""
    return _fields(
        value,
        where,
        {
            "size": ("size", whole(1)),
            "requests": ("requests", or_none(whole(1))),
            "patience": ("patience_us", or_none(_time_us)),
            "idle": ("idle_us", or_none(_time_us)),
            "looks": ("looks_us", or_none(_time_us)),
            "checks": ("checks", boolean),
            "abandons": ("abandons", boolean),
            "tries": ("tries", whole(1)),
            "shared": ("shared", boolean),
            "forgets": ("forgets", probability),
        },
    )


def _browsers(value: Any, where: str) -> Given:
    """What is said of browsers, by the fields of `Browsers`."""
    return _fields(
        value,
        where,
        {
            "images": ("images", whole(0)),
            "parallel": ("parallel", whole(1)),
            "requests": ("requests", whole(1)),
            "pages": ("pages", whole(1)),
            "reads": ("reads", lambda one, at: parse_distribution(text(one, at), at)),
            "looks": ("looks_us", _time_us),
            "habits": ("habits", shares_of(_habit)),
        },
    )


_READERS: Final[Mapping[str, Reader[Given]]] = {"pool": _pool, "browsers": _browsers}


def _fields(value: Any, where: str, readers: Mapping[str, tuple[str, Reader[Any]]]) -> Given:
    """The fields that a table gives, by their own names; "none" is None."""
    table = Table(value, where)
    found = {}
    for key, (field, reader) in readers.items():
        given = table.take(key, partial(_boxed, reader), None)
        if given is not None:
            found[field] = given[0]
    table.done()
    return found


def _boxed(read: Reader[Any], value: Any, where: str) -> tuple[Any]:
    return (read(value, where),)


def _habit(value: Any, where: str) -> tuple[float, Habit]:
    """A share of the browsers, and what they do with a connection that the server has closed."""
    table = Table(value, where)
    share = table.take("share", probability, 1.0)
    known = {each.name: each for each in HABITS}
    if "habit" in table.left:
        habit = table.take("habit", lambda name, at: known[one_of(*known)(name, at)])
    else:
        plain = Habit("")
        habit = Habit(
            table.take("name", prose),
            table.take("answers", one_of(*get_args(Answers)), plain.answers),
            table.take("leaves", one_of(*get_args(Leaves)), plain.leaves),
        )
    table.done()
    return share, habit


def _time_us(value: Any, where: str) -> int:
    return parse_duration(time(value, where), where)


def _measure(value: Any, where: str) -> str:
    measured(text(value, where), where)
    return str(value)


def _expect(value: Any, where: str) -> dict[str, Span]:
    """Measures with what they may be: one value, or the least and the most."""
    table = Table(value, where)
    names = list(table.left)
    found: dict[str, Span] = {}
    for name in names:
        if table.tried(lambda name=name: _measure(name, table.path(name))) is None:  # type: ignore[misc]
            table.left.pop(name)
            continue
        one = _time_us if name in TIMES else whole(0)
        found[name] = table.take(name, partial(_span, one))
    table.done()
    return found


def _span(read: Reader[int], value: Any, where: str) -> Span:
    both = list_of(read)(value, where) if isinstance(value, list) else (read(value, where),) * 2
    if len(both) != 2 or both[0] > both[1]:
        raise InputError(where, repr(value), "one value, or a list of the least and the most")
    return both[0], both[1]


def parse_user_group(content: str, where: str, name: str) -> UserGroup:
    """The user group of a file's content; `where` is the file's name, `name` that of a group without one.

    Raises:
        InputError: as of `parse_scenario`.
    """
    top = opened(content, where)
    make = read_user_group(top, name)
    top.done()
    return make()


@cache
def user_group(name: str) -> UserGroup:
    """The user group of that name.

    Raises:
        InputError: there is none; the message names those that are spelt nearly so.
    """
    return parse_user_group(index.content(index.USERS, name), f"{name}.toml", name)


def user_groups() -> tuple[UserGroup, ...]:
    """Every user group of the catalogue, in the order in which they are best told."""
    return tuple(user_group(name) for name in index.USER_GROUPS)
