"""The catalogue: named, documented set-ups that become pairs; and one run of a pair, with its verdict."""

from tcpsim.scenario.catalogue import scenario, scenarios
from tcpsim.scenario.run import Ended, Verdict, ended, run, sockets_in_words
from tcpsim.scenario.scenario import Contrast, Expect, Scenario, Setting, build

__all__ = [
    "Contrast",
    "Ended",
    "Expect",
    "Scenario",
    "Setting",
    "Verdict",
    "build",
    "ended",
    "run",
    "scenario",
    "scenarios",
    "sockets_in_words",
]
