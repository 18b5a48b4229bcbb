"""The command `tcpsim completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from tcpsim.cli import COMPLETE, tcpsim
from tcpsim.cli.options import subcommand
from tcpsim.cli.show import print_text

SHELLS = ("bash", "zsh", "fish")


@subcommand(
    "Print a script that lets SHELL complete commands, options and names. Append it to the file that SHELL"
    " reads when it starts.",
    (
        "tcpsim completion bash >> ~/.bashrc",
        "tcpsim completion fish > ~/.config/fish/completions/tcpsim.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the script. It calls this program for every word that it completes."""
    kind = get_completion_class(shell)
    assert kind is not None, shell
    print_text(kind(tcpsim, {}, "tcpsim", COMPLETE).source() + "\n")
