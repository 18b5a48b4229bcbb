"""The lists of scenarios, stacks, behaviours and middleboxes, and the state diagram.

Owns: the functions that list and find them, and the lists as text and JSON. Refuses to know: what is in the
lists (catalogue, tcp, app, path).
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from tcpsim import catalogue
from tcpsim.api.event_json import parameter_record
from tcpsim.api.result import Pictured
from tcpsim.api.settings import Named, chosen, text_of
from tcpsim.app import Program
from tcpsim.app import behaviour as registry
from tcpsim.app.behaviour import ROLES, Behaviour, Side
from tcpsim.catalogue import Scenario, build
from tcpsim.catalogue.middlebox_file import parse_middlebox
from tcpsim.draw.caption import Caption
from tcpsim.errors import unknown
from tcpsim.path import Middlebox
from tcpsim.path import middlebox as one_middlebox
from tcpsim.path import middleboxes as names_of_middleboxes
from tcpsim.path.middlebox import sources
from tcpsim.profile import Knob
from tcpsim.tcp import stack as profiles
from tcpsim.tcp.stack import Stack
from tcpsim.units import parse_duration

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tcpsim.measure.results import Table

_ROOM = 72


def scenario(name: Named) -> Scenario:
    """The scenario with this name, or the scenario in a TOML file.

    >>> import tcpsim
    >>> tcpsim.scenario("closewait-ignored-eof").title
    'A client ignores end-of-file'

    Raises:
        InputError: there is no such scenario, or the file has a mistake.
    """
    return chosen(name)


def scenarios(
    state: str | None = None, side: str | None = None, owner: str | None = None
) -> tuple[Scenario, ...]:
    """Every scenario of the catalogue, in the order in which they are best read.

    With a symptom, only the scenarios that have it. `state` is spelled as in `ss` or netstat. `side` is
    client or server. `owner` is program, queue, kernel, or none (not a program).

    >>> import tcpsim
    >>> [each.name for each in tcpsim.scenarios()][:2]
    ['normal-close', 'simplex-half-close']
    >>> [each.name for each in tcpsim.scenarios(state="LAST_ACK", side="server")]
    ['last-ack-on-the-server']

    Raises:
        InputError: no such state, side or owner.
    """
    return catalogue.scenarios(state, side, owner)


def stack(name: str) -> Stack:
    """The profile of a TCP implementation. Its method `with_knobs` changes knobs.

    >>> import tcpsim
    >>> tcpsim.stack("linux").with_knobs({"tcp_fin_timeout": "30s"}).fin_wait_2_us
    30000000

    Raises:
        InputError: there is no such stack.
    """
    return profiles.stack(name)


def stacks() -> tuple[Stack, ...]:
    """Every stack profile.

    >>> import tcpsim
    >>> "linux" in {each.name for each in tcpsim.stacks()}
    True
    """
    return tuple(profiles.stack(name) for name in profiles.names())


def behaviours(side: Side | None = None) -> tuple[Behaviour, ...]:
    """The programs that a client or a server can run; with `side`, only those of this side.

    >>> import tcpsim
    >>> tcpsim.behaviours("client")[0].side
    'client'
    """
    return registry.behaviours(side)


def middleboxes() -> tuple[Middlebox, ...]:
    """The NATs and firewalls that can be on the path between the two hosts.

    >>> import tcpsim
    >>> len(tcpsim.middleboxes()) > 5
    True
    """
    return tuple(one_middlebox(name) for name in names_of_middleboxes())


def middlebox(named: str | PathLike[str]) -> Middlebox:
    """The NAT or firewall of that name, or the one of a TOML file; `with_knobs` turns its knobs.

    >>> import tcpsim
    >>> tcpsim.middlebox("junos").with_knobs({"established": "1h"}).established_us
    3600000000

    Raises:
        InputError: there is none, or the file is not what it should be.
    """
    return sourced(named)[0]


def sourced(named: str | PathLike[str]) -> tuple[Middlebox, tuple[Knob, ...]]:
    """A box, and where each of its values comes from."""
    if Path(named).suffix == ".toml":
        return parse_middlebox(text_of(named), Path(named).name)
    name = str(named)
    if name not in names_of_middleboxes():
        raise unknown("middlebox", name, names_of_middleboxes())
    return one_middlebox(name), sources(name)


def states() -> States:
    """The eleven states of a connection and the transitions between them.

    >>> import tcpsim
    >>> tcpsim.states().table()[0]["state"]
    'CLOSED'
    """
    return States()


class States(Pictured):
    """The transition table. `print()` shows it as text, and a notebook shows the diagram."""

    def caption(self) -> Caption:
        return Caption("states", "The states of a connection and the transitions between them")

    def headline(self) -> str:
        from tcpsim.tcp.lifecycle import TABLE

        return f"11 states, {len(TABLE)} transitions"

    def text(self) -> str:
        from tcpsim.draw.states_text import states_text

        return states_text()

    def figure(self) -> Figure:
        from tcpsim.draw.states_figure import states_figure

        return states_figure()

    def mermaid(self) -> str:
        """The diagram in mermaid."""
        from tcpsim.draw.mermaid import states_mermaid

        return states_mermaid()

    def _writers(self) -> dict[str, Any]:
        return {**super()._writers(), ".mmd": lambda path: self._write(path, self.mermaid())}

    def to_dict(self) -> list[dict[str, str]]:
        from tcpsim.tcp.lifecycle import TABLE

        return [
            {
                "rule": row.rule,
                "state": str(row.state),
                "fact": str(row.fact),
                "next_state": str(row.next_state),
                "source": row.source,
            }
            for row in TABLE
        ]

    def _table(self) -> Table:
        from tcpsim.measure.results import Table

        return Table.of_rows(self.to_dict())


# As words and JSON


def explorable(each: Scenario) -> bool:
    """Whether all of its states can be listed."""
    from tcpsim.explore.explorable import obstacle

    return obstacle(build(each)) is None


def symptoms_text(state: str | None, side: str | None, owner: str | None) -> str:
    """The scenarios that have a symptom. Each has what you see there."""
    asked = ", ".join(each for each in (state, side, owner) if each)
    found = scenarios(state, side, owner)
    if not found:
        return f"No scenario has such a socket ({asked}) for long.\n"
    blocks = []
    for each in found:
        seen = catalogue.matching(each, state, side, owner)
        blocks.append("\n".join([f"{each.name}: {each.title}", *(f"  {one.describe()}" for one in seen)]))
    first = found[0].name
    blocks.append(f"To read one: tcpsim explain {first}\nWhat helps:  tcpsim compare {first}")
    return "\n\n".join(blocks) + "\n"


def _program(program: str | Program) -> str | list[str]:
    """A behaviour's name, or a program's steps in words."""
    return program if isinstance(program, str) else list(program.describe())


def scenario_record(each: Scenario) -> dict[str, Any]:
    """One object of the list in docs/json.md."""
    return {
        "name": each.name,
        "theme": each.theme,
        "title": each.title,
        "story": each.story,
        "watch": each.watch,
        "client": _program(each.client),
        "server": _program(each.server),
        "stack_client": each.stack_client,
        "stack_server": each.stack_server,
        "knobs": dict(each.knobs),
        "loss": each.loss,
        "delay_us": parse_duration(each.delay),
        "middlebox": getattr(each.middlebox, "name", each.middlebox),
        "drops": list(each.drops),
        "horizon_us": each.horizon_us,
        "explorable": explorable(each),
        "concerns": each.concerns,
        "cures": list(each.cures),
        "in_vain": list(each.in_vain),
        "within": each.within,
        "question": each.question,
        "source": each.source,
        "symptoms": [one.record() for one in catalogue.symptoms(each)],
        "parameters": [parameter_record(name, parameter) for name, parameter in each.parameters()],
    }


def behaviours_text() -> str:
    """Client programs first. Each parameter has its default."""
    width = max(len(each.name) for each in behaviours())
    lines: list[str] = []
    for side in ROLES:
        lines += [*([""] if lines else []), f"{side}s"]
        for each in behaviours(side):
            defaults = " ".join(f"{one.name}={one.default}" for one in each.parameters)
            said = [*wrap(each.doc, _ROOM), *wrap(defaults, _ROOM)]
            said += wrap(f"source: {each.source}", _ROOM) if each.source else []
            names = [each.name, *[""] * (len(said) - 1)]
            lines += [f"  {name:<{width}} {words}" for name, words in zip(names, said, strict=True)]
    return "\n".join(lines) + "\n"


def behaviour_record(each: Behaviour) -> dict[str, Any]:
    """One object of the list in docs/json.md."""
    program = each.program()
    return {
        "side": each.side,
        "name": each.name,
        "does": each.doc,
        "parameters": [parameter_record(one.name, one) for one in each.parameters],
        "steps": list(program.describe()),
        "on_error": None if program.on_error is None else [step.describe() for step in program.on_error],
    }


def behaviour_text(each: Behaviour) -> str:
    """One behaviour with its steps, in the words that a scenario file takes."""
    program = each.program()
    lines = [f"{each.side} {each.name}", *(f"  {line}" for line in wrap(each.doc, _ROOM)), ""]
    steps = [("", step) for step in program.describe()]
    steps += [("on error: ", step.describe()) for step in program.on_error or ()]
    for when, told in steps:
        lines += wrap(f"{when}{told}", _ROOM, initial_indent="  ", subsequent_indent="      ")
    return "\n".join(lines) + "\n"
