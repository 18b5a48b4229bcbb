"""The grammar of a script: options, set-up, timed events and clean-up.

Owns: the order of the parts, times, and which rule reads which event. Refuses to know: how packets and
calls are written (packets, expressions) and what a script means (replay).

Source of the grammar: the facts about the language in the project's brief, and packetdrill's manual
("packetdrill: Scriptable Network Stack Testing, from Sockets to Packets", USENIX ATC 2013).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from textwrap import dedent

from tcpsim.conformance.packetdrill.cursor import Cursor, conditioned
from tcpsim.conformance.packetdrill.expressions import call
from tcpsim.conformance.packetdrill.packets import packet
from tcpsim.conformance.packetdrill.script import (
    Code,
    Command,
    Doing,
    Event,
    Place,
    Script,
    ScriptError,
    Setting,
    TcpPacket,
    When,
)

# One dot and digits; never the first dot of "..."
_TIME = re.compile(r"[0-9]+(?:\.(?!\.)[0-9]*)?|\.[0-9]+")
_BEGINS_TIME = re.compile(r"[+*]|[0-9]|\.[0-9]")
_OPTION = re.compile(r"--([A-Za-z_0-9]+)[ \t]*(?:=[ \t]*(\"[^\"\n]*\"|[^\s\"]+))?")
_FAILURE = re.compile(r"^[ \t]*//[ \t]*Failure:[ \t]*(.*?)[ \t\r]*$", re.MULTILINE)
_MAX_US = 10**15  # thirty years


def parse(text: str, symbols: Collection[str] = (), define: Mapping[str, str] | None = None) -> Script:
    """A script from its text; `symbols` are true in ``#ifdef``, `define` replaces words (``-D``).

    >>> script = parse("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\\n+.1 < S 0:0(0) win 1000")
    >>> [event.when.us for event in script.events]
    [0, 100000]

    Raises:
        ScriptError: the text is no script; says where and what was expected.
        Unsupported: a packet of another protocol.
    """
    cursor = Cursor(conditioned(text, {*symbols, *(define or {})}), define)
    options = _options(cursor)
    setup = _commands(cursor)
    events: list[Event] = []
    while cursor.peek(_BEGINS_TIME):
        events.append(_event(cursor))
    cleanup = _commands(cursor)
    if not cursor.done():
        raise cursor.wrong("the time of an event")
    if not events:
        raise ScriptError(cursor.place(), "parse error: the script has no event")
    return Script(options, setup, tuple(events), cleanup, failure_of(text))


def failure_of(text: str) -> str | None:
    """The pattern of ``// Failure:``, which may also be about a text that is no script."""
    found = _FAILURE.search(text)
    return found[1] if found else None


def _options(cursor: Cursor) -> tuple[Setting, ...]:
    """``--name=value``, several on a line or one."""
    options: list[Setting] = []
    while cursor.sees("--"):
        place = cursor.place()
        found = cursor.match(_OPTION)
        if found is None:
            raise cursor.wrong("an option such as --tolerance_usecs=4000")
        options.append(Setting(found[1], (found[2] or "").strip('"'), place))
    return tuple(options)


def _commands(cursor: Cursor) -> tuple[tuple[Place, Command], ...]:
    """Commands without a time: set-up in front of the events, clean-up behind them."""
    commands: list[tuple[Place, Command]] = []
    while cursor.sees("`"):
        commands.append((cursor.place(), _command(cursor)))
    return tuple(commands)


def _command(cursor: Cursor) -> Command:
    cursor.expect("`")
    return Command(cursor.until("`", "a command").strip())


def _event(cursor: Cursor) -> Event:
    place = cursor.place()
    when = _when(cursor)
    what = _what(cursor)
    outbound = isinstance(what, TcpPacket) and not what.inbound
    if (when.any or when.until_us is not None) and not outbound:
        kind = "any time '*'" if when.any else "a time range"
        raise ScriptError(place, f"{kind} can only be used with outbound packets")
    if when.returns_us is not None and not hasattr(what, "arguments"):
        raise ScriptError(place, "a time 'a...b' can only be used with system calls")
    return Event(place, when, what)


def _what(cursor: Cursor) -> Doing:
    if cursor.take("<"):
        return packet(cursor, inbound=True)
    if cursor.take(">"):
        return packet(cursor, inbound=False)
    if cursor.sees("`"):
        return _command(cursor)
    if cursor.take("%{"):
        return Code(dedent(cursor.until("}%", "a piece of Python")).strip())
    return call(cursor)


def _when(cursor: Cursor) -> When:
    """Absolute, ``+`` relative, ``*``, a range with ``~``, a call that returns later with ``...``."""
    place = cursor.place()
    relative = cursor.take("+")
    if cursor.take("*"):
        return When(relative, any=True)
    us = _time(cursor)
    if cursor.take("~"):
        until_us = _second(cursor, relative)
        if until_us < us:
            raise ScriptError(place, "the end of the time range is before its start")
        return When(relative, us, until_us=until_us)
    if cursor.take("..."):
        returns_us = _second(cursor, relative)
        if returns_us < us:
            raise ScriptError(place, "the call returns before it is made")
        return When(relative, us, returns_us=returns_us)
    return When(relative, us)


def _second(cursor: Cursor, relative: bool) -> int:
    """The other time of a pair: a ``+`` is customary where the first has one, and means no more."""
    place = cursor.place()
    if cursor.take("+") and not relative:
        raise ScriptError(place, "parse error: both times of a pair are absolute, or both relative")
    return _time(cursor)


def _time(cursor: Cursor) -> int:
    """Seconds with a fraction, in microseconds."""
    place = cursor.place()
    found = cursor.match(_TIME)
    if found is None:
        raise cursor.wrong("a time in seconds")
    if len(found[0]) > 24:
        raise ScriptError(place, f"time out of range: {found[0][:24]}...")
    us = round(Decimal(found[0]) * 1_000_000)
    if us > _MAX_US:
        raise ScriptError(place, f"time out of range: {found[0]}")
    return us
