"""Results on disk: tidy tables as CSV or Parquet, and nothing half-written.

Owns: the atomic write (a temporary file in the same directory, then one rename) and the choice of a
format by its suffix. Refuses to know: what the columns mean.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from polars import selectors

from tcpsim.errors import InputError

_DIGITS = 12  # of a number in a CSV: a leak of 1e-20 is not 0, and what rounding left behind is not shown


def _rounded(values: pl.Series) -> pl.Series:
    return pl.Series(
        [None if value is None else float(f"{value:.{_DIGITS}g}") for value in values], dtype=values.dtype
    )


_WRITERS = {
    ".csv": lambda frame, path: frame.with_columns(
        selectors.float().map_batches(_rounded, return_dtype=pl.Float64)
    ).write_csv(path),
    ".parquet": lambda frame, path: frame.write_parquet(path),
}


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a table whole or not at all; the suffix says how.

    Raises:
        InputError: a suffix other than .csv or .parquet, or a place that cannot be written.
    """
    write = _WRITERS.get(path.suffix)
    if write is None:
        raise InputError(f"output {path}", repr(path.suffix), "a name that ends in .csv or .parquet")
    with whole_or_nothing(path) as partial:
        write(frame, partial)


def read_table(path: Path) -> pl.DataFrame:
    """A table that `write_table` left; what kind a column is, all of its values say."""
    return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None)


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
