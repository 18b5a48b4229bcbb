"""Tables of results, and results on disk.

Owns: the table of every result, its file formats, and the atomic write (a temporary file in the same
directory, then one rename). CSV and JSON need only the standard library. Parquet, polars, pandas and xarray
are loaded when they are used. Refuses to know: what the columns mean.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

from tcpsim.errors import InputError

_DIGITS = 12  # of a number in a CSV: a leak of 1e-20 is not 0, and rounding errors are not shown
_EXTRAS = {"polars": "tables", "pandas": "pandas", "xarray": "xarray", "distributed": "dask"}
_SHOWN = 20  # rows of a table in a notebook
FRAMES = ("rows", "polars", "pandas", "xarray")


class Table:
    """Columns of equal length, by name; a value is a number, a text, a bool or None.

    >>> table = Table.of_rows([{"loss": 0.1, "leaks": 3}, {"loss": 0.2, "leaks": None}])
    >>> len(table), table.rows()[1]
    (2, {'loss': 0.2, 'leaks': None})
    >>> print(table.csv(), end="")
    loss,leaks
    0.1,3
    0.2,
    """

    __slots__ = ("columns",)

    def __init__(self, columns: Mapping[str, Iterable[Any]]) -> None:
        plain: dict[str, list[Any]] = {
            name: values.tolist() if hasattr(values, "tolist") else list(values)
            for name, values in columns.items()
        }
        lengths = {name: len(values) for name, values in plain.items()}
        if len(set(lengths.values())) > 1:
            raise InputError("table", f"columns of lengths {lengths}", "columns of one length")
        self.columns = plain

    @classmethod
    def of_rows(cls, rows: Iterable[Mapping[str, Any]], names: Sequence[str] = ()) -> Table:
        """A table of rows; `names` are its columns where there may be no row. A missing value is None."""
        rows = list(rows)
        every = list(dict.fromkeys([*names, *(name for row in rows for name in row)]))
        return cls({name: [row.get(name) for row in rows] for name in every})

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __repr__(self) -> str:
        return f"<Table of {len(self):,} rows: {', '.join(self.columns)}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and self.columns == other.columns

    __hash__ = None  # type: ignore[assignment]  # its columns can change

    def __getitem__(self, name: str) -> list[Any]:
        return self.columns[name]

    def rows(self) -> list[dict[str, Any]]:
        """The rows as plain dicts."""
        names = tuple(self.columns)
        return [dict(zip(names, row, strict=True)) for row in zip(*self.columns.values(), strict=True)]

    def csv(self) -> str:
        """The table as CSV with a header; a number has at most twelve digits, None is an empty field."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        known: dict[float, str] = {}
        columns = [[_spelled(value, known) for value in column] for column in self.columns.values()]
        writer.writerows(zip(*columns, strict=True))
        return out.getvalue()

    def html(self) -> str:
        """The first rows as HTML, every value escaped: what a notebook shows.

        >>> Table({"name": ["<b>"]}).html()
        '<table><thead><tr><th>name</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
        """
        rows = self.rows()
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row.values()) + "</tr>"
            for row in rows[:_SHOWN]
        )
        more = f"<p>{len(rows) - _SHOWN:,} more rows</p>" if len(rows) > _SHOWN else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"

    def _repr_html_(self) -> str:
        return self.html()

    def to(self, kind: str) -> Any:
        """The table as `rows` (dicts), or as an object of `polars`, `pandas` or `xarray`.

        Raises:
            InputError: an unknown kind, or a package that is not installed (the line says what to install).
        """
        if kind == "rows":
            return self.rows()
        if kind not in FRAMES:
            raise InputError("table", repr(kind), ", ".join(FRAMES))
        package = needed(kind, f"table({kind!r})")
        if kind == "polars":
            return package.DataFrame(self.columns, strict=False)
        if kind == "pandas":
            return package.DataFrame(self.columns)
        return package.Dataset({name: ("row", values) for name, values in self.columns.items()})


