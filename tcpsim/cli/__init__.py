"""The command line: words in, words out, an exit status.

Owns: the program `tcpsim`, how a mistake is reported (one line on stderr, status 2), how an interruption
ends (one line, status 130), and shell completion. Refuses to know: everything that a command does; each is
a thin module of this room over a function of the surface (api), imported when it is asked for, so that
`tcpsim scenarios` does not wait for matplotlib.
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
        "diagnose": "Say of the sockets in a dump (ss, netstat, ...) whose move it is, and what helps.",
        "explain": "Tell a scenario's story: its ladder, its source, and what fixes it.",
        "run": "Run one connection and show it as a ladder.",
        "compare": "Run a scenario as it is and with fixes, side by side.",
        "exact": "Say exactly how a connection ends, for many loss rates at once.",
        "check": "Say what holds in every future of a connection, and how the rest fails.",
        "population": "Run many connections and count their sockets over time.",
        "plan": "Say what a server will hold at a rate, which limit it meets when, and what to watch.",
        "exhaust": "Run a population until its host runs out: of what, when, and why.",
        "users": "Tell what browsers and connection pools do to a server, and it to them.",
        "sweep": "Ask one question at many points, as tidy rows.",
        "plot": "Draw the rows of a sweep.",
    },
    "Choose from": {
        "scenarios": "List the scenarios, grouped by theme.",
        "behaviours": "List what clients and servers can be told to be.",
        "stacks": "List the stack profiles, their differences, and their sources.",
        "middleboxes": "List the NATs and firewalls that can stand between, and their sources.",
        "states": "Draw the eleven-state diagram from the transition table.",
    },
    "Judge": {
        "conform": "Replay traces of a real kernel and compare.",
        "packetdrill": "Judge packetdrill scripts against the endpoint.",
        "lab": "Record a scenario on two real hosts, and compare (Linux, as root).",
    },
    "Shell": {"completion": "Print what makes a shell complete names: bash, zsh or fish."},
}
COMMANDS = {name: does for group in GROUPS.values() for name, does in group.items()}
EXAMPLES = (
    "tcpsim explain closewait-ignored-eof",
    "tcpsim compare closewait-ignored-eof --fix keepalive=10min --fix fin-timeout=30s",
)
COMPLETE = "_TCPSIM_COMPLETE"  # the variable that click's completion scripts set


class _Commands(click.Group):
    """The commands by name; a module `tcpsim.cli.<name>` holds `command`."""

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
    help="tcpsim: why sockets stay in CLOSE-WAIT and FIN-WAIT-2, how many leak, and which knob helps.",
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
        # whoever read our output has seen enough; python would complain again when it flushes at exit
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
