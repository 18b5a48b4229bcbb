"""The points of a sweep: which axes there are, and which points share an exploration.

Owns: the meaning of an axis, the set-up of each point, and the estimate of a sweep's time. Refuses to know:
how a set-up is computed (measure.outcomes), how points are divided among processes (measure.sweep), and what
becomes of the rows (api.sweep).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, Unpack

from tcpsim import __version__
from tcpsim.api.open_loss import LOSSES, OPEN
from tcpsim.api.open_loss import rates as rates_of
from tcpsim.api.over_time import parse_times
from tcpsim.api.settings import NAMES, OPTIONS, Named, Settings, chosen, one_of_them, settings
from tcpsim.app import Program
from tcpsim.app.behaviour import behaviours
from tcpsim.catalogue import Scenario, Setting, build, changes, merged
from tcpsim.draw.time_format import length
from tcpsim.errors import InputError, unknown
from tcpsim.explore.explorable import obstacle
from tcpsim.explore.tolerance import TOLERANCE
from tcpsim.measure.grid import Point
from tcpsim.measure.grid import points as points_of
from tcpsim.measure.outcomes import METHODS, Asked, Method, Rows, SetUp, outcomes
from tcpsim.measure.results import Table
from tcpsim.measure.sweep import sweep as over
from tcpsim.pair import SIDES
from tcpsim.tcp.stack import knob_names, knobs, names
from tcpsim.units import parse_duration, parse_probability, parse_rate

_OWN = ("scenario", "fix")  # axes that are no setting
_KNOBS = {name for each in knobs("linux") for name in (each.field, each.field.removesuffix("_us"))}
Axes = Mapping[str, Any]
Progress = Callable[[int, int], None]


class Task(NamedTuple):
    """Points that share an exploration: a set-up, the question, and what distinguishes it from others."""

    setup: SetUp | None
    asked: Asked
    identity: str
    error: str  # why there is no set-up


def answer(task: Task) -> dict[str, Any]:
    """The rows of each point of a task, or its error."""
    if task.setup is None:
        return {"error": task.error}
    try:
        return {"rows": outcomes(task.setup, task.asked)}
    except InputError as error:
        return {"error": str(error)}


def study(
    scenario: Named,
    grid: Axes | None = None,
    setting: Setting | None = None,
    *,
    zip: Axes | None = None,
    points: Sequence[Mapping[str, Any]] = (),
    method: Method = "auto",
    tolerance: str | float = TOLERANCE,
    horizon: str | int | None = None,
    at: str | int | Sequence[str | int] | None = None,
    rate: str | float | None = None,
    for_: str | int | None = None,
    connections: int = 10_000,
    replications: int = 1,
    seed: int = 1,
    **changes: Unpack[Settings],
) -> Study:
    """Check the points of a sweep before anything runs. The arguments are those of `sweep`.

    >>> import tcpsim
    >>> tcpsim.study("one-rst-stack", {"loss": "0:0.2:3", "client": "closes-on-eof,never-closes"})
    <Study one-rst-stack: 6 points, 2 set-ups>

    Raises:
        InputError: see `sweep`.
    """
    one_of_them("method", method, METHODS)
    for name, number in (("connections", connections), ("replications", replications)):
        if number < 1:
            raise InputError(name, number, "an integer from 1")
    if (rate is not None or for_ is not None) and at is None:
        raise InputError("rate" if rate is not None else "for", "no at", "at TIMES beside it")
    wanted = _points(grid, zip, points)
    _check_axes(wanted)
    base = settings(changes, setting)
    asked = Asked(
        method=method,
        tolerance=parse_probability(tolerance, "tolerance"),
        horizon_us=parse_duration("7d" if horizon is None else horizon, "horizon"),
        at_us=() if at is None else tuple(parse_times(at)),
        rate=None if rate is None else parse_rate(rate, "rate"),
        for_us=None if for_ is None else parse_duration(for_, "for"),
        connections=connections,
        seeds=tuple(range(seed, seed + replications)),
    )
    story = chosen(scenario)
    return Study(story, wanted, _tasks(story, wanted, base, asked), asked)


def _points(grid: Axes | None, zipped: Axes | None, listed: Sequence[Mapping[str, Any]]) -> list[Point]:
    """The points, with each setting under the name of its field."""
    return [
        {OPTIONS.get(name, name).replace("-", "_"): value for name, value in point.items()}
        for point in points_of(grid, zipped, listed)
    ]


def _check_axes(wanted: Sequence[Point]) -> None:
    axes = {name for point in wanted for name in point}
    fields = set(NAMES) - {"knobs", "parameters"} | set(_OWN)
    knob = _KNOBS | {own for name in names() for own in knob_names(name)}
    parameters = {each.name for one in behaviours() for each in one.parameters}
    plain = {"middlebox", *SIDES}
    for name in sorted(axes - fields):
        side, dot, _ = name.partition(".")
        if not (dot and side in plain) and name not in knob | parameters:
            raise unknown("axis", name, sorted(fields | knob | parameters))


def _tasks(story: Scenario, wanted: Sequence[Point], base: dict[str, Any], asked: Asked) -> list[_Group]:
    """The tasks. Points that differ only in their loss are one task."""
    groups: dict[str, _Group] = {}
    for number, point in enumerate(wanted):
        others = {name: value for name, value in point.items() if name not in LOSSES}
        group = groups.setdefault(repr(sorted(others.items(), key=lambda each: each[0])), _Group(others))
        group.numbers.append(number)
        group.losses.append({name: point[name] for name in LOSSES if name in point})
    for group in groups.values():
        group.task = _task(story, group, base, asked)
    found = list(groups.values())
    failed = [group.task for group in found if group.task is not None and group.task.setup is None]
    if len(failed) == len(found):
        raise InputError(
            "points", f"a mistake at every one of them: {failed[0].error}", "points that can be run"
        )
    return found


class _Group:
    """The points of one task by their numbers."""

    def __init__(self, others: Point) -> None:
        self.others = others
        self.numbers: list[int] = []
        self.losses: list[dict[str, Any]] = []
        self.task: Task | None = None


def _task(story: Scenario, group: _Group, base: dict[str, Any], asked: Asked) -> Task:
    identity = repr((story, _plain(base), group.others, group.losses, asked))
    digest = blake2b(identity.encode(), digest_size=16).hexdigest()
    try:
        return Task(_setup(story, group, base), asked, digest, "")
    except InputError as error:
        return Task(None, asked, digest, str(error))


def _setup(story: Scenario, group: _Group, base: dict[str, Any]) -> SetUp:
    here, asked = _overrides(story, group.others, base)
    rates = [rates_of(here, asked, loss) for loss in group.losses]
    free = {name: value for name, value in asked.items() if name not in LOSSES}
    open_pair = build(here, **free, loss_to_client=OPEN, loss_to_server=OPEN)
    lossy = tuple(build(here, **free, loss_to_client=one, loss_to_server=other) for one, other in rates)
    return SetUp(open_pair, tuple(rates), lossy)


def _overrides(story: Scenario, point: Point, base: dict[str, Any]) -> tuple[Scenario, dict[str, Any]]:
    """The scenario of a point, and all of its changes."""
    here = chosen(point["scenario"]) if "scenario" in point else story
    fix = str(point.get("fix", "none"))
    asked = merged(base, {} if fix == "none" else changes(fix.split("+"), "fix"))
    turned: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    known = _parameters(here, asked | {name: point[name] for name in SIDES if name in point})
    elsewhere = {each.name for one in behaviours() for each in one.parameters} - _KNOBS
    for name, value in point.items():
        if name in _OWN:
            continue
        if name in NAMES:
            plain[name] = (value,) if name == "drops" else _whole(value)
        elif name in known or name.rpartition(".")[2] in elsewhere:
            parameters[name] = _whole(value)
        else:
            turned[name] = _whole(value)
    return here, merged(asked, plain, {"knobs": turned, "parameters": parameters})


def _parameters(story: Scenario, asked: Mapping[str, Any]) -> set[str]:
    """The parameters of the programs of a point, plain and by side."""
    found: set[str] = set()
    sides = {side: asked.get(side) or getattr(story, side) for side in SIDES}
    named = {side: it if isinstance(it, str) else getattr(story, side) for side, it in sides.items()}
    with_both = replace(story, client=named["client"], server=named["server"])
    for qualified, parameter in with_both.parameters():
        if not isinstance(sides["client" if qualified.startswith("client.") else "server"], Program):
            found |= {qualified, parameter.name}
    return found


def _whole(value: Any) -> Any:
    """A number without a fraction as an integer, because knobs and parameters are integers."""
    return int(value) if isinstance(value, float) and value.is_integer() and value > 1 else value


def _plain(value: Mapping[str, Any]) -> list[tuple[str, str]]:
    return sorted((name, repr(each)) for name, each in value.items())


class Study:
    """A sweep before it runs: its checked points and its tasks."""

    def __init__(self, scenario: Scenario, wanted: list[Point], groups: list[_Group], asked: Asked) -> None:
        self.scenario = scenario
        self.points = wanted
        self.asked = asked
        self._groups = groups

    def __repr__(self) -> str:
        return f"<Study {self.scenario.name}: {len(self.points):,} points, {len(self.tasks):,} set-ups>"

    @property
    def tasks(self) -> list[Task]:
        """The tasks. Points that differ only in their loss are one task."""
        return [group.task for group in self._groups if group.task is not None]

    def text(self) -> str:
        """The number of points, their methods, and the expected time."""
        exact = sum(self._is_exact(task) for task in self.tasks)
        told = [f"{len(self.points):,} points of {' x '.join(self.axes)}: {len(self.tasks):,} set-ups"]
        told.append(f"exact: {exact:,}; simulated: {len(self.tasks) - exact:,}")
        return f"{self.scenario.name}: {told[0]}\n{told[1]}\n{self.estimate()}\n"

    def estimate(self) -> str:
        """The expected time in one process. The first and the last set-up are run to measure it."""
        tried = self.tasks[:1] if len(self.tasks) == 1 else [self.tasks[0], self.tasks[-1]]
        began = perf_counter()
        for task in tried:
            answer(task)
        each_s = (perf_counter() - began) / len(tried)
        whole = length(round(each_s * len(self.tasks) * 1_000_000))
        return f"about {whole} in one process ({each_s:.2g} s for a set-up, measured on {len(tried)})"

    def _is_exact(self, task: Task) -> bool:
        free = task.setup is not None and obstacle(task.setup.pair) is None
        return self.asked.method == "exact" or (self.asked.method == "auto" and free)

    def rows(
        self,
        workers: int = 1,
        store: Path | None = None,
        executor: Executor | None = None,
        progress: Progress | None = None,
    ) -> Table:
        """Compute all points. `store` keeps finished points, so that an interrupted sweep continues."""
        answers = over(self.tasks, answer, workers, store, progress, executor, lambda task: task.identity)
        return Table.of_rows(self._rows(answers), self._columns())

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes in the order in which they were given."""
        return tuple(dict.fromkeys(name for point in self.points for name in point))

    def _columns(self) -> list[str]:
        times = ["t_s"] if self.asked.at_us else []
        told = ["quantity", *times, "value", "low", "high", "unit", "method", "states", "connections"]
        return [*self.axes, *told, "seed", "version", "error"]

    def _rows(self, answers: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        """The rows of all points in the order of the points."""
        rows: dict[int, Rows] = {}
        for group, found in zip(self._groups, answers, strict=True):
            for place, number in enumerate(group.numbers):
                error = found.get("error")
                rows[number] = [{"error": error}] if error else found["rows"][place]
        known = {"seed": self.asked.seeds[0], "version": __version__}
        for number, point in enumerate(self.points):
            for row in rows[number]:
                yield {name: _cell(value) for name, value in point.items()} | row | known


def _cell(value: Any) -> Any:
    """An axis' value in a table: plain values as they are, anything else by its name."""
    return (
        value
        if isinstance(value, str | int | float | bool) or value is None
        else getattr(value, "name", repr(value))
    )
