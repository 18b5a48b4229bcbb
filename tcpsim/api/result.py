"""The base classes of all results.

Owns: the methods that all results have. `print()` shows the text of the command line, `repr()` is one line, a
notebook shows a picture or a table, `.table()` returns rows, `.to_dict()` returns the JSON document, and
`.save()` writes a file whose suffix selects the format. Refuses to know: any particular result.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tcpsim import __version__
from tcpsim.draw.caption import Caption, Origin
from tcpsim.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tcpsim.measure.results import Table

PICTURES = (".svg", ".png", ".pdf")
TABLES = (".csv", ".parquet")


class Result(ABC):
    """A result: text for people, rows for programs, and JSON for both."""

    pictured: ClassVar[bool] = False  # it has a picture

    @abstractmethod
    def headline(self) -> str:
        """One line with the question and the answer."""

    @abstractmethod
    def text(self) -> str:
        """The text that the command line prints."""

    @abstractmethod
    def to_dict(self) -> Any:
        """The JSON document that the command line prints with --json (docs/json.md)."""

    @abstractmethod
    def _table(self) -> Table:
        """The rows."""

    @abstractmethod
    def caption(self) -> Caption:
        """The title of the scenario, or the list of its changes."""

    @property
    def origin(self) -> Origin:
        """The origin that a saved file contains."""
        return Origin(str(self.caption()), getattr(self, "seed", None), __version__)

    def document(self) -> dict[str, Any]:
        """The first keys of the JSON document."""
        return {"caption": str(self.caption()), "version": __version__}

    def figure(self) -> Figure:
        """The picture as a matplotlib figure. pyplot does not know it."""
        raise InputError(type(self).__name__, "no picture", "save(NAME.json), save(NAME.csv) or print()")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.headline()}>"

    def __str__(self) -> str:
        return self.text().rstrip("\n")

    def table(self, kind: str = "rows") -> Any:
        """Rows as plain dicts, or as an object of `polars`, `pandas` or `xarray` if that is installed.

        Raises:
            InputError: the kind is unknown or not installed; the text says what to install.
        """
        return self._table().to(kind)

    def json(self) -> str:
        """The JSON document as text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    def save(self, path: str | PathLike[str]) -> Path:
        """Write a file. Its suffix selects the format (.txt, .json, .csv, .parquet, .svg, ...).

        Raises:
            InputError: this result has no such format, or the file cannot be written.
        """
        target = Path(path)
        writers = self._writers()
        write = writers.get(target.suffix.lower())
        if write is None:
            allowed = f"a name that ends in {' or '.join(writers)}"
            raise InputError(f"output {target}", repr(target.suffix), allowed)
        write(target)
        return target

    def _writers(self) -> Mapping[str, Any]:
        """The function that writes each suffix."""
        writers: dict[str, Any] = dict.fromkeys(PICTURES, self._save_figure) if self.pictured else {}
        writers |= dict.fromkeys(TABLES, self._save_table)
        return writers | {".json": self._save_json, ".txt": self._save_text}

    def _save_figure(self, path: Path) -> None:
        from tcpsim.draw.figure_style import save

        save(self.figure(), path, origin=self.origin)

    def _save_table(self, path: Path) -> None:
        from tcpsim.measure.results import Table, write_table

        table = self._table()
        origin = {name: [value] * len(table) for name, value in self.origin._asdict().items()}
        kept = {name: values for name, values in origin.items() if name not in table.columns}
        write_table(Table(table.columns | kept), path)  # so that it stays with the rows

    def _save_json(self, path: Path) -> None:
        self._write(path, self.json())

    def _save_text(self, path: Path) -> None:
        self._write(path, f"{self.text()}\n{self.origin.line()}\n")

    def _write(self, path: Path, content: str) -> None:
        from tcpsim.measure.results import whole_or_nothing

        with whole_or_nothing(path) as partial:
            partial.write_text(content, encoding="utf-8")

    def _svg(self) -> str:
        """The picture as text, without the XML declaration, which must not appear inside a page."""
        from tcpsim.draw.figure_style import render

        drawn = render(self.figure(), "svg").decode()
        return drawn[drawn.index("<svg") :]

    def _repr_html_(self) -> str:
        below = self._svg() if self.pictured else self._table().html()
        return f"<p>{escape(self.headline())}</p>{below}"


class Pictured(Result):
    """A result with a picture."""

    pictured = True

    def _repr_svg_(self) -> str:
        return self._svg()
