"""How many losses does it take to leak a socket for ever?

For every scenario that can be explored, and everything that one side or the other can be left with for ever:
the smallest number of segments that have to be lost for it, besides those that the scenario itself loses, and
which ones these are; of several equally small sets the likeliest. States are explored in the order of the
losses to them, so what is found first needs fewest. Where nothing is found that way there are two bounds:
whatever needs fewer losses was looked at, and a leak that is made once the first FIN is sent shows that so
many are enough. For that states are explored in the opposite order, as if almost everything were lost.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from tcpsim.catalogue import Scenario, build, run, scenario, scenarios
from tcpsim.draw.colours import FAINT, INK, QUIET, RULE
from tcpsim.draw.curves import Axes, Figure, footnote, sheet, state_colour, wrapped
from tcpsim.explore.chain import explore
from tcpsim.explore.classes import classes
from tcpsim.explore.explorable import obstacle
from tcpsim.explore.leaks import Kind, in_words, kind_of
from tcpsim.explore.shortest_paths import Way, Ways
from tcpsim.pair import Event, Sent
from tcpsim.path import Quiet
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.state import State

STEM = "losses_it_takes"
RARE = 1e-4  # a loss this rare outweighs everything else: states come in the order of their losses
OFTEN = 0.9  # and one this likely leads to where senders give up
LIKELY = 0.01  # among equally small sets the likeliest at this rate
STATES = 1_200
DAY_US = 86_400_000_000  # by then everybody has given up

Leaks = dict[tuple[str, str], Way]  # by what the client and the server are left with


class Point(NamedTuple):
    """One scenario, how many states are looked at, and how many of its close, if need be."""

    scenario: str
    states: int
    closing: int


def points(full: bool) -> list[Point]:
    """Every explorable scenario of two hosts."""
    states = 12_000 if full else STATES
    closing = 12_000 if full else 2_000
    pairs = [each for each in scenarios() if not each.relays and obstacle(build(each)) is None]
    return [Point(each.name, states, closing) for each in pairs]


def answer(point: Point) -> list[dict[str, Any]]:
    """A row for each end with a socket that stays; one row if there is none, perhaps from its close alone.

    `at_least` and `at_most` losses are needed; null: no number is enough, or none is known to be.
    """
    told = scenario(point.scenario)
    chain = explore(build(told, loss=LIKELY), point.states, RARE)
    ways = Ways(chain, LIKELY)
    least = _least_cut(ways)
    known = {"scenario": told.name, "theme": told.theme, "states": chain.states}
    found = _leaks(ways)
    if not found and chain.cut:
        late = build(told, loss=LIKELY, loss_from=_first_fin_us(told))
        closing = _leaks(Ways(explore(late, point.closing, OFTEN), LIKELY))
        found = dict(sorted(closing.items(), key=lambda each: _losses(each[1]))[:1])
    rows = [
        known
        | {"client": client, "server": server}
        | {"at_least": _losses(way) if least is None else min(least, _losses(way)), "at_most": _losses(way)}
        | {"drops": "; ".join(way.drops), "lost": _words(told, way), "chosen": "; ".join(way.chosen)}
        for (client, server), way in found.items()
    ]
    none = {"client": "", "server": "", "at_least": least, "at_most": None, "drops": "", "lost": ""}
    return rows or [known | none | {"chosen": ""}]


def _leaks(ways: Ways) -> Leaks:
    """The way of fewest losses to everything that can be left for ever."""
    chain = ways.chain
    ends: dict[tuple[str, str], list[int]] = {}
    for part in classes(chain):
        if part.bottom and kind_of(chain, part) is Kind.PERMANENT:
            ends.setdefault(in_words(chain.view[part.states[0]]), []).extend(part.states)
    return {words: ways.fewest_losses(states) for words, states in ends.items()}


def _losses(way: Way) -> int:
    return sum(rule.count(",") + 1 for rule in way.drops)


def _least_cut(ways: Ways) -> int | None:
    """The fewest losses to a state that was not looked into; whatever needs fewer is known. None: all is."""
    return _losses(ways.fewest_losses(ways.chain.cut)) if ways.chain.cut else None


def _sent(told: Scenario, drops: tuple[str, ...] = ()) -> list[Sent]:
    """What is sent if nothing is lost but this, in order."""
    events: list[Event] = []
    run(build(told, loss=0.0, drops=drops), Quiet(), max(DAY_US, told.horizon_us), events.append)
    return [event for event in events if isinstance(event, Sent)]


def _first_fin_us(told: Scenario) -> int:
    """When the close begins; 0 if there is none."""
    return next((event.t_us for event in _sent(told) if event.segment.fin), 0)


def _words(told: Scenario, way: Way) -> str:
    """What is lost, by name; where programs choose, by number alone."""
    if way.chosen or not way.drops:
        return "; ".join(way.drops)
    everything = _sent(told, way.drops)
    names: list[str] = []
    for rule in way.drops:
        side, _, numbers = rule.partition(" #")
        sent = [event.segment for event in everything if event.side == side]
        names += [f"{side}'s {_name(sent[int(number) - 1])}" for number in numbers.split(",")]
    return ", ".join(name if n == 1 else f"{name} x {n}" for name, n in Counter(names).items())


def _name(segment: Segment) -> str:
    if segment.rst:
        return "RST"
    if segment.syn:
        return "SYN-ACK" if segment.has_ack else "SYN"
    return "FIN" if segment.fin else "data" if segment.len else "ACK"


def figure(table: pl.DataFrame) -> Figure:
    """A row for each scenario and end, a dot at the number of losses, and what they are."""
    table = table.with_columns(pl.col("at_least", "at_most").cast(pl.Int64))
    told = (pl.col("at_least") == pl.col("at_most")).fill_null(False)
    found = table.filter(told & (pl.col("at_most") > 0)).sort("at_most", "scenario", "client")
    rest = table.filter(~told).sort("at_most", "at_least", "scenario", nulls_last=True)
    rows = [*found.to_dicts(), *rest.to_dicts()]
    none = table.filter(told & (pl.col("at_most") == 0)).sort("scenario")
    free = ", ".join(dict.fromkeys(f"{row['scenario']} ({_ends(row)})" for row in none.to_dicts()))
    drawn, (panel,) = sheet(
        _finding(table),
        "Where a program forgets, a socket leaks without any loss. Where one RST ends a connection, losing it"
        " is enough. Where both programs close, the FIN has to be lost again and again until its sender gives"
        " up.",
        height=2.2 + 0.265 * len(rows) + 0.14 * len(free) / 100,
    )
    for place, row in enumerate(rows):
        _row(panel, place, row)
    most = max(1, *[row[key] or 0 for row in rows for key in ("at_least", "at_most")])
    panel.set_yticks(range(len(rows)), [row["scenario"] for row in rows], fontsize=8.5)
    panel.set_ylim(len(rows) - 0.4, -0.8)
    panel.set_xlim(-0.02 * most, 1.03 * most)
    panel.set_xticks(range(0, most + 1, 1 if most <= 8 else 5))
    panel.grid(axis="y", visible=False)
    panel.grid(axis="x", color=RULE, linewidth=0.6)
    panel.set_xlabel("segments that have to be lost")
    panel.set_ylabel("scenario")
    states = round(float(np.median(table["states"].to_numpy())), -2)
    footnote(
        drawn,
        f"A dot alone is exact: some {states:,.0f} states of each scenario, in the order of losses. Triangle:"
        " whatever needs fewer losses was looked at, and leaks nothing for ever. Dot at the end of a dotted"
        " line: so many are enough, by a leak that losses make after the first FIN is sent. Losses that"
        f" belong to a scenario are not counted.\nNo loss is needed in: {free or 'none of them'}.",
    )
    return drawn


def _finding(table: pl.DataFrame) -> str:
    """How many scenarios leak without a loss, and how many losses it takes where both sides close."""
    least = table.group_by("scenario").agg(pl.col("at_most").min(), pl.col("at_least").min())
    none = least.filter(pl.col("at_most") == 0).height
    said = f"{none} of {least.height} scenarios leak a socket without any loss"
    normal = least.filter((pl.col("scenario") == "normal-close") & pl.col("at_most").is_not_null())
    if not normal.height:
        return said
    low, high = normal["at_least"][0], normal["at_most"][0]
    return f"{said}; a normal close needs {high if low == high else f'{low} to {high}'} losses"


def _row(panel: Axes, place: int, row: dict[str, Any]) -> None:
    """One line of the figure: the number, or what it lies between; and the words in a column of their own."""
    least, enough = row["at_least"], row["at_most"]
    at = enough if enough is not None else least or 0
    if enough is not None:
        colour = _colour(row)
        panel.plot([0, least], [place, place], color=colour if least == enough else FAINT, lw=1.4)
        panel.plot([least, enough], [place, place], ":", color=colour, lw=1.4)
        panel.plot(enough, place, "o", color=colour, ms=5.5)
        said = _ends(row) + (f" after losing {row['lost']}" if row["lost"] else "")
    else:
        panel.plot([0, at], [place, place], color=FAINT, lw=1.4)
        said = "no leak, whatever is lost" if least is None else f"no leak with fewer than {at} losses"
        said = said if at or least is None else "too many states to tell"
    if least is not None and least != enough:
        panel.plot(least, place, ">", color=QUIET, ms=5.5, mfc="white")
    panel.annotate(
        "\n".join(wrapped(said, 8.5, _WORDS_WIDE)), (1, place), (8, 0),
        xycoords=("axes fraction", "data"), textcoords="offset points", va="center", fontsize=8.5,
        linespacing=1.05, color=QUIET if enough is None else INK, annotation_clip=False,
    )  # fmt: skip


_WORDS_WIDE = 3.1  # inches


def _colour(row: dict[str, Any]) -> str:
    """Of the state that the client is left in, or the server."""
    words = f"{row['client']} {row['server']}".split()
    return next(state_colour(word) for word in words if word in {str(state) for state in State})


def _ends(row: dict[str, Any]) -> str:
    """What is left on either side."""
    return ", ".join(
        f"{side} {row[side]}" for side in ("client", "server") if not row[side].startswith("gone")
    )
