"""Judges a script: it takes any text and returns a verdict.

Owns: choosing the stack, the order parse - play, what each way to stop means as a verdict, and scripts
that have to fail. Refuses to know: how files are found and shown (cli).
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tcpsim.conformance.packetdrill.dialect import Dialect, dialect_of, legacy_of, told_by
from tcpsim.conformance.packetdrill.parser import failure_of, parse
from tcpsim.conformance.packetdrill.replay import play, stage_for
from tcpsim.conformance.packetdrill.script import Place, Script, ScriptError, Unsupported
from tcpsim.conformance.packetdrill.verdict import Crossing, Failed, Judged, Verdict
from tcpsim.tcp.stack import Stack, stack


class Chosen(NamedTuple):
    """The stack that a script is judged against."""

    stack: Stack
    dialect: Dialect
    told_by: str


class Outcome(NamedTuple):
    """How a run ended: nothing to say after PASS."""

    verdict: Verdict
    place: Place | None = None
    reason: str = ""
    expected: str = ""
    actual: str = ""
    crossings: tuple[Crossing, ...] = ()


def choose(text: str, stack_name: str | None) -> Chosen:
    """The stack by name, or as the script tells.

    Raises:
        InputError: there is no such stack.
    """
    if stack_name is not None:
        return Chosen(stack(stack_name), dialect_of(stack_name), "--stack")
    name, why = told_by(text)
    found, dialect = stack(name), dialect_of(name)
    legacy = legacy_of(dialect, text)
    if legacy is not None:
        return Chosen(found.with_knobs(dict(legacy.knobs)), dialect, f"{why}; {legacy.name}")
    return Chosen(found, dialect, why)


def judge(
    text: str, path: str = "", stack_name: str | None = None, define: Mapping[str, str] | None = None
) -> Judged:
    """The verdict on a script; never raises because of what the script says.

    >>> judge("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3").verdict
    <Verdict.PASS: 'PASS'>
    >>> judge("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\\n+1 > S 0:0(0) <...>").line
    2

    Raises:
        InputError: there is no stack of that name.
    """
    chosen = choose(text, stack_name)
    try:
        script = parse(text, chosen.dialect.symbols, define)
    except ScriptError as error:
        outcome = Outcome(Verdict.FAIL, error.place, error.message)
        failure = failure_of(text)
    except Unsupported as missing:
        outcome = Outcome(Verdict.UNSUPPORTED, missing.place, missing.what)
        failure = None
    else:
        outcome, failure = outcome_of(script, chosen), script.failure
    if failure is not None:
        outcome = _has_to_fail(outcome, failure)
    return Judged(
        path=path,
        verdict=outcome.verdict,
        reason=outcome.reason,
        place=outcome.place,
        expected=outcome.expected,
        actual=outcome.actual,
        stack=chosen.stack.name,
        told_by=chosen.told_by,
        crossings=outcome.crossings,
    )


def judge_file(path: Path, stack_name: str | None = None, define: Mapping[str, str] | None = None) -> Judged:
    """The verdict on a file."""
    return judge(read_script(path), str(path), stack_name, define)


def read_script(path: Path) -> str:
    """The text of a file; bytes that are no UTF-8 are read as Latin-1, which every byte is."""
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.replace("\r\n", "\n")


def outcome_of(script: Script, chosen: Chosen) -> Outcome:
    """Play a parsed script."""
    try:
        stage = stage_for(script, chosen.stack, chosen.dialect)
    except ScriptError as error:
        return Outcome(Verdict.FAIL, error.place, error.message)
    except Unsupported as missing:
        return Outcome(Verdict.UNSUPPORTED, missing.place, missing.what)
    try:
        play(script, stage)
    except Failed as failed:
        crossings = stage.crossings()
        return Outcome(Verdict.FAIL, failed.place, failed.message, failed.expected, failed.actual, crossings)
    except ScriptError as error:
        return Outcome(Verdict.FAIL, error.place, error.message, crossings=stage.crossings())
    except Unsupported as missing:
        return Outcome(Verdict.UNSUPPORTED, missing.place, missing.what, crossings=stage.crossings())
    except Exception as bug:
        # a script must never end the judging of those behind it; a bug of ours is a failure, and says where
        where = traceback.extract_tb(bug.__traceback__)[-1]
        reason = f"bug in tcpsim: {type(bug).__name__}: {bug} ({Path(where.filename).name}:{where.lineno})"
        return Outcome(Verdict.FAIL, None, reason, crossings=stage.crossings())
    return Outcome(Verdict.PASS, crossings=stage.crossings())


def _has_to_fail(outcome: Outcome, failure: str) -> Outcome:
    """``// Failure: regex``: a test of the tool, which passes if it fails with such a message."""
    if outcome.verdict is Verdict.UNSUPPORTED:
        return outcome
    if outcome.verdict is Verdict.PASS:
        reason = "the script had to fail ('// Failure:'), and did not"
        return outcome._replace(verdict=Verdict.FAIL, reason=reason, expected=failure, actual="no failure")
    try:
        matches = re.search(failure, outcome.reason)
    except re.error as error:
        return outcome._replace(reason=f"'// Failure: {failure}' is no pattern: {error}")
    if matches:
        return Outcome(Verdict.PASS, crossings=outcome.crossings)
    reason = f"the script had to fail with '{failure}', but failed with '{outcome.reason}'"
    return outcome._replace(reason=reason, expected=failure, actual=outcome.reason)
