"""A situation: two programs, and what to look for when real kernels run them.

Owns: the fields of a situation, and how it becomes a pair. Refuses to know: the list of situations
(situations).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tcpsim.app import Program, Step
from tcpsim.catalogue import build, scenario
from tcpsim.pair import Pair
from tcpsim.units import parse_duration

_FRAME = "normal-close"  # the scenario whose path and stacks they use


@dataclass(frozen=True, slots=True)
class Situation:
    """Two programs and what to see. A call that fails goes on at `client_error`, `server_error`."""

    name: str
    title: str
    client: Sequence[Step]
    server: Sequence[Step]
    client_error: Sequence[Step] | None = None
    server_error: Sequence[Step] | None = None
    knobs: Mapping[str, str] = field(default_factory=dict)
    drops: tuple[str, ...] = ()
    horizon: str = "3s"
    delay: str = ""  # one way; the frame's if empty

    @property
    def horizon_us(self) -> int:
        """Until when to watch."""
        return parse_duration(self.horizon, f"{self.name}.horizon")

    def pair(self, overrides: Mapping[str, Any]) -> Pair:
        """The pair, with fields of `tcpsim.catalogue.Setting` changed or added to."""
        changed = dict(overrides)
        changed["knobs"] = {**self.knobs, **changed.get("knobs", {})}
        if self.delay:
            changed.setdefault("delay", self.delay)
        changed["drops"] = (*self.drops, *changed.get("drops", ()))
        changed["client"] = changed.get("client") or Program(self.client, self.client_error)
        changed["server"] = changed.get("server") or Program(self.server, self.server_error)
        return build(scenario(_FRAME), **changed)
