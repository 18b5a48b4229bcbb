"""Progress: one line on a terminal that rewrites itself, and nothing elsewhere."""

from __future__ import annotations

import io
import sys

import pytest

from tcpsim.cli import progress as module
from tcpsim.cli.progress import exploring, progress


class Terminal(io.StringIO):
    """Somebody looks."""

    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal as stderr, and a clock that goes on by a second each time it is looked at."""
    seconds = iter(range(1_000_000))
    monkeypatch.setattr(module, "monotonic", lambda: next(seconds))
    found = Terminal()
    monkeypatch.setattr(sys, "stderr", found)
    return found


def test_where_nobody_looks_nobody_is_told() -> None:
    with progress("judging") as tell:
        assert tell is None
    with exploring() as tell_states:
        assert tell_states is None


def test_an_exploration_tells_its_states_and_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    with exploring() as tell:
        assert tell is not None
        for states, left in ((256, 0.5), (512, 1.2e-3), (768, None)):
            tell(states, left)
    shown = [line.rstrip() for line in screen.getvalue().split("\r")]
    assert "exploring: 512 states, 1.2e-03 not explored" in shown
    assert "exploring: 768 states" in shown
    assert shown[-2:] == ["", ""]  # the line is gone when the work is done


def test_work_of_known_length_tells_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    with progress("judging") as tell:
        assert tell is not None
        for done in range(1, 5):
            tell(done, 8)
    shown = [line.rstrip() for line in screen.getvalue().split("\r")]
    assert any(line.startswith("judging:  50%, about") and line.endswith("s left") for line in shown)
