"""The catalogue: named, documented set-ups that become pairs; fixes; one run of a pair, with its verdict."""

from tcpsim.scenario.catalogue import scenario, scenarios
from tcpsim.scenario.fixes import Fix, changes, fix, fixes
from tcpsim.scenario.play import Played, cured, play, surprises
from tcpsim.scenario.run import Ended, Verdict, ended, run, sockets_in_words
from tcpsim.scenario.scenario import Contrast, Expect, Scenario, Setting, build

__all__ = [
    "Contrast",
    "Ended",
    "Expect",
    "Fix",
    "Played",
    "Scenario",
    "Setting",
    "Verdict",
    "build",
    "changes",
    "cured",
    "ended",
    "fix",
    "fixes",
    "play",
    "run",
    "scenario",
    "scenarios",
    "sockets_in_words",
    "surprises",
]
