"""The options that several commands share, and how a command shows its help.

Owns: the options' names, help texts and groups, turning words into values, examples below a screen of help,
and the option's name in a mistake that a function of the surface finds. Refuses to know: what a duration, a
probability, a rate or a rule is (units, path): those parsers name the option in their own complaint.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from tcpsim.errors import InputError
from tcpsim.units import parse_duration, parse_probability, parse_rate

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Parser = Callable[[str, str], Any]
Names = Callable[[], Sequence[str]]

WHAT, PROGRAMS, PATH, TIME, OUTPUT = "What", "Programs and stacks", "Path", "Time and chance", "Output"
_GROUPS = (WHAT, PROGRAMS, PATH, TIME, OUTPUT)
_SIDES = ("client", "server")


class Option(click.Option):
    """An option that belongs to a group of the help screen."""

    def __init__(self, *declarations: Any, group: str = WHAT, **attributes: Any) -> None:
        self.group = group
        super().__init__(*declarations, **attributes)


class Command(click.Command):
    """A command whose help groups its options and ends with examples."""

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        self.examples = examples
        super().__init__(*arguments, **attributes)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows: dict[str, list[tuple[str, str]]] = {}
        for each in self.get_params(ctx):
            row = each.get_help_record(ctx) if isinstance(each, click.Option) else None
            if row is not None:
                rows.setdefault(getattr(each, "group", OUTPUT), []).append(row)
        for group in _GROUPS:
            if group in rows:
                with formatter.section(group):
                    formatter.write_dl(rows[group])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{example}\n")

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; what the function finds wrong is told by the option's name."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            options = [
                (each, max(each.opts, key=len)) for each in self.params if isinstance(each, click.Option)
            ]
            names = {(each.name or "").rstrip("_"): option for each, option in options}
            names |= {option.lstrip("-").replace("-", "_"): option for _, option in options}
            where = re.sub(r"^\w+( and \w+)?", lambda words: _options(r"\w+", words[0], names), error.where)
            found, allowed = (_options(r"\w+_\w+", str(each), names) for each in (error.found, error.allowed))
            raise InputError(where, found, allowed) from None


def _options(pattern: str, words: str, names: dict[str, str]) -> str:
    """Words in which each argument's name that matches is the name of its option."""
    return re.sub(rf"\b{pattern}\b", lambda word: names.get(word[0], word[0]), words)


def subcommand(
    help: str, examples: Sequence[str], **attributes: Any
) -> Callable[[Callable[..., Any]], Command]:
    """A command with grouped options and examples."""
    return click.command(cls=Command, help=help, examples=examples, **attributes)


def option(*declarations: str, group: str = WHAT, **attributes: Any) -> Callable[[Decorated], Decorated]:
    """An option in a group."""
    return click.option(*declarations, cls=Option, group=group, **attributes)


