"""Imports point one way (the table in tests/layers.py), and each room has only its own third parties."""

from __future__ import annotations

import sys

import networkx as nx
import pytest

from tests import layers


def test_every_room_is_in_the_table() -> None:
    found = {
        path.stem for path in (layers.ROOT / "tcpsim").iterdir() if path.suffix == ".py" or path.is_dir()
    }
    assert found - {"__init__", "__main__", "__pycache__", "py"} <= set(layers.TABLE)


def test_imports_inside_the_project_point_one_way() -> None:
    wrong = [
        f"{each.where}: {each.room} imports {each.target}"
        for each in layers.imports()
        if each.target is not None
        and each.room in layers.TABLE
        and each.target not in layers.below(each.room)
    ]
    assert wrong == []


def test_each_room_has_only_its_own_third_parties() -> None:
    ours = {"tcpsim", "experiments"}
    wrong = [
        f"{each.where}: {each.room} imports {each.name}"
        for each in layers.imports()
        if each.top not in ours | sys.stdlib_module_names
        and each.top not in layers.TABLE[each.room].third_party
    ]
    assert wrong == []


def test_nothing_below_host_has_a_clock_or_a_generator() -> None:
    wrong = [
        f"{each.where}: {each.room} imports {each.name}"
        for each in layers.imports()
        if each.room in layers.PURE and each.top in layers.FORBIDDEN_BELOW_HOST
    ]
    assert wrong == []


def test_the_table_has_no_cycle_and_tcp_stands_on_nothing_but_common_ground() -> None:
    assert layers.below("tcp") == {"tcp", *layers.COMMON}
    assert not {"explore", "conformance"} & layers.below("catalogue")
    assert not {"catalogue", "explore"} & layers.below("host")
    assert not {"catalogue", "host"} & layers.below("explore")


def test_the_page_shows_the_table() -> None:
    page = layers.PAGE.read_text(encoding="utf-8")
    assert layers.page_with_picture(page) == page, "run: python tests/layers.py --write"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import simpy", ["simpy"]),
        ("from tcpsim.host import engine", ["tcpsim.host.engine"]),
        ("from . import state", ["tcpsim.tcp.state"]),
        ("from ..host import engine", ["tcpsim.host.engine"]),
        ("def f():\n    import rich.table", ["rich.table"]),
    ],
)
def test_imports_are_found_in_every_spelling(source: str, names: list[str]) -> None:
    path = layers.Path("tcpsim/tcp/endpoint.py")
    tree = layers.ast.walk(layers.ast.parse(source))
    assert [name for node in tree for name in layers._names(node, path)] == names


def test_no_two_modules_import_each_other() -> None:
    """Not even for the sake of types: whoever needs a type of a module needs the module.

    `tcpsim` itself is left out: it names what is below it, and is imported for its version.
    """
    graph: dict[str, set[str]] = {}
    for each in layers.imports():
        module = each.where.partition(":")[0].removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        graph.setdefault(module, set()).add(each.name)
    modules = set(graph) - {"tcpsim"}
    found = {
        module: {name if name in modules else name.rpartition(".")[0] for name in names} & modules - {module}
        for module, names in graph.items()
        if module in modules
    }
    circles = [
        sorted(circle) for circle in nx.strongly_connected_components(nx.DiGraph(found)) if len(circle) > 1
    ]
    assert circles == []
