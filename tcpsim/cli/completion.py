"""`tcpsim completion`: what makes a shell complete commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from tcpsim.cli import COMPLETE, tcpsim
from tcpsim.cli.options import subcommand
from tcpsim.cli.show import print_text

SHELLS = ("bash", "zsh", "fish")


@subcommand(
    "Print what makes SHELL complete commands, options and names; put it into the file that SHELL reads.",
    (
        "tcpsim completion bash >> ~/.bashrc",
        "tcpsim completion fish > ~/.config/fish/completions/tcpsim.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """The script calls the program again for every word that is completed."""
    kind = get_completion_class(shell)
    assert kind is not None, shell
    print_text(kind(tcpsim, {}, "tcpsim", COMPLETE).source() + "\n")
