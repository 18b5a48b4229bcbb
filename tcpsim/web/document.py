"""One HTML file: the data of one or more connections, and the style and the script that show them.

Owns: what stands in the file, and that nothing in it can be taken for markup or run but the page's own
script. Refuses to know: how a graph is explored (graph), and which pages there are (site).

The style and the script are files of this room, put into the page as they are. A policy in the page lets the
browser run a script with just that hash, and fetch nothing at all.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any, Final, NamedTuple

from tcpsim.draw.colours import STATE_COLOURS
from tcpsim.draw.states_layout import BOX, HEIGHT, PLACES, WIDTH, arcs, route
from tcpsim.draw.verdict import HOLDERS
from tcpsim.web.graph import Graph

SCRIPTS: Final = (
    "words.js", "line.js", "graph.js", "chance.js", "layout.js", "ladder.js", "diagram.js", "exercise.js",
    "pane.js", "below.js", "page.js",
)  # fmt: skip
BEYOND_US: Final = 7 * 86_400_000_000  # an expected stay beyond that is a leak, as in `tcpsim exact`
_LOSS: Final = 0.1  # where the slider stands if nobody says


class Variant(NamedTuple):
    """One connection of a page: its name beside others, each machine's stack, how a command line runs it."""

    title: str
    stacks: tuple[str, ...]
    command: str
    graph: Graph
    data: dict[str, Any]  # the graph as the page has it


def document(
    title: str,
    story: str,
    variants: Sequence[Variant],
    version: str,
    loss: float = 0.0,
    index: str = "",
) -> str:
    """The page as text; `index` is the address of the page that lists all."""
    data = {
        "loss": loss or _LOSS,
        "beyond": BEYOND_US,
        "sides": variants[0].graph.sides,
        "diagram": _diagram(),
        "holders": {str(holder): words for holder, words in HOLDERS.items()},
        "variants": [
            {
                "title": each.title,
                "stacks": each.stacks,
                "command": each.command,
                "graph": each.data,
            }
            for each in variants
        ],
    }
    link = f'<p><a href="{escape(index)}">All connections</a></p>\n' if index else ""
    paragraphs = "".join(f"<p>{escape(part)}</p>\n" for part in story.split("\n\n") if part)
    script = "\n".join(read(each) for each in SCRIPTS)
    return filled(
        read("page.html"),
        {
            "TITLE": escape(title),
            "STORY": link + paragraphs,
            "VERSION": escape(version),
            "DATA": data_text(data),
            **styled_and_scripted(script),
        },
    )


def styled_and_scripted(script: str = "") -> dict[str, str]:
    """The style and a script, with the hashes by which the page's policy knows them."""
    style = read("page.css") + _colours()
    script = f"'use strict';\n{script}"
    return {"STYLE": style, "STYLE-HASH": _hash(style), "SCRIPT": script, "SCRIPT-HASH": _hash(script)}


def filled(template: str, values: dict[str, str]) -> str:
    """The template with each @NAME@ replaced, in one pass: what is put in is not looked at again.

    >>> filled("<h1>@TITLE@</h1>", {"TITLE": "a@TITLE@b"})
    '<h1>a@TITLE@b</h1>'
    """
    return re.sub(r"@([A-Z-]+)@", lambda found: values[found[1]], template)


def data_text(data: Any) -> str:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def read(name: str) -> str:
    """A file of this room."""
    return files("tcpsim.web").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _colours() -> str:
    """The colour of each state, as in every figure: bars of the ladder, boxes of the diagram, words.

    In the dark they are lighter: figures are drawn for white paper.
    """
    light = "".join(_rules(str(state), colour) for state, colour in STATE_COLOURS.items())
    dark = "".join(_rules(str(s), f"color-mix(in srgb, {c} 62%, white)") for s, c in STATE_COLOURS.items())
    return f"{light}@media screen and (prefers-color-scheme: dark) {{\n{dark}}}\n"


def _rules(state: str, colour: str) -> str:
    return (
        f".bar.S-{state}{{fill:{colour}}}.place.S-{state}{{stroke:{colour}}}"
        f"b.S-{state}{{border-color:{colour}}}\n"
    )


def _diagram() -> dict[str, Any]:
    """The layout of the state diagram, in inches from the lower left corner."""
    drawn = []
    for (state, next_state), words in arcs().items():
        way = route(state, next_state)
        drawn.append(
            {
                "from": str(state),
                "to": str(next_state),
                "points": way.points,
                "label": way.label,
                "align": way.align,
                "words": words,
            }
        )
    places = {str(name): place for name, place in PLACES.items()}
    return {"width": WIDTH, "height": HEIGHT, "box": BOX, "places": places, "arcs": drawn}
