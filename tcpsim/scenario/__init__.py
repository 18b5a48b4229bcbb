"""The catalogue: named, documented set-ups that become pairs; fixes; one run of a pair, with its verdict."""

from tcpsim.scenario.as_toml import as_toml
from tcpsim.scenario.catalogue import scenario, scenarios
from tcpsim.scenario.files import parse_scenario
from tcpsim.scenario.fixes import Fix, changes, fix, fixes
from tcpsim.scenario.play import Played, about_reads, cured, cured_us, play, surprises
from tcpsim.scenario.run import Ended, Verdict, ended, run, sockets_in_words
from tcpsim.scenario.scenario import Contrast, Expect, Scenario, Setting, build, merged

__all__ = [
    "Contrast",
    "Ended",
    "Expect",
    "Fix",
    "Played",
    "Scenario",
    "Setting",
    "Verdict",
    "about_reads",
    "as_toml",
    "build",
    "changes",
    "cured",
    "cured_us",
    "ended",
    "fix",
    "fixes",
    "merged",
    "parse_scenario",
    "play",
    "run",
    "scenario",
    "scenarios",
    "sockets_in_words",
    "surprises",
]
