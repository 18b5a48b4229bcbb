"""Tables of a census: sockets and bytes over time, maxima, and when a limit would have been met.

Owns: the conversion of changes into rows. Every number is exact at its time: a table samples the record of
changes, not the run. Refuses to know: files (results) and pictures (draw).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tcpsim.host.census import Census
from tcpsim.host.socket_accounting import Place, Usage, View, sides, usage
from tcpsim.measure.results import Table
from tcpsim.pair import Side
from tcpsim.path.conntrack import Tracked
from tcpsim.tcp.state import State

Ints = npt.NDArray[np.int64]
Kind = tuple[Side, str, str]  # side, state, holder as they are printed
Series = Mapping[Kind, Any]  # of each kind an array over time

COLUMNS: Final = ("t_s", "side", "state", "holder", "count", "bytes")
PEAKS: Final = ("side", "state", "holder", "count", "t_s")


def over_time(census: Census, every_us: int) -> Table:
    """Sockets by side, state and holder at 0, `every_us`, ... up to the horizon, one tidy row for each.

    Columns: t_s (seconds), side, state, holder, count, bytes. A kind that was never seen has no rows.
    """
    at_us = np.arange(0, census.horizon_us + 1, every_us)
    every = kinds(census.views)
    count = {kind: at_times(*_steps(census, counted(census.views, kind)), at_us) for kind in every}
    size = {kind: at_times(*_steps(census, weighed(census.views, kind)), at_us) for kind in every}
    return table(at_us, count, size)


def table(
    at_us: Ints, count: Series, size: Series, low: Series | None = None, high: Series | None = None
) -> Table:
    """The rows of series by kind; `low` and `high` bound the count, where there is something to bound."""
    if not count:
        return Table.of_rows([], COLUMNS)
    named = {name: [kind[place] for kind in count] * len(at_us) for place, name in enumerate(COLUMNS[1:4])}
    columns = {"count": count, "bytes": size}
    if low is not None and high is not None:
        columns |= {"low": low, "high": high}
    values = {name: np.ravel([series[kind] for kind in count], "F") for name, series in columns.items()}
    return Table({"t_s": np.repeat(at_us / 1_000_000, len(count)), **named, **values})


def peaks(census: Census) -> Table:
    """The high-water mark of each kind of socket: side, state, holder, count, t_s (when first reached)."""
    rows = []
    for kind in kinds(census.views):
        t_us, count = _steps(census, counted(census.views, kind))
        top = int(np.argmax(count))
        rows.append((*kind, int(count[top]), float(t_us[top] / 1_000_000)))
    return Table.of_rows([dict(zip(PEAKS, row, strict=True)) for row in rows], PEAKS)


def flows_over_time(census: Census, every_us: int) -> Table:
    """Flows of the box by state, in rows like those of `over_time`: side "middlebox", holder "flow"."""
    at_us = np.arange(0, census.horizon_us + 1, every_us)
    states = _tracked(census.views)
    if not states:
        return Table.of_rows([], COLUMNS)
    count = [at_times(*_steps(census, _flows(census.views, state)), at_us) for state in states]
    times = {"t_s": np.repeat(at_us / 1_000_000, len(states))}
    words = {"side": "middlebox", "state": "", "holder": "flow"}
    named = {name: [word or str(state) for state in states] * len(at_us) for name, word in words.items()}
    sizes = np.zeros(len(at_us) * len(states), dtype=np.int64)
    return Table({**times, **named, "count": np.ravel(count, "F"), "bytes": sizes})


def flow_peaks(census: Census) -> list[dict[str, Any]]:
    """Flows of the box by state: state, count at the horizon, the high-water mark and when it was reached."""
    rows = []
    for state in _tracked(census.views):
        t_us, count = _steps(census, _flows(census.views, state))
        top = int(np.argmax(count))
        now = int(at_times(t_us, count, np.array([census.horizon_us]))[0])
        rows.append({"state": str(state), "count": now, "peak": int(count[top]), "peak_us": int(t_us[top])})
    return rows


def used(census: Census, side: Place, resource: str) -> tuple[Ints, Ints]:
    """What one side's host used of a resource (a field of `Usage`): times in us, and values from then on.

    The one resource of a "middlebox" is flows.
    """
    if side == "middlebox":
        return _steps(census, [len(view.flows) for view in census.views])
    place = Usage._fields.index(resource)
    return _steps(census, [usage(view, side)[place] for view in census.views])


def held(census: Census, side: Side, state: State) -> tuple[Ints, Ints]:
    """How many sockets of one side were in a state, whoever held them: times in us, counts from then on."""
    return _steps(census, [sum(one.state is state for one in view.of(side)) for view in census.views])


def at_times(t_us: Ints, values: Ints, at_us: Ints) -> Ints:
    """Values that each hold from their own time on, as they are at `at_us`, none before the first."""
    return values[np.searchsorted(t_us, at_us, side="right") - 1]


def first_met(census: Census, side: Place, resource: str, limit: int) -> int | None:
    """When a host first used `limit` of a resource, or first failed a call for it; in us; None: never.

    A relay's call that fails for the last of several descriptors gives the others back in the same instant.
    """
    t_us, value = used(census, side, resource)
    met = np.flatnonzero(value >= limit)
    found = [int(t_us[met[0]])] if len(met) else []
    lacked_us = census.lacked_us.get(f"{side} {resource}")
    return min(found if lacked_us is None else [*found, lacked_us], default=None)


def kinds(views: Sequence[View]) -> list[Kind]:
    """Every side, state and holder that is ever seen."""
    hosts = sides(views)
    seen = {(side, one.state, one.holder) for view in views for side in hosts for one in view.of(side)}
    return [(side, str(state), str(holder)) for side, state, holder in sorted(seen)]


def counted(views: Sequence[View], kind: Kind) -> list[int]:
    """How many sockets of a kind each view has."""
    return [
        sum((kind[0], str(one.state), str(one.holder)) == kind for one in view.of(kind[0])) for view in views
    ]


def _tracked(views: Sequence[View]) -> list[Tracked]:
    seen = {state for view in views for state in view.flows}
    return [state for state in Tracked if state in seen]


def _flows(views: Sequence[View], state: Tracked) -> list[int]:
    return [view.flows.count(state) for view in views]


def weighed(views: Sequence[View], kind: Kind) -> list[int]:
    """How many bytes the sockets of a kind hold in each view."""
    return [
        sum(one.bytes for one in view.of(kind[0]) if (kind[0], str(one.state), str(one.holder)) == kind)
        for view in views
    ]


def _steps(census: Census, worth: Sequence[int]) -> tuple[Ints, Ints]:
    """The sum of what views are worth over all connections: at 0, and after each instant with changes."""
    of_view = np.array(worth, dtype=np.int64)
    t_us = np.asarray(census.t_us, dtype=np.int64)
    total = np.cumsum(of_view[np.asarray(census.after)] - of_view[np.asarray(census.before)])
    last = np.flatnonzero(np.diff(t_us, append=-1))
    return np.concatenate(([0], t_us[last])), np.concatenate(([0], total[last]))
