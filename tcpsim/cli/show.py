"""Output to the terminal: text, JSON, and colour.

Owns: the only code that writes to stdout, the rule for colour (on a terminal, unless NO_COLOR is set), and
the warning that a terminal is too narrow. Refuses to know: what is printed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from typing import Any

import click

from tcpsim.api.setting_notes import Noted
from tcpsim.tcp.state import State

_STYLES = {
    State.CLOSE_WAIT: "bold red",
    State.FIN_WAIT_2: "bold yellow",
    State.FIN_WAIT_1: "yellow",
    State.ESTABLISHED: "bold blue",
    State.SYN_SENT: "cyan",
    State.SYN_RECEIVED: "cyan",
    State.TIME_WAIT: "bright_black",
    State.CLOSING: "magenta",
    State.LAST_ACK: "magenta",
}
_WORDS = re.compile(r"\b(?:" + "|".join(str(state) for state in _STYLES) + r")\b")
_PLAIN = str.maketrans("─│▶◀·→", "-|><.>")


def print_json(value: Any) -> None:
    """JSON, two blanks deep, keys in the order of the documentation."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_text(text: str) -> None:
    """Text as it is; on a terminal, states and losses in colour. Never wrapped."""
    if not _can_encode(text):
        text = text.translate(_PLAIN)
    if os.environ.get("NO_COLOR") or not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
        sys.stdout.write(text)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    coloured = Text(text.rstrip("\n"))
    for found in _WORDS.finditer(text):
        coloured.stylize(_STYLES[State[found[0].replace("-", "_")]], *found.span())
    coloured.highlight_regex(r"X lost|lost X|(?<=─)X .*(?=│)|RST", "bold red")
    coloured.highlight_regex(r"\.\.\. .* pass \.\.\.", "dim italic")
    console.print(coloured)


def warn_if_narrow(columns: int, instead: str) -> None:
    """One line on stderr if stdout is a terminal in which lines of `columns` do not fit."""
    if sys.stdout.isatty() and (found := shutil.get_terminal_size().columns) < columns:
        click.echo(
            f"tcpsim: this needs {columns} columns, and the terminal has {found}; use {instead}", err=True
        )


def _can_encode(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def warn_of_drops(found: Noted) -> None:
    """One line on stderr for each drop rule that matched nothing."""
    where = "in this run" if len(found.looked_at) == 1 else f"in the {len(found.looked_at)} runs looked at"
    for rule in found.unmatched:
        click.echo(f"tcpsim: drop {rule!r} matched nothing {where}", err=True)
