"""What every function of the surface returns has in common.

Owns: `print()` shows what the command line prints, `repr()` is one line, a notebook gets a picture or a
table, `.table()` gives tidy rows, `.to_dict()` the JSON document, `.save()` a file whose suffix says what
is in it. Refuses to know: any particular result.
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
    """A result: text for people, rows for programs, JSON for both."""

    pictured: ClassVar[bool] = False  # it has a picture

    @abstractmethod
    def headline(self) -> str:
        """One line: what was asked, and the answer."""

    @abstractmethod
    def text(self) -> str:
        """What the command line prints."""

    @abstractmethod
    def to_dict(self) -> Any:
        """The JSON document that the command line prints with --json (docs/json.md)."""

    @abstractmethod
    def _table(self) -> Table:
        """The tidy rows."""

    @abstractmethod
    def caption(self) -> Caption:
        """What it is of: a story by its title, or by what was changed of it."""

    @property
    def origin(self) -> Origin:
        """What a saved file says of where it comes from."""
        return Origin(str(self.caption()), getattr(self, "seed", None), __version__)

    def document(self) -> dict[str, Any]:
        """The head of the JSON document."""
        return {"caption": str(self.caption()), "version": __version__}

    def figure(self) -> Figure:
        """The picture, as a matplotlib figure that belongs to nobody."""
        raise InputError(type(self).__name__, "no picture", "save(NAME.json), save(NAME.csv) or print()")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.headline()}>"

    def __str__(self) -> str:
        return self.text().rstrip("\n")

    def table(self, kind: str = "rows") -> Any:
        """Tidy rows as plain dicts; or a `polars`, `pandas` or `xarray` object, where that is installed.

        Raises:
            InputError: another kind, or one that is not installed (the line says what to install).
        """
        return self._table().to(kind)

    def json(self) -> str:
        """The document as text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    def save(self, path: str | PathLike[str]) -> Path:
        """Write a file, whole or not at all: its suffix says what (.txt, .json, .csv, .parquet, .svg, ...).

        Raises:
            InputError: a suffix that this result has nothing for, or a place that cannot be written.
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
        """What to do for each suffix."""
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
        """The picture as text, without the declaration that has no place inside a page."""
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
