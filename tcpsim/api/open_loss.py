"""A scenario whose loss is left open, so that rates can be put in afterwards.

Owns: which settings are losses, and what stands for them while the path is built. Refuses to know: what the
rates are put into (explore).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tcpsim.catalogue import Scenario, build
from tcpsim.pair import Pair
from tcpsim.units import parse_probability

LOSSES = ("loss", "loss_to_client", "loss_to_server")
OPEN = 0.5  # stands for any rate while the path is built


def opened(scenario: Scenario, changed: Mapping[str, Any]) -> tuple[Pair, dict[str, float]]:
    """The pair with open loss, and the rates that were asked for, by class of loss."""
    free = {name: value for name, value in changed.items() if name not in LOSSES}
    to_client, to_server = rates(scenario, changed, {})
    pair = build(scenario, **free, loss_to_client=OPEN, loss_to_server=OPEN)
    return pair, {"to client": to_client, "to server": to_server}


def rates(scenario: Scenario, base: Mapping[str, Any], point: Mapping[str, Any]) -> tuple[float, float]:
    """The loss to the client and to the server; what `point` says lies on top of `base`."""
    both = point.get("loss", base.get("loss", scenario.loss))
    found = [point.get(way, base.get(way, both)) for way in ("loss_to_client", "loss_to_server")]
    return parse_probability(found[0], "loss_to_client"), parse_probability(found[1], "loss_to_server")
