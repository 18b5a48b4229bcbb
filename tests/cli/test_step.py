"""`tcpsim run --step`, and the parts of a ladder: what is shown at which key."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

import tcpsim
from tcpsim.cli import step
from tcpsim.errors import InputError
from tests.patience import PATIENCE_S

Tcpsim = Callable[..., tuple[int, str, str]]


class Terminal:
    """A person at a terminal: presses keys, and sees a screen before each."""

    def __init__(self, keys: Iterator[str]) -> None:
        self.keys = keys
        self.screens: list[str] = []
        self.lines: list[str] = []

    def __call__(self) -> str:
        self.screens.append("".join(self.lines))
        self.lines.clear()
        return next(self.keys)


def screens(monkeypatch: pytest.MonkeyPatch, keys: list[str], rows: int = 200) -> list[str]:
    run, terminal = tcpsim.run("normal-close"), Terminal(iter(keys))
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(step, "print_text", terminal.lines.append)
    monkeypatch.setattr(step.click, "clear", lambda: None)
    monkeypatch.setattr(step.shutil, "get_terminal_size", lambda: os.terminal_size((100, rows)))
    step.walk(run.story, run.headline(), run.summary(), terminal)
    return terminal.screens


def test_each_key_is_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, back, last = screens(monkeypatch, [" ", "b", "g", "q"])
    assert "SYN-SENT" in first
    assert "SYN-RECEIVED" not in first
    assert "SYN-RECEIVED" in second
    assert back == first
    assert "verdict  clean" in last
    assert "verdict" not in second


def test_the_last_key_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = len({item.t_us for item in tcpsim.run("normal-close").story.items})
    seen = screens(monkeypatch, [" "] * moments)
    assert len(seen) == moments
    assert f"{moments} of {moments}" in seen[-1]


def test_a_low_screen_shows_the_latest_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = screens(monkeypatch, ["g", "q"], rows=20)[-1].splitlines()
    assert len(seen) <= 20
    assert "client (linux)" in seen[1]
    assert "CLOSED" in "".join(seen)


def test_without_a_terminal_it_says_what_else_there_is(tcpsim: Tcpsim) -> None:
    status, _, error = tcpsim("run", "normal-close", "--step")
    assert status == 2
    assert "--step" in error
    assert "--until TIME" in error


def test_on_a_real_terminal() -> None:
    mine, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tcpsim", "run", "normal-close", "--step"], stdin=its, stdout=its, stderr=its
    )
    os.close(its)
    seen, begun = "", time.monotonic()
    while process.poll() is None and time.monotonic() < begun + PATIENCE_S:
        if select.select([mine], [], [], 0.2)[0]:
            try:
                seen += os.read(mine, 65536).decode()
            except OSError:
                break
        elif "q: quit" in seen:
            os.write(mine, b"q")  # again until it is heard: what comes before it listens is thrown away
    assert process.wait(PATIENCE_S) == 0
    os.close(mine)
    assert re.search(r"1 of \d+ +space: next", seen)


def test_from_and_until_show_a_part(tcpsim: Tcpsim) -> None:
    status, out, _ = tcpsim("run", "one-rst-stack", "--from", "close", "--until", "100ms")
    assert status == 0
    assert "SYN-SENT" not in out
    assert "FIN-WAIT-2 (orphan)" in out
    assert "RST seq" not in out
    assert "verdict  clean" in out  # of the whole run
    for words, told in (
        (["--from", "soon"], "from"),
        (["--from", "2s", "--until", "1s"], "not before 2s"),
        (["--from", "close", "--client", "never-closes", "--server", "never-closes"], "nothing closes"),
    ):
        status, _, error = tcpsim("run", "normal-close", *words)
        assert status == 2
        assert told in error


def test_a_part_begins_with_the_states_there_are() -> None:
    story = tcpsim.run("one-rst-stack", from_="1s", until="2s").story
    assert [(item.side, item.text) for item in story.items] == [
        ("client", "CLOSE-WAIT"),
        ("server", "FIN-WAIT-2 (orphan)"),
    ]
    with pytest.raises(InputError, match="from"):
        tcpsim.run("one-rst-stack", from_="never")
