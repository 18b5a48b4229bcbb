"""The path between two hosts: delay, loss, duplication, reordering, NATs and firewalls.

Owns: the path and its elements, and the chooser that decides random events. Refuses to know: what a segment
means to TCP, and who is at the ends.
"""

from tcpsim.path.chance import Choice, Chooser, Quiet, Seeded, chance
from tcpsim.path.distribution import (
    Distribution,
    Exponential,
    Fixed,
    LogNormal,
    Uniform,
    parse_distribution,
)
from tcpsim.path.element import SIDES, Element, Fate, OneWay, Side
from tcpsim.path.flow_table import Tracker
from tcpsim.path.link import Link
from tcpsim.path.loss import Duplicate, GilbertElliott, Loss, Reorder
from tcpsim.path.middlebox import Middlebox, middlebox, middleboxes
from tcpsim.path.path import Path, due, inject, make_path, next_time, send
from tcpsim.path.rule import Rule, rule_from_trace
from tcpsim.path.rule_syntax import parse_rule

__all__ = [
    "SIDES",
    "Choice",
    "Chooser",
    "Distribution",
    "Duplicate",
    "Element",
    "Exponential",
    "Fate",
    "Fixed",
    "GilbertElliott",
    "Link",
    "LogNormal",
    "Loss",
    "Middlebox",
    "OneWay",
    "Path",
    "Quiet",
    "Reorder",
    "Rule",
    "Seeded",
    "Side",
    "Tracker",
    "Uniform",
    "chance",
    "due",
    "inject",
    "make_path",
    "middlebox",
    "middleboxes",
    "next_time",
    "parse_distribution",
    "parse_rule",
    "rule_from_trace",
    "send",
]
