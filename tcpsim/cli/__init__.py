"""The program `tcpsim`: it parses arguments, calls one function and prints the result.

Owns: how a mistake is reported (one line on stderr, status 2), how an interruption ends (one line, status
130), and shell completion. Refuses to know: what a command does. Each command is a thin module in this
package that calls a function of `tcpsim.api`. It is imported only when it is used, so `tcpsim scenarios` does
not load matplotlib.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from tcpsim import __version__
from tcpsim.errors import InputError, unknown

GROUPS = {
    "Ask": {
        "diagnose": "Explain the sockets in the output of ss, netstat, ...: who must act, and what helps.",
        "explain": "Print the story of a scenario: its ladder, its source and its fixes.",
        "run": "Simulate one connection and print it as a ladder (a sequence diagram).",
        "compare": "Run a scenario with and without fixes, and compare the results.",
        "exact": "Compute the probability of each end of a connection, for many loss rates.",
        "page": "Write a page on which a reader chooses which segments are lost.",
        "pages": "Write such a page for each scenario, and an index.",
        "check": "Test properties in every state that a connection can reach.",
        "population": "Simulate many connections and count their sockets over time.",
        "plan": "Predict which sockets a server holds at a rate, and which limit it meets first.",
        "exhaust": "Simulate a host until a limit is met, and say which limit it is.",
        "users": "Simulate browsers and connection pools, and compare variants.",
        "sweep": "Answer one question for many combinations of settings, as a table.",
        "plot": "Draw the table that a sweep has written.",
    },
    "List": {
        "scenarios": "List the scenarios, grouped by theme.",
        "behaviours": "List the programs that a client or a server can run.",
        "stacks": "List the TCP implementations, their differences and their sources.",
        "middleboxes": "List the NATs and firewalls for the path, and their sources.",
        "states": "Print or draw the state diagram of TCP.",
    },
    "Compare with others": {
        "conform": "Replay traces of a real kernel and compare them with the simulation.",
        "packetdrill": "Run packetdrill scripts against the simulated endpoint.",
        "lab": "Record a scenario on two real hosts and compare (needs Linux and root).",
    },
    "Shell": {"completion": "Print a completion script for bash, zsh or fish."},
}
COMMANDS = {name: does for group in GROUPS.values() for name, does in group.items()}
EXAMPLES = (
    "tcpsim explain closewait-ignored-eof",
    "tcpsim compare closewait-ignored-eof --fix keepalive=10min --fix fin-timeout=30s",
)
COMPLETE = "_TCPSIM_COMPLETE"  # the variable that click's completion scripts set


class _Commands(click.Group):
    """The commands by name. The module `tcpsim.cli.<name>` defines `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            raise unknown("command", cmd_name, list(COMMANDS))
        command: click.Command = import_module(f"tcpsim.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group, commands in GROUPS.items():
            with formatter.section(group):
                formatter.write_dl(list(commands.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples"):
            for example in EXAMPLES:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="tcpsim shows why TCP sockets stay in CLOSE-WAIT and FIN-WAIT-2, how many leak, and which setting"
    " helps.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def tcpsim() -> None:
    """The group itself does nothing."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit: 0, 2 after bad input, 130 after Ctrl-C."""
    if COMPLETE in os.environ:
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(tcpsim, {}, "tcpsim", COMPLETE, os.environ[COMPLETE]))
    sys.exit(_status(arguments))


def _status(arguments: Sequence[str] | None) -> int:
    try:
        words = list(sys.argv[1:] if arguments is None else arguments)
        with tcpsim.make_context("tcpsim", words) as context:
            tcpsim.invoke(context)
        sys.stdout.flush()
    except InputError as error:
        return _complain(str(error))
    except BrokenPipeError:
        # The reader of our output has closed the pipe. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        return _complain(f"{error.filename or 'output'}: {error.strerror}")
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 2
    except click.ClickException as error:
        place = getattr(error, "ctx", None)
        where = f" (see: {place.command_path} --help)" if place else ""
        return _complain(" ".join(error.format_message().split()) + where)
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("tcpsim: interrupted", err=True)
        return 130
    return 0


def _complain(lines: str) -> int:
    for line in lines.split("\n"):
        click.echo(f"tcpsim: {line}", err=True)
    return 2
