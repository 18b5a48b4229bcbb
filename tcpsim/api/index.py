"""The index of the catalogue: scenarios, user groups and workloads, as values, words, JSON and TOML.

Owns: what `tcpsim scenarios` prints of all kinds of set-ups. Refuses to know: how one is run (run, exhaust,
users).
"""

from __future__ import annotations

from typing import Any, Final

from tcpsim import catalogue
from tcpsim.api.lists import explorable, scenario_record, scenarios
from tcpsim.api.settings import find
from tcpsim.catalogue.index import KINDS, SCENARIO, USERS, WORKLOAD, Kind, content, kind_of, names
from tcpsim.catalogue.user_group import UserGroup
from tcpsim.catalogue.user_group_file import user_groups as all_user_groups
from tcpsim.catalogue.workload import Workload
from tcpsim.catalogue.workload_file import workloads as all_workloads
from tcpsim.errors import unknown
from tcpsim.units import parse_duration

_LEGEND: Final = (
    "= every future can be listed: tcpsim exact, tcpsim check. What hosts share is simulated only."
)
_EXAMPLES: Final = (
    ("a scenario: one connection", "run", "closewait-ignored-eof"),
    ("a workload: many connections, and what their host has", "exhaust", "mbufs-without-a-timer"),
    ("a user group: who opens the connections", "users", "connections-not-given-back"),
)
_OWN_BOX: Final = """# a middlebox of your own, in any of these files: tcpsim middleboxes FILE.toml

[middlebox]
name = "our-nat"
base = "linux-conntrack"
role = "NAT"
established = "350s"
close_wait = { value = "90s", source = "where you know it from" }
"""


def workloads() -> tuple[Workload, ...]:
    """Every workload of the catalogue: many connections on a host that runs out, or does not.

    >>> import tcpsim
    >>> [each.name for each in tcpsim.workloads()][:2]
    ['mbufs-without-a-timer', 'mbufs-with-a-timer']
    """
    return all_workloads()


def user_groups() -> tuple[UserGroup, ...]:
    """Every user group of the catalogue: browsers and pools, each in several variants.

    >>> import tcpsim
    >>> [each.name for each in tcpsim.user_groups()][-1]
    'connections-not-given-back'
    """
    return all_user_groups()


def kind_named(name: str) -> Kind:
    """The kind of set-ups that has a name.

    Raises:
        InputError: there is none.
    """
    found = [each for each in KINDS if each.name == name]
    if not found:
        raise unknown("kind", name, [each.name for each in KINDS])
    return found[0]


def index_text(kind: Kind | None = None) -> str:
    """All set-ups of every kind or of one: scenarios grouped by theme, then user groups and workloads."""
    width = max(len(name) for each in KINDS for name in names(each))
    blocks = []
    if kind in (None, SCENARIO):
        themes: dict[str, list[str]] = {}
        for each in scenarios():
            mark = "=" if explorable(each) else " "
            themes.setdefault(each.theme, []).append(f"  {each.name:<{width}} {mark} {each.title}")
        blocks += ["\n".join([theme, *lines]) for theme, lines in themes.items()]
        blocks.append(_LEGEND)
    if kind in (None, USERS):
        blocks.append(_block("browsers and pools (tcpsim users NAME)", user_groups(), width))
    if kind in (None, WORKLOAD):
        blocks.append(_block("hosts that run out (tcpsim exhaust NAME)", workloads(), width))
    return "\n\n".join(blocks) + "\n"


def _block(title: str, told: tuple[Workload, ...] | tuple[UserGroup, ...], width: int) -> str:
    return "\n".join([title, *(f"  {each.name:<{width}}   {each.title}" for each in told)])


def index_records(kind: Kind) -> list[dict[str, Any]]:
    """All set-ups of one kind, for JSON."""
    if kind is SCENARIO:
        return [scenario_record(each) for each in scenarios()]
    if kind is USERS:
        return [_user_group_record(each) for each in user_groups()]
    return [_workload_record(each) for each in workloads()]


def _workload_record(each: Workload) -> dict[str, Any]:
    return {
        **_record(each),
        "shares": [share for share, _ in each.mix],
        "limits": dict(each.limits),
        "runs_out_of": each.runs_out_of,
        "after": list(each.after) if isinstance(each.after, tuple) else each.after,
        "cures": list(each.cures),
        "in_vain": list(each.in_vain),
    }


def _user_group_record(each: UserGroup) -> dict[str, Any]:
    variants = [
        {
            "name": one.name,
            "limits": dict(one.limits),
            "expect": {key: [*span] for key, span in one.expect.items()},
        }
        for one in each.variants
    ]
    return {**_record(each), "columns": list(each.columns), "variants": variants}


def _record(each: Workload | UserGroup) -> dict[str, Any]:
    """What both kinds have."""
    return {
        "name": each.name,
        "title": each.title,
        "story": each.story,
        "watch": each.watch,
        "scenario": each.base.name,
        "rate_per_s": each.per_second,
        "for_us": parse_duration(each.for_),
        "settle_us": parse_duration(each.settle),
        "fixed": each.fixed,
    }


def setup_toml(name: str) -> str:
    """A set-up of the catalogue as a file to start from, whatever kind it is."""
    kind = kind_of(name)
    if kind is USERS or kind is WORKLOAD:
        return content(kind, name)
    return catalogue.as_toml(find(name, "scenario", catalogue.scenario))


def example_tomls() -> str:
    """One file of each kind, each below a line that says what it is."""
    blocks = [
        f"# {phrase}: tcpsim {command} FILE.toml\n# (tcpsim scenarios --toml {name})\n\n{setup_toml(name)}"
        for phrase, command, name in _EXAMPLES
    ]
    return "\n".join([*blocks, _OWN_BOX])
