"""The index of the catalogue: every name, what kind of set-up it is, and which command runs it.

Owns: the kinds, and the names of those that are TOML files, in the order in which they are best told.
Refuses to know: what is in the files (workload_file, user_group_file), and symptoms (symptoms). It reads no
file and loads no SimPy, so that a command can look a name up at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from tcpsim.catalogue.themes import scenarios
from tcpsim.errors import unknown


class Kind(NamedTuple):
    """A kind of set-up: what one is called in a sentence, and the command that runs it."""

    name: str
    phrase: str
    command: str


SCENARIO: Final = Kind("scenario", "a scenario", "explain")
WORKLOAD: Final = Kind("workload", "a workload", "exhaust")
USERS: Final = Kind("users", "a user group", "users")
KINDS: Final = (SCENARIO, USERS, WORKLOAD)

WORKLOADS: Final = (
    "mbufs-without-a-timer",
    "mbufs-with-a-timer",
    "mbufs-and-lingering-close",
    "pages-without-persistence",
    "openstack-chain",
    "orphan-storm",
    "ports-by-time-wait",
    "relay-descriptors",
    "abandoned-downloads",
    "conntrack-full-of-close-wait",
    "workers-and-lingering-close",
)
USER_GROUPS: Final = (
    "page-over-parallel-connections",
    "browsers-and-their-fins",
    "workers-held-by-keepalive",
    "three-idle-timeouts",
    "pool-behind-a-relay",
    "object-per-request",
    "connections-not-given-back",
)
_FOLDERS: Final = {"workload": ("workloads", WORKLOADS), "users": ("user_groups", USER_GROUPS)}


def names(kind: Kind) -> tuple[str, ...]:
    """All names of a kind, in the order in which they are best told."""
    if kind is SCENARIO:
        return tuple(each.name for each in scenarios())
    return _FOLDERS[kind.name][1]


def kind_of(name: str) -> Kind | None:
    """What kind of set-up has a name; None: there is none of that name.

    >>> kind_of("openstack-chain").command
    'exhaust'
    """
    return next((kind for kind in KINDS if name in names(kind)), None)


def content(kind: Kind, name: str) -> str:
    """The TOML file of a workload or a user group.

    Raises:
        InputError: there is none of that name.
    """
    folder, known = _FOLDERS[kind.name]
    if name not in known:
        raise unknown(kind.name, name, known)
    return (Path(__file__).parent / folder / f"{name}.toml").read_text(encoding="utf-8")
