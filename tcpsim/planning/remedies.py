"""The smallest change of each sort that avoids a limit, and its cost.

Owns: how much of a leak, a limit, a rate or a life of the process is just enough. Refuses to know: how a
connection fares with a fix (the caller explores it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from tcpsim.draw.time_format import length
from tcpsim.explore.curves import Occupancy
from tcpsim.planning.limits import STANDARD_FDS, Met, Resource
from tcpsim.planning.load import Kind, Load

SURE = 0.95  # that the limit is kept
_FIXES: Final[Mapping[str, str]] = {  # of the catalogue, and what each costs
    "server-closes": "a change of code; nothing at run time",
    "server-idle=15s": "clients that are silent for longer have to connect again",
    "server.keepalive=10min": "a probe for each idle connection in that time; the descriptor stays open",
}
_RARE = 0.001  # that a process runs out before it is restarted


class Remedy(NamedTuple):
    """A change: who makes it, what it is, whether it keeps the limit, what it costs."""

    who: str
    what: str
    keeps: bool
    cost: str


def kept(load: Load, each: Resource) -> bool:
    """Whether a load keeps a limit until the end, nearly surely."""
    spare = STANDARD_FDS if each.name == "nofile" else 0
    return load.law(each.value, load.until_us).at_least(each.amount - spare + 1) <= 1 - SURE


def largest_leak(load: Load, each: Resource) -> float | None:
    """The share of connections that may leak (the last kind) so that the limit is kept.

    None: not even none.
    """
    low, high = 0.0, load.kinds[-1].share
    if not kept(load.with_shares(_mixed(load, 0.0)), each):
        return None
    while high - low > high / 1_000:
        middle = (low + high) / 2
        low, high = (middle, high) if kept(load.with_shares(_mixed(load, middle)), each) else (low, middle)
        if high < 1e-12:
            return 0.0
    return low


def _mixed(load: Load, share: float) -> Sequence[float]:
    """The last kind at this share, the others as they are to each other."""
    others = sum(kind.share for kind in load.kinds[:-1])
    return [kind.share * (1 - share) / others for kind in load.kinds[:-1]] + [share]


def needed(load: Load, each: Resource) -> int:
    """How much of it would have been enough."""
    spare = STANDARD_FDS if each.name == "nofile" else 0
    return load.law(each.value, load.until_us).quantile(SURE) + spare


def largest_rate(load: Load, each: Resource) -> float:
    """The rate that just keeps the limit."""
    low, high = 0.0, load.per_second
    if kept(load, each):
        low, high = load.per_second, load.per_second * 2
        while kept(load.at_rate(high), each) and high < 1e9:
            low, high = high, high * 2
    while high - low > high / 200:
        middle = (low + high) / 2
        low, high = (middle, high) if kept(load.at_rate(middle), each) else (low, middle)
    return low


def longest_life_us(load: Load, each: Resource) -> int | None:
    """How long a process may live before it is restarted; None: as long as the plan."""
    spare = STANDARD_FDS if each.name == "nofile" else 0
    return load.met_by(each.value, each.amount - spare + 1, _RARE)


def remedies(
    load: Load, each: Resource, memory: float, bounded: bool, with_fix: Callable[[str], Occupancy]
) -> Iterator[Remedy]:
    """Changes of the program, of the operator's numbers and of the rate, each just enough.

    `with_fix` says how a connection of the last kind fares with a fix of the catalogue.
    """
    if len(load.kinds) > 1:
        share = largest_leak(load, each)
        if share is not None:
            one_in = f"1 in {1 / share:,.0f}" if share else "none"
            what = f"forget at most {one_in} of its connections (now 1 in {1 / load.kinds[-1].share:,.0f})"
            yield Remedy("the server's program", what, True, "a change of code; nothing at run time")
        for words, cost in _FIXES.items():
            tried = load._replace(kinds=(*load.kinds[:-1], Kind(load.kinds[-1].share, with_fix(words))))
            mean = tried.mean(each.value, tried.until_us)
            told = f"{words}: {mean:,.0f} of {each.amount:,} {each.name} at the end"
            yield Remedy("the server's program", told, kept(tried, each), cost)
    enough = needed(load, each)
    cost = (
        f"up to {in_bytes(memory / max(load.mean(each.value, load.until_us), 1) * enough)} of kernel memory"
    )
    yield Remedy(
        "the operator", f"{each.name}={enough:,}", True, cost + ("" if bounded else "; it only delays this")
    )
    life_us = longest_life_us(load, each)
    if life_us is not None and not bounded and each.name == "nofile":
        gone = load.mean(each.value, life_us)
        cost = f"each restart ends about {gone:,.0f} connections, also those without a leak"
        yield Remedy("the operator", f"restart the program every {length(rough_us(life_us))}", True, cost)
    most = f"send at most {largest_rate(load, each):,.3g} connections per second here"
    yield Remedy("the operator", most, True, "the other connections must go elsewhere")


def rough_us(t_us: int) -> int:
    """A time to the minute, where it is long."""
    return round(t_us / 60_000_000) * 60_000_000 if t_us > 7_200_000_000 else t_us


def in_bytes(number: float) -> str:
    """A size for people."""
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if number >= 1024**power:
            return f"{number / 1024**power:,.1f} {unit}"
    return f"{number:,.0f} B"


def worst(found: Sequence[Met]) -> Met | None:
    """The limit that is met first; None: none is."""
    met = [each for each in found if each.times_us[1] is not None]
    return min(met, key=lambda each: each.times_us[1] or 0) if met else None
