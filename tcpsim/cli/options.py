"""The options that several commands share, and the layout of help texts.

Owns: the names, help texts and groups of options, their conversion into values, the examples in a help text,
and the name of the option in an error that a function of `tcpsim.api` raises. Refuses to know: how a
duration, a probability, a rate or a rule is parsed (`tcpsim.units`, `tcpsim.path`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from tcpsim.errors import InputError, Mistakes
from tcpsim.units import parse_duration, parse_probability, parse_rate

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Parser = Callable[[str, str], Any]
Names = Callable[[], Sequence[str]]

WHAT, PROGRAMS, PATH, TIME, OUTPUT = "General", "Programs and stacks", "Path", "Time and randomness", "Output"
_GROUPS = (WHAT, PROGRAMS, PATH, TIME, OUTPUT)
_SIDES = ("client", "server", "relay")


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
        """Run the command. An error names the option in which the mistake is."""
        try:
            return super().invoke(ctx)
        except Mistakes:  # of a file: each names its field
            raise
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
    """The text with the names of arguments replaced by the names of their options."""
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
    """An option whose value one of the project's own parsers converts."""

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
    """An option that is a rate, such as 50/s."""
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
    """An option that names a file to write. It is checked at once whether the file can be written."""

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
    """A function that offers completions for a word to the shell."""
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


SEED = whole("--seed", 0, 2**64 - 1, default="1", show_default=True, help="The seed of all random events.")
JSON = option(
    "--json", "as_json", is_flag=True, group=OUTPUT, help="Print JSON instead of text (see docs/json.md)."
)

_LOSS = probability("--loss", help="Probability that a segment is lost, in both directions.")
_SETTINGS: tuple[Callable[[Any], Any], ...] = (
    option(
        "--client",
        metavar="BEHAVIOUR",
        group=PROGRAMS,
        shell_complete=completed_by(_behaviours("client")),
        help="Run this client program (see: tcpsim behaviours).",
    ),
    option(
        "--server",
        metavar="BEHAVIOUR",
        group=PROGRAMS,
        shell_complete=completed_by(_behaviours("server")),
        help="Run this server program.",
    ),
    option(
        "--relay",
        metavar="BEHAVIOUR",
        group=PROGRAMS,
        shell_complete=completed_by(_behaviours("relay")),
        help="Another program of the machines between, where there are any.",
    ),
    option(
        "--with",
        "parameters",
        multiple=True,
        metavar="[SIDE.]NAME=VALUE",
        group=PROGRAMS,
        help="Set a parameter of the programs, such as client.delay=2s.",
    ),
    option(
        "--stack-client",
        metavar="STACK",
        group=PROGRAMS,
        shell_complete=completed_by(_stacks),
        help="The TCP implementation of the client (see: tcpsim stacks).",
    ),
    option(
        "--stack-server",
        metavar="STACK",
        group=PROGRAMS,
        shell_complete=completed_by(_stacks),
        help="The TCP implementation of the server.",
    ),
    option(
        "--stack-relay",
        metavar="STACK",
        group=PROGRAMS,
        shell_complete=completed_by(_stacks),
        help="The TCP of the machines between.",
    ),
    option(
        "--set",
        "knobs",
        multiple=True,
        metavar="[SIDE.]KNOB=VALUE",
        group=PROGRAMS,
        help="Set a sysctl of both stacks, of one (server.tcp_fin_timeout=30s) or of the middlebox"
        " (middlebox.KNOB).",
    ),
    option(
        "--close-on-error",
        multiple=True,
        type=click.Choice(_SIDES),
        group=PROGRAMS,
        help="The program on this side closes its sockets when a system call fails.",
    ),
    option(
        "--linger",
        multiple=True,
        metavar="SIDE=TIME",
        group=PROGRAMS,
        help="The program on this side sets SO_LINGER: server=0s, client=30s.",
    ),
    option(
        "--restart",
        multiple=True,
        metavar="SIDE=TIME",
        group=PROGRAMS,
        help="Kill the program on this side at this time, and start it again.",
    ),
    option(
        "--kill-sockets",
        multiple=True,
        metavar="SIDE=TIME",
        group=PROGRAMS,
        help="An operator kills the leaking sockets on this side at this time (ss -K, tcpdrop).",
    ),
    _LOSS,
    probability("--loss-to-client", help="Probability of loss towards the client only."),
    probability("--loss-to-server", help="Probability of loss towards the server only."),
    duration("--loss-from", group=PATH, help="The time at which losses begin, such as 300ms."),
    option(
        "--loss-side",
        metavar="SIDE",
        group=PATH,
        help="Lose segments only on this side of the middlebox (client or server).",
    ),
    option(
        "--drop",
        "drops",
        multiple=True,
        metavar="RULE",
        group=PATH,
        help='Drop the segments that match: "server FIN 2", "every server RST", "server #7", "client'
        ' after 5s".',
    ),
    duration("--delay", group=PATH, help="The one-way delay, such as 10ms."),
    option(
        "--jitter",
        metavar="DISTRIBUTION",
        group=PATH,
        help="A random additional delay, such as uniform(0ms,5ms).",
    ),
    whole("--rate-bps", 1, 10**15, group=PATH, help="The rate of the link in bits per second."),
    whole(
        "--queue-packets",
        0,
        10**9,
        group=PATH,
        help="The length of the queue in front of the link, in packets.",
    ),
    probability("--duplicate", help="Probability that a segment arrives twice."),
    probability("--reorder", help="Probability that a segment is delayed by --reorder-extra."),
    duration("--reorder-extra", group=PATH, help="The additional delay of a reordered segment."),
    option(
        "--middlebox",
        metavar="BOX",
        group=PATH,
        shell_complete=completed_by(_middleboxes),
        help="A NAT or a firewall on the path (see: tcpsim middleboxes), or none.",
    ),
    whole("--client-port", 1, 65_535, group=PATH, help="The port of the client (default: 40000)."),
    whole("--server-port", 1, 65_535, group=PATH, help="The port of the server (default: 5000)."),
)


def setting_options(function: Decorated) -> Decorated:
    """Add every option that changes a scenario. `setting` collects their values in one mapping."""
    for each in reversed(_SETTINGS):
        function = each(function)
    return function


def setting_options_but_loss(function: Decorated) -> Decorated:
    """Add the same options except --loss, for a command whose own --loss means something else."""
    for each in reversed(_SETTINGS):
        function = function if each is _LOSS else each(function)
    return function


def setting(*, knobs: tuple[str, ...], parameters: tuple[str, ...], **others: Any) -> dict[str, Any]:
    """The settings that were given, in the form that the functions of `tcpsim.api` take."""
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
    """An option that names a TCP implementation."""
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
