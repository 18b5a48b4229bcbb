"""How a user names a workload or a user group: by its name, by a file, or as a value.

Owns: finding one. Refuses to know: what is in a file (catalogue), and how one is run (exhaust, users,
population).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tcpsim.api.settings import Named, chosen, find, from_file
from tcpsim.catalogue import Scenario, build, merged
from tcpsim.catalogue.index import USERS, WORKLOAD, kind_of
from tcpsim.catalogue.scenario import changed
from tcpsim.catalogue.user_group import UserGroup
from tcpsim.catalogue.user_group_file import user_group
from tcpsim.catalogue.workload import Workload
from tcpsim.catalogue.workload_file import workload
from tcpsim.errors import InputError
from tcpsim.host.connection_owner import Users
from tcpsim.host.limits import Limited
from tcpsim.pair import Pair

NamedWorkload = str | PathLike[str] | Workload
NamedUsers = str | PathLike[str] | UserGroup
Anything = Scenario | Workload | UserGroup


def chosen_workload(named: NamedWorkload) -> Workload:
    """The workload of that name, the one in a TOML file, or the one passed.

    Raises:
        InputError: there is none, or the file is not what it should be.
        OSError: the file cannot be read.
    """
    if isinstance(named, Workload):
        return named
    found = _named(named, "workload", "Workload")
    if found is None:
        return find(str(named), "workload", workload)
    if not isinstance(found, Workload):
        kind, needs = ("a user group", f"tcpsim users {named}") if isinstance(found, UserGroup) else _NO_LOAD
        raise InputError(Path(str(named)).name, kind, needs)
    return found


_NO_LOAD = ("a scenario", "a workload: a file with [arrivals] and [limits]")


def chosen_users(named: NamedUsers) -> UserGroup:
    """The user group of that name, the one in a TOML file, or the one passed.

    Raises:
        InputError: there is none, or the file is not what it should be.
        OSError: the file cannot be read.
    """
    if isinstance(named, UserGroup):
        return named
    found = _named(named, "users", "UserGroup")
    if found is None:
        return find(str(named), "users", user_group)
    if not isinstance(found, UserGroup):
        kind = "a workload" if isinstance(found, Workload) else "a scenario"
        raise InputError(
            Path(str(named)).name, kind, "a user group: a file with [arrivals] and [pool] or [browsers]"
        )
    return found


class Load(NamedTuple):
    """What `population` runs: connections of some kinds or users, and what a file says of the run."""

    name: str
    connection: Scenario
    kinds: Callable[[Mapping[str, Any]], tuple[tuple[float, Pair], ...]]  # with changes on top
    rate: str | float | None = None
    for_: str | int | None = None
    settle: str | int = 0
    fixed: bool = False
    limits: Limited = MappingProxyType({})
    users: Users | None = None
    clients: int = 1

    def needed(self, where: str, given: Any) -> Any:
        """What was asked for, or what the set-up says.

        Raises:
            InputError: neither.
        """
        found = getattr(self, "for_" if where == "for" else where) if given is None else given
        if found is None:
            raise InputError(where, "nothing", f"it is required: {self.name} does not say it")
        return found


def load_of(named: Named | NamedWorkload | NamedUsers) -> Load:
    """What `population` can run: a scenario, a workload or a user group, by name, by file, or as a value.

    Raises:
        InputError: there is none, or the file is not what it should be; a user group with several variants.
        OSError: the file cannot be read.
    """
    found = _anything(named)
    if isinstance(found, Scenario):
        return Load(found.name, found, lambda changes: ((1.0, build(found, **changes)),))
    common: dict[str, Any] = {
        "rate": found.rate,
        "for_": found.for_,
        "settle": found.settle,
        "fixed": found.fixed,
    }
    if isinstance(found, Workload):
        return Load(
            found.name, found.connection, found.kinds, **common, limits=found.limits, clients=found.clients
        )
    if len(found.variants) != 1:
        several = f"a user group with {len(found.variants)} variants"
        raise InputError(found.name, several, f"one variant; tcpsim users {named} runs each")
    (variant,) = found.variants
    overrides = merged(found.changes(), variant.overrides)
    connection = replace(changed(found.base, overrides), name=found.name, title=found.title)
    return Load(
        found.name,
        connection,
        lambda changes: found.plan(variant, fixed=changes).kinds,
        **common,
        limits=variant.limits,
        users=variant.users,
    )


def _anything(named: Any) -> Scenario | Workload | UserGroup:
    if isinstance(named, Workload | UserGroup):
        return named
    if isinstance(named, str) and kind_of(named) is WORKLOAD:
        return workload(named)
    if isinstance(named, str) and kind_of(named) is USERS:
        return user_group(named)
    if isinstance(named, str | PathLike) and Path(named).suffix == ".toml":
        found: Anything = from_file(named)
        return found
    return chosen(named)


def _named(named: Any, where: str, kind: str) -> Anything | None:
    """What a file has; None for a name."""
    if not isinstance(named, str | PathLike):
        raise InputError(where, repr(named), f"a name, the path of a .toml file, or a {kind}")
    found: Anything | None = from_file(named) if Path(named).suffix == ".toml" else None
    return found
