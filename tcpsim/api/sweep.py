"""`sweep`: one question at many points, as tidy rows that grow on disk and continue where they stopped.

Owns: the function, and the result as rows, arrays, a picture and a file. Refuses to know: what an axis is
(sweep_points) and how a point is answered (measure).
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
    """Ask one question at many points: how connections end, or what is held over time.

    >>> import tcpsim
    >>> found = tcpsim.sweep("one-rst-stack", {"loss": "0:0.2:3", "fix": ["none", "client-closes"]})
    >>> found
    <Sweep one-rst-stack: 6 points of loss x fix, exact>
    >>> leaks = [row for row in found.table() if row["quantity"] == "permanent" and row["fix"] == "none"]
    >>> [round(row["value"], 3) for row in leaks]
    [0.0, 0.1, 0.2]

    An axis is a setting (`loss`, `client`, `stack_server`, `delay`), a knob (`fin_wait_2`,
    `server.tcp_fin_timeout`), a parameter of the programs (`client.delay`), `scenario` or `fix`. Its values
    are a list, words with commas between, or "FIRST:LAST:COUNT". The loss rates of one set-up share one
    exploration.

    Args:
        scenario: a scenario's name, the path of a TOML file, or a `Scenario`.
        grid: axes of which every combination is a point.
        setting: changes of the scenario as one value, at every point; keywords lie on top of it.
        zip: axes that go together: their first values, their second values, and so on.
        points: points one by one, instead of axes.
        method: "exact" follows every loss, "simulate" counts among simulated connections, "auto" is exact
            where that is possible.
        horizon: an expected stay beyond this counts as metastable; simulated connections are watched as long.
        at: times at which to say what is held, such as "0s:1h:61"; otherwise: how connections end.
        rate: with `at`: what a host holds that gets so many connections a second.
        for_: how long these arrive; the command line's --for.
        connections: how many are simulated at a point.
        replications: how often a point is simulated, with `seed`, `seed` + 1, ..., the same at all points.
        seed: decides every loss and choice.
        workers: processes on this machine; the answer does not depend on their number.
        out: a file for the rows (.csv, .json or .parquet). What is finished stays beside it until all is, so
            that an interrupted sweep goes on when it is asked for again.
        executor: runs the points elsewhere, such as `distributed.Client(...).get_executor()`.
        progress: told (finished, all) set-ups.
        **changes: any other setting (`tcpsim.Setting`).

    Raises:
        InputError: an axis that does not exist, a value that no point can have, or a place that cannot be
            written. A value that fails at some points only is a row with its error.
    """
    asked = study(
        scenario, grid, setting, zip=zip, points=points, method=method, horizon=horizon, at=at, rate=rate,
        for_=for_, connections=connections, replications=replications, seed=seed, **changes,
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
    """The rows of a sweep: each axis a column, then quantity, value, interval. `print()` shows a summary."""

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
        """What there is to plot."""
        return [name for name in dict.fromkeys(self._rows["quantity"]) if name is not None]

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The points that failed."""
        return [row for row in self._rows.rows() if row["error"]]

    def caption(self) -> Caption:
        return Caption(self.scenario, f"a sweep of {' x '.join(self.axes)}")

    def headline(self) -> str:
        count = len({tuple(row[axis] for axis in self.axes) for row in self._rows.rows()})
        methods = " and ".join(sorted({each for each in self._rows["method"] if each}))
        return f"{self.scenario}: {count:,} points of {' x '.join(self.axes)}, {methods or 'all failed'}"

    def text(self) -> str:
        from tcpsim.draw.text_columns import columns

        lines = [self.headline(), ""]
        rows = [["quantity", "unit", "least", "most"]]
        for quantity in self.quantities:
            values = [row for row in self._rows.rows() if row["quantity"] == quantity]
            least, most = (f(row["value"] for row in values) for f in (min, max))
            rows.append([quantity, values[0]["unit"], f"{least:.6g}", f"{most:.6g}"])
        lines += columns(rows, 2)
        failed = self.errors
        if failed:
            lines += ["", f"{len(failed):,} points failed; the first: {failed[0]['error']}"]
        return "\n".join(lines) + "\n"

    def to_dict(self) -> dict[str, Any]:
        return {"scenario": self.scenario, "axes": list(self.axes), "rows": self._rows.rows()}

    def to_pandas(self) -> Any:
        """The rows as a pandas frame, where pandas is installed."""
        return self.table("pandas")

    def to_xarray(self) -> Any:
        """Arrays `value`, `low` and `high` with a named dimension for each axis, where xarray is installed.

        The units are attributes. A combination of axes that was no point is missing (NaN).
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
        """Curves of one quantity: `x` along the axis, a line for each value of `by`, a panel of `panels`.

        Intervals are bands. What is not asked for is chosen: the axis with most values, `permanent`, and the
        other axes in their order. `log` is "x", "y" or "xy".

        Raises:
            InputError: an axis or a quantity that the rows do not have, or an axis that is neither x, by nor
                panels and has several values.
        """
        from tcpsim.draw.sweep_figure import curves_of

        return curves_of(self._rows, self.axes, self.scenario, x, y, by, panels, log=log, title=title)


def load(path: str | PathLike[str]) -> Sweep:
    """The rows of a sweep from the file that it left.

    Raises:
        InputError: a file that no sweep left.
    """
    table = read_table(Path(path))
    if "quantity" not in table.columns:
        raise InputError(str(path), f"columns {', '.join(table.columns)}", "rows that tcpsim sweep left")
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
    """Curves of the rows that a sweep left in a file; see `Sweep.plot`."""
    found = results if isinstance(results, Sweep) else load(results)
    return found.plot(x, y, by, panels, log=log, title=title)
