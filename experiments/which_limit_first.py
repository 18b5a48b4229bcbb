"""Which limit of a host is met first, and when?

Twenty connections a second on a host with 512 MiB: by what its programs and their peers do, and by the stack.
Nothing acts in these runs: the host has plenty, and each limit is compared with what is asked for. So it
is also told which would be next, once the first is raised, and how far the others are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from tcpsim.catalogue import build, scenario
from tcpsim.catalogue.workload import CLUSTER_BYTES
from tcpsim.draw.colours import ALARM, INK, QUIET, RULE
from tcpsim.draw.curves import Axes, Figure, footnote, sheet, state_colour
from tcpsim.draw.time_format import length
from tcpsim.host.limits import HostLimits, Limits, usual_limits
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.host.socket_accounting import usage
from tcpsim.measure.census_table import first_met, used
from tcpsim.pair import Side
from tcpsim.tcp.stack import stack
from tcpsim.units import parse_duration

STEM = "which_limit_first"
SEED = 1
WORKERS = 150
MANY = 10**9
# What Linux derives from 512 MiB: ehash has a slot per 128 KiB, half as many orphans and TIME-WAIT buckets
# (tcp.c tcp_init); tcp_mem ends at 3/32 of the pages (tcp_init_mem).
SMALL: Mapping[str, int] = {"orphans": 2_048, "minis": 2_048, "pages": 12_288}


class Situation(NamedTuple):
    """One row: whose host, its stack, what is held there, and how it comes to that."""

    side: Side
    stack: str
    state: str
    scenario: str
    changed: Mapping[str, Any]


SITUATIONS: dict[str, Situation] = {
    "Linux client: a pool that never looks": Situation(
        "client",
        "linux",
        "CLOSE-WAIT",
        "stale-pooled-connection",
        {"client": "closes-with-next-work", "parameters": {"client.idle": "30d", "server.timeout": "5s"}},
    ),
    "Linux client: closes first": Situation(
        "client", "linux", "TIME-WAIT", "normal-close", {"client": "closes-first", "server": "closes-on-eof"}
    ),
    "Linux server: KeepAliveTimeout 15 s": Situation(
        "server", "linux", "ESTABLISHED", "normal-close", {"server": "keep-alive-timeout"}
    ),
    "Linux server: clients never close": Situation(
        "server", "linux", "FIN-WAIT-2", "normal-close", {"client": "never-closes"}
    ),
    "Linux server: lingering_close(), the same": Situation(
        "server", "linux", "FIN-WAIT-2", "normal-close", {"client": "never-closes", "server": "drains"}
    ),
    "Linux server: half-closes, waits for ever": Situation(
        "server", "linux", "FIN-WAIT-2", "normal-close", {"client": "never-closes", "server": "half-closes"}
    ),
    "Linux server: clients vanish": Situation(
        "server",
        "linux",
        "FIN-WAIT-1",
        "vanished-client",
        {"parameters": {"client.after": "0s", "server.timeout": "1s"}},
    ),
    "Linux server: downloads are given up": Situation(
        "server",
        "linux",
        "FIN-WAIT-1",
        "vanished-client",
        {
            "parameters": {
                "client.response": 1,
                "client.after": "5ms",
                "server.response": 44_000,
                "server.timeout": "1s",
            }
        },
    ),
    "4.4BSD server: clients close": Situation(
        "server", "4.4bsd", "TIME-WAIT", "normal-close", {"stack_server": "4.4bsd"}
    ),
    "4.4BSD server: clients never close": Situation(
        "server",
        "4.4bsd",
        "FIN-WAIT-2",
        "normal-close",
        {"client": "never-closes", "stack_server": "4.4bsd"},
    ),
}


class Point(NamedTuple):
    """One situation for twelve minutes."""

    situation: str
    per_second: float
    for_us: int = parse_duration("12min")
    seed: int = SEED


def points(full: bool) -> list[Point]:
    """Every situation; in full, at five times the rate."""
    return [Point(name, 100.0 if full else 20.0) for name in SITUATIONS]


def has(situation: Situation) -> dict[str, int]:
    """What the host has."""
    found = usual_limits(stack(situation.stack), situation.side)._asdict()
    if situation.stack == "linux":
        found |= SMALL
    else:
        found |= {"bytes": 256 * CLUSTER_BYTES, "descriptors": None}  # a process per connection
    if situation.side == "server":
        found["workers"] = WORKERS
    return {name: amount for name, amount in found.items() if amount is not None}


def answer(point: Point) -> list[dict[str, Any]]:
    """For each limit: when it is met, the most that is asked for, when it would be met if that goes on."""
    each = SITUATIONS[point.situation]
    plenty = Limits(HostLimits(workers=MANY)) if each.side == "server" else Limits()
    arrivals = Arrivals(point.per_second, for_us=point.for_us, poisson=False)
    pair = build(scenario(each.scenario), **each.changed)
    census = simulate(Plan(((1.0, pair),), arrivals, seed=point.seed, limits=plenty))
    rows = []
    for name, amount in has(each).items():
        t_us, value = used(census, each.side, name)
        half, last = (int(value[t_us <= at][-1]) for at in (census.horizon_us // 2, census.horizon_us))
        met_us = first_met(census, each.side, name, amount)
        views = (census.views[left.now if left.finally_ is None else left.finally_] for left in census.left)
        keeps = any(getattr(usage(view, each.side), name) for view in views)
        later_us = -1
        if met_us is None and keeps and last > half:
            later_us = census.horizon_us + (amount - last) * census.horizon_us // 2 // (last - half)
        told = {"limit": name, "amount": amount, "wanted": int(value.max()), "later_us": later_us}
        rows.append(point._asdict() | told | {"met_us": -1 if met_us is None else met_us})
    return rows


COLUMNS = {
    "workers": "processes",
    "descriptors": "descriptors\nof a process",
    "ports": "ports to\none server",
    "orphans": "orphans",
    "minis": "timewait\nsockets",
    "pages": "tcp_mem\npages",
    "bytes": "mbufs",
}


def figure(table: pl.DataFrame) -> Figure:
    """A table: a row for each situation, a column for each limit, the first to be met in red."""
    drawn, (panel,) = sheet(
        _finding(table),
        "Leaks of a socket that a program holds meet descriptors, a busy prefork server its processes."
        " Sockets that no program holds meet what their state costs: orphans, or pages if data waits in them;"
        " timewait sockets on Linux are cheap. On a BSD of the time they all meet the pool of mbufs.",
        height=5.6,
    )
    left = -3.6
    for y, name in enumerate(SITUATIONS):
        rows = table.filter(pl.col("situation") == name).to_dicts()
        met = [row["met_us"] for row in rows if row["met_us"] >= 0]
        state = SITUATIONS[name].state
        panel.text(left, y - 0.2, name, va="center", fontsize=9)
        panel.text(left, y + 0.2, f"fills with {state}", va="center", fontsize=8.5, color=QUIET)
        panel.plot([left - 0.14], [y], "s", ms=8, color=state_colour(state), clip_on=False, label="_state")
        for x, limit in enumerate(COLUMNS):
            row = next((row for row in rows if row["limit"] == limit), None)
            _cell(panel, x, y, row, first=row is not None and bool(met) and row["met_us"] == min(met))
    for x, (limit, words) in enumerate(COLUMNS.items()):
        amount = table.filter(pl.col("limit") == limit)["amount"].to_list()[0]
        said = f"{amount // 1024:,} KiB" if limit == "bytes" else f"{amount:,}"
        panel.text(x, -0.98, words, ha="center", va="bottom", fontsize=8.5, fontweight="bold")
        panel.text(x, -0.92, said, ha="center", va="top", fontsize=8.5, color=QUIET)
    panel.set_xlim(left - 0.25, len(COLUMNS) - 0.5)
    panel.set_ylim(len(SITUATIONS) - 0.5, -1.75)
    panel.set_axis_off()
    footnote(
        drawn,
        f"{table['per_second'][0]:g} connections per second for {length(table['for_us'][0])}, no loss. A"
        " time: the limit is met then (red: the first one); ~: it would be met then if that goes on. A share:"
        " nothing is kept, and so much of the limit is asked for at most. Linux with 512 MiB; 4.4BSD with"
        f" NMBCLUSTERS 256, a process per connection. Seed {table['seed'][0]}.",
    )
    return drawn


def _finding(table: pl.DataFrame) -> str:
    """Which limits come first, the one that does so most often in front."""
    first: Counter[str] = Counter()
    for name in SITUATIONS:
        met = table.filter((pl.col("situation") == name) & (pl.col("met_us") >= 0)).sort("met_us")
        first.update(met["limit"].to_list()[:1])
    if not first:
        return f"No limit is met within {length(table['for_us'][0])}"
    names = [" ".join(COLUMNS[limit].split()) for limit, _ in first.most_common()]
    listed = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    never = len(SITUATIONS) - first.total()
    return f"The first limit to be met is {listed}; {never} of {len(SITUATIONS)} situations meet none"


def _cell(panel: Axes, x: int, y: int, row: dict[str, Any] | None, *, first: bool) -> None:
    if row is None:
        return
    if row["met_us"] >= 0:
        words, colour, fill = length(row["met_us"]), ALARM if first else INK, ALARM if first else QUIET
    elif row["later_us"] >= 0:
        words, colour, fill = f"~ {length(_rounded(row['later_us']))}", INK, RULE
    else:
        share = row["wanted"] / row["amount"]
        words, colour, fill = f"{share:.0%}".replace("%", " %") if share > 0.01 else "< 1 %", QUIET, ""
        words = words if share else "0"
    if fill:
        panel.bar(x, 0.86, 0.96, y - 0.43, color=fill, alpha=0.12 if first else 0.2)
    weight = "bold" if first else "normal"
    panel.text(x, y, words, ha="center", va="center", color=colour, fontsize=8.5, fontweight=weight)


def _rounded(us: int) -> int:
    """An estimate, to a minute."""
    minute = 60_000_000
    return max(minute, round(us / minute) * minute)
