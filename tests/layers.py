"""Which package may import which, and what from outside: the table, its picture, and the real imports.

    python tests/layers.py           prints the picture for docs/architecture.md
    python tests/layers.py --write   puts it there

`tests/test_layers.py` compares the code with the table, and the page with the picture.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- picture: python tests/layers.py --write -->", "<!-- end of picture -->"


class Room(NamedTuple):
    """What a room stands on directly (it may also use everything below that), and its third parties."""

    on: tuple[str, ...]
    third_party: tuple[str, ...]
    does: str


TABLE = {
    "errors": Room((), (), "the exception for bad input"),
    "units": Room(("errors",), (), "durations as people write them"),
    "domain": Room(("units",), (), "the values that a field accepts"),
    "profile": Room(("domain",), (), "values with sources, and knobs"),
    "tcp": Room(("profile",), (), "the protocol, without I/O"),
    "sockets": Room(("tcp",), (), "what a system call returns"),
    "path": Room(("tcp",), (), "delay, loss, NATs"),
    "app": Room(("sockets",), (), "what programs do"),
    "steps": Room(("app",), (), "the steps of a program"),
    "pair": Room(("app", "path"), (), "two hosts and a path"),
    "host": Room(("pair",), ("simpy",), "many pairs on shared hosts"),
    "catalogue": Room(("host",), (), "named set-ups, fixes, claims"),
    "explore": Room(("pair",), ("networkx", "numpy"), "every branch, with probabilities"),
    "measure": Room(("catalogue", "explore"), ("numpy",), "leaks, census, sweeps"),
    "conformance": Room(("measure",), ("msgspec", "numpy"), "compared with others"),
    "dumps": Room(("tcp",), (), "the output of ss and netstat"),
    "diagnosis": Room(("dumps", "conformance"), (), "what the sockets of a dump mean"),
    "planning": Room(("draw",), ("numpy",), "what a server will hold"),
    "draw": Room(("measure",), ("matplotlib", "networkx", "numpy"), "ladders, diagrams, curves"),
    "capture": Room(("pair",), (), "packet captures"),
    "web": Room(("draw",), (), "pages for a browser"),
    "api": Room(
        ("steps", "diagnosis", "planning", "capture", "web"),
        ("matplotlib",),
        "the functions of `import tcpsim`",
    ),
    "cli": Room(("api",), ("click", "rich"), "the command line"),
    "experiments": Room(("draw", "conformance"), ("numpy", "polars"), "one question in each file"),
}

COMMON = ("errors", "units", "domain", "profile")

# A clock, a generator or a thread below `host` would end the rule "state and now come in, state comes out".
PURE = ("tcp", "sockets", "path", "app", "pair", "catalogue")
FORBIDDEN_BELOW_HOST = {"time", "datetime", "random", "secrets", "socket", "threading", "asyncio", "os"}


def below(room: str) -> set[str]:
    """Every room that `room` may import, itself included."""
    return {room}.union(*(below(other) for other in TABLE[room].on)) if room in TABLE else set()


class Import(NamedTuple):
    """One import: the room it is in, the file and line, and the dotted name."""

    room: str
    where: str
    name: str

    @property
    def top(self) -> str:
        return self.name.split(".")[0]

    @property
    def target(self) -> str | None:
        """The room of this project that is imported, if any."""
        parts = self.name.split(".")
        if parts[0] in ("experiments", "benchmarks", "tests"):
            return parts[0]
        inside = parts[0] == "tcpsim" and len(parts) > 1 and parts[1] != "__version__"
        return parts[1] if inside else None


def imports() -> Iterator[Import]:
    """Every import statement of tcpsim/ and experiments/, at any depth of the code."""
    for path in sorted([*(ROOT / "tcpsim").rglob("*.py"), *(ROOT / "experiments").rglob("*.py")]):
        relative = path.relative_to(ROOT)
        room = relative.parts[1].removesuffix(".py") if relative.parts[0] == "tcpsim" else relative.parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for name in _names(node, relative):
                yield Import(room, f"{relative}:{getattr(node, 'lineno', 0)}", name)


def _names(node: ast.AST, path: Path) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        package = path.parts[: len(path.parts) - node.level] if node.level else ()
        base = ".".join([*package, *([node.module] if node.module else [])])
        return [f"{base}.{alias.name}" for alias in node.names]
    return []


def picture() -> str:
    """The table as a mermaid flow chart: an arrow means "is used by". Common ground is left out."""
    shown = {name: room for name, room in TABLE.items() if name not in COMMON}
    lines = ["```mermaid", "flowchart LR"]
    for name, room in shown.items():
        outside = f"<br><i>{', '.join(room.third_party)}</i>" if room.third_party else ""
        lines.append(f'  {name}["<b>{name}</b><br>{room.does}{outside}"]')
    lines += [f"  {other} --> {name}" for name, room in shown.items() for other in room.on if other in shown]
    return "\n".join([*lines, "```"])


def page_with_picture(page: str) -> str:
    """The page, its picture replaced by the table's."""
    head, rest = page.split(BEGIN)
    return f"{head}{BEGIN}\n{picture()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page_with_picture(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(picture())
