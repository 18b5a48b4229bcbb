"""Pages of the whole catalogue, and the page that lists them.

Owns: the index: by theme, by the state that stays, by the side that keeps it. Refuses to know: what stands on
a page of one connection (document).
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

from tcpsim.pair import SIDES
from tcpsim.web.document import filled, read, styled_and_scripted

INDEX: Final = "index.html"
_NONE: Final = "nothing"


class Entry(NamedTuple):
    """One connection of the catalogue: what is left of it if nothing is lost, and what one loss can leave."""

    name: str
    title: str
    theme: str
    left: tuple[tuple[str, str], ...]  # (side, state) of each socket that stays
    losses: int | None  # the fewest after which a socket stays for ever; None: not within what is followed
    page: str  # the file's name, or nothing where it cannot be explored
    why_not: str = ""


def index(entries: Sequence[Entry], version: str) -> str:
    """The page that lists all, three times."""
    themes = list(dict.fromkeys(each.theme for each in entries))
    states = sorted({state for each in entries for _, state in each.left})
    parts = [_table("All connections", "all", entries)]
    parts += [
        "<h2>By theme</h2>",
        *[_list(theme, [e for e in entries if e.theme == theme]) for theme in themes],
    ]
    parts += ["<h2>By what stays, though nothing is lost</h2>"]
    for state in [*states, _NONE]:
        parts.append(_list(state, [each for each in entries if _stays(each, state)]))
    parts += ["<h2>By the side that keeps it</h2>"]
    for side in [*SIDES, *sorted({side for each in entries for side, _ in each.left} - {*SIDES})]:
        parts.append(_list(side, [each for each in entries if side in [one for one, _ in each.left]]))
    return filled(
        read("index.html"), {"CONTENT": "\n".join(parts), "VERSION": escape(version), **styled_and_scripted()}
    )


def _stays(entry: Entry, state: str) -> bool:
    return state in [one for _, one in entry.left] if state != _NONE else not entry.left


def _link(entry: Entry) -> str:
    name = escape(entry.name)
    return f'<a href="{escape(entry.page)}">{name}</a>' if entry.page else name


def _list(title: str, entries: Sequence[Entry]) -> str:
    rows = "".join(f"<li>{_link(each)}: {escape(each.title)}</li>\n" for each in entries)
    return f"<h3>{escape(title)}</h3>\n<ul>{rows}</ul>" if rows else ""


def _table(title: str, name: str, entries: Sequence[Entry]) -> str:
    columns = ("connection", "what it is about", "stays if nothing is lost", "losses to a leak")
    head = "".join(f'<th scope="col">{each}</th>' for each in columns)
    rows = "".join(
        f'<tr><th scope="row">{_link(each)}</th><td>{escape(each.title)}</td><td>{escape(_left(each))}</td>'
        f'<td class="whole">{escape(_losses(each))}</td></tr>\n'
        for each in entries
    )
    return (
        f'<h2 id="{name}">{escape(title)}</h2>\n'
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{name}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _left(entry: Entry) -> str:
    return ", ".join(f"{side} {state}" for side, state in entry.left) or _NONE


def _losses(entry: Entry) -> str:
    if not entry.page:
        return entry.why_not
    return "none known here" if entry.losses is None else str(entry.losses)
