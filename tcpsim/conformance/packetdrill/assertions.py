"""``%{ assert tcpi_state == TCPI_ESTABLISHED, tcpi_state }%``: Python over tcp_info, without running Python.

Owns: the part of Python that assertions are written in: ``assert``, comparisons, ``and or not in``,
arithmetic, ``print``. Refuses to know: what a name stands for (the caller looks it up).

A script comes from somebody else, so its text is read as a tree and evaluated here; nothing is executed.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from tcpsim.conformance.packetdrill.script import Place, ScriptError, Unsupported

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: lambda a, b: a << min(b, 64),
    ast.RShift: operator.rshift,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_CALLS: dict[str, Callable[..., Any]] = {"abs": abs, "min": min, "max": max, "int": int, "len": len}

Lookup = Callable[[str], int | None]


def broken(text: str, lookup: Lookup, place: Place) -> tuple[str, str] | None:
    """The first assertion that does not hold: its text, and what it compared; None if all do.

    Raises:
        ScriptError: the text is no Python.
        Unsupported: a name that stands for nothing, or Python beyond assertions.
    """
    try:
        tree = _parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ScriptError(place, f"parse error in Python: {error.args[0]}") from None
    try:
        return _run(tree.body, lookup, place)
    except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise ScriptError(place, f"error in Python: {error}") from None


def _parsed(text: str) -> ast.Module:
    """The tree; where the first line stands behind ``%{`` the others may be indented further than it."""
    try:
        return ast.parse(text)
    except IndentationError:
        return ast.parse("\n".join(line.strip() for line in text.split("\n")))


def _run(body: list[ast.stmt], lookup: Lookup, place: Place) -> tuple[str, str] | None:
    for statement in body:
        there = Place(place.line + statement.lineno - 1, place.column)
        if isinstance(statement, ast.Assert):
            if not _value(statement.test, lookup, there):
                return ast.unparse(statement.test), _told(statement.test, lookup, there)
        elif isinstance(statement, ast.If):
            chosen = statement.body if _value(statement.test, lookup, there) else statement.orelse
            if found := _run(chosen, lookup, there):
                return found
        elif isinstance(statement, ast.Expr) and _is_print(statement.value):
            continue
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant | ast.Compare):
            _value(statement.value, lookup, there)
        elif not isinstance(statement, ast.Pass):
            raise Unsupported(there, f"Python beyond assertions: {ast.unparse(statement)[:60]}")
    return None


def _is_print(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"


def _told(test: ast.expr, lookup: Lookup, place: Place) -> str:
    """The names in an assertion with their values."""
    names = sorted({node.id for node in ast.walk(test) if isinstance(node, ast.Name)} - set(_CALLS))
    return ", ".join(f"{name} = {lookup(name)}" for name in names)


def _value(node: ast.expr, lookup: Lookup, place: Place) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id="True" | "False" | "None" as name):
            return {"True": True, "False": False, "None": None}[name]
        case ast.Name(id=name):
            found = lookup(name)
            if found is None:
                raise Unsupported(place, f"tcp_info field or constant {name!r}")
            return found
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_value(value, lookup, place) for value in values)
        case ast.BoolOp(values=values):
            return any(_value(value, lookup, place) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, lookup, place)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, lookup, place)
        case ast.UnaryOp(op=ast.Invert(), operand=operand):
            return ~_value(operand, lookup, place)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_number(left, lookup, place), _number(right, lookup, place))
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return _chain(left, ops, comparators, lookup, place)
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return tuple(_value(part, lookup, place) for part in parts)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _CALLS:
            return _CALLS[name](*(_value(argument, lookup, place) for argument in arguments))
    raise Unsupported(place, f"Python beyond assertions: {ast.unparse(node)[:60]}")


def _number(node: ast.expr, lookup: Lookup, place: Place) -> int | float:
    """An operand of arithmetic: a number, and one of a size that no field has outgrown."""
    value = _value(node, lookup, place)
    if not isinstance(value, int | float) or abs(value) >= 1 << 128:
        raise TypeError(f"{ast.unparse(node)[:60]} is no number of 128 bits")
    return value


def _chain(
    left: ast.expr, ops: list[ast.cmpop], comparators: list[ast.expr], lookup: Lookup, place: Place
) -> bool:
    before = _value(left, lookup, place)
    for op, comparator in zip(ops, comparators, strict=True):
        after = _value(comparator, lookup, place)
        if not _COMPARE[type(op)](before, after):
            return False
        before = after
    return True
