"""A progress line on stderr, if stderr is a terminal.

Owns: the line, how often it is written, and the estimate of the remaining time. Refuses to know: what the
work is. No result depends on this clock.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

_EVERY_S = 0.2
_QUIET_S = 1.0  # work that is over by then shows nothing


@contextmanager
def exploring() -> Iterator[Callable[[int, float | None], None] | None]:
    """A function to be told (states explored, probability not explored); None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    line = _Line("exploring")
    try:
        yield line.explored
    finally:
        line.clear()


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A function to be told (done, all); None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    line = _Line(what)
    try:
        yield line.tell
    finally:
        line.clear()


class _Line:
    def __init__(self, what: str) -> None:
        self.what = what
        self.began = self.shown = monotonic()
        self.width = 0

    def tell(self, done: int, total: int) -> None:
        """Write the line, unless it was written just now."""
        if not self.is_due():
            return
        share = done / total if total else 0.0
        words = f"{self.what}: {share:4.0%}"
        if share > 0.02:
            words += f", about {(self.shown - self.began) * (1 - share) / share:,.0f} s left"
        self.write(words)

    def explored(self, states: int, left: float | None) -> None:
        """The same for an exploration, of which nobody knows how large it is."""
        if self.is_due():
            self.write(
                f"{self.what}: {states:,} states" + ("" if left is None else f", {left:.1e} not explored")
            )

    def is_due(self) -> bool:
        """Whether to write now; if so, it counts as written."""
        now = monotonic()
        if now - self.began < _QUIET_S or now - self.shown < _EVERY_S:
            return False
        self.shown = now
        return True

    def write(self, words: str) -> None:
        """Put words in place of those that stand there."""
        sys.stderr.write("\r" + words.ljust(self.width))
        sys.stderr.flush()
        self.width = len(words)

    def clear(self) -> None:
        """Leave an empty line behind."""
        if self.width:
            sys.stderr.write("\r" + " " * self.width + "\r")
            sys.stderr.flush()
