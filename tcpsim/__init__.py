"""tcpsim shows why TCP sockets stay in CLOSE-WAIT and FIN-WAIT-2, how many leak, and which setting helps.

This package has a function for each command of the command line. Names and settings are the same:

    >>> import tcpsim
    >>> tcpsim.run("closewait-ignored-eof")
    <Run closewait-ignored-eof: permanent: client CLOSE-WAIT, server gone>
    >>> tcpsim.exact("one-rst-stack", loss=0.05)
    <Exact one-rst-stack: a socket stays for ever with probability 0.05 at 5 % loss>

Functions that answer a question:

    run         simulates one connection and returns a ladder and a verdict
    compare     runs a scenario without and with fixes
    exact       computes the probability of each end of a connection, without sampling
    check       tests properties in every state that a connection can reach
    population  simulates many connections and counts their sockets over time
    exhaust     simulates a host until a limit is met, and says what would help
    users       simulates browsers and connection pools
    sweep       answers one question for many combinations of settings
    plot        draws the rows of a sweep
    study       checks a sweep and estimates its time
    explain     returns the story of a scenario
    plan        predicts what a server will hold at a rate, and which limit it meets first
    diagnose    explains the sockets in the output of ss, netstat, ...
    page        returns an HTML file on which a reader chooses which segments are lost
    pages       writes such a file for each scenario, and an index

Functions that compare the simulator with others:

    packetdrill  runs packetdrill scripts
    conform      replays traces and populations of a real kernel
    lab          records a scenario on two real hosts and compares (needs Linux and root)

Functions and classes for the input:

    scenarios, scenario, Scenario    the catalogue, one scenario or a TOML file, and a scenario of your own
    workloads, Workload              many connections, and the limits of their hosts
    user_groups, UserGroup           browsers and pools (Variant, Browsers, Habit, Requests, PoolConfig)
    behaviours, Program, steps       named programs, and programs of your own
    stacks, stack                    TCP implementations, as data with sources
    middleboxes, middlebox           NATs and firewalls
    Setting                          the settings that change a scenario
    states                           the state diagram of TCP

`print(result)` prints the text of a result. A shell shows a result as one line, and a notebook shows it as a
picture or a table. `.table()` returns rows, `.to_dict()` returns the JSON document, and `.save(path)` writes
a file whose suffix selects the format. A mistake raises `InputError`, whose text is one line: where the
mistake is, what was found, and what is allowed. A time is a text with a unit ("10ms") or an integer of
microseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tcpsim import steps as steps
    from tcpsim.api import lab as lab
    from tcpsim.api.check import check as check
    from tcpsim.api.compare import compare as compare
    from tcpsim.api.conform import conform as conform
    from tcpsim.api.diagnose import diagnose as diagnose
    from tcpsim.api.exact import exact as exact
    from tcpsim.api.exhaust import exhaust as exhaust
    from tcpsim.api.explain import explain as explain
    from tcpsim.api.index import user_groups as user_groups
    from tcpsim.api.index import workloads as workloads
    from tcpsim.api.lists import behaviours as behaviours
    from tcpsim.api.lists import middlebox as middlebox
    from tcpsim.api.lists import middleboxes as middleboxes
    from tcpsim.api.lists import scenario as scenario
    from tcpsim.api.lists import scenarios as scenarios
    from tcpsim.api.lists import stack as stack
    from tcpsim.api.lists import stacks as stacks
    from tcpsim.api.lists import states as states
    from tcpsim.api.packetdrill import packetdrill as packetdrill
    from tcpsim.api.page import page as page
    from tcpsim.api.pages import pages as pages
    from tcpsim.api.plan import plan as plan
    from tcpsim.api.population import population as population
    from tcpsim.api.run import run as run
    from tcpsim.api.sweep import plot as plot
    from tcpsim.api.sweep import sweep as sweep
    from tcpsim.api.sweep_points import study as study
    from tcpsim.api.users import users as users
    from tcpsim.app.program import Program as Program
    from tcpsim.catalogue.scenario import Scenario as Scenario
    from tcpsim.catalogue.scenario import Setting as Setting
    from tcpsim.catalogue.user_group import UserGroup as UserGroup
    from tcpsim.catalogue.user_group import Variant as Variant
    from tcpsim.catalogue.workload import Workload as Workload
    from tcpsim.errors import InputError as InputError
    from tcpsim.host.browser import Browsers as Browsers
    from tcpsim.host.browser import Habit as Habit
    from tcpsim.host.pool import PoolConfig as PoolConfig
    from tcpsim.host.pool import Requests as Requests

# The module of each name. It is loaded when the name is first used (PEP 562).
_HOME = {
    "run": "tcpsim.api.run",
    "compare": "tcpsim.api.compare",
    "exact": "tcpsim.api.exact",
    "check": "tcpsim.api.check",
    "population": "tcpsim.api.population",
    "exhaust": "tcpsim.api.exhaust",
    "users": "tcpsim.api.users",
    "explain": "tcpsim.api.explain",
    "sweep": "tcpsim.api.sweep",
    "plot": "tcpsim.api.sweep",
    "study": "tcpsim.api.sweep_points",
    "packetdrill": "tcpsim.api.packetdrill",
    "conform": "tcpsim.api.conform",
    "diagnose": "tcpsim.api.diagnose",
    "plan": "tcpsim.api.plan",
    "page": "tcpsim.api.page",
    "pages": "tcpsim.api.pages",
    "scenario": "tcpsim.api.lists",
    "workloads": "tcpsim.api.index",
    "user_groups": "tcpsim.api.index",
    "scenarios": "tcpsim.api.lists",
    "behaviours": "tcpsim.api.lists",
    "stack": "tcpsim.api.lists",
    "stacks": "tcpsim.api.lists",
    "middlebox": "tcpsim.api.lists",
    "middleboxes": "tcpsim.api.lists",
    "states": "tcpsim.api.lists",
    "Scenario": "tcpsim.catalogue.scenario",
    "Setting": "tcpsim.catalogue.scenario",
    "Workload": "tcpsim.catalogue.workload",
    "UserGroup": "tcpsim.catalogue.user_group",
    "Variant": "tcpsim.catalogue.user_group",
    "Browsers": "tcpsim.host.browser",
    "Habit": "tcpsim.host.browser",
    "Requests": "tcpsim.host.pool",
    "PoolConfig": "tcpsim.host.pool",
    "Program": "tcpsim.app.program",
    "InputError": "tcpsim.errors",
}
_MODULES = {"steps": "tcpsim.steps", "lab": "tcpsim.api.lab"}
__all__ = ["__version__", *_MODULES, *_HOME]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        found: Any = import_module(_MODULES[name])
    elif name in _HOME:
        found = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'tcpsim' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
