"""How many losses does it take to leak a socket for ever?

For every scenario that can be explored, and everything that one side or the other can be left with for ever:
the smallest number of segments that have to be lost for it, besides those that the scenario itself loses, and
which ones these are; of several equally small sets the likeliest. States are explored in the order of the
losses to them, so what is found first needs fewest.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from tcpsim.draw.curves import Figure, footnote, sheet, state_colour
from tcpsim.draw.sheet import INK, QUIET, RULE
from tcpsim.explore.chain import Chain, explore
from tcpsim.explore.explorable import obstacle
from tcpsim.explore.leaks import Kind, in_words, kind_of
from tcpsim.explore.solve import classes
from tcpsim.explore.ways import Way, fewest_losses
from tcpsim.pair import Event, Sent
from tcpsim.path import Quiet
from tcpsim.scenario import Scenario, build, run, scenario, scenarios
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.state import State

STEM = "losses_it_takes"
RARE = 1e-4  # a loss this rare outweighs everything else: states come in the order of their losses
LIKELY = 0.01  # among equally small sets the likeliest at this rate
STATES = 1_200


class Point(NamedTuple):
    """One scenario, and how many states are looked at."""

    scenario: str
    states: int


def points(full: bool) -> list[Point]:
    """Every explorable scenario."""
    states = 12_000 if full else STATES
    return [Point(each.name, states) for each in scenarios() if obstacle(build(each)) is None]


def answer(point: Point) -> list[dict[str, Any]]:
    """A row for each end with a socket that stays; one row if there is none."""
    told = scenario(point.scenario)
    chain = explore(build(told, loss=LIKELY), point.states, RARE)
    known = {"scenario": told.name, "theme": told.theme, "states": chain.states}
    ends: dict[tuple[str, str], list[int]] = {}
    for part in classes(chain):
        if part.bottom and kind_of(chain, part) is Kind.PERMANENT:
            ends.setdefault(in_words(chain.view[part.states[0]]), []).extend(part.states)
    least = _least_cut(chain)
    rows = []
    for (client, server), states in ends.items():
        way = fewest_losses(chain, states, LIKELY)
        losses = sum(rule.count(",") + 1 for rule in way.drops)
        rows.append(
            known
            | {"client": client, "server": server, "losses": losses, "drops": "; ".join(way.drops)}
            | {"lost": _words(told, way), "chosen": "; ".join(way.chosen), "proved": losses <= least}
        )
    none = {"client": "", "server": "", "losses": None, "drops": "", "lost": "", "chosen": ""}
    return rows or [known | none | {"losses": least, "proved": False}]


def _least_cut(chain: Chain) -> int:
    """The fewest losses that lead to a state which was not looked into; whatever needs fewer is known."""
    if not chain.cut:
        return 1_000
    return sum(rule.count(",") + 1 for rule in fewest_losses(chain, chain.cut, LIKELY).drops)


def _words(told: Scenario, way: Way) -> str:
    """What is lost, by name; where programs choose, by number alone."""
    if way.chosen or not way.drops:
        return "; ".join(way.drops)
    events: list[Event] = []
    run(build(told, loss=0.0, drops=way.drops), Quiet(), told.horizon_us, events.append)
    names: list[str] = []
    for rule in way.drops:
        side, _, numbers = rule.partition(" #")
        sent = [event.segment for event in events if isinstance(event, Sent) and event.side == side]
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
    found = table.filter(pl.col("client") != "").sort("losses", "scenario", "client")
    none = table.filter(pl.col("client") == "").sort("losses", "scenario")
    count = len(found) + len(none)
    drawn, (panel,) = sheet(
        "How many losses does it take to leak a socket for ever?",
        "Most leaks of this catalogue take none: a program that forgets is enough. Where one RST ends a"
        " connection, the loss of it is enough, too;\nwhere programs close, the FIN has to be lost again and"
        " again until its sender gives up.",
        width=12.5,
        height=1.9 + 0.235 * count,
    )
    most = int(np.max(table["losses"].to_numpy().clip(max=20)))
    rows = [*found.to_dicts(), *none.to_dicts()]
    for place, row in enumerate(rows):
        leaks = bool(row["client"])
        at = min(row["losses"], most)
        colour = _colour(row) if leaks else QUIET
        panel.plot([0, at], [place, place], color=colour if leaks else RULE, lw=1.4)
        panel.plot(at, place, "o" if leaks else ">", color=colour, ms=5.5, mfc=colour if leaks else "white")
        said = _said(row) if leaks else "no leak with fewer" if at else "too many states to tell"
        panel.annotate(said, (at, place), xytext=(8, 0), textcoords="offset points", va="center", fontsize=8,
                       color=INK if leaks else QUIET, annotation_clip=False)  # fmt: skip
    panel.set_yticks(range(count), [row["scenario"] for row in rows], fontsize=8.5)
    panel.set_ylim(count - 0.4, -0.8)
    panel.set_xlim(-0.15, most + 4.5)
    panel.set_xticks(range(0, most + 1, 1 if most <= 12 else 2))
    panel.grid(axis="y", visible=False)
    panel.set_xlabel("segments that have to be lost, besides those that the scenario loses itself")
    states = round(float(np.median(table["states"].to_numpy())), -2)
    footnote(
        drawn,
        f"Exact: some {states:,.0f} states of each scenario, in the order of the losses to them."
        " >: whatever needs fewer losses was looked at, and leaks nothing for ever.",
    )
    return drawn


def _colour(row: dict[str, Any]) -> str:
    """Of the state that the client is left in, or the server."""
    words = f"{row['client']} {row['server']}".split()
    return next(state_colour(word) for word in words if word in {str(state) for state in State})


def _said(row: dict[str, Any]) -> str:
    ends = [f"{side} {row[side]}" for side in ("client", "server") if not row[side].startswith("gone")]
    return ", ".join(ends) + (f"   ({row['lost']})" if row["lost"] else "")
