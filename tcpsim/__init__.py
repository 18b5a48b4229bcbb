"""tcpsim: why TCP sockets stay in CLOSE-WAIT and FIN-WAIT-2, how many leak, and which knob helps.

Everything that the command line does is a function here, under the same name and with the same settings:

    >>> import tcpsim
    >>> tcpsim.run("closewait-ignored-eof")
    <Run closewait-ignored-eof: permanent: client CLOSE-WAIT, server gone>
    >>> tcpsim.exact("one-rst-stack", loss=0.05)
    <Exact one-rst-stack: a socket stays for ever with probability 0.05 at 5 % loss>

Ask about one connection, or about many:

    run         one connection: a ladder and a verdict
    compare     a scenario as it is, and with fixes
    exact       how a connection ends, with the probability of each end; nothing is sampled
    check       what holds in every future of a connection
    population  many connections: what their hosts hold over time
    exhaust     a host that runs out: of what, when, and what would help
    users       browsers and connection pools
    sweep       one question at many points; plot draws the rows; study says what a sweep would take
    explain     a scenario's story
    plan        what a server will hold at a rate of connections, and which limit comes first
    diagnose    what the sockets of a dump (ss, netstat, ...) mean, and what helps
    page        a file on which a reader chooses which segments are lost
    pages       such a file for each scenario, and an index

Judge the simulator by others:

    packetdrill  scripts in the language of the tool of that name
    conform      traces and populations of a real kernel
    lab          record a scenario on two real hosts, and compare (Linux, as root)

Choose from what there is, or bring your own:

    scenarios, scenario, Scenario    the catalogue; a TOML file; a set-up of your own
    behaviours, Program, steps       what programs do
    stacks, stack                    TCP implementations, as data with sources
    middleboxes                      NATs and firewalls
    Setting                          what may be changed of a scenario
    states                           the state diagram

Every result prints itself (`print(result)`), is one line in a shell and a picture or a table in a notebook,
and has `.table()` (tidy rows), `.to_dict()` (JSON) and `.save(path)` (the suffix says what). A mistake raises
`InputError`: one line that says where, what was found and what is allowed. Times are texts with a unit
("10ms") or integers of microseconds.
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
    from tcpsim.api.lists import behaviours as behaviours
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
    from tcpsim.errors import InputError as InputError

# Where each name comes from; loaded when it is first used (PEP 562): nobody waits for what he does not use.
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
    "scenarios": "tcpsim.api.lists",
    "behaviours": "tcpsim.api.lists",
    "stack": "tcpsim.api.lists",
    "stacks": "tcpsim.api.lists",
    "middleboxes": "tcpsim.api.lists",
    "states": "tcpsim.api.lists",
    "Scenario": "tcpsim.catalogue.scenario",
    "Setting": "tcpsim.catalogue.scenario",
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