def _cell(value: Any) -> str:
    """A value for people."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def needed(package: str, where: str) -> Any:
    """A package of an extra.

    Raises:
        InputError: it is not installed; the line says what to install.
    """
    try:
        return import_module(package)
    except ImportError:
        extra = _EXTRAS[package]
        raise InputError(where, f"{package} is not installed", f"pip install 'tcpsim[{extra}]'") from None


def _spelled(value: Any, known: dict[float, str]) -> Any:
    """A value as the CSV writer is to write it; numbers often come again, so they are kept in `known`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, float):
        return value
    if not value:  # 0.0 and -0.0 are equal, and not the same
        return spelled_number(value)
    found = known.get(value)
    if found is None:
        found = known[value] = spelled_number(value)
    return found


def spelled_number(value: float) -> str:
    """A number of at most twelve digits, in the shortest spelling that reads back the same.

    >>> [spelled_number(number) for number in (0.1 + 0.2, 1e-20, 0.00003, 1e30, 5.0)]
    ['0.3', '1e-20', '3e-5', '1e30', '5.0']
    """
    mantissa, e, exponent = repr(float(f"{value:.{_DIGITS}g}")).partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa


def read_csv(path: Path) -> Table:
    """A table that `write_table` left as CSV. Fields become integers, floats, bools, None, or stay texts."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    return Table({name: [_read(field) for field in column] for name, column in _columns(header, lines)})


def read_table(path: Path) -> Table:
    """A table that `write_table` left.

    Raises:
        InputError: another kind of file, or Parquet without the extra `tables`.
        OSError: the file cannot be read.
    """
    if path.suffix == ".csv":
        return read_csv(path)
    if path.suffix == ".json":
        return _read_rows(path)
    if path.suffix != ".parquet":
        raise InputError(str(path), repr(path.suffix), f"a name that ends in {' or '.join(TABLES)}")
    frame = needed("polars", str(path)).read_parquet(path)
    return Table({name: frame[name].to_list() for name in frame.columns})


def _read_rows(path: Path) -> Table:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(str(path), str(error), "JSON") from None
    rows = rows.get("rows", rows) if isinstance(rows, dict) else rows
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(str(path), "no list of rows", "the rows of a table, an object each")
    return Table.of_rows(rows)


def _columns(header: list[str], lines: list[list[str]]) -> Iterator[tuple[str, list[str]]]:
    yield from ((name, [line[place] for line in lines]) for place, name in enumerate(header))


@lru_cache(1 << 16)  # most fields of a long table are those of other rows too
def _read(field: str) -> Any:
    if field in ("", "true", "false"):
        return {"": None, "true": True, "false": False}[field]
    for kind in (int, float):
        try:
            return kind(field)
        except ValueError:
            continue
    return field


def check_output(path: Path) -> None:
    """Whether a table can be written there; known before the work begins.

    Raises:
        InputError: a suffix other than .csv, .json or .parquet, a directory that does not exist or cannot be
            written, or Parquet without the extra `tables`.
    """
    if path.suffix not in TABLES:
        raise InputError(f"output {path}", repr(path.suffix), f"a name that ends in {' or '.join(TABLES)}")
    if path.suffix == ".parquet":
        needed("polars", f"output {path}")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        found = "a directory" if path.is_dir() else f"{str(path.parent)!r}, which cannot be written"
        raise InputError(f"output {path}", found, "a file in a directory that can be written")


def write_table(table: Table, path: Path) -> None:
    """Write a table whole or not at all; the suffix says how.

    Raises:
        InputError: see `check_output`.
    """
    if path.suffix not in TABLES or path.suffix == ".parquet":
        check_output(path)
    with whole_or_nothing(path) as partial:
        if path.suffix == ".parquet":
            table.to("polars").write_parquet(partial)
        else:
            content = table.csv() if path.suffix == ".csv" else json.dumps(table.rows(), indent=1) + "\n"
            partial.write_text(content, encoding="utf-8")


TABLES = (".csv", ".json", ".parquet")


@contextmanager
def whole_or_nothing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, of the same suffix, that becomes `path` if the block succeeds.

    Raises:
        InputError: the directory does not exist or cannot be written.
    """
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        partial.touch()
    except OSError as problem:
        allowed = "a file in a directory that can be written"
        raise InputError(f"output {path}", problem.strerror, allowed) from None
    try:
        yield partial
        try:
            partial.replace(path)
        except OSError as problem:
            raise InputError(f"output {path}", problem.strerror, "a file that can be written") from None
    finally:
        partial.unlink(missing_ok=True)
