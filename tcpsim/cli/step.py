"""`tcpsim run --step`: a ladder, walked key by key.

Owns: the keys, and what of the ladder fits the screen. Refuses to know: how a ladder is drawn (draw).
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable

import click

from tcpsim.cli.show import print_text
from tcpsim.draw.ladder import ladder
from tcpsim.draw.ladder_rows import Story
from tcpsim.draw.part import part
from tcpsim.errors import InputError

_HELP = "space: next   b: back   g: to the end   q: quit"
_NEXT = (" ", "\r", "\n", "n", "\x1b[C", "\x1b[B")
_BACK = ("b", "\x1b[D", "\x1b[A")
_END = ("g", "G")
_QUIT = ("q", "Q", "\x03", "\x04")


def walk(story: Story, headline: str, summary: str, key: Callable[[], str] = click.getchar) -> None:
    """Show one moment more with each key; the summary stands at the end.

    Raises:
        InputError: there is no terminal to read keys from.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("--step", "no terminal", "a terminal; or --until TIME for a part of the ladder")
    moments = sorted({item.t_us for item in story.items})
    place = 0
    while True:
        over = place >= len(moments) - 1
        told = ladder(part(story, None, None if over else moments[place]))
        screen(headline, told, summary if over else "", f"{place + 1} of {len(moments)}   {_HELP}")
        pressed = key()
        if pressed in _QUIT:
            return
        if pressed in _BACK:
            place = max(place - 1, 0)
        elif pressed in _END:
            place = len(moments) - 1
        elif pressed in _NEXT:
            if over:
                return
            place += 1


def screen(headline: str, told: str, summary: str, below: str) -> None:
    """The last rows of the ladder that fit, beneath its head."""
    rows = told.rstrip("\n").splitlines()
    room = max(5, shutil.get_terminal_size().lines - 4 - summary.count("\n"))
    if len(rows) > room:
        rows = [rows[0], *rows[len(rows) - room + 1 :]]
    click.clear()
    print_text("\n".join([headline, *rows, *summary.rstrip("\n").splitlines(), below]) + "\n")
