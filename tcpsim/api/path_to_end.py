"""A path to an end: drop rules for `tcpsim run`, and the ladder of that run.

Owns: the text, the JSON and the ladder of a path. Refuses to know: which paths are of interest (exact,
check).
"""

from __future__ import annotations

from typing import Any

from tcpsim.catalogue import Scenario, Verdict, build
from tcpsim.catalogue import run as run_pair
from tcpsim.draw.event_text import tell, titles
from tcpsim.draw.ladder import ladder
from tcpsim.explore.shortest_paths import Way
from tcpsim.pair import Event
from tcpsim.path import Quiet

LOSSES = ("loss_to_client", "loss_to_server")


def way_words(way: Way) -> str:
    """The segments to lose and the choices of programs; empty if there are none."""
    return " ".join([*[f'--drop "{rule}"' for rule in way.drops], *[f"({chosen})" for chosen in way.chosen]])


def way_json(way: Way) -> dict[str, Any]:
    """The keys that every document has for a path."""
    return {"drops": way.drops, "chosen": way.chosen}


def way_ladder(way: Way, chosen: Scenario, asked: dict[str, Any]) -> str | None:
    """The run of the scenario that loses exactly these segments; None if a program has to choose."""
    if way.chosen:
        return None
    drops = (*asked.get("drops", ()), *way.drops)
    pair = build(chosen, **{**asked, **dict.fromkeys(LOSSES, 0.0), "drops": drops})
    events: list[Event] = []
    ended = run_pair(pair, Quiet(), chosen.horizon_us, events.append)
    end_us = chosen.horizon_us if ended.verdict is Verdict.RUNNING else None
    return ladder(tell(events, titles(pair), end_us, pair.names))
