"""The function `sweep`: it answers one question for many combinations of settings, and can be continued.

Owns: the function, and its result as rows, arrays, a picture and a file. Refuses to know: what an axis is
(sweep_points) and how a point is computed (measure).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from os import PathLike
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any, Unpack

from tcpsim import __version__
from tcpsim.api.result import Pictured
from tcpsim.api.settings import Named, Settings
from tcpsim.api.sweep_points import Axes, Progress, study
from tcpsim.catalogue import Setting
from tcpsim.draw.caption import Caption
from tcpsim.errors import InputError
from tcpsim.explore.tolerance import TOLERANCE
from tcpsim.measure.outcomes import Method
from tcpsim.measure.results import Table, check_output, needed, read_table, write_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def sweep(
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
    workers: int = 1,
    out: str | PathLike[str] | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    **changes: Unpack[Settings],
) -> Sweep:
    """Answer one question at many points: how do connections end, or how many sockets are held?

    >>> import tcpsim
    >>> found = tcpsim.sweep("one-rst-stack", {"loss": "0:0.2:3", "fix": ["none", "client-closes"]})
    >>> found
    <Sweep one-rst-stack: 6 points of loss x fix, exact>
    >>> leaks = [row for row in found.table() if row["quantity"] == "permanent" and row["fix"] == "none"]
    >>> [round(row["value"], 3) for row in leaks]
    [0.0, 0.1, 0.2]

    An axis is a setting (`loss`, `client`, `stack_server`, `delay`), a knob (`fin_wait_2`,
    `server.tcp_fin_timeout`), a parameter of the programs (`client.delay`), `scenario` or `fix`. Its values
    are a list, a text with commas, or "FIRST:LAST:COUNT". The loss rates of one set-up share one exploration.

    Args:
        scenario: a scenario's name, the path of a TOML file, or a `Scenario`.
        grid: axes; every combination of their values is a point.
        setting: changes of the scenario as one value, at every point; keywords override it.
        zip: axes that change together: all first values are a point, all second values are the next point.
        points: a list of points instead of axes.
        method: "exact" follows every loss, "simulate" counts among simulated connections, and "auto" is exact
            if that is possible.
        tolerance: an exact answer explores until the unexplored probability is at most this at every loss
            rate of a set-up. Where it needs too many states, 1e-6 takes a half of them.
        horizon: simulated connections are watched until this time; a socket that is expected to stay longer
            is metastable.
        at: report the sockets held at these times, such as "0s:1h:61"; without it, report how connections
            end.
        rate: with `at`, the connections per second that a host gets.
        for_: how long connections arrive; the option is --for.
        connections: the number of simulated connections at a point.
        replications: how often a point is simulated, with the seeds `seed`, `seed` + 1, ...
        seed: the seed of all random events.
        workers: the number of processes; the rows do not depend on it.
        out: a file for the rows (.csv, .json or .parquet). Finished points are kept beside it, so an
            interrupted sweep continues when it is called again.
        executor: an executor for the points, such as `distributed.Client(...).get_executor()`.
        progress: a function that is called with the numbers of finished and of all set-ups.
        **changes: any other setting (`tcpsim.Setting`).

    Raises:
        InputError: an axis does not exist, a value is possible at no point, or the file cannot be written. A
            value that fails only at some points becomes a row with its error.
    """
    asked = study(
        scenario, grid, setting, zip=zip, points=points, method=method, tolerance=tolerance, horizon=horizon,
        at=at, rate=rate, for_=for_, connections=connections, replications=replications, seed=seed, **changes,
    )  # fmt: skip
    name = asked.scenario.name
    if out is None:
        return Sweep(name, asked.axes, asked.rows(workers, None, executor, progress))
    target = Path(out)
    check_output(target)
    store = target.with_name(f"{target.name}.parts")
    found = Sweep(name, asked.axes, asked.rows(workers, store, executor, progress))
    write_table(found._table(), target)
    rmtree(store, ignore_errors=True)
    return found


class Sweep(Pictured):
    """The rows of a sweep: a column for each axis, then quantity, value and interval.

    `print()` shows a summary.
    """

    def __init__(self, scenario: str, axes: tuple[str, ...], table: Table) -> None:
        self.scenario = scenario
        self.axes = axes
        self._rows = table

    def _table(self) -> Table:
        return self._rows

    def _save_table(self, path: Path) -> None:
        write_table(self._rows, path)  # seed and version are in every row

    @property
    def quantities(self) -> list[str]:
        """The quantities that can be plotted."""
        return [name for name in dict.fromkeys(self._rows["quantity"]) if name is not None]

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The points that failed."""
        return [row for row in self._rows.rows() if row["error"]] if any(self._rows["error"]) else []

    def caption(self) -> Caption:
        return Caption(self.scenario, f"a sweep of {' x '.join(self.axes)}")

    def headline(self) -> str:
        count = len(set(zip(*[self._rows[axis] for axis in self.axes], strict=True)))
        methods = " and ".join(sorted({each for each in self._rows["method"] if each}))
        return f"{self.scenario}: {count:,} points of {' x '.join(self.axes)}, {methods or 'all failed'}"

    def text(self) -> str:
        from tcpsim.draw.text_columns import columns

        lines = [self.headline(), ""]
        found: dict[str, list[Any]] = {}  # unit, least, most
        names = ("quantity", "unit", "value")
        for quantity, unit, value in zip(*[self._rows[name] for name in names], strict=True):
            if quantity is not None:
                known = found.setdefault(quantity, [unit, value, value])
                known[1:] = min(known[1], value), max(known[2], value)
        rows = [["quantity", "unit", "least", "most"]]
        rows += [[name, unit, f"{least:.6g}", f"{most:.6g}"] for name, (unit, least, most) in found.items()]
        lines += columns(rows, 2)
        failed = self.errors
        if failed:
            lines += ["", f"{len(failed):,} points failed; the first: {failed[0]['error']}"]
        return "\n".join(lines) + "\n"

    def to_dict(self) -> dict[str, Any]:
        return {"scenario": self.scenario, "axes": list(self.axes), "rows": self._rows.rows()}

    def to_pandas(self) -> Any:
        """The rows as a pandas frame, if pandas is installed."""
        return self.table("pandas")

    def to_xarray(self) -> Any:
        """Arrays `value`, `low` and `high` with a named dimension for each axis, if xarray is installed.

        Units are attributes. A combination of values that was no point is NaN.
        """
        needed("pandas", "to_xarray()")
        xarray = needed("xarray", "to_xarray()")
        rows = [row for row in self._rows.rows() if not row["error"]]
        times = ["t_s"] if "t_s" in self._rows.columns else []
        dimensions = [*self.axes, *times, "quantity"]
        frame = Table.of_rows(rows).to("pandas").set_index(dimensions)[["value", "low", "high"]]
        found = xarray.Dataset.from_dataframe(frame.astype(float))
        for name in ("value", "low", "high"):
            found[name].attrs["units"] = rows[0]["unit"] if rows else ""
        if times:
            found["t_s"].attrs["units"] = "s"
        found.attrs.update(scenario=self.scenario, version=__version__)
        return found

    def figure(self) -> Figure:
        return self.plot()

    def plot(
        self,
        x: str | None = None,
        y: str | None = None,
        by: str | None = None,
        panels: str | None = None,
        *,
        log: str = "",
        title: str = "",
    ) -> Figure:
        """Draw one quantity along `x`, with a line for each value of `by` and a panel for each of `panels`.

        Intervals are bands. By default, `x` is the axis with the most values, `y` is `permanent`, and the
        other axes follow in their order. `log` is "x", "y" or "xy".

        Raises:
            InputError: the rows do not have this axis or quantity, or an axis with several values is neither
                x, by nor panels.
        """
        from tcpsim.draw.sweep_figure import curves_of

        return curves_of(self._rows, self.axes, self.scenario, x, y, by, panels, log=log, title=title)


def load(path: str | PathLike[str]) -> Sweep:
    """Read the rows of a sweep from its file.

    Raises:
        InputError: the file is not from a sweep.
    """
    table = read_table(Path(path))
    if "quantity" not in table.columns:
        raise InputError(
            str(path), f"columns {', '.join(table.columns)}", "rows that tcpsim sweep has written"
        )
    axes = tuple(table.columns)[: list(table.columns).index("quantity")]
    return Sweep(Path(path).stem, axes, table)


def plot(
    results: str | PathLike[str] | Sweep,
    x: str | None = None,
    y: str | None = None,
    by: str | None = None,
    panels: str | None = None,
    *,
    log: str = "",
    title: str = "",
) -> Figure:
    """Draw the rows in a sweep's file. See `Sweep.plot`."""
    found = results if isinstance(results, Sweep) else load(results)
    return found.plot(x, y, by, panels, log=log, title=title)
