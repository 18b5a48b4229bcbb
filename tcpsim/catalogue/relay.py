"""A machine between, as a scenario says it: its program and stack, and the path behind it.

Owns: the fields, what each may be on its own, and which names of machines mean which. Refuses to know: how a
pair is built of it (scenario), and the words of a file (scenario_file).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tcpsim.app import find
from tcpsim.app.behaviour import Side as Role
from tcpsim.errors import InputError, unknown
from tcpsim.pair import SIDES, Side
from tcpsim.path import middleboxes, parse_rule
from tcpsim.tcp.stack import names as stacks
from tcpsim.units import parse_duration, parse_probability


@dataclass(frozen=True, slots=True)
class Relay:
    """`arguments` are parameters of the behaviour, `knobs` fields of the stack, or own names. `delay`,
    `loss`, `drops` and `middlebox` are those of the path to the next machine; in its rules "client" is the
    relay.
    """

    behaviour: str
    stack: str = "linux"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    knobs: Mapping[str, Any] = field(default_factory=dict)
    delay: str = "10ms"
    loss: float = 0.0
    drops: tuple[str, ...] = ()
    middlebox: str = "none"

    def __post_init__(self) -> None:
        find("relay", self.behaviour)
        if self.stack not in stacks():
            raise unknown("stack", self.stack, list(stacks()))
        if self.middlebox not in ("none", *middleboxes()):
            raise unknown("middlebox", self.middlebox, ["none", *middleboxes()])
        parse_duration(self.delay, "relay.delay")
        parse_probability(self.loss, "relay.loss")
        for rule in self.drops:
            parse_rule(rule, "relay.drops")
        for where in ("arguments", "knobs"):
            if not isinstance(getattr(self, where), Mapping):
                raise InputError(f"relay.{where}", repr(getattr(self, where)), "values by name")


def role(side: Side) -> Role:
    """What kind of program a machine runs."""
    return side if side in SIDES else "relay"


def means(owner: str, side: Side) -> bool:
    """Whether the name in front of a setting means a machine: "relay" means each of several."""
    return owner == side or (owner == "relay" and side not in SIDES)
