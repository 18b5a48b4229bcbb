"""The grammar of system calls: ``name(arguments) = result ERRNO (note)`` with nested arguments.

Owns: reading one call. Refuses to know: what a call does (calls), and its time (parser).
"""

from __future__ import annotations

import re

from tcpsim.conformance.packetdrill.cursor import Cursor
from tcpsim.conformance.packetdrill.script import (
    Apply,
    Call,
    Either,
    Ellipsis_,
    Expression,
    Items,
    Name,
    Place,
    ScriptError,
    Struct,
    Text,
)

ANYTHING = Ellipsis_()
_NUMBER = re.compile(r"-?\s*[0-9]")
_FIELD = re.compile(r"(\.?[A-Za-z_][A-Za-z_0-9]*)\s*=(?!=)")
_STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_NOTE = re.compile(r"\(([^()\n]*(?:\([^()\n]*\)[^()\n]*)*)\)")
_ERRNO = re.compile(r"E[A-Z0-9]+\b")
_DEPTH = 16  # of nested arguments: no real script has more than four


def call(cursor: Cursor) -> Call:
    """One system call."""
    name = cursor.word("a system call")
    cursor.expect("(")
    arguments: list[Expression] = []
    places: list[Place] = []
    while not cursor.take(")"):
        if arguments:
            cursor.expect(",")
        places.append(cursor.place())
        arguments.append(_expression(cursor, 0))
    cursor.expect("=")
    result: int | Ellipsis_
    result = ANYTHING if cursor.take("...") else cursor.number("the result of the call", -(2**31), 2**32 - 1)
    errno = cursor.match(_ERRNO)
    note = cursor.match(_NOTE)
    return Call(
        name,
        tuple(arguments),
        tuple(places),
        result,
        errno[0] if errno else None,
        note[1].strip() if note else "",
    )


def _expression(cursor: Cursor, depth: int) -> Expression:
    """One argument; constants may be joined by ``|``."""
    if depth > _DEPTH:
        raise ScriptError(cursor.place(), f"arguments are nested more than {_DEPTH} deep")
    first = _operand(cursor, depth)
    if not cursor.sees("|"):
        return first
    parts = [first]
    while cursor.take("|"):
        parts.append(_operand(cursor, depth))
    return Either(tuple(parts))


def _operand(cursor: Cursor, depth: int) -> Expression:
    if cursor.take("..."):
        return ANYTHING
    if cursor.peek(_NUMBER):
        return cursor.number("number", -(2**63), 2**64 - 1)
    if cursor.take("["):
        return Items(_items(cursor, "]", depth))
    if cursor.take("{"):
        return _struct(cursor, depth)
    if cursor.sees('"'):
        found = cursor.match(_STRING)
        if found is None:
            raise cursor.wrong("a string with an end")
        return Text(found[1])
    word = cursor.word("an argument")
    if cursor.take("("):
        return Apply(word, _items(cursor, ")", depth))
    if word.isdigit():  # a word that -D made a number
        return int(word)
    return Name(word)


def _items(cursor: Cursor, end: str, depth: int) -> tuple[Expression, ...]:
    items: list[Expression] = []
    while not cursor.take(end):
        if items:
            cursor.expect(",")
        items.append(_expression(cursor, depth + 1))
    return tuple(items)


def _struct(cursor: Cursor, depth: int) -> Struct:
    """``{onoff=1, linger=0}``, ``{..., 1000}``, ``{msg_iov(1)=[{..., 10}], msg_flags=0}``."""
    fields: list[tuple[str, Expression]] = []
    while not cursor.take("}"):
        if fields:
            cursor.expect(",")
        named = cursor.match(_FIELD)
        if named is not None:
            fields.append((named[1].lstrip("."), _expression(cursor, depth + 1)))
            continue
        value = _expression(cursor, depth + 1)
        if isinstance(value, Apply) and cursor.take("="):
            fields.append((value.name, _expression(cursor, depth + 1)))
        else:
            fields.append(("", value))
    return Struct(tuple(fields))
