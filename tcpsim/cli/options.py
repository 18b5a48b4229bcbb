"""The options that several commands share.

Owns: their names, help texts, and turning words into values. Refuses to know: what a duration, a
probability, a rate or a rule is (units, path): those parsers name the option in their own complaint.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tcpsim.errors import InputError
from tcpsim.pair import SIDES
from tcpsim.path import middleboxes
from tcpsim.tcp.stack import names
from tcpsim.units import parse_duration, parse_probability, parse_rate

Built = TypeVar("Built")
Command = TypeVar("Command", bound=Callable[..., Any])
Parser = Callable[[str, str], Any]


def parsed(name: str, parse: Parser, metavar: str, **attributes: Any) -> Callable[[Command], Command]:
    """An option whose words one of the project's own parsers turns into a value."""

    def convert(context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
        return None if value is None else parse(value, name)

    return click.option(name, *attributes.pop("names", ()), metavar=metavar, callback=convert, **attributes)


def duration(name: str, **attributes: Any) -> Callable[[Command], Command]:
    """An option that is a time with a unit."""
    return parsed(name, parse_duration, "TIME", **attributes)


def probability(name: str, **attributes: Any) -> Callable[[Command], Command]:
    """An option that is a number from 0 to 1, or per cent."""
    return parsed(name, parse_probability, "P", **attributes)


def rate(name: str, **attributes: Any) -> Callable[[Command], Command]:
    """An option that is a number of events per time."""
    return parsed(name, parse_rate, "RATE", **attributes)


def whole(name: str, least: int, most: int, **attributes: Any) -> Callable[[Command], Command]:
    """An option that is a whole number."""

    def parse(text: str, where: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise InputError(where, repr(text), f"an integer from {least} to {most}")
        return int(text)

    return parsed(name, parse, "N", **attributes)


def output(name: str, *suffixes: str, **attributes: Any) -> Callable[[Command], Command]:
    """An option that names a file to write, of one of a few kinds; whether it can be is known at once."""

    def parse(text: str, where: str) -> Path:
        path = Path(text)
        if path.suffix.lower() not in suffixes:
            raise InputError(where, repr(text), "a name that ends in " + " or ".join(suffixes))
        if path.is_dir():
            raise InputError(where, f"{text!r}, a directory", "the name of a file")
        if not path.parent.is_dir():
            raise InputError(where, f"{text!r}, in a directory that does not exist", "an existing directory")
        if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
            raise InputError(where, f"{text!r}, which cannot be written", "a file that can be written")
        return path

    return parsed(name, parse, "FILE", **attributes)


SEED = whole("--seed", 0, 2**64 - 1, default="1", show_default=True, help="Where chance begins.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md) instead of text.")

_PROGRAMS = (
    click.option("--stack-client", metavar="STACK", help=f"The client's TCP: {', '.join(names())}."),
    click.option("--stack-server", metavar="STACK", help="The server's TCP."),
    click.option(
        "--set",
        "knobs",
        multiple=True,
        metavar="[SIDE.]KNOB=VALUE",
        help="A knob of both stacks, or of one: server.tcp_fin_timeout=30s; middlebox.KNOB of the middlebox.",
    ),
    click.option("--client", metavar="BEHAVIOUR", help="Another client (see: tcpsim behaviours)."),
    click.option("--server", metavar="BEHAVIOUR", help="Another server."),
    click.option(
        "--with",
        "parameters",
        multiple=True,
        metavar="[SIDE.]NAME=VALUE",
        help="A parameter of the behaviours: client.delay=2s.",
    ),
)
_LOSS = (probability("--loss", help="Probability that a segment is lost, both ways."),)
_PATH = (
    probability("--loss-to-client", help="The same, on the way to the client only."),
    probability("--loss-to-server", help="The same, on the way to the server only."),
    duration("--delay", help="One-way delay, such as 10ms."),
    click.option(
        "--drop",
        "drops",
        multiple=True,
        metavar="RULE",
        help='Lose these: "server FIN 2", "every server RST", "server #7", "client after 5s".',
    ),
    click.option(
        "--middlebox", metavar="BOX", help=f"A NAT or firewall between: none, {', '.join(middleboxes())}."
    ),
    click.option("--loss-side", metavar="SIDE", help="Losses on one side of it only: client or server."),
)


def with_fix(words: str, build: Callable[[], Built]) -> Built:
    """What `build` makes with one fix, which may be one for other scenarios than this."""
    try:
        return build()
    except InputError as error:
        raise InputError(f"--fix {words}, {error.where}", error.found, error.allowed) from None


def setting_options(command: Command) -> Command:
    """Every option that changes a scenario; `setting` makes one mapping of them."""
    for option in reversed(_PROGRAMS + _LOSS + _PATH):
        command = option(command)
    return command


def setting_options_but_loss(command: Command) -> Command:
    """The same for a command whose --loss is another thing."""
    for option in reversed(_PROGRAMS + _PATH):
        command = option(command)
    return command


def setting(
    *,
    knobs: tuple[str, ...],
    parameters: tuple[str, ...],
    loss: float | None,
    loss_to_client: float | None,
    loss_to_server: float | None,
    drops: tuple[str, ...],
    **others: Any,
) -> dict[str, Any]:
    """What `tcpsim.scenario.build` is to change of a scenario."""
    for name, value in (("--loss-to-client", loss_to_client), ("--loss-to-server", loss_to_server)):
        if loss is not None and value is not None:
            raise InputError(name, f"{value} beside --loss {loss}", "either --loss or a loss per direction")
    return {
        "knobs": _assignments("--set", knobs, (*SIDES, "middlebox")),
        "parameters": _assignments("--with", parameters, SIDES),
        "loss": loss,
        "loss_to_client": loss_to_client,
        "loss_to_server": loss_to_server,
        "drops": drops,
        **others,
    }


def _assignments(option: str, words: tuple[str, ...], owners: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE or OWNER.NAME=VALUE, each name once."""
    found: dict[str, str] = {}
    for text in words:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            qualified = " or ".join(f"{owner}.NAME=VALUE" for owner in owners)
            raise InputError(option, repr(text), f"NAME=VALUE, {qualified}")
        if name in found:
            raise InputError(option, f"{name} twice ({found[name]} and {value})", "one value for each name")
        found[name] = value
    return found
