"""Reads a user's scenario from TOML. Every mistake is reported with the path of its field.

Owns: the tables of a file that describe a connection. Refuses to know: where the text comes from (api), what
else a file may say (setup_file), single values (toml_values), and what a behaviour, a knob or a rule means;
their own parsers read them.

    horizon = "1h"                      # also: name, title, theme, question, story, watch, source,
                                        # concerns, within, cures, in_vain
    [client]
    behaviour = "never-closes"
    stack = "linux"
    arguments = { request = 200 }       # of the behaviour
    knobs = { tcp_fin_timeout = "30s" } # of the stack
    [[relay]]                           # a machine between; any number, from the client to the server
    behaviour = "nginx-stream"          # also: stack, arguments, knobs, and the path behind it:
    path = { delay = "5ms", loss = "1%" }
    [server]
    steps = ["listen", "accept", "receive 200", "send 1000", "close"]  # in place of a behaviour: step_words
    on_error = ["ignore"]               # default: close what is open
    [path]
    loss = "1%"
    delay = "25ms"
    drops = ["server FIN 2"]
    delays = ["client DATA 2 by 300ms"]
    [middlebox]                         # a NAT or a firewall between
    kind = "linux-conntrack"
    knobs = { close_wait = "90s" }
    [expect]                            # also: settled, reads
    client = "CLOSE-WAIT"
    server = "gone"
    verdict = "permanent"
    rst = false

`[path]` is the path of the client. In its rules, and in those of a relay's path, "client" is the end that
connects.

Only `horizon` and a behaviour on each side are required. `expect` checks only the fields that it has. With
`base`, the name of a scenario of the catalogue, nothing is required: the tables say what differs. All
mistakes in a file are reported at once, each in one line.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from tcpsim.catalogue.connection_tables import Place, read_changes, read_relays
from tcpsim.catalogue.relay import Relay
from tcpsim.catalogue.run import Verdict
from tcpsim.catalogue.scenario import Expect, Scenario, changed
from tcpsim.catalogue.themes import scenario
from tcpsim.catalogue.toml_values import (
    Table,
    a_fix,
    at_field,
    boolean,
    count_or_errno,
    list_of,
    one_of,
    prose,
    span,
    text,
    time,
)
from tcpsim.errors import InputError
from tcpsim.pair import SIDES
from tcpsim.pair import names as machines

Begins = Callable[[Scenario | None], Scenario]
_TEXTS = ("title", "theme", "story", "watch", "question", "source")


class Connection(NamedTuple):
    """What a file says of a connection: a scenario to begin with, what differs, and further fields of one."""

    base: Scenario | None
    overrides: dict[str, Any]
    about: dict[str, Any]

    def scenario(self, name: str) -> Scenario:
        """The scenario that comes of it."""
        if self.base is not None:
            return replace(changed(self.base, self.overrides), **{"name": name, **self.about})
        fields = {"arguments" if each == "parameters" else each: it for each, it in self.overrides.items()}
        told = {"name": name, "title": name, "theme": "yours", "story": "", "watch": "", "expect": None}
        return Scenario(**{**told, **fields, **self.about})

    @property
    def place(self) -> Place | None:
        """What the connection has; None where a mistake hides it."""
        base, given = self.base, self.overrides
        if base is not None:
            begun = Place(base.client, base.server, base.stack_client, base.stack_server, base.middlebox)
            return begun._replace(relay=_first(self.about.get("relays", base.relays))).after(given)
        if not ({*SIDES} <= given.keys()):
            return None
        return Place("", "", "linux", "linux", relay=_first(self.about.get("relays", ()))).after(given)


def _first(relays: tuple[Relay, ...]) -> str | None:
    return relays[0].behaviour if relays else None


def parse_scenario(content: str, where: str, name: str) -> Scenario:
    """The scenario of a file's content; `where` is the file's name, `name` that of a scenario without one.

    Raises:
        InputError: no TOML, an unknown or a missing key, or a value out of range; with the field's path.
    """
    top = opened(content, where)
    found = read_connection(top)
    top.done()
    return found.scenario(name)


def opened(content: str, where: str) -> Table:
    """The outermost table of a file.

    Raises:
        InputError: it is no TOML.
    """
    try:
        document = tomllib.loads(content)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(where, str(error) or "tables too deep", "TOML") from None
    return Table(document, f"{where}: ")


def read_connection(top: Table, horizon: Any = None, begins: Begins | None = None) -> Connection:
    """What the outermost table says of a connection.

    `horizon` is that of a file which gives none; `begins` makes of the base, if any, what to begin with.
    """
    named = "base" in top.left or begins is not None
    base = top.take("base", lambda name, at: at_field(at, lambda: scenario(text(name, at))), None)
    base = begins(base) if begins is not None else base
    relays = top.take("relay", read_relays, None)
    between = (base.relays if base is not None else ()) if relays is None else relays
    start = Connection(base, {}, {"relays": between}).place if base is not None else None
    overrides = read_changes(top, start, known=not named or base is not None)
    needed = not named and horizon is None
    about: dict[str, Any] = {
        "name": top.take("name", text, None),
        **{each: top.take(each, prose, None) for each in _TEXTS},
        "expect": top.take("expect", _expect, None),
        "horizon": top.take("horizon", time)
        if needed
        else top.take("horizon", time, None if named else horizon),
        "concerns": top.take("concerns", one_of(*machines(len(between))), None),
        "cures": top.take("cures", list_of(a_fix), None),
        "in_vain": top.take("in_vain", list_of(a_fix), None),
        "within": top.take("within", time, None),
        "relays": relays,
    }
    return Connection(base, overrides, {key: value for key, value in about.items() if value is not None})


def _expect(value: Any, where: str) -> Expect:
    table = Table(value, where)
    verdict = one_of(*(str(each) for each in Verdict))
    wanted = table.take("verdict", verdict, None)
    found = Expect(
        client=table.take("client", text, None),
        server=table.take("server", text, None),
        verdict=None if wanted is None else Verdict(wanted),
        rst=table.take("rst", boolean, None),
        settled=table.take("settled", span, None),
        reads=table.take("reads", list_of(count_or_errno), None),
        relays=table.take("relays", list_of(text), None),
    )
    table.done()
    return found
