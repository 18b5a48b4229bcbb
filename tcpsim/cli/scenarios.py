"""The command `tcpsim scenarios`."""

from __future__ import annotations

from tcpsim.api.lists import scenario_record, scenario_toml, scenarios, scenarios_text, symptoms_text
from tcpsim.cli.options import JSON, option, subcommand
from tcpsim.cli.show import print_json, print_text


@subcommand(
    "List the scenarios by theme. With --state, --side or --owner, list those that leave such sockets.",
    (
        "tcpsim scenarios --state CLOSE-WAIT --side server --owner none",
        "tcpsim scenarios --toml normal-close > my.toml",
    ),
)
@option("--toml", "name", metavar="SCENARIO", help="Print this scenario as a TOML file instead of the list.")
@option(
    "--state",
    metavar="STATE",
    help="List the scenarios whose sockets stay in this state, such as CLOSE-WAIT.",
)
@option("--side", metavar="SIDE", help="The sockets are on this side: client or server.")
@option(
    "--owner",
    metavar="OWNER",
    help="The sockets are held by: program, queue (the accept queue), kernel (an orphan or a timewait"
    " socket), or none (no program).",
)
@JSON
def command(name: str | None, state: str | None, side: str | None, owner: str | None, as_json: bool) -> None:
    """Print the list, one scenario as a file, or JSON."""
    if name is not None:
        print_text(scenario_toml(name))
    elif as_json:
        print_json([scenario_record(each) for each in scenarios(state, side, owner)])
    elif state or side or owner:
        print_text(symptoms_text(state, side, owner))
    else:
        print_text(scenarios_text())
