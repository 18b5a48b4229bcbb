"""The list of all scenarios by name.

Owns: the order in which they are told, and the errors of a name that does not exist. Refuses to know: the
stories; each theme is a module beside this one.
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Scenario
from tcpsim.catalogue.themes import (
    close_wait,
    fin_wait_2,
    half_open,
    lingering,
    middleboxes,
    normal_close,
    pile_ups,
    relays,
    resets,
    server_leaks,
    systems,
    workloads,
)
from tcpsim.errors import unknown

_ALL = (
    *normal_close.SCENARIOS,
    *close_wait.SCENARIOS,
    *server_leaks.SCENARIOS,
    *resets.SCENARIOS,
    *half_open.SCENARIOS,
    *middleboxes.SCENARIOS,
    *fin_wait_2.SCENARIOS,
    *systems.SCENARIOS,
    *lingering.SCENARIOS,
    *pile_ups.SCENARIOS,
    *relays.SCENARIOS,
    *workloads.SCENARIOS,
)
_BY_NAME = {scenario.name: scenario for scenario in _ALL}


def scenarios() -> tuple[Scenario, ...]:
    """All of them, in the order in which they are best told."""
    return _ALL


def scenario(name: str) -> Scenario:
    """The scenario of that name.

    Raises:
        InputError: there is none; the message names those that are spelt nearly so.
    """
    if name not in _BY_NAME:
        raise unknown("scenario", name, list(_BY_NAME))
    return _BY_NAME[name]
