"""The catalogue of scenarios, their fixes, and one run of a scenario with its verdict."""

from tcpsim.catalogue.as_toml import as_toml
from tcpsim.catalogue.fix_list import Fix
from tcpsim.catalogue.fix_trial import Tried, judge, takes, try_fix
from tcpsim.catalogue.fixes import changes, fix, fixes
from tcpsim.catalogue.ineffective import Idle, Sample, idle, unmatched
from tcpsim.catalogue.relay import Relay
from tcpsim.catalogue.requests import Request, requests
from tcpsim.catalogue.run import Ended, Verdict, ended, run
from tcpsim.catalogue.scenario import Contrast, Expect, Scenario, Setting, build, merged
from tcpsim.catalogue.scenario_file import parse_scenario
from tcpsim.catalogue.simulate import (
    Played,
    about_reads,
    concerned,
    cured,
    cured_us,
    descriptors,
    play,
    surprises,
)
from tcpsim.catalogue.symptoms import Symptom, matching, own_symptoms, scenarios, symptoms
from tcpsim.catalogue.themes import scenario

__all__ = [
    "Contrast",
    "Ended",
    "Expect",
    "Fix",
    "Idle",
    "Played",
    "Relay",
    "Request",
    "Sample",
    "Scenario",
    "Setting",
    "Symptom",
    "Tried",
    "Verdict",
    "about_reads",
    "as_toml",
    "build",
    "changes",
    "concerned",
    "cured",
    "cured_us",
    "descriptors",
    "ended",
    "fix",
    "fixes",
    "idle",
    "judge",
    "matching",
    "merged",
    "own_symptoms",
    "parse_scenario",
    "play",
    "requests",
    "run",
    "scenario",
    "scenarios",
    "surprises",
    "symptoms",
    "takes",
    "try_fix",
    "unmatched",
]
