"""A program in words: the language in which steps say what they are, read back.

Owns: the language and its errors. Refuses to know: what a step does, and distributions (whoever reads them is
passed in, as they are the path's).

    connect [from port N] [to port N] [with OPTION=VALUE, ...]                          accept
    listen [on port N] [with a backlog of N]
    send N [bytes]      receive N [bytes] [within TIME] [, else {STEPS}] [, at EOF {STEPS}]
    receive to EOF [, at most TIME between reads] [, TIME in all]
    wait TIME           wait until TIME                 every TIME see whether the peer has closed
    close               abort                           shut down RD, WR or RDWR
    set OPTION to VALUE                                 look with MSG_PEEK, at EOF {STEPS}
    every TIME STEP     the step, a pause, and so on until it fails; then the program goes on
    again and again {STEPS}     N times {STEPS}         leave the loop
    choose {0.9: STEPS; 0.1: STEPS}                     fork a child {STEPS}
    ignore the socket for ever     the process ends    the machine vanishes    the machine reboots (TIME down)

STEPS are separated by commas. A step on another socket than the first names it behind: `send 100 (second)`.
Case does not matter, and the short words ignore, crash, vanish, `reboot TIME` and `repeat {STEPS}` do too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from tcpsim.app import control_flow
from tcpsim.app.control_flow import choose, fork, leave, repeat
from tcpsim.app.program import Step
from tcpsim.app.receive_steps import peek, receive, receive_to_eof
from tcpsim.app.steps import BACKLOG, abort, accept, close, connect, listen, send, set_option, shutdown
from tcpsim.app.wait_steps import ignore, poll_for_eof, until_it_fails, wait, wait_until
from tcpsim.errors import InputError

Drawn = Callable[[str, str], Any]  # reads a distribution: its text, and where it stands
ALLOWED = (
    "connect, listen, accept, send N, receive N, receive to EOF, wait TIME, close, abort, shut down WR,"
    " every TIME STEP, again and again {STEPS}, choose {P: STEPS; ...}, fork a child {STEPS}, ..."
    " (docs/cli.md#programs-in-words)"
)
_JOINED = re.compile(r"(at most .* between reads|\S+ in all|else \{.*\}|at EOF \{.*\}|[A-Z_]+=.*)\Z", re.I)


def parse_steps(texts: Sequence[str], where: str = "steps", drawn: Drawn | None = None) -> list[Step]:
    """The steps that `texts` tell, one text or several for each.

    >>> [step.describe() for step in parse_steps(["connect", "send 100", "every 2s send 50", "close"])]
    ['connect', 'send 100 bytes', 'every 2s until it fails {send 50 bytes}', 'close']

    Raises:
        InputError: no step; with the place of the text.
    """
    found: list[Step] = []
    for index, text in enumerate(texts):
        found += _Reader(f"{where}[{index}]", drawn).steps(text)
    return found


class _Reader:
    """What reads the steps of one text."""

    def __init__(self, where: str, drawn: Drawn | None) -> None:
        self.where = where
        self.drawn = drawn

    def steps(self, text: str) -> list[Step]:
        return [step for part in _parts(text, ",") for step in self.told(part)]

    def told(self, text: str) -> list[Step]:
        for pattern, make in _FORMS:
            found = pattern.fullmatch(text)
            if found is not None:
                made = make(self, found)
                return made if isinstance(made, list) else [made]
        raise InputError(self.where, repr(text), ALLOWED)

    def pause(self, text: str) -> Step:
        if "(" in text and self.drawn is not None:
            return wait(self.drawn(text, self.where))
        return wait(text)

    def choice(self, text: str) -> Step:
        branches = []
        for part in _parts(text, ";"):
            weight, colon, steps = part.partition(":")
            try:
                p = float(weight)
            except ValueError:
                colon = ""
            if not colon:
                raise InputError(self.where, repr(part), "a probability, a colon, and steps")
            branches.append((p, [] if steps.strip() == "nothing" else self.steps(steps)))
        return choose(branches)

    def receiving(self, found: re.Match[str]) -> Step:
        rest: dict[str, Any] = {"within": found["within"]}
        for key in ("late", "eof"):
            if found[key] is not None:
                rest[key] = self.steps(found[key]) if found[key].strip() else []
        return receive(int(found["n"]), *_sock(found), **rest)


def _parts(text: str, mark: str) -> list[str]:
    """A text cut at marks outside of brackets; what belongs to the step before it is not cut off."""
    depth, parts = 0, [""]
    for letter in text:
        depth += (letter in "{(") - (letter in "})")
        if letter == mark and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    joined: list[str] = []
    for part in (each.strip() for each in parts):
        if joined and mark == "," and _JOINED.match(part):
            joined[-1] += f", {part}"
        else:
            joined.append(part)
    return joined


def _sock(found: re.Match[str]) -> tuple[str, ...]:
    """The name of the socket, if one is given."""
    name = found.groupdict().get("sock")
    return () if name is None else (name,)


def _value(text: str) -> Any:
    numbers = [int(each) for each in re.findall(r"-?\d+", text)]
    return tuple(numbers) if text.startswith("(") else numbers[0]


def _connecting(reader: _Reader, found: re.Match[str]) -> Step:
    options = re.findall(r"([A-Za-z_]+)=(\([^)]*\)|-?\d+)", found["options"] or "")
    to, local = _port(found["to"]), _port(found["port"])
    chosen = tuple((name.upper(), _value(value)) for name, value in options)
    return connect(found["sock"] or "conn", to, local, chosen)


def _port(digits: str | None) -> int | None:
    return None if digits is None else int(digits)


def _times(reader: _Reader, found: re.Match[str]) -> list[Step]:
    return reader.steps(found["steps"]) * int(found["n"])


_SOCK = r"(?: \((?P<sock>[^()]+)\))?"
_T = r"[^ ,{}]+"
_FORMS: list[tuple[re.Pattern[str], Callable[[_Reader, re.Match[str]], Step | list[Step]]]] = [
    (re.compile(words, re.IGNORECASE), make)
    for words, make in (
        (
            r"connect(?: from port (?P<port>\d+))?(?: to port (?P<to>\d+))?"
            r"(?: with (?P<options>[A-Z_]+=.+?))?" + _SOCK,
            _connecting,
        ),
        (
            r"listen(?: on port (?P<port>\d+))?(?: with a backlog of (?P<n>-?\d+))?",
            lambda reader, found: listen(port=_port(found["port"]), backlog=int(found["n"] or BACKLOG)),
        ),
        (r"accept" + _SOCK, lambda reader, found: accept(*_sock(found))),
        (r"send (?P<n>\d+)(?: bytes?)?" + _SOCK, lambda reader, found: send(int(found["n"]), *_sock(found))),
        (
            rf"receive (?P<n>\d+)(?: bytes?)?(?: within (?P<within>{_T}))?"
            + _SOCK
            + r"(?:, else \{(?P<late>.*?)\})?(?:, at EOF \{(?P<eof>.*)\})?",
            lambda reader, found: reader.receiving(found),
        ),
        (
            rf"receive to EOF(?:, at most (?P<between>{_T}) between reads)?(?:, (?P<within>{_T}) in all)?"
            + _SOCK,
            lambda reader, found: receive_to_eof(
                *_sock(found), between=found["between"], within=found["within"]
            ),
        ),
        (rf"wait until (?P<t>{_T})", lambda reader, found: wait_until(found["t"])),
        (r"wait (?P<t>[^{}]+)", lambda reader, found: reader.pause(found["t"])),
        (
            rf"every (?P<t>{_T}) see whether the peer has closed" + _SOCK,
            lambda reader, found: poll_for_eof(found["t"], *_sock(found)),
        ),
        (
            rf"every (?P<t>{_T})(?: until it fails)? \{{(?P<steps>.+)\}}",
            lambda reader, found: until_it_fails(reader.steps(found["steps"]), found["t"]),
        ),
        (
            rf"every (?P<t>{_T}) (?P<step>.+)",
            lambda reader, found: until_it_fails(reader.told(found["step"]), found["t"]),
        ),
        (r"close" + _SOCK, lambda reader, found: close(*_sock(found))),
        (r"abort" + _SOCK, lambda reader, found: abort(*_sock(found))),
        (
            r"shut ?down (?P<how>RD|WR|RDWR)" + _SOCK,
            lambda reader, found: shutdown(found["how"].upper(), *_sock(found)),
        ),
        (
            r"set (?P<name>[A-Z_]+) to (?P<value>\(-?\d+, ?-?\d+\)|-?\d+)" + _SOCK,
            lambda reader, found: set_option(found["name"].upper(), _value(found["value"]), *_sock(found)),
        ),
        (
            r"look with MSG_PEEK" + _SOCK + r", at EOF \{(?P<steps>.*)\}",
            lambda reader, found: peek(reader.steps(found["steps"]), *_sock(found)),
        ),
        (
            r"(?:again and again|repeat) \{(?P<steps>.+)\}",
            lambda reader, found: repeat(reader.steps(found["steps"])),
        ),
        (r"(?P<n>[1-9]\d{0,3}) times \{(?P<steps>.+)\}", _times),
        (r"leave(?: the loop)?", lambda reader, found: leave()),
        (r"choose \{(?P<branches>.+)\}", lambda reader, found: reader.choice(found["branches"])),
        (r"fork(?: a child)? \{(?P<steps>.+)\}", lambda reader, found: fork(reader.steps(found["steps"]))),
        (r"ignore(?: the socket for ever)?", lambda reader, found: ignore()),
        (r"the process ends|crash", lambda reader, found: control_flow.crash()),
        (r"the machine vanishes|vanish", lambda reader, found: control_flow.vanish()),
        (
            rf"(?:the machine reboots|reboot)(?: \(?(?P<t>{_T}?)(?: down\))?)?",
            lambda reader, found: control_flow.reboot(found["t"] or 0),
        ),
        (r"kill the other processes", lambda reader, found: control_flow.kill_others()),
    )
]
