"""Mutants of the key: the code that makes it, with one term left out or one condition taken for granted.

Owns: what may be changed in the modules that make keys, each change by itself, and running something with one
of them. Refuses to know: whether anybody notices (test_bisimulation).

A term of a key is an item of a tuple or list that a function returns or puts together, an instant that is
added, or an argument that stands for one. A rule is a condition under which something is left out: `and`
without one of its parts, `or` without one, an `if` whose outcome is settled.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from types import FunctionType
from typing import Any, NamedTuple

MODULES = (
    "tcpsim.tcp.equivalence.connection",
    "tcpsim.tcp.equivalence.future",
    "tcpsim.tcp.equivalence",
    "tcpsim.sockets.equivalence",
    "tcpsim.app.equivalence",
    "tcpsim.pair.equivalence.context",
    "tcpsim.pair.equivalence.programs",
    "tcpsim.pair.equivalence.host",
    "tcpsim.pair.equivalence",
)


class Mutant(NamedTuple):
    """One change: where it is, and what is left out or settled there."""

    module: str
    function: str  # its name, "Class.method" within one
    number: int  # of the change, counted through the function
    what: str

    def __str__(self) -> str:
        return f"{self.module.removeprefix('tcpsim.')}.{self.function} {self.number}: {self.what}"


# Not terms of a key: memories of what was worked out (`test_a_key_is_the_same_whatever_was_seen_before`),
# indices that a key is put together by, and what a stepper asks besides the key (`test_per_host_memo`).
_NO_TERMS = (
    "Keys._seen",
    "Keys.key",
    "Keys._line",
    "View.__init__",
    "Host.__init__",
    "Part.at",
    "context.witness",
    "programs.ahead",
)
# What is kept because its identity stands for it (`test_what_is_known_by_its_identity_is_kept`)
_KEPT = {
    "Keys.host": {"no programs", "no tables", "no files", "no blocked", "no end.listeners"},
    "Keys._segment": {"no segment"},
}
_NO_TERM = ("no id(", "no view.", "no now_us - began_us", "no began_us", "no (programs, tables", "no ahead(")


def terms() -> list[Mutant]:
    """The mutants that leave a term of a key out."""
    return [
        each
        for each in mutants()
        if each.what.startswith("no ")
        and not each.what.startswith(_NO_TERM)
        and not f"{each.module}.{each.function}".endswith(_NO_TERMS)
        and each.what not in _KEPT.get(each.function, ())
    ]


def mutants(modules: tuple[str, ...] = MODULES) -> list[Mutant]:
    """All of them."""
    found = []
    for module in modules:
        for name, node in _functions(module):
            for number, (what, _) in enumerate(_changes(node)):
                found.append(Mutant(module, name, number, what))
    return found


@contextmanager
def applied(mutant: Mutant, instead: int | None = None) -> Iterator[None]:
    """The one change made, and taken back at the end; `instead` takes the place of a term."""
    tree = ast.parse(inspect.getsource(importlib.import_module(mutant.module)))
    node = dict(_functions_of(tree))[mutant.function]
    list(_changes(node, instead))[mutant.number][1]()
    function = _function(mutant)
    before = function.__code__
    function.__code__ = _compiled(tree, mutant)
    _forget()
    try:
        yield
    finally:
        function.__code__ = before
        _forget()


def _forget() -> None:
    app = importlib.import_module("tcpsim.app.equivalence")
    for each in vars(app).values():
        if hasattr(each, "cache_clear"):
            each.cache_clear()


def _function(mutant: Mutant) -> FunctionType:
    found: Any = importlib.import_module(mutant.module)
    for name in mutant.function.split("."):
        found = getattr(found, name)
    found = inspect.unwrap(found)
    assert isinstance(found, FunctionType)
    return found


def _compiled(tree: ast.Module, mutant: Mutant) -> Any:
    scope: dict[str, Any] = {"__name__": mutant.module, "__package__": mutant.module.rpartition(".")[0]}
    exec(compile(ast.fix_missing_locations(tree), f"<{mutant}>", "exec"), scope)
    found: Any = scope
    for name in mutant.function.split("."):
        found = found[name] if isinstance(found, dict) else getattr(found, name)
    return inspect.unwrap(found).__code__


def _functions(module: str) -> list[tuple[str, ast.FunctionDef]]:
    return _functions_of(ast.parse(inspect.getsource(importlib.import_module(module))))


def _functions_of(tree: ast.Module) -> list[tuple[str, ast.FunctionDef]]:
    found: list[tuple[str, ast.FunctionDef]] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found.append((node.name, node))
        elif isinstance(node, ast.ClassDef):
            found += [
                (f"{node.name}.{each.name}", each) for each in node.body if isinstance(each, ast.FunctionDef)
            ]
    return found


def _changes(function: ast.FunctionDef, instead: int | None = None) -> Iterator[tuple[str, Any]]:
    """What may be changed, in words, and the act; `instead` takes the place of a term."""
    nothing = ast.Constant(instead)
    for node in list(ast.walk(function)):
        if (
            isinstance(node, ast.Tuple | ast.List)
            and isinstance(node.ctx, ast.Load)
            and _makes(function, node)
        ):
            for at, item in enumerate(node.elts):
                if isinstance(item, ast.Starred):
                    yield (
                        f"no *{_said(item.value)}",
                        _setter(node.elts, at, ast.Starred(ast.Tuple([], ast.Load()), ast.Load())),
                    )
                elif not isinstance(item, ast.Constant) and not _constants(item):
                    yield f"no {_said(item)}", _setter(node.elts, at, nothing)
        elif isinstance(node, ast.BoolOp):
            for at, item in enumerate(node.values):
                neutral = ast.Constant(isinstance(node.op, ast.And))
                yield f"{_said(node)} without {_said(item)}", _setter(node.values, at, neutral)
        elif isinstance(node, ast.IfExp):
            for settled in (True, False):
                yield f"{_said(node)} with {settled}", _field(node, "test", ast.Constant(settled))
        elif isinstance(node, ast.If):
            for settled in (True, False):
                yield f"if {_said(node.test)} with {settled}", _field(node, "test", ast.Constant(settled))
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Compare):
            for settled in (True, False):
                yield f"{_said(node)} with {settled}", _field(node, "value", ast.Constant(settled))


def _makes(function: ast.FunctionDef, node: ast.Tuple | ast.List) -> bool:
    """Whether a tuple is (part of) what a function makes: not a subscript, a loop's source or an instant."""
    for other in ast.walk(function):
        if isinstance(other, ast.Subscript) and other.slice is node:
            return False
        if isinstance(other, ast.For | ast.comprehension) and other.iter is node and _constants(node):
            return False
        if isinstance(other, ast.Compare) and node in (other.left, *other.comparators):
            return False
        if isinstance(other, ast.Call) and ast.unparse(other.func) in ("max", "min") and node in other.args:
            return False
    return function.returns is None or not any(each is node for each in ast.walk(function.returns))


def _constants(node: ast.AST) -> bool:
    """A tuple or list of constants, or an empty one: nothing in it varies."""
    if not isinstance(node, ast.Tuple | ast.List):
        return False
    return all(isinstance(each, ast.Constant) for each in node.elts)


def _said(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) < 90 else text[:87] + "..."


def _setter(items: list[Any], at: int, value: ast.AST) -> Any:
    return lambda: items.__setitem__(at, deepcopy(value))


def _field(node: ast.AST, name: str, value: ast.AST) -> Any:
    return lambda: setattr(node, name, value)