def parsed(
    name: str, parse: Parser, metavar: str, group: str = WHAT, **attributes: Any
) -> Callable[[Decorated], Decorated]:
    """An option whose words one of the project's own parsers turns into a value."""

    def convert(context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
        return None if value is None else parse(value, name)

    names = attributes.pop("names", ())
    return option(name, *names, group=group, metavar=metavar, callback=convert, **attributes)


def duration(name: str, group: str = TIME, **attributes: Any) -> Callable[[Decorated], Decorated]:
    """An option that is a time with a unit."""
    return parsed(name, parse_duration, "TIME", group, **attributes)


def probability(name: str, group: str = PATH, **attributes: Any) -> Callable[[Decorated], Decorated]:
    """An option that is a number from 0 to 1, or per cent."""
    return parsed(name, parse_probability, "P", group, **attributes)


def rate(name: str, group: str = TIME, **attributes: Any) -> Callable[[Decorated], Decorated]:
    """An option that is a number of events per time."""
    return parsed(name, parse_rate, "RATE", group, **attributes)


def whole(
    name: str, least: int, most: int, group: str = TIME, **attributes: Any
) -> Callable[[Decorated], Decorated]:
    """An option that is a whole number."""

    def parse(text: str, where: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise InputError(where, repr(text), f"an integer from {least} to {most}")
        return int(text)

    return parsed(name, parse, "N", group, **attributes)


def output(name: str, *suffixes: str, **attributes: Any) -> Callable[[Decorated], Decorated]:
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
        if path.suffix.lower() == ".parquet":
            from tcpsim.measure.results import needed

            needed("polars", where)
        return path

    return parsed(name, parse, "FILE", OUTPUT, **attributes)


def completed_by(names: Names) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """What a shell completes a word with."""
    return lambda context, parameter, begun: [
        CompletionItem(each) for each in names() if each.startswith(begun)
    ]


def _scenarios() -> list[str]:
    from tcpsim.catalogue import scenarios

    return [each.name for each in scenarios()]


def _stacks() -> Sequence[str]:
    from tcpsim.tcp.stack import names

    return names()


def _middleboxes() -> list[str]:
    from tcpsim.path import middleboxes

    return ["none", *middleboxes()]


def _behaviours(side: str) -> Names:
    def names() -> list[str]:
        from tcpsim.app.behaviour import behaviours

        return [each.name for each in behaviours() if each.side == side]

    return names


def scenario_argument(function: Decorated) -> Decorated:
    """The scenario that a command is about."""
    decorate = click.argument("scenario", metavar="SCENARIO", shell_complete=completed_by(_scenarios))
    return decorate(function)


SEED = whole("--seed", 0, 2**64 - 1, default="1", show_default=True, help="Decides every loss and choice.")
JSON = option("--json", "as_json", is_flag=True, group=OUTPUT, help="Print JSON (docs/json.md), not text.")

_LOSS = probability("--loss", help="Probability that a segment is lost, both ways.")
_SETTINGS: tuple[Callable[[Any], Any], ...] = (
    option(
        "--client",
        metavar="BEHAVIOUR",
        group=PROGRAMS,
        shell_complete=completed_by(_behaviours("client")),
        help="Another client program (tcpsim behaviours).",
    ),
    option(
        "--server",
        metavar="BEHAVIOUR",
        group=PROGRAMS,
        shell_complete=completed_by(_behaviours("server")),
        help="Another server program.",
    ),
    option(
        "--with",
        "parameters",
        multiple=True,
        metavar="[SIDE.]NAME=VALUE",
        group=PROGRAMS,
        help="A parameter of the programs: client.delay=2s.",
    ),
    option(
        "--stack-client",
        metavar="STACK",
        group=PROGRAMS,
        shell_complete=completed_by(_stacks),
        help="The client's TCP (tcpsim stacks).",
    ),
    option(
        "--stack-server",
        metavar="STACK",
        group=PROGRAMS,
        shell_complete=completed_by(_stacks),
        help="The server's TCP.",
    ),
    option(
        "--set",
        "knobs",
        multiple=True,
        metavar="[SIDE.]KNOB=VALUE",
        group=PROGRAMS,
        help="A knob of both stacks, or of one: server.tcp_fin_timeout=30s; of the box: middlebox.KNOB.",
    ),
    option(
        "--close-on-error",
        multiple=True,
        type=click.Choice(_SIDES),
        group=PROGRAMS,
        help="This side's program closes its sockets when a call fails.",
    ),
    option(
        "--linger",
        multiple=True,
        metavar="SIDE=TIME",
        group=PROGRAMS,
        help="This side's program sets SO_LINGER: server=0s, client=30s.",
    ),
    option(
        "--restart",
        multiple=True,
        metavar="SIDE=TIME",
        group=PROGRAMS,
        help="Kill this side's program at that time, and start it again.",
    ),
    option(
        "--kill-sockets",
        multiple=True,
        metavar="SIDE=TIME",
        group=PROGRAMS,
        help="An operator kills this side's leaking sockets at that time (ss -K, tcpdrop).",
    ),
    _LOSS,
    probability("--loss-to-client", help="The same, on the way to the client only."),
    probability("--loss-to-server", help="The same, on the way to the server only."),
    duration("--loss-from", group=PATH, help="When losses begin, such as 300ms."),
    option("--loss-side", metavar="SIDE", group=PATH, help="Lose on one side of the middlebox only."),
    option(
        "--drop",
        "drops",
        multiple=True,
        metavar="RULE",
        group=PATH,
        help='Lose these: "server FIN 2", "every server RST", "server #7", "client after 5s".',
    ),
    duration("--delay", group=PATH, help="One-way delay, such as 10ms."),
    option("--jitter", metavar="DISTRIBUTION", group=PATH, help="Delay on top: uniform(0ms,5ms)."),
    whole("--rate-bps", 1, 10**15, group=PATH, help="Rate of the line in bits per second."),
    whole("--queue-packets", 0, 10**9, group=PATH, help="Packets that wait for that line at most."),
    probability("--duplicate", help="Probability that a segment arrives twice."),
    probability("--reorder", help="Probability that a segment is late by --reorder-extra."),
    duration("--reorder-extra", group=PATH, help="How late."),
    option(
        "--middlebox",
        metavar="BOX",
        group=PATH,
        shell_complete=completed_by(_middleboxes),
        help="A NAT or firewall between (tcpsim middleboxes), or none.",
    ),
    whole("--client-port", 1, 65_535, group=PATH, help="The client's port (40000)."),
    whole("--server-port", 1, 65_535, group=PATH, help="The server's port (5000)."),
)


def setting_options(function: Decorated) -> Decorated:
    """Every option that changes a scenario; `setting` makes one mapping of them."""
    for each in reversed(_SETTINGS):
        function = each(function)
    return function


def setting_options_but_loss(function: Decorated) -> Decorated:
    """The same for a command whose --loss is another thing."""
    for each in reversed(_SETTINGS):
        function = function if each is _LOSS else each(function)
    return function


def setting(*, knobs: tuple[str, ...], parameters: tuple[str, ...], **others: Any) -> dict[str, Any]:
    """The settings that were given, as the functions of the surface take them."""
    found = {name: value for name, value in others.items() if value is not None and value != ()}
    for field, name, words, owners in (
        ("knobs", "--set", knobs, (*_SIDES, "middlebox")),
        ("parameters", "--with", parameters, _SIDES),
    ):
        if words:
            found[field] = assignments(name, words, owners)
    if "close_on_error" in found:
        found["close_on_error"] = dict.fromkeys(found["close_on_error"], True)
    for field in ("linger", "restart", "kill_sockets"):
        if field in found:
            found[field] = assignments(f"--{field.replace('_', '-')}", found[field], ())
    return found


def numbers(words: dict[str, str], name: str = "--limit") -> dict[str, int]:
    """NAME=N as numbers above zero."""
    found = {}
    for key, text in words.items():
        if not (text.isascii() and text.isdigit() and int(text) > 0):
            raise InputError(name, repr(f"{key}={text}"), "NAME= and an integer above 0")
        found[key] = int(text)
    return found


def stack_option(name: str, **attributes: Any) -> Callable[[Decorated], Decorated]:
    """An option that names a TCP."""
    names = completed_by(_stacks)
    return option(name, metavar="STACK", group=PROGRAMS, shell_complete=names, **attributes)


def assignments(name: str, words: tuple[str, ...], owners: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE or OWNER.NAME=VALUE, each name once."""
    found: dict[str, str] = {}
    for text in words:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            qualified = [f"{owner}.NAME=VALUE" for owner in owners]
            allowed = f"NAME=VALUE, {' or '.join(qualified)}" if owners else "client=TIME or server=TIME"
            raise InputError(name, repr(text), allowed)
        if key in found:
            raise InputError(name, f"{key} twice ({found[key]} and {value})", "one value for each name")
        found[key] = value
    return found
